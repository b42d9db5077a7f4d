"""The rules of the terminal: what an answer means, what becomes of a reversal, who may transact. Pure decisions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from enum import Enum

from .records import Record, Reversal, State

SUCCESS = frozenset({"00", "10", "11", "A2", "A4", "A5", "A6"})  # of a financial answer
NETWORK_SUCCESS = frozenset({"00"})  # of sign-in, echo, settlement and batch upload
REVERSAL_SUCCESS = frozenset({"00", "12", "25"})
FORCES_SIGN_IN = frozenset({"77", "99", "A0"})
NOT_REGISTERED = frozenset({"97"})
SIGN_IN_REQUESTED = "3"  # processing request in the header

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


def reversal_reason(outcome: Outcome) -> str | None:
    """F39 of the reversal that stays due after a financial message ended so; None: nothing is to be reversed."""
    match outcome:
        case Outcome.NO_ANSWER:
            return "98"
        case Outcome.NOT_OURS:
            return "06"
        case Outcome.BAD_MAC:
            return "A0"
        case Outcome.NOT_CONNECTED | Outcome.DECLINED | Outcome.APPROVED:
            return None


def stays_signed_in(signed_in: bool, outcome: Outcome, code: str) -> bool:
    """The sign-in state after any answer but that to a sign-in."""
    if outcome is Outcome.BAD_MAC or (outcome is Outcome.DECLINED and code in FORCES_SIGN_IN):
        return False
    return signed_in


def signed_in_after_sign_in(signed_in: bool, outcome: Outcome, keys_usable: bool) -> bool:
    """The sign-in state after a sign-in: no answer changes nothing, a declined one ends it."""
    if outcome is Outcome.APPROVED:
        return keys_usable
    return signed_in and outcome is not Outcome.DECLINED


def anything_stored(state: State, log: Sequence[Record]) -> bool:
    """Whether something is kept under the present batch number and identity."""
    return bool(log) or state.reversal is not None or state.settlement is not None


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
    if state.reversal is not None:
        return "86"
    return None


def seen_later(code: str) -> bool:
    """Whether an unattended answer with this code is shown at the operator's next key."""
    return code in NOT_REGISTERED


def after_failed_delivery(due: Reversal) -> Reversal | None:
    """The reversal after it was sent and not acknowledged (whatever was answered, 97 included): kept for ever."""
    return replace(due, attempts=due.attempts + 1)
