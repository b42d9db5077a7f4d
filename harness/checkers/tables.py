"""What an operation is made of on the wire: one row each, from the tables of ``harness.protocol.transactions``.

Whatever stands in no row is *unknown* to this version: no rule takes it for something that it knows.
"""

from __future__ import annotations

from harness.protocol.transactions import KINDS, REVERSIBLE, STORED

UNKNOWN = "unknown"  # as harness.protocol.codes.transaction_name says it

# An operation -> the requests that are its own, not done on its way.
OWN: dict[str, frozenset[str]] = {
    "sign_in": frozenset({"sign_in"}),
    "sign_off": frozenset({"sign_off"}),
    "echo": frozenset({"echo"}),
    "parameter_download": frozenset({"parameter_download"}),
    "status_upload": frozenset({"status_upload"}),
    "capk_update": frozenset({"capk_query", "capk_download", "capk_end"}),
    "ic_parameter_update": frozenset({"ic_parameter_query", "ic_parameter_download", "ic_parameter_end"}),
    "blacklist_update": frozenset({"blacklist_download", "blacklist_end"}),
    "software_update": frozenset({"software_query", "software_download", "software_end"}),
    "activate": frozenset({"activation"}),
    "settle": frozenset({"settlement", "batch_upload", "batch_upload_chip", "batch_end"}),
    "load_firmware": frozenset({"software_query", "software_download", "software_end"}),  # where the host has it
    **{name: frozenset({name}) for name in KINDS},
    "offline_chip_sale": frozenset({"offline_chip_sale", "sale"}),  # a chip may ask to go online all the same
}
ONLINE_OPERATIONS = frozenset(OWN) - STORED - {"load_firmware"}  # send a request of their own at once
FINANCIAL_OPERATIONS = frozenset(KINDS) - STORED  # of these the ones that ask for money, or whether there is some

# What follows an approval or was accepted offline, and leaves on the way of something else: that goes on after a 97.
FOLLOW_UPS = frozenset({"script_notice", "signature_upload"})
ON_THE_WAY = FOLLOW_UPS | STORED
UPLOADS = frozenset({"batch_upload", "batch_upload_chip", "batch_end"})
# Requests whose F11 is the number of an earlier one.
NUMBERED_BEFORE = frozenset({"reversal", "batch_upload_chip", "signature_upload"}) | STORED

# A download by which the terminal obeys the host (header nibble 5), in its first request.
ASKED_FOR_BY: dict[str, frozenset[str]] = {
    "1": frozenset({"parameter_download"}),
    "2": frozenset({"status_upload"}),
    "3": frozenset({"sign_in"}),
    "4": OWN["capk_update"],
    "5": OWN["ic_parameter_update"],
    "6": OWN["software_update"],
    "7": OWN["blacklist_update"],
}
DOWNLOADS = OWN["parameter_download"] | OWN["capk_update"] | OWN["ic_parameter_update"] | OWN["blacklist_update"]

# Types of transaction on which 97 can come, for REC-08: the wire's name of each request -> the type, and what a model
# must declare for it. An upload by chip and by stripe, or the requests of one download, are one type.
TYPE_OF: dict[str, str] = {
    **{name: operation for operation in ONLINE_OPERATIONS | STORED for name in OWN[operation]},
    **{name: name for name in KINDS},
    "settlement": "settlement", **dict.fromkeys(UPLOADS, "batch_upload"),
    "reversal": "reversal", **{name: name for name in FOLLOW_UPS},
}  # fmt: skip
DECLARED_AS: dict[str, str] = {  # type -> operation, where it has not the operation's name
    "settlement": "settle", "batch_upload": "settle", "reversal": "sale", "script_notice": "sale",
    "signature_upload": "sale",
}  # fmt: skip

__all__ = [
    "ASKED_FOR_BY", "DECLARED_AS", "DOWNLOADS", "FINANCIAL_OPERATIONS", "FOLLOW_UPS", "KINDS", "NUMBERED_BEFORE",
    "ONLINE_OPERATIONS", "ON_THE_WAY", "OWN", "REVERSIBLE", "STORED", "TYPE_OF", "UNKNOWN", "UPLOADS",
]  # fmt: skip
