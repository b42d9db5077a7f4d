"""What the guard's main thread waits for."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

Why = Literal["asked", "test_ended", "hung", "runner_died"]


class Restoring:
    """All instruments on their way to their safe state, since :attr:`since`."""

    def __init__(self, why: Why) -> None:
        self.why, self.since = why, time.monotonic()


class Waiting:
    """A request whose reply waits until ``done`` holds or ``until`` (monotonic) has passed."""

    def __init__(self, done: Callable[[], bool], until: float, reply: Callable[[], None]) -> None:
        self.done, self.until, self.reply = done, until, reply
