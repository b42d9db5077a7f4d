"""For the fuzz tests of the acquirer: honest requests of every kind, ways to damage them, and what holds afterwards."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from typing import Any

from harness.protocol import keys
from harness.protocol.frames import Frame, FrameError, decode
from harness.protocol.nested import BatchRecord, Totals, make_batch_records, make_totals
from harness.protocol.spec import FIELDS, OFFSET_FIELDS
from harness.protocol.transactions import KINDS
from harness.terminal.cards import WECHAT
from harness.tests.acquirer_terminal import CHIP_DATA, MID, PAN, TRACK2, InProcess, Pos

Row = Mapping[str, Any]  # of the journal, as control clients get it


@functools.cache
def samples() -> tuple[Frame, ...]:
    """A request of every kind, unsealed, of terminal 00000000; what names an original names trace 000001."""
    pos = Pos(lambda raw: None, "00000000", b"")
    common = {2: PAN, 4: f"{100:012d}", 11: "000001", 22: "022", 35: TRACK2, 37: "0" * 12, 38: "000001", 49: "156"}
    requests = []
    for kind in KINDS.values():
        fields = {**common, 3: kind.processing, 25: kind.condition, 60: f"{kind.message_type}00000100050"}
        fields |= {"trace": {61: "000001000001"}, "none": {}}.get(kind.names, {61: "0" * 12 + "1124"})
        requests.append((kind.mti, fields))
        if kind.reversible:
            requests.append(("0400", {**fields, 39: "98"}))
    sale = {**common, 3: "000000", 25: "00", 60: "2200000100050"}
    scan = {number: value for number, value in sale.items() if number not in (2, 35)}
    totals, records = make_totals(Totals(100, 1)), make_batch_records([BatchRecord("00", "000001", PAN, 100)])
    requests += [
        ("0200", {**sale, 22: "052", 55: CHIP_DATA}), ("0200", {**scan, 22: "032", 59: f"A3018{WECHAT.code}"}),
        ("0200", {**sale, 22: "021", 26: "12", 52: "0123456789ABCDEF", 53: "2600000000000000"}),
        ("0620", {**sale, 55: "DF310500000000009F36020001", 60: "22000001951", 61: "000001000001"}),
        ("0820", {11: "000001", 37: "0" * 12, 60: "07000001800", 62: "00FF"}),
        ("0500", {11: "000002", 48: totals, 49: "156", 60: "00000001201", 63: "01 "}),
        ("0320", {11: "000003", 48: records, 60: "00000001201"}),
        ("0320", {11: "000004", 48: "0001", 60: "00000001202"}),
        ("0320", {2: PAN, 4: "0" * 12, 11: "000001", 55: CHIP_DATA, 60: "00000001203"}),
        *(
            (mti, {11: "000005", 60: f"00000001{code}", 62: "313030"})
            for mti, codes in (("0800", "003 360 370 390 391"), ("0820", "002 301 362 372 382"))
            for code in codes.split()
        ),
    ]  # fmt: skip
    return tuple(pos.request(mti, fields) for mti, fields in requests)


def addressed(frame: Frame, pos: Pos, *, sealed: bool) -> Frame:
    """The sample as this terminal's, with its batch, sealed or not; as it is where it names another terminal."""
    fields: dict[int, str | None] = {41: pos.tid} if frame.get(41) == "00000000" else {}
    frame = frame.but(fields)
    return keys.seal(frame, pos.mak) if sealed else frame


def outcome_holds(raw: bytes, rows: Iterable[Row], answer: bytes | None) -> None:
    """One message, all there is in the journal about it, and what came back: an answer, or silence with a place."""
    came, *rest = rows
    assert came["direction"] == "in" and bytes.fromhex(came["hex"]) == raw
    assert "internal error" not in came["note"]
    if answer is None:
        assert "connection closed" in came["note"] and "offset" in came["note"], came["note"]
        assert rest == []
        return
    (sent,) = rest
    assert sent["direction"] == "out" and bytes.fromhex(sent["hex"]) == answer
    request, told = decode(raw), decode(answer)
    assert told.mti == f"{int(request.mti) + 10:04d}" and told.get(39) != "96"
    for number in (3, 4, 11, 41, 42):
        assert number not in told or told.get(number) == request.get(number), f"F{number} is another's"
    if told.get(39) == "30":
        assert "offset" in sent["note"], sent["note"]


