"""The W&B Report of a sweep: its blocks and panels, in wandb-workspaces' classes. Makes them; `report_process` sends them.

Every name of a metric here is one that the runs have: `rows.py` names what is logged, `settings.py` the configuration. Nested
configuration is addressed as W&B keeps it, by `loss.params.gamma` in panels (the library turns it into `loss.value.params.gamma`) and by
`sweep.value.uuid` in filters (there it does not).
"""

from collections.abc import Iterable, Mapping
from typing import Any

from sweeps.report.overview import LossView, Overview
from sweeps.report.palette import MARKS
from sweeps.report.wording import say_metric, short
from sweeps.tracking import report_text
from sweeps.tracking.settings import run_id

#: of a finalist's curve; what the search is steered by, whatever the objective
CURVE = "val/membrane_dice"
SECONDS = "time/train_s"
_MANY = 100


def library() -> Any:
    """Return wandb-workspaces' module of reports, whose classes it exports in a way that type checkers do not see."""
    import wandb_workspaces.reports.v2

    return wandb_workspaces.reports.v2


class Place:
    """Where the sweep's runs are, and how runs of it are picked."""

    def __init__(self, overview: Overview, *, entity: str, project: str) -> None:
        self.overview, self.entity, self.project = overview, entity, project
        self.score = f"best/{overview.metric}"

    def runset(self, name: str, *job_types: str, loss: str | None = None, only: Iterable[str] | None = None) -> Any:
        """Return the sweep's runs of some job types, best first, in the local report's colours; those not in `only` (trials) are hidden."""
        from wandb_workspaces import expr

        wr, record = library(), self.overview.record
        filters = [expr.Metric("Group") == record.name, expr.Config("sweep.value.uuid") == record.uuid]
        filters.append(expr.Metric("JobType").isin(list(job_types)))
        filters += [expr.Config("loss.value.name") == loss] if loss is not None else []
        shown = None if only is None else {run_id(record.uuid, trial) for trial in only}
        colours = {run: wr.RunSettings(color=colour) for run, colour in self._colours(job_types, loss).items()}
        for run, settings in colours.items():
            settings.disabled = shown is not None and run not in shown
        # the summary has no score, and would come last
        order = wr.OrderBy(
            "CreatedTimestamp" if "summary" in job_types else wr.SummaryMetric(self.score),
            ascending="summary" not in job_types and not self.overview.maximise,
        )
        return wr.Runset(self.entity, self.project, name, filters=expr.And(*filters), run_settings=colours, order=[order])

    def _colours(self, job_types: tuple[str, ...], loss: str | None) -> Mapping[str, str]:
        """Run -> colour. A run keeps its loss's colour in every panel, as in the local report."""
        return {
            run_id(self.overview.record.uuid, trial.trial_id): MARKS[view.look.hue].light
            for view in self.overview.losses
            if loss is None or view.name == loss
            for job_type, trials in (("trial", view.search), ("finalist", view.finalists))
            if job_type in job_types
            for trial in trials
        }


def blocks(overview: Overview, *, entity: str, project: str, media: list[str]) -> list[Any]:
    """Return the report's blocks. `media` are the keys of pictures that runs of the sweep have logged."""
    wr = library()

    place = Place(overview, entity=entity, project=project)
    found = [wr.CalloutBlock(report_text.answer(overview)), wr.MarkdownBlock(report_text.reservations(overview))]
    if any(loss.runs for loss in overview.losses):
        found += [wr.H2("Finalists"), wr.MarkdownBlock(report_text.finalists_table(overview)), _finalists(place)]
    found += [wr.H2("The search"), *_search(place)]
    if media:
        found += [wr.H2("Pictures"), _pictures(place, media)]
    if methods := report_text.methods_text(overview):
        found += [wr.H2("Methods"), wr.MarkdownBlock(methods)]
    return [*found, wr.H2("Reproduce"), wr.MarkdownBlock(report_text.reproduce(overview))]


