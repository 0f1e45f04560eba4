"""What a comparison found, in sentences: the page's heading, and a clause a transfer."""

from collections.abc import Sequence

from sweeps.report.comparison_sides import Side
from sweeps.report.comparison_tables import gain_in_words, name_of
from sweeps.report.comparison_transfer import Transfer, data_sets
from sweeps.report.wording import count, say, several, short

Cells = Sequence[Sequence[Transfer]]


def headline(sides: Sequence[Side], cells: Cells) -> str:
    """Return what was compared and what came of it, in one sentence: on one data set which loss leads, on several who transfers."""
    moved = [cell for row in cells for cell in row if not cell.own]
    return _transferred(sides, moved) if moved else _in_front(sides)


def _in_front(sides: Sequence[Side]) -> str:
    leads = dict.fromkeys(side.best.name_shown for side in sides if side.best is not None)
    of = f"{count(len(sides), 'sweep')} of the same data"
    if not leads:
        return f"{of}, and none has a winner yet."
    if len(leads) > 1:
        return f"{of} do not agree on the loss with the best mean: {several(list(leads))}."
    without = [side.label for side in sides if side.best is None]
    if without:
        have = f"{several(without)} {'has' if len(without) == 1 else 'have'} no winner yet"
        return f"Of {of}, {have}; elsewhere {next(iter(leads))} has the best mean."
    return f"{of} agree on the loss with the best mean: {next(iter(leads))}."


def _transferred(sides: Sequence[Side], moved: Sequence[Transfer]) -> str:
    """Return whether winners transfer: whether they score elsewhere no less than the winner there, as far as seeds tell."""
    told = [cell for cell in moved if cell.gain is not None and cell.limit is not None]
    held = [cell for cell in told if cell.gain is not None and cell.limit is not None and cell.gain >= -cell.limit]
    of = f"{count(len(sides), 'sweep')} of {count(len(data_sets(sides)), 'data set')}"
    if not any(cell.found for cell in moved):
        return f"Whether a winner transfers is not known yet: of {of}, no winner has run on other data."
    if not told:
        return f"Whether a winner transfers cannot be told: of {of}, no winner ran where another's runs can be set beside it."
    if len(told) == 1:
        (cell,) = told
        name = f"{cell.side.best.name_shown if cell.side.best else 'The winner'}, the winner of {short(cell.side.label, 40)},"
        answer = "transfers" if held else "does not transfer"
        return f"{name} {answer} to {name_of(cell.data)}: it scores {_beside(held=bool(held))}."
    if len(held) == len(told):
        return f"Winners transfer: all {len(told)} that ran on other data score {_beside(held=True)}."
    if not held:
        return f"Winners do not transfer: all {len(told)} that ran on other data score {_beside(held=False)}."
    return f"Some winners transfer: {len(held)} of {len(told)} that ran on other data score {_beside(held=True)}."


def _beside(*, held: bool) -> str:
    return "no less than the winner there, as far as seeds tell" if held else "less than the winner there, by more than seeds make"


def clauses(sides: Sequence[Side], cells: Cells) -> list[str]:
    """Return what the matrix says, a sentence a transfer; that it is empty, or that there is nothing to transfer to."""
    moved = [cell for row in cells for cell in row if not cell.own]
    if not moved:
        return ["All sweeps are on the same data, so there is nothing that a winner could transfer to."]
    said = []
    for cell in moved:
        if cell.found is None or cell.side.best is None:
            continue
        told = gain_in_words(cell) or cell.note
        said.append(
            f"{cell.side.best.name_shown}, the winner of {cell.side.label}, scores {say(cell.found['mean'])} on {name_of(cell.data)}"
            f"{f': {told}' if told else ''}."
        )
    empty = sum(cell.found is None and bool(cell.command) for cell in moved)
    if empty:
        runs = count(empty, "transfer has", "transfers have")
        said.append(f"{runs} not been run; the commands stand below the matrix.")
    return said
