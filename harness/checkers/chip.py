"""MON-12: to a chip card 97 is an online decline, and never the reason to approve offline."""

from __future__ import annotations

from collections.abc import Iterator

from harness.checkers.finding import Finding, checker
from harness.checkers.observing import operation_of, power_lost_soon, until_text, watched
from harness.checkers.reading import SECOND, Exchange, Reading
from harness.checkers.tables import REVERSIBLE
from harness.checkers.telling import says_approved
from harness.history.events import Cashier, ChipCommand, Event, Screen, Slip

GENERATE_AC = "generate_ac"
DECLINE, APPROVAL = "AAC", "TC"
INSERTED = "05"  # F22: a chip that stays in the slot for a second GENERATE AC; a tapped one is gone by then


def chip_online(exchange: Exchange) -> bool:
    """A request that asks the host on behalf of an inserted chip: it waits for the answer."""
    return exchange.transaction in REVERSIBLE and exchange.sent.get(22)[:2] == INSERTED and 55 in exchange.sent.fields


def second_command(reading: Reading, exchange: Exchange) -> ChipCommand | None:
    """The GENERATE AC that followed the answer, in the same operation; None: there was none, or nobody saw it."""
    operation = operation_of(reading, exchange)
    if operation is None or exchange.answered_at is None:
        return None
    commands = reading.between(ChipCommand, exchange.answered_at, until_text(reading, operation))
    return next((c for c in commands if c.command == GENERATE_AC and c.number > 1), None)


@checker("MON-12")
def asks_for_a_decline(reading: Reading) -> Iterator[Finding]:
    """Occasion: a definite 97 to a request of an inserted chip. Excused: power lost before the card was told."""
    for exchange in reading.definite_97s:
        operation = operation_of(reading, exchange)
        if operation is None or exchange.answered_at is None or not chip_online(exchange):
            continue
        second = second_command(reading, exchange)
        what = f"{exchange.code} to the {exchange.name} of a chip card"
        evidence: list[Event] = [*exchange.events, operation.invoked]
        if second is not None:
            yield _judged(reading, exchange, second, what, [*evidence, second])
        elif power_lost_soon(reading, exchange.answered_at):
            continue
        else:
            yield _unseen(reading, exchange, what, evidence)


def _judged(
    reading: Reading, exchange: Exchange, second: ChipCommand, what: str, evidence: list[Event]
) -> Finding:
    rule = "MON-12"
    if second.asked != DECLINE:
        reason = f"{what}: the second GENERATE AC asked for {second.asked or '(nothing)'}, expected {DECLINE}"
        return Finding.failed(rule, reason, evidence, at=exchange.response)
    approved = _approved(reading, exchange)
    if approved is not None:
        reason = f"{what}: the card was asked for {DECLINE}, and the terminal approved offline all the same"
        return Finding.failed(rule, reason, [*evidence, approved], at=exchange.response)
    return Finding.passed(rule, f"{what}: the second GENERATE AC asked for {DECLINE}", evidence, at=exchange.response)


def _unseen(reading: Reading, exchange: Exchange, what: str, evidence: list[Event]) -> Finding:
    rule = "MON-12"
    approved = _approved(reading, exchange)
    if approved is not None:
        reason = f"{what}: the terminal approved offline"
        return Finding.failed(rule, reason, [*evidence, approved], at=exchange.response)
    first = next(iter(reading.between(ChipCommand, exchange.t - SECOND * 60, exchange.t)), None)
    deadline = (exchange.answered_at or exchange.t) + int(reading.limits.show_s * SECOND)
    if not reading.offers("chip") or first is None:
        return Finding.undecided(rule, f"{what}: nobody saw the commands to the card", evidence, at=exchange.response)
    if not watched(reading, deadline):
        reason = f"{what}: the log ends before the card can have been told"
        return Finding.undecided(rule, reason, evidence, at=exchange.response)
    reason = f"{what}: no second GENERATE AC was seen; a card that was drawn is no approval"
    return Finding.undecided(rule, reason, [*evidence, first], at=exchange.response)


def _approved(reading: Reading, exchange: Exchange) -> Event | None:
    """What says approved of it: screen, slip or till in its operation; or an offline advice under its number."""
    operation = operation_of(reading, exchange)
    start = exchange.answered_at or exchange.t
    if operation is not None:
        end = until_text(reading, operation)
        seen: list[Screen | Slip | Cashier] = [
            *reading.screens_between(start, end), *reading.slips_between(start, end),
            *reading.cashier_between(start, end),
        ]  # fmt: skip
        said = next((e for e in sorted(seen, key=lambda e: (e.t, e.seq)) if says_approved(reading, e)), None)
        if said is not None:
            return said
    for later in reading.exchanges_from(start):
        same = (later.mid, later.tid, later.batch, later.trace) == (
            exchange.mid, exchange.tid, exchange.batch, exchange.trace,
        )  # fmt: skip
        if same and later.transaction == "offline_chip_sale":
            return later.request
    return None


def refused_after_approval(reading: Reading, exchange: Exchange) -> ChipCommand | None:
    """The host approved, and the card did not: its answer to the second GENERATE AC."""
    if not chip_online(exchange) or not exchange.approved(reading.profile):
        return None
    second = second_command(reading, exchange)
    return second if second is not None and second.asked == APPROVAL and second.gave == DECLINE else None
