"""What the terminal's own parts say of themselves, in words for the operator. Never a response code: those are the
host's. Pure: out of what ``board.condition()`` gives."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from . import texts
from .kinds import CHIP, CONTACTLESS, MAGNETIC

Condition = Mapping[str, Any]
_READERS = (
    ("magnetic_reader", MAGNETIC, texts.STRIPE_FAULT), ("chip_reader", CHIP, texts.CHIP_FAULT),
    ("contactless_reader", CONTACTLESS, texts.CONTACTLESS_FAULT),
)


def tampered(told: Condition) -> bool:
    """The case is open, or was and nobody has seen to it since."""
    return bool(told["tamper"] != "ok")


def of_printer(told: Condition) -> str:
    """Why nothing can be printed now; "": it can. A hot printer prints when it has cooled."""
    if told["printer"] == "dead":
        return texts.PRINTER_FAULT
    if told["paper"] == "out":
        return texts.NO_PAPER
    return texts.PRINTER_HOT if told["printer"] == "hot" else ""


def of_readers(told: Condition, entries: Collection[str]) -> tuple[str, ...]:
    """Which readers of those that the model has are dead."""
    return tuple(text for part, entry, text in _READERS if entry in entries and told[part] == "dead")


def of_clock(told: Condition) -> str:
    """Without a date of its own."""
    return texts.CLOCK_FAULT if told["clock"] == "lost" else ""


def of_battery(told: Condition) -> str:
    """Which is to be charged, or changed."""
    return {"low": texts.BATTERY_LOW, "dead": texts.BATTERY_EMPTY}.get(told["battery"], "")


def on_idle(told: Condition, entries: Collection[str]) -> tuple[str, ...]:
    """Below the welcome. Clock and battery stand in the status row."""
    return tuple(filter(None, (of_printer(told), *of_readers(told, entries))))
