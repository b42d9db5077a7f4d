"""The control channel: every operation, refusals, events in order, several clients, wild lines; and its client."""

from __future__ import annotations

import itertools
import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.acquirer.client import AcquirerClient
from harness.acquirer.control import LONGEST_LINE
from harness.errors import BadInput, BenchError
from harness.history.events import ADAPTER, HostJournal
from harness.tests.acquirer_terminal import MID, InProcess, Process, new_tid, running


@pytest.fixture(scope="module")
def acquirer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    with running(tmp_path_factory.mktemp("acquirer")) as process:
        yield process


class Raw:
    """A control connection without the client."""

    def __init__(self, acquirer: Process) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(10)
        self.socket.connect(str(acquirer.folder / "c.sock"))
        self.lines = self.socket.makefile("rb")
        assert self.read()["ev"] == "ready"

    def read(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(self.lines.readline())
        return message

    def ask(self, line: bytes) -> dict[str, Any]:
        self.socket.sendall(line + b"\n")
        return self.read()

    def __enter__(self) -> Raw:
        return self

    def __exit__(self, *_: object) -> None:
        self.lines.close()
        self.socket.close()


# -- operations --------------------------------------------------------------------------------------------------------


def test_the_life_of_a_terminal_in_the_back_office(acquirer: Process) -> None:
    ask, tid = acquirer.client.ask, new_tid()

    def row() -> dict[str, Any] | None:
        found: dict[str, Any] | None = ask("terminal", mid=MID, tid=tid)["terminal"]
        return found

    ask("register_merchant", mid=MID, name="测试商户")
    assert row() is None
    ask("set_terminal_state", mid=MID, tid=tid, state="pending")
    assert row() == {"state": "pending", "sign_state": 0, "batch": "000001", "registration": 0}
    tmk = acquirer.client.register_terminal(MID, tid)
    assert row() == {"state": "active", "sign_state": 0, "batch": "000001", "registration": 1}
    ask("set_batch", mid=MID, tid=tid, batch="000042")
    ask("suspend_terminal", mid=MID, tid=tid)
    ask("restore_terminal", mid=MID, tid=tid)
    ask("sign_out", mid=MID, tid=tid)
    assert row() == {"state": "active", "sign_state": 2, "batch": "000042", "registration": 1}
    for number, state in ((3, "maintenance"), (4, "closed")):
        ask("sign_out", mid=MID, tid=tid, state=state)
        assert (row() or {})["sign_state"] == number
    assert ask("issue_tmk", mid=MID, tid=tid)["tmk"] != tmk
    ask("remove_terminal", mid=MID, tid=tid)
    assert (row() or {})["state"] == "removed"
    acquirer.client.register_terminal(MID, tid, tmk)
    assert row() == {"state": "active", "sign_state": 0, "batch": "000001", "registration": 2}
    for op in ("suspend_merchant", "restore_merchant", "remove_merchant"):
        ask(op, mid=MID)


WRONG: list[dict[str, Any]] = [
    {"op": "explode"}, {}, {"op": ["ledger"]}, {"op": "register_merchant"}, {"op": "register_merchant", "mid": "1"},
    {"op": "register_merchant", "mid": MID, "name": 7}, {"op": "register_merchant", "mid": MID, "name": "\ud800"},
    {"op": "suspend_merchant", "mid": "000000000000000"}, {"op": "remove_merchant", "mid": "000000000000000"},
    {"op": "register_terminal", "mid": "000000000000000", "tid": "10000000"},
    {"op": "register_terminal", "mid": MID, "tid": "1"},
    {"op": "register_terminal", "mid": MID, "tid": "终端终端终端终端"},
    {"op": "register_terminal", "mid": MID, "tid": "90000000", "tmk": "00"},
    {"op": "register_terminal", "mid": MID, "tid": "90000000", "write_off": "yes"},
    {"op": "remove_terminal", "mid": MID, "tid": "90000000"}, {"op": "suspend_terminal", "mid": MID, "tid": "90000000"},
    {"op": "restore_terminal", "mid": MID, "tid": "90000000"}, {"op": "sign_out", "mid": MID, "tid": "90000000"},
    {"op": "sign_out", "mid": MID, "tid": "90000000", "state": "signed_in"},
    {"op": "sign_out", "mid": MID, "tid": "90000000", "state": ["closed"]},
    {"op": "issue_tmk", "mid": MID, "tid": "90000000"}, {"op": "set_batch", "mid": MID, "tid": "90000000", "batch": 1},
    {"op": "set_terminal_state", "mid": MID, "tid": "90000000", "state": "active"},
    {"op": "misbehave"}, {"op": "misbehave", "rule": []}, {"op": "set_clock", "epoch": "now"},
    {"op": "journal", "since": -1}, {"op": "journal", "since": 1 << 70}, {"op": "journal", "since": "1"},
    {"op": "reconciliation", "mid": MID, "tid": "90000000", "batch": 3},
    {"op": "reconciliation", "mid": MID, "tid": "90000000", "batch": 1 << 70},
]  # fmt: skip


@pytest.mark.parametrize("request_", WRONG, ids=lambda r: str(r)[:60])
def test_wrong_requests_are_refused_and_change_nothing(request_: dict[str, Any]) -> None:
    lab = InProcess()
    dump = list(lab.host.store.db.iterdump())
    with pytest.raises(BadInput):
        lab.do(request_.get("op", ""), **{k: v for k, v in request_.items() if k != "op"})
    assert list(lab.host.store.db.iterdump()) == dump


@pytest.mark.parametrize("batch", [0, 1_000_000, "", "abc", None, True, 1.5, -1])
def test_no_batch_number(batch: object) -> None:
    lab = InProcess()
    pos = lab.terminal()
    with pytest.raises(BadInput):
        lab.do("set_batch", mid=MID, tid=pos.tid, batch=batch)


def test_a_pending_application_has_no_key_to_be_restored_with() -> None:
    lab = InProcess()
    lab.do("set_terminal_state", mid=MID, tid="90000000", state="rejected")
    with pytest.raises(BadInput, match="never had a TMK"):
        lab.do("restore_terminal", mid=MID, tid="90000000")


# -- journal, events, sync ---------------------------------------------------------------------------------------------


def test_events_are_the_journal_in_its_order(acquirer: Process) -> None:
    before = acquirer.client.sync()
    pos = acquirer.terminal()
    for n in range(10):
        pos.sale(100 + n)
    last = acquirer.client.sync()
    pushed = [row for row in acquirer.rows if row["jid"] > before]
    assert [row["jid"] for row in pushed] == list(range(before + 1, last + 1)) and len(pushed) == 22
    assert acquirer.client.journal(before) == pushed
    assert all(a["t"] <= b["t"] for a, b in itertools.pairwise(pushed))
    assert pushed[-1]["t"] <= time.monotonic_ns()


def test_a_journal_row_is_an_event_of_the_history(acquirer: Process) -> None:
    before = acquirer.client.sync()
    acquirer.terminal()
    for row in acquirer.since(before):
        event = ADAPTER.validate_python({"kind": "host.journal", **{k: v for k, v in row.items() if k != "ev"}})
        assert isinstance(event, HostJournal) and int(event.hex[:4], 16) == len(event.hex) // 2 - 2


def test_sync_covers_what_lies_in_the_sockets(acquirer: Process) -> None:
    """Bytes that were sent before, by another connection that nobody has accepted yet, are decided before the reply."""
    pos = acquirer.terminal()
    for _ in range(30):
        request = pos.request("0820", {60: "00000001301"})
        before = acquirer.client.sync()
        with acquirer.line() as line:
            line.socket.sendall(request.raw)
            assert acquirer.client.sync() == before + 2
            assert acquirer.rows[-1]["jid"] == before + 2


def test_every_client_gets_every_event_from_its_connection_on(acquirer: Process) -> None:
    seen: list[int] = []
    pos = acquirer.terminal()
    with AcquirerClient.connect(acquirer.folder / "c.sock", on_event=lambda e: seen.append(e.get("jid", 0))) as second:
        before = acquirer.client.sync()
        pos.sale(1)
        assert second.sync() == acquirer.client.sync() == before + 2
        assert seen == [0, before + 1, before + 2]  # 0: the ready event
    pos.sale(1)
    assert acquirer.client.sync() == before + 4 and len(seen) == 3


def test_a_client_that_reads_nothing_stops_nobody(acquirer: Process) -> None:
    pos = acquirer.terminal()
    with Raw(acquirer) as deaf:
        deaf.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        for n in range(300):
            assert pos.sale(1 + n).get(39) == "00"
        assert acquirer.client.sync() == acquirer.rows[-1]["jid"]


# -- wild lines --------------------------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "op", "mid", "rule"]), inner),
    max_leaves=8,
)
OPERATIONS = ["ledger", "journal", "set_clock", "misbehave", "set_batch", "terminal", "reconciliation", "sync", "?"]
REQUESTS = st.fixed_dictionaries({"op": st.sampled_from(OPERATIONS)}, optional={
    "id": st.integers(0, 9) | JSON, "mid": st.just(MID) | JSON, "tid": st.just("10000000") | JSON, "batch": JSON,
    "rule": JSON, "since": JSON, "epoch": JSON,
})  # fmt: skip
BYTES = st.binary(max_size=200).map(lambda b: b.replace(b"\n", b""))


