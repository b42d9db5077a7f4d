"""Network management that is neither sign-in nor download: sign-off and echo."""

from __future__ import annotations

from harness.acquirer.answers import APPROVED, Answer
from harness.acquirer.cases import Case, Desk, Handlers
from harness.acquirer.registry import SignState


def handlers(desk: Desk) -> Handlers:
    """0820 with F60.3 002 and 301."""

    def sign_off(case: Case) -> Answer:
        desk.registry.set_sign_state(case.terminal.mid, case.terminal.tid, SignState.SIGNED_OFF)
        return Answer(APPROVED, "signed off")

    return {"sign_off": sign_off, "echo": lambda case: Answer(APPROVED, "echo")}
