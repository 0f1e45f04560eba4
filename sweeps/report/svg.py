"""From matplotlib's SVG to two others: one for the page, which follows its light or dark setting, and one for the file beside it.

In the page's form every `style` attribute becomes presentation attributes, so that the page's policy can forbid inline styles altogether;
colours become CSS variables; identifiers that nothing refers to go, and the rest are made unique over the page.
"""

import re
from xml.etree import ElementTree

from sweeps.report.palette import PAPER, ROLES

SVG = "http://www.w3.org/2000/svg"
XLINK = "{http://www.w3.org/1999/xlink}href"
_URL = re.compile(r"url\(#([^)]+)\)")
_COLOUR = re.compile(r"#[0-9a-f]{6}\b")
_VARIABLES = {role.stand_in: f"var({role.variable})" for role in ROLES}
_LIGHT = {role.stand_in: role.light for role in ROLES}
_FONT = "'Segoe UI', Roboto, 'Helvetica Neue', Arial, 'Liberation Sans', sans-serif"

# Words stay readable where a line runs under them: an outline in the paper's colour, painted first.
_HALO = {"stroke": PAPER.stand_in, "stroke-width": "3", "paint-order": "stroke", "stroke-linejoin": "round"}

ElementTree.register_namespace("", SVG)
ElementTree.register_namespace("xlink", "http://www.w3.org/1999/xlink")


def for_page(source: str, *, name: str, label: str) -> str:
    """Return the SVG to put into the page: `name` prefixes its identifiers, `label` is what a screen reader says."""
    root = _parse(source)
    used = set(_URL.findall(source)) | {element.get(XLINK, "")[1:] for element in root.iter()}
    for element in root.iter():
        _style_to_attributes(element)
        if (identifier := element.attrib.pop("id", None)) in used and identifier:
            element.set("id", f"{name}-{identifier}")
        if target := element.attrib.pop(XLINK, None):
            element.set("href", f"#{name}-{target[1:]}")
        for key, value in element.attrib.items():
            if "url(#" in value:
                element.set(key, _URL.sub(rf"url(#{name}-\1)", value))
        if element.tag == f"{{{SVG}}}text":
            element.attrib.pop("font-family", None)  # the page's
    for key in ("width", "height", "version"):
        root.attrib.pop(key, None)
    root.attrib |= {"role": "img", "aria-label": label, "stroke-linejoin": "round", "class": name.rpartition("-")[2]}
    return _COLOUR.sub(lambda match: _VARIABLES.get(match[0], match[0]), _dump(root))


def for_file(source: str, *, title: str) -> str:
    """Return the SVG to stand alone: the light colours on white, with a title."""
    root = _parse(source)
    for element in root.iter():
        _style_to_attributes(element)
        if element.tag == f"{{{SVG}}}text":
            element.set("font-family", _FONT)
    root.set("stroke-linejoin", "round")
    heading = ElementTree.Element(f"{{{SVG}}}title")
    heading.text = title
    root.insert(0, heading)
    root.insert(1, ElementTree.Element(f"{{{SVG}}}rect", {"width": "100%", "height": "100%", "fill": PAPER.stand_in}))
    body = _COLOUR.sub(lambda match: _LIGHT.get(match[0], match[0]), _dump(root))
    return f'<?xml version="1.0" encoding="utf-8"?>\n{body}\n'


def _parse(source: str) -> ElementTree.Element:
    """Read matplotlib's output without its stylesheet, whose two rules come back as attributes of the root."""
    root = ElementTree.fromstring(source)
    for words in root.iter(f"{{{SVG}}}text"):
        words.attrib |= _HALO
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag == f"{{{SVG}}}style" or child.tag.endswith("}metadata"):
                parent.remove(child)
            child.tail = None
        parent.text = parent.text if parent.tag == f"{{{SVG}}}text" else None
    return root


def _style_to_attributes(element: ElementTree.Element) -> None:
    for declaration in element.attrib.pop("style", "").split(";"):
        key, _, value = declaration.partition(":")
        if value:
            element.set(key.strip(), value.strip())
    if path := element.get("d"):
        element.set("d", " ".join(path.split()))
    if (turn := element.get("transform", "")).startswith("rotate(-0 "):
        element.attrib.pop("transform", turn)


def _dump(root: ElementTree.Element) -> str:
    return ElementTree.tostring(root, encoding="unicode")
