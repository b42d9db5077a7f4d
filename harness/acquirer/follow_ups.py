"""What follows an approval: script results (0620) and signatures (0820, F60.1 07). Both are kept beside their original
and change nothing in it."""

from __future__ import annotations

from harness.acquirer.answers import APPROVED, Answer
from harness.acquirer.cases import Case, Desk, Handlers, amount_of, need
from harness.acquirer.ledger import Entry
from harness.protocol.frames import FrameError
from harness.protocol.nested import Original
from harness.protocol.tlv import read_ber

_SCRIPT_RESULTS = "DF31"


def handlers(desk: Desk) -> Handlers:
    """Script notice and signature upload."""

    def script_notice(case: Case) -> Answer:
        need(case.frame, 11, 37, 55, 61)
        named = Original.of(case.frame)
        if all(element.tag != _SCRIPT_RESULTS for element in read_ber(case.frame.binary(55))):
            raise FrameError("no script results (DF31) in it", field=55)
        request = case.request
        batch = desk.ledger.known_batch(request.mid, request.tid, int(named.batch), case.terminal.batch)
        return keep(case, desk.ledger.find(batch, named.trace), 55)

    def signature_upload(case: Case) -> Answer:
        need(case.frame, 11, 37, 62)
        entry = desk.ledger.find(desk.known_batch(case), case.request.trace)
        if entry is not None and 4 in case.frame and entry.amount != amount_of(case.frame):
            return Answer("12", f"the original has amount {entry.amount}, the signature {amount_of(case.frame)}")
        return keep(case, entry, 62)

    def keep(case: Case, entry: Entry | None, field: int) -> Answer:
        if entry is None:
            return Answer("25", "the original is not in the books")
        if entry.rrn != case.frame.get(37):
            return Answer("25", f"the original has F37 {entry.rrn}, this one {case.frame.get(37)}")
        new = desk.uploads.keep(entry.id, case.request.transaction, case.frame.get(field))
        what = f"F{field} kept with the {entry.kind} {entry.trace} of batch {entry.batch:06d}"
        return Answer(APPROVED, what if new else f"{what}, again")

    return {"script_notice": script_notice, "signature_upload": signature_upload}
