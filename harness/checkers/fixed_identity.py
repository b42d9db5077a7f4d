"""STA-07: identity is fixed while something is stored."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness.checkers import shown
from harness.checkers.batches import periods
from harness.checkers.finding import Finding, checker
from harness.checkers.identities import several
from harness.checkers.money_offline import stored
from harness.checkers.reading import Operation, Reading
from harness.history.events import Event, Service, UnitReplaced

SETTLE_FIRST = ("先结算", "未结算", "请结算", "有交易")  # how Chinese terminals word it on the screen


@checker("STA-07")
def identity_is_fixed(reading: Reading) -> Iterator[Finding]:
    """Occasion: somebody tries to set another TID or MID while the batch holds transactions."""
    for operation in reading.operations:
        if operation.name != "set_identity" or reading.power_lost_within(operation.t, operation.done + 1):
            continue
        held = _stored(reading, operation.t) or _stored_offline(reading, operation.t)
        if held is None:
            continue
        wanted = {name: operation.invoked.args.get(name) for name in ("tid", "mid")}
        present = {"tid": held.tid, "mid": held.mid}
        if any(value and value != present[name] for name, value in wanted.items()):
            yield _refused(reading, operation, held)


@dataclass(frozen=True)
class _Held:
    """What is stored: its name, whose it is, and the events that show it."""

    name: str
    mid: str
    tid: str
    events: tuple[Event, ...]


def _stored_offline(reading: Reading, t: int) -> _Held | None:
    """Accepted offline, and not delivered by ``t``; by the identity that the terminal last called itself."""
    last = next((e for e in reversed(reading.exchanges_between(0, t))), None)
    for item in reversed(stored(reading)):
        delivered = item.delivered(reading)
        if not item.made or item.t >= t or (delivered is not None and delivered.t < t):
            continue
        if last is not None and reading.unit_at(item.t) == reading.unit_at(t):
            return _Held(f"{item.kind} {item.trace}", last.mid, last.tid, item.made)
    return None


def _stored(reading: Reading, t: int) -> _Held | None:
    """The last approved transaction in a batch that is open at ``t``."""
    booked = [
        e for period in periods(reading) for e in period.approved(t)
        if period.closed is None or (period.closed.answered_at or period.closed.t) > t
    ]  # fmt: skip
    last = max(booked, key=lambda e: e.t, default=None)
    if last is None or reading.between(UnitReplaced, last.t, t):
        return None
    return _Held(last.name, last.mid, last.tid, last.events)


def _refused(reading: Reading, operation: Operation, held: _Held) -> Finding:
    rule, what = "STA-07", f"another identity was set while {held.name} is in the batch"
    evidence = (*held.events, operation.invoked, operation.completed)
    following = reading.exchange_after(operation.done)
    if several(reading):  # the other merchant's requests say nothing about this one's identity
        mine = (e for e in reading.exchanges_from(operation.done) if (e.mid, e.tid) == (held.mid, held.tid))
        following = next(mine, None)
    if following and (following.tid, following.mid) != (held.tid, held.mid):
        now = f"TID {following.tid}, MID {following.mid}"
        reason = f"{what}: from then on the terminal was {now}"
        return Finding.failed(rule, reason, (*evidence, following.request), at=operation.invoked)
    if operation.outcome == "ok":
        return Finding.failed(rule, f"{what}: the terminal said it was done", evidence, at=operation.invoked)
    if operation.completed is None or operation.outcome == "unknown":
        return Finding.undecided(rule, f"{what}: how it ended was not seen", evidence, at=operation.invoked)
    reason_event = _reason(reading, operation)
    if reason_event is None:
        screens = reading.screens_between(operation.t, operation.done + 1)
        if operation.invoked.via != "service" and (not screens or any(s.unreadable for s in screens)):
            return Finding.undecided(rule, f"{what}: refused; its reason was not seen", (*evidence, *screens))
        return Finding.failed(rule, f"{what}: refused, but no reason was named", (*evidence, *screens))
    if following is None:
        return Finding.undecided(rule, f"{what}: refused; nothing was sent afterwards", (*evidence, reason_event))
    reason = f"{what}: refused, with its reason, and {following.name} still has the old identity"
    return Finding.passed(rule, reason, (*evidence, reason_event, following.request), at=operation.invoked)


def _reason(reading: Reading, operation: Operation) -> Event | None:
    """Where the refusal names its reason: ``ERR nn words`` on the service port, or the screen says to settle first."""
    for line in reading.between(Service, operation.t, operation.done + 1):
        words = line.text.split(maxsplit=2)
        if line.direction == "from_terminal" and words[:1] == ["ERR"] and len(words) == 3:
            return line
    screens = reading.screens_between(operation.t, operation.done + 1)
    return next((s for s in screens if shown.contains_any(s.lines, SETTLE_FIRST)), None)
