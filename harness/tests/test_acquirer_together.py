"""Messages that are decided together: one transaction, answers as if each had come alone, a failing one fails alone."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from typing import Any

import pytest

from harness.acquirer.host import Host, Outcome
from harness.acquirer.journal import JournalRow
from harness.acquirer.office import Office
from harness.acquirer.server import Server
from harness.acquirer.service import DEFAULT_PROFILE
from harness.acquirer.store import Store
from harness.protocol.frames import Frame, decode
from harness.tests.acquirer_terminal import MID, InProcess, Pos, new_tid


def terminals(host: Host, count: int) -> list[Pos]:
    office, made = Office(host), []
    office.carry_out({"op": "register_merchant", "mid": MID, "name": "test"})
    for _ in range(count):
        tid = new_tid()
        tmk = office.carry_out({"op": "register_terminal", "mid": MID, "tid": tid})["tmk"]
        made.append(Pos(lambda raw: host.receive(0, raw).send, tid, bytes.fromhex(tmk)))
        assert made[-1].sign_in().get(39) == "00"
    return made


class Counting(Host):
    """Fails at one terminal's sales, behind their booking; and notes the state of the database at each message."""

    breaks_at = ""

    def _process(self, connection: int, frame: Frame, t: int) -> Outcome:
        outcome = super()._process(connection, frame, t)
        if frame.get(41) == self.breaks_at:
            raise ArithmeticError("told to")
        return outcome


async def together(host: Host, messages: Sequence[bytes], on_row: Any = None) -> list[bytes]:
    """The answers to messages that lie in the server's sockets before it looks at any."""
    rows: list[JournalRow] = []
    server = Server(host, on_row or rows.append)
    address = await server.listen("127.0.0.1", 0)
    lines = [await asyncio.open_connection(*address) for _ in messages]
    while len(server.connections) < len(lines):
        await asyncio.sleep(0)
    for (_, writer), message in zip(lines, messages, strict=True):
        writer.write(message)
    answers = []
    for reader, _ in lines:
        prefix = await asyncio.wait_for(reader.readexactly(2), 10)
        answers.append(prefix + await reader.readexactly(int.from_bytes(prefix, "big")))
    for _, writer in lines:
        writer.close()
    server.close()
    return answers


def test_one_commit_for_all_and_every_answer_after_it() -> None:
    store = Store(":memory:")
    host = Host(store, DEFAULT_PROFILE)
    sellers = terminals(host, 6)
    statements: list[str] = []
    pushed_inside: list[bool] = []
    store.db.set_trace_callback(statements.append)
    sales = [pos.request("0200", pos.sale_fields(100), sealed=True).raw for pos in sellers]
    answers = asyncio.run(together(host, sales, lambda row: pushed_inside.append(store.db.in_transaction)))
    assert [decode(answer).get(39) for answer in answers] == ["00"] * 6
    assert len({decode(answer).get(37) for answer in answers}) == 6
    assert statements.count("COMMIT") == 1 and statements.count("RELEASE part") == 6
    assert pushed_inside == [False] * 12, "a row went out before its commit"


def test_one_that_fails_is_answered_96_and_the_others_are_booked(capfd: pytest.CaptureFixture[str]) -> None:
    store = Store(":memory:")
    host = Counting(store, DEFAULT_PROFILE)
    sellers = terminals(host, 5)
    host.breaks_at = sellers[2].tid
    sales = [pos.request("0200", pos.sale_fields(100), sealed=True).raw for pos in sellers]
    answers = asyncio.run(together(host, sales))
    assert [decode(answer).get(39) for answer in answers] == ["00", "00", "96", "00", "00"]
    booked = [len(host.ledger.entries(MID, pos.tid)) for pos in sellers]
    assert booked == [1, 1, 0, 1, 1]
    assert "told to" in capfd.readouterr().err
    host.breaks_at = ""
    assert sellers[2].sale(100).get(39) == "00"


def test_the_journal_holds_what_was_pushed_and_nothing_of_what_was_undone() -> None:
    store = Store(":memory:")
    host = Counting(store, DEFAULT_PROFILE)
    sellers = terminals(host, 4)
    before = host.journal.last_jid()
    pushed: list[JournalRow] = []
    host.breaks_at = sellers[1].tid
    sales = [pos.request("0200", pos.sale_fields(100), sealed=True).raw for pos in sellers]
    asyncio.run(together(host, sales, pushed.append))
    stored = host.journal.since(before)
    assert stored == pushed and [row.jid for row in stored] == list(range(before + 1, before + 9))
    assert [row.note[:3] for row in stored if row.direction == "out"] == ["00:", "96:", "00:", "00:"]
    assert host.journal.last_jid() == stored[-1].jid


def test_a_commit_that_fails_leaves_no_row_and_no_number_behind() -> None:
    store = Store(":memory:")
    host = Host(store, DEFAULT_PROFILE)
    (pos,) = terminals(host, 1)
    before = host.journal.since(0)
    store.db.execute("CREATE TRIGGER full BEFORE INSERT ON journal BEGIN SELECT RAISE(ROLLBACK, 'disk full'); END")
    with pytest.raises(sqlite3.Error):
        host.receive(0, pos.request("0200", pos.sale_fields(100), sealed=True).raw)
    assert not store.db.in_transaction
    store.db.execute("DROP TRIGGER full")
    assert host.ledger.entries(MID, pos.tid) == [] and host.journal.since(0) == before
    assert pos.sale(100).get(39) == "00"
    assert [row.jid for row in host.journal.since(0)] == list(range(1, len(before) + 3))


def test_what_is_kept_in_memory_is_forgotten_with_what_was_undone() -> None:
    store = Store(":memory:")
    host = Counting(store, DEFAULT_PROFILE)
    (pos,) = terminals(host, 1)
    before = host.registry.keys(MID, pos.tid)
    host.breaks_at = pos.tid
    assert pos.sign_in().get(39) == "96"
    assert host.registry.keys(MID, pos.tid) == before
    host.breaks_at = ""
    assert pos.sale(100).get(39) == "00"


def test_what_the_back_office_changes_holds_at_the_next_message() -> None:
    lab = InProcess()
    pos = lab.terminal()
    where = {"mid": MID, "tid": pos.tid}
    for op, code in (
        ("suspend_terminal", "58"), ("restore_terminal", "00"), ("sign_out", "77"), ("remove_terminal", "97"),
    ):
        lab.do(op, **where)
        assert pos.sale(100).get(39) == code
    lab.do("suspend_merchant", mid=MID)
    assert pos.sale(100).get(39) == "03"


def test_numbers_are_not_given_out_twice_after_the_process_was_killed(tmp_path: Any) -> None:
    first = Store(tmp_path / "a.sqlite")
    with first.messages():
        given = [first.next_number("rrn", 100) for _ in range(3)]
    with pytest.raises(ZeroDivisionError), first.messages():
        given += [first.next_number("rrn", 100), 1 // 0]
    with first.messages():
        given.append(first.next_number("rrn", 100))
    second = Store(tmp_path / "a.sqlite")  # the first one is not closed: as after kill -9
    with second.messages():
        following = second.next_number("rrn", 100)
    assert given == sorted(set(given)) and following > given[-1]
