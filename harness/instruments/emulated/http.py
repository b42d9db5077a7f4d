"""Instruments that speak HTTP: JSON in, JSON (or a picture) out. h11 does the protocol."""

from __future__ import annotations

import json
from abc import abstractmethod
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import h11

from harness.instruments.emulated.instrument import Instrument
from harness.instruments.emulated.listener import Line

LARGEST_BODY = 65536
_LARGEST_HEAD = 16384
_READ = 65536


@dataclass(frozen=True)
class Asked:
    """``values``: the parameters of the query, and of a JSON body where there is one."""

    method: str
    path: str
    values: dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """``body``: JSON, or bytes of that kind."""

    body: Any
    status: int = 200
    kind: str = "application/json"


class Trouble(Exception):
    """What is answered with a 4xx or 5xx."""

    def __init__(self, status: int, code: str, message: str) -> None:
        self.answer = Answer({"error": {"code": code, "message": message}}, status)
        super().__init__(message)


class HttpInstrument(Instrument):
    """One that speaks HTTP."""

    scheme = "http://{host}:{port}"

    @abstractmethod
    async def handle(self, asked: Asked) -> Answer:
        """Does it, and answers when it is done. Raises :class:`Trouble`."""

    async def converse(self, line: Line) -> None:
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=_LARGEST_HEAD)
        while True:
            try:
                request = await self._request(connection, line)
                if request is None:
                    return
                answer = await self._answer(*request)
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

    async def _request(self, connection: h11.Connection, line: Line) -> tuple[h11.Request, bytes] | None:
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

    async def _answer(self, request: h11.Request, body: bytes) -> Answer:
        if self.faults.errors:
            raise Trouble(500, "failed", "the instrument has failed")
        self.rig.catch_up()
        answer = await self.handle(_asked(request, body))
        self.rig.kick()
        return answer


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


def number(asked: Asked, name: str, default: float | None, low: float, high: float) -> float:
    """A parameter. Raises :class:`Trouble` (400) where it is no number, or beyond what can be."""
    given = asked.values.get(name, default)
    try:
        value = float("nan") if isinstance(given, bool) or given is None else float(given)
    except (TypeError, ValueError, OverflowError):
        value = float("nan")
    if not low <= value <= high:
        raise Trouble(400, "bad_parameter", f"{name} is a number from {low:g} to {high:g}, not {str(given)[:60]!r}")
    return value


def text(asked: Asked, name: str) -> str:
    """A parameter that must be there. Raises :class:`Trouble` (400)."""
    given = asked.values.get(name)
    if not isinstance(given, str) or not given:
        raise Trouble(400, "bad_parameter", f"{name} is a text, not {str(given)[:60]!r}")
    return given
