"""The worker's end of the injector, which is another program under another licence: only JSON goes between them."""

from __future__ import annotations

import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness.errors import BenchError, TerminalTimeout
from harness.lab.process import Child, spawn
from harness.wire.pipe_client import Message, PipeClient
from harness.wire.topology import ACQUIRER_PORT, TERMINAL_ADDRESS, TERMINAL_PORT

Moment = Literal["now", "after_request", "response_begins"]


@dataclass(frozen=True)
class Injected:
    """A packet that was sent: ``t`` in ns of CLOCK_MONOTONIC, ``to`` whom, and the whole Ethernet frame in hex."""

    fault: str
    t: int
    to: Literal["terminal", "acquirer"]
    hex: str


class InjectorClient:
    """A running injector. It learns connections from what passes, so start it before the traffic in question."""

    def __init__(self, child: Child) -> None:
        self._injected: list[Injected] = []
        self._changed = threading.Condition()
        self._expected = 0
        self._pipe = PipeClient(child, self._take)

    @classmethod
    def start(
        cls, *, netns_fd: int, log: Path, interface: str = TERMINAL_PORT, acquirer_interface: str = ACQUIRER_PORT,
        terminal: str = TERMINAL_ADDRESS,
    ) -> InjectorClient:
        """Starts an injector in the wire's namespace; returns when it listens. Raises :class:`BenchError`."""
        command = [sys.executable, "-m", "harness.wire.injector", "--interface", interface,
                   "--acquirer-interface", acquirer_interface, "--terminal", terminal]
        client = cls(spawn(command, netns_fd=netns_fd, log=log, name="injector", pipes=True))
        client._pipe.await_ready()
        return client

    @property
    def injected(self) -> tuple[Injected, ...]:
        """All that was sent so far."""
        with self._changed:
            return tuple(self._injected)

    def reset(self, when: Moment = "now") -> None:
        """Resets both ends of a connection of the terminal: the current one at once, or the next at a moment.

        ``after_request``: as soon as data of the terminal has passed. ``response_begins``: as soon as data to the
        terminal has passed (which may be all of the answer: what the terminal could know is what the tap saw). These
        moments are armed; :meth:`await_injection` waits for them.
        Raises :class:`BenchError` when there is nothing to reset.
        """
        with self._changed:
            self._expected = len(self._injected)
        self._pipe.request("reset", when=when)

    def await_injection(self, seconds: float) -> tuple[Injected, ...]:
        """What the last :meth:`reset` sent, once it did. Raises :class:`TerminalTimeout` if its moment never came."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while len(self._injected) == self._expected:
                self.check()
                if not self._changed.wait(min(0.1, max(0.0, deadline - time.monotonic()))):
                    if time.monotonic() < deadline:
                        continue
                    raise TerminalTimeout("the moment of an armed reset", seconds, evidence=str(self._pipe.child.log))
            return tuple(self._injected[self._expected :])

    def heal(self) -> None:
        """Disarms whatever is armed."""
        self._pipe.request("heal")

    def check(self) -> None:
        """Raises :class:`BenchError` when the injector died."""
        self._pipe.check()

    def close(self) -> None:
        """Idempotent. With the injector's process every fault ends."""
        self._pipe.close()

    def _take(self, message: Message) -> None:
        if message["ev"] != "injected":
            raise BenchError(f"the injector said something unknown: {message}")
        with self._changed:
            self._injected += [Injected(message["fault"], **packet) for packet in message["packets"]]
            self._changed.notify_all()
