"""How an operation ended, for screen, slip and cashier link alike."""

from __future__ import annotations

from typing import NamedTuple

from . import texts
from .records import Record
from .rules import Outcome

OK = "00"
NOT_CONNECTED, NO_ANSWER, INVALID, SIGN_IN_FIRST, CANCELLED = "Z1", "Z2", "Z3", "Z4", "Z5"
BUSY, BAD_COMMAND, SETTLE_FIRST, REVERSAL_STUCK = "Z6", "Z7", "Z8", "Z9"


class Result(NamedTuple):
    """``code``: a host code, or a local result Z1..Z9. ``lines`` for the screen; ``text`` for the cashier link.

    ``record``: the financial transaction that this is about; booked only if ``ok``. ``slip``: what is to be printed.
    ``answered``: the host said no, with ``code``.
    """

    ok: bool
    code: str
    lines: tuple[str, ...]
    text: str
    record: Record | None = None
    slip: tuple[str, ...] = ()
    answered: bool = False


def done(
    text: str, *details: str, code: str = OK, record: Record | None = None, slip: tuple[str, ...] = ()
) -> Result:
    return Result(True, code, (text, *details), text, record, slip)


def local(code: str, text: str, *details: str) -> Result:
    """The terminal's own refusal or failure: never a response code on the screen."""
    return Result(False, code, (text, *details), text)


def declined(code: str) -> Result:
    """The host's no: its code and what it means."""
    text = texts.of_code(code)
    return Result(False, code, (texts.DECLINED, texts.code_line(code), text), text, answered=True)


def of_failure(outcome: Outcome, code: str) -> Result:
    """The result of a message that was not approved."""
    match outcome:
        case Outcome.NOT_CONNECTED:
            return local(NOT_CONNECTED, texts.NOT_CONNECTED)
        case Outcome.NO_ANSWER:
            return local(NO_ANSWER, texts.NO_ANSWER)
        case Outcome.DECLINED:
            return declined(code)
        case _:
            return local(INVALID, texts.NO_VALID_ANSWER)


def of_stuck_reversal(outcome: Outcome, code: str) -> Result:
    """The result of a transaction that was not begun, because the reversal before it did not get through."""
    failure = of_failure(outcome, code)
    if failure.answered:
        return failure
    return local(REVERSAL_STUCK, failure.text, texts.REVERSAL_STUCK)
