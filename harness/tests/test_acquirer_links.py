"""The acquirer's links as real processes on loopback: TLS, HTTP, HTTP under TLS, a second address."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import io
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.acquirer import certificates
from harness.acquirer.host import Host
from harness.acquirer.http import CONTENT_TYPE
from harness.acquirer.links import LinkSettings, server_side
from harness.acquirer.server import Server
from harness.acquirer.service import DEFAULT_PROFILE
from harness.acquirer.store import Store
from harness.errors import BadInput, BenchError
from harness.protocol.frames import decode
from harness.tests.acquirer_terminal import MID, Line, Pos, Process, await_row, new_tid, running
from harness.tests.links_helpers import certificates as made_in

PATH = "/mjc/webtrans/VPB_lb"
HEADERS = {"Content-Type": CONTENT_TYPE, "User-Agent": "Donjin Http 0.1"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("certificates")
    made_in(made)
    return made


@pytest.fixture(scope="module", params=[(), ("--tls-clients",)], ids=["tls", "tls with client certificates"])
def secured(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Process]:
    here = tmp_path_factory.mktemp("tls")
    with running(here, "--tls", str(folder), "--tls-keys", str(here / "keys"), *request.param) as process:
        yield process


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    with running(tmp_path_factory.mktemp("http"), "--http") as process:
        yield process


class TlsLine(Line):
    """A terminal's connection under TLS, with its client certificate."""

    def __init__(self, address: tuple[str, int], folder: Path, version: ssl.TLSVersion | None = None) -> None:
        super().__init__(address)
        context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
        context.load_cert_chain(folder / "client.pem", folder / "client.key")
        if version is not None:
            context.maximum_version = version
        self.socket = context.wrap_socket(self.socket, server_hostname="127.0.0.1")


def registered(process: Process, exchange: Any) -> Pos:
    """A new terminal that talks by ``exchange``."""
    process.client.register_merchant(MID)
    tid = new_tid()
    return Pos(exchange, tid, bytes.fromhex(process.client.register_terminal(MID, tid)))


# -- TLS ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_day_under_tls(secured: Process, folder: Path, version: ssl.TLSVersion) -> None:
    before = secured.client.sync()
    with TlsLine(secured.client.address, folder, version) as line:
        pos = registered(secured, line)
        assert pos.sign_in().get(39) == "00"
        assert pos.sale(10_00).get(39) == "00"
        secured.client.remove_terminal(MID, pos.tid)
        assert pos.sale(11_00).get(39) == "97"
    rows = secured.since(before)
    assert len(rows) == 6 and len({row["connection"] for row in rows}) == 1
    assert {row["note"].rpartition(" [")[2] for row in rows} == {f"TLS 1.{version.name[-1]}]"}
    assert "TRAFFIC_SECRET" in (secured.folder / "keys").read_text() or version == ssl.TLSVersion.TLSv1_2


def test_late_answers_are_overtaken_and_come_after_the_terminal_has_closed_its_side(
    secured: Process, folder: Path
) -> None:
    """As on a plain connection (test_acquirer_server.py)."""
    with TlsLine(secured.client.address, folder) as line:
        pos = registered(secured, line)
        pos.sign_in()
        secured.client.misbehave({"mti": "0820", "network_code": "301", "action": "late", "delay_s": 0.3})
        late = pos.request("0820", {60: f"00{pos.batch}301"}).raw
        soon = pos.request("0820", {11: pos.next_trace(), 60: f"00{pos.batch}002"}).raw
        line.socket.sendall(late + soon)
        first = line.read()
        socket.socket.shutdown(line.socket, socket.SHUT_WR)  # of TCP: ssl's own would forget the session
        second = line.read()
        assert first is not None and second is not None
        assert [decode(one).network_code for one in (first, second)] == ["002", "301"]
    await_row(secured, lambda row: "the terminal had closed its side" in row["note"])


def test_a_handshake_that_fails_is_journalled(secured: Process, folder: Path) -> None:
    before = secured.client.sync()
    with Line(secured.client.address) as line:
        line.socket.sendall(bytes(range(40, 80)))
        while line.socket.recv(100):
            continue
    with Line(secured.client.address) as line, pytest.raises(ssl.SSLCertVerificationError):
        ssl.create_default_context().wrap_socket(line.socket, server_hostname="127.0.0.1")
    await_row(secured, lambda row: row["jid"] > before and "unknown ca" in row["note"])
    rows = secured.since(before)
    notes = [row["note"] for row in rows]
    assert len(notes) == 2 and all(note.startswith("TLS: ") and "; connection closed" in note for note in notes)


def test_only_terminals_with_a_certificate(folder: Path, tmp_path: Path) -> None:
    with running(tmp_path, "--tls", str(folder), "--tls-clients") as process:
        context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
        with Line(process.client.address) as line, pytest.raises(ssl.SSLError):
            wrapped = context.wrap_socket(line.socket, server_hostname="127.0.0.1")
            wrapped.sendall(b"\x00")  # TLS 1.3: the refusal comes only now
            wrapped.recv(1)
        await_row(process, lambda row: "peer did not return a certificate" in row["note"])


