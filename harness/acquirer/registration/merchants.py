"""Merchants from application to closing.

    submitted -> pending_review -> approved -> suspended, and back
         ^             |              |            |
         +--amended-- rejected        +-- closed --+     (an application that was not approved may be closed as well)

The switch has a row for a merchant from approval on; before, and when it is not active, it answers 03.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from harness.acquirer.fees import CARD_TYPES, CardType, Fee, Fees
from harness.acquirer.registration.documents import Application, FeeRates, Finding, NotNow, Refused, Unknown
from harness.acquirer.registration.steps import Step, Steps
from harness.acquirer.registry import Registry
from harness.acquirer.store import Store

State = Literal["submitted", "pending_review", "rejected", "approved", "suspended", "closed"]
STATES: tuple[State, ...] = get_args(State)

# step -> from which states, to which
_STEPS: dict[str, tuple[tuple[State, ...], State]] = {
    "amend": (("submitted", "rejected"), "submitted"),
    "review": (("submitted",), "pending_review"),
    "approve": (("pending_review",), "approved"),
    "reject": (("pending_review",), "rejected"),
    "suspend": (("approved",), "suspended"),
    "resume": (("suspended",), "approved"),
    "close": (("submitted", "pending_review", "rejected", "approved", "suspended"), "closed"),
}
_SERIALS = 10_000  # merchant codes end in a number of four digits


@dataclass(frozen=True)
class Merchant:
    """``application`` None: it was registered by the control channel, without one. ``reasons``: of its rejection."""

    mid: str
    name: str
    state: State
    application: Application | None
    reasons: Sequence[Finding]
    fees: dict[CardType, Fee]
    steps: Sequence[Step]


class Merchants:
    """Every change is the caller's transaction."""

    def __init__(self, store: Store, registry: Registry, fees: Fees) -> None:
        self._db, self._registry, self._fees = store.db, registry, fees
        self._steps = Steps(store, registry)

    # -- applications -------------------------------------------------------------------------------------------------

    def submit(self, application: Application) -> str:
        """Returns the merchant code, the wanted one or a new one. Raises :class:`Refused`."""
        mid = application.mid or self._new_mid(application)
        if self._state(mid) is not None:
            raise Refused([("mid", f"{mid} belongs to another merchant")])
        self._db.execute("INSERT INTO applications VALUES (?, 'submitted', ?)", (mid, application.model_dump_json()))
        self._steps.note("submit", mid)
        return mid

    def amend(self, mid: str, application: Application) -> None:
        """Hands in a changed application again. Raises :class:`Refused`, :class:`Unknown`, :class:`NotNow`."""
        if application.mid not in (None, mid):
            raise Refused([("mid", f"it is {mid} and can't become another one")])
        self._go(mid, "amend")
        self._db.execute("UPDATE applications SET document = ? WHERE mid = ?", (application.model_dump_json(), mid))

    def review(self, mid: str) -> None:
        self._go(mid, "review")

    def approve(self, mid: str) -> None:
        """From now on the switch knows the merchant, with the fees of its application."""
        self._go(mid, "approve")
        application = self._application(mid)
        assert application is not None, "only an application is approved"
        self._registry.register_merchant(mid, application.company)
        self._fees.set_rates(mid, rates_of(application.fees))

    def reject(self, mid: str, reasons: Sequence[Finding]) -> None:
        self._go(mid, "reject", reasons=[reason.model_dump() for reason in reasons])

    # -- merchants ----------------------------------------------------------------------------------------------------

    def suspend(self, mid: str, reason: str) -> None:
        self._go(mid, "suspend", reason=reason)
        self._registry.set_merchant_state(mid, "suspended")

    def resume(self, mid: str) -> None:
        self._go(mid, "resume")
        self._registry.set_merchant_state(mid, "active")

    def close(self, mid: str, reason: str) -> None:
        """For good. Its terminals are deregistered, their units free for others."""
        self._go(mid, "close", reason=reason)
        if self._registry.merchant(mid) is not None:
            self._registry.set_merchant_state(mid, "closed")
        for terminal in self._registry.applications(mid):
            if terminal.state not in ("removed", "unbound", "dormant"):
                self._registry.remove_terminal(mid, terminal.tid)
                self._steps.note("deregister", mid, terminal.tid, reason="the merchant was closed")

    def set_fees(self, mid: str, rates: FeeRates) -> None:
        if self._state(mid) is None:
            raise _unknown(mid)
        self._fees.set_rates(mid, rates_of(rates))
        self._steps.note("set_fees", mid, **rates.model_dump())

    # -- looking ------------------------------------------------------------------------------------------------------

    def get(self, mid: str) -> Merchant:
        state, known = self._state(mid), self._registry.merchant(mid)
        if state is None:
            raise _unknown(mid)
        application, steps = self._application(mid), self._steps.of(mid)
        name = known.name if known is not None else application.company if application is not None else ""
        rejections = [step for step in steps if step.step == "reject"]
        reasons = rejections[-1].details["reasons"] if state == "rejected" else []
        return Merchant(
            mid, name, state, application,
            [Finding.model_validate(reason) for reason in reasons],
            self._fees.rates(mid), steps,
        )

    def all(self, state: State | None = None, *, after: str = "", limit: int = -1) -> list[Merchant]:
        """By merchant code, behind the code ``after``; at most ``limit`` (-1: all)."""
        rows = self._db.execute(
            "SELECT mid FROM (SELECT mid FROM merchants UNION SELECT mid FROM applications) WHERE mid > ? ORDER BY mid",
            (after,),
        ).fetchall()
        wanted = (row["mid"] for row in rows if state is None or self._state(row["mid"]) == state)
        return [self.get(mid) for mid in itertools.islice(wanted, None if limit < 0 else limit)]

    def _state(self, mid: str) -> State | None:
        row = self._db.execute("SELECT state FROM applications WHERE mid = ?", (mid,)).fetchone()
        known = self._registry.merchant(mid)
        if row is not None and row["state"] != "approved" and known is None:
            state: State = row["state"]
            return state
        if known is None:  # approved, and its row was taken away since
            return None if row is None else "closed"
        return "approved" if known.state == "active" else known.state

    def _application(self, mid: str) -> Application | None:
        row = self._db.execute("SELECT document FROM applications WHERE mid = ?", (mid,)).fetchone()
        return None if row is None else Application.model_validate_json(row["document"])

    def _go(self, mid: str, step: str, **details: Any) -> None:
        state = self._state(mid)
        if state is None:
            raise _unknown(mid)
        before, after = _STEPS[step]
        if state not in before:
            raise NotNow(f"merchant {mid} is {state}; {step} needs one that is {' or '.join(before)}")
        if after in ("submitted", "pending_review", "rejected", "approved", "closed"):
            self._db.execute("UPDATE applications SET state = ? WHERE mid = ?", (after, mid))
        self._steps.note(step, mid, **details)

    def _new_mid(self, application: Application) -> str:
        """Institution (3), region (4), category (4) and a serial number (4), as UnionPay's merchant codes are made."""
        stem = f"{application.acquirer_code[:3]}{application.location.region}{application.category}"
        for serial in range(1, _SERIALS):
            mid = f"{stem}{serial:04d}"
            if self._state(mid) is None:
                return mid
        raise NotNow(f"all merchant codes that begin with {stem} are in use")


def rates_of(rates: FeeRates) -> dict[CardType, Fee]:
    return {name: Fee(rate.basis_points, rate.cap) for name in CARD_TYPES for rate in [getattr(rates, name)]}


def _unknown(mid: str) -> Unknown:
    return Unknown(f"there is no merchant {mid}")
