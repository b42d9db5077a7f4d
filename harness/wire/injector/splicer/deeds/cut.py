# SPDX-License-Identifier: GPL-2.0-only
"""A message breaks off."""

from __future__ import annotations

from harness.wire.faults.cut import Cut
from harness.wire.injector.splicer import plan as plans
from harness.wire.injector.splicer.plan import Plan
from harness.wire.injector.splicer.script import Ending
from harness.wire.injector.splicer.session_keys import SessionKeys

KEEPS = True


def strike(fault: Cut, plan: Plan, keys: SessionKeys, match: int) -> tuple[str, bytes]:
    """Bytes are counted in the message (in HTTP: in the body, its head is delivered), under TLS in its records."""
    head = plan.message.head
    skipped = 0 if head is None else len(plan.raw) - len(plan.frame)
    size = len(plan.raw) - skipped
    keep = min(size, fault.after_bytes) if fault.after_bytes >= 0 else max(0, size + fault.after_bytes)
    wait = int(fault.pause_s * 1e9)
    ending = None if fault.then == "heal" else Ending(fault.then, wait)
    plan.cut = plans.Cut(len(plan.raw_before) + skipped + keep, ending, wait)
    what = {"heal": "the rest later", "reset": "then both ends reset", "close": "then a FIN"}[fault.then]
    of = "bytes" if head is not None else "bytes of its record"
    return f"cut after {keep} of {size} {of}, {what}", plan.frame[:keep] if head is not None else b""
