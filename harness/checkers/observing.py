"""What several checkers ask of screens, operations and power; small questions with one answer each."""

from __future__ import annotations

from harness.checkers import shown
from harness.checkers.batches import gave_up
from harness.checkers.reading import END, SECOND, Exchange, Operation, Reading
from harness.history.events import Cashier, Power, Screen, Slip

OWN_TRANSACTIONS: dict[str, frozenset[str]] = {  # operation -> the requests that are its own, not done on its way
    "sign_in": frozenset({"sign_in"}),
    "echo": frozenset({"echo"}),
    "sale": frozenset({"sale"}),
    "void": frozenset({"void"}),
    "settle": frozenset({"settlement", "batch_upload", "batch_upload_chip", "batch_end"}),
}


def seconds(start: int, end: int) -> float:
    return (end - start) / SECOND


def is_blank(screen: Screen) -> bool:
    """Nothing on it that could be read, and nothing that could not: it has no power, or was cleared."""
    return not screen.unreadable and not any(line.strip() for line in screen.lines)


def is_idle(reading: Reading, screen: Screen) -> bool:
    return shown.contains_any(screen.lines, reading.model.idle_texts) is not None


def says_97(reading: Reading, event: Screen | Slip | Cashier) -> str | None:
    """What says 97 there, in the words of ``shown.says_not_registered``; at the till the result DF07 or its text."""
    if not isinstance(event, Cashier):
        return shown.says_not_registered(event.lines, reading.profile)
    if event.direction != "from_terminal":
        return None
    if event.fields.get("DF07") in reading.profile.not_registered:
        return event.fields["DF07"]
    return shown.says_not_registered([event.fields.get("DF09", "")], reading.profile)


def says_approved(reading: Reading, event: Screen | Slip | Cashier) -> str | None:
    """What says "approved" of a financial transaction there."""
    if isinstance(event, Cashier):
        if event.direction != "from_terminal":
            return None
        result = event.fields.get("DF07")
        if result in reading.profile.success:
            return result
        return shown.contains_any(event.fields.get("DF09", ""), reading.profile.texts.approved)
    return shown.contains_any(event.lines, reading.profile.texts.approved)


def quoted(event: Screen | Slip) -> str:
    """What it says, on one line."""
    text = " / ".join(line.strip() for line in event.lines if line.strip())
    return f"“{text}”" if text else "nothing"


def operation_of(reading: Reading, exchange: Exchange) -> Operation | None:
    """The operation during which the request was sent; one at the service port does not count."""
    return reading.attended_by(exchange)


def answered_97s(reading: Reading) -> list[Exchange]:
    """The definite 97s that came before the terminal told its user that it had failed."""
    return [e for e in reading.definite_97s if gave_up(reading, e) is None]


def own_exchanges(reading: Reading, operation: Operation) -> list[Exchange]:
    """The requests that are the operation's own: not the reversal or sign-in on its way."""
    own = OWN_TRANSACTIONS.get(operation.name, frozenset())
    return [e for e in reading.exchanges_of(operation) if e.transaction in own]


def next_action(reading: Reading, t: int) -> Operation | None:
    """The first time after ``t`` that somebody did something at the terminal's keys."""
    return next((o for o in reading.operations_after(t) if o.at_the_terminal), None)


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


def watched(reading: Reading, until: int) -> bool:
    """The log goes on at least to ``until``, with a working bench."""
    return until <= seen_until(reading)


def until_text(reading: Reading, operation: Operation) -> int:
    """The operation's ``until``, or the end of what was seen."""
    return operation.until if operation.until != END else reading.end + 1
