"""What the tap tells: the terminal's connections, the frames in them, and bytes that are no frame. Pure.

Reports are dicts, ``ev`` = ``frame``, ``connection`` or ``bytes`` and otherwise the fields of the history's events
``wire.frame``, ``wire.connection`` and ``wire.bytes``.
"""

from __future__ import annotations

from collections import OrderedDict
from itertools import groupby
from typing import Any

from harness.protocol.stream import FrameSplitter, Piece
from harness.wire.packets import ACK, FIN, RST, SYN, Endpoint, Segment
from harness.wire.streams import Chunk, Gap, HalfStream

Report = dict[str, Any]

TO_ACQUIRER, TO_TERMINAL = "to_acquirer", "to_terminal"
_SENDER = {TO_ACQUIRER: "terminal", TO_TERMINAL: "acquirer"}
_OPPOSITE = {TO_ACQUIRER: TO_TERMINAL, TO_TERMINAL: TO_ACQUIRER}
_KEPT = 1024


class Connections:
    """All TCP connections of the host with address ``terminal``, numbered from 1, as are the frames."""

    def __init__(self, terminal: str) -> None:
        self._terminal = terminal
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
            stream = self._streams[ends] = _Stream(self._count)
            self._streams.move_to_end(ends)
            while len(self._streams) > _KEPT:
                _, oldest = self._streams.popitem(last=False)
                reports += oldest.end("no room for more connections in the tap", segment.t)
        reports += stream.take(segment, direction)
        return self._numbered(reports)

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
    """One half: assembly, then division into frames, with the packets and times of each."""

    def __init__(self, stream: int, name: str) -> None:
        self._stream, self.name = stream, name
        self.half = HalfStream()
        self.isn: int | None = None
        self.fin_seen = False
        self.reset_seen = False
        self._splitter = FrameSplitter()
        self._spans: list[Chunk] = []
        self._over = ""

    def take(self, parts: list[Chunk | Gap], t: int) -> list[Report]:
        reports: list[Report] = []
        for part in parts:
            if isinstance(part, Gap):
                missed = f"{part.size} bytes that were not captured"
                reports += self.end(missed, t)
                self._over = f"after {missed}, where a frame begins is not known"
            elif self._over:
                reports.append(self._bytes(part.data, self._over, part.t))
            else:
                reports += self._divide(part)
        return reports

    def end(self, why: str, t: int) -> list[Report]:
        """Nothing more is expected: the unfinished message, and what came ahead of missing bytes. Only once."""
        reports = []
        rest = b"" if self._over else self._splitter.rest
        if rest:
            whole = f" of {2 + int.from_bytes(rest[:2], 'big')}" if len(rest) >= 2 else ""
            reports.append(self._bytes(rest, f"cut short after {len(rest)}{whole} bytes: {why}", t))
        if not self._over:
            self._over = f"after the end of the stream: {why}"
        return reports

    def abandon(self, why: str, t: int) -> list[Report]:
        """:meth:`end`, and what came ahead of bytes that now will never come."""
        reports = self.end(why, t)
        reason = f"out of order, what comes before was never seen: {why}"
        return reports + [self._bytes(chunk.data, reason, chunk.t) for chunk in self.half.take_waiting()]

    def _divide(self, chunk: Chunk) -> list[Report]:
        self._spans.append(chunk)
        reports: list[Report] = []
        pieces = self._splitter.split(chunk.data)  # it counts like the half stream: all is fed to it up to a gap
        for garbage, together in groupby(pieces, key=lambda piece: bool(piece.reason)):
            if garbage:
                reports.append(self._garbage(list(together)))
            else:
                reports += [self._frame(piece) for piece in together]
        self._spans = [span for span in self._spans if span.end > self._splitter.start_of_rest]
        return reports

    def _frame(self, piece: Piece) -> Report:
        spans = self._spans_of(piece)
        return {
            "ev": "frame", "t": max(span.t for span in spans), "frame": 0, "stream": self._stream,
            "direction": self.name, "hex": piece.data.hex().upper(),
            "packets": sorted({span.packet for span in spans}), "t_first": spans[0].t,
        }

    def _garbage(self, pieces: list[Piece]) -> Report:
        """Neighbours in one report: a stream of nonsense must not become a flood of events."""
        more = f" (and {len(pieces) - 1} more such)" if len(pieces) > 1 else ""
        t = max(span.t for span in self._spans_of(pieces[-1]))
        return self._bytes(b"".join(piece.data for piece in pieces), pieces[0].reason + more, t)

    def _spans_of(self, piece: Piece) -> list[Chunk]:
        return [span for span in self._spans if span.start < piece.end and span.end > piece.start]

    def _bytes(self, data: bytes, reason: str, t: int) -> Report:
        return {"ev": "bytes", "t": t, "stream": self._stream, "direction": self.name, "hex": data.hex().upper(),
                "reason": reason}


class _Stream:
    def __init__(self, number: int) -> None:
        self._number = number
        self._directions = {name: _Direction(number, name) for name in (TO_ACQUIRER, TO_TERMINAL)}
        self._beginner = ""
        self._open = False
        self._dead = False

    def is_begun_by(self, segment: Segment, direction: str) -> bool:
        """Whether this SYN is the one it began with (sent again), rather than a new connection's."""
        return self._directions[direction].isn == segment.seq and not self._dead

    def take(self, segment: Segment, direction: str) -> list[Report]:
        own, other = self._directions[direction], self._directions[_OPPOSITE[direction]]
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

    def end(self, why: str, t: int) -> list[Report]:
        return [report for direction in self._directions.values() for report in direction.abandon(why, t)]

    def _finish(self, direction: _Direction, t: int) -> list[Report]:
        if not direction.half.finished:
            return []
        reports = direction.end(f"the {_SENDER[direction.name]} closed the connection", t)
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
            reports += self.end(f"the connection was reset by the {_SENDER[own.name]}", segment.t)
        return reports

    def _connection(self, segment: Segment, state: str, direction: str | None) -> Report:
        return {"ev": "connection", "t": segment.t, "stream": self._number, "state": state,
                "by": _SENDER[direction] if direction else None, "packet": segment.packet}