def _finalists(place: Place) -> Any:
    """Bars, score against time, and curves, of the runs that rank."""
    wr = library()

    metric = say_metric(place.overview.metric)
    by_loss: dict[str, Any] = {"groupby": wr.Config("loss.name"), "groupby_aggfunc": "mean", "groupby_rangefunc": "minmax"}
    bars = wr.BarPlot(
        title=f"{metric} of the finalists: mean, and lowest to highest run (95% intervals: in the table)",
        metrics=[place.score],
        title_x=metric,
        max_bars_to_show=_MANY,
        max_runs_to_show=_MANY,
        layout=wr.Layout(0, 0, 12, 9),
        **by_loss,
    )
    time = wr.ScatterPlot(
        title=f"{metric} against train seconds, a point a run",
        x=wr.SummaryMetric(SECONDS),
        y=wr.SummaryMetric(place.score),
        layout=wr.Layout(12, 0, 12, 9),
    )
    curves = wr.LinePlot(
        title="Membrane Dice on the calibration sections: mean over the runs, and their range",
        x="epoch",
        y=[CURVE],
        title_x="epoch",
        max_runs_to_show=_MANY,
        smoothing_type="none",
        layout=wr.Layout(0, 9, 24, 10),
        **by_loss,
    )
    ranked = [trial.trial_id for loss in place.overview.losses for trial in loss.runs]
    return wr.PanelGrid(runsets=[place.runset("Finalists", "finalist", only=ranked)], panels=[bars, time, curves])


def _search(place: Place) -> list[Any]:
    """All trials together, then a loss's own parameters loss by loss: a line through parameters that a loss lacks would not be drawn."""
    wr = library()

    runs = place.runset("Search", "trial")
    columns = [wr.ParallelCoordinatesPlotColumn(wr.Config("loss.name"), display_name="loss"), *_shared(place)]
    panels = [
        wr.ParallelCoordinatesPlot(title="All trials", columns=[*columns, _scored(place)], layout=wr.Layout(0, 0, 16, 10)),
        wr.ParameterImportancePlot(with_respect_to=place.score, layout=wr.Layout(16, 0, 8, 10)),
        wr.RunComparer(diff_only="split", layout=wr.Layout(0, 10, 24, 10)),
    ]
    found: list[Any] = [wr.PanelGrid(runsets=[runs], panels=panels)]
    for loss in place.overview.losses:
        if len(loss.search) > 1 and (own := _own(loss)):
            found += [wr.H3(short(loss.name, 60)), _of_loss(place, loss, own)]
    return found


def _of_loss(place: Place, loss: LossView, own: list[str]) -> Any:
    wr = library()

    columns = [_column(place, f"loss.params.{name}", f"loss.{name}", loss.name) for name in own]
    panels = [
        wr.ParallelCoordinatesPlot(
            title=f"Trials of {short(loss.name, 60)}", columns=[*columns, *_shared(place), _scored(place)], layout=wr.Layout(0, 0, 16, 9)
        ),
        wr.ParameterImportancePlot(with_respect_to=place.score, layout=wr.Layout(16, 0, 8, 9)),
    ]
    return wr.PanelGrid(runsets=[place.runset(short(loss.name, 60), "trial", loss=loss.name)], panels=panels)


def _own(loss: LossView) -> list[str]:
    """The loss's own parameters that its trials differ in by being searched."""
    return list(dict.fromkeys(key.removeprefix("loss.") for trial in loss.search for key in trial.suggestion if key.startswith("loss.")))


def _shared(place: Place) -> list[Any]:
    """What every loss's trials search: the learning rate, as a rule."""
    searched = {key: None for trial in place.overview.record.trials for key in trial.suggestion if key.startswith("train.")}
    return [_column(place, key, key, None) for key in searched]


def _column(place: Place, address: str, searched: str, loss: str | None) -> Any:
    wr = library()

    name = searched.partition(".")[2]
    return wr.ParallelCoordinatesPlotColumn(wr.Config(address), display_name=name, log=_logarithmic(place, name, loss) or None)


def _logarithmic(place: Place, name: str, loss: str | None) -> bool:
    """Whether the recipe searches it on a logarithmic scale."""
    recipe = place.overview.record.recipe
    section = recipe.get("train") if loss is None else (recipe.get("losses") or {}).get(loss)
    domain = section.get(name) if isinstance(section, Mapping) else None
    return isinstance(domain, Mapping) and domain.get("log") is True


def _scored(place: Place) -> Any:
    wr = library()

    name = say_metric(place.overview.metric)
    return wr.ParallelCoordinatesPlotColumn(wr.SummaryMetric(place.score), display_name=name)


def _pictures(place: Place, media: list[str]) -> Any:
    wr = library()

    browser = wr.MediaBrowser(title="Pictures", media_keys=media, num_columns=4, layout=wr.Layout(0, 0, 24, 14))
    return wr.PanelGrid(runsets=[place.runset("Runs with pictures", "finalist", "summary")], panels=[browser])
