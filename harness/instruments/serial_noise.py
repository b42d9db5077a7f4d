"""What can be wrong with a service line while blocks go over it: noise, a sender that stops, a second sender.

Each stands between a sender and the line (``through`` of a driver that loads firmware) and does the same again for the
same seed. Bytes that are no block (an end, a cancel) pass.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Protocol

SHORTEST_BLOCK = 100  # bytes; what is shorter is a word between sender and receiver


class _Line(Protocol):
    def getc(self, size: int, timeout: float = 1) -> bytes | None: ...
    def putc(self, data: bytes, timeout: float = 1) -> int | None: ...


class _Between:
    """A line that passes everything."""

    def __init__(self, line: _Line) -> None:
        self._line = line

    def getc(self, size: int, timeout: float = 1) -> bytes | None:
        return self._line.getc(size, timeout)

    def putc(self, data: bytes, timeout: float = 1) -> int | None:
        return self._line.putc(data, timeout) if len(data) < SHORTEST_BLOCK else self._put_block(data, timeout)

    def _put_block(self, data: bytes, timeout: float) -> int | None:
        return self._line.putc(data, timeout)


class Noise(_Between):
    """In ``share`` of the blocks a byte is changed, lost or added. ``spoilt``: how many so far."""

    def __init__(self, line: _Line, *, share: float = 0.05, seed: int = 97) -> None:
        super().__init__(line)
        self._share, self._dice, self.spoilt = share, random.Random(seed), 0

    def _put_block(self, data: bytes, timeout: float) -> int | None:
        if self._dice.random() < self._share:
            data = self._spoil(bytearray(data))
            self.spoilt += 1
        return self._line.putc(data, timeout)

    def _spoil(self, data: bytearray) -> bytes:
        at = self._dice.randrange(len(data))
        match self._dice.randrange(3):
            case 0:
                data[at] ^= 1 << self._dice.randrange(8)
            case 1:
                del data[at]
            case _:
                data.insert(at, self._dice.randrange(256))
        return bytes(data)


class Stops(_Between):
    """The sender is gone after ``blocks`` of them: ``gone()`` makes what is raised at the next one."""

    def __init__(self, line: _Line, *, blocks: int, gone: Callable[[], Exception]) -> None:
        super().__init__(line)
        self._left, self._gone = blocks, gone

    def _put_block(self, data: bytes, timeout: float) -> int | None:
        if not self._left:
            raise self._gone()
        self._left -= 1
        return self._line.putc(data, timeout)


class SecondSender(_Between):
    """From block ``after`` on another sender's bytes come with each block, in the middle of it: ``other`` is its image.
    """

    def __init__(self, line: _Line, *, other: bytes, after: int = 3, seed: int = 97) -> None:
        super().__init__(line)
        self._other, self._wait, self._dice, self._at = other, after, random.Random(seed), 0

    def _put_block(self, data: bytes, timeout: float) -> int | None:
        if self._wait:
            self._wait -= 1
            return self._line.putc(data, timeout)
        cut, size = self._dice.randrange(1, len(data)), self._dice.randrange(1, 512)
        alien = self._other[self._at : self._at + size]
        self._at += size
        self._line.putc(data[:cut] + alien + data[cut:], timeout)
        return len(data)
