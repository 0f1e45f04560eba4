"""`sweeps predict`: membranes of a stack of any size, by a network that a sweep has trained, or by several together."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sweeps.cli.options import Json, console, errors, print_json, progress_mode, whole

if TYPE_CHECKING:
    import torch

    from sweeps.members import Loaded
    from sweeps.predicted_output import Output

Model = Annotated[Path, typer.Argument(metavar="MODEL", help="A weights file, or a results folder: its best network.")]
StackPath = Annotated[Path, typer.Argument(metavar="STACK", help="Sections: a TIFF stack, or a folder of TIFFs or PNGs.")]
Out = Annotated[Path, typer.Argument(metavar="OUT", help="The TIFF to write; an older one is replaced.")]
Tta = Annotated[bool, typer.Option("--tta", help="Mean over the 8 flips and turns of each section; 8 times the work.")]
TilePx = Annotated[
    int | None,
    typer.Option(
        "--tile",
        metavar="PX",
        parser=whole(0),
        help="Side of the tiles of larger sections, 1024 by default, at least 288 at depth 5; 0: whole.",
    ),
]
Threshold = Annotated[
    str | None, typer.Option("--threshold", metavar="T", help="Write a mask: membrane from this probability on, or 'tuned'.")
]
Labels = Annotated[bool, typer.Option("--labels", help="Write the number of each pixel's cell, 0 for membrane.")]
SmallestCellPx = Annotated[
    int | None,
    typer.Option("--smallest-cell", metavar="PX", parser=whole(0), help="Cells of fewer pixels become membrane; by default as tuned."),
]
Ensemble = Annotated[
    int | None,
    typer.Option(
        "--ensemble",
        metavar="K",
        parser=whole(1),
        help="Average the K finalists of a results folder that score best on their calibration sections, whatever their losses.",
    ),
]
Device = Annotated[str, typer.Option("--device", help="cpu, cuda, cuda:1, ..., or auto: a GPU where there is one.")]


def add_to(app: typer.Typer) -> None:
    """Register the verb."""
    app.command()(predict)


def predict(
    model: Model,
    stack: StackPath,
    out: Out,
    tta: Tta = False,
    tile: TilePx = None,
    threshold: Threshold = None,
    labels: Labels = False,
    smallest_cell: SmallestCellPx = None,
    ensemble: Ensemble = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Write what a network makes of a stack: float32 in [0, 1], 1 = NOT membrane, as the ISBI 2012 challenge wants it.

    Sections of any size, one at a time; larger ones in overlapping tiles, so memory stays bounded.

    Example: sweeps predict results/demo-001 sections.tif cells.tif --labels
    """
    from sweeps.members import find_weights, load_members
    from sweeps.predicted_output import check_output
    from sweeps.predicting import Settings, predict_stack_file
    from sweeps.progress_sections import SectionsProgress

    begun = time.monotonic()
    _end_as_with_ctrl_c()
    if smallest_cell is not None and not labels:
        raise typer.BadParameter("--smallest-cell cleans up cells: it belongs to --labels")
    with _faults_told():
        check_output(stack, out)
        members = load_members(find_weights(model, ensemble), _device(device))
        output, used = _output(members, threshold, labels, smallest_cell)
        with SectionsProgress(progress_mode(as_json), errors) as watch:
            for line in (_speakers(members), *used):
                watch.note(line)
            written = predict_stack_file(members, stack, out, output, settings=Settings(tile_px=tile, tta=tta), watch=watch)
    _tell(written | {"seconds": time.monotonic() - begun}, as_json)


@contextmanager
def _faults_told() -> Iterator[None]:
    """Tell what a user can mend as a mistake of usage, and too little memory with what helps."""
    from data_utils.tiles import TileError
    from sweeps.members import NoModel
    from sweeps.predicted_output import OutputRefused
    from sweeps.predicting import NoPrediction

    try:
        yield
    except (NoModel, NoPrediction, OutputRefused, TileError) as error:
        raise typer.BadParameter(str(error)) from error
    except (MemoryError, RuntimeError) as error:
        if not _is_out_of_memory(error):
            raise
        hint = "" if isinstance(error, MemoryError) else " Smaller tiles take less: --tile 512."
        _say_nothing_written(f"not enough memory: {error}.{hint}")
        raise typer.Exit(4) from error
    except KeyboardInterrupt:
        _say_nothing_written("interrupted.")
        raise


def _say_nothing_written(why: str) -> None:
    errors.print(f"{why} Nothing was written.", markup=False, style="red")


def _end_as_with_ctrl_c() -> None:
    """Let TERM and HUP (a scheduler's, a closed terminal's) take back what was begun as Ctrl-C does."""
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) == signal.SIG_DFL:
                signal.signal(number, signal.default_int_handler)


def _device(name: str) -> "torch.device":
    import torch

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        raise typer.BadParameter(f"--device {name}: {str(error).splitlines()[0]}. Take auto, cpu or cuda") from error


def _output(members: list["Loaded"], threshold: str | None, labels: bool, smallest_cell: int | None) -> tuple["Output", list[str]]:
    """Return what is to be written, and in words which threshold and clean-up that takes, and where they come from."""
    from sweeps.members import tuned
    from sweeps.predicted_output import Output

    if threshold is None and not labels:
        return Output(kind="probability"), []
    keys = ("v_rand_threshold", "threshold") if labels else ("threshold",)
    number, source = _number(threshold), "as given"
    if number is None:
        found = tuned(members, *keys)
        if found is None:
            raise typer.BadParameter(f"{members[0].path} says no {keys[-1]}, so nothing was tuned for it; give one: --threshold 0.5")
        number, source = min(found[0], 1.0), f"{found[1]} of the network" if len(members) == 1 else f"mean {found[1]} of the networks"
    used = [f"membrane from probability {number:.4f} on ({source})"]
    if not labels:
        return Output(kind="mask", threshold=number), used
    cleaned, source = smallest_cell, "as given"
    if cleaned is None:
        found = tuned(members, "smallest_cell_px") or (0.0, "no clean-up was tuned")
        cleaned, source = round(found[0]), found[1]
    used.append(f"cells under {cleaned} px become membrane ({source})")
    return Output(kind="cells", threshold=number, smallest_cell_px=cleaned), used


def _number(threshold: str | None) -> float | None:
    """Return the threshold as a number, None for the tuned one."""
    if threshold in (None, "tuned"):
        return None
    try:
        number = float(threshold)
    except ValueError:
        number = float("nan")
    if not 0 <= number <= 1:
        raise typer.BadParameter(f"--threshold is a membrane probability from 0 to 1, or tuned; got {threshold!r}")
    return number


def _speakers(members: list["Loaded"]) -> str:
    names = ", ".join(loaded.name for loaded in members)
    return f"network: {names}" if len(members) == 1 else f"mean of {len(members)} networks: {names}"


def _tell(written: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json({"event": "written"} | written)
        return
    shape = " x ".join(str(size) for size in written["shape"])
    cells = f", {written['cells']} cells" if "cells" in written else ""
    sentence = f"wrote {written['out']}: {shape} {written['dtype']}, {written['values']}{cells}, in {written['seconds']:.1f} s"
    console.print(sentence, markup=False)


def _is_out_of_memory(error: Exception) -> bool:
    import torch

    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error)
