"""The control socket: JSON objects, one a line, on a Unix stream socket. Every client gets every event.

``sync``, ``status`` and ``shut_down`` belong to the running process and are here, the rest is the back office's.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from harness.acquirer.journal import JournalRow
from harness.acquirer.office import Office
from harness.errors import BadInput, Hil97Error

LONGEST_LINE = 1 << 20
LARGEST_BACKLOG = 64 << 20  # bytes a client may leave unread before it is cut off
_MOST_WAITING = 1000  # requests of one client
_LONGEST_PATH = 107  # sun_path of unix(7) without its final zero
# Turns of the event loop from "bytes are in the kernel" to "decided": accept, connection made, read, decide, slack.
_TURNS = 9


class Control:
    """Listens at ``path`` and serves clients until told to shut down."""

    def __init__(self, office: Office, *, last_jid: Callable[[], int], status: Callable[[], dict[str, Any]]) -> None:
        self._office, self._last_jid, self.status = office, last_jid, status
        self.clients: set[Client] = set()
        self.shut_down = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._path = Path()

    async def listen(self, path: Path) -> None:
        """A socket left over by a killed process is replaced. Raises :class:`BadInput`."""
        if len(os.fsencode(path)) > _LONGEST_PATH:
            raise BadInput(
                f"the path has {len(os.fsencode(path))} bytes, a Unix socket's has at most {_LONGEST_PATH}",
                where=str(path), remedy="Give --control a shorter path, for instance below the temporary directory.",
            )
        try:
            _remove_stale(path)
            before = os.umask(0o077)
            try:
                self._server = await asyncio.get_running_loop().create_unix_server(lambda: Client(self), str(path))
            finally:
                os.umask(before)
        except OSError as error:
            raise BadInput(f"can't be the control socket: {error.strerror or error}", where=str(path)) from error
        self._path = path

    def push(self, row: JournalRow) -> None:
        """One journal row to every client, in the order of the journal."""
        if self.clients:
            line = _line(row.as_event())
            for client in tuple(self.clients):
                client.send(line)

    def tell_trouble(self, what: str) -> None:
        """An internal error, to every client: what a terminal was told by it is not the terminal's doing."""
        for client in tuple(self.clients):
            client.send(_line({"ev": "trouble", "t": time.monotonic_ns(), "what": what}))

    def tell_activated(self, mid: str, tid: str, tmk: bytes) -> None:
        """A unit was activated over its link, to every client: with its (test) key, as ``register_terminal`` gives it.
        """
        key = self._office.key_reply(tmk)
        for client in tuple(self.clients):
            client.send(_line({"ev": "activated", "t": time.monotonic_ns(), "mid": mid, "tid": tid, **key}))

    async def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """The reply to a request, without its number."""
        match request.get("op"):
            case "sync":
                for _ in range(_TURNS):
                    await asyncio.sleep(0)
                return {"last_jid": self._last_jid()}
            case "status":
                return self.status()
            case "shut_down":
                self.shut_down.set()
                return {}
            case _:
                return self._office.carry_out(request)

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._path.unlink(missing_ok=True)
        for client in tuple(self.clients):
            client.close()


class Client(asyncio.Protocol):
    """One control connection. Its requests are answered one after the other."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._buffer = bytearray()
        self._lines: asyncio.Queue[bytes] = asyncio.Queue()
        self._transport: asyncio.Transport
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.send(_line({"ev": "ready", "t": time.monotonic_ns(), **self._control.status()}))
        self._control.clients.add(self)
        self._task = asyncio.get_running_loop().create_task(self._serve())

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        *lines, rest = self._buffer.split(b"\n")
        self._buffer = bytearray(rest)
        for line in lines:
            if line.strip():
                self._lines.put_nowait(bytes(line))
        if self._lines.qsize() > _MOST_WAITING:
            self._transport.pause_reading()
        if len(self._buffer) > LONGEST_LINE:
            self.send(_line(_refusal(None, f"a line of more than {LONGEST_LINE} bytes; connection closed")))
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._control.clients.discard(self)
        if self._task is not None:
            self._task.cancel()

    def send(self, line: bytes) -> None:
        if self._transport.is_closing():
            return
        self._transport.write(line)
        if self._transport.get_write_buffer_size() > LARGEST_BACKLOG:
            print(f"control client cut off: it left {LARGEST_BACKLOG} bytes unread", file=sys.stderr)
            self._transport.abort()

    def close(self) -> None:
        self._transport.close()

    async def _serve(self) -> None:
        while True:
            line = await self._lines.get()
            if self._lines.empty():
                self._transport.resume_reading()
            self.send(_line(await self._reply(line)))

    async def _reply(self, line: bytes) -> dict[str, Any]:
        try:
            request = json.loads(line)
        except (ValueError, RecursionError) as error:
            return _refusal(None, f"not a line of JSON: {error}")
        if not isinstance(request, dict):
            return _refusal(None, "not a JSON object")
        number = request.get("id")
        if not isinstance(number, int | str) or isinstance(number, bool):
            return _refusal(None, "the request has no id (a number or text)")
        try:
            return {"re": number, "ok": True, **await self._control.answer(request)}
        except Hil97Error as error:
            return _refusal(number, str(error))
        except Exception as error:
            traceback.print_exc(file=sys.stderr)
            return _refusal(number, f"internal error of the acquirer: {type(error).__name__}: {error}")


def _refusal(number: int | str | None, error: str) -> dict[str, Any]:
    return {"re": number, "ok": False, "error": error}


def _line(message: dict[str, Any]) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode("ascii") + b"\n"


def _remove_stale(path: Path) -> None:
    """Removes a socket that nobody listens at; raises OSError where somebody does."""
    if not path.is_socket():
        return
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
    raise OSError(0, "another process listens there")
