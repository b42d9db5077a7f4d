"""A stress profile walked on a bench: each step brought about by the instruments, at rest or at a moment on the wire.

    with bench.stress("hot") as stress:
        for step in stress:                       # it is that hot now
            assert bench.terminal.sale(10_00, card=MAGNETIC).ok

    with bench.stress("burst", during="the response to 0200") as stress:
        for step in stress:
            step.meet(lambda: bench.terminal.begin_sale(10_00, card=MAGNETIC))
            step.come_back()

What a step was and what happened is in the history (``stress``, ``disturbance``); what it means is the judge's. However
it ends, the instruments are safe afterwards.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Literal

from harness.errors import BenchError, TerminalTimeout
from harness.history.instrument_events import Disturbance, Disturbed, InstrumentOpened, StressStep
from harness.instruments.client import FieldGenerator, Generator, Proxy
from harness.lab.stress import BY_HAND, OF_SUPPLY, Step, StressProfile, steps_for
from harness.terminal.contracts import Completion, Operation
from harness.wire.moments import parse_moment

if TYPE_CHECKING:
    from harness.bench.bench import Bench

TOLERANCE = {"temperature_c": 2.0, "humidity_pct": 5.0, "voltage_v": 4.0}
REACH_S = 60.0  # real time beyond what the ramp takes
READY_S = 30.0  # a generator charges, an amplifier warms up
AT_A_MOMENT_MS = 300.0  # of a burst: one period of the standard's
AT_A_MOMENT_S = 0.2  # of a field: the message is held so long
SLOWEST_K_PER_MIN = 0.5  # of a chamber that goes as fast as it can
TAKEN_S = 0.05  # until an instrument has begun what it was told
LONG_MS = 1000.0  # an interruption
FIELD_THERE = 0.5  # of the level: the probe sees the field come up
CAN_IT = "look whether it can: its range, its door, its own limits (docs/environment.md)"
DID_IT = "look at its front panel, its interlock and its cables: it was told to, and reads nothing of it"


@dataclass(frozen=True)
class Pace:
    """How much of what a standard asks for is done. ``scale``: intervals are that much shorter; ``longest_s``: no hold
    and no burst is longer, and no interruption of a second or more; ``repeats``: no more of each; ``at_most``: so many
    disturbances of a profile. None: as written."""

    scale: float = 1.0
    longest_s: float | None = None
    repeats: int | None = None
    at_most: int | None = None

    def seconds(self, written: float) -> float:
        """Of a hold or a burst."""
        return written if self.longest_s is None else min(written / self.scale, self.longest_s)

    def times(self, step: Step) -> int:
        return step.count if self.repeats is None else min(step.count, self.repeats)

    def dip_ms(self, written: float) -> float:
        """What is shorter than a second keeps its milliseconds."""
        return written if self.longest_s is None or written < LONG_MS else self.longest_s * 1000


def pace_of(*, emulated: bool, real_time: bool, time_scale: float) -> Pace:
    """``emulated``: the instruments are; nothing in them or in an emulated terminal comes of soaking longer.
    ``real_time``: the terminal is physical, or is to be used as one: then fewer disturbances."""
    at_most = 2 if real_time else None
    if not emulated:
        return Pace(at_most=at_most)
    return Pace(scale=max(time_scale, 1.0), longest_s=0.25, repeats=2, at_most=at_most)


class Stress:
    """A profile under way. Iterating it walks the steps; ``steps`` are all of them in numbers."""

    def __init__(
        self, bench: Bench, profile: StressProfile, *, during: str | None = None, at_most: int | None = None,
        only: Collection[int] = (), seed: str = "hil97",
    ) -> None:
        if bench.instruments is None:
            raise BenchError(
                f"the stress profile {profile.name} needs instruments, and the bench has none", bench=bench.name,
                remedy="give it `instruments: emulated` in the inventory, or describe its own (docs/lab.md)",
            )
        if bench.model.surroundings is None:
            raise BenchError(
                f"the stress profile {profile.name} needs to know where the terminal may work, and the model"
                f" {bench.model.name} does not say", bench=bench.name,
                remedy="give its model file `surroundings` (docs/environment.md)",
            )
        plan, self.surroundings = bench.plan, bench.model.surroundings
        # that of the last step; of a single step by hand what it is now
        self.temperature_c = None if profile.name == BY_HAND else self.surroundings.temperature_c.nominal
        self.bench, self.profile, self.instruments = bench, profile, bench.instruments
        opened = [event for event in bench.history.events if isinstance(event, InstrumentOpened)]
        self.emulated = all(one.emulated for one in opened)
        self.pace = pace_of(emulated=self.emulated, real_time=plan.physical_like, time_scale=plan.time_scale)
        self.steps = steps_for(
            profile, self.surroundings, during=during, only=only, seed=seed,
            at_most=at_most or (None if only else self.pace.at_most),
        )

    def __enter__(self) -> Stress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """What comes next finds an ordinary day: an emulated chamber is soon there, a real one only stops."""
        used = {step.instrument for step in self.steps}
        if error is None and self.emulated and "chamber" in used:
            self._back_to_nominal()
        if error is not None or used & {"chamber", "supply"}:
            self.instruments.safe()
            return
        for one in used - {"field"}:  # a field is off already; all of them are made safe at the test's end
            generator: Generator = getattr(self.instruments, one)
            generator.disarm()

    def _back_to_nominal(self) -> None:
        chamber, around = self.instruments.chamber, self.surroundings
        wanted = {"temperature_c": around.temperature_c.nominal, "humidity_pct": around.humidity_pct.nominal}
        chamber.set_climate(**wanted)
        for quantity, value in wanted.items():
            spare = TOLERANCE[quantity]
            await_reading(
                chamber, quantity, (value - spare, value + spare), REACH_S, "an ordinary day in the chamber", CAN_IT
            )

    def __iter__(self) -> Iterator[StepUnderWay]:
        for step in self.steps:
            under_way = StepUnderWay(self, step)
            under_way.record("begun")
            try:
                if not step.disturbs:
                    under_way.reach()
                yield under_way
                if not step.disturbs:
                    under_way.measure()
            finally:
                under_way.record("ended")


class StepUnderWay:
    """One step: a quantity that has been reached, or a disturbance that is still to strike (:meth:`meet`)."""

    def __init__(self, stress: Stress, step: Step) -> None:
        self.step = step
        self._stress, self._bench, self._instruments = stress, stress.bench, stress.instruments
        self._told = Completion("unknown")  # of the operation that it met
        self._pulses = 0.0  # of the generator so far

    def record(self, state: Literal["begun", "reached", "ended"]) -> None:
        step = self.step
        self._bench.history.append(StressStep(
            t=time.monotonic_ns(), profile=self._stress.profile.name, step=step.number, instrument=step.instrument,
            quantity=step.what, value=step.value, criterion=step.criterion, during=step.during, state=state,
        ))

    # -- a quantity ---------------------------------------------------------------------------------------------------

    def reach(self) -> None:
        """Until the instrument reads the value and has held it; a unit that soaks without power is on again then."""
        step, bench = self.step, self._bench
        if step.unit_off:
            bench.power.off()
        what = f"{step.title} of the stress profile {self._stress.profile.name}"
        low, high = step.value - TOLERANCE[step.what], step.value + TOLERANCE[step.what]
        if step.instrument == "chamber":
            chamber = self._instruments.chamber
            if step.what == "temperature_c":
                chamber.set_climate(temperature_c=step.value, ramp_k_per_min=step.ramp_k_per_min)
                self._stress.temperature_c = step.value
            else:  # with the temperature of the profile, wherever a test before has left it: air holds more when warm
                chamber.set_climate(temperature_c=self._stress.temperature_c, humidity_pct=step.value)
            await_reading(chamber, step.what, (low, high), self._deadline_s(), what, CAN_IT)
        else:
            supply = self._instruments.supply
            supply.set_voltage(step.value)
            await_reading(supply, step.what, (low, high), REACH_S, what, CAN_IT)
        self.record("reached")
        self._pass(self._stress.pace.seconds(step.hold_s), f"{what}: the soak")
        if step.unit_off:
            bench.power.on()
            bench.terminal.await_idle(REACH_S)

    def measure(self) -> None:
        """A reading before anything else is done: up to here it was so."""
        chamber = self.step.instrument == "chamber"
        (self._instruments.chamber if chamber else self._instruments.supply).read()

    def _deadline_s(self) -> float:
        """As long as the ramp takes from the other end of what a chamber can; an emulated one is faster."""
        if self._stress.emulated:
            return REACH_S
        return REACH_S + 60 * 120 / (self.step.ramp_k_per_min or SLOWEST_K_PER_MIN)

    # -- a disturbance ------------------------------------------------------------------------------------------------

    def meet(self, begin: Callable[[], Operation]) -> Completion:
        """What ``begin`` begins, met by the disturbance: at the step's moment, which it strikes once, while the message
        is held (:func:`held_at`); where the step has none, all of it before. Of a quantity: while it is so.

        A terminal that lost its power over it told nothing: ``unknown``. Raises TerminalTimeout where the moment does
        not come."""
        step = self.step
        if not step.disturbs or not step.during:
            if step.disturbs:
                self.strike()
            self._told = begin().wait()
            return self._told
        self._prepare()
        held = self._bench.arm(held_at(step.during))
        first = parse_moment(step.during).after
        try:
            operation = begin()
            held.await_strike()
            if first:
                held.heal()
            self._strike_once()
        finally:
            held.heal()
        with contextlib.suppress(TerminalTimeout):
            self._told = operation.wait()
        return self._told

    def strike(self) -> None:
        """All of it, at rest; over when it returns, and the terminal is back."""
        pace = self._stress.pace
        self._prepare()
        if self.step.what == "field":
            for frequency in self.step.frequencies_mhz:
                self._radiate(frequency, pace.seconds(self.step.hold_s))
            return
        for number in range(pace.times(self.step)):
            if number:
                self._pass(pace.seconds(self.step.every_s), "the interval between two disturbances")
                self._await_ready()
            self._strike_with(self._dip_ms() if self.step.what in OF_SUPPLY else self._burst_ms())
        self.come_back()

    def come_back(self) -> None:
        """The terminal stands idle again: by itself within what its model declares, where it told nothing of what it
        was doing; where the criterion is C (or none is declared) and it does not, an operator switches it off and on.
        Raises TerminalTimeout."""
        bench = self._bench
        if self._told.outcome != "unknown":
            bench.terminal.to_idle()
            return
        try:
            bench.terminal.await_idle(self._stress.surroundings.back_s)
        except TerminalTimeout:
            if self.step.criterion in ("A", "B"):
                raise
            bench.power.cycle()
            bench.terminal.await_idle(REACH_S)

    def _strike_once(self) -> None:
        if self.step.what == "field":
            self._radiate(self.step.frequencies_mhz[0], AT_A_MOMENT_S)
        else:
            burst = min(self._burst_ms(), AT_A_MOMENT_MS)
            self._strike_with(self._dip_ms() if self.step.what in OF_SUPPLY else burst)

    def _dip_ms(self) -> float:
        return self._stress.pace.dip_ms(self.step.duration_ms)

    def _burst_ms(self) -> float:
        return self._stress.pace.seconds(self.step.duration_ms / 1000) * 1000

    def _prepare(self) -> None:
        """A generator charged, an amplifier warm: what takes its time is done before the moment comes."""
        step = self.step
        if step.what == "field":
            self._instruments.field.arm(field_v_m=step.value, frequency_mhz=step.frequencies_mhz[0])
        elif step.what not in OF_SUPPLY:
            self._generator.arm(level_kv=step.value)
            self._pulses = self._generator.read()["pulses"]
        self._await_ready()

    def _await_ready(self) -> None:
        step = self.step
        if step.what not in OF_SUPPLY:
            source = self._instruments.field if step.what == "field" else self._generator
            await_ready(self._bench, source, step.title)

    def _strike_with(self, duration_ms: float) -> None:
        """Once; over when it returns."""
        step = self.step
        if step.what in OF_SUPPLY:
            with self._disturbed(residual_pct=step.value, duration_ms=duration_ms):
                self._instruments.supply.dip(residual_pct=step.value, duration_ms=duration_ms)
                self._pass(duration_ms / 1000 + TAKEN_S, f"the end of the {step.what}")
                self._bench.power.flash_operations()  # a board that is slow to go dark has done so when it answers
        elif step.what == "burst":
            with self._disturbed(level_kv=step.value, duration_ms=duration_ms):
                self._generator.fire(duration_ms=duration_ms)
                self._pass(duration_ms / 1000 + TAKEN_S, "the end of the burst")
                self._await_pulse()
        else:
            with self._disturbed(level_kv=step.value):
                self._generator.fire(count=1)
                self._await_pulse()

    def _await_pulse(self) -> None:
        """It has counted one more: it did strike."""
        self._pulses += 1
        what = f"one {self.step.what} more, as it counts them"
        await_reading(self._generator, "pulses", (self._pulses, math.inf), READY_S, what, DID_IT)

    def _radiate(self, frequency_mhz: float, seconds: float) -> None:
        field, step = self._instruments.field, self.step
        field.arm(field_v_m=step.value, frequency_mhz=frequency_mhz)
        self._await_ready()
        with self._disturbed(field_v_m=step.value, frequency_mhz=frequency_mhz):
            field.radiate(True)
            try:
                there = (step.value * FIELD_THERE, math.inf)
                await_reading(field, "field_v_m", there, READY_S, f"the field, at {frequency_mhz:g} MHz", DID_IT)
                self._pass(seconds, "the dwell time of the field")
            finally:
                field.radiate(False)

    @property
    def _generator(self) -> Generator:
        found: Generator = getattr(self._instruments, self.step.instrument)
        return found

    @contextlib.contextmanager
    def _disturbed(self, **values: float) -> Iterator[None]:
        name = next(one for one in self._instruments.names if self._instruments[one].kind == self.step.instrument)
        sort: Disturbance = self.step.what  # type: ignore[assignment]  # a step that disturbs
        for state in ("begun", "ended"):
            self._bench.history.append(Disturbed(
                t=time.monotonic_ns(), instrument=name, sort=sort, state=state, values=values,
            ))
            if state == "begun":
                yield

    def _pass(self, seconds: float, what: str) -> None:
        """So much real time, which the standard asks for; a bench that fails ends it."""
        _pass(self._bench, seconds, what)


def _pass(bench: Bench, seconds: float, what: str) -> None:
    with contextlib.suppress(TerminalTimeout):
        bench.history.wait_for(lambda event: False, seconds, what)


def await_ready(bench: Bench, source: Generator | FieldGenerator, title: str) -> None:
    """Until a generator is charged or an amplifier warm; both only say so when they are asked. ``title``: of what it is
    wanted for. Raises BenchError where it does not get there."""
    end = time.monotonic() + READY_S
    while not source.ready():
        if time.monotonic() > end:
            raise BenchError(
                f"the {source.name} generator is not ready after {READY_S:g} s: {title}", bench=bench.name,
                remedy="look at its interlock and at its front panel",
            )
        _pass(bench, 0.05, "the generator to be ready")


def await_reading(
    instrument: Proxy, quantity: str, between: tuple[float, float], deadline_s: float, what: str, remedy: str
) -> None:
    """Until it reads that. Raises BenchError where it does not: an instrument is not the terminal."""
    try:
        instrument.await_(quantity, *between, deadline_s, what)
    except TerminalTimeout as error:
        raise BenchError(
            f"instrument {instrument.name} did not get there in {deadline_s:g} s: {what}", bench=instrument.bench,
            remedy=remedy,
        ) from error


def held_at(moment: str) -> str:
    """The fault, in words, that stops the wire at a moment: the message is held (and where the moment is after it,
    delivered just before the disturbance strikes); a connection that is being made loses its first packet."""
    parsed = parse_moment(moment)
    if parsed.connecting:
        return "drop count=1 at connecting"  # it is repeated a second later
    return f"hold at {parsed.model_copy(update={'after': False})}"
