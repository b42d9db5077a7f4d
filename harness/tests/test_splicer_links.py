"""Faults on messages in HTTP and in TLS, between real kernels: what can be done there, and what is refused."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from harness.errors import BadInput
from harness.protocol.frames import decode
from harness.tests.injector_helpers import Bed, bed
from harness.tests.lab_helpers import connection
from harness.tests.links_helpers import certificates
from harness.tests.splicer_sockets import End, Host, HttpEnd, approve, message, read_message
from harness.wire import faults

_STRICT: Any = {"do_handshake_on_connect": False, "suppress_ragged_eofs": False}
ENCRYPTED = ("tls1.2", "tls1.3", "https")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("splicer")
    certificates(made / "certificates")
    return made


class Linked:
    """A bed whose link is ``name``, and connections on it."""

    def __init__(self, made: Bed, name: str, folder: Path) -> None:
        self.bed, self._name, self._folder = made, name, folder

    @contextmanager
    def exchange(self, *, seen: bool = True) -> Iterator[tuple[End, Host]]:
        """``seen``: diverted from its beginning, which TLS 1.2 needs."""
        with ExitStack() as stack:
            if seen and self._name in ENCRYPTED:
                self.arm(fault="hold", match={"moment": "0830"})  # never comes
            pair = stack.enter_context(connection(self.bed.topology))
            ends: tuple[End, End] = pair
            if self._name in ENCRYPTED:
                server = self._context(ssl.PROTOCOL_TLS_SERVER)
                client = self._context(ssl.PROTOCOL_TLS_CLIENT)
                terminal = client.wrap_socket(pair[0], server_hostname="127.0.0.1", **_STRICT)
                acquirer = server.wrap_socket(pair[1], server_side=True, **_STRICT)
                shaken = Handshake(acquirer)
                terminal.do_handshake()
                shaken.join()
                ends = terminal, acquirer
                stack.callback(acquirer.close)
                stack.callback(terminal.close)
            if "http" in self._name:
                ends = HttpEnd(ends[0], terminal=True), HttpEnd(ends[1], terminal=False)  # type: ignore[arg-type]
            host = Host(ends[1], approve)
            try:
                yield ends[0], host
            finally:
                host.leave(pair[1] if self._name not in ENCRYPTED else acquirer)

    def arm(self, **values: Any) -> int:
        return self.bed.injector.arm(faults.read(values))

    def _context(self, side: int) -> ssl.SSLContext:
        files = self._folder / "certificates"
        context = ssl.SSLContext(side)
        if side == ssl.PROTOCOL_TLS_SERVER:
            context.load_cert_chain(files / "server.pem", files / "server.key")
            context.keylog_filename = str(self._folder / "wire.keys")
        else:
            context.load_verify_locations(files / "ca.pem")
        if self._name == "tls1.2":
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            context.set_ciphers("ECDHE+AESGCM")
        return context


class Handshake(Host):
    """The acquirer's part of it, in a thread."""

    def __init__(self, end: ssl.SSLSocket) -> None:
        self._ssl = end
        super().__init__(end, lambda request: request)

    def _serve(self) -> None:
        self._ssl.do_handshake()


@contextmanager
def linked(folder: Path, name: str) -> Iterator[Linked]:
    link = "tls" if name.startswith("tls") else name
    with bed(folder, name=name, link=link, keys=folder / "wire.keys") as made:
        yield Linked(made, name, folder)


@pytest.fixture(scope="module", params=["http"])
def http(request: pytest.FixtureRequest, folder: Path) -> Iterator[Linked]:
    with linked(folder, request.param) as made:
        yield made


@pytest.fixture(scope="module", params=ENCRYPTED)
def tls(request: pytest.FixtureRequest, folder: Path) -> Iterator[Linked]:
    with linked(folder, request.param) as made:
        yield made


