"""What must reach the host before anything new: the reversal that is due, the notice of issuer scripts, stored
transactions. And customers' signatures, which hold up nothing.

Each stays in the memory until it is answered for good; an answer that says the terminal is unknown (97) or has to sign
in first is none.
"""

from __future__ import annotations

from dataclasses import replace

from . import messages, results, rules, slips, texts
from .comms import Show, Verdict
from .desk import Desk
from .kinds import KINDS
from .loop import Flow
from .messages import Request
from .records import Record, Reversal, Signature
from .results import Result
from .rules import Outcome

MOST_SIGNATURE_ATTEMPTS = 3
MOST_SIGNATURES = 10  # waiting at a time; with more, customers sign on paper


class Pending:
    """Each flow ends in None: nothing of its sort is left; or in the result that says why something is."""

    def __init__(self, desk: Desk) -> None:
        self._desk, self._store = desk, desk.store

    def deliver_all(self, show: Show) -> Flow[Result | None]:
        """The reversal, the script notice, then what is stored, oldest first."""
        stuck = yield from self.deliver_reversal(show)
        if stuck is None:
            stuck = yield from self._deliver_script(show)
        if stuck is None:
            stuck = yield from self._deliver_stored(show)
        return stuck

    # -- the reversal --------------------------------------------------------------------------------------------------

    def deliver_reversal(self, show: Show) -> Flow[Result | None]:
        due = self._store.state.reversal
        if due is None:
            return None
        if not self._store.state.mak:
            return results.local(results.SIGN_IN_FIRST, texts.SIGN_IN_FIRST)
        verdict = yield from self._desk.exchange(messages.reversal(due), show)
        if verdict.outcome is Outcome.APPROVED:
            self._commit_delivered()
            return None
        signed_in = rules.stays_signed_in(self._store.state, verdict.outcome, verdict.code)
        if verdict.outcome is not Outcome.NOT_CONNECTED:
            kept = rules.after_failed_delivery(self._store.state.dialect, due)
            if kept is None:
                self._print_given_up(due)
                kept = due if self._desk.printer.trouble else None  # what nobody can read is not forgotten
            self._store.commit(reversal=kept, signed_in=signed_in)
        return results.of_stuck(self._desk.failure(verdict), texts.REVERSAL_STUCK)

    def _print_given_up(self, due: Reversal) -> None:
        """Before it is forgotten: twice on paper after a power cut rather than not at all."""
        self._desk.printer.print(slips.reversal_record(self._store.state, due))

    def _commit_delivered(self) -> None:
        """The reversal is gone; with nothing else stored, the batch number that the host gave meanwhile is taken."""
        state = replace(self._store.state, reversal=None)
        if state.host_batch and not rules.anything_stored(state, self._store.log):
            self._store.commit(reversal=None, batch=state.host_batch, host_batch=0)
        else:
            self._store.commit(reversal=None)

    # -- what follows an approval --------------------------------------------------------------------------------------

    def _deliver_script(self, show: Show) -> Flow[Result | None]:
        due = self._store.state.script
        if due is None:
            return None
        verdict = yield from self._desk.exchange_and_obey(messages.script_notice(due), show)
        if self._is_final(verdict):
            self._store.commit(script=None)
            return None
        return results.of_stuck(self._desk.failure(verdict), texts.SCRIPT_STUCK)

    def _deliver_stored(self, show: Show) -> Flow[Result | None]:
        while self._store.state.undelivered:
            trace = self._store.state.undelivered[0]
            record = next(one for one in self._store.log if one.trace == trace)
            verdict = yield from self._desk.exchange_and_obey(self._advice(record), show)
            if not self._is_final(verdict):
                return results.of_stuck(self._desk.failure(verdict), texts.STORED_STUCK)
            left = self._store.state.undelivered[1:]
            signatures = self._named(record, verdict.fields.get(37, ""))
            if verdict.outcome is Outcome.APPROVED:
                self._store.commit(undelivered=left, signatures=signatures)
            else:
                refused = (*self._store.state.refused, trace)
                self._store.commit(undelivered=left, refused=refused, signatures=signatures)
        return None

    def _named(self, record: Record, reference: str) -> tuple[Signature, ...]:
        """The signatures that wait, now that the host has given the record the reference by which its own names it."""
        batch_and_trace = (f"{record.batch:06d}", f"{record.trace:06d}")
        return tuple(
            replace(one, fields=one.fields | {37: reference})
            if (one.fields[60][2:8], one.fields[11]) == batch_and_trace and reference else one
            for one in self._store.state.signatures
        )

    def _advice(self, record: Record) -> Request:
        """The stored request as it was made: the same trace number and batch at each repeat."""
        mti = KINDS[record.kind].mti
        if record.kind == "offline_chip_sale":
            mti = self._store.state.dialect.offline_chip_mti
        return Request(mti, record.sent, financial=True)

    def _is_final(self, verdict: Verdict) -> bool:
        return rules.is_final(self._store.state.dialect, verdict.outcome, verdict.code)

    # -- signatures ----------------------------------------------------------------------------------------------------

    @property
    def signature_due(self) -> bool:
        return any(_may_be_sent(one) for one in self._store.state.signatures)

    def deliver_signatures(self, show: Show) -> Flow[Result | None]:
        """Each that may be sent; ends at the first that is not taken."""
        for due in self._store.state.signatures:
            if not _may_be_sent(due):
                continue
            verdict = yield from self._desk.exchange_and_obey(messages.signature_upload(due), show)
            others = tuple(one for one in self._store.state.signatures if one.fields != due.fields)
            if verdict.outcome is Outcome.APPROVED:
                self._store.commit(signatures=others)
                continue
            if verdict.outcome is not Outcome.NOT_CONNECTED:
                self._store.commit(signatures=(*others, replace(due, attempts=due.attempts + 1)))
            return self._desk.failure(verdict)
        return None


def _may_be_sent(due: Signature) -> bool:
    """It was not tried too often, and the host knows what it belongs to: a stored transaction has to go first."""
    return due.attempts < MOST_SIGNATURE_ATTEMPTS and 37 in due.fields
