"""What `make` installs: every dependency pinned, to versions that no single Python or build of torch dictates. And what its verbs say."""

import configparser
import itertools
import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.sources import PACKAGES, ROOT

VERBS = ("setup", "sweep", "test", "lint", "bench", "faults", "help")


@pytest.fixture(scope="module")
def setup() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


def lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith("#")]


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_dependency_is_pinned_once(setup: configparser.ConfigParser) -> None:
    pinned = lines((ROOT / "constraints.txt").read_text(encoding="utf-8"))
    pins = [re.fullmatch(r"([A-Za-z0-9._-]+)==([0-9][0-9a-z.]*)", line) for line in pinned]
    assert all(pins), "constraints.txt holds only name==version, without markers, addresses or local parts such as +cpu"
    names = [normal(pin[1]) for pin in pins if pin]
    assert len(names) == len(set(names))
    wanted = lines(setup["options"]["install_requires"]) + lines(setup["options.extras_require"]["test"])
    assert {normal(re.split(r"[ \[<>=!]", line)[0]) for line in wanted} <= set(names)


def test_only_the_four_packages_are_installed(setup: configparser.ConfigParser) -> None:
    assert lines(setup["options.packages.find"]["include"]) == [f"{name}*" for name in PACKAGES]
    data = {name: lines(patterns) for name, patterns in setup["options.package_data"].items()}
    kept = {path for name, patterns in data.items() for pattern in patterns for path in (ROOT / name).glob(pattern)}
    others = {path for name in PACKAGES for path in (ROOT / name).rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")}
    assert not others - kept, "these files would not be installed; name them in [options.package_data]"


def test_exceptions_to_warnings_as_errors_have_a_reason_and_a_date(setup: configparser.ConfigParser) -> None:
    text = (ROOT / "setup.cfg").read_text(encoding="utf-8")
    rules = [line.strip() for line in text.split("filterwarnings =")[1].splitlines() if line.strip()]
    assert rules[0] == "error"
    for before, rule in itertools.pairwise(rules):
        assert rule.startswith(("#", "ignore")), rule
        assert not rule.startswith("ignore") or re.match(r"# .*\d{4}-\d{2}-\d{2}", before) or before.startswith("ignore"), rule


def test_help_names_every_verb_and_each_can_be_planned() -> None:
    shown = make("help").stdout
    for verb in VERBS:
        assert verb == "help" or re.search(rf"^make {verb}\b", shown, re.MULTILINE), verb
        assert make("--dry-run", verb).returncode == 0
    assert make().stdout == shown, "make alone helps"


def test_a_wrong_python_is_refused_with_the_way_out(tmp_path: Path) -> None:
    old = tmp_path / "python3.10"
    old.write_text('#!/bin/sh\ncase "$2" in *platform*) echo 3.10.4;; *) exit 1;; esac\n')
    old.chmod(0o755)
    for name in ("Makefile", "setup.cfg", "pyproject.toml", "constraints.txt"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    refused = make("sweep", f"PYTHON={old}", folder=tmp_path)
    assert refused.returncode != 0
    assert "3.10.4; this needs Python 3.11, 3.12 or 3.13" in refused.stderr and "make sweep PYTHON=python3.12" in refused.stderr
    missing = make("test", "PYTHON=python9.9", folder=tmp_path)
    assert "There is no 'python9.9' on the PATH" in missing.stderr
    assert not (tmp_path / ".venv").exists()


def test_ci_runs_what_developers_run() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111
    assert "set -euo pipefail" in script and "make lint" in script and "make test" in script


def make(*arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    outside = {name: value for name, value in os.environ.items() if not name.startswith("MAKE") and name != "MFLAGS"}  # "make test" runs us
    return subprocess.run(["make", *arguments], cwd=folder, env=outside, capture_output=True, text=True, timeout=60, check=False)
