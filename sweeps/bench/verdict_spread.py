"""The spread of a recorded sweep's finalists, to simulate others by."""

from pathlib import Path

from sweeps.record import load_results
from sweeps.verdict.components import Components, components_of
from sweeps.verdict.contenders import gather, objective_of


def recorded_components(folder: Path) -> tuple[Components, str]:
    """Return the components of the objective's spread over a sweep's finalists, and the objective's name.

    Raises NoSweep where the folder holds none, NoSpread where its finalists are no full grid of losses, seeds and folds.
    """
    record = load_results(folder)
    metric = objective_of(record)
    return components_of({contender.loss: contender.values(metric) for contender in gather(record, metric).contenders}), metric
