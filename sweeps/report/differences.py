"""Paired differences between losses: each pair with its interval, ties called ties."""

from collections.abc import Mapping
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sweeps.report.canvas import Layout, NothingToShow, axes_at, name_axes, new_figure, score_axis, write
from sweeps.report.csv_table import CsvTable
from sweeps.report.label_places import text_width
from sweeps.report.overview import Overview
from sweeps.report.palette import INK, MUTED, PAPER, RULE
from sweeps.report.wording import clean, count, dig, say, say_metric, say_range, say_signed, short
from sweeps.verdict.contenders import finite

NAME = "differences"
TITLE = "Paired differences"
MOST_PAIRS = 45


@dataclass(frozen=True, kw_only=True)
class Pair:
    """One row of the verdict's pairs, turned so that the first loss is the better one."""

    a: str
    b: str
    difference: float
    low: float | None
    high: float | None
    p: float | None
    p_holm: float | None
    significant: bool
    a_better: float | None
    """Probability that the first is truly better, this pair alone."""
    identical: bool
    """The two names ran the very same trainings, bit for bit."""

    @property
    def words(self) -> str:
        """What the pair comes to."""
        if self.significant:
            return f"{short(self.a, 18)} is ahead"
        return "the same runs" if self.identical else "tie" if self.p is not None else "tie: too few runs"


def pairs_of(overview: Overview) -> list[Pair]:
    """Return the pairs that have a difference, the better loss first, largest difference first."""
    pairs = []
    for entry in dig(overview.verdict, "pairs", ()):
        difference = finite(entry.get("difference")) if isinstance(entry, Mapping) else None
        if difference is None:
            continue
        a, b, low, high = str(entry.get("a")), str(entry.get("b")), finite(entry.get("low")), finite(entry.get("high"))
        better = finite(entry.get("a_better"))
        if (difference < 0) == overview.maximise and difference:
            a, b, difference = b, a, -difference
            low, high = (None if high is None else -high), (None if low is None else -low)
            better = None if better is None else 1 - better
        pairs.append(
            Pair(
                a=a,
                b=b,
                difference=difference,
                low=low,
                high=high,
                p=finite(entry.get("p")),
                p_holm=finite(entry.get("p_holm")),
                a_better=better,
                identical=entry.get("identical") is True,
                significant=entry.get("significant") is True,
            )
        )
    return sorted(pairs, key=lambda pair: (not pair.significant, -abs(pair.difference)))


def drawn(overview: Overview) -> list[Pair]:
    """Return the pairs that the figure shows: all, or of many those with the best loss, at most MOST_PAIRS of the smallest differences."""
    pairs = pairs_of(overview)
    if len(pairs) <= MOST_PAIRS:
        return pairs
    first = overview.losses[0].name
    with_best = [pair for pair in pairs if first in (pair.a, pair.b)]
    nearest = sorted(with_best, key=lambda pair: abs(pair.difference))[:MOST_PAIRS]
    return [pair for pair in with_best if pair in nearest]


def draw(overview: Overview, layout: Layout) -> Figure:
    """Draw the figure."""
    pairs = drawn(overview)
    if not pairs:
        raise NothingToShow("there is no pair of losses with finalists to compare.")
    row, top = 26.0 if not layout.narrow else 40.0, 14.0
    body = row * len(pairs)
    names = [f"{short(pair.a, 18)} {chr(8722)} {short(pair.b, 18)}" for pair in pairs]
    left = 24.0 + max(text_width(name, 12.4) for name in names) if not layout.narrow else 8.0
    right = 150.0 if not layout.narrow else 16.0
    figure = new_figure(layout, top + body + 56)
    axes = axes_at(figure, left=left, top=top, width=layout.width_px - left - right, height=body)
    axes.set_ylim(len(pairs) - 0.5, -0.5)
    axes.set_yticks([])
    ends = [end for pair in pairs for end in (pair.low, pair.high, pair.difference, 0.0) if end is not None]
    margin = 0.06 * (max(ends) - min(ends)) or 0.01
    axes.set_xlim(min(ends) - margin, max(ends) + margin)
    name_axes(axes, x=f"difference in {say_metric(overview.metric)}, 95% interval", grid="x")
    score_axis(axes.xaxis)
    for slot in range(len(pairs)):  # beside the bar only, where the name stands above it
        axes.plot([0, 0], [slot - (0.05 if layout.narrow else 0.5), slot + 0.5], color=INK.stand_in, linewidth=1.2, solid_capstyle="butt")
    floor = finite(dig(overview.verdict, "noise_floor.value"))
    if floor is not None:
        axes.axvspan(-floor, floor, color=RULE.stand_in, linewidth=0)
    for slot, (pair, name) in enumerate(zip(pairs, names, strict=True)):
        _row(axes, slot, pair, name, layout)
    return figure


