"""The cable between terminal and wire: unplugged, plugged, and every fault that the wire knows, armed and healed.

What is armed, what it struck and what ended it goes into the history. The injector, a program of its own, is started
when it is first needed; from then on its death is the bench's failure.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from harness.errors import BenchError, TerminalTimeout
from harness.history.events import AnyEvent, FaultArmed, FaultHealed, FaultStruck, WireLink
from harness.history.recorder import Recorder
from harness.wire.faults import Fault
from harness.wire.faults.spoken import parse

STRIKE_S = 10.0
DEATH_LOG = "logs/injector.log"
FaultEvent = FaultArmed | FaultStruck | FaultHealed
Master = Mapping[str, str]
"""``tid``, ``mid`` and ``tmk`` (hex) of a terminal: by it the injector opens the keys that a sign-in brings."""


class Plug(Protocol):
    """Where the terminal's cable is in: the topology of an emulated bench, the card of a physical one."""

    def link(self, up: bool) -> None:
        """Plugs or pulls it; returns when the kernel says so."""


class Injector(Protocol):
    """The running program, as the cable uses it (harness.wire.injector_client). What happens is told before a request
    is answered."""

    def arm(self, fault: Fault) -> int:
        """The fault's id. Raises BadInput with the reason where the wire refuses it."""

    def heal(self, fault_id: int | None = None) -> None: ...
    def keys(self, masters: Sequence[Master]) -> None: ...
    def check(self) -> None: ...
    def close(self) -> None: ...


Start = Callable[[Callable[[FaultEvent], object]], Injector]
"""``start(on_event)``: from then on what happens is told to ``on_event``, on a thread of the injector's."""


class Armed:
    """A fault that was armed. It ends by itself, by :meth:`heal`, or with the test."""

    def __init__(self, cable: Cable, recorder: Recorder, event: FaultArmed, fault: Fault) -> None:
        self._cable, self._recorder = cable, recorder
        self._armed_at, self._armed_t = event.seq, event.t
        self._awaited = event.seq
        self.fault_id, self.fault = event.fault_id, fault

    @property
    def strikes(self) -> tuple[FaultStruck, ...]:
        """All so far; what could not be done is none."""
        since = self._recorder.since(self._armed_at)
        return tuple(e for e in since if isinstance(e, FaultStruck) and self._is_strike(e) and e.done)

    def await_strike(self, deadline_s: float = STRIKE_S) -> FaultStruck:
        """The next strike that was not awaited yet. Raises TerminalTimeout when its moment does not come (at once where
        the fault has ended), BenchError with the reason when it came and the wire could not do it."""
        what = f"the wire to strike: {self.fault.title}"
        event = self._recorder.wait_for(self._is_strike_or_end, deadline_s, what, since=self._awaited)
        if isinstance(event, FaultHealed) and event.why == "died":
            raise BenchError(f"{what}: it ended because the injector did, or its guardian", evidence=DEATH_LOG)
        if isinstance(event, FaultHealed):
            raise TerminalTimeout(f"{what}; it has ended ({event.why})", (event.t - self._armed_t) / 1e9)
        assert isinstance(event, FaultStruck)
        self._awaited = event.seq
        if not event.done:
            raise BenchError(f"the wire could not do it ({self.fault.title}): {event.what}")
        return event

    def heal(self) -> None:
        """It ends now; what it kept back is delivered. Does nothing where it has ended."""
        self._cable.heal_one(self.fault_id)

    def _is_strike_or_end(self, event: AnyEvent) -> bool:
        return isinstance(event, FaultStruck | FaultHealed) and event.fault_id == self.fault_id

    def _is_strike(self, event: object) -> bool:
        return isinstance(event, FaultStruck) and event.fault_id == self.fault_id


