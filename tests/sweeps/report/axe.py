"""Where axe-core is, the checker of accessibility (https://github.com/dequelabs/axe-core, MPL 2.0): a test's tool, no part of the program.

The environment variable AXE_CORE names an axe.min.js, such as that of `npm install axe-core`; without it the one in the package
axe-core-python is taken, where that is installed.
"""

import os
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tests.sweeps.report.chromium import Tab

_RUN = """axe.run(document, {resultTypes: ["violations"]}).then((found) => found.violations.map((rule) => ({
  id: rule.id, impact: rule.impact, places: rule.nodes.slice(0, 5).map((node) => node.html.slice(0, 200))})))"""


@dataclass(frozen=True, kw_only=True)
class Violation:
    """A rule of axe-core that a page breaks."""

    rule: str
    impact: str
    """minor, moderate, serious or critical."""
    places: tuple[str, ...]
    """The first elements that break it."""


def axe_path() -> Path | None:
    """Return the script's path, None where there is none. FileNotFoundError where AXE_CORE names no file."""
    if named := os.environ.get("AXE_CORE"):
        path = Path(named)
        if not path.is_file():
            raise FileNotFoundError(f"AXE_CORE must name an axe.min.js; got {named!r}, which is no file")
        return path
    spec = find_spec("axe_core_python")
    found = Path(spec.origin).with_name("axe.min.js") if spec and spec.origin else None
    return found if found and found.is_file() else None


def violations(tab: Tab, axe: Path) -> list[Violation]:
    """Return what axe-core finds wrong with the page of a tab as it stands."""
    tab.run(f"{axe.read_text(encoding='utf-8')}; 0")
    told: list[dict[str, Any]] = tab.run(_RUN)
    return [Violation(rule=rule["id"], impact=str(rule["impact"]), places=tuple(rule["places"])) for rule in told]
