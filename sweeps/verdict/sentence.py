"""The verdict in one plain sentence that a careful statistician would sign: what was found, how sure it is, and what it cannot say."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

_MOST_NAMES = 8
_NAMES = {"membrane_dice": "membrane Dice", "membrane_dice_at_half": "membrane Dice at 0.5", "v_rand": "V_rand", "v_info": "V_info"}


def write_sentence(verdict: Mapping[str, Any]) -> str:
    """Return the sentence of a verdict whose other parts are complete."""
    if not verdict["ranking"]:
        return f"No verdict: {_why_nothing(verdict)}."
    parts = [
        _no_better(verdict),
        _quality(verdict),
        _below(verdict),
        _resolution(verdict),
        _speed(verdict),
        _missing(verdict),
        _failed(verdict),
    ]
    return "; ".join(part for part in parts if part) + "."


def number(value: float) -> str:
    """Return three decimals without the zero before the point, as scores are written: .801, and 0; small differences keep two digits."""
    text = "0" if value == 0 else f"{value:.3f}" if abs(value) >= 0.001 else f"{value:.2g}"
    return text.replace("0.", ".", 1) if text.lstrip("-").startswith("0.") else text


def listed(names: Sequence[str]) -> str:
    """Return `a`, `a and b` or `a, b and c`."""
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)


def several(names: Sequence[str]) -> str:
    """Return the names, of many the first five and how many more there are: a sentence of fifty names says nothing."""
    return listed(names) if len(names) <= _MOST_NAMES else f"{', '.join(names[:5])} and {len(names) - 5} others"


def counted(count: int, word: str) -> str:
    """Return `1 seed` or `3 seeds`."""
    return f"{count} {word}" + ("" if count == 1 else "s")


def _metric(verdict: Mapping[str, Any]) -> str:
    metric: str = verdict["objective"]["metric"]
    return _NAMES.get(metric, metric)


def _why_nothing(verdict: Mapping[str, Any]) -> str:
    runs = [(state, count) for states in verdict["runs"].values() for state, count in states.items()]
    if not runs:
        return "no trial was started"
    total, failed = sum(count for _, count in runs), sum(count for state, count in runs if state == "failed")
    if failed == total:
        return f"all {total} trials failed" if total > 1 else "the only trial failed"
    still = sum(count for state, count in runs if state in ("waiting", "running"))
    said = f"none of {counted(total, 'trial')} has a finite {_metric(verdict)}"
    return said + (f", {failed} failed" if failed else "") + (f", {still} not ended yet" if still else "")


def _quality(verdict: Mapping[str, Any]) -> str:
    first, metric = verdict["ranking"][0], _metric(verdict)
    name, found = first["loss"], first["scores"][verdict["objective"]["metric"]]
    if verdict["stage"] == "search":
        return (
            f"A result of the search only, which ranks nothing: the best single trial is {name}'s ({metric} {number(found['mean'])}), "
            "picked for its luck as well, and without finalists over fresh seeds no loss can be called better"
        )
    value = f"{metric} {number(found['mean'])}, {_interval(first, found)}"
    if abs(first["adjusted_mean"] - found["mean"]) >= 0.0005:
        value += f", {number(first['adjusted_mean'])} as if no run were missing"
    losses = _losses(verdict)
    if len(losses) == 1:
        return f"{name} is the only loss with a result ({value})"
    most = "highest" if verdict["objective"]["goal"] == "maximise" else "lowest"
    if not any(pair["p"] is not None for pair in verdict["pairs"]):
        few = "without two common independent runs of two losses nothing can be told apart"
        return f"{name} has the {most} {metric} ({number(found['mean'])}), but {few}"
    ties = verdict["best"]["ties"]
    named = name + _again(verdict)
    if not ties:
        rest = "the other loss" if len(losses) == 2 else f"each of the {len(losses) - 1} other losses"
        return f"{named} is best ({value}), significantly ahead of {rest}"
    if not any(pair["significant"] for pair in verdict["pairs"]):
        all_ = "both losses" if len(losses) == 2 else f"all {len(losses)} losses"
        return f"{named} scores {most} ({value}), but {all_} tie and none can be called better"
    behind = [row["loss"] for row in verdict["ranking"] if row["loss"] not in verdict["groups"][0] and row["loss"] in losses]
    tie = "ties" if len(ties) == 1 else "tie"
    said = f"{named} scores {most} ({value}), but {several(ties)} {tie} with it"
    if behind:
        return f"{said}; {several(behind)} {'is' if len(behind) == 1 else 'are'} significantly behind"
    ahead = [
        f"{pair['winner']} of {pair['b'] if pair['winner'] == pair['a'] else pair['a']}" for pair in verdict["pairs"] if pair["winner"]
    ]
    return f"{said}, though among them {several(ahead)} {'is' if len(ahead) == 1 else 'are'} significantly ahead"


def _losses(verdict: Mapping[str, Any]) -> list[str]:
    """Return the ranked losses, best first, each by its best name: a repeat is no other loss."""
    firsts: dict[str, str] = {}
    for row in verdict["ranking"]:
        firsts.setdefault(row["repeat_of"] or row["loss"], row["loss"])
    return list(firsts.values())


def _again(verdict: Mapping[str, Any]) -> str:
    """Name the best loss's repeats."""
    row = verdict["ranking"][0]
    first = row["repeat_of"] or row["loss"]
    names = [other["loss"] for other in verdict["ranking"] if first in (other["loss"], other["repeat_of"]) and other is not row]
    return f" (also run as {listed(names)})" if names else ""


