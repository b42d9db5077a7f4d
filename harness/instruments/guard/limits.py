"""What an instrument of a bench is never driven to. The one place where that is decided.

A limit is the bench's own (inventory), or else follows from the terminal's model (a chamber goes no further than
:data:`BEYOND` beyond the declared range, a supply no higher than :data:`MAINS_HIGH_V`, a generator no higher than
:data:`LEVELS`); what the driver says its hardware can do holds in any case. A call beyond a limit is refused whole,
before anything is sent; so is one for what has no limit at all (:func:`unlimited`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.history.instrument_events import InstrumentKind, Quantity
from harness.instruments.methods import Method, methods
from harness.instruments.quantities import margin, possible
from harness.lab.instrument_entry import Limit
from harness.terminal.surroundings import Surroundings

BEYOND = {"temperature_c": 20.0, "humidity_pct": 10.0}
LEVELS = {  # the highest level that the basic standard names (IEC 61000-4-4, -2, -5, -3)
    "burst": ("level_kv", 4.0), "esd": ("level_kv", 15.0), "surge": ("level_kv", 4.0), "field": ("field_v_m", 30.0),
}
MAINS_HIGH_V = 264.0  # 240 V + 10 %: what every mains supply of a terminal bears
OF_MODEL: Mapping[str, tuple[str, ...]] = {  # by kind: never driven where neither model nor inventory says how far
    "chamber": ("temperature_c", "humidity_pct"), "supply": ("voltage_v",),
}
RAMP_K_PER_MIN = 10.0
DRIVING = frozenset({"set_climate", "arm", "fire", "radiate"})  # never with the door open
_ALWAYS = {  # by argument
    "ramp_k_per_min": Limit(low=0.0, high=RAMP_K_PER_MIN), "residual_pct": Limit(low=0.0, high=100.0),
    "duration_ms": Limit(low=0.0, high=600_000.0), "count": Limit(low=1, high=10_000),
    "every_ms": Limit(low=0.0, high=600_000.0), "speed_cm_s": Limit(low=1.0, high=150.0),
    "hold_ms": Limit(low=1.0, high=30_000.0),
}  # fmt: skip
_POSSIBLE: Mapping[str, tuple[float, float]] = {  # of arguments; of quantities: harness.instruments.quantities
    "ramp_k_per_min": (0, 100), "residual_pct": (0, 100), "duration_ms": (0, 3_600_000), "count": (1, 1_000_000),
    "every_ms": (0, 3_600_000), "speed_cm_s": (0.1, 1000), "hold_ms": (0, 600_000),
}  # fmt: skip
_UNITS = {
    "_c": "°C", "_pct": "%", "_v": "V", "_a": "A", "_kv": "kV", "_v_m": "V/m", "_ms": "ms", "_k_per_min": "K/min",
    "_mhz": "MHz", "_cm_s": "cm/s",
}  # fmt: skip


def defaults(kind: InstrumentKind, around: Surroundings | None) -> dict[str, Limit]:
    """By quantity or argument, where the inventory says nothing."""
    found = dict(_ALWAYS)
    if kind == "chamber" and around is not None:
        found["temperature_c"] = Limit(
            low=around.temperature_c.low - BEYOND["temperature_c"],
            high=around.temperature_c.high + BEYOND["temperature_c"],
        )
        found["humidity_pct"] = Limit(
            low=max(0.0, around.humidity_pct.low - BEYOND["humidity_pct"]),
            high=min(100.0, around.humidity_pct.high + BEYOND["humidity_pct"]),
        )
    if kind in LEVELS:
        name, high = LEVELS[kind]
        found[name] = Limit(low=0.0, high=high)
    if kind == "supply":
        found["voltage_v"] = Limit(low=0.0, high=MAINS_HIGH_V)
    return found


def unlimited(kind: InstrumentKind, around: Surroundings | None, given: Mapping[str, Limit]) -> list[str]:
    """The quantities of :data:`OF_MODEL` for which no range is declared and the inventory (``given``) does not give
    both ends. What the hardware can do is no limit of a bench."""
    if around is not None:
        return []
    ends = {name: given.get(name, Limit()) for name in OF_MODEL.get(kind, ())}
    return [name for name, limit in ends.items() if limit.low is None or limit.high is None]


@dataclass(frozen=True)
class Limits:
    """Of one instrument: by quantity or argument. ``unlimited``: never driven, for want of a limit."""

    kind: InstrumentKind
    by_name: Mapping[str, Limit]
    unlimited: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls, kind: InstrumentKind, quantities: Mapping[str, Quantity], around: Surroundings | None,
        given: Mapping[str, Limit],
    ) -> Limits:
        """The driver's and the tighter of ours: what the inventory gives, else (each end by itself) what follows from
        the model. Who lowers the one end has not opened the other."""
        found = defaults(kind, around)
        for name, limit in given.items():
            ours = found.get(name, Limit())
            found[name] = Limit(
                low=ours.low if limit.low is None else limit.low, high=ours.high if limit.high is None else limit.high
            )
        for name, quantity in quantities.items():
            limit = found.get(name, Limit())
            found[name] = Limit(
                low=_tighter(max, limit.low, quantity.low), high=_tighter(min, limit.high, quantity.high)
            )
        return cls(kind, found, frozenset(unlimited(kind, around, given)))

    def quantities(self, quantities: Mapping[str, Quantity]) -> dict[str, Quantity]:
        """These with their limits, as the history has them."""
        return {
            name: Quantity(unit=one.unit, low=self.by_name[name].low, high=self.by_name[name].high)
            for name, one in quantities.items()
        }

    def arguments(self, method: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments as they may be passed on. Raises ValueError, with all that is wrong in one sentence: no such
        method, an argument of another type, a value that is no number, beyond its limit or without one."""
        known = methods(self.kind)
        if method not in known:
            raise ValueError(f"there is no {method} of a {self.kind}: {', '.join(known) or 'it can only be read'}")
        values = _typed(known[method], given)
        for name, value in values.items():
            if name in self.unlimited:
                raise ValueError(f"{name} has no limit here: the model declares no range, the inventory not both ends")
            if isinstance(value, int | float) and not isinstance(value, bool):
                self._check(name, value)
        if "ramp_k_per_min" in known[method].arguments and values.get("ramp_k_per_min") is None:
            values["ramp_k_per_min"] = self.by_name["ramp_k_per_min"].high
        if "channel" in values and f"ch{values['channel']}" not in self.by_name:
            raise ValueError(f"there is no channel {values['channel']}")
        return values

    def _check(self, name: str, value: float) -> None:
        unit = unit_of(name)
        if not math.isfinite(value):
            raise ValueError(f"{name} is {value}, which is no number")
        limit = self.by_name.get(name, Limit())
        if limit.high is not None and value > limit.high:
            raise ValueError(f"{name} {value:g} {unit} is above the limit of {limit.high:g} {unit}".replace("  ", " "))
        if limit.low is not None and value < limit.low:
            raise ValueError(f"{name} {value:g} {unit} is below the limit of {limit.low:g} {unit}".replace("  ", " "))

    def nearest(self, name: str, value: float) -> float:
        """That value, or the limit that it is beyond."""
        limit = self.by_name.get(name, Limit())
        value = value if limit.low is None else max(value, limit.low)
        return value if limit.high is None else min(value, limit.high)

    def door(self, method: str, given: Mapping[str, Any], readings: Mapping[str, float]) -> str:
        """Why the call must not pass while the door is as last read; "" where it may."""
        drives = method in DRIVING and given.get("on", True) is not False
        return f"the door is open, and there is no {method} with an open door" if drives and is_open(readings) else ""

    def exceeded(self, readings: Mapping[str, float]) -> str:
        """What a reading is so far beyond its limit that the instrument has to be stopped; "" nothing."""
        for name, value in readings.items():
            limit = self.by_name.get(name, Limit())
            for bound, beyond in ((limit.high, value - (limit.high or 0)), (limit.low, (limit.low or 0) - value)):
                if bound is not None and beyond > margin(name):
                    unit = unit_of(name)
                    return f"it reads {name} {value:g} {unit}, and its limit is {bound:g} {unit}"
        return ""


