"""What each loss costs, forward and backward, with the very parameters that it was ranked with and at the sweep's own batch.

Runs in a process of its own (`python -m sweeps.speed`), in which freed memory is kept as in a trial's, and nothing else works. A loss is
compared with the registry's plain binary cross-entropy, which every sweep can be held against, in interleaved blocks; the same
cross-entropy a second time is the A/A row.
"""

import time
from collections.abc import Mapping
from functools import partial
from typing import Any

import torch

from sweeps.bench.loss import HALF_WAY
from sweeps.bench.pairs import SAME, circumstances, pick_device, seconds_of
from sweeps.bench.sections import DESCRIPTION, Sections, make_sections
from sweeps.speed.rounds import Timer, interleave
from unet.allocator import keep_freed_memory
from unet.losses import build_loss

REFERENCE = "bce"
WANTED_ROUNDS = 8
_SHORTEST_S, _LONGEST_S = 0.002, 0.03  # one timing: shorter ones are noise, longer ones say no more


def measure(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was asked for as the content of speed.json; times in milliseconds a call, one pair a round.

    Args:
        request: `losses` (name -> function and parameters), `batch`, `crop_px`, `device` (auto, cpu or cuda) and `budget_s`.
    """
    begun = time.monotonic()
    device = pick_device(str(request["device"]))
    torch.set_num_threads(1)  # process CPU time is honest for one thread
    keep_freed_memory()
    sections = make_sections(batch=request["batch"], size_px=request["crop_px"], device=device)
    budget = float(request["budget_s"])
    length = min(max(budget / (4 * (len(request["losses"]) + 1) * WANTED_ROUNDS), _SHORTEST_S), _LONGEST_S)
    reference = _timer(REFERENCE, {}, sections, length)
    forms: dict[str, Timer] = {SAME: _timer(REFERENCE, {}, sections, length)}
    failed: dict[str, str] = {}
    for name, loss in request["losses"].items():
        try:
            forms[f"loss {name}"] = _timer(loss["function"], loss["parameters"], sections, length)  # a loss may be called A/A
        except Exception as error:  # noqa: BLE001 - one loss that cannot be built must not lose the others
            failed[name] = f"{type(error).__name__}: {error}"
    rounds = interleave(reference, forms, budget_s=max(budget - (time.monotonic() - begun), 0.25 * budget))
    blocks = {form: [[1e3 * a, 1e3 * b] for a, b in pairs] for form, pairs in rounds.items()}
    late = [name for name in request["losses"] if f"loss {name}" in blocks and not blocks[f"loss {name}"]]
    return {
        "losses": {
            name: dict(loss) | {"rounds": blocks[f"loss {name}"]} for name, loss in request["losses"].items() if blocks.get(f"loss {name}")
        },
        "same": blocks[SAME],
        "reference": REFERENCE,
        "not_measured": failed | dict.fromkeys(late, f"its turn did not come within {budget:.1f} s"),
        "batch": request["batch"],
        "crop_px": request["crop_px"],
        "sections": DESCRIPTION,
        "timed_s": length,
        "budget_s": budget,
        "seconds": time.monotonic() - begun,
        "hardware": circumstances(device) | {"kind": device.type},
    }


def _timer(function: str, parameters: Mapping[str, Any], sections: Sections, length_s: float) -> Timer:
    loss = build_loss(function, **parameters)
    call = partial(loss, *sections.pair, aux=sections.maps(loss.needs), progress=HALF_WAY)
    device = sections.logits_N1HW.device

    def once() -> None:
        torch.autograd.grad(call(), sections.logits_N1HW)

    once()  # the first call takes memory and picks kernels
    took = seconds_of(once, device=device, repeats=1)
    repeats = min(max(round(length_s / max(took, 1e-6)), 1), 200)
    return lambda: seconds_of(once, device=device, repeats=repeats)
