"""The tree is the architecture: which way imports point, where each library is at home, how large a piece may be."""

import ast
import configparser
import re
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest

from tests.sources import PACKAGES, ROOT, Import, imports, parsed, project_files, source_files

#: package -> what it may import of the others; nobody imports tests
ARROWS = {
    "cluster": set(),
    "data_utils": set(),
    "sweeps": {"cluster", "data_utils", "unet"},
    "unet": {"data_utils"},
}

#: third-party library -> the files in which it may be imported
ROOMS = {
    "imagecodecs": ("data_utils/*",),
    "jinja2": ("sweeps/report/*",),
    "kornia": ("data_utils/*", "sweeps/bench/*", "unet/*"),
    "markupsafe": ("sweeps/report/*",),
    "matplotlib": ("sweeps/report/*",),
    "monai": ("sweeps/bench/*",),
    "numpy": ("data_utils/*", "sweeps/*", "unet/*"),
    "optuna": ("sweeps/search/*",),
    "pooch": ("data_utils/*",),
    "psutil": ("cluster/*", "sweeps/*"),
    "pydantic": ("sweeps/recipe/*",),
    "pydantic_core": ("sweeps/recipe/*",),
    "ray": ("cluster/*", "sweeps/search/pruner.py", "sweeps/dealing.py", "sweeps/rerun/remote.py", "sweeps/stages.py", "sweeps/worker.py"),
    "rich": ("sweeps/cli/*", "sweeps/progress*.py"),
    "ruamel": ("sweeps/recipe/file.py",),
    "safetensors": ("data_utils/*", "unet/*"),
    "scipy": ("data_utils/*", "sweeps/*", "unet/*"),
    "skimage": ("data_utils/*", "sweeps/bench/*", "unet/*"),
    "tifffile": ("data_utils/*", "unet/*"),
    "torch": ("data_utils/*", "sweeps/*", "unet/*"),
    "typer": ("sweeps/cli/*",),
    "wandb": ("sweeps/tracking/*",),
    "wandb_workspaces": ("sweeps/tracking/*",),
}

#: only inside functions: slow to import, or wanted by one feature alone
LAZY = {"imagecodecs", "kornia", "monai", "pooch", "wandb", "wandb_workspaces"}

#: imported under another name than it is installed by, or brought along by the library named
DISTRIBUTIONS = {
    "markupsafe": "jinja2",
    "pydantic_core": "pydantic",
    "ruamel": "ruamel.yaml",
    "skimage": "scikit-image",
    "wandb_workspaces": "wandb-workspaces",
}

MODULE_LINES = 250
FUNCTION_LINES = 40
NOUNLESS = {"common", "helper", "helpers", "misc", "util", "utils"}


def of(package: str) -> list[Import]:
    return [found for path in source_files(package) for found in imports(path)]


@pytest.mark.parametrize("package", PACKAGES)
def test_arrows_point_one_way(package: str) -> None:
    allowed = ARROWS[package] | {package}
    wrong = [str(found) for found in of(package) if found.top in {*PACKAGES, "tests"} - allowed]
    assert not wrong, f"{package} may import only {sorted(allowed)}:\n" + "\n".join(wrong)


@pytest.mark.parametrize("package", PACKAGES)
def test_libraries_stay_in_their_rooms(package: str) -> None:
    foreign = [found for found in of(package) if found.top not in {*PACKAGES, *sys.stdlib_module_names}]
    homeless = [str(found) for found in foreign if found.top not in ROOMS]
    assert not homeless, "give a new library a room in ROOMS and a line in setup.cfg:\n" + "\n".join(homeless)
    astray = [f"{found} (allowed in {ROOMS[found.top]})" for found in foreign if not _is_at_home(found)]
    assert not astray, "\n".join(astray)
    eager = [str(found) for found in foreign if found.top in LAZY and not found.lazy]
    assert not eager, "import these inside the function that needs them:\n" + "\n".join(eager)


def test_every_single_room_is_lived_in() -> None:
    """A file that is let in by name and does not come is a hole in the fence."""
    used = {(found.top, found.file) for package in PACKAGES for found in of(package)}
    empty = [f"{name}: {room}" for name, rooms in ROOMS.items() for room in rooms if "*" not in room and (name, room) not in used]
    assert not empty, empty


def test_the_page_on_architecture_names_the_files_that_import_ray() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    (row,) = re.findall(r"^\| Ray \| (.*) \|$", page, re.MULTILINE)
    files = {found.file for found in of("sweeps") if found.top == "ray"}
    assert {f"sweeps/{name}.py" for name in re.findall(r"`([\w/]*\w)`", row)} - {"sweeps/sweeps.py"} == files


