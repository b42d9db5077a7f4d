"""The acquirer's process and its port: wild bytes, connections, ``kill -9``, cost, network namespaces."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import select
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.acquirer.host import Host
from harness.acquirer.links import LARGEST_MESSAGE
from harness.acquirer.server import Server
from harness.acquirer.service import DEFAULT_PROFILE
from harness.acquirer.store import Store
from harness.errors import BadInput, BenchError
from harness.lab.process import spawn
from harness.protocol.frames import FrameError, build, decode
from harness.protocol.nested import Totals
from harness.protocol.stream import FrameSplitter
from harness.tests.acquirer_terminal import MID, InProcess, Line, Pos, Process, await_row, running

ROOT = Path(__file__).resolve().parents[2]
WILD = settings(max_examples=60, deadline=None)


@pytest.fixture(scope="module")
def acquirer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    with running(tmp_path_factory.mktemp("acquirer")) as process:
        yield process


# -- wild bytes --------------------------------------------------------------------------------------------------------


def echo(tid: str) -> bytes:
    return build("0820", {41: tid, 42: MID, 60: "00000001301"}).raw


def framed(body: bytes) -> bytes:
    return len(body).to_bytes(2, "big") + body


GOOD = echo("00000000")
NEARLY = st.binary(max_size=120).map(framed) | st.tuples(
    st.integers(2, len(GOOD) - 1), st.integers(0, 255)
).map(lambda change: GOOD[: change[0]] + bytes([change[1]]) + GOOD[change[0] + 1 :])


@WILD
@given(st.lists(st.binary(max_size=300) | NEARLY | st.just(GOOD), max_size=4))
def test_wild_bytes_are_journalled_and_close_the_connection(acquirer: Process, pieces: list[bytes]) -> None:
    stream = b"".join(pieces)
    before = acquirer.client.sync()
    with acquirer.line() as line:
        line.socket.sendall(stream)
        line.socket.shutdown(socket.SHUT_WR)
        answered = 0
        while (answer := line.read()) is not None:
            assert decode(answer).is_response
            answered += 1
    rows = acquirer.since(before)
    came = [row for row in rows if row["direction"] == "in"]
    received = b"".join(bytes.fromhex(row["hex"]) for row in came)
    requests, good, garbage = understood(stream)
    assert answered == len([row for row in rows if row["direction"] == "out"]) == requests
    assert stream.startswith(received) and len(received) > good if garbage else received == stream
    assert [("connection closed" in row["note"]) for row in came] == [False] * requests + [True] * garbage
    assert acquirer.short(GOOD) is not None


def understood(stream: bytes) -> tuple[int, int, bool]:
    """How many requests a stream has up to its first garbage, how many bytes they are, and whether there is garbage."""
    count = at = 0
    for piece in FrameSplitter(LARGEST_MESSAGE).split(stream):
        try:
            if piece.reason or decode(piece.data).is_response or piece.data[2] != 0x60:
                return count, at, True
        except FrameError:
            return count, at, True
        count, at = count + 1, piece.end
    return count, at, at < len(stream)


@settings(max_examples=300)
@given(NEARLY | st.binary(min_size=23, max_size=200))
def test_the_host_has_an_outcome_for_any_message(raw: bytes) -> None:
    lab = InProcess()
    outcome = lab.host.receive(1, raw)
    assert outcome.rows[0].frame == raw and outcome.rows[0].direction == "in"
    assert "internal error" not in outcome.rows[0].note
    assert (outcome.send is None) == outcome.close
    if outcome.close:
        assert "offset" in outcome.rows[0].note
    if outcome.send is not None:
        assert decode(outcome.send).is_response


FIELD_VALUES = st.fixed_dictionaries(
    {41: st.just("10000001"), 42: st.just(MID)},
    optional={
        2: st.text("0123456789", max_size=19), 3: st.sampled_from(["000000", "200000", "310000"]),
        4: st.text("0123456789", min_size=12, max_size=12), 11: st.text("0123456789", min_size=6, max_size=6),
        35: st.text("0123456789ABCDEF", max_size=37), 37: st.text("09", min_size=12, max_size=12),
        48: st.text("0123456789", max_size=400), 52: st.binary(min_size=8, max_size=8).map(lambda b: b.hex().upper()),
        53: st.text("0123456789", min_size=16, max_size=16), 61: st.text("0123456789", max_size=30),
        60: st.tuples(
            st.sampled_from(["00", "22", "23", "01"]), st.sampled_from(["000001", "000002", "999999", ""]),
            st.sampled_from(["003", "301", "002", "201", "202", "207", "000", ""]),
        ).map("".join),
    },
)  # fmt: skip


@settings(max_examples=400)
@given(st.sampled_from(["0100", "0200", "0220", "0320", "0400", "0500", "0620", "0800", "0820", "9980"]), FIELD_VALUES)
def test_every_decodable_request_of_a_signed_in_terminal_is_answered(mti: str, fields: dict[int, str]) -> None:
    lab = InProcess()
    pos = lab.terminal("10000001")
    answer = pos.ask(mti, fields, sealed=True)
    assert answer.mti == f"{int(mti) + 10:04d}" and answer.get(39) != "96"


def test_garbage_closes_only_its_own_connection(acquirer: Process) -> None:
    with acquirer.line() as good, acquirer.line() as bad:
        assert good(GOOD) is not None
        bad.socket.sendall(b"\xff\xff" + bytes(100))  # announces more than any message has: nothing to wait for
        assert bad.read() is None
        assert good(GOOD) is not None


def test_what_came_before_garbage_is_answered(acquirer: Process) -> None:
    before = acquirer.client.sync()
    with acquirer.line() as line:
        line.socket.sendall(GOOD + framed(b"\x60" * 30))
        assert line.read() is not None
        assert line.read() is None
    rows = acquirer.since(before)
    assert [row["direction"] for row in rows] == ["in", "out", "in"]
    assert "no message" in rows[2]["note"] and rows[2]["hex"] == framed(b"\x60" * 30).hex().upper()


def test_a_response_is_no_request(acquirer: Process) -> None:
    before = acquirer.client.sync()
    with acquirer.line() as line:
        line.socket.sendall(build("0210", {39: "00"}).raw)
        assert line.read() is None
    assert "0210 is no request" in acquirer.since(before)[0]["note"]


# -- connections -------------------------------------------------------------------------------------------------------


def test_many_messages_on_a_connection_in_pieces_of_a_byte(acquirer: Process) -> None:
    pos = acquirer.terminal(signed_in=False)
    with acquirer.line() as line:
        line.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def byte_by_byte(raw: bytes) -> bytes | None:
            for byte in raw:
                line.socket.sendall(bytes([byte]))
            return line.read()

        pos.exchange = byte_by_byte
        assert [pos.sign_in().get(39), pos.sale(100).get(39), pos.echo().get(39)] == ["00"] * 3


def test_requests_sent_together_are_answered_in_their_order(acquirer: Process) -> None:
    pos = acquirer.terminal()
    requests = [pos.request("0200", pos.sale_fields(100 + n), sealed=True) for n in range(20)]
    with acquirer.line() as line:
        line.socket.sendall(b"".join(request.raw for request in requests))
        answers = [decode(line.read() or b"") for _ in requests]
    assert [a.get(11) for a in answers] == [r.get(11) for r in requests]


def test_connections_are_numbered(acquirer: Process) -> None:
    before = acquirer.client.sync()
    for _ in range(2):
        acquirer.short(GOOD)
    numbers = [row["connection"] for row in acquirer.since(before)]
    assert len(numbers) == 4 and numbers[0] == numbers[1] == numbers[2] - 1 == numbers[3] - 1


def test_an_unfinished_message_is_given_up_in_time() -> None:
    """In this process, so that the time can be short; the port is real."""

    async def run() -> list[str]:
        host, notes = Host(Store(":memory:"), DEFAULT_PROFILE), []
        server = Server(host, lambda row: notes.append(row.note), partial_s=0.1)
        address, port = await server.listen("127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(address, port)
        writer.write(GOOD[:30])
        assert await asyncio.wait_for(reader.read(), 10) == b""
        writer.close()
        server.close()
        return notes

    (note,) = asyncio.run(run())
    assert "30 bytes of a message: no rest came in time" in note


def test_a_terminal_that_reads_no_answers_stops_nobody(acquirer: Process) -> None:
    """It is not read from any more, and others are served."""
    pos = acquirer.terminal()
    with acquirer.line() as deaf:
        deaf.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.socket.settimeout(0.5)
        sent = 0
        with pytest.raises(TimeoutError):
            while sent < 64 << 20:
                sent += deaf.socket.send(echo(pos.tid) * 500)
                assert pos.echo().get(39) == "00"
    assert pos.echo().get(39) == "00"


def test_a_failing_journal_costs_the_connection_and_not_the_acquirer(capfd: pytest.CaptureFixture[str]) -> None:
    async def run() -> bytes:
        store = Store(":memory:")
        server = Server(Host(store, DEFAULT_PROFILE), lambda row: None)
        address, port = await server.listen("127.0.0.1", 0)
        store.db.execute("ALTER TABLE journal RENAME TO elsewhere")
        reader, writer = await asyncio.open_connection(address, port)
        writer.write(GOOD)
        assert await asyncio.wait_for(reader.read(), 10) == b""
        writer.close()
        store.db.execute("ALTER TABLE elsewhere RENAME TO journal")
        reader, writer = await asyncio.open_connection(address, port)
        writer.write(GOOD)
        answer = await asyncio.wait_for(reader.readexactly(23), 10)
        writer.close()
        server.close()
        return answer

    assert asyncio.run(run())[13:15] == b"\x08\x30"
    assert "no such table: journal" in capfd.readouterr().err


# -- kill -9 -----------------------------------------------------------------------------------------------------------


def test_kill_9_loses_no_answered_transaction(tmp_path: Path) -> None:
    process = Process(tmp_path).start()
    try:
        pos = process.terminal()
        answered: list[str] = []
        with process.line() as line:
            pos.exchange = line
            for n in range(60):
                answered.append(pos.sale(100 + n).get(11))
            line.socket.sendall(pos.request("0200", pos.sale_fields(999), sealed=True).raw)  # under way
            process.child.kill()
        journal = process.rows[-1]["jid"]
        process.client.close()
        process.start()
        assert [entry.trace for entry in process.client.ledger(MID, pos.tid)][: len(answered)] == answered
        rows = process.client.journal()
        assert len(rows) >= journal and [row["jid"] for row in rows] == list(range(1, len(rows) + 1))
        pos.exchange = process.short
        assert pos.sale(1, trace=answered[-1]).get(39) == "94"  # known, with the keys of before
        assert pos.reverse(answered[0], 100).get(39) == "00"
        process.client.sync()
        assert process.rows[-1]["connection"] > rows[-1]["connection"]
        settled = len([e for e in process.client.ledger(MID, pos.tid) if e.state == "approved"])
        assert settled in (59, 60)
    finally:
        process.stop()


def test_a_clock_that_was_set_goes_on_after_a_restart(tmp_path: Path) -> None:
    process = Process(tmp_path).start()
    try:
        pos = process.terminal()
        process.client.ask("set_clock", epoch=1_900_000_000)  # 2030-03-18 01:46:40 in Beijing
        process.child.kill()
        process.client.close()
        process.start()
        pos.exchange = process.short
        assert pos.echo().get(13) == "0318"
    finally:
        process.stop()


def test_an_orderly_end_leaves_a_whole_database_and_says_nothing(tmp_path: Path) -> None:
    process = Process(tmp_path).start()
    try:
        pos = process.terminal()
        process.client.misbehave({"mti": "0200", "action": "late", "delay_s": 60})
        with process.line() as line:
            line.socket.sendall(pos.request("0200", pos.sale_fields(100), sealed=True).raw)
            await_row(process, lambda row: "held back" in row["note"])
            process.client.shut_down()
            assert process.child.wait(10)
        assert process.child.process.returncode == 0 and process.log().count("\n") == 0
        assert not (tmp_path / "c.sock").exists() and not (tmp_path / "a.sqlite-wal").exists()
        with sqlite3.connect(tmp_path / "a.sqlite") as db:
            directions = [row[0] for row in db.execute("SELECT direction FROM journal ORDER BY jid")]
        assert directions == ["in", "out", "in", "withheld"]
    finally:
        process.stop()


def test_sigterm_is_an_orderly_end_too(tmp_path: Path) -> None:
    with running(tmp_path) as process:
        os.kill(process.child.pid, signal.SIGTERM)
        assert process.child.wait(10) and process.child.process.returncode == 0


# -- starting ----------------------------------------------------------------------------------------------------------


def test_it_runs_without_any_option_but_a_free_port() -> None:
    command = [sys.executable, "-m", "harness.acquirer", "--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)}) as process:
        assert process.stdout is not None
        try:
            assert select.select([process.stdout], [], [], 20)[0], "it did not say it is ready"
            ready = json.loads(process.stdout.readline())
            assert ready["ev"] == "ready" and ready["database"] == ":memory:"
            with Line(("127.0.0.1", ready["port"])) as line:
                assert decode(line(GOOD) or b"").get(39) == "03"
        finally:
            process.terminate()


def test_start_up_and_the_cost_of_a_97(acquirer: Process) -> None:
    """CPU from start to listening, and of a de-registered terminal's sign-in (the whole process, journal and all)."""
    elapsed_ms, cpu_ms = acquirer.client.start_ms
    assert 0 < cpu_ms < 1500 and elapsed_ms > 0
    pos, count = acquirer.terminal(signed_in=False), 500
    acquirer.client.remove_terminal(MID, pos.tid)
    before = acquirer.cpu_s()
    for _ in range(count):
        assert pos.ask("0800", pos.sign_in_fields()).get(39) == "97"
    cost_ms = (acquirer.cpu_s() - before) * 1000 / count
    print(f"listening after {elapsed_ms} ms ({cpu_ms} ms CPU); a 97 costs {cost_ms:.2f} ms CPU")
    assert cost_ms < 3


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--listen", "8583"], "ADDRESS:PORT"), (["--listen", "127.0.0.1:99999"], "ADDRESS:PORT"),
        (["--listen", "192.0.2.1:0"], "can't listen"), (["--profile", "/nonexistent.json"], "not a profile"),
        (["--cards", "/nonexistent.json"], "card file"), (["--db", "/nonexistent/a.sqlite"], "database"),
        (["--control", "/tmp/" + "x" * 120], "at most 107"),
    ],
)  # fmt: skip
def test_what_is_given_wrongly_is_said_in_a_sentence(options: list[str], says: str) -> None:
    command = [sys.executable, "-m", "harness.acquirer", "--listen", "127.0.0.1:0", *options]
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 2 and says in done.stderr and "Traceback" not in done.stderr