@settings(max_examples=150, deadline=None)
@given(BYTES | (JSON | REQUESTS).map(lambda value: json.dumps(value).encode()))
def test_wild_lines_are_answered_one_by_one(acquirer: Process, line: bytes) -> None:
    with Raw(acquirer) as raw:
        if line.strip():
            reply = raw.ask(line)
            assert reply.keys() >= {"re", "ok"} and reply["ok"] is ("error" not in reply)
            assert "internal error" not in reply.get("error", "")
        assert raw.ask(b'{"id":"last","op":"status"}')["re"] == "last"
    acquirer.client.clear_misbehaviour()
    acquirer.client.ask("set_clock", epoch=None)
    assert "Traceback" not in acquirer.log()


@pytest.mark.parametrize("line", [b"[" * 100_000, b"1" * 5000, b"\xff\xfe", b"{}", b'{"id":null,"op":"sync"}', b'"x"'])
def test_lines_that_are_no_requests(acquirer: Process, line: bytes) -> None:
    with Raw(acquirer) as raw:
        reply = raw.ask(line)
        assert reply["re"] is None and reply["ok"] is False and reply["error"]
        assert raw.ask(b'{"id":1,"op":"sync"}')["ok"] is True


def test_an_endless_line_ends_the_connection(acquirer: Process) -> None:
    with Raw(acquirer) as raw:
        raw.socket.sendall(b"x" * (LONGEST_LINE + 1))
        assert "a line of more than" in raw.read()["error"]
        assert raw.lines.readline() == b""
    assert acquirer.client.sync() >= 0


