"""The Methods paragraph: what was done, in sentences ready to paste, from the recipe and the record alone.

A sentence whose facts are missing is left out rather than guessed.
"""

from collections.abc import Mapping
from typing import Any

from sweeps.report.methods_comparison import comparison
from sweeps.report.overview import LossView, Overview
from sweeps.report.wording import clean, count, dig, listed, say_metric, say_seconds, say_value, short
from sweeps.verdict.contenders import finite

_OPTIMIZERS = {
    "adam": "Adam (Kingma and Ba 2015)",
    "adamw": "AdamW (Loshchilov and Hutter 2019)",
    "sgd": "stochastic gradient descent",
}
_SAMPLERS = {
    "tpe": "Optuna's tree-structured Parzen estimator (Bergstra et al. 2011; Akiba et al. 2019)",
    "random": "random sampling (Optuna, Akiba et al. 2019)",
    "gp": "a Gaussian process (Optuna, Akiba et al. 2019)",
    "qmc": "a scrambled Halton sequence (Owen 2017)",
}


def methods(overview: Overview) -> list[str]:
    """Return the paragraph's parts: data and network, search, comparison, circumstances."""
    parts = (_data(overview) + _network(overview), _search(overview), comparison(overview), _circumstances(overview))
    return [" ".join(sentences) for sentences in parts if sentences]


def _data(overview: Overview) -> list[str]:
    data, recipe = overview.record.data, overview.record.recipe
    name = short(data.get("name") or dig(recipe, "data.source", "the given sections"), 80)
    shape, voxel, digest, rule = (data.get(key) for key in ("shape", "voxel_size_nm", "sha256", "membrane_rule"))
    known = "isbi2012" in name or "isbi2012" in str(dig(recipe, "data.source", ""))
    what = ["Cardona et al. 2010; Arganda-Carreras et al. 2015"] if known else []
    if isinstance(shape, list | tuple) and len(shape) == 3:
        what.append(f"{shape[0]} sections of {shape[1]} x {shape[2]} pixels")
    if isinstance(voxel, list | tuple) and len(voxel) == 3:
        depth, height, width = map(say_value, voxel)
        what.append(f"{height} x {width} nm a pixel, {depth} nm between sections")
    if isinstance(digest, str):
        what.append(f"SHA-256 {clean(digest, 80)}")
    sentences = [f"The data were {name}" + (f" ({'; '.join(what)})." if what else ".")]
    if rule:
        said = clean(rule, 200)
        sentences.append(f"The labels were {said}." if said.startswith("generated") else f"Of the labels, {said}.")
        sentences += ["Pixels of unknown label count neither for losses nor for scores."] if " is unknown (" in str(rule) else []
    if positive := dig(recipe, "data.positive"):
        sentences.append(f"The positive class of the losses was {clean(positive, 40)}; all scores are of membranes.")
    return sentences


def _network(overview: Overview) -> list[str]:
    model, train, data = (dig(overview.record.recipe, key, {}) for key in ("model", "train", "data"))
    if not model or not train:
        return []
    crop = f" of {data['crop_px']} x {data['crop_px']} pixels" if finite(data.get("crop_px")) else ""
    changes = [word for key, word in (("flips", "mirror images"), ("quarter_turns", "turns by 90 degrees")) if data.get(key)]
    changes += [f"elastic deformation of {say_value(data['elastic_px'])} pixels"] if finite(data.get("elastic_px")) else []
    augmented = f" with random {listed(changes)}" if changes else ""
    numbers = [f", learning rate {said}{_scheduled(train)}" if (said := _domain(train.get("lr"))) else ""]
    numbers += [f", weight decay {said}" if (said := _domain(train.get("weight_decay"))) else ""]
    optimizer = _OPTIMIZERS.get(str(train.get("optimizer")), clean(train.get("optimizer", "its optimizer"), 40))
    network = (
        f"A U-Net (Ronneberger et al. 2015) of {say_value(model.get('depth'))} levels, with {say_value(model.get('width'))} channels in "
        f"the first and batch normalisation (Ioffe and Szegedy 2015) after each 3 x 3 convolution, was "
        f"trained on random crops{crop}{augmented}, in batches of {say_value(train.get('batch_size'))}, with "
        f"{optimizer}{''.join(numbers)}, for at most {_number(train.get('epochs'), 'epoch')} of "
        f"{_number(data.get('crops_per_section'), 'crop')} a training section."
    )
    return [network]


def _scheduled(train: Mapping[str, Any]) -> str:
    """How the learning rate went on; records of before there was a choice say nothing of it."""
    schedules = {"constant": " and kept constant", "cosine": ", lowered to 0 along a cosine (Loshchilov and Hutter 2017)"}
    return schedules.get(str(train.get("schedule")), "")


