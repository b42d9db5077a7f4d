"""Parameters and answers: numbers in any of SCPI's forms with their units, and Booleans."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from harness.instruments.emulated.scpi.errors import ScpiError

UNITS: dict[str, dict[str, float]] = {
    "V": {"V": 1, "KV": 1e3, "MV": 1e-3, "UV": 1e-6},
    "A": {"A": 1, "MA": 1e-3, "UA": 1e-6},
    "HZ": {"HZ": 1, "KHZ": 1e3, "MHZ": 1e6, "GHZ": 1e9},  # M is mega here, and milli with all others
    "S": {"S": 1, "MS": 1e-3, "US": 1e-6, "MIN": 60},
    "CEL": {"CEL": 1, "C": 1},
    "K/MIN": {"K/MIN": 1, "CEL/MIN": 1},
    "PCT": {"PCT": 1, "%": 1},
    "V/M": {"V/M": 1},
    "V/S": {"V/S": 1},
    "": {},
}
_NUMBER = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:\s*[Ee]\s*([+-]?\d+))?")
_SUFFIX = re.compile(r"[A-Za-z%][A-Za-z0-9%/.]*\Z")
_OTHER_BASE = re.compile(r"#(?:[Hh](?P<h>[0-9A-Fa-f]{1,15})|[Qq](?P<q>[0-7]{1,20})|[Bb](?P<b>[01]{1,60}))\Z")
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")
_LARGEST_EXPONENT = 32000
_LIMITS = {"MIN": "MIN", "MINIMUM": "MIN", "MAX": "MAX", "MAXIMUM": "MAX", "DEF": "DEF", "DEFAULT": "DEF"}


@dataclass(frozen=True)
class Span:
    """What a numeric setting may be: ``unit`` is the one that it is stored and answered in."""

    low: float
    high: float
    default: float
    unit: str = ""
    whole: bool = False

    def limit(self, text: str) -> float | None:
        """The number that MINimum, MAXimum or DEFault stands for; None: it is no such word."""
        return {"MIN": self.low, "MAX": self.high, "DEF": self.default}.get(_LIMITS.get(text.upper(), ""))

    def read(self, text: str) -> float:
        """The number in ``text``. Raises :class:`ScpiError`."""
        limit = self.limit(text)
        value = number(text, self.unit) if limit is None else limit
        if self.whole:
            value = float(math.floor(value + 0.5)) if abs(value) < 1e15 else value
        if not self.low <= value <= self.high:
            raise ScpiError(-222, f"{text[:40]} is not within {shown(self.low)} and {shown(self.high)}")
        return value


def number(text: str, unit: str = "") -> float:
    """A decimal number with or without unit, or one of base 2, 8 or 16. Raises :class:`ScpiError`."""
    if other := _OTHER_BASE.match(text):
        base = {"h": 16, "q": 8, "b": 2}[str(other.lastgroup)]
        return float(int(str(other[str(other.lastgroup)]), base))
    found = _NUMBER.match(text)
    if found is None:
        if _WORD.match(text):
            raise ScpiError(-141, text[:40])
        raise ScpiError(-104 if text[:1] in "\"'#(" else -121, text[:40])
    if found[2] is not None and (len(found[2]) > 6 or abs(int(found[2])) > _LARGEST_EXPONENT):
        raise ScpiError(-123, text[:40])
    value = float(f"{found[1]}e{found[2] or 0}")
    suffix = text[found.end() :].strip()
    if not suffix:
        return value
    if not _SUFFIX.match(suffix):
        raise ScpiError(-121, text[:40])
    if not UNITS[unit]:
        raise ScpiError(-138, suffix[:40])
    factor = UNITS[unit].get(suffix.upper())
    if factor is None:
        raise ScpiError(-131, suffix[:40])
    return value * factor


def boolean(text: str) -> bool:
    """ON, OFF, or a number: 0 is off once rounded (SCPI-99, 7.3). Raises :class:`ScpiError`."""
    word = text.upper()
    if word in ("ON", "OFF"):
        return word == "ON"
    value = number(text)
    return math.isinf(value) or math.floor(value + 0.5) != 0


def shown(value: float) -> str:
    """As it is answered: NR1 for whole numbers, NR2, NR3 where that would be long."""
    if math.isfinite(value) and value == int(value) and abs(value) < 1e15:
        return str(int(value))
    text = f"{value:.9g}"
    return text.upper() if "e" in text else text
