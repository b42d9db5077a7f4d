"""Points on which public sources disagree, at the terminal: both sides of each, seen on the wire, at the till, in what
it keeps. What test_firmware_dialect.py and test_firmware_keys.py show is not repeated here."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.terminal.cards import ALIPAY, CHIP
from harness.terminal.cashier import TYPES, Framing, Receiver, encode
from harness.tests.acquirer_terminal import profile
from harness.tests.firmware_acquirer import AcquirerBench
from harness.tests.firmware_bench import Answer
from harness.tests.test_firmware_dialect import UNBALANCED, set_up


@pytest.mark.parametrize(("delivered", "code", "kept"), [
    ("00", "00", False), ("00", "12", True), ("00", "25", True),
    ("00,12,25", "12", False), ("00,12,25", "25", False), ("00,12,25", "97", True)])
def test_which_answers_to_a_reversal_end_it(delivered: str, code: str, kept: bool) -> None:
    with set_up(reversal_success=delivered) as bench:
        bench.host.script = lambda request: Answer(act="close") if request.mti == "0200" else None
        bench.sale(9700)
        bench.host.script = lambda request: Answer(code) if request.mti == "0400" else None
        assert bench.sale(100)["DF07"] == (code if kept else "00")
        assert (bench.state.reversal is not None) is kept
        assert [frame.mti for frame in bench.host.requests[2:]] == ["0400"] + ["0200"] * (not kept)


@pytest.mark.parametrize("code", ["360", "364"])
def test_parameters_are_asked_for_under_the_code_of_the_dialect(code: str) -> None:
    with AcquirerBench(with_profile=profile(parameter_download_code=code)) as bench:
        assert bench.till("18")["DF07"] == "00" and bench.codes() == [code]
        assert bench.serve(f"PARAM parameter_download_code={({'360', '364'} - {code}).pop()}").startswith("OK ")
        assert bench.till("18")["DF07"] == "40"  # the host has none under the other one


@pytest.mark.parametrize("code", ["202", "207"])
def test_the_batch_end_after_an_upload_has_the_code_of_the_dialect(code: str) -> None:
    with set_up(batch_end_unbalanced=code, batch_end_balanced="207") as bench:
        bench.sale(9700)
        bench.host.script = lambda request: UNBALANCED if request.mti == "0500" else None
        assert bench.settle()["DF07"] == "00"
        assert [frame.network_code for frame in bench.host.seen("0320")] == ["201", code]


@pytest.mark.parametrize("network_code", ["005", "006"])
@pytest.mark.parametrize("digit", ["3", "4"])
def test_the_key_digit_of_sm4_keys_and_the_code_of_their_sign_in(network_code: str, digit: str) -> None:
    dialect = profile(sign_in_network_code=network_code, sm_key_digit=digit)
    with AcquirerBench(with_profile=dialect) as bench:
        assert bench.sign_in()["DF07"] == "00" and bench.codes() == [network_code]
        assert bench.sale()["DF07"] == "00"
        assert bench.host.seen("0200")[0].get(53) == f"0{digit}".ljust(16, "0")


FRAMINGS = [
    Framing(length="bcd", lrc="with_etx"), Framing(length="bcd", lrc="without_etx"),
    Framing(length="binary", lrc="with_etx"), Framing(length="binary", lrc="without_etx"),
]


@pytest.mark.parametrize("ours", FRAMINGS, ids=str)
def test_a_till_of_the_framing_is_told_97_and_another_till_is_not_heard(ours: Framing) -> None:
    """The till's side is the harness's own, which shares no code with the terminal's."""
    with set_up() as bench:
        bench.serve(f"PARAM cashier_lrc={ours.lrc}")
        bench.serve(f"PARAM cashier_length={ours.length}")
        bench._till = Receiver(ours)
        bench.host.script = lambda request: Answer("97") if request.mti == "0200" else None
        sale = {"DF01": "00", "DF02": "01", "DF03": f"{9797:012d}", "DF04": "0097"}
        for other in FRAMINGS:
            if other != ours:
                bench.send_to_till_port(encode(sale, other))
                bench.settle_down()
                assert not bench.shows("请刷卡")()
        bench.send_to_till_port(encode(sale, ours))
        bench.run(bench.shows("请刷卡"))
        bench.present(CHIP)
        bench.run(bench.shows("请输入密码"))
        bench.key("ENTER")
        assert bench.till_answer()["DF07"] == "97"


@pytest.mark.parametrize("entry", ["031", "032"])
def test_the_entry_mode_of_a_scanned_code(entry: str) -> None:
    with AcquirerBench(with_profile=profile(entry_scan=entry)) as bench:
        bench.sign_in()
        assert bench.order("01", ALIPAY, DF03=f"{9797:012d}")["DF07"] == "00"
        assert bench.host.seen("0200")[0].get(22) == entry
        wrong = ({"031", "032"} - {entry}).pop()
        bench.serve(f"PARAM entry_scan={wrong}")
        assert bench.order("01", ALIPAY, DF03=f"{9797:012d}")["DF07"] == "30"  # the host takes its profile's only


@pytest.mark.parametrize("mti", ["0200", "0220"])
def test_the_mti_of_a_chip_sale_that_the_card_approved_offline(mti: str) -> None:
    with AcquirerBench(with_profile=profile(offline_chip_mti=mti)) as bench:
        bench.sign_in()
        assert bench.order(TYPES["offline_chip_sale"], CHIP, DF03=f"{300:012d}")["DF07"] == "00"
        bench.board.put_event({"remove": True})
        assert bench.sale(100)["DF07"] == "00"
        stored = next(frame for frame in bench.host.requests if frame.message_type == "36")
        assert stored.mti == mti
        assert [entry["kind"] for entry in bench.office("ledger")["entries"]] == ["offline_chip_sale", "sale"]


@pytest.mark.parametrize("reason", ["96", "06"])
def test_the_reason_of_a_reversal_whose_approval_the_card_refused(reason: str) -> None:
    with set_up(reversal_reason_fault=reason) as bench:
        assert bench.sale(9700, replace(CHIP, second="AAC"))["DF07"] == "ZA"
        bench.board.put_event({"remove": True})
        assert bench.sale(100)["DF07"] == "00"
        assert [frame.get(39) for frame in bench.host.seen("0400")] == [reason]


