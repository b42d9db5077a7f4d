"""The parts of an emulated terminal, which can be broken on purpose and mended, as in a workshop.

What is left to chance (which swipes a worn head misses) follows from the unit and ``seed``, so it repeats.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from harness.history.instrument_events import HardwareState, Part
from harness.instruments.panel import Panel


class Hardware:
    """``record`` is given each change. ``broken``: what is broken now, part -> state. ``opened``: the case was opened,
    and nobody has said that the terminal was seen to since (:meth:`seen_to`)."""

    def __init__(self, panel: Panel, record: Callable[[HardwareState], object]) -> None:
        self._panel, self._record = panel, record
        self.broken: dict[Part, str] = {}
        self.opened = False

    def break_part(self, part: Part, state: str, *, seed: int = 0) -> None:
        """It is so when this returns. Raises BenchError where there is no such part or state."""
        self._panel.request("hardware", part=part, state=state, seed=seed)
        self._record(HardwareState(t=time.monotonic_ns(), part=part, state=state, seed=seed))
        self.broken[part] = state
        self.opened = self.opened or part == "tamper"

    def mend(self, *parts: Part) -> None:
        """These parts, or all that are broken. An opened case is closed; its latch is the engineer's business."""
        for part in parts or tuple(self.broken):
            if part in self.broken:
                self._panel.request("hardware", part=part, state="ok")
                self._record(HardwareState(t=time.monotonic_ns(), part=part, state="ok"))
                del self.broken[part]

    def seen_to(self) -> None:
        """The engineer has reset the tamper latch and loaded keys."""
        self.opened = False
