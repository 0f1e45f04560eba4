"""Failed trials are drawn and told as failed, and give nothing; ranges, words and marks of the strips lie where they can be read."""

from dataclasses import replace
from pathlib import Path

import pytest
from matplotlib.axes import Axes
from matplotlib.text import Annotation

from sweeps.parameters import parameters_that_mattered
from sweeps.record import SweepRecord, TrialRecord
from sweeps.report import curves, history, slices, spending, strips
from sweeps.report.canvas import NARROW, WIDE, Layout, NothingToShow
from sweeps.report.overview import Overview, survey
from sweeps.report.trial_marks import say_marks
from sweeps.verdict.compose import compute_verdict
from tests.sweeps.report.sample import make_record

LAYOUTS = pytest.mark.parametrize("layout", [WIDE, NARROW], ids=lambda layout: layout.name)


def failed_late(record: SweepRecord, *names: str) -> SweepRecord:
    """The same sweep, in which these trials failed after epochs that had scores, high ones."""

    def lost(trial: TrialRecord) -> TrialRecord:
        rows = tuple(row | {"membrane_dice": 0.95} for row in trial.curve[:2])
        return replace(trial, state="failed", reason="nan", error="NonFiniteLoss: nan", curve=rows, result=None)

    return replace(record, trials=tuple(lost(trial) if trial.trial_id in names else trial for trial in record.trials))


@pytest.fixture(scope="module")
def overview(tmp_path_factory: pytest.TempPathFactory) -> Overview:
    record = make_record(tmp_path_factory.mktemp("marks") / "demo-001", losses=("bce", "focal"), trials=4, epochs=4, pictures=False)
    record = failed_late(record, "bce-0001", "focal-0001")
    return survey(record, compute_verdict(record))


def crosses(axes: Axes) -> int:
    return sum(line.get_marker() == "x" for line in axes.lines)


@LAYOUTS
def test_a_failed_trial_is_a_cross_wherever_trials_are_drawn(overview: Overview, layout: Layout) -> None:
    assert crosses(spending.draw(overview, layout).axes[0]) == 2
    assert sum(crosses(axes) for axes in history.draw(overview, layout).axes) == 3, "focal-0003 has no score, and its cross is at the edge"
    for caption in (spending.caption(overview), history.caption(overview), strips.caption(overview)):
        assert "crosses failed" in caption and "hollow markers were pruned early" in caption


def test_marks_are_told_where_they_are(tmp_path: Path) -> None:
    record = make_record(tmp_path / "demo-001", losses=("bce", "focal"), trials=2, epochs=3, pictures=False)
    whole = survey(record, compute_verdict(record))
    for caption in (spending.caption(whole), history.caption(whole), strips.caption(whole)):
        assert "pruned" not in caption and "failed" not in caption
    assert say_marks(["complete", "failed", "running"]) == "crosses failed and small ones have not ended"


def test_what_failed_is_no_best(overview: Overview) -> None:
    for loss in overview.losses:
        assert all(best < 0.9 for _, best in history.best_so_far(loss, overview))
        assert all(best < 0.9 for *_, best in spending.progress(loss, overview))
        spent = spending.progress(loss, overview)[-1][1]
        assert spent == pytest.approx(sum(spending.train_seconds(trial) or 0.0 for trial in loss.search)), "it cost its seconds"


def test_of_failures_alone_there_is_no_curve_and_no_history(tmp_path: Path) -> None:
    record = make_record(tmp_path / "demo-001", losses=("bce", "focal"), trials=2, seeds=0, epochs=3, pictures=False)
    record = failed_late(record, *(trial.trial_id for trial in record.trials))
    overview = survey(record, compute_verdict(record))
    for plot in (curves, history):
        with pytest.raises(NothingToShow, match="failed|did not fail"):
            plot.draw(overview, WIDE)
    assert crosses(spending.draw(overview, WIDE).axes[0]) == 4
    assert "One trial a loss" not in spending.caption(overview)


@LAYOUTS
def test_finalists_have_an_axis_of_their_own_and_words_stand_beside_it(overview: Overview, layout: Layout) -> None:
    search, finalists = strips.draw(overview, layout).axes
    assert search.get_xlim() != finalists.get_xlim()
    scores = [overview.score(trial) for loss in overview.losses for trial in loss.finalists]
    low, high = finalists.get_xlim()
    assert all(score is not None and low <= score <= high for score in scores)
    notes = [text for text in search.texts if isinstance(text, Annotation)]
    words = [text for text in notes if "above" in text.get_text() or "below" in text.get_text()]
    assert words, "0.95 of a failed trial is off the scale"
    for text in words:
        assert text.get_horizontalalignment() == "right" and text.xyann[0] < 0, "outside the axes"
    assert "Words beside the axis" in strips.caption(overview)


def test_epochs_are_whole_numbers(overview: Overview) -> None:
    ticks = curves.draw(overview, WIDE).axes[0].get_xticks()
    assert all(float(tick).is_integer() for tick in ticks)


def test_captions_name_panels_and_no_sides(overview: Overview) -> None:
    assert not {"Left", "Right"} & set(spending.caption(overview).replace(":", " ").split()), "on a telephone they are stacked"


def test_the_caption_of_slices_says_what_is_drawn(overview: Overview) -> None:
    told = parameters_that_mattered(overview.record, {"seed_spread": 0.002})
    said = slices.caption(survey(overview.record, {**overview.verdict, "parameters": told}))
    assert "Which trials tie with the best is not known, so all are grey." in said
    assert "Coloured" not in said and "do not tie" not in said