def _row(axes: Axes, slot: int, pair: Pair, name: str, layout: Layout) -> None:
    colour = INK.stand_in if pair.significant else MUTED.stand_in
    if pair.low is not None and pair.high is not None:
        axes.plot([pair.low, pair.high], [slot, slot], color=colour, linewidth=2, solid_capstyle="butt")
    fill = colour if pair.significant else PAPER.stand_in
    axes.plot([pair.difference], [slot], marker="o", markersize=8, markerfacecolor=fill, markeredgecolor=colour, markeredgewidth=1.8)
    if layout.narrow:
        write(axes, f"{name}: {pair.words}", (0, slot - 0.5), (2, -2), where="row", level="top", colour=colour)
    else:
        write(axes, name, (0, slot), (-12, 0), where="row", align="right", colour=colour)
        write(axes, pair.words, (1, slot), (12, 0), where="row", colour=colour, bold=pair.significant)


def caption(overview: Overview) -> str:
    """Return the sentences under the figure."""
    pairs = pairs_of(overview)
    ahead = sum(pair.significant for pair in pairs)
    note = clean(dig(overview.verdict, "noise_floor.note", "one loss against itself"), 200)
    floor = f" The grey band is the noise floor: {note}." if finite(dig(overview.verdict, "noise_floor.value")) else ""
    return (
        f"{count(len(pairs), 'pair')}, compared run by run on the same seeds and folds: {ahead} with a winner (filled), "
        f"{len(pairs) - ahead} tied (hollow). "
        "Intervals stand alone; a pair ties when its difference could be chance after Holm's correction for all pairs."
        f"{_drawn_note(overview, len(pairs))}{_findable(overview)}{floor}"
    )


def _drawn_note(overview: Overview, total: int) -> str:
    shown = len(drawn(overview))
    if shown == total:
        return ""
    best = overview.losses[0].label
    return f" Drawn are {best} and the {shown} losses nearest to it; the other {total - shown:,} pairs are in the table and the data."


def _findable(overview: Overview) -> str:
    """What the sweep could have found: a tie means little without it."""
    found = dig(overview.verdict, "smallest_difference", {})
    difference, n = finite(found.get("difference")), finite(found.get("n"))
    if difference is None or n is None:
        return ""
    units = count(int(n), clean(found.get("unit", "run"), 20))
    if difference >= 1:
        return f" With {units}, no difference, however large, would be found four times in five."
    return f" With {units}, a difference of {say(difference)} would be found four times in five; a smaller one would often go unseen."


def alternative(overview: Overview) -> str:
    """Return what the figure says, in words."""
    words = [
        f"{short(p.a, 18)} minus {short(p.b, 18)} {say_signed(p.difference)} ({say_range(p.low, p.high, 4)}), {p.words}"
        for p in pairs_of(overview)
    ]
    return "Forest plot of paired differences. " + "; ".join(words) + "."


def table(overview: Overview) -> CsvTable:
    """Return one row a pair."""
    rows = [(p.a, p.b, p.difference, p.low, p.high, p.p, p.p_holm, p.a_better, p.significant) for p in pairs_of(overview)]
    return CsvTable(columns=("a", "b", "difference", "low", "high", "p", "p_holm", "a_better", "significant"), rows=tuple(rows))
