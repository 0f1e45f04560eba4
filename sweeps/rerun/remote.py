"""Reruns on a cluster: each plan is a Ray task on a node that has a trial's CPUs and GPUs, and writes into the folder that nodes share."""

import dataclasses
import time
from collections.abc import Callable, Sequence
from typing import Any

import ray
from ray.exceptions import OutOfMemoryError, RayError, RayTaskError

from cluster.connect import Resources, connect, plan_resources
from sweeps.plan import TrialPlan
from sweeps.recipe.schema import Recipe
from sweeps.record import read_rows
from sweeps.rerun.running import Ran, Row, run_once
from sweeps.trial import METRICS

LOST_NODE_RETRIES = 20
_LOOK_SECONDS = 0.5

OnRow = Callable[[TrialPlan, Row], None]


def run_on_cluster(plans: Sequence[TrialPlan], address: str, *, epochs: int | None, on_row: OnRow) -> list[Ran]:
    """Run plans on the cluster at `address` and return what came of each, in their order.

    A node that is lost costs nothing: Ray runs the task again, and the trial goes on from its checkpoint. Raises ClusterError when nothing
    answers, or no node has what a trial takes.
    """
    with connect(address):
        resources = _resources(plans[0])
        task: Any = ray.remote(num_cpus=resources.cpus_per_trial, num_gpus=resources.gpus_per_trial, max_retries=LOST_NODE_RETRIES)(
            run_once
        )
        waiting, running = list(enumerate(plans)), {}
        ended: dict[int, Ran] = {}
        told = dict.fromkeys(range(len(plans)), 0)
        while waiting or running:
            while waiting and len(running) < resources.max_concurrent:
                number, plan = waiting.pop(0)
                running[task.remote(plan, epochs=epochs)] = number
            done, _ = ray.wait(list(running), num_returns=1, timeout=_LOOK_SECONDS)
            for number in running.values():
                told[number] = _tell(plans[number], told[number], on_row)
            for reference in done:
                number = running.pop(reference)
                ended[number] = _outcome(reference, plans[number])
                for row in ended[number].curve[told[number] :]:
                    on_row(plans[number], row)
    return [ended[number] for number in range(len(plans))]


def _resources(plan: TrialPlan) -> Resources:
    """Return what a run takes: as the recipe says; CPUs that it leaves open are as many as the recorded trial had threads."""
    asked = Recipe.from_resolved(plan.recipe).resources
    cpus: Any = float(plan.threads) if asked.cpus_per_trial == "auto" else asked.cpus_per_trial
    return plan_resources(cpus_per_trial=cpus, gpus_per_trial=asked.gpus_per_trial, max_concurrent=asked.max_concurrent)


def _tell(plan: TrialPlan, known: int, on_row: OnRow) -> int:
    """Pass on the epochs that a run has written since; after a lost node it may have fewer than before."""
    rows = read_rows(plan.path / METRICS)
    for row in rows[known:]:
        on_row(plan, row)
    return max(known, len(rows))


def _outcome(reference: Any, plan: TrialPlan) -> Ran:
    try:
        ran: Ran = ray.get(reference)
    except RayTaskError:
        raise  # a fault of ours: a trial's own are results
    except RayError as error:
        reason = "memory" if isinstance(error, OutOfMemoryError) else "node"
        last = {"state": "failed", "reason": reason, "error": f"{type(error).__name__}: {str(error).strip().splitlines()[0]}"}
        return Ran(curve=read_rows(plan.path / METRICS), last=last, environment={}, around={})
    return ran if _is_here(plan) else dataclasses.replace(ran, around=ran.around | {"elsewhere": True})


def _is_here(plan: TrialPlan) -> bool:
    """Whether the run's files lie on storage that this machine sees; a shared file system may need a moment to show them."""
    for _ in range(10):
        if (plan.path / "plan.json").exists():
            return True
        time.sleep(0.2)
    return False
