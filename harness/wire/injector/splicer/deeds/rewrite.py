# SPDX-License-Identifier: GPL-2.0-only
"""Some fields of a message are other ones on arrival, with whatever MAC was asked for."""

from __future__ import annotations

from harness.errors import BadInput
from harness.protocol import frames
from harness.wire.faults.rewrite import Rewrite
from harness.wire.injector.splicer.plan import Plan
from harness.wire.injector.splicer.session_keys import SessionKeys

_WORDS = {"keep": "F64 kept", "break": "F64 broken", "recompute": "F64 recomputed", "strip": "F64 stripped"}

KEEPS = False


def strike(fault: Rewrite, plan: Plan, keys: SessionKeys, match: int) -> tuple[str, bytes]:
    original = frames.decode(plan.frame)
    frame = original.but(fault.fields)
    if fault.mac == "recompute":
        frame = keys.seal(frame, like=original)
    elif fault.mac == "strip":
        frame = frame.but({64: None})
    elif fault.mac == "break":
        if 64 not in original:
            raise BadInput(
                "the message has no F64 that could be broken", where="rewrite: mac",
                remedy="Say mac=keep, or choose a message that has one.",
            )
        frame = frame.but({64: broken(original.get(64))})
    plan.frame = frame.raw
    changed = ", ".join(f"F{number}" for number in sorted(fault.fields))
    return f"{changed + ' rewritten, ' if changed else ''}{_WORDS[fault.mac]}", plan.frame


def broken(mac: str) -> str:
    """Another F64: the first character differs, whatever it was."""
    return ("1" if mac[:1] == "0" else "0") + mac[1:]
