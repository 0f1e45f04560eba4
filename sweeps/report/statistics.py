"""How the comparison was judged, in words: the test and why this one, what an interval rests on, what could have been found at all.

Every number is the verdict's. A line whose facts the verdict lacks is left out.
"""

from collections.abc import Mapping

from sweeps.report.canvas import NothingToShow
from sweeps.report.differences import pairs_of
from sweeps.report.doubt import doubted
from sweeps.report.grid import Cell, Column, Grid, figure, words
from sweeps.report.overview import LossView, Overview
from sweeps.report.wording import clean, count, dig, say, say_metric, say_range, short, with_scores
from sweeps.verdict.contenders import finite

#: the scores with an interval of their own in the table, the objective first
_TOLD = ("membrane_dice", "v_rand", "v_info")


def statements(overview: Overview) -> list[tuple[str, str]]:
    """Return (what, sentence) of each thing a reader needs in order to weigh the differences; NothingToShow without finalists."""
    if overview.search_only or not any(loss.rank is not None for loss in overview.losses):
        raise NothingToShow("nothing has been ranked, so there is nothing to test: intervals need finalists over several seeds or folds.")
    found = (
        ("Independent", _independent(overview)),
        ("Test", _test(overview)),
        ("Intervals", _intervals(overview)),
        ("Many comparisons", _corrected(overview)),
        ("What could have been found", _findable(overview)),
        ("Chance of being better", _chance(overview)),
        ("Between seeds", _seeds(overview)),
        ("Noise floor", _floor(overview)),
    )
    return [(what, text) for what, text in found if text]


def _unit(overview: Overview) -> str:
    units = [clean(unit, 20) for loss in overview.losses if (unit := dig(loss.row, f"scores.{overview.metric}.unit"))]
    return units[0] if units else ""


def _independent(overview: Overview) -> str:
    """What a mean, an interval and a test count as one."""
    sizes = sorted({n for loss in overview.losses if (n := loss.estimate(overview.metric).n) is not None})
    unit = _unit(overview)
    if not sizes or not unit:
        return ""
    many = count(sizes[-1], unit) if len(sizes) == 1 else f"{sizes[0]} to {count(sizes[-1], unit)}"
    if unit == "fold":
        return f"{many} a loss, each the mean over its seeds: runs that share a fold share its sections, and are not independent."
    return f"{many} a loss, all on one test fold: tests and intervals tell the spread over seeds, and nothing of other sections."


def _test(overview: Overview) -> str:
    test = dig(overview.verdict, "test", {})
    name, why = clean(test.get("name") or "", 80), clean(test.get("why") or "", 400).rstrip(".")
    if not name:
        tested = any(pair.p is not None for pair in pairs_of(overview))
        return "" if tested else "None: a test needs two losses with two independent runs in common, so every pair counts as a tie."
    n = finite(test.get("n"))
    size = f", n = {int(n)}" if n is not None else ""
    said = f"{name[:1].upper()}{name[1:]}{size}" + (f": {with_scores(why)}." if why else ".")
    return f"{said} {doubted(overview)}".strip()


def _intervals(overview: Overview) -> str:
    known = [loss for loss in overview.losses if loss.estimate(overview.metric).low is not None]
    if not known:
        return "None: a mean of one independent run has no interval."
    return (
        f"95%, Student's t over the {_unit(overview) or 'run'}s. A loss's interval is of its own mean, and two that overlap can still "
        "differ: what a seed or a fold does to all losses alike drops out of paired differences, not out of these."
    )


def _corrected(overview: Overview) -> str:
    pairs = [pair for pair in pairs_of(overview) if pair.p is not None]
    if not pairs:
        return ""
    alone = sum(pair.p is not None and pair.p < 0.05 for pair in pairs)
    kept = sum(pair.significant for pair in pairs)
    return (
        f"{count(len(pairs), 'pair was', 'pairs were')} tested; {alone} {'has' if alone == 1 else 'have'} p below .05 alone, {kept} "
        f"{'is' if kept == 1 else 'are'} called different after Holm's correction{_and_floor(overview)}."
    )


