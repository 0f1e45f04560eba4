"""When each trial ran, and where: one row a worker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sweeps.report.canvas import Layout, NothingToShow, axes_at, name_axes, new_figure, write
from sweeps.report.csv_table import CsvTable
from sweeps.report.overview import Overview
from sweeps.report.palette import INK, PANEL, PAPER
from sweeps.report.wording import count, say_seconds, short
from sweeps.verdict.contenders import finite

if TYPE_CHECKING:
    from sweeps.record import TrialRecord

NAME = "timeline"
TITLE = "Timeline"


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One trial on its worker; seconds count from the sweep's first start."""

    trial: TrialRecord
    worker: str
    start: float
    end: float


def bars_of(overview: Overview) -> list[Bar]:
    """Return the trials that have a start, an open one ending with the last event that is known."""
    started = [(trial, finite(trial.started_at), finite(trial.ended_at)) for trial in overview.record.trials]
    known = [time for _, start, end in started if start is not None for time in (start, end) if time is not None]
    if not known:
        return []
    origin, last = min(known), max(known)
    return [
        Bar(
            trial=trial,
            worker=short(trial.worker or "unknown worker", 30),
            start=start - origin,
            end=max((end or last) - origin, start - origin),
        )
        for trial, start, end in started
        if start is not None
    ]


def busy(bars: list[Bar]) -> dict[str, float]:
    """Return, for each worker in order of first use, the share of its presence, first start to last end, in which it had a trial."""
    shares = {}
    for worker in dict.fromkeys(bar.worker for bar in sorted(bars, key=lambda bar: bar.start)):
        own = [bar for bar in bars if bar.worker == worker]
        presence = max(bar.end for bar in own) - min(bar.start for bar in own)
        shares[worker] = _covered(own) / presence if presence else 1.0
    return shares


def _covered(bars: list[Bar]) -> float:
    """Seconds in which at least one of the trials ran."""
    covered, reached = 0.0, 0.0
    for start, end in sorted((bar.start, bar.end) for bar in bars):
        covered += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return covered


def concurrency(bars: list[Bar]) -> tuple[float, int]:
    """Return how many trials ran at once: on average over the sweep's span, and at most."""
    span = max((bar.end for bar in bars), default=0.0)
    changes = sorted([(bar.start, 1) for bar in bars] + [(bar.end, -1) for bar in bars])  # an end sorts before a start at the same time
    most, now = 0, 0
    for _, change in changes:
        now += change
        most = max(most, now)
    return sum(bar.end - bar.start for bar in bars) / span if span else 0.0, most


def draw(overview: Overview, layout: Layout) -> Figure:
    """Draw the figure."""
    bars = bars_of(overview)
    if not bars:
        raise NothingToShow("no trial has a start time.")
    shares = busy(bars)
    row = 34.0 if len(shares) <= 16 else 14.0
    top, body = 14.0, row * len(shares)
    named = len(shares) <= 16
    left = 8.0 if layout.narrow or not named else 16.0 + 7.2 * max(len(worker) for worker in shares)
    right = 58.0
    figure = new_figure(layout, top + body + 56)
    axes = axes_at(figure, left=left, top=top, width=layout.width_px - left - right, height=body)
    span = max(bar.end for bar in bars) or 1.0
    axes.set_xlim(0, span)
    axes.set_ylim(len(shares) - 0.5, -0.5)
    axes.set_yticks([])
    axes.xaxis.set_major_formatter(lambda value, _: _clock(value))
    axes.set_xticks(_ticks(span, 3 if layout.narrow else 8))
    name_axes(axes, x="since the first trial's start", grid="x")
    slots = {worker: slot for slot, worker in enumerate(shares)}
    for bar in bars:
        _bar(axes, bar, slots[bar.worker], overview, pixels=(layout.width_px - left - right) / span)
    for worker, slot in slots.items() if named else ():
        if not layout.narrow:
            write(axes, worker, (0, slot), (-10, 0), where="row", align="right")
        write(axes, f"{100 * shares[worker]:.0f}%", (1, slot), (10, 0), where="row", colour=INK.stand_in, bold=True)
    return figure


def _clock(seconds: float) -> str:
    """A tick's label: the unit's zeros left out."""
    if seconds < 60 or seconds % 60:
        return f"{seconds:g} s" if seconds else "0"
    return f"{seconds / 60:g} min" if seconds < 7200 or seconds % 3600 else f"{seconds / 3600:g} h"


def _ticks(span: float, most: int) -> list[float]:
    """Return round times from 0 to `span`, no more than `most` steps."""
    steps = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 43200)
    step = next((step for step in steps if span / step <= most), 86400 * -(-span // (86400 * most)))
    return [number * step for number in range(int(span // step) + 1)]


def _bar(axes: Axes, bar: Bar, slot: int, overview: Overview, *, pixels: float) -> None:
    loss = overview.loss(bar.trial.loss)
    if loss is None:
        return
    colour, failed = loss.look.mark, bar.trial.state == "failed"
    finalist = bar.trial.stage == "finalist"
    axes.barh(
        slot,
        max(bar.end - bar.start, 1 / pixels),
        left=bar.start,
        height=0.68 if not finalist else 0.44,
        facecolor=PANEL.stand_in if failed else colour,
        edgecolor=colour if failed else PAPER.stand_in,
        hatch="////" if failed else None,
        linewidth=1.4 if failed else 1.0,
    )


def caption(overview: Overview) -> str:
    """Return the sentences under the figure."""
    bars = bars_of(overview)
    if not bars:
        return ""
    mean, most = concurrency(bars)
    return (
        f"{count(len(bars), 'trial')} on {count(len(busy(bars)), 'worker')} in {say_seconds(max(bar.end for bar in bars))}; on average "
        f"{mean:.1f} of at most {most} ran at once. At the right, how much of its own time each worker had a trial. Tall bars are the "
        "search, thin ones the finalists, hatched ones failed."
    )


def alternative(overview: Overview) -> str:
    """Return what the figure says, in words."""
    shares = busy(bars_of(overview))
    return (
        "Gantt chart, one row a worker. "
        + "; ".join(f"{worker} busy {100 * share:.0f}% of its time" for worker, share in shares.items())
        + "."
    )


def table(overview: Overview) -> CsvTable:
    """Return one row a started trial."""
    rows = [(b.trial.trial_id, b.trial.loss, b.trial.stage, b.trial.state, b.trial.worker, b.start, b.end) for b in bars_of(overview)]
    return CsvTable(columns=("trial", "loss", "stage", "state", "worker", "start_seconds", "end_seconds"), rows=tuple(rows))
