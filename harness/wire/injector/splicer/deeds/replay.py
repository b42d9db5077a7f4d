# SPDX-License-Identifier: GPL-2.0-only
"""An earlier message comes once more: in the place of another, before it, or after it."""

from __future__ import annotations

from harness.wire.faults.replay import Replay
from harness.wire.injector.splicer.plan import Plan
from harness.wire.injector.splicer.session_keys import SessionKeys

KEEPS = False


def strike(fault: Replay, plan: Plan, keys: SessionKeys, match: int) -> tuple[str, bytes]:
    earlier = bytes.fromhex(fault.hex)
    if fault.when == "instead":
        plan.frame = earlier
        return "an earlier message was delivered in its place", earlier
    if fault.when == "before":
        plan.before = earlier
    else:
        plan.after = earlier
    return f"an earlier message was delivered {fault.when} it", earlier
