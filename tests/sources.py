"""The project's own source files, parsed once: what the tests of its structure look at."""

import ast
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("cluster", "data_utils", "sweeps", "unet")


@dataclass(frozen=True, kw_only=True)
class Import:
    """One imported module, wherever in the file the import stands."""

    file: str
    """The importing file, relative to the root."""
    line: int
    module: str
    """The dotted name, such as unet.losses."""
    lazy: bool
    """Inside a function, for type checkers only, or by name through importlib: it does not happen when the file is imported."""

    @property
    def top(self) -> str:
        """Return the package's name: the first part of the dotted name."""
        return self.module.split(".")[0]

    def __str__(self) -> str:
        return f"{self.file}:{self.line} imports {self.module}"


@cache
def source_files(*folders: str) -> tuple[Path, ...]:
    """Return the Python files below the folders."""
    return tuple(sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py")))


@cache
def parsed(path: Path) -> ast.Module:
    """Return a file's syntax tree."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


@cache
def project_files() -> tuple[Path, ...]:
    """Return what is in the repository or about to be: all but what git ignores; without git, all but what is hidden."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode == 0:
        return tuple(ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file())
    files = (path for path in ROOT.rglob("*") if path.is_file() and path.suffix != ".pyc")
    return tuple(path for path in files if not any(part.startswith(".") for part in path.relative_to(ROOT).parent.parts))


@cache
def imports(path: Path) -> tuple[Import, ...]:
    """Return every import of a file: plain, from, relative, inside functions, under TYPE_CHECKING and by name through importlib."""
    return tuple(_imports(path))


def _imports(path: Path) -> Iterator[Import]:
    name, tree = str(path.relative_to(ROOT)), parsed(path)
    lazy_nodes = {inner for node in ast.walk(tree) if _is_deferred(node) for inner in ast.walk(node)}
    by_name = any("import_module" in ast.dump(node) for node in ast.walk(tree) if isinstance(node, ast.Call))
    for node in ast.walk(tree):
        lazy = node in lazy_nodes
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(file=name, line=node.lineno, module=alias.name, lazy=lazy)
        elif isinstance(node, ast.ImportFrom):
            yield Import(file=name, line=node.lineno, module=_absolute(path, node), lazy=lazy)
        elif by_name and isinstance(node, ast.Constant) and isinstance(node.value, str) and _is_ours(node.value):
            yield Import(file=name, line=node.lineno, module=node.value.rstrip("."), lazy=True)


def _is_deferred(node: ast.AST) -> bool:
    if isinstance(node, ast.If):
        return "TYPE_CHECKING" in ast.dump(node.test)
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)


def _absolute(path: Path, node: ast.ImportFrom) -> str:
    if node.level == 0:
        return node.module or ""
    package = path.relative_to(ROOT).parent.parts
    return ".".join([*package[: len(package) - node.level + 1], *([node.module] if node.module else [])])


def _is_ours(text: str) -> bool:
    return re.fullmatch(rf"({'|'.join(PACKAGES)})(\.\w*)+", text) is not None
