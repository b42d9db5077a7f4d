"""Sign-in: keys, clock, batch number; 97 on it; what forces it. Rules STA-01..03, -07, REC-01, -02, -06."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from harness.protocol import keys
from harness.protocol.nested import serial_number
from harness.tests.firmware_bench import CLOCK, MAK, MID, PIK, TID, TMK, Answer, Bench

OTHER = bytes.fromhex("1112131415161718A1A2A3A4A5A6A7A8")


def test_it_loads_keys_clock_and_batch_number() -> None:
    with Bench() as bench:
        bench.provision()
        bench.host.batch = 12
        assert bench.sign_in()["DF07"] == "00" and "签到成功" in bench.lines and bench.lines[0] == "20:30 已签到"
        state = bench.state
        assert (state.pik, state.mak, state.batch, state.signed_in) == (PIK.hex(), MAK.hex(), 12, True)
        assert time.strftime("%m%d%H%M%S", time.gmtime(bench.board.clock)) == "1123203005"
        assert abs(bench.board.clock - CLOCK) < 183 * 86400
        request = bench.host.seen("0800")[0]
        assert set(request.fields) == {11, 41, 42, 60, 62, 63} and request.fields[60] == "00000001003"
        assert serial_number(request).endswith("SN97000001")


@pytest.mark.parametrize(
    ("date", "clock"), [("0229", "000000"), ("1331", "000000"), ("0101", "250000"), ("0000", "999999")])
def test_a_date_that_is_none_leaves_the_clock(date: str, clock: str) -> None:
    with Bench() as bench:
        bench.provision()
        bench.host.script = lambda request: Answer(fields={12: clock, 13: date})
        assert bench.sign_in()["DF07"] == "00"
        shown = time.strftime("%m%d%H%M%S", time.gmtime(bench.board.clock))
        assert bench.board.clock == CLOCK or shown == date + clock


@pytest.mark.parametrize("damage", [
    lambda f62: f62[:-1] + bytes([f62[-1] ^ 1]), lambda f62: f62[:16] + bytes(4) + f62[20:], lambda f62: f62[:24],
    lambda f62: b"",
], ids=["mak-kcv", "pik-kcv", "short", "empty"])
def test_keys_that_do_not_check_are_no_sign_in(damage: Callable[[bytes], bytes]) -> None:
    f62 = damage(keys.make_f62(TMK, "003", PIK, MAK))
    with Bench() as bench:
        bench.ready()
        bench.host.script = lambda request: Answer(fields={62: f62.hex().upper()})
        assert bench.sign_in()["DF07"] == "Z3"
        assert bench.lines[1:] == ["应答无效", "密钥错误"] and "未签到" in bench.lines[0]
        assert bench.state.mak == MAK.hex() and not bench.state.signed_in
        assert bench.sale_is_refused() == "Z4"


def test_without_keys_in_the_answer_those_in_use_are_kept_or_there_is_no_sign_in() -> None:
    with Bench() as bench:
        bench.provision()
        bench.host.script = lambda request: Answer(fields={62: None})
        assert bench.sign_in()["DF07"] == "Z3" and not bench.state.signed_in
        bench.host.script = lambda request: None
        bench.sign_in()
        bench.host.script = lambda request: Answer(fields={62: None}) if request.mti == "0800" else None
        assert bench.sign_in()["DF07"] == "00" and bench.state.mak == MAK.hex()
        assert bench.sale()["DF07"] == "00"


def test_a_new_master_key_at_the_host_is_a_key_error_and_heals_with_the_key() -> None:
    with Bench() as bench:
        bench.ready()
        bench.host.tmk = OTHER
        assert bench.sign_in()["DF07"] == "Z3"
        assert bench.serve(f"KEY TMK {OTHER.hex()}") == f"OK KCV={keys.kcv(OTHER).hex().upper()[:6]}"
        assert bench.sign_in()["DF07"] == "00"


def test_97_ends_the_sign_in_keeps_all_else_and_blocks_sales() -> None:
    with Bench() as bench:
        bench.ready()
        bench.sale()
        before, log = bench.state, bench.log
        bench.host.script = lambda request: Answer("97")
        assert bench.sign_in()["DF07"] == "97"
        sent = len(bench.host.requests)
        assert bench.sale_is_refused() == "Z4" and bench.settle()["DF07"] == "Z4"
        assert len(bench.host.requests) == sent
        bench.reboot()
        after = bench.state
        assert (after.tmk, after.pik, after.mak, after.tid, after.mid) == (
            before.tmk, before.pik, before.mak, before.tid, before.mid)
        assert bench.log == log and not after.signed_in and after.batch == before.batch
        bench.host.script = lambda request: None
        assert bench.sign_in()["DF07"] == "00" and bench.sale()["DF07"] == "00"


@pytest.mark.parametrize("answer", [Answer(act="close"), Answer("97", fields={11: "979797"})])
def test_a_sign_in_without_an_answer_changes_nothing(answer: Answer) -> None:
    with Bench() as bench:
        bench.ready()
        bench.host.script = lambda request: answer
        assert bench.sign_in()["DF07"] in ("Z2", "Z3")
        assert bench.state.signed_in


def test_stored_sales_keep_their_batch_number_until_they_are_settled() -> None:
    with Bench() as bench:
        bench.host.batch = 7
        bench.ready()
        bench.sale()
        bench.host.batch = 1
        bench.sign_in()
        assert (bench.state.batch, bench.state.host_batch) == (7, 1)
        assert bench.sale_is_refused() == "Z8" and "请先结算" in bench.lines
        bench.reboot()
        bench.run(lambda: len(bench.host.seen("0800")) == 3)
        assert bench.settle()["DF07"] == "00"
        assert {frame.batch for frame in bench.host.seen("0500") + bench.host.seen("0320")} == {"000007"}
        assert (bench.state.batch, bench.state.host_batch) == (1, 0)
        assert bench.sale()["DF07"] == "00" and bench.host.seen("0200")[-1].batch == "000001"


def test_a_later_sign_in_with_the_old_number_forgets_the_other() -> None:
    with Bench() as bench:
        bench.ready()
        bench.sale()
        for number, remembered in ((41, 41), (1, 0)):
            bench.host.batch = number
            bench.sign_in()
            assert (bench.state.batch, bench.state.host_batch) == (1, remembered)
        assert bench.sale()["DF07"] == "00"


def test_identity_is_refused_while_anything_is_stored() -> None:
    change = "SET TID=97000002 MID=898970000000002"
    with Bench() as bench:
        bench.ready()
        bench.sale()
        assert bench.serve(change) == "ERR 85 transactions stored"
        bench.key("CANCEL", "FUNC", "9", "1")
        bench.run(bench.shows("请先结算"))
        assert (bench.state.tid, bench.state.mid) == (TID, MID)
        bench.settle()
        bench.host.script = lambda request: Answer(act="close")
        bench.sale()
        assert bench.serve(change) == "ERR 86 reversal pending"
        bench.host.script = lambda request: None
        bench.settle()
        assert bench.serve(change) == "OK TID=97000002 MID=898970000000002"
        assert not bench.state.signed_in and bench.state.mak == "" and bench.state.tmk == TMK.hex()


def test_out_of_the_box_nothing_leaves() -> None:
    with Bench() as bench:
        assert bench.serve("IDENTITY") == "OK TID= MID= SN=SN97000001"
        assert bench.sign_in()["DF07"] == "Z4" and bench.till("05")["DF07"] == "Z4"
        assert bench.sale_is_refused() == "Z4" and bench.settle()["DF07"] == "Z4"
        assert bench.host.requests == []
