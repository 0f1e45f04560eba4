"""Whether each loss beats the best prediction that needs no network, and of those that do not, what is known of why."""

from collections.abc import Mapping
from typing import Any

from sweeps.report.canvas import NothingToShow
from sweeps.report.grid import Cell, Column, Grid, figure, words
from sweeps.report.overview import Overview
from sweeps.report.wording import ABSENT, clean, count, dig, say, say_metric, short
from sweeps.verdict.contenders import best_of, finite


def below(overview: Overview) -> list[Mapping[str, Any]]:
    """Return the verdict's entries of losses that do not beat the best sanity row."""
    return [entry for entry in dig(overview.verdict, "below_sanity", ()) if isinstance(entry, Mapping) and "loss" in entry]


def statement(overview: Overview) -> str:
    """Return one sentence: each loss beats the sanity rows, or how many do not; nothing where there is nothing to compare."""
    rows = [(value, clean(row.get("name", ""), 60)) for row in overview.sanity if (value := finite(row.get(overview.metric))) is not None]
    ranked = sum(loss.rank is not None for loss in overview.losses)
    if not rows or not ranked or "below_sanity" not in overview.verdict:
        return ""
    best = best_of((value for value, _ in rows), overview.maximise)
    name = next(name for value, name in rows if value == best)
    row = f"the best prediction that needs no network ({name}, {say_metric(overview.metric)} {say(best)})"
    found = below(overview)
    if not found:
        return f"Each of the {count(ranked, 'ranked loss', 'ranked losses')} beats {row}."
    if len(found) == ranked and dig(overview.verdict, "not_beaten"):
        return ""  # the verdict begins with it, and the table below names the rest
    some = f"{len(found)} of {count(ranked, 'ranked loss', 'ranked losses')}"
    return f"{some} {'does' if len(found) == 1 else 'do'} not beat {row}; what is known of why stands below."


def grid(overview: Overview) -> Grid:
    """Return one row a loss that does not beat the best sanity row; NothingToShow when each does."""
    found = below(overview)
    if not found:
        raise NothingToShow("each ranked loss beats the best prediction that needs no network.")
    rows = tuple(
        (
            Cell(text=short(entry["loss"], 40), value=str(entry["loss"]), loss=overview.loss(entry["loss"])),
            figure(entry.get("score")),
            Cell(text=f"{clean(entry.get('sanity', ''), 60)} {say(entry.get('sanity_score'))}", value=finite(entry.get("sanity_score"))),
            words(clean(entry.get("why") or ABSENT, 600)),
        )
        for entry in found
    )
    columns = (
        Column(key="loss", title="Loss", lower_is_better=True),
        Column(key=overview.metric, title=say_metric(overview.metric), numeric=True),
        Column(key="sanity_score", title="No network"),
        Column(key="why", title="What is known of why"),
    )
    return Grid(name="below", caption="Losses that do not beat the best prediction without a network.", columns=columns, rows=rows)