def books_hold(rows: Iterable[Row], entries: Iterable[Mapping[str, Any]]) -> None:
    """Every entry was answered with an approval, and every reversal that took effect too; nothing else is booked, and
    whatever moves money and was approved is."""
    approved: set[tuple[str, str, str, str]] = set()
    due: set[tuple[str, str, str, str]] = set()
    reversed_: set[str] = set()
    for row in rows:
        if row["direction"] != "out":
            continue
        told = decode(bytes.fromhex(row["hex"]))
        if told.get(39) == "00" and told.mti == "0410":
            reversed_.add(told.get(11))
        elif told.get(39) == "00" and 4 in told:
            approved.add((told.get(11), told.get(37), told.get(4), told.get(13)))
            if told.mti in ("0110", "0210", "0230") and told.get(3) != KINDS["balance"].processing:
                due.add((told.get(11), told.get(37), told.get(4), told.get(13)))
    booked = [(entry["trace"], entry["rrn"], f"{entry['amount']:012d}", entry["date"]) for entry in entries]
    assert due <= set(booked) <= approved and len(booked) == len(set(booked)), (due, booked, approved)
    for entry in entries:
        assert entry["reversals"] == (entry["state"] == "reversed")
        assert entry["state"] != "reversed" or entry["trace"] in reversed_


def one_input(data: bytes) -> None:
    """What a coverage-guided fuzzer calls: a recipe of messages at a host of its own (see :class:`Recipe`)."""
    lab = InProcess()
    pos = lab.terminal("10000001")
    recipe = Recipe(data)
    while recipe.left:
        raw = recipe.message(pos)
        before = lab.host.journal.last_jid()
        answer = lab.exchange(raw)
        outcome_holds(raw, [row.as_event() for row in lab.host.journal.since(before)], answer)
    books_hold([row.as_event() for row in lab.host.journal.since(0)], lab.do("ledger", mid=MID, tid=pos.tid)["entries"])


class Recipe:
    """Reads bytes as orders: which sample, which damage, where."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    @property
    def left(self) -> bool:
        return self._at < len(self._data)

    def byte(self) -> int:
        value = self._data[self._at] if self.left else 0
        self._at += 1
        return value

    def take(self, size: int) -> bytes:
        return bytes(self.byte() for _ in range(size))

    def message(self, pos: Pos) -> bytes:
        """One message: a sample, damaged in its fields (then sealed), in its bytes, or not at all."""
        every = samples()
        frame = every[self.byte() % len(every)]
        how = self.byte()
        for _ in range(how % 4):
            frame = self._damage(frame)
        raw = bytearray(addressed(frame, pos, sealed=how & 4 == 0).raw)
        if how & 24 == 24:  # one in four: bytes changed, or the end cut
            for _ in range(1 + how % 3):
                raw[self.byte() % len(raw)] = self.byte()
            if how & 32:
                del raw[max(2, self.byte() % len(raw)) :]
        if how & 64:
            raw[:2] = (len(raw) - 2).to_bytes(2, "big")
        return bytes(raw)

    def _damage(self, frame: Frame) -> Frame:
        number = sorted(FIELDS)[self.byte() % len(FIELDS)]
        what = self.byte()
        try:
            if what % 4 == 0:
                return frame.but({number: None})
            if what % 4 == 1:
                return frame.but(mti=f"{self.byte() % 100:02d}{self.byte() % 100:02d}")
            return frame.but({number: self._value(number, what)})
        except FrameError:
            return frame

    def _value(self, number: int, size: int) -> str:
        spec = FIELDS[number]
        length = size % (min(spec.size, 70) + 1) if spec.prefix else spec.size
        data = self.take(length)
        if spec.kind == "binary":
            return data.hex().upper()
        if spec.kind == "text":
            return data.decode("latin-1")
        alphabet = "0123456789" if spec.kind == "digits" else "0123456789D"
        return "".join(alphabet[byte % len(alphabet)] for byte in data)


def framed(raw: bytes) -> bool:
    """Whether a message's length is its own, so that it comes out of a stream as it went in."""
    return len(raw) >= OFFSET_FIELDS and int.from_bytes(raw[:2], "big") == len(raw) - 2
