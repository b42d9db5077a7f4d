"""What was done to the terminal itself: disturbances that hit it, parts that were broken on purpose; and what of its
behaviour meanwhile is not held against it.
"""

from __future__ import annotations

import bisect
import dataclasses
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from harness.checkers import dips
from harness.checkers.finding import Finding
from harness.checkers.reading import SECOND, Exchange, Reading
from harness.checkers.surroundings import Outside, kind_of, outside_of_range, settling, steps_at
from harness.history.events import Event, Power, UnitReplaced
from harness.history.instrument_events import (
    Criterion,
    Disturbed,
    HardwareState,
    InstrumentOpened,
    InstrumentsSafe,
    Part,
    Readings,
    StressStep,
)
from harness.instruments.desk import says_no

HUNG_S = 30  # real seconds: so long a terminal may hang from a disturbance before its watchdog resets it
LEVEL = {
    "burst": ("level_kv", "kV"), "esd": ("level_kv", "kV"), "surge": ("level_kv", "kV"), "field": ("field_v_m", "V/m"),
    "dip": ("duration_ms", "ms"), "interruption": ("duration_ms", "ms"),
}  # fmt: skip
OF_SUPPLY = frozenset({"dip", "interruption"})
# by what one sees that it struck; those of the supply: harness/checkers/dips.py
SHOWS = {"burst": "pulses", "esd": "pulses", "surge": "pulses", "field": "field_v_m"}
SHOWN_NS = SECOND  # so long after it was over what it counted may be read
FIELD_THERE = 0.5  # of the level, at the probe
FIELD_UNEVEN = 2.0  # of the level: 6 dB, as much as a uniform field may be above it (IEC 61000-4-3)
PARTS: dict[Part, str] = {
    "magnetic_reader": "magnetic reader", "chip_reader": "chip reader", "contactless_reader": "contactless reader",
    "printer": "printer", "paper": "paper", "battery": "battery", "clock_battery": "clock battery", "clock": "clock",
    "tamper": "tamper switch", "keypad": "keypad", "screen": "screen",
}  # fmt: skip
# What must hold whatever surrounds the terminal: money, no false 97, nothing that leaves although it may not.
ALWAYS = frozenset({
    "MSG-02", "MSG-05", "STA-01", "STA-02", "STA-03", "STA-04", "STA-05", "STA-07", "REC-03", "REC-06", "INS-01",
    "FWU-01", "FWU-02", "FWU-03", "FWU-04", "NET-03",
})  # fmt: skip
ALWAYS_GROUPS = frozenset({"MON", "SEC", "ENV"})
LOADS = frozenset({"load_tmk", "activate"})
WIPED_BY_TAMPER = frozenset({"STA-03", "FWU-01"})  # a terminal that was opened erases its keys, and should


@dataclass(frozen=True)
class Hit:
    """One disturbance. ``level``: as :class:`harness.terminal.surroundings.Immunity` counts it; None: not told, or its
    beginning or end was not seen (``begun`` is then what was seen, ``end`` the latest that it can be). ``shown``: by
    what one sees that it did strike, most often readings; None: it would be seen, and was not. ``worse``: by readings
    it was plainly more than its instrument was told to do, and is taken for what they say."""

    begun: Disturbed
    ended: Disturbed | None
    end: int
    level: float | None
    residual_pct: float
    shown: tuple[Event, ...] | None = ()
    worse: bool = False

    @property
    def start(self) -> int:
        return self.begun.t

    @property
    def events(self) -> tuple[Event, ...]:
        return (self.begun, *([self.ended] if self.ended else []))

    def __str__(self) -> str:
        """For people: "burst of 1 kV", "dip to 40 % for 200 ms"."""
        if self.level is None:
            return self.begun.sort
        unit = LEVEL[self.begun.sort][1]
        if self.begun.sort == "dip":
            return f"dip to {self.residual_pct:g} % for {self.level:g} ms"
        return f"{self.begun.sort} of {self.level:g} {unit}"


_hits: WeakKeyDictionary[Reading, tuple[Hit, ...]] = WeakKeyDictionary()
_over: WeakKeyDictionary[Reading, list[int]] = WeakKeyDictionary()


def hits(reading: Reading) -> tuple[Hit, ...]:
    """All disturbances of the log, by their beginning."""
    if reading not in _hits:
        found = tuple(sorted(_hits_of(reading), key=lambda hit: (hit.start, hit.begun.seq)))
        _hits[reading], _over[reading] = found, list(itertools.accumulate((hit.end for hit in found), max))
    return _hits[reading]


def _hits_of(reading: Reading) -> Iterator[Hit]:
    open_ones: dict[tuple[str, str], Disturbed] = {}
    for event in reading.all(Disturbed):
        key = (event.instrument, event.sort)
        begun = open_ones.pop(key, None)
        if event.state == "begun":
            if begun is not None:
                yield _unended(reading, begun, min(_safe(reading, begun), event.t))
            open_ones[key] = event
        elif begun is not None:
            worse = _worse(reading, begun, event)
            values = {**begun.values, **worse}
            level, residual_pct = values.get(LEVEL[begun.sort][0]), values.get("residual_pct", 0.0)
            yield Hit(begun, event, event.t, level, residual_pct, _shown(reading, begun, event), bool(worse))
        else:
            yield Hit(event, None, event.t, None, 0.0, None)
    for begun in open_ones.values():
        yield _unended(reading, begun, _safe(reading, begun))


