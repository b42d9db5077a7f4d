"""The issuer's side of test cards: PINs, and cards that are always answered with some code.

A file of them is JSON: ``[{"pan": "6225880000000097", "pin": "123456", "code": "51", "type": "credit"}, ...]``; all but
``pan`` may be left out, and it may be a payment code too. A card that is not listed is approved whatever its PIN.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from harness.errors import BadInput
from harness.given_file import whole
from harness.protocol.frames import FrameError
from harness.protocol.tlv import read_ber

_KEYS = {"pan", "pin", "code", "type", "balance", "script"}


@dataclass(frozen=True)
class IssuerCard:
    """``pin`` None: any PIN will do. ``code`` None: approved, else F39 of every transaction with it. ``type``: for
    fees; None: by the range of the number. ``balance``: cents; None: the usual one. ``script``: what an approval tells
    an inserted chip to do, BER-TLV (71, 72) in hex."""

    pan: str
    pin: str | None = None
    code: str | None = None
    type: Literal["debit", "credit"] | None = None
    balance: int | None = None
    script: str = ""


def read_cards(path: Path) -> Mapping[str, IssuerCard]:
    """The card file, by PAN. Raises :class:`BadInput` with the place in the file."""
    try:
        entries = json.loads(whole(path).decode())
    except (OSError, ValueError, RecursionError) as error:
        raise BadInput(f"not a readable card file: {error}", where=str(path)) from error
    if not isinstance(entries, list):
        raise BadInput("expected a list of cards", where=str(path))
    cards: dict[str, IssuerCard] = {}
    for number, entry in enumerate(entries, 1):
        where = f"{path}: card {number}"
        if not isinstance(entry, dict) or not entry.keys() <= _KEYS:
            known = ", ".join(sorted(_KEYS))
            raise BadInput(f"expected an object with pan, and nothing but {known}", where=where)
        pan = _value(entry, "pan", r"\d{13,24}", where)
        if pan is None:
            raise BadInput("pan is missing", where=where)
        if pan in cards:
            raise BadInput(f"pan {pan} stands in the file twice", where=where)
        pin, code = _value(entry, "pin", r"\d{4,12}", where), _value(entry, "code", "[0-9A-Z]{2}", where)
        kind = cast(Literal["debit", "credit"] | None, _value(entry, "type", "debit|credit", where))
        balance, script = entry.get("balance"), _value(entry, "script", "([0-9A-Fa-f]{2}){0,255}", where) or ""
        if not (balance is None or (type(balance) is int and 0 <= balance < 10**12)):
            raise BadInput(f"balance is {balance!r}, expected cents of at most 12 digits", where=where)
        try:
            read_ber(bytes.fromhex(script))
        except FrameError as error:
            raise BadInput(f"script: {error.problem}", where=where) from error
        cards[pan] = IssuerCard(pan, pin, code, kind, balance, script.upper())
    return cards


def _value(entry: Mapping[str, object], key: str, pattern: str, where: str) -> str | None:
    value = entry.get(key)
    if value is None:
        return None
    if not isinstance(value, str) or not re.fullmatch(pattern, value, re.ASCII):
        raise BadInput(f"{key} is {value!r}, expected text that fits {pattern}", where=where)
    return value
