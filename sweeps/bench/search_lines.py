"""The search benchmark as text: several tables, each over the same recorded curves."""

import dataclasses
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from typing import Any

import torch

from data_utils.errors import DataError
from sweeps.bench.pairs import circumstances
from sweeps.bench.search import SearchBench, SearchRow, noise_floor, replay, rows, targets_of
from sweeps.bench.search_curves import RecordedCurves
from sweeps.bench.search_replay import Replayed
from sweeps.bench.search_settings import all_settings, few, other_seeds, shipped

GOAL = 0.6
_WIDTH = 38
_NAN_NOISE = (
    "the record has no two finalists of one configuration, so the noise between seeds is unknown: give it by --noise SD, "
    "the standard deviation of membrane Dice between seeds (0.007 on ISBI 2012 at width 8)"
)


def search_lines(record: RecordedCurves, config: SearchBench, *, noise_sd: float | None, as_json: bool) -> Iterator[str]:
    """Yield the lines of the whole benchmark, each as soon as it is known. DataError where the noise is unknown."""
    from sweeps.search.samplers import missing_package

    own, freedom = record.noise()
    noise = own if noise_sd is None else noise_sd
    if math.isnan(noise):
        raise DataError(_NAN_NOISE)
    facts = {
        "losses": record.losses, "curves": len(record.curves), "epochs": record.recipe.train.epochs, "noise_sd": noise, "noise_df": freedom,
        "floor": noise_floor(noise), **dataclasses.asdict(config), "optuna": version("optuna"), "ray": version("ray"),
        **{key: circumstances(torch.device("cpu"))[key] for key in ("device", "cores", "python")}, "origin": record.origin,
    }  # fmt: skip
    if not as_json:
        yield from _header(facts)
        left_out = {setting.sampler: missing_package(setting.sampler) for setting in all_settings(record.recipe.train.epochs)}
        yield from (f"left out: {problem}" for problem in left_out.values() if problem)
    for title, found in _tables(record, config, noise):
        if as_json:
            yield from (json.dumps({"bench": "search", "table": title, **facts, **_finite(row)}) for row in found)
        else:
            yield from ("", title, *_table(found))


def _tables(record: RecordedCurves, config: SearchBench, noise: float) -> Iterator[tuple[str, list[SearchRow]]]:
    """Every table: the first five are views of the same replays, the others vary how they are replayed."""
    from sweeps.search.samplers import missing_package

    epochs, floor = record.recipe.train.epochs, noise_floor(noise)
    budget = config.trials * epochs
    replayed = {
        setting.name: replay(config, record, setting) for setting in all_settings(epochs) if missing_package(setting.sampler) is None
    }
    short: dict[str, list[Replayed]] = {setting.name: replayed[setting.name] for setting in few(epochs)}
    yield "all losses", rows(replayed, targets_of(record, floor), budget)
    for what, losses in (("to choose by", record.losses[::2]), ("to confirm with", record.losses[1::2])):
        if losses:
            yield f"{what}: {', '.join(losses)}", rows(replayed, targets_of(record, floor, losses), budget)
    for floors, shown in ((0.5, replayed), (2.0, short)):
        yield f"the target is {floors:g} noise floors below the best", rows(shown, targets_of(record, floors * floor), budget)
    changes = [replace(config, concurrent=count) for count in (1, 2, 8) if count != config.concurrent]
    for changed in changes:
        found = {setting.name: replay(changed, record, setting) for setting in few(epochs)}
        yield f"trials at one time: {changed.concurrent}", rows(found, targets_of(record, floor), budget)
    for trials, share in ((config.trials, 1.0), (5 * config.trials // 2, 0.4)):
        larger = replace(config, trials=trials)
        found = {setting.name: replay(larger, record, replace(setting, share=share)) for setting in other_seeds()}
        title = f"other seeds, {trials} trials a loss, the target 0.5 noise floors below the best"
        yield title, rows(found, targets_of(record, 0.5 * floor), trials * epochs)
    found = {setting.name: replay(replace(config, neighbours=3), record, setting) for setting in few(epochs)}
    yield "a suggestion plays the mean of the 3 nearest curves, weighted by 1 / distance", rows(found, targets_of(record, floor), budget)


def _header(facts: Mapping[str, Any]) -> list[str]:
    return [
        f"search: {facts['replays']} replays, {facts['trials']} trials of {facts['epochs']} epochs a loss, {facts['concurrent']} at a time",
        f"{facts['curves']} recorded curves of {', '.join(facts['losses'])}",
        f"sd between seeds {facts['noise_sd']:.4f} ({facts['noise_df']} degrees of freedom); noise floor, sqrt(2) sd: {facts['floor']:.4f}",
        f"{facts['device']}, {facts['cores']} cores, Python {facts['python']}, Optuna {facts['optuna']}, Ray {facts['ray']}",
        "  epochs  a loss's own until its finalist is within the floor of the best of its record: median over losses, then replays",
        "  ratio   to the first row, and its 95% interval; - where the first row misses in the median",
        "  there   share of losses that got there",
        "  PAR2    mean epochs, a miss counted as twice the budget without early stopping",
        "  best    epochs of all losses until the best finalist of all is there, median",
        "  lacks   distance of the finalists from the best of their record at the end, mean",
        "  spent   epochs of a whole sweep, mean;  fewest: trials of the loss that got fewest;  n: replays",
    ]


#: heading, width, how a row says it
_COLUMNS: tuple[tuple[str, int, Callable[[SearchRow], str]], ...] = (
    ("epochs", 8, lambda row: f"{row.epochs:.0f}"),
    ("quartiles", 12, lambda row: f"{row.lower:.0f} - {row.upper:.0f}"),
    ("ratio", 7, lambda row: "-" if math.isnan(row.ratio) else f"{row.ratio:.2f}"),
    ("95% interval", 15, lambda row: "-" if math.isnan(row.ratio) else f"{row.low:.2f} - {row.high:.2f}"),
    ("there", 7, lambda row: f"{row.reached:.2f}"),
    ("PAR2", 6, lambda row: f"{row.penalised:.0f}"),
    ("best", 6, lambda row: f"{row.best_epochs:.0f}"),
    ("lacks", 8, lambda row: f"{row.lacks:.4f}"),
    ("spent", 7, lambda row: f"{row.spent:.0f}"),
    ("fewest", 8, lambda row: f"{row.fewest:.1f}"),
    ("n", 4, lambda row: f"{row.replays}"),
)


def _table(found: Sequence[SearchRow]) -> Iterator[str]:
    yield f"  {'search':<{_WIDTH}}" + "".join(f"{head:>{width}}" for head, width, _ in _COLUMNS)
    for row in found:
        yield f"  {row.name:<{_WIDTH}}" + "".join(f"{say(row):>{width}}" for _, width, say in _COLUMNS)
    ours = next(row for row in found if row.name == shipped().name)
    if math.isnan(ours.ratio):
        yield "  the first row misses in the median, so that there is no ratio"
    else:
        yield f"  the shipped default takes {ours.ratio:.2f} of the first row's epochs (goal: at most {GOAL:g})"


def _finite(row: SearchRow) -> dict[str, object]:
    """Return a row for JSON, which has neither infinity nor nan: null."""
    told = dataclasses.asdict(row)
    return {key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in told.items()}
