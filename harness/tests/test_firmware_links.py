"""The terminal's links against hosts on loopback: one connection a message or one that stands, TLS,
HTTP, a second host."""

from __future__ import annotations

import select
import socket
import ssl
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from harness.acquirer.links import server_side
from harness.emulator.firmware.app import link
from harness.emulator.firmware.app.rules import Outcome
from harness.tests.links_helpers import certificates
from harness.tests.links_terminal import Host, Say, Terminal, answer, decline, hosts

HTTP = b"HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n"
KIND = b"x-ISO-TPDU/x-auth"


def read_to_the_end(connection: socket.socket) -> bytes:
    while connection.recv(65536):
        continue
    return b""


def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


# -- one connection a message, and one that stands ---------------------------------------------------------------------


def test_one_connection_a_message() -> None:
    with hosts(Host()) as (host,):
        terminal = Terminal(port=host.port)
        assert [terminal.send().outcome for _ in range(3)] == [Outcome.APPROVED] * 3
        assert host.requests == [(1, "000001"), (2, "000002"), (3, "000003")]


def test_a_standing_connection_takes_many_messages_also_after_97() -> None:
    with hosts(Host(decline)) as (host,):
        terminal = Terminal(port=host.port, link="tcp_standing")
        assert [terminal.send().code for _ in range(4)] == ["97"] * 4
        assert [connection for connection, _ in host.requests] == [1, 1, 1, 1]


def test_one_that_the_host_closed_is_noticed_before_anything_is_sent() -> None:
    with hosts(Host(close_after=1)) as (host,):
        terminal = Terminal(port=host.port, link="tcp_standing", tended=False)
        for _ in range(3):
            assert terminal.send().outcome is Outcome.APPROVED
            standing = terminal.line.links._standing
            assert standing is not None
            select.select([standing.stream.sock], [], [], 10)
        assert [connection for connection, _ in host.requests] == [1, 2, 3]


def test_the_terminal_lets_go_of_one_that_the_host_closed_while_idle() -> None:
    with hosts(Host()) as (host,):
        terminal = Terminal(port=host.port, link="tcp_standing")
        terminal.send()
        assert terminal.line.links._standing is not None
        host.hang_up()
        terminal.until(lambda: terminal.line.links._standing is None)


def test_a_late_answer_is_never_taken_for_that_to_a_later_message() -> None:
    """Late by just more than the time-out: the answer to the first request would come while the second waits."""
    late = threading.Event()
    held: list[bytes] = []

    def say(raw: bytes, number: int) -> bytes:
        if number == 1:
            held.append(answer(raw, "97").replace(b"\x00\x00\x01", b"\x00\x00\x02", 1))
            late.wait(10)
            return held[0]
        return answer(raw)

    with hosts(Host(say)) as (host,):
        terminal = Terminal(port=host.port, link="tcp_standing")
        assert terminal.send().outcome is Outcome.NO_ANSWER
        late.set()
        assert terminal.send().outcome is Outcome.APPROVED
        assert [connection for connection, _ in host.requests] == [1, 2]


def test_what_comes_behind_an_answer_ends_the_connection() -> None:
    """A second answer on the line, for whatever reason, must not be the next message's."""
    with hosts(Host(lambda raw, number: answer(raw) + answer(raw, "97"))) as (host,):
        terminal = Terminal(port=host.port, link="tcp_standing")
        assert [terminal.send().outcome for _ in range(3)] == [Outcome.APPROVED] * 3
        assert [connection for connection, _ in host.requests] == [1, 2, 3]


def test_what_comes_between_messages_ends_the_connection() -> None:
    with hosts(Host()) as (host,):
        terminal = Terminal(port=host.port, link="tcp_standing")
        terminal.send()
        host.open[0].sendall(b"\x00")
        terminal.until(lambda: terminal.line.links._standing is None)
        assert terminal.send().outcome is Outcome.APPROVED
        assert [connection for connection, _ in host.requests] == [1, 2]


def test_an_answer_that_is_none_ends_the_connection() -> None:
    def say(raw: bytes, number: int) -> bytes:
        return answer(raw).replace(b"\x00\x00\x01", b"\x00\x09\x99", 1) if number == 1 else answer(raw)

    with hosts(Host(say)) as (host,):
        terminal = Terminal(port=host.port, link="tcp_standing")
        assert terminal.send().outcome is Outcome.NOT_OURS
        assert terminal.send().outcome is Outcome.APPROVED
        assert [connection for connection, _ in host.requests] == [1, 2]


