"""One stack scored once by a program of its own, so that its peak of memory is its own: `python -m sweeps.bench.score_once`.

It imports nothing of torch, reads its work from a folder and writes one JSON object to standard output.
"""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np

from sweeps.bench.floods import FLOODS
from sweeps.pipe import write_line
from unet.metrics.challenge import challenge_scores

_LABELS, _PROPOSAL = "labels.npy", "proposal.npy"
_WARM_UP_PX = 64


@dataclass(frozen=True, kw_only=True)
class Scored:
    """What it took, and what came out."""

    wall_s: float
    """From the arrays in memory to the scores."""
    cpu_s: float
    """Of all threads, in the same time."""
    peak_mib: float
    """The most memory the program ever held; the interpreter, the libraries and the two arrays are in it."""
    start_mib: float
    """The most it had held before it began to score."""
    v_rand_at: list[float]
    """V_rand at each threshold."""
    v_info_at: list[float]
    """V_info at each threshold."""


def write_work(folder: Path, labels_ZHW: np.ndarray, proposal_ZHW: np.ndarray) -> None:
    """Put the arrays where the programs find them."""
    np.save(folder / _LABELS, labels_ZHW)
    np.save(folder / _PROPOSAL, proposal_ZHW)


def score_once(folder: Path, form: str, thresholds: Sequence[float], workers: int) -> Scored:
    """Score the arrays of a folder in a new program. RuntimeError, with its last words, when it fails."""
    words = [str(folder), form, str(workers), json.dumps(list(thresholds))]
    ran = subprocess.run([sys.executable, "-m", "sweeps.bench.score_once", *words], capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        last = ran.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        raise RuntimeError(f"scoring with {form!r} failed in its program (exit code {ran.returncode}): {last[0]}")
    return Scored(**json.loads(ran.stdout))


def score_here(folder: Path, form: str, thresholds: Sequence[float], workers: int) -> Scored:
    """Score the arrays of a folder in this program."""
    labels_ZHW, proposal_ZHW = np.load(folder / _LABELS), np.load(folder / _PROPOSAL)
    score = partial(challenge_scores, thresholds=thresholds, workers=workers, flood=FLOODS[form])
    corner = np.s_[:1, :_WARM_UP_PX, :_WARM_UP_PX]
    score(labels_ZHW[corner], proposal_ZHW[corner])  # what is loaded at the first call is loaded
    start_mib, wall_s, cpu_s = _peak_mib(), time.perf_counter(), time.process_time()
    scores = score(labels_ZHW, proposal_ZHW)
    return Scored(
        wall_s=time.perf_counter() - wall_s,
        cpu_s=time.process_time() - cpu_s,
        peak_mib=_peak_mib(),
        start_mib=start_mib,
        v_rand_at=list(scores.v_rand_at.values()),
        v_info_at=list(scores.v_info_at.values()),
    )


def main(arguments: Sequence[str]) -> int:
    """Score as the words say: folder, form, workers, thresholds. Returns 0."""
    folder, form, workers, thresholds = arguments
    scored = score_here(Path(folder), form, json.loads(thresholds), int(workers))
    write_line(sys.stdout, json.dumps(asdict(scored)))
    return 0


def _peak_mib() -> float:
    """The most memory this program has held. Linux hands what getrusage tells down from the parent, so its own list comes first."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        lines = []
    for line in lines:
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
