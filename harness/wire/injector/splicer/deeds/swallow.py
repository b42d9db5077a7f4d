# SPDX-License-Identifier: GPL-2.0-only
"""A message does not arrive, and its sender sees it acknowledged.

Under TLS every record has a number that is not written in it: without this one the receiver could open none behind it,
and would end the session with an alert that speaks of a forgery. So all behind it is swallowed too, until the FIN.
"""

from __future__ import annotations

from harness.wire.faults.swallow import Swallow
from harness.wire.injector.splicer.plan import Plan
from harness.wire.injector.splicer.session_keys import SessionKeys

KEEPS = False


def strike(fault: Swallow, plan: Plan, keys: SessionKeys, match: int) -> tuple[str, bytes]:
    plan.frame = b""
    if plan.message.head is None:
        plan.mute = True
        return "swallowed with all behind it (its session can't lack a record), and acknowledged to its sender", b""
    return "swallowed, and acknowledged to its sender", b""
