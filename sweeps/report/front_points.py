"""The points of the headline figure: each loss's quality and its place in time, run by run."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from sweeps.report.overview import Estimate, LossView, Overview, seconds_to, train_seconds
from sweeps.report.wording import dig
from sweeps.verdict.contenders import finite


@dataclass(frozen=True, kw_only=True)
class Point:
    """One loss in the figure."""

    loss: LossView
    seconds: float | None
    """Median train seconds to the target (or of the training, when there is no target); None: never reached."""
    score: Estimate
    seeds: tuple[tuple[float, float], ...]
    """(seconds, score) of each finalist that has both."""
    missed: tuple[float, ...] = ()
    """Scores of the finalists that never reached the target."""

    @property
    def at(self) -> tuple[float, float]:
        """Where it is drawn; only points with seconds and a mean are."""
        return self.seconds or 0.0, self.score.mean or 0.0

    @property
    def ends(self) -> tuple[float, float] | None:
        """The interval's ends, where there is one."""
        return None if self.score.low is None or self.score.high is None else (self.score.low, self.score.high)

    @property
    def span(self) -> tuple[float, float] | None:
        """The seconds that hold the middle half of its runs, misses as infinity; None of fewer than two runs."""
        return middle_half([seconds for seconds, _ in self.seeds] + [math.inf] * len(self.missed))


def middle_half(values: Sequence[float]) -> tuple[float, float] | None:
    """Return the order statistics around the middle half; None of fewer than two."""
    ordered, last = sorted(values), len(values) - 1
    return (ordered[math.floor(0.25 * last)], ordered[math.ceil(0.75 * last)]) if last > 0 else None


def timed(overview: Overview) -> bool:
    """Return whether time-to-target can be the horizontal axis: there is a target, and some loss reached it."""
    return overview.verdict.get("front_clock") != "train" and any(
        finite(dig(loss.row, "seconds.to_target.median")) is not None for loss in overview.losses
    )


def points_of(overview: Overview) -> list[Point]:
    """Return the losses that have a score, with their place in time."""
    to_target = timed(overview)
    found = []
    for loss in overview.losses:
        score = loss.estimate(overview.metric)
        if score.mean is None:
            continue
        seconds = finite(dig(loss.row, "seconds.to_target.median" if to_target else "seconds.train"))
        clock = (lambda trial: seconds_to(trial, overview)) if to_target else train_seconds
        pairs = [(clock(trial), overview.score(trial)) for trial in loss.runs]
        seeds = tuple((x, y) for x, y in pairs if x is not None and y is not None)
        missed = tuple(y for x, y in pairs if x is None and y is not None) if to_target else ()
        found.append(Point(loss=loss, seconds=seconds, score=score, seeds=seeds, missed=missed))
    return found
