# SPDX-License-Identifier: GPL-2.0-only
"""One direction of a connection: from the bytes that its sender sent to those that its receiver gets. No I/O.

    received  ->  settled (what becomes of it is decided)  ->  sent (the receiver has, or will have)  ->  acknowledged

Offsets of the original stream and of the delivered one (:mod:`.edits`) both count from the first byte seen.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from harness.wire.faults.base import Side
from harness.wire.injector.contract import Packet
from harness.wire.injector.splicer.edits import Edits
from harness.wire.injector.splicer.script import Script
from harness.wire.packets import Segment
from harness.wire.streams import Chunk, HalfStream

FORCED_SEGMENTS = 4
FORCED_BYTES = 4096
"""An unfinished message that is longer is acknowledged in its receiver's place, or its sender would stop sending."""


@dataclass(slots=True)
class Kept:
    """A packet with bytes that may not go yet. ``passed``: it went ahead of missing ones."""

    start: int
    end: int
    fin: bool
    packet: Packet
    passed: bool = False


@dataclass(frozen=True, slots=True)
class Made:
    """Delivered bytes ``start`` to ``end`` are to be sent: as ``packet`` was, with other numbers, or anew (None)."""

    start: int
    end: int
    fin: bool = False
    packet: Packet | None = None


class Half:
    def __init__(self, sender: Side) -> None:
        self.sender = sender
        self.stream = HalfStream()
        self.edits = Edits()
        self.base = 0
        self.scripts: deque[Script] = deque()
        self.withholding = False
        """Whether a message is kept back until it is whole."""
        self.muted = False  # what is settled from now on is swallowed
        self.settled = 0
        self.unsettled = bytearray()
        self.sent = self.acked = 0  # delivered offsets
        self.told = self.forced = 0  # original ones: acknowledged to the sender, by whomever; in the receiver's place
        self.fin: int | None = None
        self.fin_sent = self.fin_acked = False
        self.own_until = 0
        """Delivered bytes before this were made by us: we repeat them until they are acknowledged."""
        self.grown = 0  # when bytes came last, new ones or again
        self._out = bytearray()
        self._out_start = 0
        self._kept: dict[tuple[int, int, bool], Kept] = {}

    # -- numbers ------------------------------------------------------------------------------------------------------

    @property
    def started(self) -> bool:
        return self.stream.started

    def start(self, seq: int) -> None:
        """``seq`` is the number of the first byte; only the first call counts."""
        if not self.started:
            self.base = seq & 0xFFFFFFFF
            self.stream.start(seq)

    def offset(self, seq: int) -> int:
        return self.stream.offset(seq)

    def delivered_offset(self, seq: int) -> int:
        """Of a number that the receiver uses: the nearest to what it has."""
        ahead = (seq - self.base - self.sent) & 0xFFFFFFFF
        return self.sent + (ahead - 0x100000000 if ahead & 0x80000000 else ahead)

    @property
    def received(self) -> int:
        """Original offset up to which everything came."""
        return self.stream.position

    @property
    def end(self) -> int:
        """Delivered offset of the end of all that is settled."""
        return self._out_start + len(self._out)

    @property
    def limit(self) -> int:
        """Delivered offset up to which may be sent now."""
        return min(self.scripts[0].limit, self.end) if self.scripts else self.end

    @property
    def next_delivered(self) -> int:
        """The delivered number, as an offset, that the receiver expects when it has all that was sent."""
        return self.sent + self.fin_sent

    @property
    def waiting(self) -> bool:
        """An unfinished message is kept back."""
        return self.withholding and self.settled < self.received

    # -- from the sender ----------------------------------------------------------------------------------------------

    def take(self, segment: Segment, packet: Packet, now: int) -> bytes:
        """A segment with bytes or a FIN. Gives the bytes that are in order now."""
        start = self.offset(segment.seq)
        fin = bool(segment.flags & 0x01)
        if fin and self.fin is None:
            self.fin = start + len(segment.payload)
        parts = self.stream.add(segment.seq, segment.payload, t=packet.t, packet=0, fin=fin)
        data = b"".join(part.data for part in parts if isinstance(part, Chunk))
        self.grown = now
        self.unsettled += data
        key = start, start + len(segment.payload), fin
        self._kept[key] = Kept(*key, packet, key in self._kept and self._kept[key].passed)
        return data

    @property
    def may_skip(self) -> bool:
        """Whether bytes can have passed unseen behind those that came: none is kept back, or to be repeated by us."""
        return not self.unsettled and not self.scripts and self.sent >= self.end and self.own_rest() is None

    def skip(self, seq: int) -> None:
        """Bytes before ``seq`` passed unseen: nothing is known of them, and nothing is waited for."""
        assert self.may_skip, "what is kept back can't have passed unseen"
        after = b""
        for part in self.stream.acknowledged(seq):
            after = after + part.data if isinstance(part, Chunk) else b""
        self.settled = self.received - len(after)
        self.unsettled += after
        self._out.clear()
        self._out_start = self.sent = self.acked = max(self.sent, self.settled + self.edits.delta)

    def settle(self, end: int, delivered: bytes | None = None, *, before: bytes = b"", after: bytes = b"") -> None:
        """The original bytes up to ``end`` are delivered as ``delivered`` (None: as they are), with bytes inserted
        before and after."""
        size = end - self.settled
        raw = bytes(self.unsettled[:size])
        if len(raw) < size:
            raise AssertionError(f"{size} bytes are to be settled, {len(raw)} are there")
        del self.unsettled[:size]
        if self.muted:
            delivered, before, after = b"", b"", b""
        if before:
            self.edits.add(self.settled, 0, len(before))
            self._out += before
        if delivered is None or delivered == raw:
            self._out += raw
        else:
            self.edits.add(self.settled, size, len(delivered))
            self._out += delivered
        if after:
            self.edits.add(end, 0, len(after))
            self._out += after
        self.settled = end

    def settle_all(self) -> None:
        if self.settled < self.received:
            self.settle(self.received)

    def insert(self, data: bytes) -> None:
        """Bytes that nobody sent, behind what is settled."""
        self.edits.add(self.settled, 0, len(data))
        self._out += data

    def finish(self) -> None:
        """The receiver gets nothing more but a FIN, whatever the sender says."""
        self.fin_sent, self.own_until = True, self.sent + 1

    # -- to the receiver ----------------------------------------------------------------------------------------------

    def release(self) -> list[Made]:
        """What may go now and has not gone yet."""
        made: list[Made] = []
        limit = self.limit
        while self.sent < limit:
            kept = self._fitting(limit)
            if kept is not None:
                end = self.edits.end_place(kept.end)
                if not kept.passed:
                    made.append(Made(self.edits.place(kept.start), end, kept.fin, kept.packet))
                self.fin_sent |= kept.fin
            else:
                end = min([limit, *self._beginnings()])
                made.append(Made(self.sent, end))
                self.own_until = max(self.own_until, end)
            self.sent = end
        if self._fin_may_go():
            bare = next((one for one in self._kept.values() if one.fin and one.start == one.end == self.fin), None)
            if made and made[-1].packet is None and made[-1].end == self.sent:
                made[-1] = Made(made[-1].start, made[-1].end, True)
            else:
                made.append(Made(self.sent, self.sent, True, None if bare is None else bare.packet))
            if made[-1].packet is None:
                self.own_until = max(self.own_until, self.sent + 1)
            self.fin_sent = True
        self._drop_gone()
        return made

    def ahead(self, packet: Packet, start: int, end: int) -> Made | None:
        """A packet beyond missing bytes: it goes on where nothing is kept back."""
        if self.withholding or self.scripts:
            return None
        for kept in self._kept.values():
            if kept.packet is packet:
                kept.passed = True
                return Made(self.edits.place(start), self.edits.end_place(end), kept.fin, packet)
        return None

    def again(self, packet: Packet, start: int, end: int, fin: bool) -> list[Made]:
        """A packet whose first bytes were sent before: the same bytes again, as far as they may go."""
        first, last = self.edits.place(start), self.edits.end_place(end)
        whole = not fin or (self.fin_sent and last == self.sent)
        fin = fin and self.fin_sent
        if self.edits.untouched(start, end) and last <= self.sent and whole:
            return [Made(first, last, fin, packet)]
        first, last = max(first, self.acked, self._out_start), self.sent if fin else min(last, self.sent)
        if first >= last and not fin:
            return []
        return [Made(first, max(first, last), fin)]

    def bytes(self, made: Made) -> bytes:
        """What is to be in a segment that is made anew."""
        return bytes(self._out[made.start - self._out_start : made.end - self._out_start])

    def own_rest(self) -> Made | None:
        """What we must repeat, since its receiver has not acknowledged it: what we made, and what its sender believes
        to have arrived."""
        until = max(self.own_until, self.edits.end_place(self.forced)) if self.forced else self.own_until
        whole = self.own_until > self.sent
        if self.acked >= min(until, self.sent) and not (whole and self.fin_sent and not self.fin_acked):
            return None
        start = max(self.acked, self._out_start)
        return Made(start, max(start, min(until, self.sent)), whole and self.fin_sent)

    # -- from the receiver --------------------------------------------------------------------------------------------

    def hear(self, seq: int) -> tuple[int, bool]:
        """The receiver expects ``seq`` next. Gives the original offset that the sender may know of (a FIN counts one),
        and whether the receiver said something new that the sender may not know."""
        delivered = self.delivered_offset(seq)
        if delivered > self.next_delivered:
            return max(self.edits.origin(delivered), self.forced), False
        self.fin_acked |= self.fin_sent and delivered > self.sent
        fresh = delivered > self.acked
        self.acked = max(self.acked, min(delivered, self.sent))
        original = self.origin(delivered)
        hidden = fresh and original <= self.told and self.edits.differ
        self.told = max(self.told, original)
        self._trim()
        return original, hidden

    def origin(self, delivered: int) -> int:
        """As much as the sender may believe to be acknowledged where the receiver acknowledged ``delivered``."""
        if self.fin_sent and self.fin is not None and delivered > self.sent:
            return self.fin + 1
        return max(self.edits.origin(delivered), self.forced)

    def swallowed(self) -> bool:
        """Whether the sender must be told of bytes that its receiver will never acknowledge; tells once."""
        original = self.origin(self.acked)
        if original <= self.told or not self.edits.differ:
            return False
        self.told = original
        self._trim()
        return True

    def settle_passed(self) -> None:
        """What went ahead of missing bytes can't be kept back any more, nor can those."""
        end = max((one.end for one in self._kept.values() if one.passed), default=0)
        if self.settled < min(end, self.received):
            self.settle(min(end, self.received))

    def passed_behind(self, start: int) -> bool:
        """Whether bytes behind the original offset ``start`` went ahead of missing ones: what the receiver has of them
        would be elsewhere if anything before them had another length."""
        return any(one.passed and one.end > start for one in self._kept.values())

    def force(self, repeated: bool) -> bool:
        """Whether the sender has to be told that its unfinished message arrived, so that it sends the rest; only where
        its receiver has all that came before. ``repeated``: it sent some of it again."""
        if not self.waiting or self.scripts or self.acked < self.end:
            return False
        parts = sum(1 for kept in self._kept.values() if kept.end > self.settled)
        few = parts < FORCED_SEGMENTS and self.received - self.settled < FORCED_BYTES and self.forced <= self.settled
        if (few and not repeated) or (self.forced >= self.received and not repeated):
            return False
        self.forced = self.received
        self.told = max(self.told, self.forced)
        return True

    def kept_in(self, start: int, end: int) -> list[Packet]:
        """The packets that brought these original bytes and are still here."""
        return [one.packet for one in self._kept.values() if one.start < end and one.end > start]

    def _fitting(self, limit: int) -> Kept | None:
        """A kept packet that can go as it is, next."""
        for kept in self._kept.values():
            if kept.end <= kept.start or not self.edits.untouched(kept.start, kept.end):
                continue
            first, last = self.edits.place(kept.start), self.edits.end_place(kept.end)
            if first == self.sent < last <= limit and not (kept.fin and (last < self.end or self.scripts)):
                return kept
        return None

    def _beginnings(self) -> list[int]:
        """Delivered offsets, beyond what was sent, where a packet begins that can go as it is."""
        return [
            place for kept in self._kept.values()
            if kept.end > kept.start and self.edits.untouched(kept.start, kept.end)
            and (place := self.edits.place(kept.start)) > self.sent
        ]

    def _fin_may_go(self) -> bool:
        done = self.fin is not None and self.settled >= self.fin and self.sent == self.end
        return done and not self.fin_sent and not self.scripts

    def _drop_gone(self) -> None:
        for key, kept in list(self._kept.items()):
            gone = kept.end <= self.settled and self.edits.end_place(kept.end) <= self.sent
            if gone and (not kept.fin or self.fin_sent):
                del self._kept[key]

    def _trim(self) -> None:
        if self.acked > self._out_start:
            del self._out[: self.acked - self._out_start]
            self._out_start = self.acked
        if self.edits and self.told >= self.edits.origin(self.acked):
            self.edits.forget(self.acked)
