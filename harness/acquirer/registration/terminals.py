"""Terminals from a unit in its box to a terminal that is dormant.

    pending -> approved -> active <-> suspended      rejected: pending again by a new binding
       |          |           |           |
       +----------+--- unbound, removed, dormant     swap: approved again, for another unit

``approved`` waits for activation: a code, good once and for a limited time, against which the unit gets TID, MID and a
TMK. The switch has a row for what is active or suspended (58); for all others it answers not registered (97).
"""

from __future__ import annotations

import hashlib
import itertools
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.acquirer.ledger import Ledger
from harness.acquirer.registration.documents import (
    Application,
    BindingRequest,
    Finding,
    MerchantNotActive,
    NotNow,
    Refused,
    Unknown,
)
from harness.acquirer.registration.merchants import Merchants
from harness.acquirer.registration.steps import Step, Steps
from harness.acquirer.registry import HAS_ROW, SIGNED_OUT, Binding, Registry, SignedOut, TerminalState
from harness.acquirer.registry import Terminal as Row
from harness.acquirer.store import Store

DAY_S = 86_400
DORMANT_DAYS = 180  # "more than six months" in the public accounts of 97
_CODE_DIGITS = 12
_LIVE: tuple[TerminalState, ...] = ("pending", "approved", *HAS_ROW)
_COMPARED = ("acquirer_code", "uscc", "settlement_account")  # those of the five that must be the merchant's own


@dataclass(frozen=True)
class Terminal:
    """A terminal as the back office sees it. ``last_seen``: seconds since 1970, None: never registered."""

    row: Row
    binding: Binding | None
    last_seen: int | None
    steps: Sequence[Step]


@dataclass(frozen=True)
class ActivationCode:
    """``expires``: seconds since 1970 on the host's clock."""

    code: str
    expires: int


@dataclass(frozen=True)
class Activated:
    """What the unit gets. The key is not shown again."""

    mid: str
    tid: str
    tmk: bytes


