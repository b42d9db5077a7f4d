"""The chip's part: which cryptogram is asked for when, what is sent of it, issuer scripts. MON-11, MON-12, REC-03."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.emulator.chip import Chip
from harness.protocol import keys
from harness.protocol.frames import Frame
from harness.protocol.nested import Original
from harness.protocol.tlv import read_ber
from harness.terminal.cards import CHIP, CONTACTLESS
from harness.terminal.cashier import TYPES
from harness.tests.firmware_bench import MAK, Answer, Bench

SCRIPT = "72129F1804000000978609842400000497979797"
NEEDED = {
    "9F26", "9F27", "9F10", "9F37", "9F36", "95", "9A", "9C", "9F02", "5F2A", "82", "9F1A", "9F03", "9F33", "9F34",
    "9F35", "9F1E", "84", "9F09", "9F41",
}


def cryptograms(bench: Bench) -> list[tuple[int, str, str]]:
    return [(e["number"], e["asked"], e["gave"]) for e in bench.board.chip_events if e["command"] == "generate_ac"]


def objects(f55: str) -> dict[str, str]:
    return {one.tag: one.value.hex().upper() for one in read_ber(bytes.fromhex(f55))}


def with_script(request: Frame) -> Answer | None:
    return Answer(fields={55: "910A" + "97" * 8 + "3030" + SCRIPT}) if request.mti == "0200" else None


def test_an_approval_asks_for_a_tc_and_the_request_holds_all_of_the_first_cryptogram() -> None:
    with Bench() as bench:
        bench.ready()
        assert bench.sale(9700, CHIP)["DF07"] == "00"
        assert cryptograms(bench) == [(1, "ARQC", "ARQC"), (2, "TC", "TC")]
        sent = objects(bench.host.seen("0200")[0].get(55))
        assert set(sent) == NEEDED and sent["9F02"] == "000000009700" and sent["9F36"] == "0001"
        bench.board.put_event({"remove": True})
        bench.sale(100, CHIP)
        again = objects(bench.host.seen("0200")[1].get(55))
        assert again["9F36"] == "0002" and again["9F26"] != sent["9F26"] and again["9F37"] != sent["9F37"]


@pytest.mark.parametrize(("answer", "code"), [
    (Answer("97"), "97"), (Answer("51"), "51"), (Answer("97", mac=False), "97"), (Answer(act="close"), "Z2"),
    (Answer("97", fields={11: "000097"}), "Z3"), (Answer("00", mac=False), "Z3"),
])
def test_without_an_approval_the_card_is_asked_for_an_aac_and_never_for_a_tc(answer: Answer, code: str) -> None:
    with Bench() as bench:
        bench.ready()
        bench.host.script = lambda request: answer if request.mti == "0200" else None
        assert bench.sale(9700, CHIP)["DF07"] == code
        assert cryptograms(bench) == [(1, "ARQC", "ARQC"), (2, "AAC", "AAC")]
        assert bench.log == [] and (bench.state.reversal is not None) is code.startswith("Z")


def test_where_nothing_can_be_sent_the_card_declines_too() -> None:
    with Bench() as bench:
        bench.ready()
        bench.serve("HOST 127.0.0.1 1 6000030000")
        assert bench.sale(9700, CHIP)["DF07"] == "Z1"
        assert cryptograms(bench)[-1] == (2, "AAC", "AAC") and bench.state.reversal is None


def test_a_card_that_refuses_what_the_host_approved_is_reversed_as_a_fault_and_uploaded_as_such() -> None:
    with Bench() as bench:
        bench.ready()
        assert bench.sale(9700, replace(CHIP, second="AAC"))["DF07"] == "ZA" and "交易成功" not in bench.lines
        assert bench.log == [] and bench.state.reversal is not None and bench.state.reversal.reason == "96"
        bench.settle()
        assert bench.host.seen("0400")[0].get(39) == "96"
        uploads = [(frame.network_code, frame.get(11)) for frame in bench.host.seen("0320")]
        assert uploads[0] == ("204", "000002") and uploads[1][0] == "207" and bench.state.failed == ()


def test_a_card_that_declines_at_once_never_goes_online() -> None:
    with Bench() as bench:
        bench.ready()
        assert bench.sale(9700, replace(CHIP, first="AAC"))["DF07"] == "ZA"
        assert bench.host.seen("0200") == [] and bench.state.trace == 2 and cryptograms(bench) == [(1, "ARQC", "AAC")]


def test_a_contactless_card_gives_one_cryptogram() -> None:
    with Bench() as bench:
        bench.ready()
        assert bench.sale(9700, CONTACTLESS)["DF07"] == "00" and cryptograms(bench) == [(1, "ARQC", "ARQC")]


def test_a_card_that_is_gone_before_the_answer_approves_nothing() -> None:
    with Bench() as bench:
        bench.ready()

        def pulled(request: Frame) -> None:
            if request.mti == "0200":
                bench.board.card = None

        bench.host.script = pulled
        assert bench.sale(9700, CHIP)["DF07"] == "ZA" and bench.state.reversal is not None


# -- issuer scripts ----------------------------------------------------------------------------------------------------

def test_scripts_are_performed_and_their_results_told_before_the_next_sale() -> None:
    with Bench() as bench:
        bench.ready()
        bench.host.script = with_script
        assert bench.sale(9700, CHIP)["DF07"] == "00"
        commands = [event["command"] for event in bench.board.chip_events]
        assert commands[-4:] == ["generate_ac", "external_authenticate", "generate_ac", "issuer_script"]
        assert bench.state.script is not None
        bench.reboot()
        bench.run(lambda: len(bench.host.seen("0800")) == 2)
        bench.host.script = lambda request: None
        assert bench.sale(100)["DF07"] == "00"
        original = bench.host.seen("0200")[0]
        notice = bench.host.seen("0620")[0]
        assert [frame.mti for frame in bench.host.requests[-2:]] == ["0620", "0200"] and bench.state.script is None
        for number in (2, 3, 4, 22, 23, 25):
            assert notice.get(number) == original.get(number)
        assert (notice.network_code, notice.message_type, notice.get(11)) == ("951", "22", "000003")
        assert Original.of(notice) == Original("000001", "000002", "1123") and notice.get(37)
        assert objects(notice.get(55))["DF31"] == "2000000097" and keys.verify(notice, MAK) == "ok"


@pytest.mark.parametrize("answer", [Answer("97"), Answer(act="close"), Answer("A0")], ids=["97", "closed", "A0"])
def test_a_notice_that_is_not_taken_is_kept_and_undoes_nothing(answer: Answer) -> None:
    with Bench() as bench:
        bench.ready()
        bench.host.script = with_script
        bench.sale(9700, CHIP)
        bench.board.put_event({"remove": True})
        due, log = bench.state.script, bench.log
        bench.host.script = lambda request: answer if request.mti == "0620" else None
        for _ in range(3):
            assert bench.sale(100)["DF07"] in ("97", "Z9", "A0")
            bench.sign_in()
        assert bench.settle()["DF07"] in ("97", "Z9", "A0")
        assert bench.state.script == due and bench.log == log
        assert bench.serve("SET TID=97000002 MID=898970000000002").startswith("ERR 85")
        bench.host.script = lambda request: Answer("96") if request.mti == "0620" else None
        bench.sign_in()
        assert bench.settle()["DF07"] == "00" and bench.state.script is None
        assert len({frame.get(11) for frame in bench.host.seen("0620")}) == 1


def test_a_script_that_fails_is_told_as_failed() -> None:
    with Bench() as bench:
        bench.ready()
        bad = "720A9F1804000000978601FF"
        bench.host.script = lambda request: Answer(fields={55: bad}) if request.mti == "0200" else None
        assert bench.sale(9700, CHIP)["DF07"] == "00"
        assert bench.state.script is not None and objects(bench.state.script.fields[55])["DF31"] == "1100000097"


# -- offline -----------------------------------------------------------------------------------------------------------

def test_an_offline_chip_sale_is_the_cards_own_word() -> None:
    with Bench() as bench:
        bench.ready()
        assert bench.order(TYPES["offline_chip_sale"], CHIP, DF03=f"{5000:012d}")["DF07"] == "00"
        assert cryptograms(bench) == [(1, "TC", "TC")] and bench.host.seen("0220") == []
        bench.settle()
        advice = bench.host.seen("0220")[0]
        assert (advice.message_type, advice.get(22)) == ("36", "052") and objects(advice.get(55))["9F27"] == "40"
        assert [frame.network_code for frame in bench.host.seen("0320")] == ["203", "207"]


@pytest.mark.parametrize("first", ["ARQC", "AAC"])
def test_a_card_that_does_not_approve_offline_makes_no_offline_sale(first: str) -> None:
    with Bench() as bench:
        bench.ready()
        card = replace(CHIP, first=first)
        assert bench.order(TYPES["offline_chip_sale"], card, DF03=f"{5000:012d}")["DF07"] == "ZA"
        assert bench.log == [] and bench.state.undelivered == () and cryptograms(bench)[-1][1:] != ("TC", "TC")


def test_a_stripe_makes_no_offline_chip_sale() -> None:
    with Bench() as bench:
        bench.ready()
        bench.send_order(TYPES["offline_chip_sale"], DF03=f"{5000:012d}")
        bench.run(bench.shows("请刷卡"))
        bench.board.put_event({"swipe": {"track2": CHIP.track2, "track3": None}})
        assert bench.till_answer()["DF07"] == "ZB" and bench.log == []


# -- the emulated card itself ------------------------------------------------------------------------------------------

def test_a_card_gives_what_it_is_asked_for_or_less_and_no_third_cryptogram() -> None:
    for asked, mind, gave in [("TC", "", "TC"), ("TC", "ARQC", "ARQC"), ("ARQC", "TC", "ARQC"), ("AAC", "TC", "AAC")]:
        chip = Chip(replace(CHIP, first=mind).chip())
        assert chip.command({"command": "generate_ac", "asked": asked, "data": "9A03261124"})["gave"] == gave
        assert "gave" in chip.command({"command": "generate_ac", "asked": "AAC", "data": ""})
        assert chip.command({"command": "generate_ac", "asked": "AAC", "data": ""}) == {"status": "6985"}


@pytest.mark.parametrize("command", [
    {}, {"command": "format"}, {"command": "generate_ac"}, {"command": "issuer_script"},
    {"command": "generate_ac", "asked": "TC", "data": "9F"}, {"command": "issuer_script", "data": "84"},
])
def test_a_card_survives_what_is_no_command(command: dict[str, str]) -> None:
    assert set(Chip(CHIP.chip()).command(command)) == {"status"}
