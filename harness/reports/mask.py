"""What may be read by anybody: card numbers, tracks, PIN blocks and keys never stand in a report in the clear.

The raw evidence beside the report (capture, history) is another matter: on a lab with test keys and test cards it is
raw. PCI DSS lets the first six and the last four digits of a card number be shown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from harness.protocol.frames import Frame, FrameError
from harness.protocol.nested import batch_records, key_block

HIDDEN = "***"
_PAN = re.compile(r"(?<![0-9A-Fa-f])\d{12,19}(?![0-9A-Fa-f])")
_TRACK = re.compile(r"\d{12,19}[=Dd]\d{4,}")
_KEY = re.compile(r"(?<![0-9A-Za-z])(?:[0-9A-Fa-f]{16}|[0-9A-Fa-f]{32}|[0-9A-Fa-f]{48})(?![0-9A-Za-z])")
_PIN = re.compile(r"""(\bpin\b['"]?\s*[=:]\s*['"]?)\d{4,12}\b""", re.IGNORECASE)
_SECRET_NAMES = frozenset(
    {"tmk", "key", "pik", "mak", "tdk", "pin", "track2", "track3", "pan", "f62", "f55", "f52", "value"}
)
_CARD_TAGS = frozenset({"5A", "57", "5F20", "9F1F", "9F20", "9F6B", "56"})


def pan(digits: str) -> str:
    """First six and last four: 622260******1234. What is too short to be a card number is hidden whole."""
    return digits[:6] + "*" * (len(digits) - 10) + digits[-4:] if len(digits) >= 12 else "*" * len(digits)


def looks_like_pan(digits: str) -> bool:
    """A card number by its length, its first digits and the Luhn check; any 62... of 16 to 19 digits is one.

    By first digits, too: a merchant number has 15 digits, and one in ten of them would pass for a card number.
    """
    first = {13: "4", 14: "3", 15: "3"}.get(len(digits), "")
    if not 13 <= len(digits) <= 19 or not digits.startswith(first):
        return False
    total = 0
    for position, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if position % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0 or (digits.startswith("62") and len(digits) >= 16)


def cards(value: str) -> str:
    """``value`` with card numbers and tracks masked."""
    value = _TRACK.sub(lambda found: pan(re.split("[=Dd]", found[0])[0]) + "=" + HIDDEN, value)
    return _PAN.sub(lambda found: pan(found[0]) if looks_like_pan(found[0]) else found[0], value)


def text(value: str) -> str:
    """Free text (a screen's line, a checker's reason) with card numbers, tracks, PINs and keys masked."""
    value = _PIN.sub(rf"\1{HIDDEN}", value)
    return _KEY.sub(lambda found: found[0] if found[0].isdigit() and len(found[0]) == 16 else HIDDEN, cards(value))


def shows_secret(lines: list[str]) -> bool:
    """Would a picture of these lines show a card number or a key? Wrapped ones count."""
    return text("\n".join(lines)) != "\n".join(lines) or text("".join(lines)) != "".join(lines)


def values(mapping: Mapping[str, Any]) -> dict[str, str]:
    """Names and values as they may be shown: secrets by name hidden, everything else as text."""
    return {
        name: HIDDEN if name.lower() in _SECRET_NAMES and str(value) not in ("yes", "no", "") else text(str(value))
        for name, value in mapping.items()
        if value is not None
    }


def field(frame: Frame, number: int) -> str:
    """The value of one field of a frame as it may be shown."""
    value = frame.get(number)
    if number == 2:
        return pan(value)
    if number in (35, 36):
        digits = re.split("[D=]", value)[0]
        return f"{pan(digits)}D{HIDDEN}" if len(digits) < len(value) else HIDDEN
    if number == 52:
        return HIDDEN
    if number in (55, 59):  # their elements are shown one by one
        return f"({len(frame.binary(55)) if number == 55 else len(value)} B)"
    if number == 62:
        return _f62(frame)
    if number == 48:
        return _f48(frame)
    return text(frame.text(number)) if number in (44, 54, 63) else value


def nested(number: int, part: str, value: Any) -> Any:
    """One part of a field taken apart by :func:`harness.protocol.describe.nested`, masked; None: not to be shown."""
    if number == 62:
        return value if part.endswith("kcv") or part in ("serial_number", "problem") else None
    if number == 48 and part == "records":
        return [{**record, "pan": pan(str(record["pan"]))} for record in value]
    if number == 55 and part == "elements":
        return [
            {**e, "value": HIDDEN if str(e["tag"]).upper() in _CARD_TAGS else cards(str(e["value"]))} for e in value
        ]
    if number == 59 and part == "items":
        return [_f59_item(item) for item in value]
    return value if isinstance(value, (dict, list)) else text(str(value))


def _f59_item(item: Mapping[str, Any]) -> dict[str, Any]:
    """A3 and A4 are payment codes; part 03 of A2 repeats the last six digits of the card number."""
    if item["tag"] in ("A3", "A4"):
        return {**item, "value": HIDDEN}
    parts = [
        {**part, "value": HIDDEN if part["tag"] == "03" else text(str(part["value"]))} for part in item.get("parts", [])
    ]
    return {**item, "value": text(str(item["value"])), **({"parts": parts} if parts else {})}


def _f62(frame: Frame) -> str:
    size = len(frame.binary(62))
    if not frame.is_response:
        return _printable(frame.binary(62), size)
    try:
        block = key_block(frame)
    except FrameError:
        return f"{HIDDEN} ({size} B)"
    kcvs = [f"{name} KCV {kcv.hex().upper()}" for name, kcv in
            (("PIK", block.pik_kcv), ("MAK", block.mak_kcv), ("TDK", block.tdk_kcv)) if kcv]  # fmt: skip
    return ", ".join(kcvs)


def _printable(data: bytes, size: int) -> str:
    readable = data.isascii() and data.decode("ascii").isprintable()
    return text(data.decode("ascii")) if readable else f"{HIDDEN} ({size} B)"


def _f48(frame: Frame) -> str:
    """A batch upload's F48 holds card numbers, each behind 2 + 6 digits in a record of 40."""
    if frame.mti not in ("0320", "0330"):
        return frame.get(48)
    try:
        records = batch_records(frame)
    except FrameError:
        digits = frame.get(48)
        return digits if len(digits) < 12 else f"{HIDDEN} ({len(digits)})"
    return f"{len(records):02d} × (… {HIDDEN} …)"
