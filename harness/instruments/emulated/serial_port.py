"""A serial port of an instrument: a pty. Whoever opens its path is connected; there is no handshake."""

from __future__ import annotations

import asyncio
import contextlib
import os
import termios
import tty
from collections.abc import Callable

from harness.instruments.emulated.faults import Faults
from harness.instruments.emulated.listener import Converse, Line

_READ = 4096


class SerialPort:
    """In place of a :class:`.listener.Listener`. Where that refuses, this one is silent: it is switched off."""

    port = 0

    def __init__(self, converse: Converse, faults: Callable[[], Faults]) -> None:
        """Raises OSError where there is no pty left."""
        self._converse, self._faults = converse, faults
        self._ours, self._theirs = os.openpty()  # theirs stays open, or ours would end with each client
        tty.setraw(self._theirs)
        os.set_blocking(self._ours, False)
        self.path = os.ttyname(self._theirs)
        self._conversation: asyncio.Task[None] | None = None

    async def open(self) -> None:
        if self._conversation is None:
            termios.tcflush(self._theirs, termios.TCIOFLUSH)
            self._conversation = asyncio.create_task(self._serve())

    async def refuse(self) -> None:
        if self._conversation is not None:
            self._conversation.cancel()
            await asyncio.wait([self._conversation])
            self._conversation = None

    async def close(self) -> None:
        await self.refuse()
        os.close(self._ours)
        os.close(self._theirs)

    async def _serve(self) -> None:
        reader, loop = asyncio.StreamReader(), asyncio.get_running_loop()
        loop.add_reader(self._ours, lambda: reader.feed_data(os.read(self._ours, _READ)))
        try:
            while True:  # a fault that cuts an answer does not cut the cable
                with contextlib.suppress(ConnectionError):
                    await self._converse(Line(reader, _Cable(self._ours), self._faults))
        finally:
            loop.remove_reader(self._ours)


class _Cable:
    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def write(self, data: bytes) -> None:
        with contextlib.suppress(BlockingIOError):  # nobody reads: it is lost
            os.write(self._descriptor, data)

    async def drain(self) -> None: ...
    def close(self) -> None: ...