def _safe(reading: Reading, begun: Disturbed) -> int:
    """When its instrument was made safe."""
    made_safe = (one for one in reading.all(InstrumentsSafe) if one.t > begun.t)
    return next((one.t for one in made_safe if begun.instrument in one.instruments), reading.end + 1)


def _unended(reading: Reading, begun: Disturbed, until: int) -> Hit:
    """Its end is not in the log."""
    return Hit(begun, None, until, None, 0.0, _shown(reading, begun, begun.model_copy(update={"t": until})))


def _shown(reading: Reading, begun: Disturbed, ended: Disturbed) -> tuple[Event, ...] | None:
    answer = dips.answered(reading, begun, ended)
    if answer is not None and says_no(answer.answer):
        return None
    by_what = dips.shown if begun.sort in OF_SUPPLY else _counted
    return by_what(reading, begun, ended)


def _worse(reading: Reading, begun: Disturbed, ended: Disturbed) -> dict[str, float]:
    """What of it was plainly more than its instrument was told to do, as readings say."""
    if begun.sort in OF_SUPPLY:
        return dips.worse(reading, begun, ended)
    told = begun.values.get("field_v_m")
    if begun.sort != "field" or told is None:
        return {}
    meanwhile = reading.between(Readings, begun.t, ended.t + SHOWN_NS)
    seen = [one.values["field_v_m"] for one in meanwhile
            if one.instrument == begun.instrument and "field_v_m" in one.values]  # fmt: skip
    strongest = max(seen, default=0.0)
    return {"field_v_m": strongest} if strongest > FIELD_UNEVEN * told else {}


def _counted(reading: Reading, begun: Disturbed, ended: Disturbed) -> tuple[Event, ...] | None:
    """That a generator was told to strike is no measurement: it has counted a pulse more, the probe has seen a field.
    Of an instrument that reads no such thing there is none."""
    quantity = SHOWS.get(begun.sort)
    opened = next((one for one in reading.all(InstrumentOpened) if one.instrument == begun.instrument), None)
    if quantity is None or opened is None or quantity not in opened.quantities:
        return ()
    told = [one for one in reading.all(Readings) if one.instrument == begun.instrument and quantity in one.values]
    first = bisect.bisect_right(told, begun.t, key=lambda one: one.t)
    meanwhile = told[first : bisect.bisect_right(told, ended.t + SHOWN_NS, key=lambda one: one.t)]
    if quantity == "field_v_m":
        least = FIELD_THERE * begun.values.get(quantity, 0.0)
        seen = next((one for one in meanwhile if one.values[quantity] >= least), None)
        return (seen,) if seen is not None else None
    before = told[first - 1] if first else None
    if before is None:
        return None
    seen = next((one for one in meanwhile if one.values[quantity] > before.values[quantity]), None)
    return (before, seen) if seen is not None else None


def hits_between(reading: Reading, start: int, end: int) -> list[Hit]:
    """Those that touch ``[start, end]``, in order."""
    found = hits(reading)
    index = bisect.bisect_right(found, end, key=lambda hit: hit.start) - 1
    touching = []
    while index >= 0 and _over[reading][index] >= start:
        if found[index].end >= start:
            touching.append(found[index])
        index -= 1
    return touching[::-1]


def felt(reading: Reading, start: int, end: int) -> list[Hit]:
    """Those that touch the interval, and those before it from which the terminal may still be coming back."""
    recent = hits_between(reading, start - aftermath(reading), end)
    return [one for one in recent if one.end >= start or criterion_of(reading, one) != "A"]


def aftermath(reading: Reading) -> int:
    """So long (ns) after a disturbance the terminal may be about to come back from it."""
    declared = reading.model.surroundings
    return int(max(HUNG_S, declared.back_s if declared else 0) * SECOND)


def step_of(reading: Reading, hit: Hit) -> StressStep | None:
    """The step of a stress profile that it belongs to."""
    kind = kind_of(reading, hit.begun.instrument)
    return next((s for s in steps_at(reading, hit.start) if kind_of(reading, s.instrument) == kind), None)


def criterion_of(reading: Reading, hit: Hit) -> Criterion | None:
    """What the model declares for it; where it declares nothing, what the profile of the step expects."""
    declared = reading.model.surroundings
    if declared is not None and hit.level is not None:
        by_model = declared.criterion(hit.begun.sort, hit.level, hit.residual_pct)
        if by_model is not None:
            return by_model
    if hit.worse:  # the step did not mean that
        return None
    step = step_of(reading, hit)
    return step.criterion if step is not None else None


