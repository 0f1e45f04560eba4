"""What a rerun's answer says on a terminal: the verdict, the scores side by side, and what differs between then and now."""

from collections.abc import Iterator
from typing import Any

SHOWN = ("membrane_dice", "membrane_dice_at_half", "v_rand", "v_info")
NAMES = {"membrane_dice": "membrane Dice", "membrane_dice_at_half": "membrane Dice at 0.5", "v_rand": "V_rand", "v_info": "V_info"}


def told(answer: dict[str, Any]) -> Iterator[str]:
    """Yield the lines."""
    yield from _judged(answer)
    if answer["data"]["other"]:
        yield from _other_data(answer)
    if "seeds" in answer:
        yield from _seeds(answer)
    if answer["verdict"] != "same":
        yield from _side_by_side(answer)
    yield from _failures(answer)
    for reason in answer["reasons"]:
        yield f"  {reason}"
    if answer["verdict"] in ("within noise", "different") and answer["compared"]:
        yield f"  {answer['rule']}"
    if answer.get("gone"):
        yield f"  recorded, but not computed by this version: {', '.join(answer['gone'])}"
    if answer["elsewhere"]:
        yield f"  the run's own files are on the node that ran it: {answer['folder']} is not on storage that both share"


def _judged(answer: dict[str, Any]) -> Iterator[str]:
    if answer["verdict"] is None:
        return
    found = answer.get("comparison")
    if found is not None and not found["epochs"] and answer["state"] == "failed":
        return  # nothing was measured, so there is nothing to judge; the failure is told
    yield f"{answer['trial']}: {answer['verdict']}: {answer['why']}"


def _other_data(answer: dict[str, Any]) -> Iterator[str]:
    data = answer["data"]
    shape = " x ".join(map(str, data["shape"]))
    yield f"on these data: {data['name']}, {shape}, SHA-256 {data['sha256'][:12]}, {data['membrane_rule']}"
    for row in data.get("sanity", ()):
        scores = (f"{NAMES[key]} {row[key]:.4f}" for key in SHOWN if isinstance(row.get(key), float))
        yield f"  without a network, {row['name']}: {', '.join(scores)}"
    if "seeds" not in answer and answer["scores"] is None and answer["state"] != "failed":
        yield "  no scores, since the run ends at the epoch at which its record was pruned"


def _seeds(answer: dict[str, Any]) -> Iterator[str]:
    number = len(answer["seeds"])
    if answer["mean"] is None:
        yield f"no score: {'the one fresh seed' if number == 1 else f'all {number} fresh seeds'} failed"
        return
    each = ", ".join(f"{entry['seed']}: {entry['membrane_dice']:.4f}" for entry in answer["seeds"] if entry["membrane_dice"] is not None)
    spread = "" if answer["standard_deviation"] is None else f", standard deviation {answer['standard_deviation']:.4f}"
    yield f"membrane Dice {answer['mean']:.4f}{spread} over {answer['n']} fresh seed{'s'[: answer['n'] != 1]} ({each})"


def _side_by_side(answer: dict[str, Any]) -> Iterator[str]:
    from sweeps.rerun.judging import signed

    rows = [row for row in answer["compared"] if row["judged"]]
    if not rows:
        return
    names: dict[str, str] = {row["score"]: NAMES.get(row["score"], str(row["score"])) for row in rows}
    width = max(map(len, names.values()))
    now = "on these data" if answer["data"]["other"] else "now"
    yield f"  {'':{width}}  {'recorded':24} {now}"
    for row in rows:
        name = names[row["score"]]
        limit = "" if row["margin"] is None else f", {'' if row['within'] else 'more than '}seeds alone: {row['margin']:.4f}"
        difference = "" if answer["data"]["other"] else f" {signed(row['difference'])}{limit}"
        yield f"  {name:{width}}  {_estimate(row['recorded']):24} {_estimate(row['now']):24}{difference}".rstrip()


def _estimate(found: dict[str, Any]) -> str:
    interval = "" if found["low"] is None else f" ({found['low']:.3f} to {found['high']:.3f})"
    return f"{found['mean']:.4f}{interval}"


def _failures(answer: dict[str, Any]) -> Iterator[str]:
    for run in answer.get("seeds", [answer]):
        if run["state"] == "failed":
            name = f"seed {run['seed']}" if "seeds" in answer else answer["trial"]
            yield f"{name} failed ({run['reason']}): {run['error']}"
