"""The plan: which instruments a bench has, as JSON (docs/instruments-emulated.md)."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.errors import BadInput
from harness.given_file import whole

KINDS = ("chamber", "supply", "power_switch", "burst", "esd", "surge", "field", "card_robot", "key_pusher", "camera",
         "printer_sensor", "relay")
_LARGEST_SCALE = 100_000.0
SPANS: Mapping[str, tuple[float, float]] = {  # of the options that say how an instrument is built
    "ambient_c": (-20, 60), "ambient_pct": (1, 99), "low_c": (-80, 20), "high_c": (30, 200),
    "heat_k_per_min": (0.1, 100), "cool_k_per_min": (0.1, 100), "nominal_v": (1, 300), "high_v": (1, 400),
    "limit_a": (0.1, 100), "hold_up_ms": (0, 10_000), "load_w": (0, 1000), "high_kv": (1, 100),
    "charge_s_per_kv": (0, 60), "high_v_m": (1, 200), "warm_up_s": (0, 3600), "roll_mm": (0, 1e6), "channels": (1, 64),
}
WHOLE = frozenset({"channels"})
HIGH_V = 300.0  # of a supply of which the plan does not say it


class Options:
    """Some keys of a plan, taken one after another; :meth:`done` refuses those that nobody took."""

    def __init__(self, values: Mapping[str, Any], where: str) -> None:
        self._values, self.where = dict(values), where

    def number(self, name: str, default: float, low: float, high: float) -> float:
        value = self._values.pop(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise BadInput(f"{name} is a number, not {str(value)[:60]!r}", where=self.where)
        if not low <= value <= high:
            raise BadInput(f"{name} is from {low:g} to {high:g}, not {value:g}", where=self.where)
        return float(value)

    def built(self, name: str, default: float) -> float:
        """One of :data:`SPANS`."""
        return self.number(name, default, *SPANS[name])

    def whole(self, name: str, default: int, low: float, high: float) -> int:
        value = self.number(name, default, low, high)
        if value != int(value):
            raise BadInput(f"{name} is a whole number, not {value:g}", where=self.where)
        return int(value)

    def flag(self, name: str) -> bool:
        value = self._values.pop(name, False)
        if not isinstance(value, bool):
            raise BadInput(f"{name} is true or false, not {str(value)[:60]!r}", where=self.where)
        return value

    def text(self, name: str, default: str) -> str:
        value = self._values.pop(name, default)
        if not isinstance(value, str):
            raise BadInput(f"{name} is a text, not {str(value)[:60]!r}", where=self.where)
        return value

    def table(self, name: str) -> dict[str, Any]:
        value = self._values.pop(name, {})
        if not isinstance(value, dict):
            raise BadInput(f"{name} is an object, not {str(value)[:60]!r}", where=self.where)
        return value

    def done(self) -> None:
        """All must have been taken."""
        if self._values:
            raise BadInput(f"there is no key {', '.join(sorted(self._values))[:100]!r} here", where=self.where)


@dataclass(frozen=True)
class Placed:
    """An instrument of the plan. ``options``: what its kind understands."""

    name: str
    kind: str
    port: int
    options: Options


@dataclass(frozen=True)
class Plan:
    """``climate_scale``: the chamber's seconds in one of ours; ``time_scale``: the same of charging and moving."""

    seed: int = 0
    climate_scale: float = 1.0
    time_scale: float = 1.0
    host: str = "127.0.0.1"
    instruments: list[Placed] = field(default_factory=list)


def read_plan(path: Path) -> Plan:
    """Raises :class:`BadInput` with the file, and the line where it is no JSON."""
    try:
        values = json.loads(whole(path))
    except OSError as error:
        raise BadInput(f"the plan can't be read: {error.strerror}", where=str(path)) from error
    except json.JSONDecodeError as error:
        raise BadInput(f"is no JSON: {error.msg}", where=f"{path}:{error.lineno}:{error.colno}") from error
    except (ValueError, RecursionError) as error:
        raise BadInput(f"is no JSON: {error}", where=str(path)) from error
    return plan_of(values, str(path))


def plan_of(values: object, where: str) -> Plan:
    """Of decoded JSON. Raises :class:`BadInput`."""
    if not isinstance(values, dict):
        raise BadInput("a plan is an object", where=where)
    asked = values.get("instruments")
    options = Options({name: value for name, value in values.items() if name != "instruments"}, where)
    if asked == "all":
        asked = {kind: {"kind": kind} for kind in KINDS}
    if not isinstance(asked, dict) or not asked:
        raise BadInput('instruments is "all" or an object of names, each with its kind', where=where)
    plan = Plan(
        seed=options.whole("seed", 0, 0, 2**63), climate_scale=options.number("climate_scale", 1, 0.01, _LARGEST_SCALE),
        time_scale=options.number("time_scale", 1, 0.01, _LARGEST_SCALE), host=options.text("host", "127.0.0.1"),
        instruments=[_placed(str(name), one, f"{where}: instruments.{name}") for name, one in asked.items()],
    )
    options.done()
    return plan


def _placed(name: str, values: object, where: str) -> Placed:
    if not isinstance(values, dict):
        raise BadInput("an instrument is an object with its kind", where=where)
    options = Options(values, where)
    kind = options.text("kind", "")
    if kind not in KINDS:
        raise BadInput(f"kind is {', '.join(KINDS)}, not {kind[:60]!r}", where=where)
    return Placed(name, kind, options.whole("port", 0, 0, 65535), options)
