"""One colour and one marker for each loss, the same all over the page, in a light and a dark form.

Figures are drawn with stand-in colours (no two roles share one). Afterwards each stand-in becomes a CSS variable in the page, which
follows the reader's light or dark setting, and the light value in the files beside it.

The hues are Okabe and Ito's, chosen to be told apart with any colour vision (Wong 2011, Nature Methods 8:441). Where two of them come
close to the paper's own colour they are darkened (light) or lightened (dark). Markers differ as well, so no message rests on hue alone.
"""

from dataclasses import dataclass, replace


@dataclass(frozen=True, kw_only=True)
class Role:
    """What a colour is for, and its two values."""

    variable: str
    """CSS custom property."""
    stand_in: str
    """What matplotlib draws with."""
    light: str
    """On white."""
    dark: str
    """On near-black."""


INK = Role(variable="--ink", stand_in="#010101", light="#15181c", dark="#eceef1")
MUTED = Role(variable="--muted", stand_in="#010102", light="#59616b", dark="#a4abb5")
RULE = Role(variable="--rule", stand_in="#010103", light="#e2e5e9", dark="#2e333a")
PANEL = Role(variable="--panel", stand_in="#010104", light="#f5f6f8", dark="#1d2126")
PAPER = Role(variable="--paper", stand_in="#010105", light="#ffffff", dark="#14171b")

# (mark, mark in the dark, text, text in the dark): text needs 4.5 to 1 on the paper, a mark 3 to 1 or a dark outline.
_HUES = (
    ("#0072b2", "#4ba3e3", "#00639b", "#6db6ec"),  # blue
    ("#d55e00", "#ff8a3c", "#ad4b00", "#ff9d5c"),  # vermillion
    ("#009e73", "#1fc797", "#00734f", "#3bd3a6"),  # bluish green
    ("#cc79a7", "#e59dc5", "#9c3f74", "#ebafd0"),  # reddish purple
    ("#e69f00", "#ffbf3a", "#8a5e00", "#ffc95a"),  # orange
    ("#56b4e9", "#a9dcff", "#1f6c99", "#b8e2ff"),  # sky blue
    ("#5b6168", "#c9ced4", "#4a5057", "#d5d9de"),  # grey, for Okabe and Ito's black, which is the text's
    ("#b9a600", "#f0e442", "#6e6300", "#f3e95f"),  # yellow
)
# Letter -> size beside a circle of the same weight to the eye.
_MARKERS = {"o": 1.0, "s": 0.92, "D": 0.9, "^": 1.15, "v": 1.15, "P": 1.3, "X": 1.2, "<": 1.15, ">": 1.15}

# The same shapes for the page's own keys, in a box of 12 by 12.
_SHAPES = {
    "o": "M6 1.2a4.8 4.8 0 1 0 0 9.6a4.8 4.8 0 1 0 0-9.6z",
    "s": "M1.8 1.8h8.4v8.4h-8.4z",
    "D": "M6 .6l5.4 5.4-5.4 5.4-5.4-5.4z",
    "^": "M6 1l5.2 9.6h-10.4z",
    "v": "M6 11l-5.2-9.6h10.4z",
    "P": "M4.2 1h3.6v3.2h3.2v3.6h-3.2v3.2h-3.6v-3.2h-3.2v-3.6h3.2z",
    "X": "M3.4 1l2.6 2.6 2.6-2.6 2.4 2.4-2.6 2.6 2.6 2.6-2.4 2.4-2.6-2.6-2.6 2.6-2.4-2.4 2.6-2.6-2.6-2.6z",
    "<": "M1 6l9.6-5.2v10.4z",
    ">": "M11 6l-9.6-5.2v10.4z",
}

MARKS = tuple(Role(variable=f"--mark-{i}", stand_in=f"#02{i:02x}01", light=h[0], dark=h[1]) for i, h in enumerate(_HUES))
TEXTS = tuple(Role(variable=f"--text-{i}", stand_in=f"#02{i:02x}02", light=h[2], dark=h[3]) for i, h in enumerate(_HUES))
ROLES = (INK, MUTED, RULE, PANEL, PAPER, *MARKS, *TEXTS)


@dataclass(frozen=True, kw_only=True)
class Identity:
    """How one loss looks everywhere."""

    mark: str
    """Stand-in of its colour."""
    text: str
    """Stand-in of its colour for words."""
    marker: str
    """matplotlib's letter."""
    hue: int
    """Which of the hues, for the page's CSS."""
    scale: float
    """How much larger than a circle it is drawn to look as large."""
    shape: str
    """SVG path of the marker in a box of 12 by 12."""


def identity(index: int) -> Identity:
    """Return the look of the loss number `index` of the recipe; 72 differ before one comes back."""
    hue, marker = index % len(_HUES), list(_MARKERS)[index % len(_MARKERS)]
    look = {"mark": MARKS[hue].stand_in, "text": TEXTS[hue].stand_in, "marker": marker, "scale": _MARKERS[marker]}
    return Identity(hue=hue, shape=_SHAPES[marker], **look)


def faded(look: Identity) -> Identity:
    """Return the look of a loss that is drawn for company only: grey and small."""
    return replace(look, mark=MUTED.stand_in, text=MUTED.stand_in, scale=0.6 * look.scale)


def css_variables(theme: str) -> str:
    """Return the custom properties of one theme, `light` or `dark`."""
    return "".join(f"{role.variable}:{getattr(role, theme)};" for role in ROLES)