def test_suites_that_the_tap_can_not_open_are_refused(secured: Process, folder: Path) -> None:
    context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-ECDSA-AES128-SHA256")
    with Line(secured.client.address) as line, pytest.raises(ssl.SSLError):
        context.wrap_socket(line.socket, server_hostname="127.0.0.1")
    await_row(secured, lambda row: "no shared cipher" in row["note"])


# -- HTTP --------------------------------------------------------------------------------------------------------------


class Web:
    """A terminal's HTTP connection, by another's client; callable as an exchange."""

    def __init__(self, connection: http.client.HTTPConnection) -> None:
        self.connection = connection

    def __call__(self, raw: bytes) -> bytes:
        self.connection.request("POST", PATH, raw, HEADERS)
        response = self.connection.getresponse()
        assert (response.status, response.getheader("Content-Type")) == (200, CONTENT_TYPE)
        return response.read()


def test_a_day_in_http(web: Process) -> None:
    before = web.client.sync()
    pos = registered(web, Web(http.client.HTTPConnection(*web.client.address, timeout=10)))
    assert pos.sign_in().get(39) == "00"
    assert pos.sale(10_00).get(39) == "00"
    web.client.remove_terminal(MID, pos.tid)
    assert pos.sale(11_00).get(39) == "97"
    rows = web.since(before)
    assert len(rows) == 6 and len({row["connection"] for row in rows}) == 1, "one connection, kept alive"
    assert all(row["note"].endswith(" [HTTP]") for row in rows)


def test_http_under_tls(folder: Path, tmp_path: Path) -> None:
    with running(tmp_path, "--http", "--tls", str(folder)) as process:
        context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
        connection = http.client.HTTPSConnection(*process.client.address, timeout=10, context=context)
        assert registered(process, Web(connection)).sign_in().get(39) == "00"
        process.client.sync()  # the rows come over another connection than the answer
        assert process.rows[-1]["note"].endswith(" [TLS 1.3, HTTP]")


@pytest.mark.parametrize(("method", "path", "kind", "status"), [
    ("POST", "/other", CONTENT_TYPE, 404), ("GET", PATH, CONTENT_TYPE, 405), ("POST", PATH, "text/plain", 415),
    ("POST", PATH, CONTENT_TYPE, 400),
])
def test_what_is_no_message_in_http(web: Process, method: str, path: str, kind: str, status: int) -> None:
    before = web.client.sync()
    connection = http.client.HTTPConnection(*web.client.address, timeout=10)
    connection.request(method, path, b"\x00\x40short", {"Content-Type": kind})
    response = connection.getresponse()
    assert response.status == status and response.read()
    (row,) = web.since(before)
    assert row["note"].startswith("HTTP: ") and row["note"].endswith("; connection closed [HTTP]")


class _Stream(io.BufferedReader):
    """A socket's bytes for several responses in a row: each takes its own, and what it has read too much of stays."""

    def makefile(self, _mode: str) -> _Stream:
        return self

    def close(self) -> None:
        """Not with the first response."""


def test_in_http_a_request_waits_for_the_late_answer_before_it(web: Process) -> None:
    pos = registered(web, None)
    web.client.misbehave({"mti": "0820", "network_code": "301", "action": "late", "delay_s": 0.2})
    requests = [pos.request("0820", {60: f"00{pos.batch}{code}"}).raw for code in ("301", "002")]
    head = f"POST {PATH} HTTP/1.1\r\nHost: a\r\nContent-Type: {CONTENT_TYPE}\r\nContent-Length: %d\r\n\r\n"
    with web.line() as line:
        line.socket.sendall(b"".join((head % len(one)).encode() + one for one in requests))
        codes = []
        stream = _Stream(line.socket.makefile("rb", buffering=0))
        for _ in requests:
            response = http.client.HTTPResponse(stream)  # type: ignore[arg-type]  # all it asks of a socket is a file
            response.begin()
            codes.append(decode(response.read()).network_code)
    assert codes == ["301", "002"]


# -- bad terminals -----------------------------------------------------------------------------------------------------

def _hello() -> bytes:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname="acquirer").do_handshake()
    return outgoing.read()


HELLO = _hello()
WILD = st.lists(st.binary(max_size=200) | st.sampled_from([
    HELLO, HELLO[:20], b"POST " + PATH.encode() + b" HTTP/1.1\r\n", b"Content-Length: 5\r\n", b"\r\n\r\n",
]), max_size=5)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(WILD)
@pytest.mark.parametrize("link", ["tls", "http"])
def test_wild_bytes_close_their_connection_and_no_other(
    secured: Process, web: Process, folder: Path, link: str, pieces: list[bytes]
) -> None:
    process = secured if link == "tls" else web
    before = process.client.sync()
    with Line(process.client.address) as line:
        line.socket.sendall(b"".join(pieces))
        line.socket.shutdown(socket.SHUT_WR)
        while line.socket.recv(4096):
            continue
    rows = process.since(before)
    assert [row["direction"] for row in rows] in ([], ["in"]), "what is no message has no answer"
    assert rows or not b"".join(pieces).strip(), "and is never passed over"
    assert all("; connection closed" in row["note"] and "internal error" not in row["note"] for row in rows)


