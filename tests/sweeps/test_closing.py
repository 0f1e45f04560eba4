"""The winners' folders hold what belongs to this winner, and nothing of the last one."""

import dataclasses
from pathlib import Path

from sweeps.closing import write_winner
from sweeps.record import SweepRecord, TrialRecord
from tests.sweeps.small import small_recipe


def test_a_winner_without_weights_does_not_keep_the_last_ones(tmp_path: Path) -> None:
    trial = TrialRecord(
        trial_id="bce-0001", stage="search", loss="bce", function="bce", suggestion={"train.lr": 1e-3}, seed=0, fold=None, state="pruned",
        folder=tmp_path / "trials" / "bce-0001",
    )  # fmt: skip
    record = SweepRecord(
        name="small", uuid="0", folder=tmp_path, recipe=small_recipe().resolved(), provenance={}, data={}, sanity=[], trials=(trial,)
    )
    other = dataclasses.replace(trial, trial_id="bce-0000", folder=tmp_path / "trials" / "bce-0000")
    other.folder.mkdir(parents=True)
    (other.folder / "best.safetensors").write_bytes(b"weights")
    both = dataclasses.replace(record, trials=(other, trial))
    best = tmp_path / "best"
    for named, files in (
        ("bce-0000", {"recipe.yaml", "metrics.json", "model.safetensors"}),
        ("bce-0001", {"recipe.yaml", "metrics.json"}),
    ):
        write_winner(both, {"best": {"trial": named}}, "best")
        assert {path.name for path in best.iterdir()} == files
    write_winner(both, {"best": None}, "best")
    assert not best.exists()
