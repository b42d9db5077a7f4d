# SPDX-License-Identifier: GPL-2.0-only
"""A message comes in small pieces."""

from __future__ import annotations

import random

from harness.wire.faults.dribble import Dribble
from harness.wire.injector.splicer.plan import Plan
from harness.wire.injector.splicer.session_keys import SessionKeys

KEEPS = True


def strike(fault: Dribble, plan: Plan, keys: SessionKeys, match: int) -> tuple[str, bytes]:
    dice = random.Random(f"{fault.seed}:{match}")
    gap, left = int(fault.gap_ms * 1e6), plan.size
    while left > 0:
        size = max(1, fault.size + dice.randint(-fault.variation, fault.variation))
        plan.pieces.append((min(size, left), gap if plan.pieces else 0))
        left -= size
    return f"delivered in {len(plan.pieces)} pieces, {fault.gap_ms:g} ms apart", b""
