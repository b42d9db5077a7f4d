"""What the panel's requests about surroundings and broken hardware must look like. Each function takes the request and
raises :class:`BadInput`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from harness.emulator.felt.unit import STATES
from harness.errors import BadInput

_AROUND: Mapping[str, tuple[float, float]] = {
    "temperature_c": (-100, 150), "humidity_pct": (0, 100), "voltage_v": (0, 500), "field_v_m": (0, 1000),
}
_SORTS = ("burst", "esd", "surge")
_LONGEST_MS, _MOST_PULSES, _HIGHEST_KV = 600_000, 10_000, 50
_LARGEST_SEED = 1 << 63


def surroundings(request: Mapping[str, Any]) -> dict[str, float]:
    """Any of ``temperature_c``, ``humidity_pct``, ``voltage_v`` (RMS), ``field_v_m``: what is around the unit now."""
    for name in request:
        if name not in ("id", "op", *_AROUND):
            raise BadInput(f"surroundings have no {name[:40]!r}; they have {', '.join(_AROUND)}")
    wanted = {name: _number(request, name, *limits) for name, limits in _AROUND.items() if name in request}
    if not wanted:
        raise BadInput(f"nothing is to be changed: {', '.join(_AROUND)}")
    return wanted


def dip(request: Mapping[str, Any]) -> tuple[float, float]:
    """``residual_pct`` of the rated voltage (0: an interruption), ``duration_ms``."""
    return _number(request, "residual_pct", 0, 100), _number(request, "duration_ms", 0, _LONGEST_MS)


def pulse(request: Mapping[str, Any]) -> tuple[str, float]:
    """``sort``, ``level_kv``; ``duration_ms`` (of a burst) and ``count`` may be there."""
    if request.get("sort") not in _SORTS:
        raise BadInput(f"sort is {', '.join(_SORTS)}, not {str(request.get('sort'))[:60]!r}")
    if "duration_ms" in request:
        _number(request, "duration_ms", 0, _LONGEST_MS)
    if "count" in request and not 1 <= _whole(request, "count") <= _MOST_PULSES:
        raise BadInput(f"count is 1 to {_MOST_PULSES}, not {request['count']}")
    return str(request["sort"]), _number(request, "level_kv", 0, _HIGHEST_KV)


def hardware(request: Mapping[str, Any]) -> tuple[str, str, int]:
    """``part``, ``state`` ("ok": whole), ``seed`` (may be missing)."""
    part, state = request.get("part"), request.get("state")
    if not isinstance(part, str) or part not in STATES:
        raise BadInput(f"there is no part {str(part)[:60]!r}; there are {', '.join(STATES)}")
    if state not in STATES[part]:
        raise BadInput(f"{part} is {' or '.join(STATES[part])}, not {str(state)[:60]!r}")
    return part, str(state), _whole(request, "seed") if "seed" in request else 0


def speed(request: Mapping[str, Any]) -> float | None:
    """``speed_cm_s`` of a swipe; None: as a person does."""
    return _number(request, "speed_cm_s", 0, 10_000) if request.get("speed_cm_s") is not None else None


def _number(request: Mapping[str, Any], name: str, low: float, high: float) -> float:
    value = request.get(name)
    number = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    if not low <= number <= high:
        raise BadInput(f"{name} is a number from {low:g} to {high:g}, not {str(value)[:60]!r}")
    return number


def _whole(request: Mapping[str, Any], name: str) -> int:
    value = request.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not -_LARGEST_SEED <= value < _LARGEST_SEED:
        raise BadInput(f"{name} is a whole number, not {str(value)[:60]!r}")
    return value
