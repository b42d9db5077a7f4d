"""The event loop: flows that wait, and what wakes them.

A flow is a generator. It yields a :class:`Wait`, and gets the :class:`Signal` that ended it. Nothing else blocks:
between two waits a flow runs on, so what it does there is short.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Callable, Generator
from typing import Any, NamedTuple, TypeVar

_T = TypeVar("_T")

TICK_S = 0.25  # the loop turns at least this often: the watchdog wants to be fed
READABLE, WRITABLE = selectors.EVENT_READ, selectors.EVENT_WRITE
PANEL, CASHIER, SERVICE, READY, TIMEOUT = "panel", "cashier", "service", "ready", "timeout"


class Wait(NamedTuple):
    """What ends the wait: any of these. ``deadline`` on :func:`now`'s clock; ``until`` is asked after everything;
    ``cashier``: a command of the till or an engineer."""

    deadline: float | None = None
    panel: bool = False
    cashier: bool = False
    sock: socket.socket | None = None
    mask: int = 0
    until: Callable[[], bool] | None = None


class Signal(NamedTuple):
    """``kind`` PANEL (value: the event), CASHIER, SERVICE (value: the command), READY, TIMEOUT."""

    kind: str
    value: Any = None

    @property
    def commanded(self) -> bool:
        """Till or engineer want something."""
        return self.kind in (CASHIER, SERVICE)

    @property
    def key(self) -> str | None:
        """The key that was pressed, if that is what happened."""
        key = self.value.get("key") if self.kind == PANEL else None
        return key if isinstance(key, str) else None


Flow = Generator[Wait, Signal, _T]


def now() -> float:
    """Seconds, monotonic."""
    return time.monotonic()


class _Task:
    """A flow and what it waits for."""

    def __init__(self, flow: Flow[None]) -> None:
        self.flow = flow
        self.wait: Wait | None = None


class Loop:
    """Runs flows; see the module. ``tick`` is called once every turn."""

    def __init__(self, tick: Callable[[], None]) -> None:
        self._selector = selectors.DefaultSelector()
        self._tasks: list[_Task] = []
        self._tick = tick

    def listen(self, fd: int, handler: Callable[[], None]) -> None:
        """``handler`` is called whenever ``fd`` is readable."""
        self._selector.register(fd, READABLE, handler)

    def forget(self, fd: int) -> None:
        self._selector.unregister(fd)

    def start(self, flow: Flow[None]) -> None:
        task = _Task(flow)
        self._tasks.append(task)
        self._advance(task, None)

    def offer(self, signal: Signal) -> bool:
        """Gives a panel event or a command to the flow that waits for one; False: none does."""
        for task in self._tasks:
            if task.wait and (task.wait.panel if signal.kind == PANEL else task.wait.cashier):
                self._advance(task, signal)
                return True
        return False

    def turn(self, longest: float = TICK_S) -> None:
        """Waits for something to happen, at most ``longest`` seconds, and handles it."""
        deadlines = [task.wait.deadline for task in self._tasks if task.wait and task.wait.deadline is not None]
        timeout = max(0.0, min([longest, *(deadline - now() for deadline in deadlines)]))
        for key, _ in self._selector.select(timeout):
            if isinstance(key.data, _Task):
                self._advance(key.data, Signal(READY))
            else:
                key.data()
        moment = now()
        for task in list(self._tasks):
            wait = task.wait
            if wait is None:
                continue
            if wait.until is not None and wait.until():
                self._advance(task, Signal(READY))
            elif wait.deadline is not None and wait.deadline <= moment:
                self._advance(task, Signal(TIMEOUT))
        self._tick()

    def _advance(self, task: _Task, signal: Signal | None) -> None:
        if task.wait is not None and task.wait.sock is not None:
            self._selector.unregister(task.wait.sock)
        task.wait = None
        try:
            wait = next(task.flow) if signal is None else task.flow.send(signal)
        except StopIteration:
            self._tasks.remove(task)
            return
        if wait.sock is not None:
            self._selector.register(wait.sock, wait.mask, task)
        task.wait = wait
