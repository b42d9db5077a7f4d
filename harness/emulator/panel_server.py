"""The front panel's socket: JSON lines over a Unix stream socket, any number of clients."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from harness.errors import BadInput

LONGEST_LINE = 1 << 20
MOST_UNREAD = 64 << 20  # a client that leaves this much unread is cut off
_PATH_LIMIT = 107  # of a Unix socket's address, bytes


@contextlib.contextmanager
def reachable(path: Path) -> Iterator[str]:
    """An address for ``path`` that fits, however deep the folder of the bench is."""
    if len(os.fsencode(path)) <= _PATH_LIMIT:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def connect(path: Path) -> socket.socket:
    """A connection to the server at ``path``. Raises OSError."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with reachable(path) as address:
            sock.connect(address)
    except OSError:
        sock.close()
        raise
    return sock


class PanelServer:
    """Serves in the caller's selector loop.

    ``greet()`` gives the events for a new client; ``handle(op, request)`` does a request and returns what is added to
    the reply, or raises :class:`BadInput`.
    """

    def __init__(
        self, path: Path, selector: selectors.BaseSelector, greet: Callable[[], list[dict[str, Any]]],
        handle: Callable[[str, dict[str, Any]], dict[str, Any]],
    ) -> None:
        self.path, self._selector, self._greet, self._handle = path, selector, greet, handle
        self._clients: dict[socket.socket, _Client] = {}
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        temporary = path.with_name(f".{os.getpid()}")
        with reachable(temporary) as address:
            self._listener.bind(address)
        self._listener.listen(8)
        temporary.replace(path)  # whoever sees the path can connect
        selector.register(self._listener, selectors.EVENT_READ, self._accept)

    def broadcast(self, event: dict[str, Any]) -> None:
        """Sends an event to every client."""
        line = _line(event)
        for client in list(self._clients.values()):
            self._send(client, line)

    def close(self) -> None:
        """Ends the service and removes the path."""
        for client in list(self._clients.values()):
            self._drop(client)
        self._selector.unregister(self._listener)
        self._listener.close()
        self.path.unlink(missing_ok=True)

    def descriptors(self) -> list[int]:
        """What a forked CPU must not inherit."""
        return [self._listener.fileno(), *(sock.fileno() for sock in self._clients)]

    def _accept(self, _events: int) -> None:
        try:
            sock, _ = self._listener.accept()
        except OSError:
            return
        sock.setblocking(False)
        client = self._clients[sock] = _Client(sock)
        self._selector.register(sock, selectors.EVENT_READ, lambda events: self._serve(client, events))
        for event in self._greet():
            self._send(client, _line(event))

    def _serve(self, client: _Client, events: int) -> None:
        if events & selectors.EVENT_WRITE:
            self._send(client, b"")
        if events & selectors.EVENT_READ and client.sock in self._clients:
            try:
                data = client.sock.recv(65536)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self._drop(client)
                return
            client.unread += data
            self._answer_lines(client)

    def _answer_lines(self, client: _Client) -> None:
        *lines, rest = client.unread.split(b"\n")
        client.unread = rest
        for line in lines:
            if line.strip():
                self._send(client, _line(self._answer(bytes(line))))
        if len(rest) > LONGEST_LINE:
            self._send(client, _line({"re": None, "ok": False, "error": f"a line is longer than {LONGEST_LINE} bytes"}))
            self._drop(client)

    def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            request = json.loads(line)
        except (ValueError, RecursionError) as error:
            return {"re": None, "ok": False, "error": f"is no JSON: {error}"}
        if not isinstance(request, dict) or not isinstance(request.get("op"), str):
            return {"re": None, "ok": False, "error": 'a request is an object with "id" and "op"'}
        number = request.get("id")
        if isinstance(number, bool) or not isinstance(number, int | str):
            return {"re": None, "ok": False, "error": '"id" is a number or a text'}
        try:
            return {"re": number, "ok": True, **self._handle(request["op"], request)}
        except BadInput as error:
            return {"re": number, "ok": False, "error": str(error)}

    def _send(self, client: _Client, data: bytes) -> None:
        if client.sock not in self._clients:
            return
        client.unsent += data
        try:
            while client.unsent:
                del client.unsent[: client.sock.send(client.unsent)]
        except BlockingIOError:
            pass
        except OSError:
            self._drop(client)
            return
        if len(client.unsent) > MOST_UNREAD:
            self._drop(client)
            return
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if client.unsent else 0)
        key = self._selector.get_key(client.sock)
        if key.events != wanted:
            self._selector.modify(client.sock, wanted, key.data)

    def _drop(self, client: _Client) -> None:
        if self._clients.pop(client.sock, None) is not None:
            self._selector.unregister(client.sock)
            client.sock.close()


class _Client:
    def __init__(self, sock: socket.socket) -> None:
        self.sock, self.unread, self.unsent = sock, bytearray(), bytearray()


def _line(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace") + b"\n"
