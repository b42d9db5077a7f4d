"""What shows that the supply did dip, or was interrupted: a supply that was told to may have done nothing."""

from __future__ import annotations

import bisect
import itertools

from harness.checkers.reading import SECOND, Reading
from harness.history.events import Event, Power
from harness.history.instrument_events import (
    Disturbed,
    Felt,
    InstrumentOpened,
    InstrumentSet,
    OperatorAnswered,
    Readings,
)

SAMPLED_MS = 300  # ten readings a second, and one or two that a machine with much else to do is late with
FELL = 0.75  # of the way from the nominal voltage to the residual one
LONGER, DEEPER_PCT = 0.1, 10  # of what it was told, and of the nominal voltage: what is less is no other dip
FELT = frozenset({"supply_dipped", "supply_lost", "on_battery"})  # what an emulated board says of its supply
DARK_NS = SECOND  # so long after it the power may still go because of it
STUCK_NS = 10 * SECOND  # so long after its end a supply is looked at that may not come back
MS = 1_000_000


def shown(reading: Reading, begun: Disturbed, ended: Disturbed) -> tuple[Event, ...] | None:
    """The events by which it came; None: there should be some, and there are none, or readings say that it did not.

    One that is long enough is seen in the readings of its supply, or by what it did to the board. One that is shorter
    is seen there by luck: the board of an emulated bench says that it felt it, and of any other bench the command has
    to do, as where the supply reads no voltage. What a person does, that person's answer shows."""
    opened = next((one for one in reading.all(InstrumentOpened) if one.instrument == begun.instrument), None)
    if opened is None:
        return ()
    lasts_ms = begun.values.get("duration_ms", (ended.t - begun.t) / MS)
    is_sampled = lasts_ms >= SAMPLED_MS and "voltage_v" in opened.quantities
    answer = answered(reading, begun, ended)
    if answer is not None:
        return (answer,)
    fell, stayed = _read(reading, begun, ended, lasts_ms)
    if fell or (stayed and is_sampled):
        return fell or None
    by_board = _by_board(reading, begun, ended)
    if by_board is not None:
        return (by_board,)
    return None if is_sampled or opened.emulated else ()


def answered(reading: Reading, begun: Disturbed, ended: Disturbed) -> OperatorAnswered | None:
    """What the person said who was asked to do it."""
    told = reading.between(OperatorAnswered, begun.t, ended.t + 1)
    return next((one for one in told if one.instrument == begun.instrument), None)


def worse(reading: Reading, begun: Disturbed, ended: Disturbed) -> dict[str, float]:
    """What of it was worse than its supply was told, by the readings: how long (``duration_ms``, at least), how deep
    (``residual_pct``)."""
    declared = reading.model.surroundings
    if declared is None:
        return {}
    meanwhile = reading.between(Readings, begun.t + 1, ended.t + STUCK_NS)
    told = [one for one in meanwhile if one.instrument == begun.instrument and "voltage_v" in one.values]
    nominal, residual = declared.voltage_v.nominal, begun.values.get("residual_pct", 0.0)
    low = nominal * (1 - FELL * (1 - residual / 100))
    fell = itertools.dropwhile(lambda one: one.t <= ended.t and one.values["voltage_v"] > low, told)
    lows = list(itertools.takewhile(lambda one: one.values["voltage_v"] <= low, fell))
    if not lows or lows[0].t > ended.t:
        return {}
    lasts_ms, deepest = (lows[-1].t - lows[0].t) / MS, min(one.values["voltage_v"] for one in lows) / nominal * 100
    must = begun.values.get("duration_ms", lasts_ms)
    found = {"duration_ms": float(round(lasts_ms))} if lasts_ms > must + max(SAMPLED_MS, LONGER * must) else {}
    return found | ({"residual_pct": float(round(deepest))} if deepest < residual - DEEPER_PCT else {})


def _read(
    reading: Reading, begun: Disturbed, ended: Disturbed, lasts_ms: float
) -> tuple[tuple[Readings, ...], bool]:
    """The last reading before it fell and the first after; whether one stands where it must be low, and is not."""
    told = [one for one in reading.all(Readings) if one.instrument == begun.instrument and "voltage_v" in one.values]
    first = bisect.bisect_right(told, begun.t, key=lambda one: one.t)
    last = bisect.bisect_right(told, ended.t, key=lambda one: one.t)
    declared = reading.model.surroundings
    if declared is None and not first:
        return (), False
    nominal = declared.voltage_v.nominal if declared is not None else told[first - 1].values["voltage_v"]
    depth = 1 - begun.values.get("residual_pct", 0.0) / 100
    low = nominal * (1 - FELL * depth)
    for before, after in itertools.pairwise(told[max(0, first - 1) : last]):
        if before.values["voltage_v"] > low >= after.values["voltage_v"]:
            return (before, after), False
    taken = next((one.t for one in reading.between(InstrumentSet, begun.t, ended.t + 1)
                  if one.instrument == begun.instrument and one.method == "dip"), begun.t)  # fmt: skip
    must = int(begun.t + lasts_ms * MS)
    return (), any(taken < one.t < must and one.values["voltage_v"] > low for one in told[first:last])


def _by_board(reading: Reading, begun: Disturbed, ended: Disturbed) -> Event | None:
    felt = (one for one in reading.between(Felt, begun.t, ended.t + 1) if one.what in FELT)
    lost = (
        one for one in reading.between(Power, begun.t, ended.t + DARK_NS)
        if one.state == "off" and one.reason == "brown_out"
    )  # fmt: skip
    return next(felt, None) or next(lost, None)