class Cable:
    """One terminal's cable. Plugging what is plugged does nothing. ``plugged``: by who plugs and unplugs; whether there
    is a carrier depends on the contacts in it, too.

    ``masters``: the keys of now, asked for before each arming. ``on_death``: what to do with the reason, where faults
    ended because the injector did.
    """

    def __init__(
        self, plug: Plug, recorder: Recorder, *, start: Start, masters: Callable[[], Sequence[Master]],
        on_death: Callable[[str], object],
    ) -> None:
        self._plug, self._recorder = plug, recorder
        self._start, self._masters, self._on_death = start, masters, on_death
        self._injector: Injector | None = None
        self._starting = threading.Lock()  # by the test, and by who knocks at the bench's door
        self._told: Sequence[Master] = ()
        self._moving = threading.Lock()  # by the test, and by who tells of a relay's contact
        self._open: frozenset[str] = frozenset()  # contacts in the cable
        self._up, self._loose = True, False
        self.plugged = True

    # -- the plug -----------------------------------------------------------------------------------------------------

    def unplug(self) -> None:
        """The terminal loses its carrier; returns when the kernel says so."""
        with self._moving:
            self._be(False, self._open)

    def plug(self) -> None:
        """Back again; returns when the carrier is there, or at once where a contact in the cable is open."""
        with self._moving:
            self._be(True, self._open)

    def contact(self, name: str, closed: bool) -> None:
        """A relay's contact in this cable opened or closed. Plug and contacts are in series: the terminal has its
        carrier while it is plugged and all are closed."""
        with self._moving:
            if not self._loose:
                self._be(self.plugged, self._open - {name} if closed else self._open | {name})

    def let_loose(self) -> None:
        """The terminal is about to be taken away for good: what contacts do is nothing to it any more."""
        with self._moving:
            self._loose = True

    def _be(self, plugged: bool, opened: frozenset[str]) -> None:
        up = plugged and not opened
        if up is not self._up:
            self._carry(up)
        self.plugged, self._open, self._up = plugged, opened, up

    def _carry(self, up: bool) -> None:
        self._plug.link(up)
        self._recorder.append(WireLink(t=time.monotonic_ns(), state="up" if up else "down"))

    # -- faults -------------------------------------------------------------------------------------------------------

    def arm(self, fault: Fault | str) -> Armed:
        """From now on ``fault`` strikes: a value, or its words (``harness.wire.faults.spoken``).

        Raises BadInput with the reason where this link can't do it, BenchError where the injector is dead."""
        fault = parse(fault) if isinstance(fault, str) else fault
        injector, masters, since = self.injector(), self._masters(), self._recorder.seq
        if masters != self._told:
            injector.keys(masters)
            self._told = masters
        fault_id = injector.arm(fault)
        event = self._recorder.wait_for(
            lambda e: isinstance(e, FaultArmed) and e.fault_id == fault_id, STRIKE_S, "the fault to be in the history",
            since=since,
        )
        assert isinstance(event, FaultArmed)
        return Armed(self, self._recorder, event, fault)

    def heal_one(self, fault_id: int) -> None:
        """That fault ends, if it has not ended."""
        if self._injector is not None:
            self._injector.heal(fault_id)

    def heal(self) -> None:
        """No fault armed, the cable plugged; an open contact in it is left to who opened it. Returns when what was
        diverted flows again."""
        if self._injector is not None:
            self._injector.heal()
        self.plug()

    def injector(self) -> Injector:
        """The running injector, started where it is not. Raises BenchError."""
        with self._starting:
            if self._injector is None:
                self._injector = self._start(self._take)
            return self._injector

    def check(self) -> None:
        """Raises BenchError when the injector died."""
        if self._injector is not None:
            self._injector.check()

    def close(self) -> None:
        """With the injector's process every fault ends."""
        if self._injector is not None:
            self._injector.close()

    def _take(self, event: FaultEvent) -> None:
        self._recorder.append(event)
        if isinstance(event, FaultHealed) and event.why == "died":
            self._on_death(f"a fault ended because the injector did, or its guardian; see {DEATH_LOG}")
