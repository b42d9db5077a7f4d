"""What the host does with a request that the switch let through: handlers by the transaction's name, one module a
subject.

Where public sources leave a point open the choice is in docs/acquirer.md.
"""

from __future__ import annotations

from harness.acquirer import downloads, follow_ups, money, network, reversals, settlement, sign_in
from harness.acquirer.answers import Answer
from harness.acquirer.cases import Case, Desk, Handler
from harness.protocol.frames import FrameError, offset_of, placed
from harness.protocol.spec import OFFSET_MTI

_SUBJECTS = (sign_in, network, downloads, money, reversals, settlement, follow_ups)


class Transactions:
    """Decides and books. Every call is inside the caller's database transaction."""

    def __init__(self, desk: Desk) -> None:
        self._by_name: dict[str, Handler] = {}
        for subject in _SUBJECTS:
            self._by_name.update(subject.handlers(desk))

    def carry_out(self, case: Case) -> Answer:
        """The answer; what it says is booked. 40: no handler for it; 30: a field is missing or has another shape."""
        handler = self._by_name.get(case.request.transaction)
        if handler is None:
            where = OFFSET_MTI if not case.request.message_type else offset_of(case.frame, 60)
            return Answer("40", f"function not supported ({_said(case)}, offset {where})")
        try:
            return handler(case)
        except FrameError as error:
            return Answer("30", str(placed(error, case.frame)))


def _said(case: Case) -> str:
    request = case.request
    return f"MTI {request.mti}, F60.1 {request.message_type}, F60.3 {request.network_code or 'absent'}"
