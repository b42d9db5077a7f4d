"""What kept an operation from an answer: a fault of the wire or of the host, a disturbance, a part that is broken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.checkers.attribution import refused_by_itself
from harness.checkers.disturbances import broken_between, hits_between
from harness.checkers.faults import strikes_between
from harness.checkers.reading import ONLINE_OPERATIONS, SECOND, Connection, Exchange, Operation, Reading
from harness.checkers.tables import OWN
from harness.history.events import Event

GAVE_UP_S = 2.5  # who closes sooner has not waited for an answer: no terminal's network timer is below 3 s


@dataclass(frozen=True)
class Fault:
    """``since``: from here on the terminal can know of it; ``known``: and what it shows from here on is its result."""

    what: str
    events: tuple[Event, ...]
    since: int
    known: bool = True


def done_to_it(reading: Reading, operation: Operation | None, t: int) -> Fault | None:
    """What was done to the terminal itself meanwhile: a disturbance hit it, or a part of it was broken."""
    since = operation.t if operation else t
    return _hit(reading, since, t) or _part(reading, since, t)


def _hit(reading: Reading, since: int, t: int) -> Fault | None:
    hit = next(iter(reversed(hits_between(reading, since, t))), None)
    if hit is None:
        return None
    return Fault(f"a disturbance hit the terminal ({hit})", (hit.begun,), max(hit.start, since), known=False)


def _part(reading: Reading, since: int, t: int) -> Fault | None:
    part = next(iter(reversed(broken_between(reading, since, t))), None)
    return Fault(f"a part was broken ({part})", (part.began,), since, known=False) if part is not None else None


def fault_of(reading: Reading, operation: Operation) -> Fault | None:
    """What kept the operation from an answer, or None where it had one (any that counts) or sent nothing by choice."""
    exchanges = reading.exchanges_of(operation)
    counting = [e for e in exchanges if e.outcome == "answered"]
    if any(e.definite_97 or e.transaction in OWN.get(operation.name, ()) for e in counting):
        return None
    hit = _hit(reading, operation.t, operation.done)
    if hit is not None and operation.name in ONLINE_OPERATIONS and not refused_by_itself(reading, operation)():
        return hit
    for exchange in reversed(exchanges):
        fault = _failed_exchange(reading, exchange, operation)
        if fault:
            return fault
    tried = reading.connections_between(operation.t, operation.done + 1)
    refused = next((c.refused for c in reversed(tried) if c.refused), None)
    if refused:
        return Fault("connection refused", (refused,), refused.t)
    down = reading.link_lost_within(operation.t, operation.done)
    if down and down.began and not any(c.opened for c in tried) and operation.name in ONLINE_OPERATIONS:
        return Fault("link down", (down.began,), max(down.start, operation.t), known=False)
    if exchanges or operation.name not in ONLINE_OPERATIONS:
        return None
    part = None if tried or refused_by_itself(reading, operation)() else _part(reading, operation.t, operation.done)
    return part or _no_connection(reading, operation, tried)


def _no_connection(reading: Reading, operation: Operation, tried: Sequence[Connection]) -> Fault | None:
    """Nothing could be sent: nobody answered, the connection came to nothing (TLS), or (DNS, DHCP) none was even tried
    while a fault was at work."""
    for connection in reversed(tried):
        waited = operation.done - connection.t >= GAVE_UP_S * SECOND
        if connection.fate == "no_answer" and connection.opening and waited:
            return Fault("nothing answered the attempt to connect", (connection.opening,), operation.t, known=False)
        if connection.fate == "open" and reading.profile.link == "tls" and connection.opened and connection.ended:
            ends = (connection.opened, connection.ended)
            return Fault("the connection came to nothing", ends, connection.ended.t, known=False)
    strike = None if tried else next(iter(strikes_between(reading, operation.t, operation.done + 1)), None)
    return Fault(f"nothing was sent: {strike.what}", (strike,), strike.t, known=False) if strike else None


def _failed_exchange(reading: Reading, exchange: Exchange, operation: Operation) -> Fault | None:
    name, response = exchange.name, exchange.response
    if exchange.outcome == "bad_mac" and response:
        wrong = "has no MAC" if exchange.response_mac == "absent" else "fails its MAC"
        return Fault(f"the response to {name} {wrong}", exchange.events, response.t)
    if exchange.outcome == "answered":
        return None
    left, ended = exchange.connection.given_up, exchange.connection.ended
    if left and left.t - exchange.t >= GAVE_UP_S * SECOND and left.t <= operation.done:  # else the cable was out
        return Fault(f"no answer to {name} in time", (exchange.request, left), left.t)
    said = reading.told_before_answer(exchange)
    if said:
        return Fault(f"no answer to {name} in time", (exchange.request, said), exchange.t, known=False)
    if exchange.outcome == "mismatch":
        stray = exchange.strays[0]
        return Fault(f"what came does not answer {name}", (exchange.request, stray), stray.t)
    if ended and ended.by == "acquirer" and ended.t >= exchange.t:
        return Fault(f"the host closed before it answered {name}", (exchange.request, ended), ended.t)
    down = reading.link_lost_within(exchange.t, operation.done)
    if down and down.began:
        return Fault(f"link down before {name} was answered", (exchange.request, down.began), exchange.t, known=False)
    return None
