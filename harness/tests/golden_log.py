"""The lower half of the golden builder: a clock, and one method for each thing a bench can see.

Nothing here knows what a terminal should do; :mod:`harness.tests.golden` does. Times are seconds on the way in and
nanoseconds in the events. Every method returns the event (or events) it appended.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal, TypeVar, get_args

from harness.history.events import (
    ADAPTER,
    AnyEvent,
    BenchFailed,
    Cashier,
    ChipCommand,
    Counters,
    Event,
    FaultArmed,
    FaultHealed,
    FaultStruck,
    Heartbeat,
    HostArmed,
    HostChanged,
    HostJournal,
    HostLedger,
    Key,
    LedgerEntry,
    Measurement,
    OperationCompleted,
    OperationInvoked,
    Power,
    Screen,
    Service,
    Slip,
    TestClosed,
    TestOpened,
    TestPhase,
    UnitReplaced,
    WireBytes,
    WireConnection,
    WireFrame,
    WireLink,
)
from harness.terminal import cashier

E = TypeVar("E", bound=Event)
Direction = Literal["to_acquirer", "to_terminal"]
PowerReason = Literal["operator", "cut", "watchdog", "brown_out", "battery"]
SECOND = 1_000_000_000


class Log:
    """An append-only list of events with a clock of its own (starts at 1000 s)."""

    def __init__(self) -> None:
        self.events: list[AnyEvent] = []
        self.t = 1000 * SECOND
        self.span: str | None = None
        self._count: dict[str, int] = {}

    # -- the clock and the list ------------------------------------------------------------------------------------

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.t += round(seconds * SECOND)

    def append(self, event: E, after: float = 0.005) -> E:
        """Let ``after`` seconds pass and append ``event``; its seq, t and span are filled here."""
        self.wait(after)
        filled = event.model_copy(update={"seq": len(self.events) + 1, "t": self.t, "span": self.span})
        self.events.append(filled)  # type: ignore[arg-type]
        return filled

    def next(self, what: str) -> int:
        """A running number per ``what``: 1, 2, 3..."""
        self._count[what] = self._count.get(what, 0) + 1
        return self._count[what]

    def checked(self) -> list[AnyEvent]:
        """The events, each validated against the schema by a trip through JSON."""
        return [ADAPTER.validate_json(ADAPTER.dump_json(event)) for event in self.events]

    # -- tests and operations --------------------------------------------------------------------------------------

    @contextmanager
    def test(self, name: str, declares: Sequence[str] = ()) -> Iterator[None]:
        """Everything inside belongs to the test ``name``."""
        self.span = name
        self.append(TestOpened(t=0, test=name, title=name, declares=list(declares)))
        self.append(TestPhase(t=0, phase="body"))
        began = self.t
        yield
        took = (self.t - began) / SECOND
        self.append(TestClosed(t=0, test=name, outcome="passed", duration_s=took, waiting_s=took))
        self.span = None

    def invoke(
        self, name: str, via: Literal["keypad", "cashier", "service", "operator"] = "keypad", **args: str
    ) -> OperationInvoked:
        return self.append(OperationInvoked(t=0, op=self.next("op"), name=name, via=via, args=args), after=0.5)

    def complete(
        self,
        operation: OperationInvoked,
        outcome: Literal["ok", "fail", "unknown"],
        code: str | None = None,
        detail: str = "",
    ) -> OperationCompleted:
        return self.append(OperationCompleted(t=0, op=operation.op, outcome=outcome, code=code, detail=detail))

    def chip(self, number: int, asked: str, gave: str = "") -> ChipCommand:
        """A GENERATE AC; the card gives what it is asked for unless told otherwise."""
        return self.append(
            ChipCommand(t=0, command="generate_ac", number=number, asked=asked, gave=gave or asked), after=0.1
        )

    # -- wire and host ---------------------------------------------------------------------------------------------

    def connection(
        self,
        stream: int,
        state: Literal["opening", "open", "refused", "closed", "reset"],
        by: Literal["terminal", "acquirer"] | None = None,
        peer: str = "",
    ) -> WireConnection:
        event = WireConnection(t=0, stream=stream, state=state, by=by, packet=self.next("packet"), peer=peer)
        return self.append(event, 0.001)

    def frame(self, stream: int, direction: Direction, raw: bytes) -> WireFrame:
        """A whole frame passes the tap."""
        event = WireFrame(
            t=0, frame=self.next("frame"), stream=stream, direction=direction, hex=raw.hex().upper(),
            packets=[self.next("packet")], t_first=self.t,
        )  # fmt: skip
        return self.append(event, 0.002)

    def journal(
        self,
        connection: int,
        direction: Literal["in", "out", "withheld"],
        raw: bytes,
        note: str = "",
        rule_id: int | None = None,
    ) -> HostJournal:
        event = HostJournal(
            t=0, jid=self.next("jid"), connection=connection, direction=direction, hex=raw.hex().upper(),
            note=note, rule_id=rule_id,
        )  # fmt: skip
        return self.append(event, 0.002)

    def bytes_on(self, stream: int, direction: Direction, raw: bytes, reason: str) -> WireBytes:
        return self.append(WireBytes(t=0, stream=stream, direction=direction, hex=raw.hex().upper(), reason=reason))

    def link(self, state: Literal["up", "down"]) -> WireLink:
        return self.append(WireLink(t=0, state=state))

    # -- faults of the wire ----------------------------------------------------------------------------------------

    def fault_armed(self, fault: str, **parameters: Any) -> FaultArmed:
        return self.append(FaultArmed(t=0, fault_id=self.next("fault"), fault={"fault": fault, **parameters}))

    def fault_struck(
        self, fault_id: int, what: str, direction: Direction | None = None, message: bytes = b"",
        delivered: bytes = b"",
    ) -> FaultStruck:  # fmt: skip
        event = FaultStruck(
            t=0, fault_id=fault_id, match=self.next(f"match of {fault_id}"), what=what, direction=direction,
            message=message.hex().upper(), delivered=delivered.hex().upper(), packets=[self.next("packet of a fault")],
        )  # fmt: skip
        return self.append(event, 0.001)

    def fault_healed(self, fault_id: int, why: Literal["used_up", "over", "asked", "died"] = "asked") -> FaultHealed:
        return self.append(FaultHealed(t=0, fault_id=fault_id, why=why), 0.001)

    def changed(self, change: str, mid: str, tid: str = "", **detail: str) -> HostChanged:
        if change not in get_args(HostChanged.model_fields["change"].annotation):
            raise ValueError(f"no such change: {change}")
        return self.append(HostChanged(t=0, change=change, mid=mid, tid=tid, detail=detail))  # type: ignore[arg-type]

    def armed(self, **rule: Any) -> HostArmed:
        return self.append(HostArmed(t=0, rule_id=self.next("rule"), rule=rule))

    def books(self, mid: str, tid: str, entries: Sequence[LedgerEntry]) -> HostLedger:
        return self.append(HostLedger(t=0, mid=mid, tid=tid, entries=list(entries)))

    # -- what instruments see --------------------------------------------------------------------------------------

    def screen(self, *lines: str, unreadable: int = 0, after: float = 0.05) -> Screen:
        image = f"screens/{self.next('screen'):05d}.png"
        return self.append(Screen(t=0, image=image, lines=list(lines), unreadable=unreadable), after)

    def slip(self, *lines: str, unreadable: int = 0) -> Slip:
        image = f"slips/{self.next('slip'):05d}.png"
        return self.append(Slip(t=0, image=image, lines=list(lines), unreadable=unreadable), 0.1)

    def till(self, direction: Literal["to_terminal", "from_terminal"], fields: dict[str, str]) -> Cashier:
        """A message on the cashier link, byte-true."""
        raw = cashier.encode(fields).hex().upper()
        return self.append(Cashier(t=0, direction=direction, hex=raw, fields=fields), 0.03)

    def power(self, state: Literal["on", "off"], reason: PowerReason = "operator") -> Power:
        return self.append(Power(t=0, state=state, reason=reason), 0.2)

    def service(self, direction: Literal["to_terminal", "from_terminal"], text: str) -> Service:
        return self.append(Service(t=0, direction=direction, text=text))

    def counters(self, **values: str) -> Counters:
        return self.append(Counters(t=0, values=values))

    def key(self, mid: str, tid: str, value: str) -> Key:
        return self.append(Key(t=0, mid=mid, tid=tid, value=value))

    def replaced(self, serial: str, why: str = "") -> UnitReplaced:
        return self.append(UnitReplaced(t=0, serial=serial, why=why))

    def measured(
        self, name: str, value: float, unit: str = "s", low: float | None = None, high: float | None = None
    ) -> Measurement:
        return self.append(Measurement(t=0, name=name, value=value, unit=unit, low=low, high=high))

    def heartbeat(self, lag_ms: float) -> Heartbeat:
        return self.append(Heartbeat(t=0, lag_ms=lag_ms))

    def bench_failed(self, what: str) -> BenchFailed:
        return self.append(BenchFailed(t=0, what=what))
