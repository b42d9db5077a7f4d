# SPDX-License-Identifier: GPL-2.0-only
"""Where what is delivered differs from what was sent: the offsets of a stream, there and back. Pure.

Original offsets count what the sender sent, delivered offsets what the receiver gets; both begin at 0 together.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Edit:
    """``length`` original bytes from ``start`` are ``size`` delivered bytes from ``delivered``. Length 0: inserted
    before the byte ``start``; size 0: swallowed."""

    start: int
    length: int
    delivered: int
    size: int

    @property
    def end(self) -> int:
        return self.start + self.length

    @property
    def delivered_end(self) -> int:
        return self.delivered + self.size


class Edits:
    """Of one direction, in their order. Those whose bytes are acknowledged are forgotten; their sum stays, and that
    what lies before them is another matter."""

    def __init__(self) -> None:
        self._edits: deque[Edit] = deque()
        self._forgotten = 0
        self._floor = self._floor_delivered = -(1 << 40)  # behind the last edit that is forgotten
        self.delta = 0
        """Delivered minus original offset, behind the last edit."""

    def __bool__(self) -> bool:
        return bool(self._edits)

    @property
    def differ(self) -> bool:
        """Whether any offset that still counts is not the same on both sides."""
        return bool(self._edits) or self.delta != 0

    @property
    def any_before(self) -> bool:
        """Whether something was edited, ever: then what the sender repeats need not be what was delivered."""
        return bool(self._edits) or self._floor >= 0

    def add(self, start: int, length: int, size: int) -> None:
        """Behind all earlier ones."""
        assert not self._edits or start >= self._edits[-1].end, "edits come in their order"
        self._edits.append(Edit(start, length, start + self.delta, size))
        self.delta += size - length

    def place(self, offset: int) -> int:
        """The delivered offset of the original byte ``offset``; of a byte that was replaced, of what replaced it."""
        if offset < self._floor:
            return self._floor_delivered
        delta = self._forgotten
        for edit in self._edits:
            if offset < edit.start:
                break
            if offset < edit.end:
                return edit.delivered
            delta += edit.size - edit.length
        return offset + delta

    def end_place(self, offset: int) -> int:
        """Where the bytes *before* ``offset`` end: insertions at it come behind."""
        if offset <= self._floor:
            return self._floor_delivered
        delta = self._forgotten
        for edit in self._edits:
            if offset <= edit.start:
                break
            if offset < edit.end:
                return edit.delivered_end
            delta += edit.size - edit.length
        return offset + delta

    def origin(self, delivered: int) -> int:
        """How far the original is complete when the receiver has all before ``delivered``: a part of what replaces
        something counts as nothing of it."""
        delta = self._forgotten
        for edit in self._edits:
            if delivered < edit.delivered or (edit.size and delivered == edit.delivered):
                break
            if delivered < edit.delivered_end:
                return edit.start
            delta += edit.size - edit.length
        return delivered - delta

    def untouched(self, start: int, end: int) -> bool:
        """Whether the original bytes from ``start`` to ``end`` are delivered as they are, together."""
        return start >= self._floor and not any(edit.start < end and edit.end > start for edit in self._edits)

    def forget(self, delivered: int) -> None:
        """The receiver has everything before ``delivered``, and the sender knows."""
        while self._edits and self._edits[0].delivered_end <= delivered:
            gone = self._edits.popleft()
            self._forgotten += gone.size - gone.length
            self._floor, self._floor_delivered = gone.end, gone.delivered_end