# -- TLS ---------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("tls")
    certificates(made)
    return made


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls(folder: Path, version: ssl.TLSVersion) -> None:
    settings = server_side(folder, ())
    settings.maximum_version = version
    with hosts(Host(tls=settings)) as (host,):
        terminal = Terminal(port=host.port, link="tls", tls_ca=certificates(folder).ca)
        assert [terminal.send().outcome for _ in range(2)] == [Outcome.APPROVED] * 2
        assert host.connections == 2


TROUBLES = ("another authority", "no authority", "a client's certificate", "no TLS", "silence")


@pytest.mark.parametrize("trouble", TROUBLES)
def test_tls_that_fails_is_no_connection_and_never_a_code(
    folder: Path, tmp_path: Path, trouble: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "CONNECT_S", 0.3)
    monkeypatch.setattr(link, "SHORTEST_NETWORK_S", 0.3)
    ours = certificates(folder)
    settings: ssl.SSLContext | None = server_side(folder, ())
    if trouble == "a client's certificate":
        assert settings is not None
        settings.load_cert_chain(folder / "client.pem", folder / "client.key")
    if trouble in ("no TLS", "silence"):
        settings = None
    with hosts(Host(decline, tls=settings)) as (host,):
        if trouble == "silence":
            host._read = read_to_the_end  # type: ignore[method-assign]
        ca = {"another authority": certificates(tmp_path / "other").ca, "no authority": ""}.get(trouble, ours.ca)
        verdict = Terminal(port=host.port, link="tls", tls_ca=ca).send()
        assert (verdict.outcome, verdict.code) == (Outcome.NOT_CONNECTED, "")
        assert host.requests == []


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_client_certificate(folder: Path, version: ssl.TLSVersion) -> None:
    settings = server_side(folder, (), clients=True)
    settings.maximum_version = version
    ours = certificates(folder)
    with hosts(Host(tls=settings)) as (host,):
        own = {"tls_ca": ours.ca, "tls_cert": ours.client, "tls_key": ours.client_key}
        assert Terminal(port=host.port, link="tls", **own).send().outcome is Outcome.APPROVED
        verdict = Terminal(port=host.port, link="tls", tls_ca=ours.ca).send()
        # with TLS 1.3 a client has sent its first bytes before it can know that it is refused (RFC 8446, 2)
        expected = Outcome.NOT_CONNECTED if version == ssl.TLSVersion.TLSv1_2 else Outcome.NO_ANSWER
        assert (verdict.outcome, verdict.code) == (expected, "")


# -- HTTP --------------------------------------------------------------------------------------------------------------


def in_http(body: bytes, status: bytes = b"200 OK", kind: bytes = KIND, length: int | None = None) -> bytes:
    return HTTP % (status, kind, len(body) if length is None else length) + body


def test_http() -> None:
    with hosts(Host(lambda raw, number: in_http(answer(raw, "97")), http=True)) as (host,):
        terminal = Terminal(port=host.port, link="http")
        assert [terminal.send().code for _ in range(2)] == ["97", "97"]
        assert host.connections == 2


@pytest.mark.parametrize(("say", "outcome"), [
    (lambda raw, n: in_http(answer(raw, "97"), b"500 Internal Server Error"), Outcome.NOT_OURS),
    (lambda raw, n: in_http(answer(raw, "97"), kind=b"text/html"), Outcome.NOT_OURS),
    (lambda raw, n: answer(raw, "97"), Outcome.NO_ANSWER),
    (lambda raw, n: in_http(answer(raw, "97")[:-3]), Outcome.NOT_OURS),
    (lambda raw, n: in_http(answer(raw, "97")[:-3], length=len(answer(raw))), Outcome.NO_ANSWER),
    (lambda raw, n: b"HTTP/1.1 200 OK\r\nContent-Type: x-ISO-TPDU/x-auth\r\nTransfer-Encoding: chunked\r\n\r\n"
     + b"%x\r\n%s\r\n0\r\n\r\n" % (len(answer(raw, "97")), answer(raw, "97")), Outcome.NOT_OURS),
], ids=["500", "html", "no HTTP", "cut", "short", "chunked"])
def test_http_that_is_no_answer_has_no_code(say: Say, outcome: Outcome) -> None:
    with hosts(Host(say, http=True, close_after=1)) as (host,):
        verdict = Terminal(port=host.port, link="http").send()
        assert (verdict.outcome, verdict.code) == (outcome, "")


