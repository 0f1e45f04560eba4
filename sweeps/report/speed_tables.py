"""The fastest, three ways, in words and tables: what each loss costs, what a step costs, and how soon a quality is reached."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sweeps.report.canvas import NothingToShow
from sweeps.report.commands import folder_name
from sweeps.report.grid import Cell, Column, Grid, figure, words
from sweeps.report.overview import Overview
from sweeps.report.wording import ABSENT, NEVER, clean, count, dig, say, say_range, say_seconds, say_value, several, short, with_scores
from sweeps.verdict.contenders import finite

_MEMORY = "memory "
_STANDS = {"fastest": "first", "tied": "ties with it", "slower": "slower", "misses": "misses"}


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One of the three, as the verdict holds it."""

    key: str
    """Its name in the CSV."""
    title: str
    axis: str
    """What its horizontal axis is."""
    found: Mapping[str, Any]
    place: str = ""
    """The results folder, as a command names it."""

    @property
    def rows(self) -> dict[str, Mapping[str, Any]]:
        """Its rows by loss."""
        return {str(row["loss"]): row for row in self.found.get("rows") or () if isinstance(row, Mapping) and "loss" in row}

    @property
    def reason(self) -> str:
        """Why there is no answer, with the command that would give it; empty where there is one."""
        return with_scores(clean(self.found.get("reason") or "", 300), self.found.get("target")).replace(" DIR`", f" {self.place}`")

    @property
    def note(self) -> str:
        """How it was measured; of memory, which is in the table alone, nothing."""
        parts = clean(self.found.get("note") or "", 600).rstrip(".").split("; ")
        return "; ".join(part for part in parts if not part.startswith(_MEMORY))

    @property
    def of_memory(self) -> str:
        """What is to be said of the memory that stands in the table."""
        parts = clean(self.found.get("note") or "", 600).rstrip(".").split("; ")
        return "; ".join(part for part in parts if part.startswith(_MEMORY))


def answers(overview: Overview) -> list[Answer]:
    """Return the three answers; NothingToShow where the verdict is of before they were told, or none has a row."""
    speed = dig(overview.verdict, "speed", {})
    if not speed:
        raise NothingToShow("this verdict does not tell the fastest three ways; `sweeps report` makes it anew from the results.")
    value = finite(dig(speed, "to_target.target.value"))
    soon, place = dig(speed, "to_target.seconds", {}) | {"target": value}, folder_name(overview.record.folder)
    made = [
        Answer(key="loss_cost", title="The loss alone", axis="ms a call", found=dig(speed, "loss_cost", {}), place=place),
        Answer(key="step_cost", title="A training step", axis="ms a step", found=dig(speed, "step_cost", {}), place=place),
        Answer(key="to_target", title=f"To Dice {say(value)}", axis="train seconds", found=soon, place=place),
    ]
    if not any(answer.rows for answer in made):
        reasons = dict.fromkeys(clause for answer in made for clause in answer.reason.split("; ") if clause)
        raise NothingToShow("; ".join(reasons) or "no loss has been compared yet.")
    return made


def by_steps(overview: Overview) -> Answer:
    """Return the third answer by its other clock, the optimizer's steps."""
    return Answer(key="to_target_steps", title="", axis="steps", found=dig(overview.verdict, "speed.to_target.steps", {}))


def grid_loss(overview: Overview) -> Grid:
    """Return what each loss costs by itself; NothingToShow without it."""
    answer = answers(overview)[0]
    return _grid(
        answer, "speed_loss", f"The loss alone, against {clean(answer.found.get('against', 'the reference'), 30)}", _milliseconds, overview
    )


