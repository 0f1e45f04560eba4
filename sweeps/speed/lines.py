"""What the losses of a sweep cost, measured again and at leisure, as lines for people or one JSON object."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from data_utils.errors import DataError
from sweeps.record import load_results
from sweeps.speed.loss_cost import loss_cost
from sweeps.speed.loss_times import FILE, measure_again
from sweeps.speed.standing import FASTEST, TIED
from sweeps.verdict.contenders import gather, objective_of


def speed_lines(folder: Path, *, seconds: float, device: str, as_json: bool) -> Iterator[str]:
    """Measure the ranked losses of a results folder on this machine, write its speed.json, and yield what was found.

    Raises NoSweep where the folder holds no sweep, DataError where none of its losses has a score or measuring fails.
    """
    record = load_results(folder)
    try:
        stored = measure_again(record, budget_s=seconds, device=device)
    except ValueError as error:
        raise DataError(str(error)) from error
    if stored["reason"]:
        raise DataError(f"{folder}: {stored['reason']}; {FILE} is as it was")
    found = loss_cost(stored, gather(record, objective_of(record)).contenders)
    if as_json:
        yield json.dumps({"bench": "loss", "results": str(folder)} | found)
        return
    yield f"{folder}: {found['note']}"
    yield f"  {'loss':<26}{'ms':>10}{'/ ' + str(found['against']):>10}{'95% interval':>18}{'rounds':>8}  stands"
    for row in found["rows"]:
        yield _line(row)
    noise = found["noise"]
    yield f"the A/A row lies in {noise['low']:.3f} to {noise['high']:.3f}: differences inside it are none"
    yield f"written to {folder / FILE}; sweeps report {folder} puts it into the report"


def _line(row: dict[str, Any]) -> str:
    stands = {FASTEST: "cheapest", TIED: "ties with the cheapest"}.get(row["state"], "costs more")
    interval = f"{row['low']:.3f} - {row['high']:.3f}"
    return f"  {row['loss']:<26}{row['value']:>10.3f}{row['ratio']:>10.3f}{interval:>18}{row['n']:>8}  {stands}"
