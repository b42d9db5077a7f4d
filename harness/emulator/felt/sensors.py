"""What the terminal's own sensors say, shared between board (which writes) and CPU (which reads): one byte each."""

from __future__ import annotations

import mmap
from collections.abc import Mapping
from typing import Any

_STATES: Mapping[str, tuple[str, ...]] = {
    "magnetic_reader": ("ok", "dead"), "chip_reader": ("ok", "dead"), "contactless_reader": ("ok", "dead"),
    "printer": ("ok", "hot", "dead"), "paper": ("ok", "out"), "battery": ("none", "ok", "low", "dead"),
    "supply": ("ok", "none"), "case": ("ok", "open"),
    "started_by": ("operator", "watchdog", "brown_out", "battery"),
}
_NUMBERS = ("battery_pct", "temperature_c")
_SHIFT = 100  # of what may be below 0
NOMINAL: Mapping[str, Any] = {
    **{name: states[0] for name, states in _STATES.items()}, "battery_pct": 0, "temperature_c": 23,
}
"""What they say of a whole unit in a shop."""


class Sensors:
    """``write`` changes what is given; ``read`` gives all: names as in :data:`NOMINAL`."""

    def __init__(self) -> None:
        self._page = mmap.mmap(-1, mmap.PAGESIZE)
        self.write(**NOMINAL)

    def write(self, **values: Any) -> None:
        for name, value in values.items():
            if name in _STATES:
                self._page[_PLACES[name]] = _STATES[name].index(value)
            else:
                self._page[_PLACES[name]] = min(255, max(0, round(value) + _SHIFT))

    def read(self) -> dict[str, Any]:
        told: dict[str, Any] = {name: states[self._page[_PLACES[name]]] for name, states in _STATES.items()}
        return told | {name: self._page[_PLACES[name]] - _SHIFT for name in _NUMBERS}


_PLACES = {name: place for place, name in enumerate((*_STATES, *_NUMBERS))}
