"""The guard's end of its line to the worker: JSON lines out, from any thread, never waiting for who does not read."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from typing import Any

_LARGEST_BACKLOG = 32 << 20  # bytes; a worker that stopped reading must not eat the memory


class Line:
    """``wake`` is called (from whatever thread) when something is left to be written by :meth:`flush`."""

    def __init__(self, end: socket.socket, wake: Callable[[], None]) -> None:
        self._socket, self._wake = end, wake
        self._lock = threading.Lock()
        self._backlog = bytearray()
        self._broken = False
        self._received = bytearray()

    def send(self, message: dict[str, Any]) -> None:
        data = json.dumps(message).encode("ascii") + b"\n"
        with self._lock:
            if self._broken or len(self._backlog) > _LARGEST_BACKLOG:
                return
            left = bool(self._backlog)
            sent = 0 if left else self._try(data)
            self._backlog += data[sent:]
            wake = bool(self._backlog) and not left
        if wake:
            self._wake()

    def flush(self) -> bool:
        """Writes what can be written now; True when nothing is left."""
        with self._lock:
            if self._backlog and not self._broken:
                del self._backlog[: self._try(bytes(self._backlog))]
            return not self._backlog or self._broken

    def _try(self, data: bytes) -> int:
        try:
            return self._socket.send(data, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
        except BlockingIOError:
            return 0
        except OSError:
            self._broken = True
            return len(data)

    def receive(self) -> list[dict[str, Any]] | None:
        """The messages that have come; None: the worker has closed its end. What is no JSON object is passed over."""
        try:
            data = self._socket.recv(65536, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return []
        except OSError:
            data = b""
        if not data:
            return None
        self._received += data
        *lines, rest = bytes(self._received).split(b"\n")
        self._received = bytearray(rest)
        messages = []
        for line in lines:
            try:
                message = json.loads(line)
            except ValueError:
                continue
            if isinstance(message, dict):
                messages.append(message)
        return messages
