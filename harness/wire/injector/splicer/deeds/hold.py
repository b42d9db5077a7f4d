# SPDX-License-Identifier: GPL-2.0-only
"""A message is kept back. Meanwhile everything behind it waits too, and its sender's repetitions are not passed on."""

from __future__ import annotations

from harness.wire.faults.hold import Hold
from harness.wire.injector.splicer.plan import Plan
from harness.wire.injector.splicer.script import NEVER
from harness.wire.injector.splicer.session_keys import SessionKeys

KEEPS = True


def strike(fault: Hold, plan: Plan, keys: SessionKeys, match: int) -> tuple[str, bytes]:
    plan.hold = NEVER if fault.release_s is None else int(fault.release_s * 1e9)
    return "held until healed" if fault.release_s is None else f"held for {fault.release_s:g} s", b""