# -- parts that are broken ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Broken:
    """A part from the moment it was broken until it was whole again, or its unit was taken away. ``over``: until it
    shows no more: a terminal that was opened wants a key, and to be told that all is well, when it is closed again."""

    began: HardwareState
    end: int
    over: int

    @property
    def part(self) -> Part:
        return self.began.part

    @property
    def start(self) -> int:
        return self.began.t

    def __str__(self) -> str:
        """For people: "printer dead"."""
        return f"{PARTS[self.part]} {self.began.state}"


_broken: WeakKeyDictionary[Reading, tuple[Broken, ...]] = WeakKeyDictionary()


def broken(reading: Reading) -> tuple[Broken, ...]:
    """All of the log, by their beginning. A part in another wrong state is broken anew."""
    if reading not in _broken:
        _broken[reading] = tuple(sorted(_broken_of(reading), key=lambda one: (one.start, one.began.seq)))
    return _broken[reading]


def _broken_of(reading: Reading) -> Iterator[Broken]:
    since: dict[Part, HardwareState] = {}
    if not reading.all(HardwareState):
        return
    events: list[HardwareState | UnitReplaced] = [*reading.all(HardwareState), *reading.all(UnitReplaced)]
    for event in sorted(events, key=lambda e: (e.t, e.seq)):
        ending = list(since) if isinstance(event, UnitReplaced) else [event.part]
        for part in ending:
            began = since.pop(part, None)
            if began is not None:
                latched = part == "tamper" and not isinstance(event, UnitReplaced)
                yield Broken(began, event.t, _seen_to(reading, event.t) if latched else event.t)
        if isinstance(event, HardwareState) and event.state != "ok":
            since[event.part] = event
    never = reading.end + 1
    yield from (Broken(began, never, never) for began in since.values())


def _seen_to(reading: Reading, closed: int) -> int:
    """When a key was loaded after the case was closed, or another unit came."""
    loaded = (o.done for o in reading.operations if o.name in LOADS and o.outcome == "ok" and o.t > closed)
    replaced = (unit.t for unit in reading.all(UnitReplaced) if unit.t > closed)
    return min([*loaded, *replaced], default=reading.end + 1)


def broken_between(reading: Reading, start: int, end: int) -> list[Broken]:
    """Those that were broken, or still showed it, at some time in ``[start, end]``."""
    return [one for one in broken(reading) if one.start <= end and one.over > start]


# -- what is not held against the terminal -----------------------------------------------------------------------------


def reset_explained(reading: Reading, power: Power) -> Event | None:
    """What may have made the terminal reset itself: a disturbance, a part that is broken, or it stood outside its
    range. What it must bear of that, the ENV rules say."""
    hit = next(iter(hits_between(reading, power.t - HUNG_S * SECOND, power.t)), None)
    if hit is not None:
        return hit.begun
    part = next(iter(broken_between(reading, power.t, power.t)), None)
    if part is not None:
        return part.began
    outside = outside_of_range(reading, power.t - HUNG_S * SECOND, power.t, settling=settling(reading))
    return outside.event if outside else None


def by_surroundings(reading: Reading, power: Power) -> bool:
    """The power went for want of voltage, or the reset is explained."""
    return power.reason in ("brown_out", "battery") or reset_explained(reading, power) is not None


def excuse(reading: Reading, rule: str, start: int, end: int) -> Broken | Hit | Outside | None:
    """Why what the terminal did in the interval is not judged by this rule: it need not work then, and the rule is none
    that must hold all the same."""
    if rule in WIPED_BY_TAMPER:
        return next((one for one in broken_between(reading, start, end) if one.part == "tamper"), None)
    if rule in ALWAYS or rule.partition("-")[0] in ALWAYS_GROUPS:
        return None
    return need_not_work(reading, start, end)


def need_not_work(reading: Reading, start: int, end: int) -> Broken | Hit | Outside | None:
    """A part of it was broken in the interval, a disturbance hit it under which it need not work on, or it stood
    outside its declared range, or had not settled since."""
    part = next(iter(broken_between(reading, start, end)), None)
    if part is not None:
        return part
    struck = hits_between(reading, start - aftermath(reading), end)
    hit = next((one for one in struck if criterion_of(reading, one) != "A"), None)
    if hit is not None:
        return hit
    borne = [(one.start, one.end) for one in struck if one.begun.sort in OF_SUPPLY]  # what it reads then is the dip
    return outside_of_range(reading, start, end, dips=borne, settling=settling(reading))


def struck(reading: Reading, exchange: Exchange) -> Broken | Hit | Outside | None:
    """Why the terminal need not have made of an answer what it says."""
    operation = reading.attended_by(exchange)
    answered = exchange.answered_at or exchange.t
    return need_not_work(reading, exchange.t, max(operation.done, answered) if operation else answered)


def excused(finding: Finding, why: Broken | Hit | Outside) -> Finding:
    """A FAIL that what was done to the terminal may explain."""
    reason = f"what was done to the terminal ({why}) may explain it: would be FAIL: {finding.reason}"
    return dataclasses.replace(finding, verdict="INCONCLUSIVE", reason=reason)
