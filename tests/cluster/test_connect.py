"""Resources that nobody has are refused at once; a local cluster is private and leaves nothing behind."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from cluster import connect
from cluster.connect import PREFIX, ClusterError, plan_resources

AUTO = {"cpus_per_trial": "auto", "gpus_per_trial": "auto", "max_concurrent": "auto"}


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> Any:
    def set_nodes(*resources: dict[str, float]) -> None:
        monkeypatch.setattr("ray.nodes", lambda: [{"Alive": True, "Resources": each} for each in resources])

    return set_nodes


@pytest.mark.parametrize(
    ("resources", "asked", "cpus", "gpus", "concurrent"),
    [
        ([{"CPU": 2.0}], {}, 1.0, 0.0, 2),
        ([{"CPU": 64.0}], {}, 8.0, 0.0, 8),
        ([{"CPU": 16.0, "GPU": 1.0}], {}, 16.0, 1.0, 1),
        ([{"CPU": 16.0, "GPU": 4.0}], {}, 4.0, 1.0, 4),
        ([{"CPU": 16.0, "GPU": 1.0}], {"gpus_per_trial": 0.25, "cpus_per_trial": 4}, 4.0, 0.25, 4),
        ([{"CPU": 8.0}, {"CPU": 8.0}], {"cpus_per_trial": 5}, 5.0, 0.0, 2),
        ([{"CPU": 8.0}], {"max_concurrent": 3}, 1.0, 0.0, 3),
        ([{"CPU": 8.0, "GPU": 2.0}], {"gpus_per_trial": 0}, 1.0, 0.0, 8),
    ],
)
def test_auto_takes_what_there_is(
    nodes: Any, resources: list[dict[str, float]], asked: dict[str, Any], cpus: float, gpus: float, concurrent: int
) -> None:
    nodes(*resources)
    found = plan_resources(**AUTO | asked)
    assert (found.cpus_per_trial, found.gpus_per_trial, found.max_concurrent) == (cpus, gpus, concurrent)


@pytest.mark.parametrize(
    ("resources", "asked"),
    [
        ([{"CPU": 2.0}], {"gpus_per_trial": 1}),
        ([{"CPU": 2.0}], {"cpus_per_trial": 3}),
        ([{"CPU": 2.0}, {"CPU": 2.0}], {"cpus_per_trial": 3}),
        ([{"CPU": 8.0}, {"CPU": 1.0, "GPU": 1.0}], {"gpus_per_trial": 1, "cpus_per_trial": 2}),
    ],
)
def test_what_no_node_has_is_refused_at_once_with_what_there_is(nodes: Any, resources: Any, asked: dict[str, Any]) -> None:
    nodes(*resources)
    with pytest.raises(ClusterError, match=r"a trial asks for .* and no node has them: there is 2|a trial asks for .*there is 8"):
        plan_resources(**AUTO | asked)


def test_an_address_where_nothing_answers_is_an_error_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(**options: Any) -> None:
        raise ConnectionError("connection refused")

    monkeypatch.setattr("ray.init", unreachable)
    with pytest.raises(ClusterError, match="no Ray cluster answers at '127.0.0.1:1'.*ray start --head"), connect.connect("127.0.0.1:1"):
        pass


@pytest.mark.parametrize(
    ("address", "environment", "refused"),
    [
        ("192.0.2.7:6379", {}, True),
        ("ray://head.example:10001", {}, True),
        ("192.0.2.7:6379", {"RAY_AUTH_TOKEN": "secret"}, False),
        ("192.0.2.7:6379", {"RAY_AUTH_MODE": "disabled"}, False),
        ("127.0.0.1:6379", {}, False),
        ("127.evil.example:6379", {}, True),
        ("ray://127.0.0.1.evil.example:10001", {}, True),
        ("127.8.0.1:6379", {}, False),
        ("[::1]:6379", {}, False),
        ("auto", {}, False),
    ],
)
def test_another_machines_cluster_wants_a_token(
    address: str, environment: dict[str, str], refused: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_AUTH_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    connected: list[str] = []
    monkeypatch.setattr("ray.init", lambda address, **options: connected.append(address))
    monkeypatch.setattr("ray.shutdown", lambda: None)
    if refused:
        with pytest.raises(ClusterError, match="there is no token for this cluster. Set RAY_AUTH_TOKEN"), connect.connect(address):
            pass
    else:
        with connect.connect(address):
            pass
    assert connected == ([] if refused else [address])


def test_what_a_killed_driver_left_in_the_temporary_folder_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        pass
    for name in (f"{PREFIX}{gone.pid}-dead", f"{PREFIX}{os.getpid()}-alive", f"{PREFIX}foreign", "other"):
        (tmp_path / name).mkdir()
    connect._sweep_up()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other", f"{PREFIX}{os.getpid()}-alive", f"{PREFIX}foreign"]


LOCAL = """
import os, sys, ray
from cluster.connect import connect
with connect():
    import ray._private.worker as worker
    print(worker._global_node.get_session_dir_path())
    print(sorted(ray.cluster_resources())[:1], os.environ["RAY_AUTH_MODE"], len(os.environ["RAY_AUTH_TOKEN"]))
    assert worker._global_node.webui_url in ("", None) or not worker._global_node.webui_url
"""


@pytest.mark.slow
def test_a_local_cluster_is_private_and_leaves_nothing_behind(tmp_path: Path) -> None:
    environment = os.environ | {"HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", LOCAL], env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    session, said = done.stdout.splitlines()
    assert said == "['CPU'] token 64"
    assert f"/{PREFIX}" in session and not Path(session).parent.exists()
    assert not (tmp_path / ".ray").exists(), "Ray's default token file can be read by everybody"
