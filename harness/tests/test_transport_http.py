"""HTTP with JSON, against devices that behave and devices that do not."""

from __future__ import annotations

import contextlib
import json
import select
import socket
import threading
import time

import pytest

from harness.instruments.contracts import InstrumentError
from harness.instruments.transport.http import Http
from harness.tests.instrument_fakes import DROP, Answer, Lines, closed_port


def whole(status: str, body: bytes, *, length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    return f"HTTP/1.1 {status}\r\nContent-Length: {size}\r\n\r\n".encode() + body


def device(answer: Answer) -> Lines:
    """Each request's header is one line to it; a body stands before the next one."""
    return Lines(answer, end=b"\r\n\r\n")


def url(server: Lines) -> str:
    return f"http://127.0.0.1:{server.port}"


def test_gets_and_posts_over_one_connection() -> None:
    server = device(lambda line: whole("200 OK", b'{"output": true}'))
    line = Http(url(server) + "/below/")
    assert line.get("/rpc/X?id=0") == {"output": True}
    assert line.post("/v1/swipe", {"card": "a"}) == {"output": True}
    assert line.fetch("/picture") == b'{"output": true}'
    assert server.heard[0].startswith(b"GET /below/rpc/X?id=0 HTTP/1.1")
    assert server.heard[1].startswith(b"POST /below/v1/swipe HTTP/1.1") and b"Content-Length: 13" in server.heard[1]
    assert json.loads(server.heard[2].split(b"GET")[0]) == {"card": "a"}
    assert server.accepted == 1
    line.close()
    server.close()


def test_a_connection_that_it_closed_meanwhile_is_made_again() -> None:
    """As HTTP allows it to; nothing had been asked."""
    server = device(lambda line: whole("200 OK", b"{}") + DROP)
    line = Http(url(server))
    for ask in (line.get, line.get, lambda path: line.post(path, {})):
        assert ask("/") == {}
        connection = line._connection
        assert connection is not None and select.select([connection.sock], [], [], 5)[0], "its end has come"
    assert server.accepted == 3 and len(server.heard) == 3
    server.close()


def test_refused() -> None:
    with pytest.raises(InstrumentError, match="refuses the connection") as told:
        Http(f"http://127.0.0.1:{closed_port()}").get("/")
    assert "switched on" in told.value.remedy


@pytest.mark.parametrize("address", ["", "rubbish", "ftp://x", "http://", "http://x:99999", "http://[", "TCPIP::1::2"])
def test_an_address_that_is_none(address: str) -> None:
    with pytest.raises(InstrumentError, match="is no address of the form"):
        Http(address)


def test_a_name_that_nobody_has() -> None:
    with pytest.raises(InstrumentError, match="can't be reached"):
        Http("http://nosuch.invalid").get("/")


def test_slow() -> None:
    server = device(lambda line: b"")
    with pytest.raises(InstrumentError, match=r"did not answer 'GET /' within 0.2 s"):
        Http(url(server), timeout_s=0.2).get("/")
    server.close()


@pytest.mark.parametrize("byte", [b"H", b"HTTP/1.1 200 OK\r\nX: ", whole("200 OK", b"", length=1000)],
                         ids=["status", "header", "body"])  # fmt: skip
def test_a_byte_now_and_then_is_no_answer_in_time(byte: bytes) -> None:
    """Each of them comes well within the time-out."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        stopped = threading.Event()

        def drip() -> None:
            with contextlib.suppress(OSError):
                connection, _ = server.accept()
                with connection:
                    connection.sendall(byte)
                    while not stopped.wait(0.05):
                        connection.sendall(b"x")

        device_of_it = threading.Thread(target=drip)
        device_of_it.start()
        began = time.monotonic()
        with pytest.raises(InstrumentError, match=r"did not answer 'GET /' within 0.4 s"):
            Http(f"http://127.0.0.1:{server.getsockname()[1]}", timeout_s=0.4).get("/")
        took = time.monotonic() - began
        stopped.set()
        device_of_it.join()
    assert took < 10


@pytest.mark.parametrize(
    "said", [DROP, b"HTTP/1.1 200" + DROP, whole("200 OK", b'{"out', length=20) + DROP],
    ids=["at once", "in the header", "in the body"],
)
def test_dropped(said: bytes) -> None:
    server = device(lambda line: said)
    with pytest.raises(InstrumentError, match=r"dropped the connection at 'POST /v1/swipe'") as told:
        Http(url(server), timeout_s=1).post("/v1/swipe", {"card": "a"})
    assert told.value.remedy
    assert len([one for one in server.heard if one.startswith(b"POST")]) == 1, "a swipe is never sent twice"
    server.close()


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        ("409 Conflict", b'{"error": {"code": "card_inside", "message": "a card is in"}}', "a card is in"),
        ("500 Oops", b'{"code": -103, "message": "no such switch"}', "no such switch"),
        ("404 Not Found", b"no such page", "no such page"),
        ("403 Forbidden", b"", "Forbidden"),
    ],
)
def test_refusals_have_their_reason(status: str, body: bytes, reason: str) -> None:
    server = device(lambda line: whole(status, body))
    with pytest.raises(InstrumentError, match=f"refused 'GET /': {status[:3]} {reason}"):
        Http(url(server)).get("/")
    server.close()


@pytest.mark.parametrize("body", [b"", b"[]", b"<html>", b"\xff\xfe", b"[" * 100_000, b"NaN"], ids=range(6))
def test_a_body_that_is_no_json(body: bytes) -> None:
    server = device(lambda line: whole("200 OK", body))
    with pytest.raises(InstrumentError, match="which is no JSON"):
        Http(url(server)).get("/")
    server.close()


@pytest.mark.parametrize("said", [b"rubbish\r\n\r\n", b"HTTP/1.1 abc OK\r\n\r\n", b"SSH-2.0-x\r\n", b"\x00" * 70_000])
def test_what_is_no_http(said: bytes) -> None:
    server = device(lambda line: said)
    with pytest.raises(InstrumentError, match=r"which is no|dropped the connection"):
        Http(url(server), timeout_s=0.5).get("/")
    server.close()


def test_a_redirection_is_not_followed() -> None:
    server = device(lambda line: b"HTTP/1.1 302 Found\r\nLocation: http://elsewhere\r\nContent-Length: 0\r\n\r\n")
    with pytest.raises(InstrumentError, match="'302 Found', which is no answer to that"):
        Http(url(server)).get("/")
    server.close()
