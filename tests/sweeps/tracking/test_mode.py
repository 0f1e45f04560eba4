"""Online, offline or off: by what is requested, and by what is there."""

import time
from pathlib import Path

import pytest

from sweeps.tracking import mode as tracking_mode
from sweeps.tracking.mode import choose_mode, decide_mode, probe
from tests.sweeps.tracking.wandb_server import wandb_server


@pytest.mark.parametrize(
    ("requested", "key_present", "server_reachable", "mode", "said"),
    [
        ("auto", True, True, "online", "online"),
        ("auto", True, False, "offline", "did not answer"),
        ("auto", False, False, "offline", "no key was found"),
        ("auto", False, True, "offline", "no key was found"),
        ("online", True, True, "online", "online"),
        ("online", True, False, "online", "did not answer just now"),
        ("online", False, True, "offline", "no key was found"),
        ("offline", True, True, "offline", "as requested"),
        ("disabled", True, True, "disabled", "off"),
    ],
)
def test_the_mode_follows_from_key_and_server(requested: str, key_present: bool, server_reachable: bool, mode: str, said: str) -> None:
    decided, sentence = decide_mode(requested, key_present=key_present, server_reachable=server_reachable)
    assert decided == mode and said in sentence


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(ValueError, match="wandb.mode is 'on'; allowed: auto, online, offline, disabled"):
        decide_mode("on", key_present=True, server_reachable=True)


def test_wandb_not_installed_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking_mode.importlib.util, "find_spec", lambda name: None)
    mode, sentence = decide_mode("auto", key_present=True, server_reachable=True)
    assert mode == "disabled" and sentence == "W&B is off: it is not installed (pip install wandb)."


def test_without_a_key_the_network_is_not_touched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    monkeypatch.setattr(tracking_mode, "_answers", lambda *_: pytest.fail("asked a server"))
    assert probe() == (False, False)
    assert choose_mode("auto")[0] == "offline"


def test_a_key_in_netrc_and_a_server_that_answers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with wandb_server() as (address, _):
        (tmp_path / "netrc").write_text(f"machine {address.removeprefix('http://')} login user password {'c' * 40}\n")
        (tmp_path / "netrc").chmod(0o600)
        monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
        monkeypatch.setenv("WANDB_BASE_URL", address)
        assert probe() == (True, True)
        assert choose_mode("auto") == ("online", "W&B is online.")
        monkeypatch.setenv("WANDB_MODE", "offline")
        assert choose_mode("auto")[0] == "offline"
        assert choose_mode("online")[0] == "online", "an explicit mode holds"
        (tmp_path / "netrc").write_text("machine elsewhere.example login user password secret\n")
        assert probe() == (False, False)


def test_a_server_that_does_not_answer_costs_only_the_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "c" * 40)
    with wandb_server() as (address, received):
        received.delay_s = 30.0
        monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
        assert probe(timeout_s=0.5) == (True, False)
        monkeypatch.setenv("WANDB_BASE_URL", address)
        begin = time.perf_counter()
        assert probe(timeout_s=0.3) == (True, False)
        assert time.perf_counter() - begin < 5.0
