"""Downloads as messages: parameters, status, lists in pages, their entries, their ends; software in blocks.

What may be downloaded is :mod:`harness.acquirer.download_data`, who has yet to :mod:`harness.acquirer.download_books`.
"""

from __future__ import annotations

from harness.acquirer.answers import APPROVED, Answer
from harness.acquirer.cases import Case, Desk, Handler, Handlers
from harness.acquirer.download_books import Kind
from harness.acquirer.download_data import LAST, MORE, NONE, pages
from harness.protocol.frames import FrameError

FIRST_OF_ENTRY = b"1"  # before an entry that was asked for
NONE_HEX = b"0".hex()  # no software
LONGEST_BLOCK = 990  # F62 has 999 bytes at most, nine of which stand before the block
COME_AGAIN = ("73", "85", "86", "90")  # reasons that pass: broken off, something stored, busy


def handlers(desk: Desk) -> Handlers:
    """08x0 with F60.3 of the profile, 362, 370 to 372, 380 to 382, 390, 391 and 397 to 399."""
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

    def software(case: Case) -> Answer:
        """F62 of the request: name and version of what runs."""
        runs, found = _f62(case).decode("ascii", "replace"), books.software
        if found is None or runs.split(" ")[-1] == found.version:
            books.had(case.request.mid, case.request.tid, "software")
        if found is None:
            return ended(case, Answer(APPROVED, f"runs {runs or 'it does not say what'}: no software", {62: NONE_HEX}))
        f62 = f"1{found.size:08d}{found.sha256}{found.version}".encode()
        why = f"runs {runs or 'it does not say what'}: software {found.version}, {found.size} bytes"
        return ended(case, Answer(APPROVED, why, {62: f62.hex().upper()}))

    def software_block(case: Case) -> Answer:
        """F62 of the request: offset in eight digits and length in three."""
        asked, found = _f62(case).decode("latin-1"), books.software
        if not (len(asked) == 11 and asked.isascii() and asked.isdigit() and 0 < int(asked[8:]) <= LONGEST_BLOCK):
            raise FrameError(f"{asked!r} is not 8 digits and a length of up to {LONGEST_BLOCK} bytes", field=62)
        offset, size = int(asked[:8]), int(asked[8:])
        part = books.software_block(offset, size)
        if found is None or not part:
            return Answer("25", "there is no such block of software")
        f62 = b"1%08d" % offset + part
        return Answer(APPROVED, f"{len(part)} of {found.size} bytes from {offset} on", {62: f62.hex().upper()})

    def software_end(case: Case) -> Answer:
        """F62 of the request: 00 or why not, and the version. What will never be taken is not asked for again."""
        told = _f62(case).decode("latin-1")
        if not (len(told) >= 2 and told[:2].isascii() and told[:2].isdigit()):
            raise FrameError(f"{told!r} does not begin with two digits", field=62)
        reason, version = told[:2], told[2:]
        if reason not in COME_AGAIN:
            books.had(case.request.mid, case.request.tid, "software")
        why = f"software {version} taken" if reason == APPROVED else f"software {version} refused, reason {reason}"
        return ended(case, Answer(APPROVED, why))

    return {
        "software_query": software, "software_download": software_block, "software_end": software_end,
        "parameter_download": parameters, "status_upload": status,
        "capk_query": listing("ca_keys"), "capk_download": entry("ca_keys"), "capk_end": end("ca_keys"),
        "ic_parameter_query": listing("ic_parameters"), "ic_parameter_download": entry("ic_parameters"),
        "ic_parameter_end": end("ic_parameters"), "blacklist_download": block, "blacklist_end": end("blacklist"),
    }


def _f62(case: Case) -> bytes:
    return case.frame.binary(62) if 62 in case.frame else b""
