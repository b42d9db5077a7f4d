"""What every flow to the host stands on: the board, the memory, the line, and what any answer may ask for."""

from __future__ import annotations

import time

from . import comms, condition, results, rules, texts, version
from .comms import Show
from .downloads import ASKED_BY_HEADER
from .hardware import Board
from .loop import Flow
from .messages import Request
from .records import State
from .results import Result
from .screen import Printer
from .store import Store


class Desk:
    """``sign_in_due``: the terminal is to sign in by itself. ``asked``: downloads that the host asked for in a header,
    by name. ``original_under_way``: the stored reversal is that of the message on the line, and not due."""

    def __init__(self, board: Board, store: Store, line: comms.Line) -> None:
        self.board, self.store, self.line = board, store, line
        self.printer = Printer(board)
        self.sign_in_due = False
        self.asked: set[str] = set()
        self.original_under_way = False

    @property
    def state(self) -> State:
        return self.store.state

    def clock(self) -> tuple[str, str, int]:
        """Date MMDD, time hhmmss and year of the terminal's own clock."""
        clock = time.gmtime(self.board.now())
        return time.strftime("%m%d", clock), time.strftime("%H%M%S", clock), self.year

    @property
    def clock_lost(self) -> bool:
        """The terminal's own clock says nothing until a sign-in has set it."""
        return bool(condition.of_clock(self.board.condition()))

    @property
    def year(self) -> int:
        """Of the terminal's own clock; where that was lost, of the last transaction, or of the release: no message
        says a year."""
        if not self.clock_lost:
            return time.gmtime(self.board.now()).tm_year
        return max(self.state.last.year if self.state.last else 0, version.YEAR)

    def refusal(self) -> Result | None:
        """Why no financial transaction may begin now; None: it may."""
        if self.state.handed_over:
            return self.gone()
        if not (self.state.signed_in and self.state.complete):
            return results.local(results.SIGN_IN_FIRST, texts.SIGN_IN_FIRST)
        if rules.must_settle(self.state, self.store.log):
            return results.local(results.SETTLE_FIRST, texts.SETTLE_FIRST)
        return None

    @staticmethod
    def gone() -> Result:
        """The batch is another unit's."""
        return results.local(results.HANDED_OVER, texts.GONE)

    def failure(self, verdict: comms.Verdict) -> Result:
        """The result of a message that was not approved."""
        return results.of_failure(verdict.outcome, verdict.code, self.state.dialect, verdict.why)

    # -- messages ------------------------------------------------------------------------------------------------------

    def numbered(self, request: Request, show: Show) -> Flow[comms.Verdict]:
        """A message with a trace number that is no financial one."""
        self.store.commit(trace=rules.next_trace(self.state.trace))
        return (yield from self.exchange_and_obey(request, show))

    def exchange_and_obey(self, request: Request, show: Show) -> Flow[comms.Verdict]:
        """The answer may end the sign-in."""
        verdict = yield from self.exchange(request, show)
        signed_in = rules.stays_signed_in(self.state, verdict.outcome, verdict.code)
        if signed_in != self.state.signed_in:
            self.store.commit(signed_in=signed_in)
        return verdict

    def exchange(self, request: Request, show: Show) -> Flow[comms.Verdict]:
        verdict = yield from self.line.exchange(self.state, request, show)
        if verdict.request == rules.SIGN_IN_REQUESTED:
            self.sign_in_due = True
        elif verdict.request in ASKED_BY_HEADER:
            self.asked.add(ASKED_BY_HEADER[verdict.request])
        return verdict