def _interval(row: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    design = f"{counted(row['seeds'], 'seed')} on {counted(row['folds'], 'fold')}"
    if found["low"] is None:
        return f"{design}, too few for an interval"
    return f"95% interval {number(found['low'])} to {number(found['high'])} over {design}"


def _no_better(verdict: Mapping[str, Any]) -> str:
    """Say first of all that training was for nothing, where it was: a best loss that no network is needed to equal deserves no praise."""
    names, below = verdict["not_beaten"], verdict["below_sanity"]
    if not names:
        return ""
    everyone = len(below) == len(verdict["ranking"])
    who = "No loss beats" if everyone else f"{verdict['ranking'][0]['loss']}, the best loss, does not beat"
    best = f", {_metric(verdict)} {number(below[0]['sanity_score'])}" if below else ""
    return f"{who} what can be had without a network ({listed(names)}{best})"


def _below(verdict: Mapping[str, Any]) -> str:
    below = verdict["below_sanity"]
    if not below or len(below) == len(verdict["ranking"]):
        return ""
    does = "does" if len(below) == 1 else "do"
    row = f"{below[0]['sanity']} ({number(below[0]['sanity_score'])}), which needs no network"
    return f"{several([entry['loss'] for entry in below])} {does} not beat {row}"


def _resolution(verdict: Mapping[str, Any]) -> str:
    """Say what difference the sweep could have found; a tie means little without it."""
    findable = verdict["smallest_difference"]
    if findable is None or findable["difference"] is None or verdict["stage"] != "finalist":
        return ""
    design = f"with {counted(findable['n'], findable['unit'])} and {counted(findable['comparisons'], 'comparison')}"
    if findable["difference"] >= 1:  # no two scores are further apart
        return f"{design} no difference, however large, is found four times in five"
    return f"{design} only a difference of {number(findable['difference'])} or more would be found four times in five"


def _speed(verdict: Mapping[str, Any]) -> str:
    fastest, target = verdict["fastest"], verdict["target"]
    if target["value"] is None:
        return ""
    quality = f"membrane Dice {number(target['value'])}"
    if fastest is None:
        return f"no loss reaches {quality} in its median run"
    reached = fastest["seconds"]["to_target"]
    hits = sum(math.isfinite(value) for value in reached["values"])
    runs = f"{hits} of {counted(len(reached['values']), 'run')}"
    said = f"{fastest['loss']} reaches {quality} soonest (median {reached['median']:.3g} s of training, {runs})"
    ties = fastest["ties"]
    return f"{said}, though {several(ties)} may be as fast" if ties else said


def _missing(verdict: Mapping[str, Any]) -> str:
    names = [entry["loss"] for entry in verdict["missing"]]
    return f"{several(names)} {'has' if len(names) == 1 else 'have'} no result" if names else ""


def _failed(verdict: Mapping[str, Any]) -> str:
    total = sum(count for states in verdict["runs"].values() for count in states.values())
    failed = sum(states.get("failed", 0) for states in verdict["runs"].values())
    return f"{failed} of {total} runs failed" if failed else ""
