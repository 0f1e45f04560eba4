"""The doctor: every topic is looked at, what is wrong comes with advice, secrets stay where they are."""

import importlib.metadata
import resource
from pathlib import Path

import pytest

from sweeps import doctor
from sweeps.doctor import Finding, examine


def named(findings: list[Finding], name: str) -> Finding:
    return next(finding for finding in findings if finding.name == name)


def test_every_topic_is_looked_at(tmp_path: Path) -> None:
    findings = examine(tmp_path / "not there yet" / "results")
    assert list(dict.fromkeys(finding.topic for finding in findings)) == ["versions", "processor", "gpu", "limits", "disk", "wandb", "ray"]
    assert named(findings, "torch").value == importlib.metadata.version("torch")
    assert all(finding.advice for finding in findings if finding.level != "ok")


def test_no_secret_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    canary = "canary" + "0123456789abcdef" * 2
    monkeypatch.setattr("sweeps.tracking.mode.probe", lambda **options: (True, False))
    monkeypatch.setenv("WANDB_API_KEY", canary)
    findings = examine(tmp_path, environment={"RAY_AUTH_TOKEN": canary, "WANDB_API_KEY": canary})
    assert canary not in repr(findings)
    assert named(findings, "token for --address").value == "in RAY_AUTH_TOKEN"
    assert named(findings, "mode auto").value == "offline"


def test_ray_without_authentication_is_a_warning(tmp_path: Path) -> None:
    findings = doctor._ray({"RAY_AUTH_MODE": "disabled"})
    assert named(findings, "authentication").level == "warning"
    assert "can run code" in named(findings, "authentication").advice


def test_a_token_that_others_can_read_is_a_warning(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("secret")
    token.chmod(0o644)
    finding = named(doctor._ray({"RAY_AUTH_TOKEN_PATH": str(token)}), "token for --address")
    assert (finding.level, finding.advice) == ("warning", f"other users of this machine can read the token: chmod 600 {token}")
    token.chmod(0o600)
    assert named(doctor._ray({"RAY_AUTH_TOKEN_PATH": str(token)}), "token for --address").level == "ok"


def test_few_open_files_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (256, 65536))
    finding = named(doctor._limits(), "open files")
    assert (finding.value, finding.level) == ("256", "warning")
    assert "ulimit -n 4096" in finding.advice


def test_a_missing_or_old_package_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        if name == "optuna":
            raise importlib.metadata.PackageNotFoundError(name)
        return "2.9.0+cpu" if name == "torch" else "99.0"

    monkeypatch.setattr(doctor.importlib.metadata, "version", version)
    findings = doctor._versions()
    assert (named(findings, "optuna").value, named(findings, "optuna").level) == ("missing", "error")
    assert (named(findings, "torch").level, named(findings, "torch").advice) == ("error", "pip install 'torch>=2.10'")
    assert named(findings, "ray").level == "ok"


def test_little_room_is_a_warning_and_a_locked_folder_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type("Usage", (), {"free": 2**20, "total": 2**30})
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda folder: usage)
    assert named(doctor._disk(tmp_path), "results").level == "warning"
    monkeypatch.setattr(doctor.os, "access", lambda folder, mode: False)
    assert named(doctor._disk(tmp_path), "results").level == "error"


def test_the_processor_says_whether_it_has_bf16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_cpu_flags", lambda: {"avx2", "avx512f", "avx512_bf16"})
    assert named(doctor._processor(), "instructions") == Finding(topic="processor", name="instructions", value="avx2, avx512f, avx512_bf16")
    monkeypatch.setattr(doctor, "_cpu_flags", lambda: {"avx2"})
    assert "no bf16" in named(doctor._processor(), "instructions").advice
    monkeypatch.setattr(doctor, "_cpu_flags", lambda: None)
    assert [finding.name for finding in doctor._processor()] == ["cores"]
