"""A merchant and a terminal for somebody who wants to see an approved sale in five minutes."""

from __future__ import annotations

from dataclasses import dataclass

from harness.acquirer.registration.back_office import BackOffice
from harness.acquirer.registration.documents import Application

MID = "898290059990001"
TID = "97000001"
_APPLICATION = Application.model_validate({
    "mid": MID, "company": "Demo Corner Shop", "uscc": "91350100M000100Y43", "tax_certificate": "91350100M000100Y43",
    "settlement_account": "6200000000000097", "acquirer_code": "89800000", "category": "5999",
    "location": {"region": "2900", "address": "97 Demo Road, Shanghai"},
    "contact": {"name": "Demo", "phone": "021 5555 0197"},
    "fees": {
        "debit": {"basis_points": 50, "cap": 2000}, "credit": {"basis_points": 60}, "scan": {"basis_points": 38},
    },
})  # fmt: skip


@dataclass(frozen=True)
class Demo:
    """``tmk``: 16 bytes, of the demo terminal that any unit may be."""

    mid: str
    tid: str
    tmk: bytes


def seed(office: BackOffice) -> Demo:
    """Registers the demo merchant and terminal, where they are not yet. No unit is bound: any serial number will do."""
    registry = office.host.registry
    with office.store.transaction():
        if registry.merchant(MID) is None:
            if not any(merchant.mid == MID for merchant in office.merchants.all()):
                office.merchants.submit(_APPLICATION)
                office.merchants.review(MID)
                office.merchants.approve(MID)
            else:
                registry.register_merchant(MID, _APPLICATION.company)
        known = registry.keys(MID, TID)
        if registry.terminal(MID, TID) is not None and known is not None:
            return Demo(MID, TID, known.tmk)
        return Demo(MID, TID, registry.register_terminal(MID, TID))
