# SPDX-License-Identifier: GPL-2.0-only
"""A message does not arrive, and its sender sees it acknowledged."""

from __future__ import annotations

from harness.wire.faults.swallow import Swallow
from harness.wire.injector.splicer.plan import Plan
from harness.wire.injector.splicer.session_keys import SessionKeys


def strike(fault: Swallow, plan: Plan, keys: SessionKeys, match: int) -> tuple[str, bytes]:
    plan.frame = b""
    return "swallowed, and acknowledged to its sender", b""
