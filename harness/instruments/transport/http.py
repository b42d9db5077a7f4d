"""HTTP with JSON, as power switches, robots and cameras speak it. By the standard library; one connection, kept."""

from __future__ import annotations

import contextlib
import functools
import http.client
import io
import json
import select
import socket
import time
import urllib.parse
from collections.abc import Mapping
from typing import Any

from harness.instruments.contracts import InstrumentError
from harness.instruments.transport import answers, troubles

TIMEOUT_S = 5.0  # a robot answers when its arm is there
_LARGEST = 16 << 20  # of a body: a camera's picture


class Http:
    """A line to one device. ``address``: ``http://host:port``, with a path where the device lives below one."""

    def __init__(self, address: str, *, timeout_s: float = TIMEOUT_S) -> None:
        """Raises :class:`InstrumentError` where the address is none; connects when first asked."""
        self.address, self._timeout_s = address, timeout_s
        wrong = address_problem(address)
        if wrong:
            raise InstrumentError(wrong, remedy=troubles.ADDRESS)
        parts = urllib.parse.urlsplit(address)
        self._host, self._port = parts.hostname or "", parts.port
        self._kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._below = parts.path.rstrip("/")
        self._connection: http.client.HTTPConnection | None = None

    def get(self, path: str) -> dict[str, Any]:
        """The JSON object that is there."""
        return answers.json_object(self.address, f"GET {path}", self._exchange("GET", path, None))

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """What it answers to ``body``, both JSON objects. Never sent twice."""
        return answers.json_object(self.address, f"POST {path}", self._exchange("POST", path, body))

    def fetch(self, path: str) -> bytes:
        """The body of what is there, as it is."""
        return self._exchange("GET", path, None)

    def close(self) -> None:
        """Idempotent; the next call would connect again."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _exchange(self, method: str, path: str, body: Mapping[str, Any] | None) -> bytes:
        what = f"{method} {path}"
        sent = None if body is None else json.dumps(body).encode()
        connection = self._connected()
        response_of = functools.partial(_Response, end=time.monotonic() + self._timeout_s)
        connection.response_class = response_of  # type: ignore[assignment]  # called with the same arguments
        try:
            connection.sock.settimeout(self._timeout_s)
            connection.request(
                method, self._below + path, sent, {"Content-Type": "application/json"} if sent is not None else {}
            )
            response = connection.getresponse()
            status, reason = response.status, response.reason
            data = response.read(_LARGEST + 1)
            if _ends_early(response, data):
                raise http.client.IncompleteRead(data)
        except TimeoutError as error:
            self.close()
            raise troubles.slow(self.address, what, self._timeout_s) from error
        except (http.client.IncompleteRead, ConnectionError, http.client.RemoteDisconnected) as error:
            self.close()
            raise troubles.dropped(self.address, what) from error
        except (http.client.HTTPException, ValueError) as error:
            self.close()
            raise troubles.garbage(self.address, what, str(error), "HTTP") from error
        except OSError as error:
            self.close()
            raise troubles.dropped(self.address, what) from error
        if len(data) > _LARGEST:
            self.close()
            raise troubles.garbage(self.address, what, f"more than {_LARGEST} bytes", "answer to that")
        if status >= 400:
            raise troubles.said_no(self.address, what, f"{status} {_reason(data) or reason}")
        if status >= 300:
            raise troubles.garbage(self.address, what, f"{status} {reason}", "answer to that")
        return data

    def _connected(self) -> http.client.HTTPConnection:
        """A server may end a connection that nobody uses, and says so by closing it: then a new one."""
        connection = self._connection
        if connection is not None and (connection.sock is None or select.select([connection.sock], [], [], 0)[0]):
            self.close()
            connection = None
        if connection is None:
            connection = self._kind(self._host, self._port, timeout=self._timeout_s)
            try:
                connection.connect()
            except OSError as error:
                connection.close()
                raise troubles.unreachable(self.address, error) from error
            self._connection = connection
        return connection


class _Response(http.client.HTTPResponse):
    """All of it by ``end`` (of the monotonic clock), or TimeoutError: a byte now and then is no answer in time."""

    def __init__(self, sock: socket.socket, *args: Any, end: float, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_Until(sock, self.fp.detach(), end))


class _Until(io.RawIOBase):
    def __init__(self, sock: socket.socket, inner: io.RawIOBase, end: float) -> None:
        self._sock, self._inner, self._end = sock, inner, end

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer is not there in time")
        self._sock.settimeout(left)
        return self._inner.readinto(buffer)

    def close(self) -> None:
        self._inner.close()  # which lets go of the socket
        super().close()


def _ends_early(response: http.client.HTTPResponse, data: bytes) -> bool:
    """Of a body that is shorter than was said, ``read`` with a limit does not complain; nor of a header that breaks off
    before it says anything."""
    if response.length is None:
        return not data and not response.chunked
    return response.length > 0 and len(data) <= _LARGEST


def _reason(body: bytes) -> str:
    """What a device writes of its refusal: ``{"error": {"message": ...}}``, ``{"message": ...}``, or plain text."""
    with contextlib.suppress(ValueError, RecursionError):
        found = json.loads(body)
        inner = found.get("error", found) if isinstance(found, dict) else found
        said = inner.get("message", "") if isinstance(inner, dict) else inner
        return str(said)
    return body[:200].decode("utf-8", "replace")


def address_problem(address: str) -> str:
    """What is wrong with it as an address; "" nothing."""
    try:
        parts = urllib.parse.urlsplit(address)
        right = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        right = False
    return "" if right else f"{address!r} is no address of the form http://host:port"