def test_pages_that_the_code_names_are_there() -> None:
    named = [(path, page) for path in source_files(*PACKAGES) for page in re.findall(r"\bdocs/[\w./-]+\.(?:md|json)", path.read_text())]
    missing = [f"{path.relative_to(ROOT)}: {page}" for path, page in named if not (ROOT / page).exists()]
    assert named and not missing, missing


def test_every_library_is_declared() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    lines = setup["options"]["install_requires"] + setup["options.extras_require"]["test"]
    declared = {re.split(r"[ \[<>=!]", line)[0] for line in lines.splitlines() if line.strip()}
    used = {found.top for package in PACKAGES for found in of(package)} & set(ROOMS)
    assert {DISTRIBUTIONS.get(name, name) for name in used} <= declared


def test_files_make_no_circle_when_imported() -> None:
    edges = {_dotted(path): {found.module for found in imports(path) if not found.lazy} for path in source_files(*PACKAGES)}
    edges = {name: {target for target in targets if target in edges and target != name} for name, targets in edges.items()}
    while free := [name for name, targets in edges.items() if not targets]:
        edges = {name: targets - set(free) for name, targets in edges.items() if name not in free}
    assert not edges, f"these import each other: {edges}"


def test_training_and_scoring_need_no_more_than_a_gpu_machine_has() -> None:
    """Import all of data_utils and unet, `sweeps` and its bench with every other library made impossible to import."""
    allowed = {"numpy", "safetensors", "scipy", "skimage", "tifffile", "torch"}
    script = BLOCKED.format(root=str(ROOT), forbidden=sorted(set(ROOMS) - allowed - {"jinja2", "markupsafe", "psutil"}))
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stderr


#: torch and scikit-image import a few of the others where they find them, and go on without
BLOCKED = """
import importlib, pkgutil, sys
sys.path.insert(0, {root!r})
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {forbidden!r}:
            raise ModuleNotFoundError(f"{{name}} is blocked", name=name)
sys.meta_path.insert(0, Blocker())
import sweeps, sweeps.bench
for package in ("data_utils", "unet", "sweeps.bench"):
    package = importlib.import_module(package)
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
"""


def test_modules_are_small() -> None:
    lengths = {path.relative_to(ROOT): len(path.read_text(encoding="utf-8").splitlines()) for path in source_files(*PACKAGES)}
    long = {str(path): length for path, length in lengths.items() if length > MODULE_LINES}
    assert not long, f"over {MODULE_LINES} lines: {long}"


def test_functions_are_small() -> None:
    long = []
    for path in source_files(*PACKAGES):
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (length := _code_lines(node)) > FUNCTION_LINES:
                long.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.name}: {length} lines")
    assert not long, f"over {FUNCTION_LINES} lines, docstring not counted:\n" + "\n".join(long)


def test_modules_are_named_for_what_they_are() -> None:
    nounless = [str(path.relative_to(ROOT)) for path in source_files(*PACKAGES, "tests") if NOUNLESS & {path.stem, path.parent.name}]
    assert not nounless, f"name the noun instead: {nounless}"


def test_every_folder_of_tests_is_a_package() -> None:
    """Without it, a folder such as tests/unet would take the place of unet."""
    folders = {path.parent for path in source_files("tests")}
    missing = [str(folder.relative_to(ROOT)) for folder in folders if not (folder / "__init__.py").exists()]
    assert not missing, f"__init__.py is missing in {missing}"


def test_code_is_ascii() -> None:
    odd = [str(path.relative_to(ROOT)) for path in source_files(*PACKAGES, "tests") if not path.read_bytes().isascii()]
    assert not odd, odd


def test_no_file_names_a_place_of_one_machine() -> None:
    places = [str(ROOT), *(f"/{name}/" for name in ("root", "work", "farm"))]
    pattern = re.compile("|".join(rf"(?<![\w.\-]){re.escape(place)}" for place in places))
    found = []
    for path in project_files():
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            continue
        found += [f"{path.relative_to(ROOT)}:{number} {line.strip()[:100]}" for number, line in enumerate(lines, 1) if pattern.search(line)]
    assert not found, "\n".join(found)


def _is_at_home(found: Import) -> bool:
    return any(fnmatch(found.file, room) for room in ROOMS[found.top])


def _dotted(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _code_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    first = node.body[0]
    documented = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    lines = (node.end_lineno or node.lineno) - node.lineno + 1
    return lines - ((first.end_lineno or first.lineno) - first.lineno + 1 if documented else 0)
