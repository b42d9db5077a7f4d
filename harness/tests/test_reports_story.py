"""The ladder: what tap and journal saw of one frame is one row, what only one saw stays visible as such."""

from __future__ import annotations

from pathlib import Path

from harness.history.events import AnyEvent
from harness.reports import timeline
from harness.reports.images import Album
from harness.reports.run import BenchLog
from harness.reports.story import Row, Teller, exchanges
from harness.reports.tell import spans
from harness.tests.golden import Reply, World, lost, refused, says, withheld
from harness.tests.golden_faults import Strike, dribbled, forged, swallowed


def rows_of(world: World, tmp_path: Path, since: int = 0, limit: int = 10_000) -> list[Row]:
    opened = world.events[0]
    log = BenchLog("bench-1", "benches/bench-1", opened, tuple(world.events))  # type: ignore[arg-type]
    events: list[AnyEvent] = [event for event in world.events if event.seq > since]
    return Teller(log, Album(tmp_path, 10_000), events[0].t).rows(events, limit)


def messages(world: World, tmp_path: Path, reply: Reply | Strike | str | None) -> list[Row]:
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


# -- faults of the wire -----------------------------------------------------------------------------------------------


def test_an_answer_that_a_fault_swallowed_ends_at_the_wire_and_says_so(tmp_path: Path) -> None:
    request, response = messages(World(), tmp_path, swallowed())
    assert request.struck == () and not request.made
    assert response.at_host and not response.on_wire
    (told,) = response.struck
    assert told.text.en.startswith("fault 1: swallowed") and "of faults.pcapng" in told.text.en
    assert told.seq in response.seqs  # a finding that rests on the strike leads to this row


def test_what_a_fault_made_begins_at_the_wire(tmp_path: Path) -> None:
    """The true answer is struck and goes no further; the forged one was sent by nobody."""
    _request, *answers = messages(World(), tmp_path, forged("97"))
    made = [row for row in answers if row.on_wire]
    true = [row for row in answers if row.at_host]
    assert [(row.made, row.at_host) for row in made] == [(True, False)]
    assert [row.on_wire for row in true] == [False]
    assert made[0].message is not None and made[0].message.code == "97"


def test_a_message_that_was_delivered_all_the_same_was_not_made(tmp_path: Path) -> None:
    _request, response = messages(World(), tmp_path, dribbled())
    assert response.on_wire and response.at_host and response.struck and not response.made


def test_a_strike_at_no_message_is_a_line_of_its_own(tmp_path: Path) -> None:
    world = World()
    armed = world.fault_armed("drop", percent=50.0)
    world.fault_struck(armed.fault_id, "lost")
    world.fault_healed(armed.fault_id, "died")
    told = [item for row in rows_of(world, tmp_path) if row.kind == "wire" for item in row.items]
    assert [(item.kind, item.mood) for item in told] == [("fault", "bad"), ("struck", "bad"), ("healed", "bad")]
    assert told[0].text.en == "fault 1 armed: drop percent=50.0" and "故障 1 已布置" in told[0].text.zh
    assert told[2].text.en == "fault 1 ended: the injector died"


def test_equal_bytes_are_struck_where_they_were_struck(tmp_path: Path) -> None:
    world = World()
    raw = bytes.fromhex("0003AABBCC")
    world.frame(1, "to_acquirer", raw)
    world.wait(5.0)
    second = world.frame(1, "to_acquirer", raw)
    world.fault_struck(1, "held for 0.5 s", "to_acquirer", raw)
    rows = [row for row in rows_of(world, tmp_path) if row.kind == "message"]
    assert [(row.seqs[0] == second.seq, len(row.struck)) for row in rows] == [(False, 0), (True, 1)]


def test_a_fault_of_another_version_is_told_by_its_name(tmp_path: Path) -> None:
    world = World()
    world.fault_armed("wormhole", depth=3)
    (told,) = [item for row in rows_of(world, tmp_path) if row.kind == "wire" for item in row.items]
    assert told.text.en == "fault 1 armed: wormhole"


def test_numbers_of_packets_are_short() -> None:
    assert spans([3, 1, 2, 7, 9, 8, 12]) == "1-3, 7-9, 12"


def test_the_timeline_has_a_bar_from_armed_to_healed() -> None:
    world = World()
    with world.test("a test"):
        first = world.fault_armed("drop")
        world.wait(1.0)
        struck = world.fault_struck(first.fault_id, "lost")
        world.fault_healed(first.fault_id)
        second = world.fault_armed("hold")
        world.wait(1.0)
    line = timeline.of(world.events, [], ["00"])
    assert line is not None
    assert [(bar.label.en, bar.seq, bar.mood) for bar in line.faults] == [
        ("drop", first.seq, "asked"), ("hold", second.seq, ""),
    ]
    assert [mark.seq for mark in line.strikes] == [struck.seq]
    assert line.faults[0].x <= line.strikes[0].x <= line.faults[0].x + line.faults[0].width
    assert line.faults[1].x + line.faults[1].width >= 975


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
    world.fault_armed("drop")
    world.fault_struck(1, "lost")
    world.fault_healed(1)
    world.bench_failed("the board died")
    world.till("from_terminal", {})
    told = rows_of(world, tmp_path)
    kinds = {item.kind for row in told for item in row.items}
    assert kinds >= {
        "screen", "operation", "completed", "cashier", "service", "counters", "power", "unit", "measurement", "failed",
        "link", "connection", "bytes", "change", "armed", "ledger", "fault", "struck", "healed",
    }  # fmt: skip
    assert "other" not in kinds
