"""What all checkers share, computed once from the events of a bench: the whole log or a part of it.

``Reading.of(events)`` wants a ``run.opened`` event among them (profile and model are in it); everything else is
computed when it is first asked for. The parts:

* ``harness.checkers.observed``   the events by kind and time
* ``harness.checkers.exchanges``  requests, what answered them, definite 97
* ``harness.checkers.keyring``    working keys, MAC results
* ``harness.checkers.attribution`` which operation a request belongs to, if any
* ``harness.checkers.timeline``   operations, link, power, registration, heartbeat
* ``harness.checkers.shown``      texts and codes on screens and slips
"""

from __future__ import annotations

import bisect
import dataclasses
import itertools
from collections.abc import Iterator
from functools import cached_property

from harness.checkers import attribution, timeline
from harness.checkers import exchanges as _exchanges
from harness.checkers.exchanges import Connection, Exchange
from harness.checkers.keyring import Keyring
from harness.checkers.observed import Observed
from harness.checkers.shown import contains_any
from harness.checkers.tables import FINANCIAL_OPERATIONS, ONLINE_OPERATIONS
from harness.checkers.timeline import END, SECOND, Operation, RegistrationTimeline, Span
from harness.history.events import (
    Cashier,
    FaultHealed,
    FaultStruck,
    Heartbeat,
    HostJournal,
    Key,
    OperationCompleted,
    OperationInvoked,
    Power,
    RunClosed,
    Screen,
    UnitReplaced,
    WireConnection,
    WireFrame,
    WireLink,
)

NO_ANSWER = "Z2"  # at the till
TIMED_OUT = ("超时", "无应答")  # how Chinese terminals word it on the screen
ABOUT_TIME_OUT = (0.9, 1.5)  # of the receive time-out: between these an answer may cross the terminal's giving up
__all__ = [
    "END", "FINANCIAL_OPERATIONS", "ONLINE_OPERATIONS", "SECOND", "Connection", "Exchange", "Operation", "Reading",
]  # fmt: skip


