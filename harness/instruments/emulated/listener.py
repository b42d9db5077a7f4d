"""A TCP port of an instrument: who is connected, and the faults of the conversation that need no protocol."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from typing import Protocol

from harness.instruments.emulated.faults import Faults

_WAITING = 16
_DEAD_ENDS = (ConnectionError, asyncio.IncompleteReadError, TimeoutError)


class Writer(Protocol):
    """As :class:`asyncio.StreamWriter`."""

    def write(self, data: bytes) -> None: ...
    async def drain(self) -> None: ...
    def close(self) -> None: ...


class Line:
    """One connection. :meth:`send` is as late and as whole as the faults have it; ConnectionError ends it."""

    def __init__(self, reader: asyncio.StreamReader, writer: Writer, faults: Callable[[], Faults]) -> None:
        self.reader, self._writer, self._faults = reader, writer, faults

    async def send(self, data: bytes) -> None:
        """An answer. Raises ConnectionError where the other end is gone, or a fault cuts it."""
        faults = self._faults()
        if faults.slow_s:
            await asyncio.sleep(faults.slow_s)
            faults = self._faults()
        self._writer.write(data[: len(data) // 2] if faults.drop else data)
        await self._writer.drain()
        if faults.drop:
            raise ConnectionAbortedError("cut by a fault")

    def close(self) -> None:
        """Ends it now; what was written is still sent."""
        self._writer.close()


Converse = Callable[[Line], Awaitable[None]]


class Listener:
    """Serves each connection with ``converse``. The port stays taken while connections are refused."""

    def __init__(self, host: str, port: int, converse: Converse, faults: Callable[[], Faults]) -> None:
        """Raises OSError where the port can't be had."""
        self._host, self._converse, self._faults = host, converse, faults
        self._socket = _bound(host, port)
        self.port: int = self._socket.getsockname()[1]
        self._server: asyncio.Server | None = None
        self._conversations: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def open(self) -> None:
        """From now on connections are accepted."""
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, sock=self._socket, backlog=_WAITING)

    async def refuse(self) -> None:
        """From now on they are not, and those that stand are ended."""
        if self._server is None:
            return
        self._server.close()
        self._server = None
        self._socket = _bound(self._host, self.port)  # not listening: the kernel refuses
        await self._end_all()

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        self._socket.close()
        await self._end_all()

    async def _end_all(self) -> None:
        conversations = list(self._conversations)
        for task, writer in list(self._conversations.items()):
            writer.transport.abort()
            task.cancel()
        if conversations:
            await asyncio.wait(conversations)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._server is None:  # it came while this was being refused
            writer.transport.abort()
            return
        task = asyncio.current_task()
        assert task is not None
        self._conversations[task] = writer
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            with contextlib.suppress(*_DEAD_ENDS, asyncio.CancelledError):
                await self._converse(Line(reader, writer, self._faults))
        finally:
            del self._conversations[task]
            writer.close()


def _bound(host: str, port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
    except OSError:
        sock.close()
        raise
    sock.setblocking(False)
    return sock
