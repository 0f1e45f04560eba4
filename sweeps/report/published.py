"""Published figures beside this sweep's: running times, own loss values, and where each loss stands by them and by the scores."""

from dataclasses import dataclass

from sweeps.report.canvas import NothingToShow
from sweeps.report.grid import Cell, Column, Grid, estimated, figure
from sweeps.report.overview import LossView, Overview
from sweeps.report.published_rows import Printed, Value, clocks, places, printed_in, turned, values
from sweeps.report.wording import ABSENT, bare, clean, count, dig, listed, say, say_metric, short

CAUTION = (
    "Loss values of different losses do not compare: each loss counts the same errors in a unit of its own, "
    "so the smallest value does not show the best network."
)
SCORES = ("membrane_dice", "v_rand")


@dataclass(frozen=True, kw_only=True)
class Section:
    """What stands above the tables."""

    source: str
    """Who printed the figures."""
    circumstances: str
    """What theirs and ours ran on."""
    finding: str
    """How far the order by own loss value is from the order by score; empty where one of them is not known."""
    caution: str
    note: str
    """The recipe's own words about the figures."""


def section(overview: Overview) -> Section | None:
    """Return the head of the part; None where the recipe has no published figures."""
    printed = printed_in(overview)
    if printed is None:
        return None
    return Section(
        source=printed.source,
        circumstances=_circumstances(overview, printed),
        finding=_finding(overview, printed),
        caution=CAUTION,
        note=printed.note,
    )


def _circumstances(overview: Overview, printed: Printed) -> str:
    devices = [dig(trial.result, "environment.device") for loss in overview.losses for trial in (loss.runs or loss.search)]
    ours = listed(list(dict.fromkeys(clean(device, 80) for device in devices if device)))
    theirs = printed.hardware or "hardware that is not known"
    epochs = f", {count(printed.epochs, 'epoch')} each" if printed.epochs else ""
    here = f" Ours ran on {ours}." if ours else ""
    return f"The published trainings ran on {theirs}{epochs}.{here} Times on unlike hardware do not compare; their order may."


def _finding(overview: Overview, printed: Printed) -> str:
    """Say who is first by its own value and where the scores put it."""
    rows = values(overview, printed)
    by_own = places({row.loss.name: row.ours for row in rows}, lower_is_better=True)
    by_score = score_places([row.loss for row in rows], SCORES[0])
    swapped, pairs = turned(by_own, by_score)
    if not pairs:
        return ""
    first = next(row.loss for row in rows if by_own.get(row.loss.name) == 1)
    place = by_score.get(first.name)
    by_scores = f", by {say_metric(SCORES[0])} {'also ' if place == 1 else ''}{_ordinal(place)}" if place else ""
    other = f"{swapped} of {count(pairs, 'pair')} of losses {'stands' if swapped == 1 else 'stand'} the other way round"
    return f"By its own loss value {first.name_shown} is 1st of {len(by_own)}{by_scores}; {other} by the score."


def _ordinal(place: int) -> str:
    ending = "th" if place % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(place % 10, "th")
    return f"{place}{ending}"


def score_places(losses: list[LossView], metric: str) -> dict[str, int]:
    """Return the places of these losses, among themselves, by the ranking's mean of a score."""
    return places({loss.name: loss.estimate(metric).mean for loss in losses}, lower_is_better=False)


def grid_time(overview: Overview) -> Grid:
    """Return the published running times beside ours; NothingToShow where none were published."""
    printed = printed_in(overview)
    rows = clocks(overview, printed) if printed else []
    if not rows:
        raise NothingToShow("the recipe has no published running times.")
    brought = any(row.alike != row.ours for row in rows)  # with the same number of epochs one column says it all
    their_place = places({row.loss.name: row.printed for row in rows}, lower_is_better=True)
    our_place = places({row.loss.name: row.alike for row in rows}, lower_is_better=True)
    fastest = min((row.alike for row in rows if row.alike is not None), default=None)
    cells = tuple(
        (
            _name(row.loss),
            _seconds(row.printed, rows[0].printed),
            _place(their_place, row.loss),
            _seconds(row.ours, None if brought else fastest),
            _seconds(row.with_eval, None),
            _seconds(row.alike, fastest),
            _place(our_place, row.loss),
        )
        for row in rows
    )
    caption = (
        "Running time of each loss, as published and here; under it, as a multiple of the fastest. Published times may have validation in "
        "them; ours are placed by training alone, and stand with evaluation beside it."
    )
    columns = _time_columns(f"Ours for {count(printed.epochs, 'epoch')}, s" if printed and printed.epochs and brought else "")
    return Grid(name="published_time", caption=caption, columns=columns, rows=cells, sortable=True)


