"""What the tap tells: the terminal's connections, the frames in them, and bytes that are no frame. Pure.

Reports are dicts, ``ev`` = ``frame``, ``connection`` or ``bytes`` and otherwise the fields of the history's events
``wire.frame``, ``wire.connection`` and ``wire.bytes``.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from itertools import groupby
from typing import Any

from harness.protocol.stream import FrameSplitter, Piece
from harness.wire.layers import OPPOSITE, SENDER, TO_ACQUIRER, TO_TERMINAL, Item, Reader, Span
from harness.wire.packets import ACK, FIN, RST, SYN, Endpoint, Segment
from harness.wire.streams import Chunk, Gap, HalfStream

Report = dict[str, Any]

_KEPT = 1024
_FAR = 1 << 20  # bytes: further ahead no acknowledgement of a connection is that just begins


class Connections:
    """All TCP connections of the host with address ``terminal``, numbered from 1, as are the frames.

    ``reader`` makes what reads the layers between TCP and the frames; None: there are none.
    """

    def __init__(self, terminal: str, reader: Callable[[], Reader] | None = None) -> None:
        self._terminal, self._reader = terminal, reader
        self._streams: OrderedDict[tuple[Endpoint, Endpoint], _Stream] = OrderedDict()
        self._count = 0
        self._frames = 0

    def take(self, segment: Segment) -> list[Report]:
        """One captured segment, in the order of capture."""
        if segment.source[0] == self._terminal:
            direction, ends = TO_ACQUIRER, (segment.source, segment.destination)
        elif segment.destination[0] == self._terminal:
            direction, ends = TO_TERMINAL, (segment.destination, segment.source)
        else:
            return []
        reports: list[Report] = []
        stream = self._streams.get(ends)
        begins = segment.has(SYN) and not segment.has(ACK)
        if stream is not None and begins and not stream.is_begun_by(segment, direction):
            reports += stream.end("a new connection on the same ports", segment.t)
            stream = None
        if stream is None:
            if not begins and (not segment.payload or segment.has(RST)):
                return reports  # the tail of something that began before the capture
            self._count += 1
            stream = self._streams[ends] = _Stream(self._count, self._reader, ends[1])
            self._streams.move_to_end(ends)
            while len(self._streams) > _KEPT:
                _, oldest = self._streams.popitem(last=False)
                reports += oldest.end("no room for more connections in the tap", segment.t)
        reports += stream.take(segment, direction)
        return self._numbered(reports)

    def retry(self) -> list[Report]:
        """What had to wait for keys that have come meanwhile."""
        if self._reader is None:
            return []
        return self._numbered([report for stream in self._streams.values() for report in stream.retry()])

    def end(self, t: int) -> list[Report]:
        """The capture ends: what is unfinished is told as bytes."""
        reports = [report for stream in self._streams.values() for report in stream.end("the capture ended", t)]
        self._streams.clear()
        return self._numbered(reports)

    def _numbered(self, reports: list[Report]) -> list[Report]:
        for report in reports:
            if report["ev"] == "frame":
                self._frames += 1
                report["frame"] = self._frames
        return reports


class _Direction:
    """One half: assembly, then division into frames, with the packets and times of each.

    ``read`` gets what is assembled and has it divided, by way of the layers; ``finish`` does so with what they hold.
    """

    def __init__(
        self, stream: int, name: str, read: Callable[[str, Span], list[Report]],
        finish: Callable[[str, str, int], list[Report]],
    ) -> None:
        self._stream, self.name, self._read, self._finish = stream, name, read, finish
        self.half = HalfStream()
        self.isn: int | None = None
        self.fin_seen = False
        self.reset_seen = False
        self._splitter = FrameSplitter()
        self._spans: list[tuple[int, Span]] = []  # with the offset of each in what is divided
        self._fed = 0
        self._over = ""

    def take(self, parts: list[Chunk | Gap], t: int) -> list[Report]:
        reports: list[Report] = []
        for part in parts:
            if isinstance(part, Gap):
                missed = f"{part.size} bytes that were not captured"
                reports += self.end(missed, t)
                self._over = f"after {missed}, where a frame begins is not known"
            elif self._over:
                reports.append(self.bytes(part.data, self._over, part.t))
            else:
                reports += self._read(self.name, Span(part.data, part.t, part.t, (part.packet,)))
        return reports

    def end(self, why: str, t: int) -> list[Report]:
        """Nothing more is expected: the unfinished message, and what came ahead of missing bytes. Only once."""
        reports = [] if self._over else self._finish(self.name, why, t)
        rest = b"" if self._over else self._splitter.rest
        if rest:
            whole = f" of {2 + int.from_bytes(rest[:2], 'big')}" if len(rest) >= 2 else ""
            reports.append(self.bytes(rest, f"cut short after {len(rest)}{whole} bytes: {why}", t))
        if not self._over:
            self._over = f"after the end of the stream: {why}"
        return reports

    def abandon(self, why: str, t: int) -> list[Report]:
        """:meth:`end`, and what came ahead of bytes that now will never come."""
        reports = self.end(why, t)
        reason = f"out of order, what comes before was never seen: {why}"
        return reports + [self.bytes(chunk.data, reason, chunk.t) for chunk in self.half.take_waiting()]

    def divide(self, span: Span) -> list[Report]:
        """The frames that are whole with these bytes."""
        self._spans.append((self._fed, span))
        self._fed += len(span.data)
        reports: list[Report] = []
        pieces = self._splitter.split(span.data)  # it counts as we do: all is fed to it
        for garbage, together in groupby(pieces, key=lambda piece: bool(piece.reason)):
            if garbage:
                reports.append(self._garbage(list(together)))
            else:
                reports += [self._frame(piece) for piece in together]
        rest = self._splitter.start_of_rest
        self._spans = [(start, span) for start, span in self._spans if start + len(span.data) > rest]
        return reports

    def _frame(self, piece: Piece) -> Report:
        spans = self._spans_of(piece)
        return {
            "ev": "frame", "t": max(span.t for span in spans), "frame": 0, "stream": self._stream,
            "direction": self.name, "hex": piece.data.hex().upper(),
            "packets": sorted({packet for span in spans for packet in span.packets}), "t_first": spans[0].t_first,
        }

    def _garbage(self, pieces: list[Piece]) -> Report:
        """Neighbours in one report: a stream of nonsense must not become a flood of events."""
        more = f" (and {len(pieces) - 1} more such)" if len(pieces) > 1 else ""
        t = max(span.t for span in self._spans_of(pieces[-1]))
        return self.bytes(b"".join(piece.data for piece in pieces), pieces[0].reason + more, t)

    def _spans_of(self, piece: Piece) -> list[Span]:
        return [
            span for start, span in self._spans if start < piece.end and start + len(span.data) > piece.start
        ]

    def bytes(self, data: bytes, reason: str, t: int) -> Report:
        return {"ev": "bytes", "t": t, "stream": self._stream, "direction": self.name, "hex": data.hex().upper(),
                "reason": reason}


class _Stream:
    def __init__(self, number: int, reader: Callable[[], Reader] | None, peer: Endpoint) -> None:
        self._number = number
        self._peer = f"{peer[0]}:{peer[1]}"
        self._directions = {
            name: _Direction(number, name, self._read, self._finish_reading) for name in (TO_ACQUIRER, TO_TERMINAL)
        }
        self._reader = None if reader is None else reader()
        self._beginner = ""
        self._open = False
        self._dead = False

    def is_begun_by(self, segment: Segment, direction: str) -> bool:
        """Whether this SYN is the one it began with (sent again), rather than a new connection's."""
        return self._directions[direction].isn == segment.seq and not self._dead

    def take(self, segment: Segment, direction: str) -> list[Report]:
        own, other = self._directions[direction], self._directions[OPPOSITE[direction]]
        if self._of_an_earlier_one(segment, own, other):
            return []
        if segment.has(RST):
            return self._reset(segment, own, other)
        reports: list[Report] = []
        if segment.has(SYN):
            if own.isn is None:
                own.isn = segment.seq
                own.half.start(segment.seq + 1)
                if not segment.has(ACK):
                    self._beginner = direction
                    reports.append(self._connection(segment, "opening", direction))
        elif not self._open and self._beginner == direction and segment.has(ACK) and other.isn is not None:
            self._open = True
            reports.append(self._connection(segment, "open", None))
        if segment.has(ACK) and not self._dead:
            reports += other.take(other.half.acknowledged(segment.ack), segment.t)
            reports += self._finish(other, segment.t)
        fin = segment.has(FIN)
        seq = segment.seq + segment.has(SYN)
        if segment.payload or fin:
            parts = own.half.add(seq, segment.payload, t=segment.t, packet=segment.packet, fin=fin)
            reports += own.take(parts, segment.t)
            if fin and not own.fin_seen:
                own.fin_seen = True
                reports.append(self._connection(segment, "closed", direction))
            reports += self._finish(own, segment.t)
        else:
            own.half.start(seq)
        return reports

    def _of_an_earlier_one(self, segment: Segment, own: _Direction, other: _Direction) -> bool:
        """A connection on the same ports before this one, whose other end still lived, answers the SYN with an
        acknowledgement of its own numbers; the beginner resets that, and sends its SYN again.
        """
        if self._open or not self._beginner:
            return False
        if own.name == self._beginner:
            return segment.has(RST) and not own.half.expects(segment.seq)
        ahead = (segment.ack - (other.isn or 0) - 1) & 0xFFFFFFFF
        return segment.has(ACK) and not segment.has(SYN | RST) and ahead >= _FAR

    def retry(self) -> list[Report]:
        return [] if self._reader is None else self._deliver(self._reader.retry())

    def end(self, why: str, t: int) -> list[Report]:
        return [report for direction in self._directions.values() for report in direction.abandon(why, t)]

    def _read(self, direction: str, span: Span) -> list[Report]:
        if self._reader is None:
            return self._directions[direction].divide(span)
        return self._deliver(self._reader.take(direction, span))

    def _finish_reading(self, direction: str, why: str, t: int) -> list[Report]:
        return [] if self._reader is None else self._deliver(self._reader.end(direction, why, t))

    def _deliver(self, items: list[Item]) -> list[Report]:
        reports: list[Report] = []
        for name, item in items:
            direction = self._directions[name]
            if isinstance(item, Span):
                reports += direction.divide(item)
            else:
                reports.append(direction.bytes(item.data, item.reason, item.t))
        return reports

    def _finish(self, direction: _Direction, t: int) -> list[Report]:
        if not direction.half.finished:
            return []
        reports = direction.end(f"the {SENDER[direction.name]} closed the connection", t)
        if all(one.half.finished for one in self._directions.values()):
            self._dead = True
        return reports

    def _reset(self, segment: Segment, own: _Direction, other: _Direction) -> list[Report]:
        answers_syn = segment.has(ACK) and other.isn is not None and segment.ack == (other.isn + 1) & 0xFFFFFFFF
        refused = not self._open and self._beginner == other.name and answers_syn
        reports: list[Report] = []
        if not own.reset_seen:
            own.reset_seen = True
            reports.append(self._connection(segment, "refused" if refused else "reset", own.name))
        if refused or own.half.expects(segment.seq):
            self._dead = True
            reports += self.end(f"the connection was reset by the {SENDER[own.name]}", segment.t)
        return reports

    def _connection(self, segment: Segment, state: str, direction: str | None) -> Report:
        return {"ev": "connection", "t": segment.t, "stream": self._number, "state": state,
                "by": SENDER[direction] if direction else None, "packet": segment.packet, "peer": self._peer}
