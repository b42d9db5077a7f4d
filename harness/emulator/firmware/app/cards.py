"""A presented card or payment code, out of what stripe reader, chip, keypad and scanner give. Pure."""

from __future__ import annotations

from typing import Any, NamedTuple

from . import tlv
from .kinds import CHIP, CONTACTLESS, MAGNETIC, MANUAL, SCAN

ENTRY_DIGITS = {MANUAL: "01", MAGNETIC: "02", SCAN: "03", CHIP: "05", CONTACTLESS: "07"}  # of F22
_WECHAT_FIRST, _ALIPAY_FIRST = range(10, 16), range(25, 31)
WECHAT, ALIPAY = "微信", "支付宝"


class Card(NamedTuple):
    """``mode``: how it was presented (names of :mod:`.kinds`). ``expiry`` YYMM. ``objects``: what a chip has told, tag
    -> value. ``code``: a payment code, of a scan; then there is no card number."""

    mode: str
    pan: str = ""
    track2: str = ""
    track3: str = ""
    sequence: str = ""
    expiry: str = ""
    objects: dict[str, str] = {}
    code: str = ""

    @property
    def by_chip(self) -> bool:
        return self.mode in (CHIP, CONTACTLESS)


def of_stripe(value: Any) -> Card | None:
    """``{"track2": ..., "track3": ...}`` of the stripe reader; None where that is no payment card."""
    if not isinstance(value, dict):
        return None
    return _card(MAGNETIC, value.get("track2"), value.get("track3") or "")


def of_chip(objects: dict[str, str], mode: str) -> Card | None:
    """The chip's data objects; None where they are no payment card's. 57 track 2, 5F34 its sequence number."""
    card = _card(mode, objects.get("57", "").rstrip("F"), "")
    sequence = objects.get("5F34", "")
    if card is None:
        return None
    return card._replace(sequence=sequence.rjust(3, "0")[-3:] if sequence else "", objects=objects)


def of_keys(pan: str, expiry: str) -> Card | None:
    """Typed: the card number and YYMM."""
    if not (13 <= len(pan) <= 19 and len(expiry) == 4 and 1 <= int(expiry[2:]) <= 12):
        return None
    return Card(MANUAL, pan, expiry=expiry)


def of_scan(value: Any) -> Card | None:
    """``{"code": digits}`` of the scanner; None where no provider's codes begin so."""
    code = value.get("code") if isinstance(value, dict) else None
    if not isinstance(code, str) or provider(code) is None:
        return None
    return Card(SCAN, code=code)


def provider(code: str) -> str | None:
    """Whose payment code this is, by its beginning and length; None: of none that is known."""
    if not (code.isascii() and code.isdigit() and len(code) >= 16):
        return None
    first = int(code[:2])
    if len(code) == 18 and first in _WECHAT_FIRST:
        return WECHAT
    return ALIPAY if 16 <= len(code) <= 24 and first in _ALIPAY_FIRST else None


def masked(number: str) -> str:
    """First six and last four digits of a card number or payment code."""
    return number[:6] + "*" * (len(number) - 10) + number[-4:]


def objects_of(data: str) -> dict[str, str]:
    """A chip's answer (BER-TLV in hex) as tag -> value."""
    return dict(tlv.read(data))


def _card(mode: str, track2: Any, track3: Any) -> Card | None:
    if not isinstance(track2, str) or not isinstance(track3, str):
        return None
    track2, track3 = track2.replace("=", "D"), track3.replace("=", "D")
    pan, separator, rest = track2.partition("D")
    whole = separator and 13 <= len(pan) <= 19 and pan.isascii() and pan.isdigit() and len(rest) >= 4
    if not whole or len(track2) > 37:
        return None
    return Card(mode, pan, track2, track3, expiry=rest[:4])