def test_requests_in_pieces_and_many_at_once(acquirer: Process) -> None:
    with Raw(acquirer) as raw:
        for byte in b'{"id":7,"op":"status"}\n':
            raw.socket.sendall(bytes([byte]))
        assert raw.read()["re"] == 7
        writer = threading.Thread(
            target=lambda: raw.socket.sendall(b"".join(b'{"id":%d,"op":"sync"}\n' % n for n in range(5000)))
        )
        writer.start()
        assert [raw.read()["re"] for _ in range(5000)] == list(range(5000))
        writer.join()


# -- the client --------------------------------------------------------------------------------------------------------


def test_the_client_may_be_used_by_many_threads(acquirer: Process) -> None:
    pos = acquirer.terminal()
    replies: list[tuple[int, int]] = []

    def work(number: int) -> None:
        tid = f"5{number:07d}"
        for batch in range(1, 21):
            acquirer.client.register_terminal(MID, tid)
            acquirer.client.ask("set_batch", mid=MID, tid=tid, batch=batch)
            replies.append((batch, int(acquirer.client.ask("terminal", mid=MID, tid=tid)["terminal"]["batch"])))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(5)]
    for thread in threads:
        thread.start()
    for _ in range(50):
        pos.sale(1)
    for thread in threads:
        thread.join()
    assert len(replies) == 100 and all(asked == told for asked, told in replies)


def test_a_refusal_is_a_reply_of_request_and_an_error_of_ask(acquirer: Process) -> None:
    reply = acquirer.client.request({"op": "suspend_terminal", "mid": MID, "tid": "90000000"})
    assert reply["ok"] is False and "never registered" in reply["error"]
    with pytest.raises(BenchError, match=r"refused suspend_terminal.*never registered"):
        acquirer.client.ask("suspend_terminal", mid=MID, tid="90000000")


def test_events_before_the_first_callback_are_kept_for_it(acquirer: Process) -> None:
    seen: list[dict[str, Any]] = []
    with AcquirerClient.connect(acquirer.folder / "c.sock") as client:
        before = acquirer.client.sync()
        acquirer.terminal()
        client.sync()
        client.on_event(seen.append)
        assert [event.get("jid") for event in seen] == [None, before + 1, before + 2]


def test_an_event_that_can_not_be_recorded_is_told_to_the_next_request(acquirer: Process) -> None:
    def full(event: dict[str, Any]) -> None:
        if event["ev"] == "journal":
            raise OSError("no space left")

    client = AcquirerClient.connect(acquirer.folder / "c.sock", on_event=full)
    acquirer.terminal()
    with pytest.raises(BenchError, match="no space left"):
        client.sync()
    client.close()


def test_a_callback_must_not_ask(acquirer: Process) -> None:
    problems: list[BaseException] = []

    def ask(event: dict[str, Any]) -> None:
        try:
            client.sync()
        except RuntimeError as error:
            problems.append(error)

    with AcquirerClient.connect(acquirer.folder / "c.sock") as client:
        client._callbacks.append(ask)
        acquirer.terminal()
        client.sync()
    assert len(problems) == 2


def test_no_acquirer_and_one_that_died_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="no acquirer listened"):
        AcquirerClient.connect(tmp_path / "nobody.sock", timeout_s=0.05)
    process = Process(tmp_path).start()
    try:
        process.child.process.kill()
        with pytest.raises(BenchError, match=r"was killed by SIGKILL|did not answer"):
            process.client.sync()
            process.client.sync()
    finally:
        process.stop()
    failing = Process(tmp_path, "--cards", "/nonexistent")
    with pytest.raises(BenchError, match="exit status 2"):
        failing.start()
