"""Which losses do not beat a prediction that needs no network, and what is known of why. Part of the verdict."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sweeps.verdict.contenders import Contender, best_of, curve_of, finite, score_of
from sweeps.verdict.sentence import number

if TYPE_CHECKING:
    from sweeps.record import SweepRecord

#: this near to the score of one class everywhere, a prediction is taken to be that
_NEAR = 0.005
_ONE_CLASS = ("all membrane", "all cell")


def against_no_network(
    record: "SweepRecord", order: Sequence[Contender], rows: Sequence[Mapping[str, Any]], objective: str, *, maximise: bool
) -> dict[str, Any]:
    """Return the verdict's two parts on sanity rows: `not_beaten`, those that the best loss does not beat, and `below_sanity`."""
    known = [(str(row.get("name")), value) for row in record.sanity if (value := finite(row.get(objective))) is not None]
    sign = 1.0 if maximise else -1.0
    not_beaten = [name for name, value in known if rows and sign * (rows[0]["scores"][objective]["mean"] - value) <= 0]
    return {"not_beaten": not_beaten, "below_sanity": _below(record, order, rows, objective, known, maximise=maximise)}


def _below(
    record: "SweepRecord",
    order: Sequence[Contender],
    rows: Sequence[Mapping[str, Any]],
    objective: str,
    known: Sequence[tuple[str, float]],
    *,
    maximise: bool,
) -> list[dict[str, Any]]:
    """Return the ranked losses whose mean does not beat the best sanity row, in the ranking's order."""
    best = best_of((value for _, value in known), maximise)
    if best is None:
        return []
    name, sign = next(name for name, value in known if value == best), 1.0 if maximise else -1.0
    below = []
    for contender, row in zip(order, rows, strict=True):
        score = row["scores"][objective]["mean"]
        if score is not None and sign * (score - best) <= 0:
            entry = {"loss": contender.loss, "function": contender.function, "score": score, "sanity": name, "sanity_score": best}
            below.append(entry | {"why": _why(record, contender, score, known, objective, maximise=maximise)})
    return below


def _why(
    record: "SweepRecord", contender: Contender, score: float, known: Sequence[tuple[str, float]], objective: str, *, maximise: bool
) -> str:
    """Return what is known, in clauses: what the score is like, whether runs were still rising, the search's best trial and failures."""
    clauses = [f"scores like {name}" for name, value in known if name in _ONE_CLASS and abs(score - value) <= _NEAR]
    rising = sum(_rising(contender, index, objective, maximise=maximise) for index in range(len(contender.trials)))
    if 2 * rising >= len(contender.trials) and rising:
        clauses.append(f"{rising} of {len(contender.trials)} runs at their best in the last epoch, so more epochs may help")
    search = [trial for trial in record.trials if trial.loss == contender.loss and trial.stage == "search"]
    scored = [(value, trial) for trial in search if (value := score_of(trial, objective)) is not None]
    if scored and contender.configurations:
        value, trial = (max if maximise else min)(scored, key=lambda pair: pair[0])
        # The score beside it is of the finalists' sections, and sections differ.
        best = f"{number(value)} on the search's own sections ({trial.trial_id}, {trial.state})"
        clauses.append(f"best of {len(search)} in the search {best}")
    failed = sum(trial.state == "failed" for trial in search)
    clauses += [f"{failed} of {len(search)} trials of the search failed"] if failed else []
    return "; ".join(clauses)


def _rising(contender: Contender, index: int, objective: str, *, maximise: bool) -> bool:
    """Whether a run was at its best when it ended."""
    values = [value for _, value in curve_of(contender.trials[index], objective)]
    return len(values) > 1 and values[-1] == best_of(values, maximise) != values[0]
