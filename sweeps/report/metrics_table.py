"""Every score of every loss in one table: the means of the runs that rank, with the best in bold."""

from sweeps.report.canvas import NothingToShow
from sweeps.report.grid import Cell, Column, Grid
from sweeps.report.overview import Overview
from sweeps.report.wording import say, short
from unet.metrics.registry import AT_HALF, METRICS
from unet.metrics.spec import MetricSpec

_HIGHER, _LOWER = "\u2191", "\u2193"
_MOST_DIGITS = 6


def grid(overview: Overview) -> Grid:
    """Return one row a loss and one column a score; those at threshold 0.5 stand under the tuned ones, and on their own in the data."""
    means = {name: {loss.name: loss.estimate(name).mean for loss in overview.losses} for name in METRICS}
    told = {name: found for name, found in means.items() if any(value is not None for value in found.values())}
    if not told:
        raise NothingToShow("no run has a score yet.")
    digits = {name: _digits([value for value in found.values() if value is not None]) for name, found in told.items()}
    best = {name: _best(METRICS[name], found, digits[name]) for name, found in told.items()}
    columns = [Column(key="loss", title="Loss", lower_is_better=True)]
    columns += [_column(METRICS[name], alone=_tuned_of(name) not in told) for name in told]
    rows = []
    for loss in overview.losses:
        row = [Cell(text=short(loss.name, 40), value=loss.name, loss=loss)]
        for name, found in told.items():
            half, text = name + AT_HALF, say(found[loss.name], digits[name])
            second = say(told[half][loss.name], digits[half]) if told.get(half, {}).get(loss.name) is not None else ""
            row.append(Cell(text=text, value=found[loss.name], second=second, best=text == best[name]))
        rows.append(tuple(row))
    of = "the search's best trial" if overview.search_only else "the runs that rank, the mean of each"
    caption = f"Scores of {of}; the best of a column is bold."
    return Grid(name="metrics", caption=caption, columns=tuple(columns), rows=tuple(rows), sortable=True)


def _tuned_of(name: str) -> str:
    return name.removesuffix(AT_HALF) if name.endswith(AT_HALF) else ""


def _column(spec: MetricSpec, *, alone: bool) -> Column:
    lower = spec.goal == "minimise"
    unit = f", {spec.unit}" if spec.unit else ""
    title = f"{spec.title}{unit} {_LOWER if lower else _HIGHER}" if alone else ""
    return Column(key=spec.name, title=title, numeric=True, lower_is_better=lower, hint=spec.formula)


def _digits(values: list[float]) -> int:
    """Return so many decimals that the values of a column can be told apart: three, fewer for large ones, more for tiny ones."""
    largest = max(abs(value) for value in values)
    if largest >= 1:
        return 1 if largest >= 10 else 2
    digits = 3
    while digits < _MOST_DIGITS and 0 < largest < 10 ** (2 - digits):
        digits += 1
    return digits


def _best(spec: MetricSpec, found: dict[str, float | None], digits: int) -> str:
    """Return the best value as it is written: what reads the same is not told apart. Nothing where all read the same."""
    values = [value for value in found.values() if value is not None]
    if len({say(value, digits) for value in values}) < 2:
        return ""
    return say(max(values) if spec.goal == "maximise" else min(values), digits)
