"""What a part of a bench's history needs from before it to be judged."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from harness.history.events import (
    AnyEvent,
    Event,
    HostLedger,
    Key,
    OperationCompleted,
    OperationInvoked,
    RunOpened,
    UnitReplaced,
)
from harness.history.instrument_events import (
    Disturbed,
    HardwareState,
    InstrumentOpened,
    InstrumentsSafe,
    Readings,
    StressStep,
)
from harness.history.update_events import FirmwareTold
from harness.terminal.surroundings import Surroundings

ALL = (RunOpened, Key, UnitReplaced, FirmwareTold, InstrumentOpened, HostLedger)
THE_LAST = (Disturbed, HardwareState, StressStep, InstrumentsSafe)
LOADS = ("load_tmk", "activate")
E = TypeVar("E", bound=Event)


class Lasting:
    """``events``: what the history is about, which unit stands there, which keys it got, and what the books held of
    units whose trace numbers may come again. And what may still show of what was done to it: the last disturbance and
    step of each kind, what was broken last of each part, and when it last stood outside its declared range."""

    def __init__(self, declared: Surroundings | None) -> None:
        self.events: list[AnyEvent] = []
        self._declared = declared
        self._key_loads: set[int] = set()
        self._outside: set[str] = set()  # instruments that read so last

    def note(self, event: AnyEvent) -> None:
        match event:
            case OperationInvoked() if event.name in LOADS:
                self._key_loads.add(event.op)
            case HostLedger():
                self._forget(HostLedger, lambda one: (one.mid, one.tid) == (event.mid, event.tid))
            case Disturbed(state="begun"):
                self._forget(Disturbed, lambda one: (one.instrument, one.sort) == (event.instrument, event.sort))
            case StressStep(state="begun"):
                self._forget(StressStep, lambda one: one.instrument == event.instrument)
            case HardwareState() if event.state != "ok" and self._is_whole(event):
                self._forget(HardwareState, lambda one: one.part == event.part)
            case InstrumentsSafe():
                self._forget(InstrumentsSafe, lambda one: True)
            case Readings():
                if self._crossed(event):
                    self.events.append(event)
        of_a_key_load = isinstance(event, OperationInvoked | OperationCompleted) and event.op in self._key_loads
        if of_a_key_load or isinstance(event, (*ALL, *THE_LAST)):
            self.events.append(event)

    def _forget(self, kind: type[E], alike: Callable[[E], bool]) -> None:
        self.events = [one for one in self.events if not (isinstance(one, kind) and alike(one))]

    def _is_whole(self, event: HardwareState) -> bool:
        told = (one for one in reversed(self.events) if isinstance(one, HardwareState) and one.part == event.part)
        return next((one.state for one in told), "ok") == "ok"

    def _crossed(self, event: Readings) -> bool:
        """The first reading outside the range, and the first one inside again."""
        outside = self._is_outside(event)
        if outside is None or outside == (event.instrument in self._outside):
            return False
        self._outside ^= {event.instrument}
        if outside:
            self._forget(Readings, lambda one: one.instrument == event.instrument)
        return True

    def _is_outside(self, event: Readings) -> bool | None:
        """None: it reads nothing for which a range is declared."""
        if self._declared is None:
            return None
        of = self._declared
        ranges = {"temperature_c": of.temperature_c, "humidity_pct": of.humidity_pct, "voltage_v": of.voltage_v}
        told = [(ranges[name], value) for name, value in event.values.items() if name in ranges]
        return any(not allowed.low <= value <= allowed.high for allowed, value in told) if told else None
