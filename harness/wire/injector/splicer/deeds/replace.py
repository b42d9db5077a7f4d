# SPDX-License-Identifier: GPL-2.0-only
"""Other bytes in the place of a message."""

from __future__ import annotations

from harness.wire.faults.replace import Replace
from harness.wire.injector.splicer.plan import Plan
from harness.wire.injector.splicer.session_keys import SessionKeys

KEEPS = False


def strike(fault: Replace, plan: Plan, keys: SessionKeys, match: int) -> tuple[str, bytes]:
    plan.frame = bytes.fromhex(fault.hex)
    return f"replaced by {len(plan.frame)} bytes", plan.frame
