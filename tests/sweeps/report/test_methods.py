"""The Methods paragraph tells what was done, and every paper that it cites is in the list."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sweeps.parameters import parameters_that_mattered
from sweeps.record import SweepRecord
from sweeps.report import importance, tables
from sweeps.report.circumstances import grid as circumstances
from sweeps.report.citations import citations
from sweeps.report.commands import commands
from sweeps.report.front import caption as front_caption
from sweeps.report.methods import methods
from sweeps.report.overview import Overview, survey
from sweeps.verdict.compose import compute_verdict
from tests.sweeps.report.sample import make_record

_CITED = re.compile(r"([A-Z][\w-]+(?: et al\.| and [A-Z]\w+)? \d{4})")


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> SweepRecord:
    return make_record(tmp_path_factory.mktemp("methods") / "demo-001", losses=("bce", "dice", "focal"), epochs=6, pictures=False)


def changed(record: SweepRecord, section: str, **values: Any) -> SweepRecord:
    return replace(record, recipe=record.recipe | {section: record.recipe[section] | values})


def told(record: SweepRecord, **more: Any) -> tuple[str, Overview]:
    overview = survey(record, compute_verdict(record) | more)
    return " ".join(methods(overview)), overview


@pytest.mark.parametrize(
    "change",
    [
        lambda record: record,
        lambda record: changed(record, "search", sampler="qmc", allocation="shared"),
        lambda record: changed(record, "train", optimizer="adamw", schedule="cosine"),
        lambda record: changed(record, "search", sampler="gp", early_stop=None),
    ],
)
def test_each_paper_that_is_cited_is_listed_once(record: SweepRecord, change: Callable[[SweepRecord], SweepRecord]) -> None:
    text, overview = told(change(record))
    listed = citations(overview)
    found = set(_CITED.findall(text)) - {"ISBI 2012"}
    assert {"Ronneberger et al. 2015", "Ioffe and Szegedy 2015", "Cardona et al. 2010", "Holm 1979"} <= found
    for short in found:
        surname, year = short.split()[0], short[-4:]
        assert [entry for entry in listed if entry.text.startswith(surname) and f"({year})" in entry.text], short
    links = [entry.link for entry in listed if entry.link]
    assert len(links) == len(set(links)), "no paper twice"
    assert not [entry.text for entry in listed if re.search(r"\bdoi\b|arXiv", entry.text)], "the link is told once"
    both = next(entry for entry in listed if entry.text.startswith("Ronneberger"))
    assert both.about == "The network and loss bce"


def test_importance_is_cited_where_it_is_shown(record: SweepRecord) -> None:
    _, overview = told(record)
    shown = "PED-ANOVA" in " ".join(entry.about for entry in citations(overview))
    assert not shown, "four trials a loss are too few for it"


@pytest.mark.parametrize(
    ("section", "values", "said"),
    [
        ("train", {"schedule": "cosine"}, "lowered to 0 along a cosine (Loshchilov and Hutter 2017)"),
        ("train", {"schedule": "constant"}, "(logarithmic) and kept constant, for"),
        ("search", {"early_stop": None}, "Trials were chosen by Membrane Dice"),
        ("search", {"early_stop": {"kind": "asha", "grace_epochs": 6, "factor": 3}}, "Trials were chosen by Membrane Dice"),
        ("search", {}, "Trials were stopped and chosen by Membrane Dice"),
    ],
)
def test_what_the_recipe_says_is_told(record: SweepRecord, section: str, values: dict[str, Any], said: str) -> None:
    text, _ = told(changed(record, section, **values))
    assert said in text and "batch normalisation" in text


def test_the_test_really_made_is_told(record: SweepRecord) -> None:
    found = compute_verdict(record)
    text, _ = told(record, test=found["test"] | {"spread": "blocks", "df": 4, "alike_p": 0.4})
    assert "its error estimated from all losses together, losses and seeds taken out (randomised blocks, Fisher 1935; 4 degrees" in text
    assert "nothing shows that losses stray unequally (Levene 1960, p = .4)" in text
    text, _ = told(record, test=found["test"] | {"spread": "pairs", "df": 2, "alike_p": 0.001})
    assert "its error estimated from each pair's own differences (2 degrees of freedom), since losses stray unequally (Levene 1960" in text
    assert "Fisher" not in text and "corrected by Holm's rule (Holm 1979)" in text


def test_repeats_missing_runs_and_failures_are_told(record: SweepRecord) -> None:
    text, _ = told(record)
    assert "Seeds and folds were the same for every loss." in text and "adjusted" not in text
    losses = record.recipe["losses"] | {"again": {"loss": "bce"}}
    twice = [replace(trial, loss="again", seed=trial.seed + 3) for trial in record.of("bce", "finalist")]
    again = replace(record, recipe=record.recipe | {"losses": losses}, trials=(*record.trials, *twice))
    text, overview = told(again)
    assert "but for the seeds of again, a loss run again under another name, which had its own" in text
    cells = [row[1] for row in tables.leaderboard(overview).rows if row[1].value == "again"]
    assert cells[0].second.startswith("(repeat of bce)")
    gone = [
        replace(trial, state="failed", reason="nan", result=None) if trial.trial_id == "focal-f0-s0" else trial for trial in record.trials
    ]
    text, overview = told(replace(record, trials=tuple(gone)))
    assert "Of 9 such runs 1 failed." in text and "means adjusted for which runs they have" in text
    titles = [column.title for column in tables.leaderboard(overview).columns]
    assert titles[titles.index("Membrane Dice") + 1] == "Adjusted"
    assert "Adjusted" not in [column.title for column in tables.leaderboard(survey(record, compute_verdict(record))).columns]


def test_labels_that_were_generated_are_no_labels_that_are(record: SweepRecord) -> None:
    made = replace(record, data=record.data | {"membrane_rule": "generated with the sections: membrane is 24.71% of pixels"})
    assert "The labels were generated with the sections: membrane is 24.71% of pixels." in told(made)[0]
    assert "Training ran on the CPU (a processor with AVX-512 bf16) in bf16 with" in told(record)[0]


def test_commands_are_those_that_can_run(record: SweepRecord) -> None:
    verdict = compute_verdict(record)
    slow = [command.line for command in commands(survey(record, verdict | {"fastest": None}), Path("results/demo-001"))]
    assert not [line for line in slow if "fastest" in line] and "sweeps best results/demo-001 --out winner.yaml" in slow
    fast = commands(survey(record, verdict | {"fastest": {"loss": "bce"}}), Path("results/demo-001"))
    assert "sweeps rerun results/demo-001 --trial fastest" in [command.line for command in fast]


def test_a_command_is_one_line_and_a_switch_is_a_recipe_s(record: SweepRecord) -> None:
    known = record.provenance | {"command": ["sweeps", "launch", "my recipe.yaml"], "dirty": True}
    cells = {row[1].text: row[2].text for row in circumstances(survey(replace(record, provenance=known), {})).rows}
    assert cells["command"] == "sweeps launch 'my recipe.yaml'" and cells["dirty"] == "true"


def test_one_reason_for_all_losses_is_said_once(record: SweepRecord) -> None:
    _, overview = told(record, parameters=parameters_that_mattered(record, {"seed_spread": 0.002}))
    found = importance.statements(overview)
    assert found is not None and not found["rows"] and not found["rule"]
    assert found["reason"].startswith("Not known of any loss: ") and found["reason"].count("too few") == 1


def test_the_front_is_named(record: SweepRecord) -> None:
    _, overview = told(record, front=["focal", "bce"])
    named = [loss.label for loss in overview.losses if loss.name in ("focal", "bce")]
    assert f"on the front: {named[0]} and {named[1]}." in front_caption(overview)
