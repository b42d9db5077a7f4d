# SPDX-License-Identifier: GPL-2.0-only
"""From the bytes of a connection to its messages, with where in the stream each begins and ends. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from harness.protocol.spec import MIN_LENGTH, OFFSET_MTI
from harness.protocol.stream import FrameSplitter, Piece
from harness.wire.faults.base import Side
from harness.wire.injector.contract import OTHER
from harness.wire.injector.splicer.plan import Message

_TPDU = 0x60
_LONGEST = 0x27FF
"""Length of a message, where one is looked for; the longest that acquirers speak of has 9999 bytes."""


@dataclass(frozen=True, slots=True)
class Unit:
    """Original bytes ``start`` to ``end`` of what ``sender`` says, of which all is decided together.

    ``frame``: the message in it, b"" where it is none. ``head``: where in the unit the frame begins; None: it can't be
    read there. ``also``: further messages, not to be parted from it (in one TLS record).
    """

    sender: Side
    start: int
    end: int
    frame: bytes = b""
    head: int | None = 0
    also: tuple[bytes, ...] = ()


class Assembly(Protocol):
    """Of one connection, both directions."""

    def feed(self, sender: Side, data: bytes, now: int) -> list[Unit]:
        """The next bytes; gives what is whole now, in the order of the stream."""

    def retry(self, now: int) -> list[Unit]:
        """What had to wait for something else than bytes."""

    def lost(self, sender: Side, at: int) -> None:
        """Bytes before the offset ``at`` were never seen."""

    def begun(self, sender: Side) -> int:
        """Offset behind the last unit: where the one that is not whole yet begins."""

    def message(self, unit: Unit, raw: bytes) -> Message:
        """The message in a unit that has one, of which ``raw`` are the bytes."""

    @property
    def waits(self) -> bool:
        """Whether :meth:`retry` may find something soon."""

    @property
    def unreadable(self) -> str:
        """Why no messages can be found in this connection; "" while they can."""


class Divider(Protocol):
    """One direction of what lies open: bytes in, units out, with offsets in what it was fed."""

    def feed(self, data: bytes) -> list[Unit]: ...

    def lost(self, at: int) -> None: ...

    @property
    def begun(self) -> int: ...


class Frames:
    """Messages behind their length. ``begun``: the first byte begins one."""

    def __init__(self, sender: Side, begun: bool) -> None:
        self._sender = sender
        self._splitter = FrameSplitter()
        self._at = 0
        self._sure = begun

    def lost(self, at: int) -> None:
        self._splitter, self._at, self._sure = FrameSplitter(), at, False

    @property
    def begun(self) -> int:
        return self._at + self._splitter.start_of_rest

    def feed(self, data: bytes) -> list[Unit]:
        if not self._sure:
            if not _begins(data):  # in the middle of something: a later segment will begin one
                start, self._at = self._at, self._at + len(data)
                return [Unit(self._sender, start, self._at)]
            self._sure = True
        units = [self._unit(piece) for piece in self._splitter.split(data)]
        if self._splitter.lost:
            self.lost(self._at + self._splitter.start_of_rest)
        return units

    def _unit(self, piece: Piece) -> Unit:
        frame = b"" if piece.reason else piece.data
        return Unit(self._sender, self._at + piece.start, self._at + piece.end, frame)


class Open:
    """Messages that lie open in the stream, divided by ``divider`` (made for each side). After bytes that were missed,
    and where the connection was not seen from its beginning, a message is found again where a segment begins with
    one."""

    def __init__(self, divider: Callable[[Side], Divider]) -> None:
        self._sides = {side: divider(side) for side in OTHER}

    def feed(self, sender: Side, data: bytes, now: int) -> list[Unit]:
        return self._sides[sender].feed(data)

    def retry(self, now: int) -> list[Unit]:
        return []

    def lost(self, sender: Side, at: int) -> None:
        self._sides[sender].lost(at)

    def begun(self, sender: Side) -> int:
        return self._sides[sender].begun

    def message(self, unit: Unit, raw: bytes) -> Message:
        return Message(unit.sender, unit.frame, raw, unit.head, _same, _same)

    waits = False
    unreadable = ""


def _same(frame: bytes) -> bytes:
    return frame


def _begins(data: bytes) -> bool:
    """Whether a message begins here, as far as can be seen."""
    length = int.from_bytes(data[:2].ljust(2, b"\xff"), "big")
    if not MIN_LENGTH <= length <= _LONGEST:
        return False
    mti = data[OFFSET_MTI : OFFSET_MTI + 2].hex()
    return data[2:3] in (b"", bytes([_TPDU])) and (not mti or (mti[0] == "0" and mti.isdigit()))
