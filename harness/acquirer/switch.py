"""The order of decision: what a host checks before it looks at the transaction itself, one function per check.

The order is that of a published acquirer host (posp-core): duplicate 94, MAC A0, merchant 03, terminal row 97, terminal
status 58, sign state 77, batch 77. All functions are pure: request, what the host knows at that moment, profile.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Literal, NamedTuple

from harness.acquirer.registry import Merchant, SignState, Terminal
from harness.protocol.codes import transaction_name
from harness.protocol.frames import Frame
from harness.protocol.profile import Profile
from harness.protocol.transactions import KINDS, STORED

MacState = Literal["ok", "bad", "absent", "no_key", "not_required"]


class Request(NamedTuple):
    """The values of a request that decisions rest on. ``transaction``: what :func:`classify` says; ``batch`` is F60.2
    as a number."""

    transaction: str
    mti: str
    mid: str
    tid: str
    batch: int
    trace: str
    message_type: str
    network_code: str


class Known(NamedTuple):
    """What the host knows when the request comes. ``terminal`` None: no row for (MID, TID) as the switch sees it; then
    ``row`` is the back office's word for why. ``foreign_unit``: why the unit that sent it is not the bound one.
    ``settled``: the batch that F60.2 names is settled, and its batch end has not come."""

    duplicate: bool
    mac: MacState
    merchant: Merchant | None
    terminal: Terminal | None
    row: str = ""
    foreign_unit: str = ""
    settled: bool = False


class Refusal(NamedTuple):
    """A code for F39 and the reason in words."""

    code: str
    why: str


Check = Callable[[Request, Known, Profile], Refusal | None]

UNKNOWN = "unknown"
SETTLING = frozenset({"settlement", "batch_upload", "batch_upload_chip", "batch_end"})
_DELIVERY = SETTLING | STORED | {"reversal", "script_notice", "signature_upload"}  # of what was done before
_AFTER_SIGN_IN = frozenset({"sign_off", "signature_upload"})  # of 08xx: the rest is how a terminal comes to service
_MANAGEMENT = "08"


def classify(frame: Frame, profile: Profile) -> str:
    """What a request is, by :func:`harness.protocol.codes.transaction_name`; "unknown" too where this profile has the
    transaction under another code, or F3 or F25 are those of another one."""
    name = transaction_name(frame)
    kind = KINDS.get(name)
    if kind is not None:
        mti = profile.offline_chip_mti if name == "offline_chip_sale" else kind.mti
        said = frame.fields.get
        fits = frame.mti == mti and said(3, kind.processing) == kind.processing
        return name if fits and said(25, kind.condition) == kind.condition else UNKNOWN
    if frame.mti == "0320":
        if frame.network_code in (profile.batch_end_balanced, profile.batch_end_unbalanced):
            return "batch_end"
        return UNKNOWN if name == "batch_end" else name
    if name == "sign_in" and frame.network_code != profile.sign_in_network_code:
        return UNKNOWN
    if name == "parameter_download" and frame.network_code != profile.parameter_download_code:
        return UNKNOWN
    return name


@lru_cache(maxsize=256)
def words(transaction: str) -> str:
    """A transaction's name in notes: batch upload, sign-in."""
    if transaction == UNKNOWN:
        return "unsupported transaction"
    return transaction.replace("_", "-" if transaction.startswith("sign_") else " ")


def check_duplicate(request: Request, known: Known, profile: Profile) -> Refusal | None:
    """94: an original with this trace is booked in this batch already. Reversals repeat their original's trace."""
    if request.mti == "0400" or not known.duplicate:
        return None
    return Refusal("94", f"duplicate: trace {request.trace} is booked in batch {request.batch:06d} already")


def check_mac(request: Request, known: Known, profile: Profile) -> Refusal | None:
    """A0: the F64 of a request that needs one is wrong, or the host has no key to verify it with; ``mac_missing`` where
    there is none."""
    match known.mac:
        case "bad":
            return Refusal("A0", "the MAC (F64) is wrong under the MAK of the last sign-in")
        case "absent":
            return Refusal(profile.mac_missing, "there is no MAC (F64) on a request that needs one")
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
    """97 (the profile's code): there is no row for MID and TID. By profile only a sign-in is told so, and everything
    else that it is not signed in."""
    if known.terminal is not None:
        return None
    why = f"terminal {request.tid} of merchant {request.mid} not registered{known.row and f' ({known.row})'}"
    if profile.terminal_unknown_on == "sign_in" and request.transaction != "sign_in":
        return Refusal(profile.not_signed_in, f"{why}, which this host says at sign-in only")
    return Refusal(profile.not_registered[0], why)


def check_unit(request: Request, known: Known, profile: Profile) -> Refusal | None:
    """97 (the profile's code): the unit that says its serial number is not the one that is bound to MID and TID."""
    return Refusal(profile.not_registered[0], known.foreign_unit) if known.foreign_unit else None


def check_suspended(request: Request, known: Known, profile: Profile) -> Refusal | None:
    """58: there is a row, but it is not active."""
    assert known.terminal is not None
    if known.terminal.state != "active":
        return Refusal("58", f"terminal {known.terminal.state}")
    return None


def check_signed_in(request: Request, known: Known, profile: Profile) -> Refusal | None:
    """77 (the profile's ``not_signed_in``): not signed in; 58: closed. Network management needs no sign-in; by profile
    a reversal, and what settles a batch, need none either."""
    assert known.terminal is not None
    if request.mti[:2] == _MANAGEMENT and request.transaction not in _AFTER_SIGN_IN:
        return None
    state = known.terminal.sign_state
    if state is SignState.CLOSED:
        return Refusal("58", "terminal closed (sign state 4)")
    if state is SignState.SIGNED_IN:
        return None
    if request.transaction == "reversal" and profile.reversal_before_sign_in:
        return None
    if request.transaction in SETTLING and profile.settlement_before_sign_in:
        return None
    return Refusal(profile.not_signed_in, f"not signed in (sign state {state.value})")


def check_batch(request: Request, known: Known, profile: Profile) -> Refusal | None:
    """77: F60.2 is not the host's batch. By profile what delivers an earlier batch is taken all the same; what ends a
    batch that is settled always is."""
    assert known.terminal is not None
    any_batch = request.mti[:2] == _MANAGEMENT and request.transaction != "signature_upload"
    if any_batch or request.batch == known.terminal.batch:
        return None
    if request.transaction in _DELIVERY and profile.accepts_old_batch:
        return None
    if request.transaction in SETTLING and known.settled:
        return None
    return Refusal("77", f"batch {request.batch:06d}, the host has {known.terminal.batch:06d}")


ORDER: tuple[Check, ...] = (
    check_duplicate,
    check_mac,
    check_merchant,
    check_registered,
    check_unit,
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
