"""What surrounded the terminal, as instruments measured it: temperature, humidity, supply voltage.

A value holds from one reading to the next. A time is *framed* by readings: one at or before its beginning, one at or
after its end, and none further apart than instruments of a working bench are (``GAP_S``). Where a frame lacks nothing
is known, whatever was set: what an instrument was told to do is no measurement.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from weakref import WeakKeyDictionary

from harness.checkers.reading import SECOND, Reading
from harness.history.events import Event
from harness.history.instrument_events import InstrumentOpened, InstrumentTrouble, Readings, StressStep
from harness.terminal.surroundings import Range, Surroundings

GAP_S = 7.5  # readings are recorded at least every 5 s
# So far off what was wanted a chamber may be, and a supply (IEC 60068-2-1, -2-2 and -2-78; IEC 61000-4-11: 2 %).
TOLERANCE = {"temperature_c": 2.0, "humidity_pct": 5.0, "voltage_v": 4.0}
SETTLED_S = 900  # real seconds: a body that was colder or hotter than the range still is, inside
LED_S = 60  # real seconds after a step of a profile in which what it led to is still due to it
AWAY = 0.1  # of the way from nominal to an end: from there on the terminal is not where a shop has it
CORNER = 0.1  # of the range's width: from there on it stands at the end
KINDS = {"temperature_c": "chamber", "humidity_pct": "chamber", "voltage_v": "supply"}  # who measures what
NAMES = {"temperature_c": "temperature", "humidity_pct": "humidity", "voltage_v": "supply voltage"}
UNITS = {"temperature_c": "°C", "humidity_pct": "%", "voltage_v": "V"}
QUANTITIES = tuple(KINDS)


@dataclass(frozen=True)
class Measured:
    """All readings of one quantity by one instrument, in order of time."""

    quantity: str
    opened: InstrumentOpened
    readings: tuple[Readings, ...]

    @cached_property
    def times(self) -> list[int]:
        return [one.t for one in self.readings]

    @cached_property
    def values(self) -> list[float]:
        return [one.values[self.quantity] for one in self.readings]

    def since(self, start: int) -> int:
        """Index of the reading in force at ``start``; of the first where none is."""
        return max(0, bisect.bisect_right(self.times, start) - 1)


@dataclass(frozen=True)
class Framed:
    """One quantity over a time: its lowest and highest value, and the events that frame it."""

    quantity: str
    low: float
    high: float
    events: tuple[Event, ...]

    def away(self, declared: Range) -> bool:
        """It was not where a shop has it."""
        cold = declared.nominal - AWAY * (declared.nominal - declared.low)
        return self.low < cold or self.high > declared.nominal + AWAY * (declared.high - declared.nominal)

    def within(self, declared: Range, spare: float = 0.0) -> bool:
        """All of it lay in the declared range, or ``spare`` beside it."""
        return declared.low - spare <= self.low and self.high <= declared.high + spare

    def __str__(self) -> str:
        one, other = f"{self.low:.1f}", f"{self.high:.1f}"
        return f"{one if one == other else f'{one} to {other}'} {UNITS[self.quantity]}"


_measured: WeakKeyDictionary[Reading, dict[str, Measured]] = WeakKeyDictionary()


def measured(reading: Reading) -> dict[str, Measured]:
    """Quantity -> its readings, by the first instrument of its kind that gave any."""
    if reading not in _measured:
        _measured[reading] = dict(_measured_of(reading))
    return _measured[reading]


def _measured_of(reading: Reading) -> Iterator[tuple[str, Measured]]:
    if not reading.all(Readings):
        return
    by_instrument: dict[str, list[Readings]] = {}
    for one in reading.all(Readings):
        by_instrument.setdefault(one.instrument, []).append(one)
    for quantity, kind in KINDS.items():
        for opened in reading.all(InstrumentOpened):
            told = tuple(r for r in by_instrument.get(opened.instrument, ()) if quantity in r.values)
            if opened.sort == kind and told:
                yield quantity, Measured(quantity, opened, told)
                break


def framed(reading: Reading, quantity: str, start: int, end: int) -> Framed | None:
    """None: readings lack, or their instrument was in trouble meanwhile."""
    known = measured(reading).get(quantity)
    if known is None:
        return None
    first, last = bisect.bisect_right(known.times, start) - 1, bisect.bisect_left(known.times, end)
    if first < 0 or last >= len(known.times):
        return None
    times = known.times[first : last + 1]
    if any(b - a > GAP_S * SECOND for a, b in itertools.pairwise(times)):
        return None
    name = known.opened.instrument
    if any(one.instrument == name for one in reading.between(InstrumentTrouble, times[0], times[-1] + 1)):
        return None
    in_force = last + 1 if known.times[last] == end else max(last, first + 1)
    values = known.values[first:in_force]  # the last one only shows that the one before held until then
    chain = _chain(known.readings[first : last + 1])
    return Framed(quantity, min(values), max(values), (known.opened, *chain))


def _chain(readings: Sequence[Readings]) -> list[Readings]:
    """As few of them as hold the frame together."""
    chain = [readings[0]]
    for one, following in itertools.pairwise(readings):
        if following.t - chain[-1].t > GAP_S * SECOND:
            chain.append(one)
    return chain if chain[-1] is readings[-1] else [*chain, readings[-1]]


def declared_range(declared: Surroundings, quantity: str) -> Range:
    found: Range = getattr(declared, quantity)
    return found


@dataclass(frozen=True)
class Around:
    """All quantities over a time; ``lacking``: those that nothing frames."""

    framed: tuple[Framed, ...]
    lacking: tuple[str, ...]

    @property
    def events(self) -> list[Event]:
        return [event for one in self.framed for event in one.events]

    def away(self, declared: Surroundings) -> bool:
        return any(one.away(declared_range(declared, one.quantity)) for one in self.framed)

    def within(self, declared: Surroundings) -> bool:
        """As far as it was measured, and as far as instruments can tell. (What fails there may have been outside:
        :func:`outside_of_range`.)"""
        ranges = ((one, declared_range(declared, one.quantity)) for one in self.framed)
        return all(one.within(allowed, TOLERANCE[one.quantity]) for one, allowed in ranges)

    def __str__(self) -> str:
        return ", ".join(map(str, self.framed))

    @property
    def unmeasured(self) -> str:
        """For people: what is not known."""
        lacking = " and ".join(NAMES[one] for one in self.lacking)
        return f"{lacking} not measured all the time"


def around(reading: Reading, start: int, end: int) -> Around:
    found = {quantity: framed(reading, quantity, start, end) for quantity in QUANTITIES}
    return Around(
        tuple(one for one in found.values() if one is not None),
        tuple(quantity for quantity, one in found.items() if one is None),
    )


@dataclass(frozen=True)
class Outside:
    """A value that lay outside the declared range."""

    quantity: str
    value: float
    event: Readings

    def __str__(self) -> str:
        return f"{NAMES[self.quantity]} {self.value:.1f} {UNITS[self.quantity]}"


def settling(reading: Reading) -> int:
    """So long (ns) after it came from outside its range a terminal is not judged as inside: an emulated chamber leaves
    nothing behind."""
    known = measured(reading).get("temperature_c")
    return 0 if known is not None and known.opened.emulated else SETTLED_S * SECOND


_outside: WeakKeyDictionary[Reading, dict[str, list[tuple[int, int, int]]]] = WeakKeyDictionary()


def outside_of_range(
    reading: Reading, start: int, end: int, *, dips: Collection[tuple[int, int]] = (), settling: int = 0
) -> Outside | None:
    """The first value in force in the interval that lay outside the declared range: however little, or, where a step
    of a profile had led it to a value inside, by more than the tolerance. ``dips``: beginnings and ends; a supply that
    went out of its range in one of them is none. ``settling``: so long (ns) before the interval the climate counts."""
    declared = reading.model.surroundings
    if declared is None:
        return None
    for quantity, known in measured(reading).items():
        supply = quantity == "voltage_v"
        for begun, over, index in _spells(reading, declared, known):
            by_dip = supply and any(since < begun <= until for since, until in dips)
            if begun < end and over > start - (0 if supply else settling) and not by_dip:
                return Outside(quantity, known.values[index], known.readings[index])
    return None


def _spells(reading: Reading, declared: Surroundings, known: Measured) -> list[tuple[int, int, int]]:
    """The times outside the range, each with the index of its first reading."""
    cache = _outside.setdefault(reading, {})
    if known.quantity not in cache:
        allowed, spells = declared_range(declared, known.quantity), cache.setdefault(known.quantity, [])
        since: int | None = None
        for index, value in enumerate(known.values):
            if not allowed.low <= value <= allowed.high and not _led(reading, allowed, known, index):
                since = index if since is None else since
            elif since is not None:
                spells.append((known.times[since], known.times[index], since))
                since = None
        if since is not None:
            spells.append((known.times[since], reading.end + 1, since))
    return cache[known.quantity]


def _led(reading: Reading, allowed: Range, known: Measured, index: int) -> bool:
    """A step of a profile had led it to a value inside the range, and it is as near to that as it can be. Warm air is
    dry: the humidity goes where the temperature leads it."""
    spare, t = TOLERANCE[known.quantity], known.times[index]
    if not allowed.low - spare <= known.values[index] <= allowed.high + spare:
        return False
    declared = reading.model.surroundings
    for step, begun, _reached, ended in steps(reading):
        if declared is None or step.quantity not in KINDS or not begun <= t <= ended + LED_S * SECOND:
            continue
        inside = declared_range(declared, step.quantity)
        together = step.quantity == known.quantity or KINDS[step.quantity] == KINDS[known.quantity] == "chamber"
        if together and inside.low <= step.value <= inside.high:
            return True
    return False


def kind_of(reading: Reading, instrument: str) -> str:
    """The kind of instrument: a step names that, or the instrument itself."""
    return next((one.sort for one in reading.all(InstrumentOpened) if one.instrument == instrument), instrument)


_steps: WeakKeyDictionary[Reading, list[tuple[StressStep, int, int, int]]] = WeakKeyDictionary()


def steps(reading: Reading) -> list[tuple[StressStep, int, int, int]]:
    """Each step of a stress profile: the event with which it began, when it did, when its value was reached, when it
    ended (the end of the log where nothing tells)."""
    if reading not in _steps:
        found: dict[tuple[str, int, str], list[StressStep]] = {}
        table = _steps[reading] = []
        never = reading.end + 1
        for event in reading.all(StressStep):
            key = (event.profile, event.step, event.instrument)
            if event.state == "begun":
                found[key] = [event]
            elif key in found:
                found[key].append(event)
                if event.state == "ended":
                    table.append(_step(found.pop(key), never))
        table += [_step(events, never) for events in found.values()]
        table.sort(key=lambda row: row[1])
    return _steps[reading]


def _step(events: Sequence[StressStep], never: int) -> tuple[StressStep, int, int, int]:
    reached = next((e.t for e in events if e.state == "reached"), never)
    ended = next((e.t for e in events if e.state == "ended"), never)
    return events[0], events[0].t, min(reached, ended), ended


def steps_at(reading: Reading, t: int) -> list[StressStep]:
    """The steps that had begun and not ended."""
    return [step for step, begun, _reached, ended in steps(reading) if begun <= t < ended]
