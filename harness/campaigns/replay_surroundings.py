"""What instruments were told in a recorded test, what they struck, and the parts that were broken: done again.

Steps of a stress profile and disturbances are recorded anew, for the judge of the replay: a value counts as reached
when it is, a disturbance as over when its instrument has shown that it struck.
"""

from __future__ import annotations

import contextlib
import math
import time

from harness.bench.bench import Bench
from harness.bench.stress import (
    CAN_IT,
    DID_IT,
    FIELD_THERE,
    REACH_S,
    READY_S,
    TAKEN_S,
    TOLERANCE,
    await_reading,
    await_ready,
)
from harness.errors import BadInput, TerminalTimeout
from harness.history.instrument_events import Disturbed, HardwareState, InstrumentSet, InstrumentsSafe, StressStep
from harness.instruments.client import FieldGenerator, Generator, Instruments, Proxy
from harness.instruments.methods import from_words
from harness.lab.stress import OF_SUPPLY

SurroundingStep = InstrumentSet | InstrumentsSafe | HardwareState | StressStep | Disturbed


class Surroundings:
    """Of one replayed test. ``disturbed``: something has struck since the terminal was last waited for."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._open: dict[str, tuple[Disturbed, int, float]] = {}  # instrument -> what strikes, since when, its pulses
        self.disturbed = False

    def again(self, event: SurroundingStep) -> None:
        """Raises BadInput where this bench has no such instrument, BenchError where it fails."""
        match event:
            case HardwareState():
                hardware = self._bench.hardware
                if event.state == "ok":
                    hardware.mend(event.part)
                else:
                    hardware.break_part(event.part, event.state, seed=event.seed)
            case InstrumentsSafe():
                self._instruments().safe()
            case InstrumentSet():
                self._tell(event)
            case StressStep():
                self._step(event)
            case Disturbed():
                (self._begin if event.state == "begun" else self._end)(event)

    def _tell(self, event: InstrumentSet) -> None:
        instrument = self._named(event.instrument)
        arguments = from_words(instrument.kind, event.method, event.args)
        if event.method == "fire" or arguments.get("on") is True:
            if isinstance(instrument, Generator | FieldGenerator):
                await_ready(self._bench, instrument, f"a recorded {event.method}")
        elif event.method == "radiate" and event.instrument in self._open:
            level = self._open[event.instrument][0].values.get("field_v_m", 0.0)
            what = f"a field of {level:g} V/m"
            await_reading(instrument, "field_v_m", (level * FIELD_THERE, math.inf), READY_S, what, DID_IT)
        self._instruments().tell(event.instrument, event.method, **arguments)

    def _step(self, event: StressStep) -> None:
        if event.state == "reached":
            between = event.value - TOLERANCE[event.quantity], event.value + TOLERANCE[event.quantity]
            what = f"{event.quantity} {event.value:g} of the stress profile {event.profile}"
            await_reading(self._of_kind(event.instrument), event.quantity, between, REACH_S, what, CAN_IT)
        self._record(event)

    def _begin(self, event: Disturbed) -> None:
        counts = "level_kv" in event.values
        pulses = self._named(event.instrument).read().get("pulses", 0.0) if counts else math.nan
        self._record(event)
        self._open[event.instrument] = event, time.monotonic_ns(), pulses
        self.disturbed = True

    def _end(self, event: Disturbed) -> None:
        begun, since, pulses = self._open.pop(event.instrument, (event, time.monotonic_ns(), math.nan))
        over = since + int((begun.values.get("duration_ms", 0.0) / 1000 + TAKEN_S) * 1e9)
        with contextlib.suppress(TerminalTimeout):
            left_s = max(0.0, (over - time.monotonic_ns()) / 1e9)
            self._bench.history.wait_for(lambda _: False, left_s, f"the end of the {event.sort}")
        if event.sort in OF_SUPPLY:
            self._bench.power.flash_operations()  # a board that is slow to go dark has done so when it answers
        elif not math.isnan(pulses):
            what = f"one {event.sort} more, as it counts them"
            await_reading(self._named(event.instrument), "pulses", (pulses + 1, math.inf), READY_S, what, DID_IT)
        self._record(event)

    def _record(self, event: StressStep | Disturbed) -> None:
        self._bench.history.append(event.model_copy(update={"t": time.monotonic_ns(), "seq": 0, "span": None}))

    def _instruments(self) -> Instruments:
        if self._bench.instruments is None:
            raise BadInput("what its instruments did can't be done again: this bench has none")
        return self._bench.instruments

    def _named(self, name: str) -> Proxy:
        instruments = self._instruments()
        if name not in instruments.names:
            raise BadInput(f"what {name} did can't be done again: this bench has {', '.join(instruments.names)}")
        return instruments[name]

    def _of_kind(self, kind: str) -> Proxy:
        """A step names the kind of its instrument."""
        instruments = self._instruments()
        return self._named(next((one for one in instruments.names if instruments[one].kind == kind), kind))
