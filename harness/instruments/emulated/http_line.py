"""The conversation in HTTP. h11 does the protocol; imported when somebody first speaks it."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import h11

from harness.instruments.emulated.http import Answer, Asked, HttpInstrument, Trouble
from harness.instruments.emulated.listener import Line

LARGEST_BODY = 65536
_LARGEST_HEAD = 16384
_READ = 65536


async def converse(instrument: HttpInstrument, line: Line) -> None:
    """One connection, until it ends."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=_LARGEST_HEAD)
    while True:
        try:
            request = await _request(connection, line)
            if request is None:
                return
            answer = await instrument.answer(_asked(*request))
        except h11.RemoteProtocolError as error:
            answer = Trouble(error.error_status_hint, "bad_request", str(error)).answer
        except Trouble as trouble:
            answer = trouble.answer
        if connection.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return
        await line.send(_response(connection, answer))
        if {connection.our_state, connection.their_state} != {h11.DONE}:
            return
        connection.start_next_cycle()


async def _request(connection: h11.Connection, line: Line) -> tuple[h11.Request, bytes] | None:
    """The next one with its body; None: the other end has closed."""
    request, body = None, bytearray()
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            if connection.they_are_waiting_for_100_continue:
                await line.send(connection.send(h11.InformationalResponse(status_code=100, headers=[])) or b"")
            connection.receive_data(await line.reader.read(_READ))
        elif isinstance(event, h11.Request):
            request = event
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > LARGEST_BODY:
                raise Trouble(413, "too_large", f"the body has more than {LARGEST_BODY} bytes")
        elif isinstance(event, h11.EndOfMessage):
            assert request is not None
            return request, bytes(body)
        else:  # closed, or paused by what we have not answered
            return None


def _asked(request: h11.Request, body: bytes) -> Asked:
    try:
        target = urlsplit(request.target.decode("ascii"))
        values: dict[str, Any] = dict(parse_qsl(target.query, max_num_fields=50))
        path = unquote(target.path)
    except ValueError as error:
        raise Trouble(400, "bad_request", f"the target can't be read: {error}") from error
    if body:
        try:
            given = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise Trouble(400, "bad_request", f"the body is no JSON: {error}") from error
        if not isinstance(given, dict):
            raise Trouble(400, "bad_request", "the body is no JSON object")
        values |= given
    return Asked(request.method.decode("ascii"), path, values)


def _response(connection: h11.Connection, answer: Answer) -> bytes:
    body = answer.body
    if not isinstance(body, bytes):
        body = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace") + b"\n"
    headers = [("Content-Type", answer.kind), ("Content-Length", str(len(body)))]
    if answer.status == 405:
        headers.append(("Allow", "GET, POST"))
    parts = (h11.Response(status_code=answer.status, headers=headers), h11.Data(data=body), h11.EndOfMessage())
    return b"".join(connection.send(part) or b"" for part in parts)
