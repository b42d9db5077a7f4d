"""One direction of a TCP connection put together by sequence numbers, whatever order the segments come in.

Pure. Retransmitted and overlapping bytes count once (the first copy seen wins), numbers may wrap. Offsets count from
the first byte of the stream.
"""

from __future__ import annotations

from dataclasses import dataclass

_WINDOW = 1 << 24
"""Bytes ahead of or behind the expected one beyond which a number is taken for nonsense."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bytes in their order: the next of the stream. ``t`` and ``packet``: of the first copy that was seen."""

    start: int
    data: bytes
    t: int
    packet: int

    @property
    def end(self) -> int:
        return self.start + len(self.data)


@dataclass(frozen=True, slots=True)
class Gap:
    """``size`` bytes that the receiver acknowledged, but that the capture never saw."""

    start: int
    size: int


class HalfStream:
    """Feed it with :meth:`add` and :meth:`acknowledged`; they return what is new in order."""

    def __init__(self) -> None:
        self._first: int | None = None
        self._waiting: list[Chunk] = []
        self._end: int | None = None
        self.position = 0

    @property
    def started(self) -> bool:
        return self._first is not None

    @property
    def finished(self) -> bool:
        """Whether every byte up to the FIN has been handed out."""
        return self._end is not None and self.position >= self._end

    @property
    def gapped(self) -> bool:
        """Whether bytes came ahead of others that are missing."""
        return bool(self._waiting)

    @property
    def gap_end(self) -> int:
        """Offset of the first byte that came ahead of missing ones, where there is any."""
        return self._waiting[0].start if self._waiting else self.position

    def take_waiting(self) -> list[Chunk]:
        """What came ahead of bytes that are still missing, in order; it is forgotten here."""
        waiting, self._waiting = self._waiting, []
        return waiting

    def start(self, seq: int) -> None:
        """``seq`` is the sequence number of the first byte. Only the first call counts."""
        if self._first is None:
            self._first = seq & 0xFFFFFFFF

    def offset(self, seq: int) -> int:
        """The stream offset of a sequence number: the one nearest to the position."""
        assert self._first is not None, "offset of a stream that has not started"
        ahead = (seq - self._first - self.position) & 0xFFFFFFFF
        return self.position + (ahead - 0x100000000 if ahead & 0x80000000 else ahead)

    def expects(self, seq: int) -> bool:
        """Whether ``seq`` is exactly the next number: what a receiver demands of a reset (RFC 5961)."""
        return self.started and self.offset(seq) == self.position + self.finished

    def add(self, seq: int, data: bytes, *, t: int, packet: int, fin: bool = False) -> list[Chunk | Gap]:
        """A segment whose first byte has number ``seq``. Returns the bytes that are in order now."""
        self.start(seq)
        start = self.offset(seq)
        if abs(start - self.position) > _WINDOW:
            return []
        if fin and self._end is None:
            self._end = start + len(data)
        if self._end is not None:
            data = data[: max(0, self._end - start)]
        self._insert(Chunk(start, data, t, packet))
        return list(self._in_order())

    def acknowledged(self, ack: int) -> list[Chunk | Gap]:
        """The receiver expects ``ack`` next. Whatever the capture missed below is skipped, visibly."""
        if not self.started:
            self.start(ack)
            return []
        target = self.offset(ack)
        if self._end is not None:
            target = min(target, self._end)
        result: list[Chunk | Gap] = []
        while self.position < target <= self.position + _WINDOW:
            reached = min(target, self._waiting[0].start) if self._waiting else target
            result.append(Gap(self.position, reached - self.position))
            self.position = reached
            result += self._in_order()
        return result

    def _insert(self, chunk: Chunk) -> None:
        """Into the waiting chunks, without what is known already."""
        position = max(chunk.start, self.position)
        fresh = []
        for known in self._waiting:
            if position < known.start and position < chunk.end:
                fresh.append(_part(chunk, position, min(chunk.end, known.start)))
            position = max(position, known.end)
        if position < chunk.end:
            fresh.append(_part(chunk, position, chunk.end))
        if fresh:
            self._waiting = sorted(self._waiting + fresh, key=lambda part: part.start)

    def _in_order(self) -> list[Chunk]:
        result = []
        while self._waiting and self._waiting[0].start == self.position:
            chunk = self._waiting.pop(0)
            self.position = chunk.end
            result.append(chunk)
        return result


def _part(chunk: Chunk, start: int, end: int) -> Chunk:
    return Chunk(start, chunk.data[start - chunk.start : end - chunk.start], chunk.t, chunk.packet)
