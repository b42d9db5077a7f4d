"""The reference firmware says what of the terminal is broken, as what it is, and goes on with what works."""

from __future__ import annotations

import pytest

from harness.emulator.firmware.app import condition
from harness.terminal.cards import CONTACTLESS
from harness.tests.emulator_bench import model
from harness.tests.firmware_bench import CHIP, MAGNETIC, TMK, Answer, Bench
from harness.tests.firmware_fake import CLOCK

NO_PAPER, DEAD, HOT = "打印机缺纸", "打印机故障", "打印机过热"
TAMPERED = "设备被拆,请送修"
_2000 = 946_684_800.0


def broken(bench: Bench, **told: str) -> None:
    bench.board.told |= told


@pytest.mark.parametrize("told", [{"paper": "out"}, {"printer": "dead"}, {"printer": "hot"},
                                  {"magnetic_reader": "dead"}, {"chip_reader": "dead"}, {"contactless_reader": "dead"}])
@pytest.mark.parametrize("name", ["HT-100", "HT-200", "HT-300"])
def test_the_idle_screen_says_what_is_broken_in_the_models_words(name: str, told: dict[str, str]) -> None:
    declared = model(name).surroundings
    assert declared is not None
    with Bench(model=name) as bench:
        assert len(bench.lines) == 3
        broken(bench, **told)
        part = next(iter(told))
        words = declared.texts[part]  # type: ignore[index]
        bench.run(lambda: any(text in line for line in bench.lines for text in words))
        assert "欢迎使用" in bench.lines[1]
        broken(bench, **dict.fromkeys(told, "ok"))
        bench.run(lambda: len(bench.lines) == 3)


def test_every_text_of_a_broken_part_is_one_that_the_model_declares() -> None:
    sound = {"printer": "ok", "paper": "ok", "magnetic_reader": "ok", "chip_reader": "ok", "contactless_reader": "ok",
             "clock": "ok", "battery": "ok", "tamper": "ok"}
    found = {
        "printer": condition.of_printer({**sound, "printer": "dead"}), "paper": condition.of_printer(
            {**sound, "paper": "out"}), "clock": condition.of_clock({**sound, "clock": "lost"}),
        "clock_battery": condition.of_clock({**sound, "clock": "lost"}),
        "battery": condition.of_battery({**sound, "battery": "low"}), "tamper": TAMPERED,
        **{part: condition.of_readers({**sound, part: "dead"}, model("HT-300").entry)[0]
           for part in ("magnetic_reader", "chip_reader", "contactless_reader")},
    }
    for name in ("HT-100", "HT-200", "HT-300"):
        declared = model(name).surroundings
        assert declared is not None
        assert set(declared.texts) == set(found) - ({"battery"} if name != "HT-300" else set())
        for part, texts in declared.texts.items():
            assert found[part] in texts


# The printer


@pytest.mark.parametrize(("told", "text"), [({"paper": "out"}, NO_PAPER), ({"printer": "dead"}, DEAD)])
def test_a_sale_without_a_slip_is_approved_and_its_slip_comes_after_the_repair(told: dict[str, str], text: str) -> None:
    with Bench().ready() as bench:
        broken(bench, **told)
        assert bench.sale()["DF07"] == "00"
        assert bench.shows("交易成功", text)() and not bench.shows("97", "应答码")()
        assert not bench.board.slips and len(bench.log) == 1
        assert bench.till("06")["DF07"] == "00" and bench.shows("重打印完成", text)()
        bench.reboot()
        assert not bench.board.slips
        broken(bench, **dict.fromkeys(told, "ok"))
        assert bench.till("06")["DF07"] == "00"
        assert bench.lines[1:] == ["重打印完成"]
        assert [line for line in bench.board.slips[0] if "重打印" in line] == [], "it is the only one"
        assert bench.till("06")["DF07"] == "00" and "重打印凭证" in "".join(bench.board.slips[1])
        assert len(bench.host.seen("0200")) == 1


def test_slips_come_out_in_their_order() -> None:
    with Bench().ready() as bench:
        broken(bench, paper="out")
        for amount in (100, 200):
            bench.sale(amount)
        assert bench.settle()["DF07"] == "00" and bench.shows("结算成功", NO_PAPER)()
        broken(bench, paper="ok")
        for _ in range(3):
            bench.till("06")
        assert [("1.00" in "".join(slip), "2.00" in "".join(slip)) for slip in bench.board.slips[:2]] == [
            (True, False), (False, True)]
        assert bench.board.slips[2][0] == "结算总计单"


