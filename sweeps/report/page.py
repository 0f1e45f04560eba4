"""The page: one template, one style sheet and one script, put together into a file that asks nobody for anything.

The policy in its head forbids every request and every script or style but the two whose hashes it names, so that a hostile name that got
past the escaping would still do nothing.
"""

import base64
import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup, escape

from sweeps.report.palette import css_variables
from sweeps.report.wording import clean

_ROOM = Path(__file__).parent
_COMMAND = re.compile(r"`([^`]+)`")


def render(parts: Mapping[str, Any], template_name: str = "template.html.j2") -> str:
    """Return the page. `parts` is what the template names; every text in it is escaped, only the SVG of our own figures is not."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_ROOM),
        autoescape=True,
        finalize=_harmless,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["coded"] = coded
    # Neither holds "</" (a test says so), so they can stand in the page as they are.
    style, script = _style(), (_ROOM / "sort.js").read_text(encoding="utf-8")
    template = environment.get_template(template_name)
    page = template.render(style=Markup(style), script=Markup(script), policy=policy(style=style, script=script), **parts)
    return page.strip() + "\n"  # the macros at the template's head leave empty lines


def coded(text: str) -> Markup:
    """Return a text with what stands between backticks as code, all of it escaped."""
    pieces = _COMMAND.split(clean(text, 2**20))
    return Markup("").join(Markup("<code>{}</code>").format(piece) if at % 2 else escape(piece) for at, piece in enumerate(pieces))


def _harmless(value: Any) -> Any:
    """The last gate: whatever text reaches the page has no control characters and can be encoded."""
    return clean(value, 2**20) if type(value) is str else value


def _style() -> str:
    themes = f":root{{{css_variables('light')}}}\n@media screen and (prefers-color-scheme:dark){{:root{{{css_variables('dark')}}}}}\n"
    return themes + (_ROOM / "style.css").read_text(encoding="utf-8")


def policy(*, style: str, script: str) -> str:
    """Return the Content-Security-Policy: nothing from anywhere, pictures from data: addresses, this style and this script."""
    return (
        f"default-src 'none'; img-src data:; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
