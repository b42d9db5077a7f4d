"""Instruments around the golden world: a chamber and a supply that are read every 5 s, disturbances, broken parts.

::

    with Lab(world) as lab:              # everything nominal
        lab.set(temperature_c=44)
        world.sale(1500)
        with lab.hit("burst", level_kv=1):
            world.sale(700)
        lab.breaks("printer", "dead")
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, Self

from harness.history.instrument_events import (
    Criterion,
    Disturbance,
    Disturbed,
    Felt,
    HardwareState,
    InstrumentKind,
    InstrumentOpened,
    InstrumentSet,
    InstrumentTrouble,
    OperatorAnswered,
    Part,
    Quantity,
    Readings,
    StressStep,
)
from harness.tests.golden import World
from harness.tests.golden_log import SECOND

EVERY_S = 5
NOMINAL = {"temperature_c": 23.0, "humidity_pct": 50.0, "voltage_v": 220.0}
OF: dict[str, tuple[InstrumentKind, tuple[str, ...]]] = {
    "chamber-1": ("chamber", ("temperature_c", "humidity_pct")), "supply-1": ("supply", ("voltage_v",)),
}  # fmt: skip
UNITS = {"temperature_c": "°C", "humidity_pct": "%", "voltage_v": "V"}


class Lab:
    """Chamber and supply; readings are put into the log at the end, each at its own time. ``without``: quantities that
    nobody reads."""

    def __init__(self, world: World, *, without: tuple[str, ...] = (), emulated: bool = False) -> None:
        self._world, self._without, self._emulated = world, without, emulated
        self._values = dict(NOMINAL)
        self._course: list[tuple[int, dict[str, float]]] = []
        self._gaps: list[tuple[int, int]] = []
        self._counts: dict[str, float] = {}
        self._broken: set[str] = set()

    def __enter__(self) -> Self:
        for name, (sort, quantities) in OF.items():
            known = {one: Quantity(unit=UNITS[one]) for one in quantities if one not in self._without}
            self._world.append(InstrumentOpened(
                t=0, instrument=name, sort=sort, driver="emulated", identity=f"HIL97,{name}", emulated=self._emulated,
                quantities=known, safe="at rest",
            ))  # fmt: skip
        self._course.append((self._world.t, dict(self._values)))
        self._world.wait(1)
        return self

    def __exit__(self, *_of: object) -> None:
        self._world.wait(EVERY_S)
        end = self._world.t
        for (t, values), (until, _next) in zip(self._course, [*self._course[1:], (end + 1, {})], strict=True):
            for moment in range(t, until, EVERY_S * SECOND):
                if not any(a <= moment < b for a, b in self._gaps):
                    self._read(moment, values)

    def _read(self, t: int, values: dict[str, float]) -> None:
        for name, (_sort, quantities) in OF.items():
            told = {one: values[one] for one in quantities if one not in self._without}
            if told:
                event = Readings(
                    seq=len(self._world.events) + 1, t=t, span=self._world.span, instrument=name, values=told
                )
                self._world.events.append(event)

    # -- what is done --------------------------------------------------------------------------------------------------

    def set(self, settle: float = 10, **values: float) -> None:
        """From now on it is so; then ``settle`` seconds pass."""
        self._values |= values
        self._course.append((self._world.t, dict(self._values)))
        self._world.wait(settle)

    @contextmanager
    def unread(self) -> Iterator[None]:
        """No instrument is read."""
        start = self._world.t
        yield
        self._gaps.append((start, self._world.t))

    def told(self, instrument: str, method: str, **args: str) -> InstrumentSet:
        return self._world.append(InstrumentSet(t=0, instrument=instrument, method=method, args=args))

    def trouble(self, instrument: str, what: str) -> InstrumentTrouble:
        return self._world.append(InstrumentTrouble(t=0, instrument=instrument, what=what))

    @contextmanager
    def hit(self, sort: Disturbance, **values: float) -> Iterator[None]:
        name = "supply-1" if sort in ("dip", "interruption") else f"{sort}-1"
        self._world.append(Disturbed(t=0, instrument=name, sort=sort, state="begun", values=values))
        yield
        if name in self._counts:
            self._count(name, values.get("field_v_m", self._counts[name] + 1))
        self._world.append(Disturbed(t=0, instrument=name, sort=sort, state="ended", values={}))

    def reads(self, voltage_v: float) -> None:
        """The supply, now, beside what it reads every 5 s."""
        self._world.append(Readings(t=0, instrument="supply-1", values={"voltage_v": voltage_v}))

    def felt(self, what: str) -> None:
        """The emulated board says so."""
        self._world.append(Felt(t=0, what=what))

    def answers(self, instrument: str, answer: str) -> None:
        self._world.append(OperatorAnswered(t=0, instrument=instrument, prompt="do it", answer=answer, seconds=1))

    def has(self, sort: Literal["burst", "esd", "surge", "field"], *, works: bool = True) -> None:
        """A generator that says what it did; one that does not work counts nothing."""
        name, quantity = f"{sort}-1", "field_v_m" if sort == "field" else "pulses"
        self._counts[name] = 0.0
        self._broken |= set() if works else {name}
        self._world.append(InstrumentOpened(
            t=0, instrument=name, sort=sort, driver="emulated", identity=f"HIL97,{name}", emulated=self._emulated,
            quantities={quantity: Quantity(unit="")}, safe="off",
        ))  # fmt: skip
        self._count(name, 0.0)

    def _count(self, name: str, value: float) -> None:
        self._counts[name] = self._counts[name] if name in self._broken else value
        quantity = "field_v_m" if name == "field-1" else "pulses"
        self._world.append(Readings(t=0, instrument=name, values={quantity: self._counts[name]}))

    def breaks(self, part: Part, state: str = "dead") -> HardwareState:
        return self._world.append(HardwareState(t=0, part=part, state=state))

    @contextmanager
    def step(
        self, quantity: str, value: float, criterion: Criterion | None = "A", instrument: str = "chamber-1"
    ) -> Iterator[None]:
        """A step of a stress profile; what it is about is set or hit by the one who tells."""
        number = self._world.next("step")

        def told(state: Literal["begun", "reached", "ended"]) -> None:
            self._world.append(StressStep(
                t=0, profile="golden", step=number, instrument=instrument, quantity=quantity, value=value,
                criterion=criterion, state=state,
            ))  # fmt: skip

        told("begun")
        if quantity in NOMINAL:
            self.set(**{quantity: value})
        told("reached")
        yield
        told("ended")