@pytest.mark.parametrize(("link", "sent", "note"), [
    ("tls", b"", "a TLS handshake: no rest came in time"), ("http", b"POST / HT", "9 bytes of a message: no rest"),
])
def test_what_is_begun_and_not_ended_is_given_up_in_time(folder: Path, link: str, sent: bytes, note: str) -> None:
    """In this process, so that the time can be short; the port is real."""

    async def run() -> list[str]:
        host, notes = Host(Store(":memory:"), DEFAULT_PROFILE), list[str]()
        way = LinkSettings(server_side(folder, ())) if link == "tls" else LinkSettings(http_path=PATH)
        server = Server(host, lambda row: notes.append(row.note), partial_s=0.1, link=way)
        address, port = await server.listen("127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(address, port)
        writer.write(sent or HELLO[:20])
        assert await asyncio.wait_for(reader.read(), 10) == b""
        writer.close()
        server.close()
        return notes

    (told,) = asyncio.run(run())
    assert note in told and told.endswith("[TLS]" if link == "tls" else "[HTTP]")


# -- a second address, options, certificates ---------------------------------------------------------------------------


def test_a_second_address_is_told_in_the_journal(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.2", 0)) as taken:
        port = int(taken.getsockname()[1])
    with running(tmp_path, "--also", f"127.0.0.2:{port}") as process:
        before = process.client.sync()
        for address, note in ((process.client.address, ""), (("127.0.0.2", port), f" [at 127.0.0.2:{port}]")):
            with Line(address) as line:
                assert registered(process, line).sign_in().get(39) == "00"
            row = process.since(before)[-1]
            assert row["note"].partition(" [")[2] == note[2:]


@pytest.mark.parametrize(("options", "said"), [
    (["--tls-clients"], "Give --tls FOLDER as well"), (["--http", "x"], "is no path"), (["--also", "x"], "--also"),
    (["--tls", "FOLDER/damaged"], "server.pem: not usable for TLS"),
    (["--tls", "FOLDER/damaged"], "PEM is wanted: server.pem, its server.key"),
    (["--tls", "FOLDER/good", "--tls-keys", "FOLDER/none/keys"], "none/keys: not usable for TLS"),
])
def test_bad_options(tmp_path: Path, options: list[str], said: str) -> None:
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "server.pem").write_text("nonsense")
    given = [option.replace("FOLDER", str(tmp_path)) for option in options]
    with pytest.raises(BenchError) as raised:
        Process(tmp_path, *given).start()
    assert said in str(raised.value) and "Traceback" not in str(raised.value)


def test_the_certificates_are_what_they_should_be(folder: Path, tmp_path: Path) -> None:
    names = ("ca.pem", "server.pem", "client.pem")
    ca, server, client = (x509.load_pem_x509_certificate((folder / name).read_bytes()) for name in names)
    for one in (server, client):
        one.verify_directly_issued_by(ca)
        assert "TEST-ONLY" in one.subject.rfc4514_string()
    with pytest.raises(BadInput, match="is there already"):
        certificates.make(folder)
    assert oct((folder / "server.key").stat().st_mode)[-3:] == "600"
    assert not (folder / "ca.key").exists()


def test_certificates_are_made_where_there_are_none(tmp_path: Path) -> None:
    server_side(tmp_path / "new", ("127.0.0.1",))
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == sorted(certificates.FILES)


def test_the_command_makes_certificates_and_says_how_to_load_them(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "harness.acquirer.certificates", str(tmp_path / "c"), "--address", "10.97.0.1"]
    first, second = (subprocess.run(command, capture_output=True, text=True, timeout=60) for _ in range(2))
    heads = [line.rpartition(" ")[0] for line in first.stdout.splitlines()]
    assert (first.returncode, heads) == (0, ["TLS CA", "TLS CERT", "TLS KEY"])
    assert (second.returncode, second.stderr.count("is there already"), "Traceback" in second.stderr) == (2, 1, False)
    wrong = subprocess.run([*command[:3], str(tmp_path / "d"), "--address", "x"], capture_output=True, text=True)
    assert wrong.returncode == 2 and "--address" in wrong.stderr


def test_an_acquirer_without_links_does_not_pay_for_them() -> None:
    """Every bench starts one."""
    code = "import sys, harness.acquirer.__main__; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "h11" not in loaded and not [name for name in loaded if name.startswith("cryptography.x509")]
    code = "import sys, harness.wire.tap; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"h11", "ssl", "cryptography"} & set(loaded), "nor does a tap"


