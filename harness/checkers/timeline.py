"""The parts of the timeline that last: operations, link, power, registration, the bench's own lag.

Times are nanoseconds of CLOCK_MONOTONIC. An interval is half open: ``[start, end)``; ``END`` is after everything.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.history.events import (
    FaultHealed,
    FaultStruck,
    Heartbeat,
    HostChanged,
    OperationCompleted,
    OperationInvoked,
    Power,
    WireLink,
)

END = 2**63 - 1
SECOND = 1_000_000_000
LOOKUP_S = 3  # real seconds: so long a neighbour that was asked for over a wire that was hurt may be given up on
SILENT_NS = 5 * SECOND // 2  # a heartbeat is due every second
ACCOMPANYING = frozenset({"present_card"})  # done within another operation, not beside it


@dataclass(frozen=True)
class Operation:
    """Something done to the terminal. ``completed`` is None where the log ends (or the runner died) before.

    ``done`` is when it completed (``until`` where it did not). ``until`` is when the next operation was invoked that
    does not belong to this one: up to there what the terminal shows can be this operation's result.
    """

    invoked: OperationInvoked
    completed: OperationCompleted | None
    done: int
    until: int
    within: int | None  # op of the operation that this one belongs to (a card presented during a sale)

    @property
    def op(self) -> int:
        return self.invoked.op

    @property
    def name(self) -> str:
        return self.invoked.name

    @property
    def t(self) -> int:
        return self.invoked.t

    @property
    def outcome(self) -> Literal["ok", "fail", "unknown"]:
        return self.completed.outcome if self.completed else "unknown"

    @property
    def code(self) -> str | None:
        return self.completed.code if self.completed else None

    @property
    def at_the_terminal(self) -> bool:
        """Somebody stood at the terminal's keys (not the service port, not the till)."""
        return self.invoked.via in ("keypad", "operator") and self.name not in ACCOMPANYING

    def covers(self, t: int) -> bool:
        """``t`` lies between invocation and completion."""
        return self.t <= t <= self.done


def operations_of(
    invocations: Sequence[OperationInvoked], completions: Iterable[OperationCompleted]
) -> tuple[Operation, ...]:
    """Pairs by ``op``. An operation invoked and completed while another is under way belongs to that one."""
    completed = {event.op: event for event in completions}
    found: list[Operation] = []
    open_ones: list[tuple[OperationInvoked, OperationCompleted | None]] = []
    parents: dict[int, int | None] = {}
    for invoked in invocations:
        end = completed.get(invoked.op)
        open_ones = [(i, c) for i, c in open_ones if c is None or (c.t, c.seq) > (invoked.t, invoked.seq)]
        parent: int | None = None
        for outer, outer_end in reversed(open_ones):
            inside = end is not None and outer_end is not None and (end.t, end.seq) <= (outer_end.t, outer_end.seq)
            if inside or invoked.name in ACCOMPANYING:
                parent = outer.op
                break
        parents[invoked.op] = parent
        open_ones.append((invoked, end))
    outermost = [(i.t, i.seq) for i in invocations if parents[i.op] is None]
    for invoked in invocations:
        end = completed.get(invoked.op)
        over = (invoked.t, invoked.seq + 1) if end is None else max((invoked.t, invoked.seq + 1), (end.t, end.seq))
        following = bisect.bisect_left(outermost, over)
        until = outermost[following][0] if following < len(outermost) else END
        found.append(Operation(invoked, end, end.t if end else until, until, parents[invoked.op]))
    return tuple(found)


@dataclass(frozen=True)
class Span:
    """A state from ``start`` to ``end`` (ns), and the events that began and ended it, where there are such."""

    start: int
    end: int
    began: Power | WireLink | FaultStruck | None
    ended: Power | WireLink | FaultHealed | None


def spans_of(events: Sequence[Power] | Sequence[WireLink], state: str) -> tuple[Span, ...]:
    """The times during which ``state`` held ("off", "down"). Before the first event the other state held."""
    found: list[Span] = []
    began: Power | WireLink | None = None
    for event in events:
        if event.state == state:
            began = began or event
        elif began is not None:
            found.append(Span(began.t, event.t, began, event))
            began = None
    if began is not None:
        found.append(Span(began.t, END, began, None))
    return tuple(found)


def spans_of_faults(struck: Iterable[FaultStruck], healed: Iterable[FaultHealed]) -> tuple[Span, ...]:
    """For each fault that struck at all, from its first strike until it was healed."""
    ends = {event.fault_id: event for event in healed}
    first: dict[int, FaultStruck] = {}
    for strike in struck:
        if strike.done:
            first.setdefault(strike.fault_id, strike)
    return tuple(
        Span(strike.t, max(end.t, strike.t) if end else END, strike, end)
        for number, strike in first.items() for end in [ends.get(number)]
    )  # fmt: skip


