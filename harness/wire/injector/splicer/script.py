# SPDX-License-Identifier: GPL-2.0-only
"""When the bytes of a struck message are delivered, and what happens to the connection at the end. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

NEVER = 1 << 62

Sides = Literal["both", "terminal", "acquirer"]


@dataclass(frozen=True, slots=True)
class Step:
    """``wait`` ns after the step before, everything up to the delivered offset ``limit`` may go."""

    wait: int
    limit: int


@dataclass(frozen=True, slots=True)
class Ending:
    """``wait`` ns after the last step the connection is reset at ``sides``, or (close) its receiver sees a FIN."""

    kind: Literal["reset", "close"]
    wait: int = 0
    sides: Sides = "both"


class Script:
    """Of one message, which lies at the delivered offsets ``start`` to ``end``. Nothing behind it goes before it is
    over."""

    def __init__(
        self, fault_ids: Iterable[int], start: int, end: int, steps: Iterable[Step], ending: Ending | None, now: int
    ) -> None:
        self.fault_ids = frozenset(fault_ids)
        self.start, self.end = start, end
        self._steps = deque(steps)
        self.ending = ending
        self.limit = start
        self.at = now
        self._next_wait()

    @property
    def over(self) -> bool:
        """Nothing more is to be waited for."""
        return not self._steps and self.ending is None

    @property
    def spread(self) -> bool:
        """Whether there are pieces yet to come, by a schedule that the sender's repetitions would disturb."""
        return bool(self._steps)

    def advance(self, now: int) -> bool:
        """Takes the next step that is due. False: none is."""
        if not self._steps or self.at > now:
            return False
        self.limit = max(self.limit, self._steps.popleft().limit)
        self.at = max(self.at, now)  # late once, the pieces still keep their distance
        self._next_wait()
        return True

    def ended(self, now: int) -> Ending | None:
        """The ending, once it is due."""
        if self._steps or self.ending is None or self.at > now:
            return None
        return self.ending

    def let_go(self) -> None:
        """No more waiting and no ending: all of it."""
        self._steps.clear()
        self.limit, self.ending = max(self.limit, self.end), None

    @property
    def due(self) -> int:
        return self.at if not self.over else NEVER

    def _next_wait(self) -> None:
        if self._steps:
            self.at += self._steps[0].wait
        elif self.ending is not None:
            self.at += self.ending.wait
