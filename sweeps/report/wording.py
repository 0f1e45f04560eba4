"""Numbers and names as the page says them, and text made safe to show.

Names, errors and provenance come from files that others may have written: `clean` takes out what could break a page, an SVG or a
terminal (control characters, direction overrides, lone surrogates); escaping of markup is the template's and matplotlib's.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from sweeps.verdict.contenders import finite

ABSENT = "\u2013"
MINUS = "\u2212"
NEVER = "not reached"

METRICS = {
    "membrane_dice": "Membrane Dice",
    "membrane_dice_at_half": "Dice at 0.5",
    "v_rand": "V_rand",
    "v_info": "V_info",
}

# Controls except tab and newline, C1, direction overrides and isolates, lone surrogates, and what XML 1.0 has no place for.
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
_EXPONENT, _LEADING = re.compile(r"(?<=\de)-(?=\d)"), re.compile(r"(?<![\w.,])0(?=\.\d)")
_OWNER = re.compile(r"^(loss|train)\.")
_ANSI = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)")


def clean(value: object, limit: int = 4000) -> str:
    """Return `value` as text without terminal sequences and invisible controls, cut to `limit` characters."""
    text = _UNSAFE.sub("\ufffd", _ANSI.sub("", str(value).replace("\r\n", "\n")))
    return text if len(text) <= limit else text[: limit - 1] + "\u2026"


def short(value: object, limit: int = 28) -> str:
    """Return `value` cleaned, on one line, its middle left out when it is longer than `limit`."""
    text = " ".join(clean(value).split())
    if len(text) <= limit:
        return text
    head = (limit - 1) * 2 // 3
    return text[:head] + "\u2026" + text[-(limit - 1 - head) :]


def dig(source: object, path: str, default: Any = None) -> Any:
    """Return the value under a dotted path of nested mappings, `default` where a step is missing or null."""
    for key in path.split("."):
        if not isinstance(source, Mapping) or source.get(key) is None:
            return default
        source = source[key]
    return source


def say(value: object, digits: int = 3) -> str:
    """Return a number with fixed decimals and a true minus sign, a score without the zero before its point: .807; a dash for none."""
    number = finite(value)
    if number is None:
        return ABSENT
    text = f"{number:.{digits}f}"
    return bare(text) if float(text) else "0"


def bare(text: str) -> str:
    """Return a number's text as scores are written: .80 for 0.80, with a true minus sign."""
    text = text.replace("-", MINUS)
    for sign in ("", MINUS):
        if text.startswith(f"{sign}0."):
            return sign + text[len(sign) + 1 :]
    return text


def with_minus(text: str) -> str:
    """Return a text of the verdict with its exponents as the page writes them: 4.2e-5 with a true minus sign."""
    return _EXPONENT.sub(MINUS, text)


def with_scores(text: str, target: object = None) -> str:
    """Return a text of the verdict with its scores as the page writes them: .785 for 0.785; a target with as many digits as elsewhere."""
    known = finite(target)
    text = text if known is None else re.sub(rf"(Dice ){re.escape(f'{known:.4f}')}\b", rf"\g<1>{say(known)}", text)
    return _LEADING.sub("", text)


def plain(text: str) -> str:
    """Return a text without the backticks around its commands, for where nothing can be set in another type."""
    return text.replace("`", "")


def say_signed(value: object, digits: int = 4) -> str:
    """Return a difference with its sign."""
    text = say(value, digits)
    return text if text == ABSENT or text.startswith(MINUS) else f"+{text}"


def say_chance(value: object) -> str:
    """Return a probability as a percentage, never as the certainty that no finite number of runs gives."""
    chance = finite(value)
    if chance is None or not 0 <= chance <= 1:
        return ABSENT
    if not 0.001 <= chance <= 0.999:
        return "> 99.9%" if chance > 0.5 else "< 0.1%"
    return f"{100 * chance:.{0 if 0.01 <= chance <= 0.99 else 1}f}%"


def say_range(low: object, high: object, digits: int = 3) -> str:
    """Return an interval as `0.791 to 0.803`, a dash when it has no ends."""
    if finite(low) is None or finite(high) is None:
        return ABSENT
    return f"{say(low, digits)} to {say(high, digits)}"


def say_seconds(value: object) -> str:
    """Return a duration in the unit a person would use."""
    seconds = finite(value)
    if seconds is None:
        return ABSENT
    if seconds < 10:
        return f"{seconds:.2g} s" if seconds < 1 else f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def say_value(value: object) -> str:
    """Return a parameter's value: numbers short, everything else as cleaned text."""
    number = finite(value)
    if number is None:
        return str(value).lower() if isinstance(value, bool) else short(value, 24)
    if isinstance(value, int):
        return f"{value}"
    if number and (abs(number) < 1e-2 or abs(number) >= 1e4):
        mantissa, _, exponent = f"{number:.1e}".partition("e")
        return f"{mantissa.removesuffix('.0')}e{int(exponent)}".replace("-", MINUS)
    return f"{number:.3g}".replace("-", MINUS)


def say_parameters(parameters: object) -> str:
    """Return parameters as `alpha 0.25, gamma 2, lr 1e-3`; whose they are, `loss.` or `train.`, is left out, a term of a sum is not."""
    if not isinstance(parameters, Mapping) or not parameters:
        return ABSENT
    return ", ".join(f"{short(_OWNER.sub('', str(key)), 40)} {say_value(value)}" for key, value in parameters.items())


def say_metric(name: object) -> str:
    """Return a metric's name for people."""
    return METRICS.get(str(name), short(name))


def say_sections(numbers: Iterable[object]) -> str:
    """Return sections as `section 3` or `sections 0-5, 9`, many pieces as `7 sections from 0 to 29`; nothing of none."""
    known = sorted({number for number in numbers if isinstance(number, int) and not isinstance(number, bool)})
    starts = [number for number in known if number - 1 not in known]
    ends = [number for number in known if number + 1 not in known]
    if len(known) < 2:
        return f"section {known[0]}" if known else ""
    if len(starts) > 4:
        return f"{len(known)} sections from {known[0]} to {known[-1]}"
    return "sections " + ", ".join(f"{a}" if a == b else f"{a}-{b}" for a, b in zip(starts, ends, strict=True))


def count(number: int, noun: str, plural: str | None = None) -> str:
    """Return `1 trial` or `3 trials`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def several(items: list[str]) -> str:
    """Return the items, of many the first five and how many more there are."""
    return listed(items) if len(items) <= 8 else f"{', '.join(items[:5])} and {len(items) - 5} others"


def listed(items: list[str]) -> str:
    """Return `a`, `a and b`, or `a, b and c`."""
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + " and " + items[-1] if items else ""
