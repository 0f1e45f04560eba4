"""Links between the project's pages lead somewhere, and the pages' commands exist."""

import re
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.sources import ROOT, project_files

PAGES = [path for path in project_files() if path.suffix == ".md"]
LINK = re.compile(
    r"!?\[[^\]]*\]\(\s*<?([^)\s>]+)>?[^)]*\)"  # [text](target), ![text](target)
    r"|^\s*\[[^\]]+\]:\s*(\S+)"  # [name]: target
    r"|<(?:a|img)\s[^>]*?(?:href|src)=\"([^\"]+)\"",
    re.MULTILINE,
)


def prose(page: Path) -> str:
    """Return a page without its code, in which brackets are not links."""
    text = page.read_text(encoding="utf-8")
    text = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"`[^`\n]*`|^(?: {4}|\t)(?![ \t]*\d+\.|[ \t]*[-*] ).*$", "", text, flags=re.MULTILINE)


def links(page: Path) -> list[str]:
    return [next(filter(None, found.groups())) for found in LINK.finditer(prose(page))]


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#{1,6}\s+(.*?)\s*#*$", page.read_text(encoding="utf-8"), re.MULTILINE)
    plain = [re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower() for heading in headings]
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_resolve(page: Path) -> None:
    broken = []
    for link in links(page):
        if re.match(r"[a-z][a-z0-9+.-]*:", link):
            continue
        target, _, anchor = unquote(link).partition("#")
        place = (page.parent / target).resolve() if target else page
        if not place.exists() or not place.is_relative_to(ROOT):
            broken.append(f"{link}: there is no {target}")
        elif anchor and place.suffix == ".md" and anchor not in anchors(place):
            broken.append(f"{link}: {place.name} has no heading {anchor}")
    assert not broken, "\n".join(broken)


def test_pages_are_found_and_their_links_are_seen() -> None:
    assert ROOT / "docs" / "architecture.md" in PAGES
    assert "decisions/0003-one-study-a-loss.md" in links(ROOT / "docs" / "architecture.md")


def test_every_make_verb_that_a_page_names_exists() -> None:
    verbs = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    command = re.compile(r"(?:`|^ {4})make ([a-z-]+)", re.MULTILINE)
    unknown = {(page.name, verb) for page in PAGES for verb in command.findall(page.read_text(encoding="utf-8")) if verb not in verbs}
    assert not unknown