@pytest.fixture(autouse=True)
def _healed(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    for name in ("http", "tls"):
        if name in request.fixturenames:
            made = request.getfixturevalue(name)
            made.bed.injector.heal()


def ask(terminal: End, number: int) -> bytes:
    terminal.sendall(message("0200", number))
    return read_message(terminal)


def usable(terminal: End, number: int = 900, times: int = 4) -> None:
    for turn in range(number, number + times):
        request = message("0200", turn, 700 if turn % 2 else 0)
        terminal.sendall(request)
        assert read_message(terminal) == approve(request)


@pytest.mark.parametrize("filler", [40, 0, 400])
def test_a_body_is_replaced_with_its_length(http: Linked, filler: int) -> None:
    other = message("0210", 97, filler, F39="97")
    with http.exchange() as (terminal, _):
        usable(terminal)
        for turn in range(5):
            http.arm(fault="replace", hex=other.hex(), match={"moment": "response to 0200"})
            assert ask(terminal, turn) == other
            assert ask(terminal, 500 + turn) == approve(message("0200", 500 + turn))


def test_requests_and_responses_in_http_are_swallowed_forged_and_rewritten(http: Linked) -> None:
    with http.exchange() as (terminal, host):
        fault = http.arm(fault="swallow", match={"moment": "0200"})
        terminal.sendall(message("0200", 1))
        http.bed.injector.await_strike(fault, 5.0)
        assert host.heard == []
        http.arm(fault="forge", match={"moment": "0200"})
        assert decode(ask(terminal, 2)).get(39) == "97"
        http.arm(fault="rewrite", fields={39: "03", 63: None}, match={"moment": "0210"})
        assert decode(ask(terminal, 3)).get(39) == "03"
        http.arm(fault="replay", hex=message("0210", 8).hex(), when="before", match={"moment": "0210"})
        assert ask(terminal, 4) == message("0210", 8)
        assert read_message(terminal) == approve(message("0200", 4))
        usable(terminal)


def test_a_cut_in_http_is_counted_in_the_body(http: Linked) -> None:
    with http.exchange() as (terminal, host):
        assert isinstance(terminal, HttpEnd)
        http.arm(fault="cut", after_bytes=10, then="close", match={"moment": "0210"})
        assert ask(terminal, 1) == b""
        head, _, body = terminal._buffer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK") and body == approve(message("0200", 1))[:10]
        host.join()
        assert host.ended == "reset"


def test_records_are_held_and_dribbled(tls: Linked) -> None:
    with tls.exchange() as (terminal, _):
        usable(terminal)
        fault = tls.arm(fault="hold", match={"moment": "0210 with F11=000001"})
        terminal.sendall(message("0200", 1))
        struck = tls.bed.injector.await_strike(fault, 5.0)
        assert bytes.fromhex(struck.message) == approve(message("0200", 1))
        tls.bed.injector.heal(fault)
        assert read_message(terminal) == approve(message("0200", 1))
        fault = tls.arm(fault="dribble", gap_ms=0.1, match={"moment": "0200"})
        assert ask(terminal, 2) == approve(message("0200", 2))
        assert len(tls.bed.injector.strikes(fault)) == 1
        usable(terminal)


def test_a_swallowed_record_takes_the_rest_of_its_direction_with_it(tls: Linked) -> None:
    with tls.exchange() as (terminal, host):
        fault = tls.arm(fault="swallow", match={"moment": "response to 0200"})
        terminal.sendall(message("0200", 1))
        struck = tls.bed.injector.await_strike(fault, 5.0)
        assert "all behind it" in struck.what
        terminal.sendall(message("0200", 2))
        _settimeout(terminal, 0.5)
        with pytest.raises(TimeoutError):
            read_message(terminal)
    with tls.exchange() as (terminal, host):
        usable(terminal)
    assert [decode(one).get(11) for one in host.heard] == ["000900", "000901", "000902", "000903"]


@pytest.mark.parametrize("then", ["close", "reset"])
def test_a_record_is_cut(tls: Linked, then: str) -> None:
    with tls.exchange() as (terminal, host):
        tls.arm(fault="cut", after_bytes=9, then=then, match={"moment": "0210"})
        terminal.sendall(message("0200", 1))
        with pytest.raises((ssl.SSLEOFError, ConnectionResetError)):
            read_message(terminal)
        host.join()
        assert host.ended in ("reset", "broken")


def test_a_reset_at_a_message_in_tls(tls: Linked) -> None:
    with tls.exchange() as (terminal, host):
        usable(terminal)
        tls.arm(fault="rst", match={"moment": "0200 with F11=000001"})
        with pytest.raises((ssl.SSLEOFError, ConnectionResetError)):
            ask(terminal, 1)
        host.join()
        assert host.ended in ("reset", "broken") and len(host.heard) == 4


@pytest.mark.parametrize("values", [
    {"fault": "replace", "hex": "00"}, {"fault": "rewrite", "mac": "strip"}, {"fault": "forge"},
    {"fault": "replay", "hex": "00"},
])
def test_changes_of_content_are_refused_and_the_acquirer_named(tls: Linked, values: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match="misbehaviour"):
        tls.arm(**values)


@pytest.mark.parametrize("name", ENCRYPTED)
def test_a_session_is_joined_in_its_middle_or_that_is_told(folder: Path, name: str) -> None:
    """Nothing was diverted when it began. TLS 1.3 can be joined; TLS 1.2 can't, and says so."""
    with linked(folder, name) as tls, tls.exchange(seen=False) as (terminal, _):
        usable(terminal)
        fault = tls.arm(fault="hold", release_s=0.1, match={"moment": "0210"})
        assert ask(terminal, 1) == approve(message("0200", 1))
        struck = tls.bed.injector.await_strike(fault, 5.0)
        if name == "tls1.2":
            assert not struck.done and struck.what.startswith("this TLS session was not seen from its beginning")
        else:
            assert struck.what == "held for 0.1 s"
        usable(terminal)


def _settimeout(end: End, seconds: float) -> None:
    plain = end._end if isinstance(end, HttpEnd) else end
    assert isinstance(plain, ssl.SSLSocket)
    plain.settimeout(seconds)