def grid_step(overview: Overview) -> Grid:
    """Return what a training step costs with each loss; NothingToShow without it."""
    grid = _grid(answers(overview)[1], "speed_step", "A training step, against the quickest", _milliseconds, overview)
    answer = answers(overview)[1]
    known = any(finite(row.get("peak_memory_mib")) is not None for row in answer.rows.values())
    title = "Peak memory, MiB" if known else ""
    memory = Column(key="peak_memory_mib", title=title, numeric=True, lower_is_better=True, hint="median over the runs")
    cells = tuple((*kept, figure(row.get("peak_memory_mib"), digits=0)) for kept, row in zip(grid.rows, answer.rows.values(), strict=True))
    caption = f"{grid.caption.rstrip('.')}; {answer.of_memory}." if known and answer.of_memory else grid.caption
    return replace(grid, caption=caption, columns=(*grid.columns, memory), rows=cells)


def grid_target(overview: Overview) -> Grid:
    """Return how soon each loss reaches the target, in seconds and in steps; NothingToShow where there is none."""
    soon, steps = answers(overview)[2], by_steps(overview).rows
    grid = _grid(soon, "speed_target", f"{soon.title} on the calibration sections, against the soonest", say_seconds, overview)
    reached = dig(overview.verdict, "speed.to_target.reached", {})
    more = (
        Column(key="steps", title="Steps", numeric=True, lower_is_better=True, hint="median over the runs"),
        Column(key="by_steps", title="By steps", lower_is_better=True),
        Column(key="reached", title="Reached", numeric=True, hint="runs that reach the target"),
    )
    cells = []
    for kept, name in zip(grid.rows, soon.rows, strict=True):
        row, hits = steps.get(name, {}), reached.get(name, {})
        value = finite(row.get("value"))
        told = Cell(text=NEVER if value is None else f"{value:.0f}", value=math.inf if value is None else value)
        share = f"{hits.get('reached', ABSENT)} of {hits.get('runs', ABSENT)}"
        cells.append((*kept, told, words(_STANDS.get(str(row.get("state")), ABSENT)), words(share, hits.get("reached"))))
    return replace(grid, columns=(*grid.columns, *more), rows=tuple(cells))


def _milliseconds(value: float) -> str:
    return f"{say_value(value)} ms"


def _grid(answer: Answer, name: str, caption: str, say_time: Callable[[float], str], overview: Overview) -> Grid:
    if not answer.rows:
        raise NothingToShow(answer.reason or "no loss has been compared yet.")
    columns = (
        Column(key="loss", title="Loss", lower_is_better=True),
        Column(key="stands", title="Stands", lower_is_better=True),
        Column(key="value", title="Median", numeric=True, lower_is_better=True),
        Column(key="ratio", title="Times", numeric=True, lower_is_better=True, hint="how many times that of what it is told against"),
        Column(key="interval", title="95% interval", hint="of that ratio"),
        Column(key="n", title="n", numeric=True, hint="rounds, or independent runs"),
        Column(key="p_holm", title="p, Holm", numeric=True, lower_is_better=True, hint="corrected for all pairs: the first was picked"),
    )
    rows = []
    for loss, row in answer.rows.items():
        value = finite(row.get("value"))
        rows.append(
            (
                Cell(text=short(loss, 40), value=loss, loss=overview.loss(loss)),
                words(_STANDS.get(str(row.get("state")), ABSENT)),
                Cell(text=NEVER if value is None else say_time(value), value=math.inf if value is None else value),
                figure(row.get("ratio"), digits=2),
                words(say_range(row.get("low"), row.get("high"), 2)),
                figure(row.get("n"), digits=0),
                figure(row.get("p_holm"), digits=4),
            )
        )
    return Grid(name=name, caption=f"{caption}.", columns=columns, rows=tuple(rows), sortable=True)


MEANING = (
    "The loss alone is forward and backward of the loss without a network, and tells what its arithmetic costs. A training step is the "
    "whole step as the finalists took it, and tells what a fixed number of steps costs. The time to the target also holds how many steps "
    "the loss needs, which the other two say nothing of. It is told in seconds and in steps, and moves with the target."
)


