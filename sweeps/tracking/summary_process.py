"""The process that makes a sweep's summary run: `python -m sweeps.tracking.summary_process DIR online|offline SECONDS`.

It is started by `summary_run` and may be ended at any moment. Whatever W&B raises ends it with an exit code other than 0.
"""

import logging
import os
import sys
from pathlib import Path
from typing import Any

from sweeps.record import SweepRecord, load_results, read_json
from sweeps.tracking import summary_tables
from sweeps.tracking.fallback import keep_the_last
from sweeps.tracking.run import close_run, open_run
from sweeps.tracking.settings import TrackingSettings, run_id, version_tag
from sweeps.tracking.summary_run import NAME, end_children


def main() -> None:
    """Make the run of the folder, in the mode and within the seconds that the arguments name."""
    logging.basicConfig(level=logging.ERROR, format="%(message)s")
    try:
        make(Path(sys.argv[1]), sys.argv[2], float(sys.argv[3]))
    except Exception as error:  # noqa: BLE001 - whatever W&B raises is told in one line, and not followed by what it says on leaving
        end_children(os.getpid())
        sys.stderr.write(f"\n{type(error).__name__}: {' '.join(str(error).split())}\n")
        sys.stderr.flush()
        os._exit(1)


def make(folder: Path, mode: str, seconds: float) -> None:
    """Open, fill and close the summary run. Raises what W&B raises."""
    record, verdict = load_results(folder), read_json(folder / "verdict.json")
    settings = settings_of(record, mode, seconds)
    run = open_run(settings, mode)
    import wandb

    tables: dict[str, Any] = summary_tables.tables(record, verdict)
    if tables:
        run.log({name: wandb.Table(columns=columns, data=rows) for name, (columns, rows) in tables.items()})
    for artifact, aliases in artifacts(record, verdict):
        run.log_artifact(artifact, aliases=aliases)
    close_run(run, summary_tables.summary(record, verdict), state="complete", reason=None)
    keep_the_last(settings, mode)


def settings_of(record: SweepRecord, mode: str, seconds: float) -> TrackingSettings:
    """Return the settings of the summary run: the sweep's group, and what all its trials have in common as configuration."""
    recipe, told = record.recipe, summary_tables.dataset(record)
    return TrackingSettings(
        mode=mode,  # type: ignore[arg-type]  # checked in __post_init__
        project=recipe["wandb"]["project"],
        group=record.name,
        job_type="summary",
        run_id=run_id(record.uuid, NAME),
        name=NAME,
        tags=("summary", *version_tag()),
        config={
            "sweep": {"name": record.name, "uuid": record.uuid},
            "data": told,
            "code": record.provenance.get("code"),
            "versions": record.provenance.get("versions"),
            **{section: recipe[section] for section in ("losses", "model", "train", "search", "finalists", "speed") if section in recipe},
        },
        folder=record.folder,
        init_timeout_s=seconds,
        finish_timeout_s=seconds,
    )


def artifacts(record: SweepRecord, verdict: dict[str, Any]) -> list[tuple[Any, list[str]]]:
    """Return the artifacts with their aliases: the data's hash, the weights of the best and of the fastest finalist, the report."""
    import wandb

    told = summary_tables.dataset(record)
    data = wandb.Artifact(f"dataset-{told['sha256'][:12]}", type="dataset", metadata=told)
    data.add_reference(f"sha256:{told['sha256']}", name="sections", checksum=False)
    made: list[tuple[Any, list[str]]] = [(data, [])]
    named = {which: trial for which in ("best", "fastest") if (trial := summary_tables.shown_trial(record, verdict, which)) is not None}
    for trial in {trial.trial_id: trial for trial in named.values()}.values():
        scores = (trial.result or {}).get("scores")
        metadata = {"trial": trial.trial_id, "loss": trial.loss, "suggestion": trial.suggestion, "seed": trial.seed, "scores": scores}
        model = wandb.Artifact(f"model-{record.name}", type="model", metadata=metadata | {"sweep": record.uuid})
        model.add_file(str(trial.folder / "best.safetensors"), name="model.safetensors")  # a copy, so that no path of this machine is sent
        made.append((model, [which for which, own in named.items() if own is trial]))
    page = record.folder / "report" / "index.html"
    if page.is_file():
        report = wandb.Artifact(f"report-{record.name}", type="report", metadata={"sentence": verdict.get("sentence")})
        with report.new_file("index.html", encoding="utf-8") as file:
            file.write(summary_tables.page_without_places(page.read_text(encoding="utf-8"), record))
        made.append((report, []))
    return made


if __name__ == "__main__":
    main()
