"""The printer: what it is sent comes out, waits while it is too hot, or is lost. Pure."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any, NamedTuple

_MOST_WAITING = 8  # slips; its memory is small


class _Picture(NamedTuple):
    width: int
    height: int
    rows: bytes


class Paper:
    """``out(event)`` is told each slip: the panel's ``paper`` event. Rows are compressed as on the bus."""

    def __init__(self, out: Callable[[dict[str, Any]], object]) -> None:
        self._out = out
        self._parts = bytearray()
        self._waiting: list[_Picture] = []
        self._slips = 0

    def part(self, rows: bytes) -> None:
        self._parts += rows

    def slip(self, width: int, height: int, rows: bytes, t: int, state: str) -> bool:
        """A whole slip was sent. ``state`` as of :attr:`harness.emulator.felt.unit.Unit.printer`. True: it waits."""
        picture = _Picture(width, height, bytes(self._parts) + rows)
        self._parts.clear()
        if state == "ok":
            self._print(picture, t)
        elif state == "hot" and len(self._waiting) < _MOST_WAITING:
            self._waiting.append(picture)
            return True
        return False

    def let_out(self, t: int) -> int:
        """It has cooled down: what waits comes out. Returns how many slips."""
        waiting, self._waiting = self._waiting, []
        for picture in waiting:
            self._print(picture, t)
        return len(waiting)

    def forget_parts(self) -> None:
        """Who was sending is gone in the middle of it."""
        self._parts.clear()

    def forget(self) -> None:
        """Its memory goes with the power."""
        self._parts.clear()
        self._waiting.clear()

    def _print(self, picture: _Picture, t: int) -> None:
        self._slips += 1
        self._out({"ev": "paper", "t": t, "n": self._slips, "width": picture.width, "height": picture.height,
                   "bits": base64.b64encode(picture.rows).decode()})
