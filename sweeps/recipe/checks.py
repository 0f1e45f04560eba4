"""What sections of a recipe must agree on. Works on plain data too, so that it runs beside other problems."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sweeps.recipe.errors import Problem, did_you_mean, show
from sweeps.recipe.sections import DataSection, FinalistsSection, ModelSection


def cross_problems(raw: Mapping[str, Any]) -> list[Problem]:
    """Rules between sections; a rule is passed over while one of its values is itself not valid."""
    return [problem for rule in (_pair, _crops, _search_fold, _folds) for problem in rule(raw)]


def source_problems(raw: Mapping[str, Any]) -> list[Problem]:
    """A source that is neither a known data set nor a folder."""
    from data_utils.datasets import DATASETS

    section = raw.get("data")
    source = section.get("source") if isinstance(section, Mapping) else None
    if not isinstance(source, str) or not source or source.split(":")[0] in DATASETS or Path(source).is_absolute():
        return []
    rule = f"allowed: {', '.join(DATASETS)}, or a folder with train-volume.tif and train-labels.tif (or with folders images and labels)"
    return [Problem(path=("data", "source"), message=f"unknown data set {show(source)}; {rule}{did_you_mean(source, DATASETS)}")]


def _pair(raw: Mapping[str, Any]) -> list[Problem]:
    section = raw.get("data")
    given = [key for key in ("images", "labels") if isinstance(section, Mapping) and section.get(key) is not None]
    if len(given) != 1:
        return []
    missing = "labels" if given == ["images"] else "images"
    return [Problem(path=("data", given[0]), message=f"images and labels go together, and replace source; {missing} is missing")]


def _search_fold(raw: Mapping[str, Any]) -> list[Problem]:
    folds, search_fold = _whole(raw, "data", "folds", DataSection), _whole(raw, "data", "search_fold", DataSection)
    if folds is None or search_fold is None or folds < 3 or search_fold < folds:
        return []
    rule = f"must be a whole number in [0, {folds - 1}], counted from 0, with data.folds: {folds}"
    return [Problem(path=("data", "search_fold"), message=f"{rule}; got {search_fold}")]


def _crops(raw: Mapping[str, Any]) -> list[Problem]:
    crop_px, depth = _whole(raw, "data", "crop_px", DataSection), _whole(raw, "model", "depth", ModelSection)
    if crop_px is None or depth is None or not 2 <= depth <= 8 or crop_px % 2 ** (depth - 1) == 0:
        return []
    multiple = 2 ** (depth - 1)
    below = crop_px // multiple * multiple
    allowed = f"a multiple of {multiple} with model.depth: {depth}, such as {below or multiple} or {below + multiple}"
    return [Problem(path=("data", "crop_px"), message=f"must be {allowed}; got {crop_px}")]


def _folds(raw: Mapping[str, Any]) -> list[Problem]:
    folds, wanted = _whole(raw, "data", "folds", DataSection), _whole(raw, "finalists", "folds", FinalistsSection)
    if folds is None or wanted is None or folds < 3 or wanted <= folds - 1:
        return []
    rule = f"must be at most {folds - 1}: data.folds is {folds}, and the search's fold is never a finalist's"
    return [Problem(path=("finalists", "folds"), message=f"{rule}; got {wanted}")]


def _whole(raw: Mapping[str, Any], section: str, key: str, model: type) -> int | None:
    """A whole number of the raw data, its default where it is not given, None where it is something else."""
    values = raw.get(section, {})
    value = values.get(key, model.model_fields[key].default) if isinstance(values, Mapping) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None
