"""The issuer's side of test cards: PINs, and cards that are always answered with some code.

A file of them is JSON: ``[{"pan": "6225880000000097", "pin": "123456", "code": "51"}, ...]``; ``pin`` and ``code`` may
be left out. A card that is not listed is approved whatever its PIN.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.errors import BadInput


@dataclass(frozen=True)
class IssuerCard:
    """``pin`` None: any PIN will do. ``code`` None: approved, else F39 of every sale and void with it."""

    pan: str
    pin: str | None = None
    code: str | None = None


def read_cards(path: Path) -> Mapping[str, IssuerCard]:
    """The card file, by PAN. Raises :class:`BadInput` with the place in the file."""
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BadInput(f"not a readable card file: {error}", where=str(path)) from error
    if not isinstance(entries, list):
        raise BadInput("expected a list of cards", where=str(path))
    cards: dict[str, IssuerCard] = {}
    for number, entry in enumerate(entries, 1):
        where = f"{path}: card {number}"
        if not isinstance(entry, dict) or not entry.keys() <= {"pan", "pin", "code"}:
            raise BadInput('expected an object with "pan" and, if wanted, "pin" and "code"', where=where)
        pan = _value(entry, "pan", r"\d{13,19}", where)
        if pan is None:
            raise BadInput("pan is missing", where=where)
        if pan in cards:
            raise BadInput(f"pan {pan} stands in the file twice", where=where)
        pin, code = _value(entry, "pin", r"\d{4,12}", where), _value(entry, "code", "[0-9A-Z]{2}", where)
        cards[pan] = IssuerCard(pan, pin, code)
    return cards


def _value(entry: Mapping[str, object], key: str, pattern: str, where: str) -> str | None:
    value = entry.get(key)
    if value is None:
        return None
    if not isinstance(value, str) or not re.fullmatch(pattern, value, re.ASCII):
        raise BadInput(f"{key} is {value!r}, expected text that fits {pattern}", where=where)
    return value
