"""The part of the Methods paragraph on the finalists: what ran, what was tested and how, what is missing, and how speed was told."""

from sweeps.repeats import first_names
from sweeps.report.overview import LossView, Overview
from sweeps.report.wording import bare, clean, count, dig, listed, say, say_metric, several, short, with_scores
from sweeps.verdict.contenders import finite

_TOLD = 0.0005
"""Means that differ by less are written alike."""


def comparison(overview: Overview) -> list[str]:
    """Return its sentences; none without finalists."""
    finalists = [trial for loss in overview.losses for trial in loss.finalists]
    if not finalists:
        return []
    seeds, folds = (
        count(len({getattr(trial, key) for trial in finalists}), noun) for key, noun in (("seed", "fresh seed"), ("fold", "fold"))
    )
    per_loss = int(finite(dig(overview.record.recipe, "finalists.per_loss")) or 1)
    best = "configuration of each loss was" if per_loss == 1 else f"{per_loss} configurations of each loss were"
    sentences = [f"The best {best} then trained again with {seeds} on {folds}, without early stopping.", _same_runs(overview)]
    sentences.append("Thresholds were calibrated on sections used neither to train nor to test.")
    sentences += [_failures(overview), "Only these runs are ranked.", *_tests(overview), _adjusted(overview)]
    sentences.append("V_rand and V_info are the thinned scores of the ISBI 2012 challenge (Arganda-Carreras et al. 2015).")
    if overview.target is not None:
        metric = say_metric(dig(overview.verdict, "target.metric", overview.metric))
        sentences.append(
            f"Speed is the median of the train seconds, evaluation excluded, until a {metric} of {say(overview.target)} was first reached "
            "on the calibration sections; a run that never reached it counts as infinite."
        )
    return [sentence for sentence in sentences if sentence]


def repeats(overview: Overview) -> list[str]:
    """Return the losses that are another one under a second name."""
    losses = dig(overview.record.recipe, "losses", {})
    return [name for name, first in first_names(losses).items() if name != first and overview.loss(name) is not None]


def _same_runs(overview: Overview) -> str:
    """Whether every loss ran with the same seeds on the same folds, and which did not."""
    again = repeats(overview)
    ran = [loss for loss in overview.losses if loss.finalists and loss.name not in again]
    asked = {frozenset((trial.seed, trial.fold) for trial in loss.finalists) for loss in ran}
    if len(ran) < 2 and not again:
        return ""
    if len(asked) > 1 or any(not loss.finalists for loss in overview.losses):
        return "Seeds and folds were not the same for all losses; pairs are compared on those that both have."
    named = several([short(name, 40) for name in again])
    but = f", but for the seeds of {named}, a loss run again under another name, which had its own" if len(again) == 1 else ""
    but = f", but for the seeds of {named}, losses run again under other names, which had their own" if len(again) > 1 else but
    return f"Seeds and folds were the same for every loss{but}."


def _failures(overview: Overview) -> str:
    finalists = [trial for loss in overview.losses for trial in loss.finalists]
    failed = sum(trial.state == "failed" for trial in finalists)
    blank = sum(trial.state == "complete" and overview.score(trial) is None for trial in finalists)
    parts = [f"{failed} failed"] if failed else []
    parts += [f"{blank} ended without a score"] if blank else []
    return f"Of {count(len(finalists), 'such run')} {listed(parts)}." if parts else ""


def _tests(overview: Overview) -> list[str]:
    """The test as it was really made: what its error was taken from, with how many degrees of freedom, and the correction."""
    test, pairs = dig(overview.verdict, "test", {}), dig(overview.verdict, "pairs", ())
    tested = sum(pair.get("p") is not None for pair in pairs)
    if not tested:
        return ["No pair of losses has two independent runs in common, so nothing was tested."] if pairs else []
    unit, n, df = clean(test.get("unit") or "run", 20), finite(test.get("n")), finite(test.get("df"))
    freedom = f"{int(df)} degrees of freedom" if df is not None else ""
    p = finite(test.get("alike_p"))
    if test.get("spread") == "blocks":
        error = f"its error estimated from all losses together, losses and {unit}s taken out (randomised blocks, Fisher 1935; {freedom})"
        levene = f"; nothing shows that losses stray unequally (Levene 1960, p = {_p(p)})" if p is not None else ""
    else:
        error = f"its error estimated from each pair's own differences ({freedom})" if freedom else "each pair on its own differences"
        levene = f", since losses stray unequally (Levene 1960, p = {_p(p)})" if p is not None else ""
    size = f" over {int(n)} {unit}s" if n is not None else ""
    done = (
        f"Differences are paired by seed and fold and were tested by a paired t test{size}, {error}{levene}; intervals are Student's t at "
        f"95%. The p-values of {count(tested, 'pair')} were corrected by Holm's rule (Holm 1979)."
    )
    return [done, with_scores(clean(dig(overview.verdict, "groups_rule", "Losses that cannot be told apart are called tied."), 500))]


def _p(p: float) -> str:
    return bare(f"{p:.2g}")


def _adjusted(overview: Overview) -> str:
    if not any(differs(overview, loss) for loss in overview.losses):
        return ""
    return "Since runs are missing, losses rank by means adjusted for which runs they have (least squares of score = loss + run)."


def differs(overview: Overview, loss: LossView) -> bool:
    """Return whether a loss's adjusted mean is written otherwise than its plain one."""
    adjusted, plain = finite(loss.row.get("adjusted_mean")), loss.estimate(overview.metric).mean
    return adjusted is not None and plain is not None and abs(adjusted - plain) >= _TOLD