def is_open(readings: Mapping[str, float]) -> bool:
    return readings.get("door_open", 0.0) >= 0.5


def unit_of(name: str) -> str:
    """Of a quantity or an argument, by the end of its name."""
    ends = [end for end in _UNITS if name.endswith(end)]
    return _UNITS[max(ends, key=len)] if ends else ""


def problems(
    kind: InstrumentKind, quantities: Mapping[str, Quantity], given: Mapping[str, Limit]
) -> list[tuple[str, str]]:
    """(quantity, what is wrong with its limit) of what an inventory gives."""
    from harness.instruments.methods import numbers

    found = []
    known = sorted(set(quantities) | (numbers(kind) - {"channel"}))
    for name, limit in given.items():
        if name not in known:
            found.append((name, f"a {kind} has no quantity {name}; it has {', '.join(known)}"))
            continue
        can = quantities.get(name, Quantity(unit=""))
        if limit.low is not None and limit.high is not None and limit.low > limit.high:
            found.append((name, f"the limit's low {limit.low:g} is above its high {limit.high:g}"))
        elif limit.high is not None and can.low is not None and limit.high < can.low:
            found.append((name, f"the limit's high {limit.high:g} is below what this driver can do, {can.low:g}"))
        elif limit.low is not None and can.high is not None and limit.low > can.high:
            found.append((name, f"the limit's low {limit.low:g} is above what this driver can do, {can.high:g}"))
        elif limit.low is not None and can.low is not None and limit.low < can.low:
            found.append((name, f"the limit's low {limit.low:g} is beyond what this driver can do, {can.low:g}"))
        elif limit.high is not None and can.high is not None and limit.high > can.high:
            found.append((name, f"the limit's high {limit.high:g} is beyond what this driver can do, {can.high:g}"))
    return found