def _time_columns(alike: str) -> tuple[Column, ...]:
    def clock(key: str, title: str, hint: str) -> Column:
        return Column(key=key, title=title, numeric=True, lower_is_better=True, hint=hint)

    return (
        Column(key="loss", title="Loss", lower_is_better=True),
        clock("published_seconds", "Published, s", "of one training"),
        clock("published_place", "Place", "by the published time; 1 is the fastest"),
        clock("train_seconds", "Ours, s", "train seconds, median over the runs that rank"),
        clock("train_and_eval_seconds", "With evaluation, s", "ours, of training and of the scoring after epochs"),
        clock("alike_seconds", alike, "train seconds, brought to the published number of epochs"),
        clock("place", "Place", "by our train seconds; 1 is the fastest"),
    )


def _seconds(value: float | None, fastest: float | None) -> Cell:
    text = ABSENT if value is None else f"{value:,.1f}" if value >= 10 else bare(f"{value:.2f}")
    return Cell(text=text, value=value, second=f"{value / fastest:.3f} x" if value is not None and fastest else "")


def grid_loss(overview: Overview) -> Grid:
    """Return the published own loss values beside ours and beside the scores; NothingToShow where none were published."""
    printed = printed_in(overview)
    rows = values(overview, printed) if printed else []
    if not rows:
        raise NothingToShow("the recipe has no published loss values.")
    losses = [row.loss for row in rows]
    ranks = [
        places({row.loss.name: row.printed for row in rows}, lower_is_better=True),
        places({row.loss.name: row.ours for row in rows}, lower_is_better=True),
        *(score_places(losses, metric) for metric in SCORES),
    ]
    cells = tuple(
        (
            _name(row.loss),
            figure(row.printed, digits=4),
            _place(ranks[0], row.loss),
            _own(row),
            _place(ranks[1], row.loss),
            Cell(text="", value=row.section),
            Cell(text="", value=row.run),
            figure(row.mean, digits=4),
            *(cell for metric, rank in zip(SCORES, ranks[2:], strict=True) for cell in _score(row.loss, metric, rank)),
        )
        for row in rows
    )
    caption = "Each loss's own value on a test sample, as published and here, beside the mean scores of all runs that rank."
    return Grid(name="published_loss", caption=caption, columns=_loss_columns(), rows=cells, sortable=True)


def _loss_columns() -> tuple[Column, ...]:
    def number(key: str, title: str, hint: str, *, lower: bool = True) -> Column:
        return Column(key=key, title=title, numeric=True, lower_is_better=lower, hint=hint)

    scores = [
        (
            number(metric, say_metric(metric), "mean over the runs that rank", lower=False),
            number(f"{metric}_place", "Place", f"by {say_metric(metric)}; 1 is the highest"),
        )
        for metric in SCORES
    ]
    return (
        Column(key="loss", title="Loss", lower_is_better=True),
        number("published_own_loss", "Own loss, published", "on one test sample"),
        number("published_place", "Place", "by the published loss value; 1 is the smallest"),
        number("own_loss", "Own loss, ours", "on the first test section of the first run"),
        number("own_loss_place", "Place", "by our loss value on that section; 1 is the smallest"),
        Column(key="section", title=""),
        Column(key="run", title=""),
        number("own_loss_mean", "Mean of ours", "over all test sections of the runs that rank"),
        *(column for pair in scores for column in pair),
    )


def _name(loss: LossView) -> Cell:
    return Cell(text=short(loss.name, 40), value=loss.name, loss=loss)


def _place(found: dict[str, int], loss: LossView) -> Cell:
    return Cell(text=str(found.get(loss.name, ABSENT)), value=found.get(loss.name))


def _own(row: Value) -> Cell:
    return Cell(text=say(row.ours, 4), value=row.ours, second="" if row.section is None else f"section {row.section}")


def _score(loss: LossView, metric: str, rank: dict[str, int]) -> tuple[Cell, Cell]:
    return estimated(loss.estimate(metric)), _place(rank, loss)
