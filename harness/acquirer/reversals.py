"""Reversals of every reversible kind: found by TID, F60.2 and F11 of the original, taking effect once."""

from __future__ import annotations

from harness.acquirer.answers import APPROVED, Answer
from harness.acquirer.cases import Case, Desk, Handlers, amount_of, need
from harness.protocol.transactions import KINDS


def handlers(desk: Desk) -> Handlers:
    """0400, whatever its original is."""

    def reversal(case: Case) -> Answer:
        need(case.frame, 3, 4, 39)
        request, amount = case.request, amount_of(case.frame)
        entry = desk.ledger.find(desk.known_batch(case), request.trace)
        if entry is None:
            code = desk.ledger.was_refused(request.mid, request.tid, request.batch, request.trace)
            if code is None:
                return Answer(desk.profile.reversal_of_unknown, "the original was never seen")
            why = f"the original was answered {code}, there is nothing to reverse"
            return Answer(desk.profile.reversal_of_declined, why)
        kind = KINDS[entry.kind]
        if entry.amount != amount:
            return Answer("12", f"the original has amount {entry.amount}, the reversal {amount}")
        if (request.message_type, case.frame.get(3)) != (kind.message_type, kind.processing):
            said = f"F60.1 {request.message_type} and F3 {case.frame.get(3)}"
            return Answer("12", f"the original is a {entry.kind}, the reversal has {said}")
        if not kind.reversible:
            return Answer("12", f"a {entry.kind} is never reversed")
        if entry.state == "reversed":
            return Answer(APPROVED, f"{entry.kind} was reversed before")
        if entry.state != "approved":
            return Answer("12", f"the original was {entry.state}")
        if desk.ledger.refunded(entry.id):
            return Answer("12", "the original was refunded")
        desk.ledger.reverse(entry)
        return Answer(APPROVED, f"{entry.kind} of {entry.amount / 100:.2f} reversed")

    return {"reversal": reversal}
