# SPDX-License-Identifier: GPL-2.0-only
"""Who speaks to the injector: the one that started it, over stdin and stdout, and others over a Unix socket.

All get every message; each gets the replies to its own requests. Nobody can hold the injector up: what a client does
not fetch waits here, and one of the socket that leaves too much behind is let go.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.errors import BadInput
from harness.wire.injector.clock import Clock

_MOST = 8 << 20
_LONGEST_REQUEST = 4 << 20
Message = dict[str, Any]


class Client:
    """``reads`` and ``writes``: descriptors. ``owner``: the one that started us; with its end everything ends."""

    def __init__(
        self, reads: int, writes: int, *, owner: bool = False, end: Callable[[], object] = lambda: None
    ) -> None:
        self.reads, self.writes, self.owner, self.end = reads, writes, owner, end
        self.faults: set[int] = set()
        """Faults that are to be healed when it goes."""
        self.outbox = bytearray()
        self._request = b""
        os.set_blocking(reads, False)
        os.set_blocking(writes, False)

    def lines(self) -> list[bytes] | None:
        """Whole lines that have come; None: it is gone."""
        try:
            data = os.read(self.reads, 65536)
        except BlockingIOError:
            return []
        except OSError:
            return None
        if not data or len(self._request) > _LONGEST_REQUEST:
            return None
        *lines, self._request = (self._request + data).split(b"\n")
        return lines

    def flush(self) -> bool:
        """Writes what it takes; False when it is gone."""
        try:
            while self.outbox:
                del self.outbox[: os.write(self.writes, self.outbox)]
        except BlockingIOError:
            return self.owner or len(self.outbox) <= _MOST
        except OSError:
            return False
        return True


class Clients:
    """All of them. ``clock`` is told what to wait for."""

    def __init__(self, clock: Clock, path: Path | None) -> None:
        self._clock = clock
        self._by_fd: dict[int, Client] = {}
        self._path, self._listener = path, None if path is None else _listen(path)
        self._blocked: set[int] = set()
        self._add(Client(0, os.dup(1), owner=True))
        if self._listener is not None:
            clock.watch(self._listener.fileno())

    def say(self, message: Message) -> None:
        """To all."""
        line = _line(message)
        for client in self._by_fd.values():
            client.outbox += line

    @staticmethod
    def reply(client: Client, message: Message) -> None:
        client.outbox += _line(message)

    def take(self, fd: int) -> list[tuple[Client, bytes | None]]:
        """Requests that came on a ready descriptor; a request of None: the client is gone. [] for others'."""
        if self._listener is not None and fd == self._listener.fileno():
            with contextlib.suppress(OSError):
                connection, _ = self._listener.accept()
                self._add(Client(connection.fileno(), connection.fileno(), end=connection.close))
            return []
        client = self._by_fd.get(fd)
        if client is None:
            return []
        lines = client.lines()
        return [(client, None)] if lines is None else [(client, line) for line in lines]

    def flush(self) -> list[Client]:
        """Writes what the clients take; those that are gone."""
        gone = []
        for client in self._by_fd.values():
            if client.outbox and not client.flush():
                gone.append(client)
            self._await_room(client)
        return gone

    def drop(self, client: Client) -> None:
        if self._by_fd.pop(client.reads, None) is not None:
            self._blocked.discard(client.reads)  # the number will be another's
            with contextlib.suppress(OSError):
                self._clock.unwatch(client.reads)
            client.end()

    def close(self) -> None:
        """What is still to be told is told, as far as it is taken; the socket is gone."""
        for client in [*self._by_fd.values()]:
            with contextlib.suppress(OSError):
                os.set_blocking(client.writes, client.owner)
            client.flush()
            self.drop(client)
        if self._listener is not None and self._path is not None:
            self._listener.close()
            self._path.unlink(missing_ok=True)

    def _add(self, client: Client) -> None:
        self._by_fd[client.reads] = client
        self._clock.watch(client.reads)

    def _await_room(self, client: Client) -> None:
        """A full pipe is waited for; one that has room is not, for it would be ready always."""
        full = bool(client.outbox)
        if full == (client.reads in self._blocked):
            return
        (self._blocked.add if full else self._blocked.discard)(client.reads)
        if client.reads == client.writes:
            self._clock.rewatch(client.reads, select.EPOLLIN | (select.EPOLLOUT if full else 0))
        elif full:
            self._clock.watch(client.writes, select.EPOLLOUT)
        else:
            self._clock.unwatch(client.writes)


def _line(message: Message) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def _listen(path: Path) -> socket.socket:
    """For its owner only. A socket that nobody answers at is replaced. Raises BadInput where it can't be made."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        if path.is_socket():
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as trying:
                try:
                    trying.connect(str(path))
                except ConnectionRefusedError:
                    path.unlink()
        before = os.umask(0o177)
        try:
            listener.bind(str(path))
        finally:
            os.umask(before)
        listener.listen(8)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise BadInput(f"the control socket can't be made: {error.strerror or error}", where=str(path)) from error
    return listener
