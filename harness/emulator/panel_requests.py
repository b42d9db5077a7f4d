"""What the panel's requests must look like. Each function takes the request and raises :class:`BadInput`."""

from __future__ import annotations

import re
from typing import Any

from harness.emulator.nor import SLOT_A
from harness.emulator.slots import REGIONS, Slot
from harness.errors import BadInput

KEYS = frozenset([*"0123456789", "ENTER", "CANCEL", "CLEAR", "FUNC", "ALPHA", "UP", "DOWN"])
_TRACK2 = re.compile(r"[0-9]{1,19}[D=][0-9D=]{0,36}\Z")
_TRACK3 = re.compile(r"[0-9D=]{1,104}\Z")
_CHIP = {"pan": re.compile(r"[0-9]{1,19}\Z"), "track2": _TRACK2, "psn": re.compile(r"[0-9]{1,3}\Z"),
         "expiry": re.compile(r"([0-9]{4})?\Z"), "first": re.compile(r"(ARQC|TC|AAC)?\Z"),
         "second": re.compile(r"(TC|AAC)?\Z")}
_MODEM = {
    "signal": ("none", "weak", "good"), "sim": ("present", "missing"), "registration": ("home", "denied"),
    "data": ("granted", "refused"),
}
_TAG = re.compile(r"([0-9A-F]{2}|[0-9A-F]{4})\Z")
_VALUE = re.compile(r"([0-9A-F]{2}){1,250}\Z")
_CODE = re.compile(r"[0-9]{1,32}\Z")
_STROKES = re.compile(r"([0-9A-Fa-f]{2}){1,8192}\Z")


def key(request: dict[str, Any]) -> str:
    """A key of the keypad."""
    value = request.get("key")
    if not isinstance(value, str) or value not in KEYS:
        raise BadInput(f"there is no key {value!r}; there are {', '.join(sorted(KEYS))}")
    return value


def swipe(request: dict[str, Any]) -> dict[str, str | None]:
    """``track2`` (37 characters at most, D or = between PAN and expiry) and ``track3`` (may be null)."""
    track2, track3 = request.get("track2"), request.get("track3")
    if not isinstance(track2, str) or len(track2) > 37 or not _TRACK2.match(track2):
        raise BadInput("track2 is no track 2: up to 19 digits, D, expiry, service code, discretionary data")
    if track3 is not None and not (isinstance(track3, str) and _TRACK3.match(track3)):
        raise BadInput("track3 is no track 3: up to 104 digits, D or =")
    return {"track2": track2, "track3": track3}


def chip(request: dict[str, Any]) -> dict[str, Any]:
    """``chip``: ``pan``, ``track2``, ``psn`` (card sequence number), ``expiry`` (YYMM or ""), ``objects`` (tag: value,
    hex in capitals), ``first`` and ``second`` (the cryptograms it gives of its own mind, or "")."""
    value = request.get("chip")
    names = [*_CHIP, "objects"]
    if not isinstance(value, dict) or set(value) != set(names):
        raise BadInput(f"chip is an object with {', '.join(names)}")
    for name, pattern in _CHIP.items():
        if not isinstance(value[name], str) or not pattern.match(value[name]):
            raise BadInput(f"chip.{name} is not as on a card: {str(value[name])[:60]!r}")
    objects = value["objects"]
    if not isinstance(objects, dict):
        raise BadInput("chip.objects is an object of tags and values")
    for tag, data in objects.items():
        if not _TAG.match(tag) or not isinstance(data, str) or not _VALUE.match(data):
            raise BadInput(f"chip.objects.{tag[:8]} is no data object: tag and value in hex, in capitals")
    return {name: value[name] for name in names}


def scan(request: dict[str, Any]) -> dict[str, str]:
    """``code``: the payment code that is held to the scanner."""
    code = request.get("code")
    if not isinstance(code, str) or not _CODE.match(code):
        raise BadInput("code is no payment code: 1 to 32 digits")
    return {"code": code}


def sign(request: dict[str, Any]) -> dict[str, str]:
    """``strokes``: the signature pad's bitmap, in hex."""
    strokes = request.get("strokes")
    if not isinstance(strokes, str) or not _STROKES.match(strokes):
        raise BadInput("strokes is no bitmap: 1 to 8192 bytes in hex")
    return {"strokes": strokes}


def modem(request: dict[str, Any]) -> dict[str, Any]:
    """What is around the modem: any of ``signal``, ``sim``, ``registration``, ``data``; ``drop``: the network ends the
    data session."""
    wanted = {name: value for name, value in request.items() if name not in ("id", "op")}
    for name, value in wanted.items():
        if name != "drop" and name not in _MODEM:
            raise BadInput(f"a modem has no {name[:40]!r}; it has {', '.join(_MODEM)} and drop")
        known = (True, False) if name == "drop" else _MODEM[name]
        if value not in known:
            raise BadInput(f"{name} is {' or '.join(map(str, known))}, not {str(value)[:60]!r}")
    if not wanted:
        raise BadInput(f"nothing is to be changed: {', '.join(_MODEM)} or drop")
    return wanted


def power(request: dict[str, Any]) -> str:
    """``on`` or ``off``."""
    if request.get("state") not in ("on", "off"):
        raise BadInput(f'state is "on" or "off", not {request.get("state")!r}')
    return str(request["state"])


def cut(request: dict[str, Any]) -> tuple[int | None, bool]:
    """The operation (from 1; null disarms) and whether it is torn."""
    operation, torn = request.get("operation"), request.get("torn", False)
    if operation is not None and (isinstance(operation, bool) or not isinstance(operation, int)
                                  or not 1 <= operation < 1 << 32):
        raise BadInput(f"operation counts from 1 (null disarms), not {operation!r}")
    if not isinstance(torn, bool):
        raise BadInput(f"torn is true or false, not {torn!r}")
    return operation, torn


LEAST_STORED = 4  # characters: fewer stand everywhere


def stored(request: dict[str, Any]) -> tuple[bytes, bytes]:
    """``old`` and ``new``: text of one length, at least 4 characters of ASCII."""
    old, new = request.get("old"), request.get("new")
    for text in (old, new):
        if not (isinstance(text, str) and text.isascii() and len(text) >= LEAST_STORED):
            raise BadInput(f"old and new are {LEAST_STORED} or more characters of ASCII, not {str(text)[:60]!r}")
    assert isinstance(old, str) and isinstance(new, str)
    if len(old) != len(new) or old == new:
        raise BadInput("old and new are two texts of one length")
    return old.encode("ascii"), new.encode("ascii")


def tamper(request: dict[str, Any]) -> tuple[Slot, int]:
    """``slot`` (A or B) and ``offset`` in it (bytes) of the byte that is to be inverted."""
    slot, offset = request.get("slot"), request.get("offset")
    known = next((one for one in REGIONS if one == slot), None)
    if known is None:
        raise BadInput(f"slot is A or B, not {str(slot)[:60]!r}")
    if isinstance(offset, bool) or not isinstance(offset, int) or not 0 <= offset < SLOT_A.size:
        raise BadInput(f"offset is that of a byte in the slot, 0 to {SLOT_A.size - 1}, not {str(offset)[:60]!r}")
    return known, offset
