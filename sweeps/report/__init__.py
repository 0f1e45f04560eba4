"""The report: tables, figures and one self-contained HTML page.

    from sweeps.report import write_report
    write_report(record, verdict, Path("results/demo-001"))     # -> results/demo-001/report/index.html

matplotlib and Jinja2 are imported when the first report is written, not before.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sweeps.record import SweepRecord

__all__ = ["write_report"]


def write_report(record: SweepRecord, verdict: Mapping[str, Any] | None, folder: Path) -> Path:
    """Write `folder/report/` (index.html, figures/*.svg, tables/*.csv) and return the page's path.

    `record` is what load_results returns, `verdict` the content of verdict.json (None or empty when there is none yet). A part that
    cannot be made is replaced by a note on the page. Raises OSError when the folder cannot be written.
    """
    from sweeps.report.build import build_report

    return build_report(record, verdict or {}, folder)
