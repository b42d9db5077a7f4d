"""The order of decision: what a host checks before it looks at the transaction itself, one function per check.

The order is that of a published acquirer host (posp-core): duplicate 94, MAC A0, merchant 03, terminal row 97, terminal
status 58, sign state 77, batch 77. All functions are pure: request, what the host knows at that moment, profile.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Literal

from harness.acquirer.registry import Merchant, SignState, Terminal
from harness.protocol.profile import Profile

MacState = Literal["ok", "bad", "absent", "no_key", "not_required"]


class Transaction(Enum):
    """What a request asks for; the value is its name in notes."""

    SIGN_IN = "sign-in"
    SIGN_OFF = "sign-off"
    ECHO = "echo"
    SALE = "sale"
    VOID = "void"
    REVERSAL = "reversal"
    SETTLEMENT = "settlement"
    UPLOAD = "batch upload"
    BATCH_END = "batch end"
    OTHER = "unsupported transaction"


@dataclass(frozen=True)
class Request:
    """The values of a request that decisions rest on. ``batch`` is F60.2 as a number."""

    transaction: Transaction
    mti: str
    mid: str
    tid: str
    batch: int
    trace: str
    message_type: str
    network_code: str


@dataclass(frozen=True)
class Known:
    """What the host knows when the request comes. ``terminal`` None: no row for (MID, TID) as the switch sees it."""

    duplicate: bool
    mac: MacState
    merchant: Merchant | None
    terminal: Terminal | None


@dataclass(frozen=True)
class Refusal:
    """A code for F39 and the reason in words."""

    code: str
    why: str


Check = Callable[[Request, Known, Profile], Refusal | None]

_NEEDS_NO_SIGN_IN = frozenset({Transaction.SIGN_IN, Transaction.ECHO})
_ANY_BATCH = frozenset({Transaction.SIGN_IN, Transaction.SIGN_OFF, Transaction.ECHO})
_DELIVERY = frozenset({Transaction.REVERSAL, Transaction.SETTLEMENT, Transaction.UPLOAD, Transaction.BATCH_END})
_SETTLING = frozenset({Transaction.SETTLEMENT, Transaction.UPLOAD, Transaction.BATCH_END})


def classify(mti: str, message_type: str, network_code: str, processing_code: str, profile: Profile) -> Transaction:
    """What a request is, by MTI, F60.1, F60.3 and F3."""
    match mti, message_type, network_code:
        case "0800", "00", code if code == profile.sign_in_network_code:
            return Transaction.SIGN_IN
        case "0820", "00", "301":
            return Transaction.ECHO
        case "0820", "00", "002":
            return Transaction.SIGN_OFF
        case "0200", "22", _ if processing_code == "000000":
            return Transaction.SALE
        case "0200", "23", _ if processing_code == "200000":
            return Transaction.VOID
        case "0400", _, _:
            return Transaction.REVERSAL
        case "0500", _, "201":
            return Transaction.SETTLEMENT
        case "0320", _, "201":
            return Transaction.UPLOAD
        case "0320", _, code if code in (profile.batch_end_balanced, profile.batch_end_unbalanced):
            return Transaction.BATCH_END
        case _:
            return Transaction.OTHER


def check_duplicate(request: Request, known: Known, profile: Profile) -> Refusal | None:
    """94: an original with this trace is booked in this batch already. Reversals repeat their original's trace."""
    if request.mti == "0400" or not known.duplicate:
        return None
    return Refusal("94", f"duplicate: trace {request.trace} is booked in batch {request.batch:06d} already")


def check_mac(request: Request, known: Known, profile: Profile) -> Refusal | None:
    """A0: the F64 of a financial request is wrong or missing, or the host has no key to verify it with."""
    match known.mac:
        case "bad":
            return Refusal("A0", "the MAC (F64) is wrong under the MAK of the last sign-in")
        case "absent":
            return Refusal("A0", "there is no MAC (F64) on a financial request")
        case "no_key":
            return Refusal("A0", "no MAK is known for this terminal")
        case _:
            return None


def check_merchant(request: Request, known: Known, profile: Profile) -> Refusal | None:
    """03: the merchant has no row, or is not active."""
    if known.merchant is None:
        return Refusal("03", f"merchant {request.mid} not registered")
    if known.merchant.state != "active":
        return Refusal("03", f"merchant {request.mid} {known.merchant.state}")
    return None


def check_registered(request: Request, known: Known, profile: Profile) -> Refusal | None:
    """97 (the profile's code): there is no row for MID and TID."""
    if known.terminal is not None:
        return None
    return Refusal(profile.not_registered[0], f"terminal {request.tid} of merchant {request.mid} not registered")


def check_suspended(request: Request, known: Known, profile: Profile) -> Refusal | None:
    """58: there is a row, but it is not active."""
    assert known.terminal is not None
    if known.terminal.state != "active":
        return Refusal("58", f"terminal {known.terminal.state}")
    return None


def check_signed_in(request: Request, known: Known, profile: Profile) -> Refusal | None:
    """77: not signed in; 58: closed. By profile a reversal, and what settles a batch, need no sign-in."""
    assert known.terminal is not None
    if request.transaction in _NEEDS_NO_SIGN_IN:
        return None
    state = known.terminal.sign_state
    if state is SignState.CLOSED:
        return Refusal("58", "terminal closed (sign state 4)")
    if state is SignState.SIGNED_IN:
        return None
    if request.transaction is Transaction.REVERSAL and profile.reversal_before_sign_in:
        return None
    if request.transaction in _SETTLING and profile.settlement_before_sign_in:
        return None
    return Refusal("77", f"not signed in (sign state {state.value})")


def check_batch(request: Request, known: Known, profile: Profile) -> Refusal | None:
    """77: F60.2 is not the host's batch. By profile what delivers an earlier batch is taken all the same."""
    assert known.terminal is not None
    if request.transaction in _ANY_BATCH or request.batch == known.terminal.batch:
        return None
    if request.transaction in _DELIVERY and profile.accepts_old_batch:
        return None
    return Refusal("77", f"batch {request.batch:06d}, the host has {known.terminal.batch:06d}")


ORDER: tuple[Check, ...] = (
    check_duplicate,
    check_mac,
    check_merchant,
    check_registered,
    check_suspended,
    check_signed_in,
    check_batch,
)


def decide(request: Request, known: Known, profile: Profile) -> Refusal | None:
    """The first refusal in the host's order; None: the transaction itself may be looked at."""
    for check in ORDER:
        refusal = check(request, known, profile)
        if refusal is not None:
            return refusal
    return None