class Reading(Observed):
    """A history, read. Immutable; properties are computed once. Times are ns, intervals half open ``[start, end)``."""

    # ---- wire

    @cached_property
    def connections(self) -> tuple[Connection, ...]:
        return _exchanges.connections_of(self.all(WireFrame), self.all(WireConnection))

    def connections_between(self, start: int, end: int) -> tuple[Connection, ...]:
        """Connections begun in the interval."""
        low = bisect.bisect_left(self.connections, start, key=lambda c: c.t)
        return self.connections[low : bisect.bisect_left(self.connections, end, key=lambda c: c.t)]

    def connections_during(self, start: int, end: int) -> tuple[Connection, ...]:
        """Connections in use at some time in the interval, those begun before it too."""
        low = bisect.bisect_left(self._connections_over, start)
        high = bisect.bisect_left(self.connections, end, key=lambda c: c.t)
        return tuple(c for c in self.connections[low:high] if c.last >= start)

    @cached_property
    def _connections_over(self) -> list[int]:
        """For each connection when it and all that began before it were last in use."""
        return list(itertools.accumulate((c.last for c in self.connections), max))

    @cached_property
    def keyring(self) -> Keyring:
        return Keyring(self._bare_exchanges, self.all(Key), self.profile)

    @cached_property
    def _on_the_wire(self) -> list[Exchange]:
        return _exchanges.exchanges_of(self.connections, self.link_down, self.power_off)

    @cached_property
    def _bare_exchanges(self) -> list[Exchange]:
        found = (dataclasses.replace(e, late=late) if late != e.late else e for e, late in self._lateness())
        return [e if self._read_on(e) else _without_answer(e) for e in found]

    def _lateness(self) -> Iterator[tuple[Exchange, bool]]:
        """Whether each response was late, as the wire and what the terminal told its user say together."""
        for e in self._on_the_wire:
            late = e.late or self.told_before_answer(e) is not None
            if late and e.response and not _exchanges.let_go_before(e.connection, e.response):
                operation = self.attended_by(e)
                taken = operation is not None and (
                    operation.outcome == "ok" or (operation.code is not None and operation.code == e.code)
                )
                late = not taken  # it told what the response says: then its RST was no refusal
            yield e, late

    def _read_on(self, e: Exchange) -> bool:
        """Where something that is no answer came before the answer, a terminal may take that for all that comes, or
        read on. It read on unless what it told, or that it sent its reversal once more, says otherwise."""
        response = e.response
        if response is None or not any((s.t, s.seq) < (response.t, response.seq) for s in e.strays):
            return True
        operation = self.attended_by(e)
        if operation is not None and operation.completed is not None:
            return operation.outcome == "ok" or (operation.code is not None and operation.code == e.code)
        again = (o for o in self._on_the_wire if o.mti == "0400" == e.mti and o.t > e.t)
        return not any((o.mid, o.tid, o.batch, o.trace) == (e.mid, e.tid, e.batch, e.trace) for o in again)

    def told_before_answer(self, exchange: Exchange) -> OperationCompleted | Screen | Cashier | None:
        """What told the user that it failed (or, for want of an answer) before the response came.

        On the wire this can't be seen where the connection stays open, or where the cable is out: there its result
        screen, or its word to the till, tells it before the operation is over. Nor where its FIN and the response
        crossed (:meth:`_told_of_crossing`).
        """
        operation, response = self.attended_by(exchange), exchange.response
        if operation is None or response is None:
            return None
        told = operation.completed
        if told and told.outcome == "fail" and told.t < response.t:
            return told
        if self.link_lost_within(exchange.t, response.t) is None:  # its FIN would have been seen
            return self._told_of_crossing(exchange, operation, response)
        for screen in self.between(Screen, exchange.t, response.t):
            if contains_any(screen.lines, TIMED_OUT):
                return screen
        messages = self.cashier_between(exchange.t, response.t)
        return next((m for m in messages if m.fields.get("DF07") == NO_ANSWER), None)

    def _told_of_crossing(
        self, exchange: Exchange, operation: Operation, response: WireFrame
    ) -> OperationCompleted | Screen | Cashier | None:
        """What told the user that no answer came, where the response passed the tap as the terminal's time was over.

        Its FIN or RST follows at once, nothing more was sent for the operation, and it ended for want of an answer.
        """
        waited = self.terminal_seconds(exchange.t, response.t) / self.profile.receive_timeout_s
        if not ABOUT_TIME_OUT[0] <= waited <= ABOUT_TIME_OUT[1]:
            return None  # whatever it says: it was not giving up just then
        if _exchanges.let_go_at(exchange.connection, response) is None:
            return None
        following = self.between(WireFrame, response.t + 1, operation.done + 1)
        if any(f.direction == "to_acquirer" for f in following):
            return None
        if self.connections_between(response.t + 1, operation.done + 1):
            return None
        told = operation.completed
        if told and told.code == NO_ANSWER:
            return told
        since = response.t - _exchanges.CROSSING_NS
        for message in self.cashier_between(since, operation.done + 1):
            if message.fields.get("DF07") == NO_ANSWER:
                return message
        screens = self.between(Screen, since, operation.done + 1)
        return next((s for s in screens if contains_any(s.lines, TIMED_OUT)), None)

    @cached_property
    def exchanges(self) -> tuple[Exchange, ...]:
        """All requests of the terminal in order, MACs judged, ``outcome`` and ``definite_97`` decided."""
        return tuple(self.keyring.judged(e) for e in self._bare_exchanges)

    @cached_property
    def definite_97s(self) -> tuple[Exchange, ...]:
        return tuple(e for e in self.exchanges if e.definite_97)

    @cached_property
    def _sent_at(self) -> list[int]:
        return [e.t for e in self.exchanges]

    def exchanges_between(self, start: int, end: int) -> tuple[Exchange, ...]:
        """Exchanges whose request was sent in the interval."""
        return self.exchanges[bisect.bisect_left(self._sent_at, start) : bisect.bisect_left(self._sent_at, end)]

    def exchanges_from(self, t: int) -> Iterator[Exchange]:
        """Exchanges whose request was sent at or after ``t``."""
        return itertools.islice(self.exchanges, bisect.bisect_left(self._sent_at, t), None)

    @cached_property
    def financial(self) -> tuple[Exchange, ...]:
        """New financial requests, in order."""
        return tuple(e for e in self.exchanges if e.financial)

    def financial_between(self, start: int, end: int) -> tuple[Exchange, ...]:
        """New financial requests sent in the interval."""
        low = bisect.bisect_left(self.financial, start, key=lambda e: e.t)
        return self.financial[low : bisect.bisect_left(self.financial, end, key=lambda e: e.t)]

    def exchanges_of(self, operation: Operation) -> tuple[Exchange, ...]:
        """What the terminal sent for the operation (``harness.checkers.attribution``)."""
        during = self.exchanges_between(operation.t, operation.done + 1)
        return tuple(e for e in during if (by := self.attended_by(e)) is not None and by.op == operation.op)

    def exchange_after(self, t: int) -> Exchange | None:
        """The first exchange whose request was sent after ``t``."""
        index = bisect.bisect_right(self._sent_at, t)
        return self.exchanges[index] if index < len(self.exchanges) else None

    @cached_property
    def approved_sign_ins(self) -> tuple[Exchange, ...]:
        """Sign-ins that the host approved, and whose answer the terminal got."""
        return tuple(e for e in self.exchanges if e.is_sign_in(self.profile) and e.approved(self.profile))

    @cached_property
    def unattended(self) -> tuple[Exchange, ...]:
        """Exchanges that no operation explains: the terminal's own."""
        return tuple(e for e in self.exchanges if self.attended_by(e) is None)

    @cached_property
    def _attended(self) -> dict[int, Operation]:
        return attribution.attended(self, self._on_the_wire, self.profile)

    def attended_by(self, exchange: Exchange) -> Operation | None:
        """The operation at the terminal or the till that the request belongs to; None: nobody asked for it."""
        return self._attended.get(exchange.request.seq)

    def journal_of(self, frame: WireFrame) -> HostJournal | None:
        """The acquirer's own record of a frame: same bytes, the nearest in time."""
        same = self._journal_by_hex.get(frame.hex, [])
        return min(same, key=lambda e: abs(e.t - frame.t), default=None)

    @cached_property
    def _journal_by_hex(self) -> dict[str, list[HostJournal]]:
        found: dict[str, list[HostJournal]] = {}
        for event in self.journal:
            found.setdefault(event.hex, []).append(event)
        return found

    # ---- operations

    @cached_property
    def operations(self) -> tuple[Operation, ...]:
        """All operations in order of invocation, also those within another (``within``)."""
        return timeline.operations_of(self.all(OperationInvoked), self.all(OperationCompleted))

    @cached_property
    def outermost(self) -> tuple[Operation, ...]:
        """Operations that belong to no other, in order of invocation."""
        return tuple(o for o in self.operations if o.within is None)

    @cached_property
    def _invoked_at(self) -> list[int]:
        return [o.t for o in self.outermost]

    @cached_property
    def _all_done(self) -> list[int]:
        """For each outermost operation when it and all before it were done."""
        return list(itertools.accumulate((o.done for o in self.outermost), max))

    def operation_at(self, t: int) -> Operation | None:
        """The outermost operation under way at ``t``; of several the one invoked last."""
        index = bisect.bisect_right(self._invoked_at, t) - 1
        while index >= 0 and self._all_done[index] >= t:
            if self.outermost[index].covers(t):
                return self.outermost[index]
            index -= 1
        return None

    def done_before(self, operation: Operation) -> int:
        """When (ns) all outermost operations invoked before this one were done; 0 before the first."""
        index = bisect.bisect_left(self._invoked_at, operation.t)
        return min(self._all_done[index - 1], operation.t) if index else 0

    def operation_before(self, t: int) -> Operation | None:
        """The last outermost operation invoked at or before ``t``, completed or not."""
        index = bisect.bisect_right(self._invoked_at, t)
        return self.outermost[index - 1] if index else None

    def operations_after(self, t: int) -> Iterator[Operation]:
        """Outermost operations invoked after ``t``."""
        first = bisect.bisect_right(self._invoked_at, t)
        return itertools.islice(self.outermost, first, None)

    @cached_property
    def invoked_by_name(self) -> dict[str, list[int]]:
        """When operations of each name were invoked (ns, ascending)."""
        found: dict[str, list[int]] = {}
        for invoked in self.all(OperationInvoked):
            found.setdefault(invoked.name, []).append(invoked.t)
        return found

    # ---- surroundings

    @cached_property
    def link_down(self) -> tuple[Span, ...]:
        return timeline.spans_of(self.all(WireLink), "down")

    @cached_property
    def power_off(self) -> tuple[Span, ...]:
        return timeline.spans_of(self.powers, "off")

    def link_is_down(self, t: int) -> Span | None:
        return timeline.span_at(self.link_down, t)

    def is_off(self, t: int) -> Span | None:
        return timeline.span_at(self.power_off, t)

    def power_lost_within(self, start: int, end: int) -> Power | None:
        """The first loss of power (off, or the watchdog's) in the interval."""
        return next((e for e in self.between(Power, start, end) if e.state == "off" or e.reason == "watchdog"), None)

    def link_lost_within(self, start: int, end: int) -> Span | None:
        """The first time the link was down that touches the interval."""
        return next(iter(timeline.spans_within(self.link_down, start, end)), None)

    @cached_property
    def faults(self) -> tuple[timeline.Span, ...]:
        """Faults of the wire, each from its first strike until it was healed, by their beginning."""
        return timeline.spans_of_faults(self.all(FaultStruck), self.all(FaultHealed))

    def wire_hurt_within(self, start: int, end: int) -> Span | None:
        """The cable was out, or a fault of the wire at work, at some time in the interval: what was not sent, or not
        answered, need not be the terminal's doing."""
        down = self.link_lost_within(start, end)
        index = bisect.bisect_left(self.faults, end, key=lambda span: span.start) - 1
        while down is None and index >= 0 and self._faults_over[index] >= start:
            if self.faults[index].end >= start:
                return self.faults[index]
            index -= 1
        return down

    @cached_property
    def _faults_over(self) -> list[int]:
        """For each fault when it and all that began before it were healed."""
        return list(itertools.accumulate((span.end for span in self.faults), max))

    @cached_property
    def registration(self) -> RegistrationTimeline:
        return RegistrationTimeline(self.host_changes)

    def unit_at(self, t: int) -> UnitReplaced | None:
        """The replacement that put the present memory on the bench; None for the first unit."""
        return next((unit for unit in reversed(self.fresh_units) if unit.t <= t), None)

    def fresh_unit_after(self, t: int) -> UnitReplaced | None:
        """The first replacement after ``t`` that brought another memory."""
        return next((unit for unit in self.fresh_units if unit.t > t), None)

    @cached_property
    def fresh_units(self) -> tuple[UnitReplaced, ...]:
        """The replacements with which what was stored went. A unit into which a backup is restored, and one that stood
        there before and is put back, go on with it."""
        units, found = self.all(UnitReplaced), []
        restored = [o.t for o in self.operations if o.name == "restore" and o.outcome == "ok"]
        for unit, following in itertools.zip_longest(units, units[1:]):
            end = following.t if following else self.end + 1
            if not unit.kept and not any(unit.t < t < end for t in restored):
                found.append(unit)
        return tuple(found)

    def lag_ms(self, start: int, end: int) -> float:
        """The bench's worst lag (ms) in the interval."""
        return timeline.lag_ms(self.all(Heartbeat), start, end, self._seen)

    @cached_property
    def _seen(self) -> int:
        """The moment of the last event but the log's closing, before which the heartbeat is stopped."""
        return next((e.t for e in reversed(self.events) if not isinstance(e, RunClosed)), self.end)

    def timing_reliable(self, start: int, end: int) -> bool:
        """The bench's own clock tick came in time: what is late in the interval is the terminal's."""
        return self.lag_ms(start, end) <= self.profile.limits.heartbeat_lag_ms


def _without_answer(e: Exchange) -> Exchange:
    """The same where the answer was left unread: one more frame that answers nothing."""
    strays = (*e.strays, e.response) if e.response else e.strays
    return dataclasses.replace(e, response=None, answer=None, strays=strays, late=False, lost="")
