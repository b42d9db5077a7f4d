"""What was observed, by kind and time: the part of a :class:`harness.checkers.reading.Reading` without meaning."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self, TypeVar, cast

from pydantic import BaseModel, ValidationError

from harness.checkers.timeline import SECOND
from harness.errors import BadInput
from harness.history.events import (
    AnyEvent,
    BenchFailed,
    Cashier,
    Counters,
    Event,
    HostArmed,
    HostChanged,
    HostJournal,
    HostLedger,
    Key,
    Power,
    RunOpened,
    Screen,
    Slip,
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
from harness.protocol.profile import Limits, Profile
from harness.stored_json import first_problem
from harness.terminal.model import Model

E = TypeVar("E", bound=Event)
LASTING = (  # a part of a log has it of what came before
    RunOpened, Key, UnitReplaced, FirmwareTold, InstrumentOpened, Disturbed, HardwareState, StressStep, InstrumentsSafe,
    Readings,
)  # fmt: skip


def _known(stored: dict[str, Any], kind: type[BaseModel]) -> dict[str, Any]:
    """A stored run stays judgeable when a later version has dropped a key of its profile or model."""
    return {key: value for key, value in stored.items() if key in kind.model_fields}


def check_header(header: RunOpened, path: Path) -> None:
    """BadInput where the profile or the model by which that log is to be judged is none."""
    for name, kind, stored in (("profile", Profile, header.profile), ("declaration", Model, header.declaration)):
        try:
            kind.model_validate(_known(stored, kind))
        except ValidationError as error:
            raise BadInput(f"run.opened has no usable {name}: {first_problem(error)}", where=str(path)) from None


class Observed:
    """A history, by kind and time. Immutable, computed once. Times are ns, intervals half open ``[start, end)``."""

    def __init__(self, events: Sequence[AnyEvent]) -> None:
        self.events: tuple[AnyEvent, ...] = tuple(sorted(events, key=lambda e: (e.t, e.seq)))
        opened = next((e for e in self.events if isinstance(e, RunOpened)), None)
        if opened is None:
            raise BadInput(
                "the history has no run.opened event, so nothing says which profile and model to judge by",
                remedy="the first line of a history.jsonl is run.opened; was the file cut at its beginning?",
            )
        self.header: RunOpened = opened

    @classmethod
    def of(cls, events: Iterable[AnyEvent]) -> Self:
        return cls(tuple(events))

    # ---- what is judged by

    @cached_property
    def profile(self) -> Profile:
        return Profile.model_validate(_known(self.header.profile, Profile))

    @cached_property
    def model(self) -> Model:
        return Model.model_validate(_known(self.header.declaration, Model))

    @property
    def limits(self) -> Limits:
        return self.profile.limits

    def offers(self, observable: str) -> bool:
        """The model declares ``observable``: wire, host_journal, screen, slip, cashier, counters, power."""
        return observable in self.model.offers

    def terminal_seconds(self, start: int, end: int) -> float:
        """Seconds of the terminal's protocol timers between two moments: real time multiplied by the time scale."""
        return (end - start) / SECOND * self.header.time_scale

    def after(self, t: int, seconds: float) -> int:
        """``t`` plus ``seconds`` of the *terminal's* time (protocol timers), as a moment (ns)."""
        return t + int(seconds / self.header.time_scale * SECOND)

    # ---- events

    @cached_property
    def _by_type(self) -> dict[type[Event], tuple[Event, ...]]:
        found: dict[type[Event], list[Event]] = {}
        for event in self.events:
            found.setdefault(type(event), []).append(event)
        return {kind: tuple(events) for kind, events in found.items()}

    def all(self, kind: type[E]) -> tuple[E, ...]:
        """All events of one class, in order of time."""
        return cast("tuple[E, ...]", self._by_type.get(kind, ()))

    @cached_property
    def _times(self) -> dict[type[Event], list[int]]:
        return {kind: [event.t for event in events] for kind, events in self._by_type.items()}

    def between(self, kind: type[E], start: int, end: int) -> tuple[E, ...]:
        """The events of one class with ``start <= t < end``."""
        times = self._times.get(kind)
        if not times:
            return ()
        return self.all(kind)[bisect.bisect_left(times, start) : bisect.bisect_left(times, end)]

    def before(self, kind: type[E], t: int) -> E | None:
        """The last event of one class with ``event.t <= t``."""
        index = bisect.bisect_right(self._times.get(kind, ()), t)
        return self.all(kind)[index - 1] if index else None

    def after_moment(self, kind: type[E], t: int) -> E | None:
        """The first event of one class with ``event.t > t``."""
        events = self.all(kind)
        index = bisect.bisect_right(self._times.get(kind, ()), t)
        return events[index] if index < len(events) else None

    @cached_property
    def by_seq(self) -> dict[int, AnyEvent]:
        return {event.seq: event for event in self.events}

    @cached_property
    def begins_with_the_log(self) -> bool:
        """False for a part of a log (the span of one test): something may rest on what came before it."""
        first = min((e.seq for e in self.events if not isinstance(e, LASTING)), default=self.header.seq)
        return all(seq in self.by_seq for seq in range(self.header.seq, first))

    @property
    def end(self) -> int:
        """The moment of the last event."""
        return self.events[-1].t

    @property
    def last(self) -> AnyEvent:
        """The last event: what a finding about "up to the end of the log" may rest on."""
        return self.events[-1]

    @property
    def screens(self) -> tuple[Screen, ...]:
        return self.all(Screen)

    @property
    def slips(self) -> tuple[Slip, ...]:
        return self.all(Slip)

    @property
    def ledgers(self) -> tuple[HostLedger, ...]:
        return self.all(HostLedger)

    @property
    def journal(self) -> tuple[HostJournal, ...]:
        return self.all(HostJournal)

    @property
    def counters(self) -> tuple[Counters, ...]:
        return self.all(Counters)

    @property
    def powers(self) -> tuple[Power, ...]:
        return self.all(Power)

    @property
    def failures(self) -> tuple[BenchFailed, ...]:
        """Where the bench failed: what is missing after it may be missing because of it."""
        return self.all(BenchFailed)

    @property
    def host_changes(self) -> tuple[HostChanged, ...]:
        return self.all(HostChanged)

    @property
    def host_armed(self) -> tuple[HostArmed, ...]:
        return self.all(HostArmed)

    def screen_at(self, t: int) -> Screen | None:
        """What the screen showed at ``t``."""
        return self.before(Screen, t)

    def screens_during(self, start: int, end: int) -> tuple[Screen, ...]:
        """What the screen showed at any time in the interval: the one in force at ``start`` and all that came after."""
        first = self.screen_at(start)
        later = tuple(s for s in self.between(Screen, start, end) if first is None or s.seq != first.seq)
        return (first, *later) if first else later

    def screens_between(self, start: int, end: int) -> tuple[Screen, ...]:
        """The screens that appeared in the interval."""
        return self.between(Screen, start, end)

    def slips_between(self, start: int, end: int) -> tuple[Slip, ...]:
        return self.between(Slip, start, end)

    def cashier_between(self, start: int, end: int) -> tuple[Cashier, ...]:
        """Messages from the terminal to the till in the interval that could be read (fields not empty)."""
        return tuple(e for e in self.between(Cashier, start, end) if e.direction == "from_terminal" and e.fields)
