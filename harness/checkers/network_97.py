"""What a fault of the wire does to a 97: repaired by TCP it is definite (NET-02), damaged or cut short not (NET-03).

Neither looks at the fault's name. What decides is what the acquirer said, by its journal, and what came at the port of
the terminal: the same bytes, whole and in time; or something of them that is no answer.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.checkers.decoding import decoded
from harness.checkers.faults import said_by_the_acquirer, strikes_between
from harness.checkers.finding import Finding, checker
from harness.checkers.observing import interrupted
from harness.checkers.reading import END, Exchange, Operation, Reading
from harness.checkers.shown import shows_code
from harness.checkers.told import says_97_unfounded, told
from harness.history.events import FaultStruck, HostJournal, Screen, WireBytes, WireFrame

Something = WireFrame | WireBytes
EARLY = 0.9  # of the receive time-out: who lets go sooner has not waited for it


def strike_on(reading: Reading, exchange: Exchange, operation: Operation, until: int) -> FaultStruck | None:
    """The first strike from when the exchange began (its connection, where that was made for it) up to ``until``."""
    start = max(operation.t, min(exchange.connection.t, exchange.t))
    return next(iter(strikes_between(reading, start, until + 1)), None)


# -- NET-02 ------------------------------------------------------------------------------------------------------------


@checker("NET-02")
def repaired_is_definite(reading: Reading) -> Iterator[Finding]:
    """Occasion: a strike on the way of a 97 that came all the same, as the acquirer had said it."""
    rule = "NET-02"
    for exchange in reading.definite_97s:
        operation = reading.attended_by(exchange)
        if operation is None or exchange.response is None or interrupted(reading, operation):
            continue
        strike = strike_on(reading, exchange, operation, exchange.response.t)
        line = said_by_the_acquirer(reading, exchange) if strike else None
        if strike is None or line is None or line.hex != exchange.response.hex:
            continue
        what = f"{exchange.code} to {exchange.name} came whole, though {strike.what}"
        evidence = [strike, operation.invoked, *exchange.events, line]
        said = told(operation)
        if said is None:
            if not reading.power_lost_within(exchange.response.t, operation.done + 1):
                yield Finding.undecided(rule, f"{what}; how it ended was not seen", evidence, at=strike)
        elif said.outcome == "declined" and said.code == exchange.code:
            yield Finding.passed(rule, f"{what}, and was told as such", [*evidence, said.completed], at=strike)
        elif (screen := _shows(reading, exchange, operation)) is not None:
            yield Finding.passed(rule, f"{what}, and was shown as such", [*evidence, screen], at=strike)
        else:
            reason = f"{what}, and was told as {said}"
            yield Finding.failed(rule, reason, [*evidence, said.completed], at=strike)


@checker("NET-02")
def given_time_to_come(reading: Reading) -> Iterator[Finding]:
    """A 97 that was still coming when the terminal let go of it, long before its time was over."""
    rule = "NET-02"
    for exchange in reading.exchanges:
        operation, left = reading.attended_by(exchange), exchange.connection.given_up
        if exchange.outcome not in ("none", "late") or operation is None or left is None:
            continue
        patience = EARLY * reading.profile.receive_timeout_s
        if left != exchange.connection.ended or reading.terminal_seconds(exchange.t, left.t) > patience:
            continue
        strike = strike_on(reading, exchange, operation, left.t)
        line = _said_97(reading, exchange) if strike else None
        begun = _begun(reading, exchange, line, left.t) if line else None
        if strike is not None and begun is not None:
            what = f"a 97 to {exchange.name}, {strike.what}, was still coming when the terminal let go of it"
            evidence = [strike, operation.invoked, exchange.request, line, begun, left]
            yield Finding.failed(rule, what, evidence, at=strike)


def _begun(reading: Reading, exchange: Exchange, line: HostJournal, t: int) -> Something | None:
    """The beginning of the acquirer's answer, where it had come by ``t``."""
    if exchange.response is not None:
        same = exchange.response.hex == line.hex and exchange.response.t_first < t
        return exchange.response if same else None
    pieces = reading.between(WireBytes, exchange.t, reading.end + 1)
    mine = (p for p in pieces if p.stream == exchange.connection.stream and p.direction == "to_terminal" and p.hex)
    return next((p for p in mine if line.hex.startswith(p.hex) and p.hex != line.hex), None)


def _shows(reading: Reading, exchange: Exchange, operation: Operation) -> Screen | None:
    labels = reading.profile.texts.code_labels
    until = operation.until if operation.until != END else reading.end + 1
    screens = reading.screens_between(exchange.answered_at or exchange.t, until)
    return next((s for s in screens if shows_code(s.lines, exchange.code or "", labels)), None)


# -- NET-03 ------------------------------------------------------------------------------------------------------------


@checker("NET-03")
def damaged_is_none(reading: Reading) -> Iterator[Finding]:
    """Occasion: the acquirer said 97, a fault struck, and what came of it is no answer."""
    rule = "NET-03"
    for exchange in reading.exchanges:
        operation = reading.attended_by(exchange)
        if exchange.outcome not in ("none", "mismatch", "bad_mac") or operation is None:
            continue
        strike = strike_on(reading, exchange, operation, operation.done)
        line = _said_97(reading, exchange) if strike else None
        came = _came(reading, exchange, operation) if line else None
        if strike is None or line is None or came is None or interrupted(reading, operation):
            continue
        if any(e.definite_97 for e in reading.exchanges_of(operation)):
            continue  # another one of the operation's: it is that which is told
        what = f"a 97 to {exchange.name}, {strike.what}"
        evidence = [strike, operation.invoked, exchange.request, line, came]
        said, wrongly = told(operation), says_97_unfounded(reading, operation)
        if wrongly:
            reason = f"{what}: it counted as a definite one"
            yield Finding.failed(rule, reason, [*evidence, *wrongly[:1]], at=strike)
        elif said is None:
            if not reading.power_lost_within(exchange.t, operation.done + 1):
                yield Finding.undecided(rule, f"{what}; how it ended was not seen", evidence, at=strike)
        elif said.code in reading.profile.not_registered:
            yield Finding.failed(rule, f"{what}: it was told as {said}", [*evidence, said.completed], at=strike)
        elif said.outcome == "unknown":  # whatever else it was taken for is NET-01's
            reason = f"{what}: it counted as no answer"
            yield Finding.passed(rule, reason, [*evidence, said.completed], at=strike)


def _said_97(reading: Reading, exchange: Exchange) -> HostJournal | None:
    line = said_by_the_acquirer(reading, exchange)
    return line if line is not None and _code(line) in reading.profile.not_registered else None


def _code(line: HostJournal) -> str:
    frame = decoded(line.hex)
    return frame.get(39) if frame is not None else ""


def _came(reading: Reading, exchange: Exchange, operation: Operation) -> Something | None:
    """What came instead of the answer: a frame that is none, or bytes that are not even a frame."""
    if exchange.response is not None:
        return exchange.response
    if exchange.strays:
        return exchange.strays[0]
    pieces = reading.between(WireBytes, exchange.t, operation.until if operation.until != END else reading.end + 1)
    stream = exchange.connection.stream
    return next((p for p in pieces if p.stream == stream and p.direction == "to_terminal" and p.hex), None)