def _number(value: Any, noun: str) -> str:
    return count(int(finite(value) or 0), noun)


def _domain(value: Any) -> str:
    """A number, or the range it was searched over; nothing for 0, which means that it was not used."""
    if isinstance(value, Mapping):
        if isinstance(value.get("choices"), list):
            return f"chosen from {listed([say_value(choice) for choice in value['choices']])}"
        if finite(value.get("low")) is None or finite(value.get("high")) is None:
            return ""
        return f"searched from {say_value(value['low'])} to {say_value(value['high'])}" + (" (logarithmic)" if value.get("log") else "")
    return say_value(value) if finite(value) else ""


def _search(overview: Overview) -> list[str]:
    search = dig(overview.record.recipe, "search", {})
    if not search or not overview.losses:
        return []
    first = ", beginning with the literature's defaults" if search.get("start_with_defaults") else ""
    losses = listed([_loss(loss, overview) for loss in overview.losses])
    sentences = [f"{count(len(overview.losses), 'loss was', 'losses were')} compared: {losses}."]
    budget = _number(search.get("trials_per_loss"), "trial")
    shared = search.get("allocation") == "shared"
    dealt = f"{budget} a loss in all, more to those that did well (Threshold Ascent, Streeter and Smith 2006)" if shared else budget
    sentences.append(
        f"Each had a study of its own with a budget of {dealt}, proposed by "
        f"{_SAMPLERS.get(str(search.get('sampler')), 'Optuna')}{first} and run by Ray Tune (Liaw et al. 2018)."
    )
    stop, epochs = search.get("early_stop"), finite(dig(overview.record.recipe, "train.epochs"))
    stops = isinstance(stop, Mapping) and not (epochs is not None and (finite(stop.get("grace_epochs")) or 0) >= epochs)
    if isinstance(stop, Mapping) and stops:
        grace, factor = _number(stop.get("grace_epochs"), "epoch"), say_value(stop.get("factor"))
        sentences.append(
            "Weak trials were stopped early by asynchronous successive halving (Li et al. 2020) within each loss, after at least "
            f"{grace}, one in {factor} going on at each rung."
        )
    folds, fold = (finite(dig(overview.record.recipe, f"data.{key}")) for key in ("folds", "search_fold"))
    where = "" if folds is None or fold is None else f" on block {int(fold)} (from 0) of {int(folds)} contiguous blocks of sections"
    metric = say_metric(overview.metric)
    done = "stopped and chosen" if stops else "chosen"
    sentences.append(f"Trials were {done} by {metric} at the best threshold{where}, never by the value of their loss.")
    trials = [trial for loss in overview.losses for trial in loss.search]
    if failed := sum(trial.state == "failed" for trial in trials):
        sentences.append(f"{failed} of {count(len(trials), 'trial')} failed and {'was' if failed == 1 else 'were'} never chosen.")
    return sentences


def _loss(loss: LossView, overview: Overview) -> str:
    """A loss's name, what it is where the name does not say it, and of its own parameters what was searched and what was held elsewhere."""
    entry = dig(overview.record.recipe, "losses", {}).get(loss.name)
    ranges = [] if loss.function == loss.name else [short(loss.function, 60)]
    for key, value in entry.items() if isinstance(entry, Mapping) else ():
        if isinstance(value, Mapping) and (said := _domain(value)):
            ranges.append(f"{short(key, 40)} {said}")
    ranges += [f"{short(key, 40)} held at {say_value(value)}" for key, value in overview.held(loss).items()]
    return short(loss.name, 40) + (f" ({', '.join(ranges)})" if ranges else "")


def _circumstances(overview: Overview) -> list[str]:
    environments = [dig(trial.result, "environment", {}) for trial in overview.record.trials]

    def met(key: str) -> str:
        return listed(list(dict.fromkeys(clean(env[key], 80) for env in environments if env.get(key))))

    sentences = []
    if met("device"):
        precision = f" in {met('precision')}" if met("precision") else ""
        torch = f" with PyTorch {met('torch')} (Paszke et al. 2019)" if met("torch") else ""
        processor = clean(dig(overview.record.provenance, "hardware.processor", ""), 100)
        on_cpu = met("device") == "cpu"
        device = "the CPU" + (f" ({processor})" if processor else "") if on_cpu else met("device")
        beside = f"; the machine's processor is {processor}" if processor and not on_cpu else ""
        sentences.append(f"Training ran on {device}{precision}{torch}{beside}.")
    seconds = [value for trial in overview.record.trials if (value := finite(dig(trial.result, "seconds.wall"))) is not None]
    if seconds:
        sentences.append(f"The trials took {say_seconds(sum(seconds))} in all.")
    return sentences
