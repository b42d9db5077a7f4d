"""A history, or a part of it, to the signs that are in it.

What the harness did by itself - changes of the back office, faults, broken hardware, disturbances, settings of
instruments - is no evidence here, nor are the keys that the bench knows: the observers never look at those events
(:data:`NEVER`). What an instrument *read* is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from harness.checkers.finding import Finding
from harness.checkers.reading import Reading
from harness.diagnosis.judging import Seen
from harness.history.events import (
    AnyEvent,
    BenchFailed,
    Event,
    FaultArmed,
    FaultHealed,
    FaultStruck,
    HostArmed,
    HostChanged,
    HostLedger,
    Key,
    Measurement,
    Radio,
    RunOpened,
    WireLink,
)
from harness.history.instrument_events import (
    Disturbed,
    Felt,
    HardwareState,
    InstrumentSet,
    InstrumentsSafe,
    OperatorAnswered,
    StressStep,
)
from harness.history.update_events import StoredChanged, UpdateCut

NEVER: tuple[type[Event], ...] = (
    HostChanged, HostArmed, HostLedger, FaultArmed, FaultStruck, FaultHealed, HardwareState, Disturbed, StressStep,
    InstrumentSet, InstrumentsSafe, OperatorAnswered, Key, WireLink, Radio, UpdateCut, StoredChanged, BenchFailed,
    Measurement, Felt,
)  # fmt: skip
OF_ONE: Mapping[str, str] = {  # what they say at a terminal that several merchants share: it is said of one of them
    "sign_in_approved": "one_sign_in_approved", "sign_in_done": "one_sign_in_done",
    "money_approved": "one_money_approved", "echo_approved": "one_echo_approved", "code_card": "one_code_card",
    "host_registered": "one_registered",
}  # fmt: skip
Observer = Callable[[Reading], Iterator[Seen]]


def signs_in(events: Sequence[AnyEvent], broken: Sequence[Finding] = ()) -> list[Seen]:
    """All signs, in the order of time. ``events`` without a ``run.opened`` hold none, for nothing says by which profile
    they are to be read. ``broken``: what the judge found wrong in them."""
    from harness.diagnosis import observing_host, observing_self, observing_wire

    kept = [event for event in events if not isinstance(event, NEVER)]
    if not any(isinstance(event, RunOpened) for event in kept):
        return []
    reading = Reading.of(kept)
    found = [Seen("rule_broken", one.evidence, one.t, one.rule) for one in broken if one.verdict == "FAIL"]
    observers: tuple[Observer, ...] = (
        observing_wire.answers, observing_wire.connections, observing_wire.packets, observing_self.told,
        observing_self.screens, observing_self.unread, observing_self.unanswered, observing_self.power,
        observing_self.service, observing_self.readings,
        observing_host.journal, observing_host.registry, observing_host.ways,
    )
    for observer in observers:
        found += observer(reading)
    if reading.model.identities > 1:
        found = [_of_its_merchant(one) for one in found]
    return sorted(found, key=lambda one: one.t)


def _of_its_merchant(one: Seen) -> Seen:
    about = f"{one.about}, TID {one.of.rpartition('/')[2]}" if one.of and one.about else one.about
    return replace(one, sign=OF_ONE.get(one.sign, one.sign), about=about)
