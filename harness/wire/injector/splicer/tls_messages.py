# SPDX-License-Identifier: GPL-2.0-only
"""Messages in TLS: which records carry which, read with the session's keys. Pure but for the file of keys.

A record is passed on, or not, as it is: nobody here could write another. So a unit is whole records, from the first
that brings bytes of a message to the last; handshakes, tickets and alerts are units of their own, and no messages.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from harness.wire.faults.base import Side
from harness.wire.injector.contract import OTHER
from harness.wire.injector.splicer.armory import DIRECTION
from harness.wire.injector.splicer.assembly import Divider, Unit
from harness.wire.injector.splicer.plan import Message
from harness.wire.injector.splicer.tls_join import JoinedReader
from harness.wire.layers import Item, Span
from harness.wire.tls import TlsReader
from harness.wire.tls_records import APPLICATION_DATA, CHANGE_CIPHER_SPEC, HEADER_SIZE, LARGEST

_SENDER: dict[str, Side] = {name: side for side, name in DIRECTION.items()}


class _Side:
    """One direction. Offsets are those of the stream."""

    def __init__(self, divider: Divider) -> None:
        self.divider = divider
        self.buffer = bytearray()
        self.at = 0  # of the first byte in the buffer
        self.unit = 0  # where the unit begins that is not whole yet
        self.ends: deque[int] = deque()  # of the records that are not dealt with
        self.first = 0  # number of the first of those
        self.passed: set[int] = set()  # numbers of those that need not be read to be passed on
        self.content: dict[int, bytes] = {}  # by record
        self.frames: list[bytes] = []  # in the unit that is not whole yet
        self.fed = 0
        self.over = False


class TlsMessages:
    """Both directions of a connection (:class:`~.assembly.Assembly`).

    ``reader`` opens the records; ``divider`` divides what is in them.
    """

    def __init__(self, reader: TlsReader | JoinedReader, divider: Callable[[Side], Divider]) -> None:
        self._reader = reader
        self._sides = {side: _Side(divider(side)) for side in OTHER}
        self._over = ""

    @property
    def unreadable(self) -> str:
        return self._over or (self._reader.failed if isinstance(self._reader, JoinedReader) else "")

    def feed(self, sender: Side, data: bytes, now: int) -> list[Unit]:
        side = self._sides[sender]
        side.buffer += data
        found: list[Item] = []
        units: list[Unit] = []
        while not side.over and len(side.buffer) >= HEADER_SIZE:
            size = HEADER_SIZE + int.from_bytes(side.buffer[3:5], "big")
            kind = side.buffer[0]
            if not CHANGE_CIPHER_SPEC <= kind <= APPLICATION_DATA or side.buffer[1] != 3 or size > LARGEST:
                side.over = True
                self._over = self._over or "what is in this connection is not TLS"
                break
            if len(side.buffer) < size:
                break
            record = bytes(side.buffer[:size])
            del side.buffer[:size]
            side.at += size
            number = side.first + len(side.ends)
            if kind != APPLICATION_DATA and len(side.passed) == len(side.ends):
                # a handshake must not wait for keys: in TLS 1.2 they are made, and told, at its end
                units.append(Unit(sender, side.unit, side.at))
                side.unit = side.at
                side.passed.add(number)
            side.ends.append(side.at)
            found += self._reader.take(DIRECTION[sender], Span(record, now, now, (number,)))
        return units + self._units(found)

    def retry(self, now: int) -> list[Unit]:
        return self._units(self._reader.retry())

    def lost(self, sender: Side, at: int) -> None:
        side = self._sides[sender]
        side.buffer.clear()
        side.ends.clear()
        side.frames, side.over, side.at, side.unit = [], True, at, at
        self._over = "bytes of this TLS connection passed unseen, and what follows can't be opened"

    def begun(self, sender: Side) -> int:
        return self._sides[sender].unit

    def message(self, unit: Unit, raw: bytes) -> Message:
        return Message(unit.sender, unit.frame, raw, None, _impossible, _impossible)

    @property
    def waits(self) -> bool:
        return any(len(side.ends) > len(side.passed) and not side.over for side in self._sides.values())

    def _units(self, items: list[Item]) -> list[Unit]:
        for direction, item in items:
            if isinstance(item, Span):
                side = self._sides[_SENDER[direction]]
                number = item.packets[0]
                side.content[number] = side.content.get(number, b"") + item.data
        units: list[Unit] = []
        for sender, side in self._sides.items():
            waiting = self._reader.waiting(DIRECTION[sender])
            while len(side.ends) > waiting:
                units += self._record(sender, side, side.ends.popleft())
            if side.over and side.at + len(side.buffer) > side.unit:
                side.at += len(side.buffer)
                side.buffer.clear()
                units.append(Unit(sender, side.unit, side.at))
                side.unit = side.at
        return units

    def _record(self, sender: Side, side: _Side, end: int) -> list[Unit]:
        number, side.first = side.first, side.first + 1
        content = side.content.pop(number, b"")
        if number in side.passed:
            side.passed.discard(number)
            return []
        side.fed += len(content)
        side.frames += [unit.frame for unit in side.divider.feed(content) if unit.frame] if content else []
        if side.divider.begun < side.fed:
            return []  # a message is not whole yet
        start, side.unit = side.unit, end
        frames, side.frames = side.frames, []
        if not frames:
            return [Unit(sender, start, end)]
        return [Unit(sender, start, end, frames[0], None, tuple(frames[1:]))]


def _impossible(frame: bytes) -> bytes:
    raise AssertionError("nobody on the wire can write into a TLS session")