@dataclass(frozen=True, kw_only=True)
class Section:
    """The words around the figure."""

    statements: tuple[tuple[str, str], ...]
    """Each question with its answer."""
    meaning: str
    target: str
    """How the target was chosen."""


def section(overview: Overview) -> Section:
    """Return the words around the figure; NothingToShow where nothing was compared."""
    return Section(statements=tuple(statements(overview)), meaning=MEANING, target=asked(overview))


def statements(overview: Overview) -> list[tuple[str, str]]:
    """Return each question with its answer and what it does not say."""
    cost, step, soon = answers(overview)
    share = _share(cost, step)
    steps = by_steps(overview)
    return [
        ("The loss alone", f"{_says(cost, 'cheapest', lambda v: f'{say_value(v)} ms a call')} {share}".strip()),
        ("A training step", _says(step, "quickest", lambda v: f"{say_value(v)} ms a step")),
        (
            f"To membrane Dice {say(finite(dig(overview.verdict, 'speed.to_target.target.value')))}",
            " ".join(
                part
                for part in (
                    _says(soon, "soonest", lambda v: f"{say_seconds(v)} of training"),
                    "" if steps.reason else f"By steps: {_says(steps, 'first', lambda v: f'{v:.0f} steps')}",
                )
                if part
            ),
        ),
    ]


def _says(answer: Answer, word: str, value: Any) -> str:
    first = answer.found.get("fastest")
    if answer.reason or first is None:
        return f"No answer: {_plain(answer.reason) or 'nothing was compared'}."
    row = answer.rows[str(first)]
    ties = [short(name, 30) for name in answer.found.get("ties") or ()]
    slower = sum(other.get("state") == "slower" for other in answer.rows.values())
    missing = sum(other.get("state") == "misses" for other in answer.rows.values())
    number, stands = value(finite(row.get("value"))), _stands_first(answer)
    if ties and not slower and not missing:
        said = f"No loss is {word}: {short(first, 30)} {stands} ({number}), and {several(ties)} cannot be told apart from it."
    elif ties:
        said = f"{short(first, 30)} {stands} ({number}); {several(ties)} cannot be told apart from it."
    else:
        said = f"{short(first, 30)} is {word} ({number})" + (", and each other loss is slower." if slower else ".")
    return said + (f" {count(missing, 'loss does', 'losses do')} not get there in the median run." if missing else "")


def _stands_first(answer: Answer) -> str:
    """Say what makes the first the first: rounds or runs are compared one by one, and another may have the smaller median."""
    values = {name: finite(row.get("value")) for name, row in answer.rows.items()}
    known = [value for value in values.values() if value is not None]
    if known and values[str(answer.found["fastest"])] == min(known):
        return "has the smallest median"
    return f"comes first {'round by round' if answer.key == 'loss_cost' else 'run by run'}, not by the medians"


def _share(cost: Answer, step: Answer) -> str:
    """Say how little of a step the loss is, where both were measured on like hardware."""
    if cost.found.get("like_trials") is not True or cost.found.get("hardware", {}).get("threads") != dig(step.found, "hardware.threads"):
        return ""
    known = [(finite(row.get("value")), finite(dig(step.rows.get(name), "value"))) for name, row in cost.rows.items()]
    shares = [a / b for a, b in known if a is not None and b]
    if not shares:
        return ""
    low, high = 100 * min(shares), 100 * max(shares)
    share = f"{low:.2g}% to {high:.2g}%" if len(shares) > 1 else f"{high:.2g}%"
    return f"A call is {share} of a training step with the same loss."


def _plain(text: str) -> str:
    return text.rstrip(".")


def asked(overview: Overview) -> str:
    """Return how the target was chosen, in words."""
    rule = with_scores(clean(dig(overview.verdict, "speed.to_target.target.rule", ""), 400))
    return f"The target: {rule}." if rule else ""
