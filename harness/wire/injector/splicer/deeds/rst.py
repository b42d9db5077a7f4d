# SPDX-License-Identifier: GPL-2.0-only
"""A connection is reset where a message is: before it is delivered, or when it has been."""

from __future__ import annotations

from harness.wire.faults.rst import Rst
from harness.wire.injector.splicer.plan import Plan
from harness.wire.injector.splicer.session_keys import SessionKeys

KEEPS = True


def strike(fault: Rst, plan: Plan, keys: SessionKeys, match: int) -> tuple[str, bytes]:
    after = fault.match.moment is not None and fault.match.moment.after
    plan.reset, plan.reset_after = fault.side, after
    who = {"both": "both ends", "terminal": "the terminal", "acquirer": "the acquirer"}[fault.side]
    return f"{who} reset {'after' if after else 'before'} it", b""
