"""Reads the instruments of a bench in the background: one thread, one after another, at each tick.

One thread for all, since what they run is in the processor's caches then, and nobody waits for the interpreter's lock:
a thread for each instrument costs twice as much. Who is slow is left to its own thread by its station.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection
from typing import Protocol


class Sampled(Protocol):
    """A station, as far as it is read."""

    def sample(self) -> None:
        """Reads it now, or leaves it to its thread. Raises nothing."""


def next_tick(period_s: float) -> float:
    """When the next reading is due (monotonic): the same moment for all."""
    return (time.monotonic() // period_s + 1) * period_s


class Rounds:
    """``period_s``: from one reading of an instrument to the next."""

    def __init__(self, stations: Collection[Sampled], *, period_s: float) -> None:
        self._stations, self._period_s = stations, period_s
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="rounds", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def end(self, *, wait_s: float) -> None:
        """No further reading; waits so long for the one that is under way."""
        self._ending.set()
        if self._thread.ident is not None:
            self._thread.join(wait_s)

    def _run(self) -> None:
        while not self._ending.wait(next_tick(self._period_s) - time.monotonic()):
            for station in self._stations:
                station.sample()
