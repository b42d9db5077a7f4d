"""The ladder: what tap and journal saw of one frame is one row, what only one saw stays visible as such."""

from __future__ import annotations

from pathlib import Path

from harness.history.events import AnyEvent
from harness.reports.images import Album
from harness.reports.run import BenchLog
from harness.reports.story import Row, Teller, exchanges
from harness.tests.golden import Reply, World, lost, refused, says, withheld


def rows_of(world: World, tmp_path: Path, since: int = 0, limit: int = 10_000) -> list[Row]:
    opened = world.events[0]
    log = BenchLog("bench-1", "benches/bench-1", opened, tuple(world.events))  # type: ignore[arg-type]
    events: list[AnyEvent] = [event for event in world.events if event.seq > since]
    return Teller(log, Album(tmp_path, 10_000), events[0].t).rows(events, limit)


def messages(world: World, tmp_path: Path, reply: Reply | str | None) -> list[Row]:
    world.sign_in()
    since = world.events[-1].seq
    world.sale(1200, reply)
    return [row for row in rows_of(world, tmp_path, since) if row.kind == "message"]


def test_a_frame_seen_twice_is_one_row(tmp_path: Path) -> None:
    request, response = messages(World(), tmp_path, says("97"))
    assert request.to_acquirer
    assert not response.to_acquirer
    for row in (request, response):
        assert row.on_wire
        assert row.at_host
        assert row.frame is not None
        assert row.jid is not None
        assert len(row.seqs) == 2
    assert response.message is not None
    assert response.message.code == "97"
    assert response.message.title.en == "0210 sale"
    assert response.message.title.zh == "0210 消费"


def test_an_answer_that_never_arrived_ends_at_the_wire(tmp_path: Path) -> None:
    request, response = messages(World(), tmp_path, lost())
    assert request.on_wire
    assert response.at_host
    assert not response.on_wire
    assert not response.withheld


def test_an_answer_that_was_never_sent_says_so(tmp_path: Path) -> None:
    _request, response = messages(World(), tmp_path, withheld())
    assert response.withheld
    assert not response.on_wire


def test_a_refused_connection_has_no_message(tmp_path: Path) -> None:
    world = World()
    assert messages(world, tmp_path, refused()) == []
    texts = [item.text.en for row in rows_of(world, tmp_path) if row.kind == "wire" for item in row.items]
    assert "connection refused" in texts


def test_equal_bytes_pair_in_their_order(tmp_path: Path) -> None:
    world = World()
    raw = bytes.fromhex("0003AABBCC")
    first = world.frame(1, "to_acquirer", raw)
    world.journal(1, "in", raw)
    second = world.frame(1, "to_acquirer", raw)
    rows = [row for row in rows_of(world, tmp_path) if row.kind == "message"]
    assert [(row.seqs[0], row.at_host) for row in rows] == [(first.seq, True), (second.seq, False)]
    assert all(row.message is None for row in rows)


def test_a_short_form_pairs_requests_with_their_codes() -> None:
    world = World()
    world.sign_in()
    world.sale(1200, says("97"))
    world.sale(1200, lost())
    told = [(one.request.en, one.code, one.answered) for one in exchanges(world.events)]
    assert told == [("0800 sign-in", "00", True), ("0200 sale", "97", True), ("0200 sale", "", False)]


def test_every_kind_of_event_can_be_told(tmp_path: Path) -> None:
    world = World()
    world.sign_in()
    world.sale(1200, says("97"), via="cashier")
    world.reboot("watchdog")
    world.unplug()
    world.plug()
    world.ledger()
    world.read_counters()
    world.load_tmk()
    world.armed()
    world.bytes_on(1, "to_terminal", b"\x00\x01", "cut short at close")
    world.replaced("HT1", "update")
    world.measured("REC-10 recovery", 1.5, high=60)
    world.bench_failed("the board died")
    world.till("from_terminal", {})
    told = rows_of(world, tmp_path)
    kinds = {item.kind for row in told for item in row.items}
    assert kinds >= {
        "screen", "operation", "completed", "cashier", "service", "counters", "power", "unit", "measurement", "failed",
        "link", "connection", "bytes", "change", "armed", "ledger",
    }  # fmt: skip
    assert "other" not in kinds
