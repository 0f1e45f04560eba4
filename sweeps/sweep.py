"""Launch and resume: from a recipe, or from a results folder, to a verdict and a report."""

import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster.connect import Resources, connect, plan_resources
from data_utils import Stack
from data_utils.errors import DataError
from data_utils.folds import check_counted, finalist_split, search_split
from sweeps.closing import close_sweep
from sweeps.folder import create_folder, locked, write_json
from sweeps.late_scores import settle_all
from sweeps.ledger import FORMAT, Ledger
from sweeps.progress import Mode
from sweeps.provenance import describe_data, provenance
from sweeps.recipe.schema import Recipe
from sweeps.reconcile import check_unchanged, reconcile
from sweeps.record import load_results
from sweeps.stacks import load_stack
from sweeps.stage import Interrupt
from sweeps.stages import Stages
from sweeps.tracking.folder import forget_loss, mode_after_a_loss
from sweeps.tracking.mode import choose_mode
from sweeps.tracking.repair import record_missing, seconds_at_the_end
from sweeps.tracking.summary_run import record_summary

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a sweep ended."""

    folder: Path
    """The results folder."""
    exit_code: int
    """0 all complete, 5 some trials failed, 6 stopped since too many failed, 75 or 130 interrupted and resumable."""
    verdict: dict[str, Any] | None
    """verdict.json, when the sweep reached it."""
    report: Path | None
    """The report's page, when the sweep reached it."""


def launch(
    recipe: Recipe,
    *,
    results: Path = Path("results"),
    name: str | None = None,
    recipe_text: str | None = None,
    address: str | None = None,
    offline: bool = False,
    progress: Mode = "plain",
    say: Callable[[str], None] = logger.info,
) -> Outcome:
    """Run a sweep from its recipe to its verdict and report.

    Everything that can be refused (data, folds, resources, the name) is refused before a folder or a trial exists. Raises DataError,
    ClusterError, FolderError or NameTaken.
    """
    stack = load_stack(recipe)
    data = _describe(recipe, stack)
    _check_crops(recipe, stack)
    say(f"data: {stack.name}, {stack.membrane_rule}")
    for note in stack.notes:
        say(f"note: {note}")
    with connect(address):
        resources = _resources(recipe)
        tracking, sentence = choose_mode(recipe.wandb.mode if not offline else "offline")
        say(sentence)
        folder = create_folder(results, recipe.name, name)
        write_json(folder / "data.json", data)
        write_json(folder / "recipe.resolved.yaml", recipe.resolved())
        (folder / "recipe.yaml").write_text(recipe_text or (folder / "recipe.resolved.yaml").read_text())
        write_json(folder / "provenance.json", provenance(folder.name, folder))
        say(f"results: {folder}")
        with locked(folder):
            return _run(folder, resources, tracking=tracking, progress=progress, say=say)


def resume(
    folder: Path,
    *,
    address: str | None = None,
    offline: bool = False,
    retry_failed: bool = False,
    allow_changed: frozenset[str] = frozenset(),
    progress: Mode = "plain",
    say: Callable[[str], None] = logger.info,
) -> Outcome:
    """Go on with a sweep to the same total. Finished trials are never run again; `retry_failed` tries the failed ones once more.

    Raises NoSweep when the folder holds none, ChangedError when data or code differ from the launch's.
    """
    record = load_results(folder)
    recipe = Recipe.from_resolved(record.recipe)
    stack = load_stack(recipe)
    check_unchanged(record, stack, allow_changed)
    with locked(folder), connect(address):
        resources = _resources(recipe)
        if stack.sha256() != record.data["sha256"]:
            write_json(folder / "data.json", _describe(recipe, stack))
            say("the data changed since the launch: trials from here on are not comparable with those before")
        tracking, sentence = choose_mode(recipe.wandb.mode if not offline else "offline")
        say(sentence)
        return _run(folder, resources, tracking=tracking, progress=progress, say=say, retry_failed=retry_failed)


def _describe(recipe: Recipe, stack: Stack) -> dict[str, Any]:
    """Return what data.json holds; DataError when there are too few sections, or too few labels, for the recipe's folds."""
    count, data = len(stack.raw_ZHW), recipe.data
    search = search_split(count, folds=data.folds, search_fold=data.search_fold, gap=data.gap)
    finalists = [finalist_split(count, fold, folds=data.folds, gap=data.gap) for fold in recipe.finalist_folds()]
    for split in (search, *finalists):
        check_counted(stack.counted_ZHW, vars(split), name=stack.name)
    scored = {"search": search.test, "finalist": sorted(section for split in finalists for section in split.test)}
    source = data.source if data.images is None else f"{data.images} and {data.labels}"
    return describe_data(stack, source, scored)


def _check_crops(recipe: Recipe, stack: Stack) -> None:
    """Raise DataError for crops that the sections are too small for."""
    smallest = min(stack.raw_ZHW.shape[1:])
    if recipe.data.crop_px > smallest:
        raise DataError(
            f"{stack.name}: data.crop_px is {recipe.data.crop_px}, the sections are {' x '.join(map(str, stack.raw_ZHW.shape[1:]))} px. "
            f"Crops can be at most {smallest} px: --set data.crop_px={smallest}"
        )


def _resources(recipe: Recipe) -> Resources:
    asked = recipe.resources
    return plan_resources(cpus_per_trial=asked.cpus_per_trial, gpus_per_trial=asked.gpus_per_trial, max_concurrent=asked.max_concurrent)


def _run(
    folder: Path, resources: Resources, *, tracking: str, progress: Mode, say: Callable[[str], None], retry_failed: bool = False
) -> Outcome:
    ledger, begun = Ledger(folder / "ledger"), time.monotonic()
    try:
        ledger.append("resumed" if ledger.events else "sweep", format=FORMAT)
        reconcile(folder, ledger, retry_failed=retry_failed)
        forget_loss(folder)
        record = load_results(folder)
        stages = Stages(record, ledger, resources, tracking=tracking)
        with _signals(stages.interrupt, say):
            exit_code = stages.run(progress)
    finally:
        ledger.close()
    if exit_code in (75, 130):
        return Outcome(folder=folder, exit_code=exit_code, verdict=None, report=None)
    settle_all(folder)  # before W&B is told
    asked, allowed_s = time.monotonic(), seconds_at_the_end(time.monotonic() - begun)
    record_missing(folder, tracking=mode_after_a_loss(folder, tracking), timeout_s=allowed_s / 2)  # runs that a killed worker left open
    allowed_s -= time.monotonic() - asked
    verdict, report = close_sweep(folder)
    record_summary(folder, mode=mode_after_a_loss(folder, tracking), timeout_s=allowed_s)
    failed = any(trial.state == "failed" for trial in load_results(folder).trials)
    return Outcome(folder=folder, exit_code=exit_code or (5 if failed else 0), verdict=verdict, report=report)


@contextmanager
def _signals(interrupt: Interrupt, say: Callable[[str], None]) -> Iterator[None]:
    """Turn the first Ctrl-C (or TERM, or HUP) into a graceful stop; the second ends the process as Ctrl-C does.

    A signal that was ignored stays ignored (nohup). Outside the main thread, as in some notebooks, signals are left alone.
    """

    def handle(number: int, frame: Any) -> None:
        if interrupt.signal is not None:
            raise KeyboardInterrupt
        interrupt.signal = number
        say("stopping: running trials finish their epoch and save; once more stops at once")

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [number for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)