def span_at(spans: Sequence[Span], t: int) -> Span | None:
    """The span that holds ``t``."""
    if not spans:
        return None
    index = bisect.bisect_right(spans, t, key=lambda span: span.start) - 1
    return spans[index] if index >= 0 and t < spans[index].end else None


def spans_within(spans: Sequence[Span], start: int, end: int) -> list[Span]:
    """The spans that touch ``[start, end)``."""
    return [span for span in spans if span.start < end and start < span.end]


def lag_ms(heartbeats: Sequence[Heartbeat], start: int, end: int, seen: int) -> float:
    """The worst lag (ms) of the bench over ``[start, end]``: a tick that came late tells of the time before it.

    Ticks are told of about once a second. Where they stay away although the log goes on (``seen``: its last event), the
    silence counts as lag. 0.0 in a log without any tick.
    """
    if not heartbeats:
        return 0.0
    silence = _silence_ns(heartbeats, end, seen)
    index = bisect.bisect_left(heartbeats, start, key=lambda beat: beat.t)
    worst = silence / 1_000_000 if silence > SILENT_NS else 0.0
    for beat in heartbeats[index:]:
        if beat.t - int(beat.lag_ms * 1_000_000) > end:
            if beat.t > end + 60 * SECOND:  # no lag reaches back that far without having been counted
                break
            continue
        worst = max(worst, beat.lag_ms)
    return worst


def _silence_ns(heartbeats: Sequence[Heartbeat], end: int, seen: int) -> int:
    """How long around ``end`` no tick came and no late one tells why. 0 before the first tick."""
    following = bisect.bisect_right(heartbeats, end, key=lambda beat: beat.t)
    if not following:
        return 0
    last = heartbeats[following - 1].t
    if following == len(heartbeats):
        return seen - last
    late = heartbeats[following]
    return late.t - int(late.lag_ms * 1_000_000) - last


Registration = Literal["registered", "removed", "suspended", "merchant_missing", "merchant_suspended"]


class RegistrationTimeline:
    """What the back office holds of one (mid, tid), from ``host.changed`` events."""

    _MERCHANT = {
        "merchant_registered": "registered", "merchant_restored": "registered",
        "merchant_removed": "merchant_missing", "merchant_suspended": "merchant_suspended",
    }
    _TERMINAL = {
        "terminal_registered": "registered", "terminal_restored": "registered", "terminal_suspended": "suspended",
        "terminal_removed": "removed", "terminal_pending": "removed", "terminal_rejected": "removed",
        "activation_offered": "removed", "unit_swapped": "removed",
    }

    def __init__(self, changes: Iterable[HostChanged]) -> None:
        self._changes: list[HostChanged] = sorted(changes, key=lambda e: (e.t, e.seq))
        self._known: dict[tuple[str, str], list[HostChanged]] = {}

    def changes(self, mid: str, tid: str) -> list[HostChanged]:
        """What was changed of this terminal or its merchant, in order."""
        if (mid, tid) not in self._known:
            self._known[mid, tid] = [e for e in self._changes if e.mid == mid and e.tid in (tid, "")]
        return self._known[mid, tid]

    def at(self, t: int, mid: str, tid: str) -> tuple[Registration | None, HostChanged | None]:
        """The state at ``t`` and the event it rests on; (None, None) where nothing in the log tells it."""
        merchant: tuple[str, HostChanged] | None = None
        terminal: tuple[str, HostChanged] | None = None
        for event in self.changes(mid, tid):
            if event.t > t:
                break
            if event.change in self._MERCHANT:
                merchant = (self._MERCHANT[event.change], event)
            elif event.change in self._TERMINAL and event.tid == tid:
                terminal = (self._TERMINAL[event.change], event)
        deciding = merchant if merchant and merchant[0] != "registered" else terminal
        return deciding if deciding else (None, None)  # type: ignore[return-value]

    def throughout(self, start: int, end: int, mid: str, tid: str) -> tuple[Registration | None, HostChanged | None]:
        """As :meth:`at`, of a state that nobody changed from ``start`` to ``end``: what was sent at the one and
        answered at the other was decided in it. (None, None) where somebody did."""
        states = self._MERCHANT.keys() | self._TERMINAL.keys()
        changed = any(start < e.t <= end and e.change in states for e in self.changes(mid, tid))
        return (None, None) if changed else self.at(start, mid, tid)
