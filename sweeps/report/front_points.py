"""The points of the headline figure: each loss's quality and its place in time."""

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

    @property
    def at(self) -> tuple[float, float]:
        """Where it is drawn; only points with seconds and a mean are."""
        return self.seconds or 0.0, self.score.mean or 0.0

    @property
    def ends(self) -> tuple[float, float] | None:
        """The interval's ends, where there is one."""
        return None if self.score.low is None or self.score.high is None else (self.score.low, self.score.high)


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
        if to_target:
            seconds = finite(dig(loss.row, "seconds.to_target.median"))
            pairs = [(seconds_to(trial, overview), overview.score(trial)) for trial in loss.runs]
        else:
            seconds = finite(dig(loss.row, "seconds.train"))
            pairs = [(train_seconds(trial), overview.score(trial)) for trial in loss.runs]
        seeds = tuple((x, y) for x, y in pairs if x is not None and y is not None)
        found.append(Point(loss=loss, seconds=seconds, score=score, seeds=seeds))
    return found