def test_a_foreign_file_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("not a database at all, but long enough to look at" * 50)
    other = tmp_path / "other.sqlite"
    with sqlite3.connect(other) as db:
        db.execute("CREATE TABLE x (y)")
    for path in (tmp_path / "text", other):
        with pytest.raises(BadInput, match="database"):
            Store(path)


def test_a_control_socket_in_use_is_not_taken_over(acquirer: Process, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="ended with exit status 2"):
        control = str(acquirer.folder / "c.sock")
        second = spawn(
            [sys.executable, "-m", "harness.acquirer", "--listen", "127.0.0.1:0", "--control", control],
            log=tmp_path / "second.log",
        )
        second.process.wait(20)
        second.check()
    assert "another process listens there" in (tmp_path / "second.log").read_text()
    assert acquirer.client.sync() >= 0


NETNS_PROGRAM = """
import sys
from pathlib import Path
from harness.lab.rootless import enter_in_place
enter_in_place()
from harness.tests.test_acquirer_server import sale_through_a_namespace
sale_through_a_namespace(Path(sys.argv[1]))
"""


def test_in_a_network_namespace_of_its_own(tmp_path: Path) -> None:
    """The process enters the namespace it is given; the control socket reaches it from outside."""
    command = [sys.executable, "-c", NETNS_PROGRAM, str(tmp_path)]
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["97", "00"]


