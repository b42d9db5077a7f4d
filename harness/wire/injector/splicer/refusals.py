# SPDX-License-Identifier: GPL-2.0-only
"""What is refused before it is armed, and why."""

from __future__ import annotations

from harness.errors import BadInput
from harness.wire.faults.base import Fault
from harness.wire.faults.forge import Forge
from harness.wire.injector.splicer.deeds import deed, names
from harness.wire.injector.splicer.links import ENCRYPTED
from harness.wire.injector.splicer.session_keys import SessionKeys


def check(fault: Fault, link: str, keys: SessionKeys) -> None:
    """Raises :class:`BadInput` where ``fault`` can't be done on this link."""
    name, moment = fault.called(), fault.match.moment
    if name not in names():
        raise BadInput(f"{name} acts on packets, not on messages", where="fault")
    deed(fault)  # imported now, not when it strikes
    if (moment is None and name == "rst") or (moment is not None and moment.connecting):
        raise BadInput(f"{name} without a message is not for the splicer", where=f"{name}: match")
    if moment is not None and fault.match.direction not in ("both", moment.direction):
        raise BadInput(
            f"{moment} goes {moment.direction}, never {fault.match.direction}", where=f"{name}: match",
            remedy="Leave the direction out: the message has one.",
        )
    if isinstance(fault, Forge) and moment is not None and moment.direction != "to_acquirer":
        raise BadInput(
            f"{moment} is no request", where="forge: moment", remedy="A forged answer's moment is its request."
        )
    if fault.changes_content and link in ENCRYPTED:
        raise BadInput(
            f"{name} changes what is in the stream, and nobody on the wire can write into a TLS session",
            where=f"{name}: link {link}",
            remedy="Have the acquirer say it (its misbehaviour: docs/acquirer.md). On the wire a TLS record can be "
                   "held, swallowed, cut, dribbled, or its connection reset.",
        )
    if getattr(fault, "mac", "") == "recompute" and not keys.any:
        raise BadInput(
            "no master key is known, so no MAC can be recomputed", where=f"{name}: mac",
            remedy="Give the terminals' master keys first (`keys`), or say another `mac`.",
        )