def test_a_hot_printer_gets_the_slip_and_prints_it_when_it_has_cooled() -> None:
    with Bench().ready() as bench:
        printed: list[int] = []
        bench.board.print_slip = lambda width, rows_bits: printed.append(width)  # type: ignore[method-assign]
        broken(bench, printer="hot")
        assert bench.sale()["DF07"] == "00" and bench.shows("交易成功", HOT)()
        assert len(printed) == 1, "it waits in the printer"
        broken(bench, printer="ok")
        bench.till("06")
        assert len(printed) == 2 and bench.terminal._store is not None
        assert bench.terminal._store.table("unprinted") == []


def test_a_hot_printer_that_loses_its_power_has_lost_the_slip_and_the_terminal_has_it() -> None:
    with Bench().ready() as bench:
        broken(bench, printer="hot")
        bench.sale()
        bench.reboot()
        broken(bench, printer="ok")
        bench.till("06")
        assert len(bench.board.slips) == 1


def test_a_reversal_is_not_given_up_where_nobody_could_read_of_it() -> None:
    with Bench().ready() as bench:
        for parameter in ("reversal_attempts=1", "reversal_exhausted=delete_recorded"):
            assert bench.serve(f"PARAM {parameter}").startswith("OK")
        bench.host.script = lambda request: Answer(act="close") if request.mti in ("0200", "0400") else None
        bench.sale()
        assert bench.state.reversal is not None
        broken(bench, paper="out")
        assert bench.settle()["DF07"] == "Z9"
        assert bench.state.reversal is not None
        broken(bench, paper="ok")
        bench.settle()
        assert bench.state.reversal is None and bench.board.slips[-1][0] == "冲正记录"


# 97 and broken parts


@pytest.mark.parametrize("told", [{"paper": "out"}, {"printer": "dead"}, {"chip_reader": "dead"}, {"battery": "low"},
                                  {"clock": "lost"}])
def test_a_97_is_shown_whatever_is_broken(told: dict[str, str]) -> None:
    with Bench().ready() as bench:
        broken(bench, **told)
        bench.host.script = lambda request: Answer("97")
        assert bench.sale()["DF07"] == "97"
        assert bench.lines[1:4] == ["交易失败", "应答码:97", "终端未登记,请联系收单行或银联"]
        assert not bench.board.slips


# Readers


def test_a_misread_swipe_is_asked_for_again() -> None:
    with Bench().ready() as bench:
        bench.send_sale(100)
        for text in ("请重新刷卡", "请重新刷卡(2)", "请重新刷卡(3)"):
            bench.board.put_event({"swipe": {"track2": "", "track3": None}})
            bench.run(bench.shows("请刷卡或插卡", text))
            assert bench.lines[2] == text
        bench.present(MAGNETIC)
        bench.run(bench.shows("请输入密码"))
        bench.key("ENTER")
        assert bench.till_answer()["DF07"] == "00"


def test_a_dead_stripe_reader_is_said_at_the_question_and_the_other_readers_work() -> None:
    with Bench().ready() as bench:
        broken(bench, magnetic_reader="dead")
        bench.send_sale(100)
        assert bench.lines[1:] == ["请刷卡或插卡", "读卡器故障"]
        bench.present(CHIP)
        bench.run(bench.shows("请输入密码"))


def test_a_dead_chip_reader_is_said_when_a_card_is_in_the_slot() -> None:
    with Bench().ready() as bench:
        broken(bench, chip_reader="dead", contactless_reader="dead")
        bench.send_sale(100)
        assert bench.lines[1:] == ["请刷卡或插卡", "IC卡读取失败", "非接读卡器故障"]
        bench.board.chip = lambda command: None  # type: ignore[method-assign]
        for card in (CHIP, CONTACTLESS):
            bench.present(card)
            assert bench.shows("请刷卡或插卡", "IC卡读取失败")()
        bench.present(MAGNETIC)
        bench.run(bench.shows("请输入密码"))


# Clock, battery


