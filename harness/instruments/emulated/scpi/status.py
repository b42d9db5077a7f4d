"""The status registers of IEEE 488.2 and SCPI's error queue."""

from __future__ import annotations

from collections import deque

from harness.instruments.emulated.scpi.errors import ScpiError

LONGEST_QUEUE = 20
POWER_ON, COMMAND_ERROR, EXECUTION_ERROR, DEVICE_ERROR, QUERY_ERROR, OPERATION_COMPLETE = 128, 32, 16, 8, 4, 1
_QUEUE_BIT, _EVENT_BIT, _MASTER_BIT = 4, 32, 64


class Status:
    """Event status register with its enable, service request enable, queue. One an instrument, whoever speaks to it."""

    def __init__(self) -> None:
        self.event, self.event_enable, self.request_enable = POWER_ON, 0, 0
        self.completes = False  # *OPC waits for what is under way
        self._queue: deque[str] = deque()

    def note(self, error: ScpiError) -> None:
        """Queues an error and sets its bit."""
        self.event |= {1: COMMAND_ERROR, 2: EXECUTION_ERROR, 3: DEVICE_ERROR, 4: QUERY_ERROR}[-error.number // 100]
        if len(self._queue) < LONGEST_QUEUE:
            self._queue.append(error.entry)
        else:
            self._queue[-1] = ScpiError(-350).entry

    def next_error(self) -> str:
        """The oldest, which is taken out."""
        return self._queue.popleft() if self._queue else ScpiError(0).entry

    @property
    def errors(self) -> int:
        return len(self._queue)

    def take_event(self) -> int:
        """``*ESR?``: reading clears it."""
        event, self.event = self.event, 0
        return event

    def byte(self) -> int:
        """``*STB?``."""
        value = (_QUEUE_BIT if self._queue else 0) | (_EVENT_BIT if self.event & self.event_enable else 0)
        return value | (_MASTER_BIT if value & self.request_enable else 0)

    def clear(self) -> None:
        """``*CLS``."""
        self.event, self.completes = 0, False
        self._queue.clear()
