"""How an operation ended, for screen, slip and cashier link alike."""

from __future__ import annotations

from typing import NamedTuple

from . import texts
from .dialect import Dialect
from .kinds import KINDS
from .records import Record
from .rules import Outcome

OK = "00"
NOT_CONNECTED, NO_ANSWER, INVALID, SIGN_IN_FIRST, CANCELLED = "Z1", "Z2", "Z3", "Z4", "Z5"
BUSY, BAD_COMMAND, SETTLE_FIRST, STUCK = "Z6", "Z7", "Z8", "Z9"
CARD_REFUSED, NOT_ALLOWED, HANDED_OVER, TAMPERED = "ZA", "ZB", "ZC", "ZD"


class Result(NamedTuple):
    """``code``: a host code, or a local result Z1..ZD. ``lines`` for the screen; ``text`` for the cashier link.

    ``record``: the financial transaction that this is about; booked only if ``ok``. ``slip``: what is to be printed.
    ``answered``: the host said no, with ``code``. ``balance``: of the card, in cents.
    """

    ok: bool
    code: str
    lines: tuple[str, ...]
    text: str
    record: Record | None = None
    slip: tuple[str, ...] = ()
    answered: bool = False
    balance: int | None = None


def done(
    text: str, *details: str, code: str = OK, record: Record | None = None, slip: tuple[str, ...] = ()
) -> Result:
    return Result(True, code, (text, *details), text, record, slip)


def local(code: str, text: str, *details: str) -> Result:
    """The terminal's own refusal or failure: never a response code on the screen."""
    return Result(False, code, (text, *details), text)


def approved(record: Record, slip: tuple[str, ...], code: str) -> Result:
    """A financial transaction that was approved, or stored."""
    details = [f"{texts.TRACE_LABEL}{record.trace:06d}"]
    if record.reference:
        details.append(f"{texts.REFERENCE_LABEL}{record.reference}")
    if record.authorisation:
        details.append(f"{texts.AUTHORISATION_LABEL}{record.authorisation}")
    return done(texts.APPROVED, *details, code=code, record=record, slip=slip)


def of_balance(f54: str, code: str, record: Record) -> Result:
    """An approved balance inquiry. F54: account and amount type, currency, C or D, 12 digits."""
    digits = f54[8:20]
    if not (len(digits) == 12 and digits.isascii() and digits.isdigit()):
        return done(texts.APPROVED, texts.NO_BALANCE, code=code, record=record)
    cents = int(digits) * (-1 if f54[7:8] == "D" else 1)
    line = f"{texts.BALANCE_LABEL}RMB {'-' if cents < 0 else ''}{abs(cents) // 100}.{abs(cents) % 100:02d}"
    return done(texts.APPROVED, line, code=code, record=record)._replace(balance=cents)


def declined(code: str, dialect: Dialect) -> Result:
    """The host's no: its code and what it means."""
    text = texts.of_code(code, dialect)
    return Result(False, code, (texts.DECLINED, texts.code_line(code), text), text, answered=True)


def of_failure(outcome: Outcome, code: str, dialect: Dialect, why: str = "") -> Result:
    """The result of a message that was not approved; ``why`` there was no connection."""
    match outcome:
        case Outcome.NOT_CONNECTED:
            return local(NOT_CONNECTED, why or texts.NOT_CONNECTED)
        case Outcome.NO_ANSWER:
            return local(NO_ANSWER, texts.NO_ANSWER)
        case Outcome.DECLINED:
            return declined(code, dialect)
        case _:
            return local(INVALID, texts.NO_VALID_ANSWER)


def of_stuck(failure: Result, what: str) -> Result:
    """The result of a transaction that was not begun, because ``what`` has to go before it did not get through."""
    return failure if failure.answered else local(STUCK, failure.text, what)


def title(name: str) -> str:
    """What a function is called in the menu."""
    kind = KINDS.get(name)
    return kind.title if kind else texts.FUNCTIONS[name]
