"""The screen as it is seen: in the cold a picture comes later, a dead one stays blank. Pure; times in ns."""

from __future__ import annotations

import base64
from collections import deque
from collections.abc import Callable
from typing import Any


class Display:
    """``seen(event)`` is told each change: the panel's ``screen`` event. Rows are compressed as on the bus."""

    def __init__(
        self, width: int, height: int, blank: bytes, seen: Callable[[dict[str, Any]], object], now: int
    ) -> None:
        self._width, self._height, self._blank, self._seen = width, height, blank, seen
        self._driven = blank  # what the controller puts out; a dead one does not show it
        self._shown, self._t, self._n = blank, now, 0
        self._late: deque[tuple[int, bytes]] = deque()
        self._dead = False

    def event(self) -> dict[str, Any]:
        """The present picture."""
        return {"ev": "screen", "t": self._t, "n": self._n, "width": self._width, "height": self._height,
                "bits": base64.b64encode(self._shown).decode()}

    def put(self, rows: bytes, t: int, late_s: float = 0.0) -> None:
        """The application has shown this at ``t``; it is seen so much later, and never before what came earlier."""
        if late_s > 0 or self._late:
            due = t + round(late_s * 1e9)
            self._late.append((max(due, self._late[-1][0]) if self._late else due, rows))
        else:
            self._drive(rows, t)

    def lights_out(self, t: int) -> None:
        """The power is gone, and with it what was still to come."""
        self._late.clear()
        self._drive(self._blank, t)

    def set_dead(self, dead: bool, t: int) -> None:
        self._dead = dead
        self._show(self._blank if dead else self._driven, t)

    @property
    def due(self) -> int | None:
        """When :meth:`tick` has a picture to show."""
        return self._late[0][0] if self._late else None

    def tick(self, now: int) -> None:
        while self._late and self._late[0][0] <= now:
            due, rows = self._late.popleft()
            self._drive(rows, due)

    def _drive(self, rows: bytes, t: int) -> None:
        self._driven = rows
        if not self._dead:
            self._show(rows, t)

    def _show(self, rows: bytes, t: int) -> None:
        if rows != self._shown:
            self._shown, self._t, self._n = rows, t, self._n + 1
            self._seen(self.event())
