"""Downloads as messages: parameters, status, lists in pages, their entries, their ends.

What may be downloaded is :mod:`harness.acquirer.download_data`, who has yet to :mod:`harness.acquirer.download_books`.
"""

from __future__ import annotations

from harness.acquirer.answers import APPROVED, Answer
from harness.acquirer.cases import Case, Desk, Handler, Handlers
from harness.acquirer.download_books import Kind
from harness.acquirer.download_data import LAST, MORE, NONE, pages
from harness.protocol.frames import FrameError

FIRST_OF_ENTRY = b"1"  # before an entry that was asked for


def handlers(desk: Desk) -> Handlers:
    """08x0 with F60.3 of the profile, 362, 370 to 372, 380 to 382, 390 and 391."""
    books = desk.downloads

    def ended(case: Case, answer: Answer) -> Answer:
        """With the header's next wish."""
        where = case.request.mid, case.request.tid
        return Answer(answer.code, answer.why, answer.extra, header_request=books.header_request(*where))

    def parameters(case: Case) -> Answer:
        data = books.data.parameters.f62()
        books.had(case.request.mid, case.request.tid, "parameters")
        return ended(case, Answer(APPROVED, f"parameters, {len(data)} bytes", {62: data.hex().upper()}))

    def status(case: Case) -> Answer:
        text = _f62(case).decode("ascii", "replace")
        books.note_status(case.request.mid, case.request.tid, text)
        return ended(case, Answer(APPROVED, f"status: {text or 'none'}"))

    def listing(kind: Kind) -> Handler:
        """F62 of the request: 1 and, in two digits, how many entries the terminal knows already."""

        def answer(case: Case) -> Answer:
            asked = _f62(case).decode("latin-1")
            if not (len(asked) == 3 and asked.isascii() and asked.isdigit() and asked[0] == "1"):
                raise FrameError(f"{asked!r} is not 1 and a count of two digits", field=62)
            data, known = books.data, int(asked[1:])
            entries, size = getattr(data, kind), data.page
            part = entries[known : known + size]
            first = NONE if not part else MORE if known + size < len(entries) else LAST
            why = f"{len(part)} of {len(entries)} entries from {known} on"
            return Answer(APPROVED, why, {62: (first + b"".join(row.listed() for row in part)).hex().upper()})

        return answer

    def entry(kind: Kind) -> Handler:
        """F62 of the request: the entry's name."""

        def answer(case: Case) -> Answer:
            asked = _f62(case)
            for row in getattr(books.data, kind):
                if row.name == asked:
                    f62 = FIRST_OF_ENTRY + row.whole()
                    return Answer(APPROVED, f"entry {asked.hex().upper()}", {62: f62.hex().upper()})
            return Answer("25", f"there is no entry {asked.hex().upper() or 'named in F62'}")

        return answer

    def block(case: Case) -> Answer:
        """F62 of the request: the number of the block, three digits from 001."""
        asked = _f62(case).decode("latin-1")
        if not (len(asked) == 3 and asked.isascii() and asked.isdigit() and int(asked)):
            raise FrameError(f"{asked!r} is no block number of three digits", field=62)
        blocks = pages(books.data, "blacklist")
        found = blocks[int(asked) - 1] if int(asked) <= len(blocks) else NONE
        return Answer(APPROVED, f"block {int(asked)} of {len(blocks)}", {62: found.hex().upper()})

    def end(kind: Kind) -> Handler:
        def answer(case: Case) -> Answer:
            books.had(case.request.mid, case.request.tid, kind)
            return ended(case, Answer(APPROVED, f"{kind} complete"))

        return answer

    return {
        "parameter_download": parameters, "status_upload": status,
        "capk_query": listing("ca_keys"), "capk_download": entry("ca_keys"), "capk_end": end("ca_keys"),
        "ic_parameter_query": listing("ic_parameters"), "ic_parameter_download": entry("ic_parameters"),
        "ic_parameter_end": end("ic_parameters"), "blacklist_download": block, "blacklist_end": end("blacklist"),
    }


def _f62(case: Case) -> bytes:
    return case.frame.binary(62) if 62 in case.frame else b""
