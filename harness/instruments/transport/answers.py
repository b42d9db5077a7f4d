"""Reading what instruments answer: pure, and strict, since whatever an instrument says may be wrong.

Every function raises the :class:`InstrumentError` for what it can't make sense of, and nothing else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from harness.instruments.transport import troubles

_NO_READING = 9.9e37  # SCPI-99, 21.13.2: infinite; 9.91E37 is not a number
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?")
_NUMBERS = re.compile(rf"\s*{_NUMBER.pattern}\s*(?:,\s*{_NUMBER.pattern}\s*)*")
_ERROR = re.compile(r'\s*([+-]?\d{1,6})\s*(?:,\s*(.*?)\s*)?', re.DOTALL)
_LONGEST_IDENTITY = 200  # characters; IEEE 488.2, 10.14, has 72
_SWITCH = {"1": True, "ON": True, "0": False, "OFF": False}


def number(where: str, query: str, text: str) -> float:
    """A number as SCPI writes it (NR1, NR2, NR3)."""
    if _NUMBER.fullmatch(text.strip()) is None:
        raise troubles.garbage(where, query, text, "number")
    value = float(text.strip())  # which takes more for blank than float does
    if abs(value) >= _NO_READING:
        raise troubles.no_reading(where, query, text)
    return value


def numbers(where: str, query: str, text: str, count: int) -> list[float]:
    """An answer of ``count`` numbers, separated by commas."""
    parts = text.strip().split(",")
    if len(parts) != count:
        raise troubles.garbage(where, query, text, f"answer of {count} numbers")
    if _NUMBERS.fullmatch(text) is not None:  # at once: instruments are asked ten times a second
        values = [float(part.strip()) for part in parts]
        if max(values) < _NO_READING and min(values) > -_NO_READING:
            return values
    return [number(where, query, part) for part in parts]


def switch(where: str, query: str, text: str) -> bool:
    """``1``, ``ON``, ``0`` or ``OFF``."""
    value = _SWITCH.get(text.strip().upper())
    if value is None:
        raise troubles.garbage(where, query, text, "0 or 1")
    return value


def named(where: str, query: str, text: str, quantities: Sequence[str]) -> dict[str, float]:
    """The numbers of an answer by the names of its quantities, in their order. Whether they can be is the guard's
    question (:mod:`harness.instruments.quantities`)."""
    return dict(zip(quantities, numbers(where, query, text, len(quantities)), strict=True))


def error_of(where: str, text: str) -> str:
    """An answer to ``SYST:ERR?``: "" for none (code 0), else the code and what it says."""
    match = _ERROR.fullmatch(text)
    if match is None:
        raise troubles.garbage(where, "SYST:ERR?", text, "error code")
    if int(match[1]) == 0:
        return ""
    said = (match[2] or "").strip('"')
    return f"{int(match[1])}, {said}" if said else str(int(match[1]))


def json_object(where: str, what: str, body: bytes) -> dict[str, Any]:
    """A JSON object. Its members are looked at with :func:`member` and :func:`flag`."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise troubles.garbage(where, what, body[:200].decode("utf-8", "replace"), "JSON") from error
    if not isinstance(found, dict):
        raise troubles.garbage(where, what, body[:200].decode("utf-8", "replace"), "JSON object")
    return found


def member(where: str, what: str, found: Mapping[str, Any], key: str) -> float:
    """A number of a JSON object; true and false count as 1 and 0."""
    value = found.get(key)
    if not isinstance(value, int | float) or not -1e300 < value < 1e300:  # also no NaN
        raise troubles.garbage(where, what, f"{key}: {value!r}", "number")
    return float(value)


def flag(where: str, what: str, found: Mapping[str, Any], key: str) -> bool:
    """``true`` or ``false`` (or 1, 0) of a JSON object."""
    value = found.get(key)
    if value not in (True, False) or isinstance(value, float):
        raise troubles.garbage(where, what, f"{key}: {value!r}", "true or false")
    return bool(value)


def text(where: str, what: str, found: Mapping[str, Any], key: str) -> str:
    """A text of a JSON object, which may be printed and stored; a number counts as one."""
    value = found.get(key)
    if isinstance(value, bool) or not isinstance(value, str | int) or not str(value).isprintable():
        raise troubles.garbage(where, what, f"{key}: {value!r}", "text")
    return str(value)


def identity(where: str, what: str, said: object) -> str:
    """What an instrument says of itself: something, printable, no longer than a line."""
    if not isinstance(said, str) or not said.strip() or not said.isprintable() or "\ufffd" in said:
        raise troubles.garbage(where, what, str(said), "identity")
    if len(said) > _LONGEST_IDENTITY:
        raise troubles.garbage(where, what, f"{said[:30]}... ({len(said)} characters)", "identity")
    return said


def identity_fits(where: str, wanted: str, answered: str) -> None:
    """``wanted`` (of the inventory; "" takes anything) must be in what it says of itself, capitals or not."""
    if wanted.casefold() not in answered.casefold():
        raise troubles.other_identity(where, wanted, answered)


