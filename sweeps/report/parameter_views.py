"""What the figures on parameters look at: each loss's searched parameters, its trials, and what the verdict says of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from sweeps.parameter_words import parameter_name
from sweeps.report.canvas import NothingToShow
from sweeps.report.overview import LossView, Overview
from sweeps.report.wording import clean, dig, say_value, short
from sweeps.space import Choice, Domain, Float

if TYPE_CHECKING:
    from sweeps.record import TrialRecord

MOST_LOSSES = 12
"""Of more, the first are drawn; all are in the data."""
MOST_TRIALS = 120
"""Of a loss, of those that tie with the best, and of the others; all are in the data."""
STEPS = (1, 2, 2.5, 5, 10)
"""Of an axis's marks."""
MOST_PARAMETERS = 4
"""Of a loss, the most important."""


@dataclass(frozen=True, kw_only=True)
class Tried:
    """One trial of the search that has a score."""

    trial: TrialRecord
    score: float
    """Its last, or the best it had come to when it was stopped."""
    tied: bool
    """Whether it ties with the best of its loss."""

    @property
    def stopped(self) -> bool:
        """Whether it was stopped early."""
        return self.trial.state == "pruned"


@dataclass(frozen=True, kw_only=True)
class ParameterView:
    """One loss of which something was searched."""

    loss: LossView
    told: Mapping[str, Any]
    """Its entry in the verdict."""
    space: Mapping[str, Domain]
    """What was searched, the most important first."""
    tried: tuple[Tried, ...]
    """In the order of the search."""
    best: str | None
    """The best trial."""
    threshold: float | None
    """The score from which on a trial ties."""

    def shown(self, most: int = MOST_PARAMETERS) -> list[str]:
        """Return the parameters that are drawn: the most important, the loss's own before the others."""
        names = list(self.space)[:most]
        return sorted(names, key=lambda name: (not name.startswith("loss."), names.index(name)))

    @property
    def drawn(self) -> list[Tried]:
        """The trials that are drawn: of more than MOST_TRIALS that tie, or that do not, as many, evenly over the search; and the best."""
        kept: list[Tried] = []
        for tied in (False, True):
            group = [item for item in self.tried if item.tied == tied]
            step = max(1.0, len(group) / MOST_TRIALS)
            numbers = {int(number * step) for number in range(min(len(group), MOST_TRIALS))}
            kept += [item for number, item in enumerate(group) if number in numbers or item.trial.trial_id == self.best]
        return kept

    @property
    def defaults(self) -> Mapping[str, Any]:
        """The literature's values."""
        return dig(self.told, "defaults", {})


def views(overview: Overview, *, all_losses: bool = False) -> list[ParameterView]:
    """Return the losses of which something was searched and that have scores. NothingToShow with the reason when there are none."""
    told = dig(overview.verdict, "parameters.losses", {})
    made = [_view(overview, loss, told[loss.name]) for loss in overview.losses if dig(told.get(loss.name), "space")]
    found = [view for view in made if view.tried]
    if not found:
        why = dig(overview.verdict, "parameters.why") or "no trial of the search has a score and a searched parameter."
        raise NothingToShow(clean(why, 300))
    return found if all_losses else found[:MOST_LOSSES]


def _view(overview: Overview, loss: LossView, told: Mapping[str, Any]) -> ParameterView:
    order = [item["name"] for item in dig(told, "importance", ())]
    space = {name: _domain(told["space"][name]) for name in dict.fromkeys([*order, *told["space"]])}
    tied = set(dig(told, "flat.tied", ()))
    tried = tuple(
        Tried(trial=trial, score=score, tied=trial.trial_id in tied)
        for trial in loss.search
        if trial.state in ("complete", "pruned") and (score := overview.score(trial)) is not None and set(space) <= set(trial.suggestion)
    )
    return ParameterView(
        loss=loss, told=told, space=space, tried=tried, best=dig(told, "flat.best.trial"), threshold=dig(told, "flat.threshold")
    )


def _domain(told: Mapping[str, Any]) -> Domain:
    """A range for drawing: whole numbers and steps play no part in it."""
    if "choices" in told:
        return Choice(choices=tuple(told["choices"]))
    return Float(low=told["low"], high=told["high"], log=bool(told.get("log")))


def left_over(overview: Overview, *, trials: bool = True) -> str:
    """Return the sentence that says what is only in the data: losses and, where `trials` are drawn, trials; nothing where all is drawn."""
    shown = views(overview)
    rest = len(views(overview, all_losses=True)) - len(shown)
    told = f" Drawn are the {MOST_LOSSES} best losses; the other {rest} are in the data." if rest else ""
    if trials and any(len(view.drawn) < len(view.tried) for view in shown):
        told += f" Of more than {MOST_TRIALS} trials of a kind, as many are drawn."
    return told


def label_of(name: str, limit: int = 22) -> str:
    """Return a parameter's name, short enough to draw."""
    return short(parameter_name(name), limit)


def place_of(domain: Domain, value: Any) -> float:
    """Return where a value is drawn: a choice by its number."""
    return float(domain.choices.index(value)) if isinstance(domain, Choice) else float(value)


def parameter_axis(axes: Axes, which: str, domain: Domain, ticks: int = 4) -> None:
    """Give an axis the range and the marks of a parameter."""
    axis = getattr(axes, f"{which}axis")
    limits = getattr(axes, f"set_{which}lim")
    if isinstance(domain, Choice):
        limits(-0.5, len(domain.choices) - 0.5)
        axis.set_ticks(range(len(domain.choices)), [short(value, 10) for value in domain.choices])
        return
    if domain.log:
        getattr(axes, f"set_{which}scale")("log")
        axis.set_major_locator(LogLocator(numticks=ticks))
        axis.set_minor_locator(NullLocator())
        margin = (domain.high / domain.low) ** 0.03
        limits(domain.low / margin, domain.high * margin)
    else:
        axis.set_major_locator(MaxNLocator(ticks, steps=STEPS))
        margin = 0.03 * (domain.high - domain.low)
        limits(domain.low - margin, domain.high + margin)
    axis.set_major_formatter(FuncFormatter(lambda x, _: say_value(float(f"{x:.10g}"))))


def score_range(shown: list[ParameterView], maximise: bool) -> tuple[float, float]:
    """Return the part of the scores in which losses differ: as far below the middle as three times what lies above it."""
    whole = [item.score for view in shown for item in view.tried if not item.stopped]
    scores = sorted(whole or [item.score for view in shown for item in view.tried], reverse=maximise)
    best, middle = scores[0], scores[len(scores) // 2]
    sign = 1.0 if maximise else -1.0
    reach = max(2.5 * abs(best - middle), 0.02)
    far = max(sign * best - reach, min(sign * score for score in scores))
    low, high = sorted((sign * far, best))
    margin = 0.07 * (high - low) or 0.01
    return low - margin, high + margin
