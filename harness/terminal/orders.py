"""What each transaction needs to be told: one table for drivers of every kind, for suites and for Robot keywords."""

from __future__ import annotations

from harness.errors import BadInput
from harness.terminal.contracts import Order

Need = str  # a field of Order

_ORIGINAL = ("card", "authorisation", "date", "amount")
NEEDS: dict[str, tuple[Need, ...]] = {
    **dict.fromkeys(
        (
            "sign_in", "sign_off", "echo", "parameter_download", "status_upload", "capk_update", "ic_parameter_update",
            "blacklist_update", "software_update", "settle", "reprint",
        ),
        (),
    ),
    "balance": ("card",),
    "sale": ("amount", "card"),
    "void": ("trace",),
    "refund": ("reference", "date", "amount", "card"),
    "pre_authorisation": ("amount", "card"),
    "pre_authorisation_void": _ORIGINAL,
    "completion": _ORIGINAL,
    "completion_advice": _ORIGINAL,
    "completion_void": ("trace",),
    "offline_sale": ("amount", "card"),
    "offline_chip_sale": ("amount", "card"),
    "offline_adjust": ("trace", "amount"),
    "offline_tip": ("trace", "tip"),
}
TAKES_PIN = frozenset({"balance", "sale", "pre_authorisation", "pre_authorisation_void", "completion"})


def check(order: Order) -> Order:
    """The order itself. Raises :class:`BadInput` where its transaction is unknown or lacks something."""
    if order.name not in NEEDS:
        raise BadInput(f"there is no transaction {order.name!r}", remedy=f"known: {', '.join(NEEDS)}")
    missing = [need for need in NEEDS[order.name] if getattr(order, need) in (None, "")]
    if missing:
        raise BadInput(f"{order.name} needs {', '.join(missing)}")
    return order
