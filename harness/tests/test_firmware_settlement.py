"""Settlement, batch upload and batch end: MON-05, -06, -07, and where it goes on after an interruption."""

from __future__ import annotations

import pytest

from harness.protocol.frames import Frame
from harness.protocol.nested import batch_end_count, batch_records, settlement_totals
from harness.tests.firmware_bench import MAGNETIC, Answer, Bench

NOT_BALANCED = Answer(fields={48: "0" * 30 + "2" + "0" * 31})


def unbalanced(request: Frame) -> Answer | None:
    return NOT_BALANCED if request.mti == "0500" else None


def with_sales(bench: Bench, count: int) -> Bench:
    bench.ready()
    for number in range(count):
        assert bench.sale(100 + number)["DF07"] == "00"
    return bench


def uploaded(bench: Bench) -> list[str]:
    """Trace numbers in the order in which they came to the host."""
    blocks = [frame for frame in bench.host.seen("0320") if frame.network_code == "201"]
    return [record.trace for block in blocks for record in batch_records(block)]


def test_totals_are_those_of_the_batch_and_the_batch_is_closed() -> None:
    with with_sales(Bench(), 3) as bench:
        bench.void("000003")
        assert bench.settle()["DF07"] == "00" and "结算成功" in bench.lines
        home, foreign = settlement_totals(bench.host.seen("0500")[0])
        assert (home.debit_amount, home.debit_count, home.credit_amount, home.credit_count) == (303, 3, 101, 1)
        assert (foreign.debit_amount, foreign.credit_count) == (0, 0)
        end = bench.host.seen("0320")
        assert [frame.network_code for frame in end] == ["207"] and batch_end_count(end[0]) == 4
        assert bench.log == [] and bench.state.batch == 2 and bench.state.settlement is None
        assert "消费:3笔 RMB 3.03" in bench.board.slips[-1] and "对账平" in bench.board.slips[-1]
        bench.host.batch = 2
        assert bench.sale()["DF07"] == "00" and bench.host.seen("0200")[-1].batch == "000002"


def test_where_totals_differ_every_transaction_is_uploaded_once() -> None:
    with with_sales(Bench(), 10) as bench:
        bench.void("000004")
        bench.host.script = unbalanced
        booked = [f"{record.trace:06d}" for record in bench.log]
        assert bench.settle()["DF07"] == "00"
        blocks = bench.host.seen("0320")
        assert [frame.network_code for frame in blocks] == ["201", "201", "202"]
        records = [record for block in blocks[:-1] for record in batch_records(block)]
        assert [record.trace for record in records] == booked and len(batch_records(blocks[0])) == 8
        assert {record.pan.lstrip("0") for record in records} == {MAGNETIC.pan}
        assert [record.amount for record in records] == [*range(100, 110), 102]
        assert len({frame.get(11) for frame in bench.host.requests}) == len(bench.host.requests)


@pytest.mark.parametrize("code", ["97", "96", "77", "99"])
def test_a_declined_settlement_leaves_the_batch(code: str) -> None:
    with with_sales(Bench(), 2) as bench:
        log = bench.log
        bench.host.script = lambda request: Answer(code) if request.mti == "0500" else None
        assert bench.settle()["DF07"] == code
        assert bench.log == log and bench.state.batch == 1 and bench.state.settlement is None
        assert bench.state.signed_in is (code in ("97", "96"))
        bench.reboot()
        assert bench.log == log and bench.state.batch == 1


@pytest.mark.parametrize(
    "answer", [Answer("97"), Answer(act="close"), Answer("77"), Answer("97", fields={11: "979797"})])
@pytest.mark.parametrize("reboot", [False, True])
def test_an_interrupted_upload_goes_on_at_the_first_block_without_acknowledgement(answer: Answer, reboot: bool) -> None:
    with with_sales(Bench(), 18) as bench:
        blocks = 0

        def second_block_fails(request: Frame) -> Answer | None:
            nonlocal blocks
            blocks += request.network_code == "201" and request.mti == "0320"
            return answer if blocks == 2 else unbalanced(request)

        bench.host.script = second_block_fails
        assert bench.settle()["DF07"] != "00"
        assert bench.state.settlement is not None and bench.state.settlement.uploaded == 8
        assert len(bench.log) == 18 and bench.state.batch == 1
        bench.host.script = lambda request: None
        if reboot:
            bench.reboot()
        bench.sign_in()
        assert bench.sale_is_refused() == "Z8"
        assert bench.settle()["DF07"] == "00"
        assert len(bench.host.seen("0500")) == 1
        traces = [f"{number:06d}" for number in range(2, 20)]
        assert uploaded(bench) == traces[:8] + traces[8:16] + traces[8:]
        assert bench.log == [] and bench.state.batch == 2


def test_a_batch_end_without_answer_is_repeated() -> None:
    with with_sales(Bench(), 1) as bench:
        bench.host.script = lambda request: Answer(act="close") if request.mti == "0320" else None
        assert bench.settle()["DF07"] == "Z2" and len(bench.log) == 1
        bench.host.script = lambda request: None
        assert bench.settle()["DF07"] == "00"
        assert [frame.mti for frame in bench.host.requests[-3:]] == ["0500", "0320", "0320"]


def test_an_answer_without_totals_is_none() -> None:
    with with_sales(Bench(), 1) as bench:
        bench.host.script = lambda request: Answer(fields={48: None}) if request.mti == "0500" else None
        assert bench.settle()["DF07"] == "Z3" and bench.state.settlement is None


def test_batch_999999_is_followed_by_000001() -> None:
    with Bench() as bench:
        bench.host.batch = 999_999
        bench.ready()
        assert bench.settle()["DF07"] == "00" and bench.state.batch == 1


def test_a_full_batch_must_be_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.emulator.firmware.app import rules
    monkeypatch.setattr(rules, "MOST_STORED", 2)
    with with_sales(Bench(), 2) as bench:
        assert bench.sale_is_refused() == "Z8" and "请先结算" in bench.lines
        assert bench.settle()["DF07"] == "00"
        assert bench.sale()["DF07"] == "00"


def test_the_last_slip_can_be_printed_again_after_settlement_and_reboot() -> None:
    with with_sales(Bench(), 1) as bench:
        slip = bench.board.slips[-1]
        bench.settle()
        bench.reboot()
        assert bench.till("06")["DF07"] == "00"
        assert bench.board.slips == [[*slip, "重打印凭证"]]


def test_with_nothing_booked_there_is_nothing_to_print() -> None:
    with Bench() as bench:
        bench.ready()
        bench.host.script = lambda request: Answer("97")
        bench.sale()
        assert bench.till("06")["DF07"] == "Z7" and bench.board.slips == []
