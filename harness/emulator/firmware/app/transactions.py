"""What the terminal does online. Each is a flow that ends in a :class:`Result`; its safety is the order of commits.

A financial message: reversal and next trace number are committed before it leaves; what the answer means is committed,
as one, before anything is shown or printed.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from . import comms, keystore, messages, results, rules, slips, texts
from .hardware import Board
from .loop import Flow
from .messages import Card, Request
from .records import Record, Settlement, State
from .results import Result
from .rules import Outcome
from .store import Store

Show = comms.Show


class Transactions:
    """``sign_in_due``: the terminal is to sign in by itself. ``original_under_way``: the stored reversal is that of the
    message on the line, and not due."""

    def __init__(self, board: Board, store: Store, line: comms.Line) -> None:
        self._board, self._store, self._line = board, store, line
        self.sign_in_due = False
        self.original_under_way = False

    @property
    def state(self) -> State:
        return self._store.state

    # -- what the operator, the cashier, or the terminal by itself may ask for ----------------------------------------

    def sign_in(self, show: Show) -> Flow[Result]:
        """0800 with 60.3 = 003: working keys, clock and batch number."""
        if not self.state.complete:
            return results.local(results.SIGN_IN_FIRST, texts.NOT_SET_UP)
        yield from self._line.take(show)
        try:
            return (yield from self._sign_in(show))
        finally:
            self._line.release()

    def echo(self, show: Show) -> Flow[Result]:
        """0820 with 60.3 = 301; no trace number."""
        if not self.state.complete:
            return results.local(results.SIGN_IN_FIRST, texts.NOT_SET_UP)
        yield from self._line.take(show)
        try:
            verdict = yield from self._exchange_and_obey(messages.echo(self.state), show)
        finally:
            self._line.release()
        if verdict.outcome is Outcome.APPROVED:
            return results.done(texts.ECHO_DONE)
        return results.of_failure(verdict.outcome, verdict.code)

    def sale(self, amount: int, card: Card, pin: str, show: Show) -> Flow[Result]:
        return (yield from self._financial("sale", lambda: messages.sale(self.state, amount, card, pin), None, show))

    def void(self, original: Record, show: Show) -> Flow[Result]:
        return (yield from self._financial("void", lambda: messages.void(self.state, original), original, show))

    def deliver_reversal(self, show: Show) -> Flow[Result | None]:
        """Sends the reversal that is due; None: there is none (any more)."""
        yield from self._line.take(show)
        try:
            return (yield from self._deliver_reversal(show))
        finally:
            self._line.release()

    def refusal(self) -> Result | None:
        """Why no sale or void may begin now; None: it may."""
        if not (self.state.signed_in and self.state.complete):
            return results.local(results.SIGN_IN_FIRST, texts.SIGN_IN_FIRST)
        if rules.must_settle(self.state, self._store.log):
            return results.local(results.SETTLE_FIRST, texts.SETTLE_FIRST)
        return None

    def reprint(self) -> Result:
        """The slip of the last booked transaction again, also after its batch was settled."""
        last = self.state.last
        if last is None:
            return results.local(results.BAD_COMMAND, texts.NOTHING_TO_PRINT)
        return results.done(texts.REPRINT_DONE, record=last, slip=slips.receipt(self.state, last, again=True))

    def find_sale(self, trace: str) -> Record | Result:
        """The booked sale with this trace number that can be voided, or why there is none."""
        for record in self._store.log:
            if record.kind == "sale" and f"{record.trace:06d}" == trace:
                if self._store.voided(record.trace):
                    return results.local(results.BAD_COMMAND, texts.ALREADY_VOIDED)
                return record
        return results.local(results.BAD_COMMAND, texts.NO_SUCH_TRANSACTION)

    # -- sign-in -------------------------------------------------------------------------------------------------------

    def _sign_in(self, show: Show) -> Flow[Result]:
        request = messages.sign_in(self.state, self._board.serial_number)
        self._store.commit(trace=rules.next_trace(self.state.trace))
        verdict = yield from self._exchange(request, show)
        keys, fault = None, ""
        if verdict.outcome is Outcome.APPROVED:
            try:
                keys = self._working_keys(verdict.fields)
            except keystore.KeyFault as error:
                fault = str(error)
        signed_in = rules.signed_in_after_sign_in(self.state.signed_in, verdict.outcome, keys is not None)
        if keys is None:
            if signed_in != self.state.signed_in:
                self._store.commit(signed_in=signed_in)
            if fault:
                return results.local(results.INVALID, texts.NO_VALID_ANSWER, texts.KEY_FAULT)
            return results.of_failure(verdict.outcome, verdict.code)
        batch, host_batch = rules.adopt_batch(self.state, self._store.log, _batch_of(verdict.fields))
        self._store.commit(
            signed_in=signed_in, pik=keys.pik.hex(), mak=keys.mak.hex(), batch=batch, host_batch=host_batch
        )
        self._set_clock(verdict.fields)
        self.sign_in_due = False
        return results.done(texts.SIGN_IN_DONE)

    def _working_keys(self, fields: dict[int, str]) -> keystore.WorkingKeys:
        """Those of F62; without F62 those in use, where there are any. Raises KeyFault."""
        if 62 in fields:
            return keystore.unwrap(bytes.fromhex(self.state.tmk), bytes.fromhex(fields[62]))
        if not self.state.mak:
            raise keystore.KeyFault("no working keys came and none are in use")
        return keystore.WorkingKeys(bytes.fromhex(self.state.pik), bytes.fromhex(self.state.mak))

    def _set_clock(self, fields: dict[int, str]) -> None:
        """F13 MMDD and F12 hhmmss; the year is that which brings the clock nearest to what it shows now."""
        present = self._board.now()
        year = time.gmtime(present).tm_year
        candidates = [epoch(y, fields.get(13, ""), fields.get(12, "")) for y in (year - 1, year, year + 1)]
        possible = [moment for moment in candidates if moment is not None]
        if possible:
            self._board.set_clock(min(possible, key=lambda moment: abs(moment - present)))

    # -- financial messages --------------------------------------------------------------------------------------------

    def _financial(
        self, kind: str, make: Callable[[], Request], original: Record | None, show: Show
    ) -> Flow[Result]:
        yield from self._line.take(show)
        try:
            refusal = self.refusal()
            if refusal is not None:
                return refusal
            stuck = yield from self._deliver_reversal(show)
            if stuck is not None:
                return stuck
            return (yield from self._send_financial(kind, make(), original, show))
        finally:
            self._line.release()

    def _send_financial(self, kind: str, request: Request, original: Record | None, show: Show) -> Flow[Result]:
        reversal = messages.reversal_of(request, "98")
        self.original_under_way = True
        try:
            self._store.commit(reversal=reversal, trace=rules.next_trace(self.state.trace))
            verdict = yield from self._exchange(request, show)
            record = self._record(kind, request, verdict.fields, original)
            if verdict.outcome is Outcome.APPROVED:
                self._store.commit(book=record, reversal=None, last=record)
                slip = slips.receipt(self.state, record)
                number = f"{texts.TRACE_LABEL}{record.trace:06d}"
                return results.done(texts.APPROVED, number, code=verdict.code, record=record, slip=slip)
            reason = rules.reversal_reason(verdict.outcome)
            signed_in = rules.stays_signed_in(self.state.signed_in, verdict.outcome, verdict.code)
            due = messages.reversal_of(request, reason) if reason else None
            if due != self.state.reversal or signed_in != self.state.signed_in:
                self._store.commit(reversal=due, signed_in=signed_in)
            return results.of_failure(verdict.outcome, verdict.code)._replace(record=record)
        finally:
            self.original_under_way = False

    def _deliver_reversal(self, show: Show) -> Flow[Result | None]:
        due = self.state.reversal
        if due is None:
            return None
        if not self.state.mak:
            return results.local(results.SIGN_IN_FIRST, texts.SIGN_IN_FIRST)
        verdict = yield from self._exchange(messages.reversal(due), show)
        if verdict.outcome is Outcome.APPROVED:
            self._commit_delivered()
            return None
        signed_in = rules.stays_signed_in(self.state.signed_in, verdict.outcome, verdict.code)
        if verdict.outcome is not Outcome.NOT_CONNECTED:
            self._store.commit(reversal=rules.after_failed_delivery(due), signed_in=signed_in)
        return results.of_stuck_reversal(verdict.outcome, verdict.code)

    def _commit_delivered(self) -> None:
        """The reversal is gone; with nothing else stored, the batch number that the host gave meanwhile is taken."""
        if self.state.host_batch and not self._store.log and self.state.settlement is None:
            self._store.commit(reversal=None, batch=self.state.host_batch, host_batch=0)
        else:
            self._store.commit(reversal=None)

    def _record(self, kind: str, request: Request, answer: dict[int, str], original: Record | None) -> Record:
        clock = time.gmtime(self._board.now())
        return Record(
            kind=kind, amount=int(request.fields[4]), pan=request.fields[2], batch=int(request.fields[60][2:8]),
            trace=int(request.fields[11]), reference=answer.get(37, ""), authorisation=answer.get(38, "").strip(),
            date=answer.get(13) or time.strftime("%m%d", clock), time=answer.get(12) or time.strftime("%H%M%S", clock),
            year=clock.tm_year, original=original.trace if original else 0,
        )

    # -- settlement ----------------------------------------------------------------------------------------------------

    def settle(self, show: Show) -> Flow[Result]:
        """0500; where the host's totals differ, the batch in blocks of eight; batch end; then the batch is closed.

        Each step that the host has acknowledged is committed: an interrupted settlement goes on where it stopped.
        """
        yield from self._line.take(show)
        try:
            if not (self.state.signed_in and self.state.complete):
                return results.local(results.SIGN_IN_FIRST, texts.SIGN_IN_FIRST)
            stuck = yield from self._deliver_reversal(show)
            if stuck is not None:
                return stuck
            return (yield from self._settle(show))
        finally:
            self._line.release()

    def _settle(self, show: Show) -> Flow[Result]:
        log = self._store.log
        if self.state.settlement is None:
            request = messages.settlement(self.state, log)
            verdict = yield from self._numbered(request, show)
            if verdict.outcome is not Outcome.APPROVED:
                return results.of_failure(verdict.outcome, verdict.code)
            if 48 not in verdict.fields:
                return results.of_failure(Outcome.NOT_OURS, "")
            self._store.commit(settlement=Settlement(balanced=messages.balanced(verdict.fields[48])))
        progress = self.state.settlement
        while progress is not None and not progress.balanced and progress.uploaded < len(log):
            block = log[progress.uploaded : progress.uploaded + messages.RECORDS_A_BLOCK]
            verdict = yield from self._numbered(messages.upload(self.state, block), show)
            if verdict.outcome is not Outcome.APPROVED:
                return results.of_failure(verdict.outcome, verdict.code)
            progress = Settlement(balanced=False, uploaded=progress.uploaded + len(block))
            self._store.commit(settlement=progress)
        assert progress is not None
        verdict = yield from self._numbered(messages.batch_end(self.state, progress.balanced, len(log)), show)
        if verdict.outcome is not Outcome.APPROVED:
            return results.of_failure(verdict.outcome, verdict.code)
        report = slips.settlement_report(self.state, log, progress.balanced, self._board.now())
        self._store.clear_log(batch=rules.batch_after_settlement(self.state), host_batch=0, settlement=None)
        return results.done(texts.SETTLEMENT_DONE, slip=report)

    # -- all messages --------------------------------------------------------------------------------------------------

    def _numbered(self, request: Request, show: Show) -> Flow[comms.Verdict]:
        """A message with a trace number that is no financial one."""
        self._store.commit(trace=rules.next_trace(self.state.trace))
        return (yield from self._exchange_and_obey(request, show))

    def _exchange_and_obey(self, request: Request, show: Show) -> Flow[comms.Verdict]:
        """The answer may end the sign-in."""
        verdict = yield from self._exchange(request, show)
        signed_in = rules.stays_signed_in(self.state.signed_in, verdict.outcome, verdict.code)
        if signed_in != self.state.signed_in:
            self._store.commit(signed_in=signed_in)
        return verdict

    def _exchange(self, request: Request, show: Show) -> Flow[comms.Verdict]:
        verdict = yield from self._line.exchange(self.state, request, show)
        if verdict.request == rules.SIGN_IN_REQUESTED:
            self.sign_in_due = True
        return verdict


def _batch_of(fields: dict[int, str]) -> int:
    """F60.2, or 0 where the answer has none."""
    digits = fields.get(60, "")[2:8]
    return int(digits) if len(digits) == 6 else 0


def epoch(year: int, mmdd: str, hhmmss: str) -> float | None:
    """Seconds since 1970 of a date and time of the terminal's clock; None where it is none."""
    if len(mmdd) != 4 or len(hhmmss) != 6:
        return None
    month, day = int(mmdd[:2]), int(mmdd[2:])
    hour, minute, second = int(hhmmss[:2]), int(hhmmss[2:4]), int(hhmmss[4:])
    if not (1 <= month <= 12 and hour < 24 and minute < 60 and second < 60):
        return None
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    lengths = (31, 29 if leap else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
    if not 1 <= day <= lengths[month - 1]:
        return None
    before = year - 1
    days = before * 365 + before // 4 - before // 100 + before // 400 - 719_162 + sum(lengths[: month - 1]) + day - 1
    return float(((days * 24 + hour) * 60 + minute) * 60 + second)
