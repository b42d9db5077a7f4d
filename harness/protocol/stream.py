"""From a byte stream to whole frames, however TCP cut it.

Only the 2-byte length divides the stream. A length too small for a message (below 21) is reported as garbage together
with the bytes it announces, and the stream goes on behind them; so the result never depends on how the bytes arrived.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from harness.protocol.spec import MAX_LENGTH, MIN_LENGTH

HTTP_PATH = "/mjc/webtrans/VPB_lb"  # where messages go that travel in HTTP requests; four public terminal applications


class Piece(NamedTuple):
    """``data`` from byte ``start`` of the stream. ``reason`` is "" for a whole frame, else why it is none."""

    start: int
    data: bytes
    reason: str = ""

    @property
    def end(self) -> int:
        """Stream offset behind the last byte."""
        return self.start + len(self.data)


class FrameSplitter:
    """One direction of one stream. Holds at most one unfinished message (64 KiB) and the last 64 pieces of garbage.

    ``max_length`` is the greatest length prefix accepted; above it the whole rest of the stream is garbage, because
    nothing says where the next frame would begin.
    """

    def __init__(self, max_length: int = MAX_LENGTH) -> None:
        self._max_length = max_length
        self._buffer = bytearray()
        self._start = 0
        self._lost = ""
        self.garbage: deque[Piece] = deque(maxlen=64)

    @property
    def rest(self) -> bytes:
        """What has come of a message that is not whole yet."""
        return bytes(self._buffer)

    @property
    def start_of_rest(self) -> int:
        """Stream offset of :attr:`rest`: so many bytes have been handed out as frames or garbage."""
        return self._start

    @property
    def lost(self) -> str:
        """Why the stream can't be divided any more ("" while it can)."""
        return self._lost

    def feed(self, data: bytes) -> list[bytes]:
        """The frames, each with its length, that ``data`` completes. Garbage goes to :attr:`garbage`."""
        frames = []
        for piece in self.split(data):
            if piece.reason:
                self.garbage.append(piece)
            else:
                frames.append(piece.data)
        return frames

    def split(self, data: bytes) -> list[Piece]:
        """Like :meth:`feed`, with the garbage in its place between the frames and the offset of each."""
        if self._lost:
            return [self._take_from(bytes(data), self._lost)] if data else []
        follow = len(data) - 2
        if not self._buffer and MIN_LENGTH <= follow <= self._max_length and data[0] << 8 | data[1] == follow:
            return [self._take_from(bytes(data), "")]  # one frame and nothing else, as it mostly comes
        self._buffer += data
        buffer, position, pieces = self._buffer, 0, []
        while len(buffer) - position >= 2:
            length = buffer[position] << 8 | buffer[position + 1]
            if length > self._max_length:
                self._lost = f"length {length}, more than {self._max_length}: no frame can be found from here on"
                pieces.append(self._take_from(bytes(buffer[position:]), self._lost))
                position = len(buffer)
                break
            if len(buffer) - position < 2 + length:
                break
            reason = f"length {length}, the smallest message has {MIN_LENGTH}" if length < MIN_LENGTH else ""
            pieces.append(self._take_from(bytes(buffer[position : position + 2 + length]), reason))
            position += 2 + length
        del buffer[:position]
        return pieces

    def _take_from(self, data: bytes, reason: str) -> Piece:
        piece = Piece(self._start, data, reason)
        self._start += len(data)
        return piece