class Terminals:
    """Every change is the caller's transaction."""

    def __init__(self, store: Store, registry: Registry, ledger: Ledger, merchants: Merchants) -> None:
        self._store, self._db, self._registry, self._ledger = store, store.db, registry, ledger
        self._merchants, self._steps = merchants, Steps(store, registry)

    # -- binding ------------------------------------------------------------------------------------------------------

    def bind(self, request: BindingRequest) -> str:
        """The unit waits for review. Returns its terminal number. Raises :class:`Refused` that names the elements."""
        problems = self._against_merchant(request)
        other = self._registry.binding_of(request.serial_number)
        if other is not None:
            problems.append(("serial_number", f"it is bound to terminal {other.tid} of merchant {other.mid}"))
        if request.tid is not None:
            problems += self._tid_problems(request.mid, request.tid)
        if problems:
            raise Refused(problems)
        tid = request.tid or self._new_tid()
        self._registry.set_application_state(request.mid, tid, "pending")
        self._registry.bind(request.mid, tid, request.serial_number, request.device_type, request.elements())
        self._steps.note("bind", request.mid, tid, serial_number=request.serial_number)
        return tid

    def approve(self, mid: str, tid: str, valid_s: int) -> ActivationCode:
        """Its elements were found right: here is its activation code. The merchant must be approved."""
        self._in(mid, tid, "approve", "pending")
        binding, merchant = self._registry.binding(mid, tid), self._merchants.get(mid)
        if binding is None:
            raise NotNow(f"no unit is bound to terminal {tid} of merchant {mid}")
        if merchant.state != "approved":
            raise NotNow(f"merchant {mid} is {merchant.state}; its terminals are approved when it is approved")
        problems = _not_the_merchants(binding.elements, merchant.application)
        if problems:  # its application was changed since
            raise Refused(problems)
        self._registry.set_application_state(mid, tid, "approved")
        self._steps.note("approve", mid, tid)
        return self._new_code(mid, tid, valid_s)

    def reject(self, mid: str, tid: str, reasons: Sequence[Finding]) -> None:
        """The unit is free for another binding."""
        self._in(mid, tid, "reject", "pending")
        self._registry.set_application_state(mid, tid, "rejected")
        self._registry.unbind(mid, tid)
        self._steps.note("reject", mid, tid, reasons=[reason.model_dump() for reason in reasons])

    def unbind(self, mid: str, tid: str, reason: str) -> None:
        """The unit does not belong to the terminal any more: not registered from now on, the unit free for others."""
        self._in(mid, tid, "unbind", *_LIVE)
        self._registry.remove_terminal(mid, tid, "unbound")
        self._forget_codes(mid, tid)
        self._steps.note("unbind", mid, tid, reason=reason)

    def swap(
        self, mid: str, tid: str, serial_number: str, device_type: str, valid_s: int, *, write_off: bool
    ) -> ActivationCode:
        """Another unit takes the place of this one, once it is activated; the old one is not registered any more.

        A terminal that is suspended is restored first: another unit must not lift what it is suspended for.
        ``write_off``: what the old unit had not settled is lost with it. Raises :class:`Refused`.
        """
        self._in(mid, tid, "swap", "approved", "active")
        before, other = self._registry.binding(mid, tid), self._registry.binding_of(serial_number)
        if other is not None:
            raise Refused([("serial_number", f"it is bound to terminal {other.tid} of merchant {other.mid}")])
        elements: Mapping[str, str] = {} if before is None else before.elements
        self._registry.bind(mid, tid, serial_number, device_type, elements)
        self._registry.set_application_state(mid, tid, "approved")
        if write_off:
            self._ledger.write_off(mid, tid)
        self._steps.note(
            "swap", mid, tid, serial_number=serial_number, instead_of="" if before is None else before.serial_number,
            write_off=write_off,
        )
        return self._new_code(mid, tid, valid_s)

    # -- activation and keys ------------------------------------------------------------------------------------------

    def new_code(self, mid: str, tid: str, valid_s: int) -> ActivationCode:
        """Another activation code; the one before is void."""
        self._in(mid, tid, "activation code", "approved")
        if self._registry.binding(mid, tid) is None:
            raise NotNow(f"no unit is bound to terminal {tid} of merchant {mid}")
        return self._new_code(mid, tid, valid_s)

    def offer(self, mid: str, tid: str, serial_number: str, valid_s: int) -> ActivationCode:
        """The short way, without documents: the unit is bound, approved, and gets a code. Raises :class:`Refused`."""
        other = self._registry.binding_of(serial_number)
        if other is not None and (other.mid, other.tid) != (mid, tid):
            raise Refused([("serial_number", f"it is bound to terminal {other.tid} of merchant {other.mid}")])
        if self._registry.merchant(mid) is None:
            raise NotNow(f"merchant {mid} is not registered; its terminals are approved when it is")
        self._registry.set_application_state(mid, tid, "approved")
        self._registry.bind(mid, tid, serial_number)
        self._steps.note("offer", mid, tid, serial_number=serial_number)
        return self._new_code(mid, tid, valid_s)

    def activate(self, serial_number: str, code: str, *, again: bool = False) -> Activated:
        """The unit is the terminal from now on. Raises :class:`Refused` for a code that is not, or no longer, good,
        :class:`MerchantNotActive` where the code stays good.

        ``again``: a code that was used is good for the same unit once more until it has signed in, since the answer
        may have been lost; it gets the same key.
        """
        digest = _digest(code)
        row = self._db.execute("SELECT * FROM activations WHERE code = ?", (digest,)).fetchone()
        if row is None:
            raise Refused([("code", "it is not known, or another one was given out since")])
        mid, tid = row["mid"], row["tid"]
        if row["used"] is not None:
            given = self._given_before(mid, tid, serial_number, row["serial_number"]) if again else None
            if given is None:
                raise Refused([("code", "it was used")])
            return given
        if self._registry.seconds() >= row["expires"]:
            raise Refused([("code", "it has expired")])
        if row["serial_number"] != serial_number:
            raise Refused([("serial_number", "the code was given out for another unit")])
        self._in(mid, tid, "activate", "approved")
        merchant = self._registry.merchant(mid)
        if merchant is None or merchant.state != "active":
            raise MerchantNotActive(f"merchant {mid} is {merchant.state if merchant else 'not registered'}")
        tmk = self._registry.register_terminal(mid, tid)
        self._db.execute("UPDATE activations SET used = ? WHERE code = ?", (self._registry.seconds(), digest))
        self._steps.note("activate", mid, tid, serial_number=serial_number)
        return Activated(mid, tid, tmk)

    def _given_before(self, mid: str, tid: str, serial_number: str, bound: str) -> Activated | None:
        """What this unit was given for the code, where it has not signed in since."""
        row, binding = self._registry.terminal(mid, tid), self._registry.binding(mid, tid)
        still_bound = binding is not None and serial_number == bound == binding.serial_number
        known = self._registry.keys(mid, tid)
        if row is None or row.ever_signed_in or not still_bound or known is None:
            return None
        return Activated(mid, tid, known.tmk)

    def issue_tmk(self, mid: str, tid: str) -> bytes:
        """A new TMK, which holds from the next sign-in."""
        self._in(mid, tid, "tmk", *HAS_ROW)
        self._steps.note("issue_tmk", mid, tid)
        return self._registry.issue_tmk(mid, tid)

    def delete_working_keys(self, mid: str, tid: str) -> None:
        """Financial requests get A0 until the next sign-in."""
        self._in(mid, tid, "delete keys", *HAS_ROW)
        self._registry.delete_working_keys(mid, tid)
        self._steps.note("delete_keys", mid, tid)

    def sign_out(self, mid: str, tid: str, state: SignedOut = "signed_off") -> None:
        """It must sign in again: 77; closed: 58."""
        self._in(mid, tid, "sign out", *HAS_ROW)
        self._registry.set_sign_state(mid, tid, SIGNED_OUT[state])
        self._steps.note("sign_out", mid, tid, state=state)

    # -- service and its end ------------------------------------------------------------------------------------------

    def suspend(self, mid: str, tid: str, reason: str) -> None:
        self._in(mid, tid, "suspend", "active")
        self._registry.suspend_terminal(mid, tid)
        self._steps.note("suspend", mid, tid, reason=reason)

    def restore(self, mid: str, tid: str) -> None:
        self._in(mid, tid, "restore", "suspended")
        self._registry.restore_terminal(mid, tid)
        self._steps.note("restore", mid, tid)

    def deregister(self, mid: str, tid: str, reason: str) -> None:
        self._in(mid, tid, "deregister", "rejected", *_LIVE)
        self._registry.remove_terminal(mid, tid)
        self._forget_codes(mid, tid)
        self._steps.note("deregister", mid, tid, reason=reason)

    def dormant(self, days: int) -> list[Terminal]:
        """Registered, and for so many days by the host's clock without a message."""
        rows = self._registry.unseen_since(self._registry.seconds() - days * DAY_S)
        return [self._view(row) for row in rows]

    def deregister_dormant(self, days: int) -> list[Terminal]:
        """Returns those that were deregistered, as they were before."""
        found = self.dormant(days)
        for terminal in found:
            self._registry.remove_terminal(terminal.row.mid, terminal.row.tid, "dormant")
            self._steps.note("deregister", terminal.row.mid, terminal.row.tid, reason=f"no message for {days} days")
        return found

    # -- looking ------------------------------------------------------------------------------------------------------

    def get(self, mid: str, tid: str) -> Terminal:
        row = self._registry.application(mid, tid)
        if row is None:
            raise Unknown(f"merchant {mid} has no terminal {tid}")
        return self._view(row)

    def all(
        self, mid: str | None = None, state: TerminalState | None = None, *, after: str = "", limit: int = -1
    ) -> list[Terminal]:
        """By merchant code and terminal number, behind ``after`` (a code and a number, as one text); at most ``limit``
        (-1: all)."""
        wanted = (
            row for row in self._registry.applications(mid) if state in (None, row.state) and row.mid + row.tid > after
        )
        return [self._view(row) for row in itertools.islice(wanted, None if limit < 0 else limit)]

    def _view(self, row: Row) -> Terminal:
        where = row.mid, row.tid
        return Terminal(row, self._registry.binding(*where), self._registry.last_seen(*where), self._steps.of(*where))

    def _in(self, mid: str, tid: str, step: str, *states: TerminalState) -> Row:
        row = self.get(mid, tid).row
        if row.state not in states:
            raise NotNow(f"terminal {tid} of merchant {mid} is {row.state}; {step} needs one that is "
                         f"{' or '.join(states)}")  # fmt: skip
        return row

    def _against_merchant(self, request: BindingRequest) -> list[tuple[str, str]]:
        """Which elements are not the merchant's."""
        try:
            merchant = self._merchants.get(request.mid)
        except Unknown as error:
            return [("mid", str(error))]
        if merchant.state not in ("submitted", "pending_review", "approved"):
            return [("mid", f"merchant {request.mid} is {merchant.state}")]
        return _not_the_merchants(request.elements(), merchant.application)

    def _tid_problems(self, mid: str, tid: str) -> list[tuple[str, str]]:
        for row in self._registry.with_tid(tid):
            if row.state in _LIVE:
                return [("tid", f"{tid} is in use by merchant {row.mid} ({row.state})")]
        return []

    def _new_tid(self) -> str:
        while True:
            tid = f"{10_000_000 + self._store.next_number('tid'):08d}"
            if not self._registry.with_tid(tid):
                return tid

    def _new_code(self, mid: str, tid: str, valid_s: int) -> ActivationCode:
        self._forget_codes(mid, tid)
        binding = self._registry.binding(mid, tid)
        assert binding is not None, "an approved terminal has a unit"
        code = f"{secrets.randbelow(10**_CODE_DIGITS):0{_CODE_DIGITS}d}"
        expires = self._registry.seconds() + valid_s
        self._db.execute(
            "INSERT INTO activations VALUES (?, ?, ?, ?, ?, NULL)",
            (_digest(code), mid, tid, binding.serial_number, expires),
        )
        return ActivationCode(code, expires)

    def _forget_codes(self, mid: str, tid: str) -> None:
        self._db.execute("DELETE FROM activations WHERE mid = ? AND tid = ? AND used IS NULL", (mid, tid))


def _not_the_merchants(elements: Mapping[str, str], application: Application | None) -> list[tuple[str, str]]:
    return [] if application is None else [
        (name, "it is not the merchant's") for name in _COMPARED if elements.get(name) != getattr(application, name)
    ]


def _digest(code: str) -> bytes:
    return hashlib.sha256("".join(code.split()).replace("-", "").encode()).digest()
