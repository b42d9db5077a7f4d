"""Settlement: 0500, the uploads that follow it, batch end; then the batch is closed.

Each step that the host has acknowledged is committed: an interrupted settlement goes on where it stopped.
"""

from __future__ import annotations

from . import batch, messages, results, rules, slips, texts
from .comms import Show
from .desk import Desk
from .downloads import SIGN_OFF
from .loop import Flow
from .messages import Request
from .pending import Pending
from .records import Settlement
from .results import Result
from .rules import Outcome

_TOTALS_RESET = "97"  # where an 0510 with this code is a success


class Settling:
    def __init__(self, desk: Desk, pending: Pending) -> None:
        self._desk, self._store, self._pending = desk, desk.store, pending

    def settle(self, show: Show) -> Flow[Result]:
        yield from self._desk.line.take(show)
        try:
            if self._store.state.handed_over:
                return self._desk.gone()
            if not self._may_settle():
                return results.local(results.SIGN_IN_FIRST, texts.SIGN_IN_FIRST)
            stuck = yield from self._pending.deliver_all(show)
            if stuck is not None:
                return stuck
            if self._store.state.settlement is None:
                refused = yield from self._pending.deliver_signatures(show)
                if refused is not None and refused.answered and self._stops(refused):
                    return refused
            result = yield from self._settle(show)
            if result.ok and self._store.state.dialect.auto_sign_off:
                yield from self._sign_off(show)
            return result
        finally:
            self._desk.line.release()

    def _may_settle(self) -> bool:
        state = self._store.state
        signed_in = state.signed_in or (state.dialect.settlement_before_sign_in and bool(state.mak))
        return signed_in and state.complete

    def _stops(self, refused: Result) -> bool:
        """Whether a signature that was not taken stops a settlement: the terminal is unknown, or signed out."""
        return rules.seen_later(self._store.state.dialect, refused.code) or not self._may_settle()

    def _settle(self, show: Show) -> Flow[Result]:
        log = self._store.log
        if self._store.state.settlement is None:
            request = messages.settlement(self._store.state, log)
            verdict = yield from self._desk.numbered(request, show)
            if verdict.outcome is not Outcome.APPROVED:
                return self._desk.failure(verdict)
            if 48 not in verdict.fields and verdict.code != _TOTALS_RESET:
                return results.of_failure(Outcome.NOT_OURS, "", self._store.state.dialect)
            balanced = messages.balanced(verdict.fields[48]) if 48 in verdict.fields else True
            self._store.commit(settlement=Settlement(balanced=balanced, code=verdict.code))
        progress = self._store.state.settlement
        assert progress is not None
        uploads = batch.to_upload(self._store.state, log, progress.balanced)
        while progress.uploaded < len(uploads):
            form, block = batch.next_block(uploads, progress.uploaded)
            if form == batch.MAGNETIC_UPLOAD:
                verdict = yield from self._desk.numbered(messages.upload(self._store.state, block), show)
            else:
                again = messages.chip_upload(self._store.state, block[0], form)
                verdict = yield from self._desk.exchange_and_obey(again, show)
            if verdict.outcome is not Outcome.APPROVED:
                return self._desk.failure(verdict)
            progress = Settlement(progress.balanced, progress.uploaded + len(block), progress.code)
            self._store.commit(settlement=progress)
        count = len(batch.counting(self._store.state, log))
        end = messages.batch_end(self._store.state, progress.balanced, count)
        verdict = yield from self._desk.numbered(end, show)
        if verdict.outcome is not Outcome.APPROVED:
            return self._desk.failure(verdict)
        return self._close(progress)

    def _close(self, progress: Settlement) -> Result:
        """The batch is closed; its report is what is left of it."""
        state = self._store.state
        report = slips.settlement_report(state, self._store.log, progress, self._desk.board.now())
        self._store.clear_log(
            batch=rules.batch_after_settlement(state), host_batch=0, settlement=None, refused=(), failed=()
        )
        notes = (texts.TOTALS_RESET,) if progress.code == _TOTALS_RESET else ()
        return results.done(texts.SETTLEMENT_DONE, *notes, slip=report)

    def _sign_off(self, show: Show) -> Flow[None]:
        """By itself after the settlement; whatever the host answers, nobody is signed in any more."""
        state = self._store.state
        fields = messages.network(state, messages.NO_TRANSACTION, SIGN_OFF)
        request = Request("0820", fields | {11: f"{state.trace:06d}", 63: state.dialect.operator})
        verdict = yield from self._desk.numbered(request, show)
        unseen = verdict.outcome is Outcome.DECLINED and rules.seen_later(state.dialect, verdict.code)
        self._store.commit(signed_in=False, note=verdict.code if unseen else self._store.state.note)