def sale_through_a_namespace(folder: Path) -> None:
    """Runs in the lab that the program above enters."""
    from harness.wire import netns
    from harness.wire.topology import ACQUIRER_ADDRESS, Topology

    with Topology.build() as topology:
        process = Process(folder)
        try:
            process.start(netns_fd=topology.acquirer_fd, listen=f"{ACQUIRER_ADDRESS}:8583")
            try:
                socket.create_connection((ACQUIRER_ADDRESS, 8583), 1).close()
            except OSError as error:
                assert error.errno == errno.ENETUNREACH, error
            else:
                raise AssertionError("reached without entering any namespace")
            with netns.inside(topology.terminal_fd):
                pos = process.terminal(signed_in=False)
                process.client.remove_terminal(MID, pos.tid)
                print(pos.ask("0800", pos.sign_in_fields()).get(39))
                registered = bytes.fromhex(process.client.register_terminal(MID, pos.tid))
                fresh = Pos(process.short, pos.tid, registered)
                fresh.sign_in()
                print(fresh.settle(Totals()).get(39))
        finally:
            process.stop()


def test_it_ends_with_its_parent(tmp_path: Path) -> None:
    """``--parent``: killed by the kernel when the process that started it is killed."""
    program = (
        "import sys\nfrom pathlib import Path\nfrom harness.tests.acquirer_terminal import Process\n"
        "p = Process(Path(sys.argv[1])).start()\nprint(p.child.pid, flush=True)\nsys.stdin.read()\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)}
    ) as worker:
        assert worker.stdout is not None
        pid = int(worker.stdout.readline())
        handle = os.pidfd_open(pid)
        try:
            worker.kill()
            assert select.select([handle], [], [], 10)[0], "it outlived its parent"
        finally:
            os.close(handle)


def test_reset_connections_leave_nothing_behind(acquirer: Process) -> None:
    for _ in range(50):
        with acquirer.line() as line:
            line.socket.sendall(GOOD[:10])
            line.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    deadline = time.monotonic() + 10
    while acquirer.client.ask("status")["connections"]:
        assert time.monotonic() < deadline, "connections that were reset are still held"
    assert acquirer.short(GOOD) is not None
