"""What several checkers ask of screens, operations and power; small questions with one answer each."""

from __future__ import annotations

from harness.checkers import shown
from harness.checkers.reading import END, SECOND, Exchange, Operation, Reading
from harness.checkers.tables import ON_THE_WAY, OWN
from harness.checkers.telling import says_97
from harness.history.events import Power, Screen, Slip

STOPPED = frozenset({"KeyboardInterrupt", "SystemExit"})  # how an operation ends that was cut short by its runner
TAKEN_UP_S = 0.5  # real seconds in which what came unattended must be ready to be shown at a key

def seconds(start: int, end: int) -> float:
    return (end - start) / SECOND


def is_blank(screen: Screen) -> bool:
    """Nothing on it that could be read, and nothing that could not: it has no power, or was cleared."""
    return not screen.unreadable and not any(line.strip() for line in screen.lines)


def is_idle(reading: Reading, screen: Screen) -> bool:
    return shown.contains_any(screen.lines, reading.model.idle_texts) is not None


def quoted(event: Screen | Slip) -> str:
    """What it says, on one line."""
    text = " / ".join(line.strip() for line in event.lines if line.strip())
    return f"“{text}”" if text else "nothing"


def operation_of(reading: Reading, exchange: Exchange) -> Operation | None:
    """The operation that the request belongs to; None: the terminal sent it by itself."""
    return reading.attended_by(exchange)


def own_exchanges(reading: Reading, operation: Operation) -> list[Exchange]:
    """The requests that are the operation's own: not the reversal or sign-in on its way."""
    own = OWN.get(operation.name, frozenset())
    return [e for e in reading.exchanges_of(operation) if e.transaction in own]


def went_on(reading: Reading, exchange: Exchange, operation: Operation) -> bool:
    """The request was something stored that left on the way, or another merchant's, and the operation's own went out
    after it all the same: its result is that of its own request."""
    if exchange.transaction in OWN.get(operation.name, ()):
        return False
    own = [e for e in own_exchanges(reading, operation) if e.t > exchange.t]
    anothers = any((e.mid, e.tid) != (exchange.mid, exchange.tid) for e in own)
    return anothers or (bool(own) and exchange.transaction in ON_THE_WAY)


def next_actions(reading: Reading, t: int) -> list[Operation]:
    """What somebody did next at the terminal's keys after it got something at ``t``: one action, the next.

    One that began before the terminal can have taken it up may show it or not: then those up to the first that began
    later are meant too. Such an action is the last of the list, where there is one (see :func:`taken_up`).
    """
    found: list[Operation] = []
    for operation in reading.operations_after(t):
        if operation.at_the_terminal:
            found.append(operation)
            if taken_up(operation, t):
                break
    return found


def taken_up(operation: Operation, t: int) -> bool:
    """The terminal had taken up what it got at ``t`` when the operation began."""
    return operation.t >= t + int(TAKEN_UP_S * SECOND)


def power_lost_soon(reading: Reading, t: int) -> Power | None:
    """The power went before the terminal had to have done anything about what it got at ``t``."""
    return reading.power_lost_within(t, t + int(reading.limits.show_s * SECOND))


def noticed(reading: Reading, exchange: Exchange) -> bool:
    """The terminal had the time to act upon the response, or showed that it did, before it lost power."""
    if exchange.answered_at is None:
        return False
    lost = power_lost_soon(reading, exchange.answered_at)
    if lost is None:
        return True
    return any(says_97(reading, s) for s in reading.screens_between(exchange.answered_at, lost.t))


def seen_until(reading: Reading) -> int:
    """Up to here the bench could see: its first failure, or the end of the log."""
    return min([e.t for e in reading.failures] + [reading.end])


def interrupted(reading: Reading, operation: Operation) -> bool:
    """It ended because the bench failed or somebody stopped the run, not by what the terminal did.

    A failure is noticed later than it happened, at the latest as the test ends.
    """
    stopped = operation.completed is not None and operation.completed.detail in STOPPED
    span = operation.invoked.span
    return stopped or any(e.t <= operation.done or (span is not None and e.span == span) for e in reading.failures)


def watched(reading: Reading, until: int) -> bool:
    """The log goes on at least to ``until``, with a working bench."""
    return until <= seen_until(reading)


def until_text(reading: Reading, operation: Operation) -> int:
    """The operation's ``until``, or the end of what was seen."""
    return operation.until if operation.until != END else reading.end + 1
