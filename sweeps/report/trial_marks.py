"""How a single trial is drawn, by how it ended: filled when complete, hollow when pruned, a cross when failed, small while it runs."""

from collections.abc import Iterable

from matplotlib.axes import Axes

from sweeps.report.canvas import points
from sweeps.report.palette import Identity
from sweeps.report.wording import listed

_SAID = {"pruned": "hollow markers were pruned early", "failed": "crosses failed", "running": "small ones have not ended"}


def mark_trial(axes: Axes, at: tuple[float, float], look: Identity, state: str, *, size: float = 8.0, alpha: float = 1.0) -> None:
    """Draw one trial's marker."""
    if state == "failed":
        cross(axes, at, look.mark, size=size, alpha=alpha)
    elif state in ("complete", "pruned"):
        points(axes, [at[0]], [at[1]], look, filled=state == "complete", size=size, alpha=alpha)
    else:
        points(axes, [at[0]], [at[1]], look, size=0.55 * size, alpha=0.7 * alpha)


def cross(axes: Axes, at: tuple[float, float], colour: str, *, size: float = 8.0, alpha: float = 1.0) -> None:
    """Draw the mark of a failure."""
    axes.plot(
        [at[0]],
        [at[1]],
        linestyle="none",
        marker="x",
        markersize=0.85 * size,
        markeredgewidth=1.7,
        color=colour,
        alpha=alpha,
        clip_on=False,
        zorder=4,
    )


def say_marks(states: Iterable[str]) -> str:
    """Return what the markers of these states mean, as a clause; nothing where each is of a complete trial."""
    met = set(states) - {"complete"}
    return listed([words for state, words in _SAID.items() if state in met or (state == "running" and "waiting" in met)])