def untenable(limits: Limits) -> list[tuple[str, str]]:
    """(quantity or argument, what is wrong with its limit) of what has come of inventory, model and driver."""
    found = []
    for name, limit in limits.by_name.items():
        lowest, highest = _POSSIBLE.get(name) or possible(name)
        ends = [end for end in (limit.low, limit.high) if end is not None]
        beyond = [end for end in ends if not lowest <= end <= highest]
        if len(ends) == 2 and ends[0] > ends[1]:
            text = f"with what follows from model and driver {name} would be limited to {ends[0]:g} to {ends[1]:g}"
            found.append((name, text))
        elif beyond:
            found.append((name, f"{name} can only be {lowest:g} to {highest:g}, and its limit is {beyond[0]:g}"))
    return found


def _typed(method: Method, given: Mapping[str, Any]) -> dict[str, Any]:
    unknown = [name for name in given if name not in method.arguments]
    missing = sorted(method.required - set(given))
    if unknown or missing:
        wrong = [*(f"no argument {name}" for name in unknown), *(f"{name} is missing" for name in missing)]
        raise ValueError(f"{method.name}: {', '.join(wrong)}")
    values: dict[str, Any] = {}
    for name, value in given.items():
        sort = method.arguments[name]
        if value is None and name in method.optional_none:
            continue
        try:
            as_float = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
        except OverflowError as error:
            raise ValueError(f"{method.name}: {name} is larger than any number that can be told") from error
        if sort is float and as_float is not None:
            values[name] = as_float
        elif isinstance(value, sort) and (sort is bool or not isinstance(value, bool)):
            values[name] = value
        else:
            raise ValueError(f"{method.name}: {name} is {value!r}, which is no {sort.__name__}")
    return values


def _tighter(which: Any, ours: float | None, theirs: float | None) -> float | None:
    present = [one for one in (ours, theirs) if one is not None]
    return which(present) if present else None
