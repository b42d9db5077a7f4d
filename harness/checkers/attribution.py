"""Which requests somebody asked for: an exchange belongs to the operation that explains it, or it is unattended.

A terminal works by itself too: it signs in after power-on, delivers a reversal, obeys the host. Such a request may fall
into an operation of another kind, or into one that was refused without a request; it is unattended all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from harness.checkers.exchanges import Exchange
from harness.checkers.shown import contains_any
from harness.checkers.tables import DOWNLOADS, KINDS, OWN, UNKNOWN
from harness.checkers.timeline import Operation
from harness.history.events import Screen
from harness.protocol.profile import Profile

REVERSAL = "0400"
# MTIs that a transaction sends itself, or that must leave before it.
_MONEY = frozenset({"0100", "0200", "0220", "0620", REVERSAL})
_SETTLING = frozenset({"0220", "0320", "0500", "0620", REVERSAL})
SENT_AGAIN = frozenset({REVERSAL, "0220", "0320", "0620"})  # may be repeated in one operation whatever was answered
ONCE = frozenset({"settlement", "echo", "sign_off", "status_upload"})  # asked once: another trace makes it no other
_BY_SERVICE = frozenset({"activate"})  # an order on the service port that sends a request
SENDS = 4  # of one request in one operation: the first, and three repeats
REFUSED_BY_ITSELF = frozenset({"Z4", "Z5", "Z6", "Z7", "Z8"})  # at the till: nothing was sent for it
DO_FIRST = ("先签到", "先结算")  # how Chinese terminals word such a refusal on the screen


class _History(Protocol):
    """The part of a Reading that attribution needs."""

    def operation_at(self, t: int) -> Operation | None: ...
    def screens_between(self, start: int, end: int) -> Sequence[Screen]: ...


def explains(operation: str, exchange: Exchange, profile: Profile) -> bool:
    """An operation of this name sends such a request, or it must leave before it. A kind of message that is not known
    belongs to what sends messages with its MTI."""
    own = OWN.get(operation)
    if own is None:
        return False
    if operation in KINDS:
        return exchange.mti in _MONEY
    kind = exchange.transaction
    if operation == "settle":
        signs_off = kind == "sign_off" and profile.auto_sign_off
        return exchange.mti in _SETTLING or kind == "signature_upload" or signs_off
    lists = operation not in ("sign_in", "echo")  # a download may have requests of kinds that no table has
    return kind in own or (kind == UNKNOWN and exchange.mti in ("0800", "0820") and lists)


def attended(history: _History, exchanges: Iterable[Exchange], profile: Profile) -> dict[int, Operation]:
    """``seq`` of the request -> the operation that it belongs to; unattended requests are not in it."""
    during: dict[int, tuple[Operation, list[Exchange]]] = {}
    for exchange in exchanges:
        operation = history.operation_at(exchange.t)
        if operation is None or (operation.invoked.via == "service" and operation.name not in _BY_SERVICE):
            continue
        if explains(operation.name, exchange, profile):
            during.setdefault(operation.op, (operation, []))[1].append(exchange)
    found: dict[int, Operation] = {}
    for operation, sent in during.values():
        refused = refused_by_itself(history, operation)
        found.update((e.request.seq, operation) for e in _own(operation, sent, refused, profile))
    return found


def _own(
    operation: Operation, sent: Sequence[Exchange], refused: Callable[[], bool], profile: Profile
) -> list[Exchange]:
    """Of requests of its kind those that are its own.

    sign_in: the last (one that was under way when it was asked for is the terminal's; where merchants share it, another
    one's may follow: then the last that ended as the operation did). A reversal: what it made way
    for was sent too, or the operation ended by it; where the terminal refused by itself it is the terminal's own. What
    is repeated more often than one operation explains is the terminal's own (:func:`_explained`).
    """
    if operation.name == "sign_in":
        shared = len({(e.mid, e.tid) for e in sent}) > 1 and operation.outcome != "unknown"
        alike = [e for e in sent if (e.code in profile.success) == (operation.outcome == "ok")] if shared else []
        return (alike or list(sent))[-1:]
    if all(e.mti == REVERSAL for e in sent):
        return [] if refused() else _explained(sent, profile)
    return _explained(sent, profile)


def _explained(sent: Sequence[Exchange], profile: Profile) -> list[Exchange]:
    """Each request once, and as often again as it went unanswered, or was answered a code of category B (retry), up to
    SENDS times; what must be delivered whatever was answered. A request is known by kind and trace, of a download by
    all that it asks for."""
    times: dict[tuple[str, str | None], int] = {}
    answered: set[tuple[str, str | None]] = set()
    found: list[Exchange] = []
    for exchange in sent:
        kind = exchange.transaction
        which = None if kind in ONCE else exchange.request.hex if kind in DOWNLOADS else exchange.trace
        key = (kind, which)
        times[key] = times.get(key, 0) + 1
        if times[key] <= SENDS and (key not in answered or exchange.mti in SENT_AGAIN):
            found.append(exchange)
        if exchange.response is not None and profile.categories.codes.get(exchange.code or "") != "B":
            answered.add(key)
    return found


def refused_by_itself(history: _History, operation: Operation) -> Callable[[], bool]:
    def refused() -> bool:
        if operation.completed is None or operation.outcome != "fail":
            return False
        if operation.code is not None:
            return operation.code in REFUSED_BY_ITSELF
        if contains_any(operation.completed.detail, DO_FIRST):
            return True
        screens = history.screens_between(operation.t, operation.done + 1)
        return any(contains_any(screen.lines[1:], DO_FIRST) for screen in screens)

    return refused
