"""What quantities can be: how finely a change is worth a record, and what nothing on a bench can ever read."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping

# quantity -> (change that is recorded, lowest and highest value that is possible at all, margin beyond a bench's limit
# before an instrument is stopped: a chamber overshoots a little)
_KNOWN: Mapping[str, tuple[float, float, float, float]] = {
    "temperature_c": (0.1, -100.0, 300.0, 5.0),
    "humidity_pct": (0.5, 0.0, 100.0, 10.0),
    "voltage_v": (0.5, -1.0, 1000.0, 10.0),
    "current_a": (0.01, -1.0, 100.0, 0.5),
    "level_kv": (0.01, 0.0, 40.0, 0.1),
    "field_v_m": (0.1, 0.0, 1000.0, 1.0),
    "frequency_mhz": (0.1, 0.0, 100_000.0, math.inf),
    "paper_mm": (1.0, 0.0, 1e7, math.inf),
    "pulses": (0.5, 0.0, 1e9, math.inf),
}
_SWITCHES = ("door_open", "output_on", "armed", "card_inside", "paper_left")


def resolution(quantity: str) -> float:
    """A value that differs by more than this from the recorded one is recorded."""
    return _KNOWN[quantity][0] if quantity in _KNOWN else 0.5 if is_switch(quantity) else 0.0


def margin(quantity: str) -> float:
    """How far beyond its limit a reading may be before the instrument is stopped."""
    return _KNOWN[quantity][3] if quantity in _KNOWN else math.inf


def is_switch(quantity: str) -> bool:
    """Whether it is 0 or 1."""
    return quantity in _SWITCHES or (quantity.startswith("ch") and quantity[2:].isdigit())


@functools.cache
def possible(quantity: str) -> tuple[float, float]:
    """The lowest and the highest value that it can have at all."""
    return (0.0, 1.0) if is_switch(quantity) else _KNOWN.get(quantity, (0.0, -math.inf, math.inf, 0.0))[1:3]


def impossible(values: Mapping[str, float]) -> str:
    """What of these an instrument can't have read, in words; "" where all can be true."""
    for quantity, value in values.items():
        if not isinstance(value, int | float) or not math.isfinite(value):
            return f"it reads {value} for {quantity}, which is no number"
        low, high = possible(quantity)
        if not low <= value <= high:
            return f"it reads {value:g} for {quantity}, which can only be {low:g} to {high:g}"
    return ""
