"""Reads the instruments of a bench in the background: one thread, one after another, at each tick.

One thread for all, since what they run is in the processor's caches then, and nobody waits for the interpreter's lock:
a thread for each instrument costs twice as much. Nobody waits for a slow one either: where a round takes longer than a
tick, the slowest is left to its own thread, and where a reading hangs, another thread goes on with the others.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection
from typing import Protocol

HANGS_S = 0.25  # a reading that takes longer is not waited for


class Sampled(Protocol):
    """A station, as far as it is read. Neither raises anything."""

    def sample(self) -> None:
        """Reads it now, or leaves it to its thread."""

    def leave_rounds(self) -> None:
        """It is too slow for the others: it is read by its own thread from now on, for as long as it is."""


def next_tick(period_s: float) -> float:
    """When the next reading is due (monotonic): the same moment for all."""
    return (time.monotonic() // period_s + 1) * period_s


class Rounds:
    """``period_s``: from one reading of an instrument to the next."""

    def __init__(self, stations: Collection[Sampled], *, period_s: float) -> None:
        self._stations, self._period_s = stations, period_s
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None  # the one whose turn it is
        self._since = 0.0  # of the reading that is under way; 0: there is none

    def start(self) -> None:
        self._since = 0.0
        self._thread = threading.Thread(target=self._run, name="rounds", daemon=True)
        self._thread.start()

    def look(self) -> None:
        """To be called now and then: lets another thread go on where a reading hangs. Whose it is, is busy until it is
        back, and left out."""
        since = self._since
        if since and time.monotonic() - since > HANGS_S and not self._ending.is_set():
            self.start()

    def end(self, *, wait_s: float) -> None:
        """No further reading; waits so long for the one that is under way."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join(wait_s)

    def _run(self) -> None:
        mine = threading.current_thread()
        while not self._ending.wait(next_tick(self._period_s) - time.monotonic()):
            now = began = time.monotonic()
            slowest: Sampled | None = None
            most = 0.0
            for station in self._stations:
                self._since = now
                station.sample()
                if self._thread is not mine:  # it was this one that hung
                    station.leave_rounds()
                    return
                self._since = 0.0
                before, now = now, time.monotonic()
                if now - before > most:
                    slowest, most = station, now - before
            if slowest is not None and now - began > self._period_s:
                slowest.leave_rounds()
