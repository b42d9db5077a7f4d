"""Messages in HTTP requests and responses, read from captured bytes.

A body is given on when it is one message, with the content type of that variant and a Content-Length; any other request
or response is told as bytes, with the reason. Heads of good ones are left out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

import h11

from harness.protocol.spec import MIN_LENGTH
from harness.wire.layers import TO_ACQUIRER, TO_TERMINAL, Item, Scrap, Span

CONTENT_TYPE = b"x-iso-tpdu/x-auth"
_PEER = [(b"Host", b"acquirer")]


class _Half:
    """What one side sends. ``raw``: everything since the last message ended, ``body`` what of it is body."""

    def __init__(self, connection: h11.Connection) -> None:
        self.connection = connection
        self.raw = b""
        self.body: list[Span] = []
        self.fault = ""
        self.over = ""
        self.t = 0


class HttpReader:
    """Of one connection; see :class:`harness.wire.layers.Reader`."""

    def __init__(self) -> None:
        roles = {TO_ACQUIRER: h11.SERVER, TO_TERMINAL: h11.CLIENT}  # h11's own: whose part it plays
        self._halves = {direction: _Half(h11.Connection(role)) for direction, role in roles.items()}
        self._asked: deque[bytes] = deque()  # methods of requests without a response as yet

    def take(self, direction: str, span: Span) -> list[Item]:
        half = self._halves[direction]
        half.t = span.t
        if half.over:
            return [(direction, Scrap(span.data, span.t, half.over))]
        half.raw += span.data
        return self._feed(direction, half, span.data, span)

    def retry(self) -> list[Item]:
        return []

    def end(self, direction: str, why: str, t: int) -> list[Item]:
        half = self._halves[direction]
        if half.over:
            return []
        items = self._feed(direction, half, b"", None) if half.raw else []
        if half.raw and not half.over:
            items.append((direction, Scrap(half.raw, half.t, f"HTTP cut short: {why}")))
        half.over = half.over or f"HTTP: after {why}"
        half.raw = b""
        return items

    def _feed(self, direction: str, half: _Half, data: bytes, span: Span | None) -> list[Item]:
        """``span`` None: the end of the stream, which ends a body without a length."""
        items: list[Item] = []
        try:
            if direction == TO_TERMINAL:
                self._expect(half.connection)
            half.connection.receive_data(data)
            while not isinstance(event := half.connection.next_event(), type | h11.ConnectionClosed):
                if isinstance(event, h11.Request):
                    self._asked.append(event.method)
                    half.fault = "" if event.method == b"POST" else f"a request {_text(event.method)}"
                    half.fault = half.fault or _headers_fault(event.headers)
                elif isinstance(event, h11.Response):
                    half.fault = "" if event.status_code == 200 else f"status {event.status_code}"
                    half.fault = half.fault or _headers_fault(event.headers)
                elif isinstance(event, h11.Data) and span is not None:
                    half.body.append(Span(bytes(event.data), span.t, span.t_first, span.packets))
                elif isinstance(event, h11.EndOfMessage):
                    items += self._message(direction, half)
                    self._go_on(direction, half.connection)
        except (h11.RemoteProtocolError, h11.LocalProtocolError) as error:
            if span is not None:
                half.over = f"not HTTP as it is expected: {error}"
                items.append((direction, Scrap(half.raw, half.t, half.over)))
                half.raw = b""
        return items

    def _expect(self, connection: h11.Connection) -> None:
        """h11 reads a response only to a request that it was told of."""
        if connection.our_state is h11.IDLE and self._asked:
            connection.send(h11.Request(method=self._asked.popleft(), target="/", headers=_PEER))
            connection.send(h11.EndOfMessage())

    def _go_on(self, direction: str, connection: h11.Connection) -> None:
        """The next message may come."""
        if direction == TO_ACQUIRER:
            connection.send(h11.Response(status_code=200, headers=[(b"Content-Length", b"0")]))
            connection.send(h11.EndOfMessage())
        if connection.our_state is h11.DONE and connection.their_state is h11.DONE:
            connection.start_next_cycle()
            if direction == TO_TERMINAL:
                self._expect(connection)

    def _message(self, direction: str, half: _Half) -> list[Item]:
        """Its body where it is one message, else all of it."""
        body, half.body = half.body, []
        content = b"".join(span.data for span in body)
        after = half.connection.trailing_data[0]
        raw, half.raw = half.raw[: len(half.raw) - len(after)], bytes(after)
        fault = half.fault
        if not fault and (len(content) != 2 + int.from_bytes(content[:2], "big") or len(content) < 2 + MIN_LENGTH):
            fault = f"a body of {len(content)} bytes that is not one message"
        if fault:
            return [(direction, Scrap(raw, half.t, f"HTTP: {fault}"))]
        return [(direction, span) for span in body]


def _headers_fault(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """Why there can't be a message in the body."""
    given = dict(headers)
    kind = given.get(b"content-type", b"")
    if kind.partition(b";")[0].strip().lower() != CONTENT_TYPE:
        return f"content type {_text(kind)!r}"
    if b"transfer-encoding" in given or b"content-encoding" in given:
        return "an encoded body"
    return "" if b"content-length" in given else "no length of the body"


def _text(value: bytes) -> str:
    return value.decode("latin-1")
