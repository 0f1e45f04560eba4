"""The first of the three: what each loss costs by itself, from speed.json."""

import math
import statistics
from collections.abc import Sequence
from typing import Any

import numpy as np

from sweeps.speed.noise import margin, noise_row
from sweeps.speed.standing import Entry, answer, no_answer
from sweeps.verdict.contenders import Contender, finite, section
from sweeps.verdict.paired import differences, estimate

UNIT = "ms"
COMMAND = "`sweeps bench loss --results DIR` measures it on any machine"


def loss_cost(stored: Any, order: Sequence[Contender]) -> dict[str, Any]:
    """Return the answer; `reason` says why there is none.

    A loss's value is its median milliseconds, its ratio the median over the rounds of its time to plain cross-entropy's, with a bootstrap
    interval of that median. It ties with the cheapest unless the paired t test of the logarithms over the common rounds, corrected by
    `corrected_for_choice`, says otherwise and the two lie further apart than the A/A row is wide.
    """
    if not section(stored, "losses"):
        why = section(stored).get("reason") or "what the losses cost has not been measured"
        return no_answer(UNIT, f"{why}; {COMMAND}")
    rounds = {name: _logs(section(stored, "losses", name).get("rounds")) for name in section(stored, "losses")}
    known = {contender.loss: rounds[contender.loss] for contender in order if rounds.get(contender.loss)}
    same = _logs(section(stored).get("same"))
    if not known or not same:
        return no_answer(UNIT, f"what was measured is of other losses; {COMMAND}")
    low, high = _interval(list(same.values()))
    noise = noise_row(max(abs(low), abs(high)), kind="cross-entropy against itself, interleaved", n=len(same))
    entries = []
    cheapest = min(known, key=lambda name: (statistics.median(known[name].values()), name))
    for name, logs in known.items():
        ends = _interval(list(logs.values()))
        times = [each[1] for each in section(stored, "losses", name)["rounds"]]
        entries.append(
            Entry(
                loss=name,
                value=statistics.median(times),
                ratio=math.exp(statistics.median(logs.values())),
                low=math.exp(ends[0]),
                high=math.exp(ends[1]),
                n=len(logs),
                values=tuple(times),
                apart=None if name == cheapest else estimate(differences(logs, known[cheapest]), by_fold=False),
            )
        )
    found = answer(UNIT, entries, noise=noise, margin=margin(noise), note=_note(stored, order))
    return found | {
        "against": section(stored).get("reference"),
        "hardware": dict(section(stored, "hardware")),
        "like_trials": _like_trials(stored, order),
        "not_measured": dict(section(stored, "not_measured")),
        "batch": section(stored).get("batch"),
        "crop_px": section(stored).get("crop_px"),
    }


def _logs(rounds: Any) -> dict[tuple[int, int | None], float]:
    """Return the logarithm of form over reference by round, for rounds with two positive times."""
    found = {}
    pairs: list[Any] = rounds if isinstance(rounds, list) else []
    for number, pair in enumerate(pairs):
        a, b = (finite(value) for value in pair) if isinstance(pair, list | tuple) and len(pair) == 2 else (None, None)
        if a is not None and b is not None and a > 0 and b > 0:
            found[number, None] = math.log(b / a)
    return found


def _interval(values: Sequence[float]) -> tuple[float, float]:
    """Return the 95% bootstrap interval of the median."""
    draws = np.random.default_rng(0).choice(np.array(values), size=(2000, len(values)))
    low, high = np.quantile(np.median(draws, axis=1), (0.025, 0.975))
    return float(low), float(high)


def _like_trials(stored: Any, order: Sequence[Contender]) -> bool | None:
    """Whether it was measured on a machine and kind of device that the ranked runs had; None where they do not say."""
    ran = [section(trial.result, "environment") for contender in order for trial in contender.trials]
    ran = [place for place in ran if place.get("device")]
    if not ran:
        return None
    hardware = section(stored, "hardware")
    if hardware.get("kind") == "cpu":
        return any(place["device"] == "cpu" and place.get("host") == section(stored).get("host") for place in ran)
    return any(place["device"] == hardware.get("device") for place in ran)


def _note(stored: Any, order: Sequence[Contender]) -> str:
    hardware, rounds = section(stored, "hardware"), len(section(stored).get("same") or ())
    place = f"{hardware.get('device')}, {hardware.get('threads')} thread, torch {hardware.get('torch')}, {hardware.get('clock')}"
    shape = f"batch {section(stored).get('batch')}, {section(stored).get('crop_px')} px"
    parts = [f"forward and backward of the loss alone, {shape}, on {place}; {rounds} interleaved rounds"]
    like = _like_trials(stored, order)
    if like is False:
        parts.append(f"the ranked runs had another machine ({_ran_on(order)}), so it says little of them")
    elif hardware.get("kind") == "cpu" and (threads := _threads(order)) > 1:
        parts.append(f"the runs had {threads} threads each")
    if rounds and rounds < 5:
        parts.append("with so few rounds only large differences are seen")
    if missed := section(stored, "not_measured"):
        parts.append("not measured: " + "; ".join(f"{name} ({why})" for name, why in missed.items()))
    return "; ".join(parts)


def _ran_on(order: Sequence[Contender]) -> str:
    places = (section(trial.result, "environment") for contender in order for trial in contender.trials)
    return ", ".join(dict.fromkeys(f"{place.get('device')} on {place.get('host', 'an unnamed host')}" for place in places))


def _threads(order: Sequence[Contender]) -> int:
    found = (section(trial.result, "environment").get("threads") for contender in order for trial in contender.trials)
    return max((threads for threads in found if isinstance(threads, int)), default=1)
