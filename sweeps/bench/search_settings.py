"""Which searches are set side by side."""

from collections.abc import Sequence
from dataclasses import replace

from sweeps.bench.search import Setting

BASELINE = Setting(name="random", sampler="random", defaults=False)
#: the literature's defaults first: what the baseline lacks, and no merit of a sampler
DEFAULTS_FIRST = replace(BASELINE, name="random, defaults first", defaults=True)
_SLOW = 0.1
_OTHER_SEED = 5_000


def shipped() -> Setting:
    """Return what a recipe gets that says nothing of its search."""
    from sweeps.recipe.sections import SearchSection

    section = SearchSection()
    stop = section.early_stop
    return Setting(
        name="shipped default",
        sampler=section.sampler,
        stop=stop and (stop.grace_epochs, stop.factor),
        defaults=section.start_with_defaults,
        allocation=section.allocation,
    )


def to_scale(epochs: int) -> Setting:
    """Return the shipped default with its grace as large a part of these epochs as it is of the shipped number of epochs."""
    from sweeps.recipe.sections import TrainSection

    ours = shipped()
    if ours.stop is None:
        return replace(ours, name="shipped, to scale")
    grace = max(1, round(ours.stop[0] * epochs / TrainSection().epochs))
    return replace(ours, name=f"shipped, to scale {grace}/{ours.stop[1]}", stop=(grace, ours.stop[1]))


def few(epochs: int) -> tuple[Setting, ...]:
    """Return the baseline, its A/A row, and what ships: for tables that vary something else."""
    return (BASELINE, replace(BASELINE, name="A/A", seed=100_000), DEFAULTS_FIRST, shipped(), to_scale(epochs))


def all_settings(epochs: int) -> tuple[Setting, ...]:
    """Return everything that is compared; what is slow to ask has fewer replays."""
    ours, scaled = shipped(), to_scale(epochs)
    rivals = ("tpe", "tpe-univariate", "tpe-startup-2", "tpe-startup-10", "qmc", "cmaes", "nsga2")
    plain: Sequence[Setting] = [replace(BASELINE, name=name, sampler=name) for name in rivals]
    stops = [stop for stop in ((max(1, epochs // 27), 3), (5, 2), (5, 3), (10, 4)) if stop not in (ours.stop, scaled.stop)]
    return (
        *few(epochs),
        *plain,
        replace(BASELINE, name="gp", sampler="gp", share=_SLOW),
        replace(ours, name="shipped, no defaults", defaults=False),
        replace(scaled, name=f"{scaled.name}, no defaults", defaults=False),
        replace(ours, name="shipped, nothing stopped", stop=None),
        *(replace(ours, name=f"shipped, ASHA {grace}/{factor}", stop=(grace, factor)) for grace, factor in stops),
        replace(ours, name="shipped, random", sampler="random"),
        replace(ours, name="shipped, qmc", sampler="qmc"),
        replace(ours, name="shipped, univariate", sampler="tpe-univariate"),
        replace(ours, name="shipped, shared", allocation="shared"),
        replace(ours, name="shipped, 1.5 x trials", more=1.5),
        replace(scaled, name=f"{scaled.name}, 2.5 x trials", more=2.5),
    )


def other_seeds() -> tuple[Setting, ...]:
    """Return the shipped default and the samplers that came near it, with seeds that nothing was chosen by."""
    ours = shipped()
    rivals = [replace(ours, name=f"shipped, {name}", sampler=name) for name in ("random", "qmc", "tpe-univariate")]
    return tuple(replace(setting, seed=_OTHER_SEED) for setting in (BASELINE, ours, *rivals))
