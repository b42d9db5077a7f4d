"""For the tests of registration: a back office on a host in this process, and documents that are right."""

from __future__ import annotations

from typing import Any

from harness.acquirer.registration.back_office import BackOffice
from harness.acquirer.registration.documents import Application, BindingRequest
from harness.protocol.nested import make_serial_number
from harness.protocol.profile import Profile
from harness.tests.acquirer_terminal import InProcess, Pos

USCC = "91350100M000100Y43"
HOUR = 3600


def application(**changes: Any) -> dict[str, Any]:
    """An application as JSON has it."""
    return {
        "company": "Corner Shop 街角小店", "uscc": USCC, "tax_certificate": USCC,
        "settlement_account": "6217000010001234567", "acquirer_code": "48020000", "category": "5411",
        "location": {"region": "2900", "address": "97 Example Road, Shanghai"},
        "contact": {"name": "Li", "phone": "021 5555 0100"},
        "fees": {
            "debit": {"basis_points": 50, "cap": 2000}, "credit": {"basis_points": 60}, "scan": {"basis_points": 38}
        },
        **changes,
    }  # fmt: skip


def binding(mid: str, serial_number: str, **changes: Any) -> dict[str, Any]:
    """A unit and its five elements, those of :func:`application`."""
    return {
        "serial_number": serial_number, "acquirer_code": "48020000", "mid": mid, "uscc": USCC,
        "settlement_account": "6217000010001234567",
        "location": {"region": "2900", "address": "97 Example Road, ground floor"}, **changes,
    }  # fmt: skip


class Office(InProcess):
    """A host without sockets, with its back office. Every step is a transaction of its own."""

    def __init__(self, with_profile: Profile | None = None) -> None:
        super().__init__(with_profile)
        self.back = BackOffice(self.host, {})
        self.merchants, self.terminals = self.back.merchants, self.back.terminals

    def submit(self, **changes: Any) -> str:
        with self.host.store.transaction():
            return self.merchants.submit(Application.model_validate(application(**changes)))

    def merchant(self, **changes: Any) -> str:
        """An approved one."""
        mid = self.submit(**changes)
        for step in (self.merchants.review, self.merchants.approve):
            with self.host.store.transaction():
                step(mid)
        return mid

    def bind(self, mid: str, serial_number: str, **changes: Any) -> str:
        with self.host.store.transaction():
            return self.terminals.bind(BindingRequest.model_validate(binding(mid, serial_number, **changes)))

    def activated(self, mid: str, serial_number: str) -> Unit:
        """A unit that was bound, approved and activated."""
        tid = self.bind(mid, serial_number)
        with self.host.store.transaction():
            code = self.terminals.approve(mid, tid, HOUR).code
        with self.host.store.transaction():
            done = self.terminals.activate(serial_number, code)
        return Unit(self.exchange, done.tid, done.tmk, mid=done.mid, serial_number=serial_number)


class Unit(Pos):
    """A terminal that says which unit it is."""

    def __init__(self, *args: Any, serial_number: str, **more: Any) -> None:
        super().__init__(*args, **more)
        self.serial_number = serial_number

    def sign_in_fields(self) -> dict[int, str]:
        fields = super().sign_in_fields()
        return fields | {62: make_serial_number(f"HT97{self.serial_number}")} if self.serial_number else fields

    def code_of_sign_in(self) -> str:
        return self.sign_in().get(39)

    def code_of_sale(self) -> str:
        return self.sale(100).get(39)
