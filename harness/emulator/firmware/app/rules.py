"""The rules of the terminal: what an answer means, what becomes of a reversal, who may transact. Pure decisions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from enum import Enum

from .dialect import Dialect
from .records import Record, Reversal, State

NETWORK_SUCCESS = ("00",)  # of sign-in, echo and batch upload, in every dialect
SIGN_IN_REQUESTED = "3"  # processing request in the header
SIGN_IN_FIRST_CODE = "77"  # the host's "sign in first"; the dialect's categories say who is to do it

LAST_NUMBER = 999_999  # of trace and batch numbers
MOST_STORED = 999  # transactions in a batch, then it must be settled (F48 counts in three digits)


class Outcome(Enum):
    """How a message to the host ended."""

    NOT_CONNECTED = "could not connect: nothing was sent"
    NO_ANSWER = "sent, and no whole answer in time"
    NOT_OURS = "an answer that can't be read, or that answers something else"
    BAD_MAC = "an answer whose MAC is wrong, or an approval without one"
    DECLINED = "a valid answer that says no"
    APPROVED = "a valid answer that says yes"


def next_trace(trace: int) -> int:
    """999999 is followed by 000001."""
    return 1 if trace >= LAST_NUMBER else trace + 1


def next_batch(batch: int) -> int:
    """999999 is followed by 000001."""
    return 1 if batch >= LAST_NUMBER else batch + 1


def success_codes(dialect: Dialect, mti: str, financial: bool) -> tuple[str, ...]:
    """The F39 values that say yes to a request."""
    if mti == "0400":
        return dialect.reversal_success
    if mti == "0500":
        return dialect.settlement_success
    return dialect.success if financial else NETWORK_SUCCESS


def reversal_reason(dialect: Dialect, outcome: Outcome) -> str | None:
    """F39 of the reversal that stays due after a financial message ended so; None: nothing is to be reversed."""
    match outcome:
        case Outcome.NO_ANSWER:
            return "98"
        case Outcome.NOT_OURS:
            return dialect.reversal_reason_mismatch if dialect.reversal_on_mismatch == "keep" else None
        case Outcome.BAD_MAC:
            return "A0"
        case Outcome.NOT_CONNECTED | Outcome.DECLINED | Outcome.APPROVED:
            return None


def stays_signed_in(state: State, outcome: Outcome, code: str) -> bool:
    """The sign-in state after any answer but that to a sign-in."""
    if outcome is Outcome.BAD_MAC or (outcome is Outcome.DECLINED and code in state.dialect.force_sign_in):
        return False
    return state.signed_in


def signs_in_by_itself(dialect: Dialect, outcome: Outcome, code: str) -> bool:
    """Whether after this answer the terminal signs in at once, and the operator only has to repeat."""
    retryable = dialect.category(code) == "B"
    return outcome is Outcome.DECLINED and code == SIGN_IN_FIRST_CODE and retryable


def signed_in_after_sign_in(signed_in: bool, outcome: Outcome, keys_usable: bool) -> bool:
    """The sign-in state after a sign-in: no answer changes nothing, a declined one ends it."""
    if outcome is Outcome.APPROVED:
        return keys_usable
    return signed_in and outcome is not Outcome.DECLINED


def anything_stored(state: State, log: Sequence[Record]) -> bool:
    """Whether something is kept under the present batch number and identity."""
    return bool(log) or state.reversal is not None or state.script is not None or state.settlement is not None


def adopt_batch(state: State, log: Sequence[Record], offered: int) -> tuple[int, int]:
    """(batch, host_batch) after the host offered a batch number: stored data keeps its own until it is delivered."""
    if anything_stored(state, log):
        return state.batch, 0 if offered == state.batch else offered
    return offered or state.batch, 0


def batch_after_settlement(state: State) -> int:
    return state.host_batch or next_batch(state.batch)


def must_settle(state: State, log: Sequence[Record]) -> bool:
    """Whether the batch must be settled before anything new: it is full, half settled, or the host is at another."""
    return len(log) >= MOST_STORED or state.settlement is not None or bool(state.host_batch and log)


def identity_refusal(state: State, log: Sequence[Record]) -> str | None:
    """Why terminal and merchant number can't be changed now: "85" transactions, "86" a reversal; None: they can."""
    if log or state.settlement is not None:
        return "85"
    if state.reversal is not None or state.script is not None:
        return "86"
    return None


def seen_later(dialect: Dialect, code: str) -> bool:
    """Whether an unattended answer with this code is shown at the operator's next key."""
    return code in dialect.not_registered


def after_failed_delivery(dialect: Dialect, due: Reversal) -> Reversal | None:
    """The reversal after it was sent and not acknowledged (whatever was answered, 97 included): kept for ever, or as
    many times as the dialect says; None: given up, which is to be printed."""
    attempts = due.attempts + 1
    if dialect.reversal_exhausted == "delete_recorded" and 0 < dialect.reversal_attempts <= attempts:
        return None
    return replace(due, attempts=attempts)


def is_final(dialect: Dialect, outcome: Outcome, code: str) -> bool:
    """Whether an answer to what follows an approval (script notice, signature, stored transaction) ends the matter:
    not where the terminal is unknown, or has to sign in first."""
    if outcome is Outcome.APPROVED:
        return True
    return outcome is Outcome.DECLINED and code not in dialect.not_registered + dialect.force_sign_in
