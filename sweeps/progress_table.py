"""The live table of a sweep: at most 80 columns and 20 lines, whatever the number of losses and workers."""

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from sweeps.progress_counts import Counts, LossCounts

MAX_COLUMNS = 80
MAX_LOSSES = 11
MAX_RUNNING = 4


def table(name: str, counts: Counts, *, now: float, begin: float, width: int) -> RenderableType:
    """The whole display."""
    columns = min(width, MAX_COLUMNS)
    lines: list[RenderableType] = [_cut(_header(name, counts, now, begin), columns)]
    bar = Table.grid()  # a bar alone ends no line
    bar.add_row(ProgressBar(total=max(counts.num_planned, 1), completed=counts.num_ended, width=columns))
    lines.append(bar)
    lines.append(_losses(counts, columns))
    lines += [_cut(text, columns) for text in _running(counts)]
    if counts.last_error:
        trial, reason = counts.last_error
        lines.append(_cut(Text.assemble(("last error  ", "red"), f"{trial}  {one_line(reason)}"), columns))
    return Group(*lines)


def duration(seconds: float) -> str:
    """Hours, minutes and seconds: 0:42:10."""
    whole = int(max(seconds, 0))
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def one_line(text: str) -> str:
    """The text on one line, without control characters: a message of a failed trial must not steer the terminal."""
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())


def _header(name: str, counts: Counts, now: float, begin: float) -> Text:
    left = counts.seconds_left(now)
    parts = [(name, "bold"), f"  {counts.title}   {counts.num_ended}/{counts.num_planned} trials"]
    parts += [(f"  {counts.num_failed} failed", "red")] if counts.num_failed else []
    parts.append(f"   {duration(now - begin)} elapsed")
    parts += [f"   ~{duration(left)} left"] if left is not None else []
    return Text.assemble(*parts)


def _losses(counts: Counts, columns: int) -> Table:
    rows = Table(box=None, padding=(0, 1), width=columns, pad_edge=False)
    rows.add_column(" loss", no_wrap=True, overflow="ellipsis", ratio=1)
    for title in ("done", "run", "pruned", "fail", f"{counts.summary} Dice"):
        rows.add_column(title, justify="right", no_wrap=True)
    rows.add_column("trial" if counts.summary == "best" else "n", no_wrap=True, overflow="ellipsis", max_width=16)
    leader = _leader(counts)
    shown = list(counts.losses.items())
    if len(shown) > MAX_LOSSES + 1:
        # Losses at work and good ones first; the order of the recipe otherwise.
        shown = sorted(shown, key=lambda item: -(_score(item[1], counts) or 0.0))[:MAX_LOSSES]
    for loss, loss_counts in shown:
        rows.add_row(*_row(loss, loss_counts, counts), style="green" if loss == leader else "")
    if len(shown) < len(counts.losses):
        rows.add_row(f" and {len(counts.losses) - len(shown)} losses more", style="dim")
    return rows


def _row(loss: str, counts: LossCounts, stage: Counts) -> Iterable[str]:
    running = sum(trial.loss == loss for trial in stage.running.values())
    score = _score(counts, stage)
    best = counts.best
    last = best[0].removeprefix(f"{loss}-") if stage.summary == "best" and best else str(len(counts.scores) or "")
    number = f"{counts.num_ended}/{counts.planned}"
    return f" {one_line(loss)}", number, str(running), *_zero_free(counts), "" if score is None else f"{score:.4f}", last


def _zero_free(counts: LossCounts) -> tuple[str, str]:
    return str(counts.states["pruned"] or "-"), str(counts.states["failed"] or "-")


def _score(counts: LossCounts, stage: Counts) -> float | None:
    if stage.summary == "mean":
        return counts.mean
    return counts.best[1] if counts.best else None


def _leader(counts: Counts) -> str | None:
    scores = {loss: score for loss, loss_counts in counts.losses.items() if (score := _score(loss_counts, counts)) is not None}
    return max(scores, key=lambda loss: scores[loss], default=None)


def _running(counts: Counts) -> list[Text]:
    """A trial a line; how many more there are stands on the last."""
    texts = []
    for trial_id, trial in counts.running.items():
        epochs = f" ep {trial.epoch}/{trial.epochs}" if trial.epochs else ""
        score = f" {trial.score:.3f}" if trial.score is not None else ""
        texts.append(f"{trial_id}{epochs}{score}{f' {trial.worker}' if trial.worker else ''}")
    hidden = len(texts) - MAX_RUNNING
    shown = texts if hidden <= 0 else [*texts[: MAX_RUNNING - 1], f"and {hidden + 1} more"]
    return [Text.assemble(("running  " if not line else "         ", "dim"), one_line(text)) for line, text in enumerate(shown)]


def _cut(text: Text, columns: int) -> Text:
    text.truncate(columns, overflow="ellipsis")
    text.no_wrap = True
    return text