def _and_floor(overview: Overview) -> str:
    return " and the noise floor" if finite(dig(overview.verdict, "noise_floor.value")) is not None else ""


def _findable(overview: Overview) -> str:
    found = dig(overview.verdict, "smallest_difference", {})
    difference, alone, n = (finite(found.get(key)) for key in ("difference", "uncorrected", "n"))
    if difference is None or n is None:
        return ""
    units, comparisons = count(int(n), clean(found.get("unit", "run"), 20)), finite(found.get("comparisons"))
    if difference >= 1:
        return f"With {units} no difference, however large: a tie says nothing here, and more seeds or folds would."
    single = f", {say(alone, 4)} in a pair that was compared alone" if alone is not None and (comparisons or 0) > 1 else ""
    return (
        f"With {units} a true difference of {say(difference, 4)} is found four times in five{single}. A tie does not mean that losses are "
        "equal: a larger difference than that would have been found four times in five, and a smaller one less often."
    )


def _chance(overview: Overview) -> str:
    if all(pair.a_better is None for pair in pairs_of(overview)):
        return ""
    return (
        "The table of pairs gives the probability that the first loss is truly better (Student's t with a flat prior). It reads each pair "
        "alone: among many pairs some reach 95% by chance, so ties and winners are decided by the corrected p."
    )


def _seeds(overview: Overview) -> str:
    spread = finite(dig(overview.verdict, "seed_spread"))
    if spread is None:
        return ""
    metric = say_metric(overview.metric)
    return f"One loss on one fold strays by {say(spread, 4)} {metric} (standard deviation) from seed to seed; no single run is worth more."


def _floor(overview: Overview) -> str:
    floor = dig(overview.verdict, "noise_floor", {})
    value = finite(floor.get("value")) if isinstance(floor, Mapping) else None
    if value is None:
        return ""
    return f"{say(value, 4)}, the largest difference between two names of one loss ({clean(floor.get('note', ''), 200)}); smaller ones tie."


def intervals(overview: Overview) -> Grid:
    """Return one row a loss: mean, interval and spread of the objective, and the intervals of the challenge's scores."""
    losses = [loss for loss in overview.losses if loss.rank is not None]
    if overview.search_only or not losses:
        raise NothingToShow("no loss has finalists, and single trials have no interval.")
    told = [name for name in dict.fromkeys((overview.metric, *_TOLD)) if any(loss.estimate(name).mean is not None for loss in losses)]
    columns = [Column(key="loss", title="Loss", lower_is_better=True)]
    for name in told:
        columns += [
            Column(key=name, title=say_metric(name), numeric=True),
            Column(key=f"{name}_low", title=""),
            Column(key=f"{name}_high", title=""),
            Column(key="", title="95% interval", numeric=True),
        ]
    columns += [
        Column(key="sd", title="SD", numeric=True, lower_is_better=True, hint=f"standard deviation of {say_metric(overview.metric)}"),
        Column(key="n", title="n", numeric=True, hint="independent units: folds, or seeds where there is one fold"),
        Column(key="unit", title="of"),
        Column(key="runs", title="Runs", numeric=True),
    ]
    rows = tuple(_row(loss, told, overview) for loss in losses)
    caption = "Means with their 95% intervals, loss by loss."
    return Grid(name="intervals", caption=caption, columns=tuple(columns), rows=rows, sortable=True)


def _row(loss: LossView, told: list[str], overview: Overview) -> tuple[Cell, ...]:
    cells = [Cell(text=short(loss.name, 40), value=loss.name, loss=loss)]
    for name in told:
        found = loss.estimate(name)
        cells += [figure(found.mean, 4), figure(found.low), figure(found.high), words(say_range(found.low, found.high, 4))]
    entry = dig(loss.row, "scores", {}).get(overview.metric)
    entry = entry if isinstance(entry, Mapping) else {}
    unit = clean(entry.get("unit") or "", 20)
    return (
        *cells,
        figure(entry.get("sd"), 4),
        figure(entry.get("n"), 0),
        words(f"{unit}s" if unit else "", unit),
        figure(entry.get("replicates"), 0),
    )