# -- a second host -----------------------------------------------------------------------------------------------------


def test_it_falls_back_and_tries_the_first_again_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "FIRST_AGAIN_S", 1.0)
    port = unused_port()
    with hosts(Host()) as (second,):
        terminal = Terminal(port=port, host2="127.0.0.1", port2=second.port)
        assert terminal.send().outcome is Outcome.APPROVED
        began = time.monotonic()
        first = Host()
        first._listener.close()
        first._listener = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=first._accept, daemon=True).start()
        with hosts(first):
            assert terminal.send().outcome is Outcome.APPROVED
            assert (first.connections, second.connections) == (0, 2), "not at every message"
            terminal.until(lambda: time.monotonic() > began + 1.1)
            assert terminal.send().outcome is Outcome.APPROVED
            assert (first.connections, second.connections) == (1, 2)


def test_97_is_no_reason_to_ask_another_host() -> None:
    with hosts(Host(decline), Host()) as (first, second):
        for kind in ("tcp", "tcp_standing"):
            terminal = Terminal(port=first.port, host2="127.0.0.1", port2=second.port, link=kind)
            assert [terminal.send().code for _ in range(3)] == ["97"] * 3
        assert second.connections == 0


def test_silence_is_no_reason_to_send_it_again() -> None:
    with hosts(Host(lambda raw, number: b"", close_after=1), Host()) as (first, second):
        terminal = Terminal(port=first.port, host2="127.0.0.1", port2=second.port)
        assert terminal.send().outcome is Outcome.NO_ANSWER
        assert second.connections == 0


def test_a_wrong_certificate_is_a_reason(folder: Path, tmp_path: Path) -> None:
    certificates(tmp_path)
    with hosts(Host(tls=server_side(tmp_path, ())), Host(tls=server_side(folder, ()))) as (first, second):
        ca = certificates(folder).ca
        terminal = Terminal(port=first.port, host2="127.0.0.1", port2=second.port, link="tls", tls_ca=ca)
        assert terminal.send().outcome is Outcome.APPROVED
        assert (first.requests, len(second.requests)) == ([], 1)


def test_neither_can_be_reached() -> None:
    terminal = Terminal(port=unused_port(), host2="127.0.0.1", port2=unused_port())
    assert terminal.send().outcome is Outcome.NOT_CONNECTED


def test_while_the_second_is_preferred_the_first_still_helps() -> None:
    with hosts(Host()) as (first,):
        terminal = Terminal(port=first.port, host2="127.0.0.1", port2=unused_port())
        terminal.line.links._second_until = time.monotonic() + 60
        assert terminal.send().outcome is Outcome.APPROVED
        assert terminal.line.links._second_until == 0.0


def test_a_standing_connection_to_the_second_ends_when_the_first_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    with hosts(Host(), Host()) as (first, second):
        terminal = Terminal(port=first.port, host2="127.0.0.1", port2=second.port, link="tcp_standing")
        terminal.line.links._second_until = time.monotonic() + 60
        terminal.send()
        terminal.send()
        assert (first.connections, second.connections, len(second.requests)) == (0, 1, 2)
        terminal.line.links._second_until = 0.0
        terminal.send()
        assert (first.connections, second.connections) == (1, 1)


def test_other_settings_end_a_standing_connection() -> None:
    with hosts(Host(), Host()) as (one, other):
        terminal = Terminal(port=one.port, link="tcp_standing")
        terminal.send()
        terminal.change(port=other.port)
        terminal.send()
        assert (one.connections, other.connections) == (1, 1)


def test_one_that_is_set_again_is_the_second_again() -> None:
    with hosts(Host(), Host()) as (first, second):
        terminal = Terminal(port=first.port, host2="127.0.0.1", port2=second.port)
        terminal.line.links._second_until = time.monotonic() + 60
        both = terminal.state
        terminal.state = replace(both, host2="", port2=0)
        terminal.send()
        terminal.state = both
        terminal.send()
        assert (first.connections, second.connections) == (2, 0)
