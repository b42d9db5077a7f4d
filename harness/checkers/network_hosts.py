"""NET-06: a definite 97 is no reason to ask the second host; a host that can't be reached is.

Which addresses the terminal was given stands on the service port; where each connection went the tap tells.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness.checkers.finding import Finding, checker
from harness.checkers.observing import interrupted
from harness.checkers.reading import Exchange, Operation, Reading
from harness.history.events import Event, Service, UnitReplaced

RULE = "NET-06"


@dataclass(frozen=True)
class Hosts:
    """The two addresses (address:port) that the terminal knows, from ``since`` until ``until``. ``told``: the line by
    which it got the second."""

    first: str
    second: str
    told: Service
    until: int

    def other(self, peer: str) -> str:
        return self.second if peer == self.first else self.first


def hosts(reading: Reading) -> Iterator[Hosts]:
    """Each time that a second address was given."""
    lines = [e for e in reading.all(Service) if e.direction == "to_terminal" and e.text.startswith(("HOST ", "HOST2 "))]
    first = ""
    for index, line in enumerate(lines):
        words = line.text.split()
        if words[0] == "HOST" and len(words) > 2:
            first = ":".join(words[1:3]) if words[1].replace(".", "").isdigit() else ""  # a name: where it led shows
        elif words[0] == "HOST2" and len(words) > 2:
            second = ":".join(words[1:3])
            ends = [e.t for e in lines[index + 1 :]] + [u.t for u in reading.all(UnitReplaced) if u.t > line.t]
            primary = first or _the_other(reading, second)
            if primary and primary != second:
                yield Hosts(primary, second, line, min(ends, default=reading.end + 1))


def _the_other(reading: Reading, second: str) -> str:
    """The one address beside the second to which the log has connections that came about, or else attempts; "" where
    that is not clear."""
    for connections in ([c for c in reading.connections if c.opened is not None], reading.connections):
        peers = {c.peer for c in connections} - {second, ""}
        if len(peers) == 1:
            return peers.pop()
    return ""


# -- a 97 --------------------------------------------------------------------------------------------------------------


@checker(RULE)
def a_97_is_no_reason(reading: Reading) -> Iterator[Finding]:
    """Occasion: a definite 97 from the first host. Decided by where the terminal turns next, unless the first can't be
    reached then."""
    for pair in hosts(reading):
        for exchange in reading.definite_97s:
            if pair.told.t < exchange.t < pair.until and exchange.connection.peer == pair.first:
                finding = _turns_next(reading, pair, exchange)
                if finding is not None:
                    yield finding


def _turns_next(reading: Reading, pair: Hosts, refused: Exchange) -> Finding | None:
    start = (refused.answered_at or refused.t) + 1
    what = f"{refused.code} to {refused.name} came from {pair.first}"
    evidence: list[Event] = [pair.told, *refused.events]
    following = next((e for e in reading.exchanges_from(start) if e.t < pair.until), None)
    for connection in reading.connections_between(start, following.t if following else pair.until):
        if connection.peer == pair.second:
            reason = f"{what}, and the terminal turned to {pair.second}"
            return Finding.failed(RULE, reason, [*evidence, connection.opening or connection.opened])
        if connection.fate != "used":
            return None
    if following is None:
        return None
    if following.connection.peer == pair.first:
        return Finding.passed(RULE, f"{what}; {following.name} went there too", [*evidence, following.request])
    return None


# -- a host that can't be reached --------------------------------------------------------------------------------------


@checker(RULE)
def an_unreachable_host_is(reading: Reading) -> Iterator[Finding]:
    """Occasion: the first attempt to connect in an operation comes to nothing. Decided by whether the other host is
    tried before the operation ends."""
    for pair in hosts(reading):
        for operation in reading.outermost:
            if pair.told.t < operation.t and operation.done < pair.until and not interrupted(reading, operation):
                finding = _tries_the_other(reading, pair, operation)
                if finding is not None:
                    yield finding


def _tries_the_other(reading: Reading, pair: Hosts, operation: Operation) -> Finding | None:
    tried = [(c, c.opening) for c in reading.connections_between(operation.t, operation.done + 1) if c.opening]
    if not tried or tried[0][0].peer not in (pair.first, pair.second):
        return None
    failed, opening = tried[0]
    if failed.fate not in ("refused", "no_answer"):
        return None
    if reading.link_lost_within(operation.t, operation.done + 1) or _power_lost(reading, operation):
        return None
    other = pair.other(failed.peer)
    what = f"{failed.peer} could not be reached"
    evidence: list[Event] = [pair.told, opening]
    second = next((e for c, e in tried[1:] if c.peer == other), None)
    if second is not None:
        return Finding.passed(RULE, f"{what}, and {other} was tried", [*evidence, second], at=opening)
    if operation.completed is None:
        return None
    reason = f"{what}, and the {operation.name} ended without a try at {other}"
    return Finding.failed(RULE, reason, [*evidence, operation.invoked, operation.completed], at=opening)


def _power_lost(reading: Reading, operation: Operation) -> bool:
    return reading.power_lost_within(operation.t, operation.done + 1) is not None