def test_a_lost_clock_is_said_and_taken_from_the_next_sign_in() -> None:
    with Bench().ready() as bench:
        broken(bench, clock="lost")
        bench.board.clock = _2000
        bench.run(bench.shows("时钟故障"))
        assert bench.sale()["DF07"] == "00", "the host's answer has a date and a time"
        assert "2026/11/23" in "".join(bench.board.slips[-1])
        refused = bench.till("13", DF03=f"{100:012d}")
        assert refused["DF07"] == "ZB", "a stored one would have the terminal's"
        assert bench.lines[1:] == ["不允许此交易", "时钟故障"]
        assert bench.sign_in()["DF07"] == "00"
        bench.run(lambda: not bench.shows("时钟故障")())
        assert abs(bench.board.clock - 1_795_463_000) < 86_400 * 2


def test_a_terminal_with_a_lost_clock_signs_in_by_itself_after_power_on() -> None:
    with Bench().ready() as bench:
        broken(bench, clock="lost")
        bench.board.clock = _2000
        bench.reboot()
        bench.run(lambda: bench.board.told["clock"] == "ok")
        assert bench.board.clock > CLOCK


@pytest.mark.parametrize(("battery", "text"), [("low", "电量低"), ("dead", "电量耗尽")])
def test_the_battery_stands_in_the_status_row(battery: str, text: str) -> None:
    with Bench(model="HT-300") as bench:
        broken(bench, battery=battery)
        bench.run(bench.shows(text))
        assert text in "".join(bench.lines[:2]) and bench.shows("欢迎使用")()


# Tampering


def test_a_terminal_that_was_opened_has_no_keys_and_does_nothing() -> None:
    with Bench().ready() as bench:
        bench.sale()
        broken(bench, tamper="open")
        bench.run(lambda: not bench.state.tmk)
        bench.key("CANCEL")
        assert bench.shows("欢迎使用", TAMPERED)()
        assert not (bench.state.tmk or bench.state.mak or bench.state.pik or bench.state.signed_in)
        requests = len(bench.host.requests)
        for type_ in ("01", "03", "04", "05", "06"):
            answer = bench.till(type_, **({"DF03": f"{1:012d}"} if type_ == "01" else {}))
            assert (answer["DF07"], bench.lines[1]) == ("ZD", TAMPERED)
        bench.key("CANCEL", "FUNC")
        assert bench.lines[1:] == [TAMPERED]
        for command in (f"KEY TMK {TMK.hex()}", "TAMPER RESET", "ACTIVATE 123456789012"):
            assert bench.serve(command).startswith("ERR 91 tampered")
        broken(bench, tamper="latched")
        bench.reboot()
        assert bench.shows(TAMPERED)() and len(bench.log) == 1
        assert bench.serve(f"KEY TMK {TMK.hex()}").startswith("ERR 91")
        bench.settle_down()
        assert len(bench.host.requests) == requests
        assert bench.serve("TAMPER RESET") == "OK TAMPER RESET"
        assert bench.sale_is_refused() == "Z4"
        assert bench.serve(f"KEY TMK {TMK.hex()}").startswith("OK KCV")
        assert bench.sign_in()["DF07"] == "00" and bench.settle()["DF07"] == "00"
        assert bench.host.seen("0500")[0].fields[48][12:15] == "001"


def test_a_terminal_that_is_opened_in_the_middle_of_a_sale_books_what_the_host_approved() -> None:
    with Bench().ready() as bench:
        held: list[bool] = []

        def open_the_case(request: object) -> None:
            if not held:
                held.append(True)
                broken(bench, tamper="open")
                bench.terminal.turn(0.001)

        bench.host.script = open_the_case
        assert bench.sale()["DF07"] == "00"
        assert len(bench.log) == 1 and bench.state.reversal is None and not bench.state.tmk


def test_keys_that_come_to_a_terminal_that_was_opened_meanwhile_are_not_taken() -> None:
    with Bench() as bench:
        bench.provision()

        def open_the_case(request: object) -> None:
            broken(bench, tamper="open")
            bench.terminal.turn(0.001)

        bench.host.script = open_the_case
        assert bench.sign_in()["DF07"] == "Z3"
        assert not bench.state.mak and not bench.state.signed_in
