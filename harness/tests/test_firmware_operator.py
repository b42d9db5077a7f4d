"""The operator's side: screens, menus, dialogs, keys at any time; and the till's commands beside it."""

from __future__ import annotations

import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.protocol import keys
from harness.protocol.frames import Frame
from harness.terminal import cashier
from harness.terminal.cards import CONTACTLESS, WECHAT
from harness.tests.firmware_bench import CHIP, MAGNETIC, TMK, Answer, Bench

PRESENTED = {"swipe": MAGNETIC, "insert": CHIP, "tap": CONTACTLESS, "scan": WECHAT}
KEYS = [*"0123456789", "ENTER", "CANCEL", "CLEAR", "FUNC", "ALPHA", "UP", "DOWN"]
MENUS = {
    "HT-100": [
        "1.签到", "2.消费", "3.消费撤销", "4.结算", "5.退货", "6.预授权", "7.离线", "8.其他", "9.管理",
    ],
    "HT-200": [
        "1.消费         6.离线", "2.消费撤销     7.工具", "3.签到         8.选择商户", "4.结算         9.管理",
        "5.交易",
    ],
}


@pytest.mark.parametrize("model", MENUS)
def test_idle_menu_and_management(model: str) -> None:
    with Bench(model=model) as bench:
        assert bench.lines[1:] == ["欢迎使用", "请按确认键消费"] and bench.lines[0].endswith("未签到")
        bench.key("FUNC")
        assert bench.lines[1:] == ["功能菜单", *MENUS[model]]
        bench.key("9")
        assert bench.lines[1:] == ["管理菜单", "1.终端参数", "2.主密钥", "3.版本", "4.激活"]
        bench.key("3")
        assert bench.lines[1:] == ["reference 1.0.0", "SN SN97000001"]
        bench.key("CANCEL")
        assert "欢迎使用" in bench.lines
        bench.key("FUNC", "CANCEL")
        assert "欢迎使用" in bench.lines


@pytest.mark.parametrize("model", MENUS)
def test_a_sale_by_the_keypad_shows_each_step_before_it_runs(model: str) -> None:
    with Bench(model=model) as bench:
        bench.ready()
        bench.key("CANCEL", "ENTER")
        assert bench.lines[1:] == ["请输入金额", "0.00"]
        bench.key("0", "ENTER", "9", "7", "0", "0", "5", "CLEAR")
        assert bench.lines[1:] == ["请输入金额", "97.00"]
        bench.key("ENTER")
        assert bench.lines[1:] == ["请刷卡或插卡"]
        bench.board.put_event({"swipe": {"track2": "12D", "track3": None}})
        bench.settle_down(2)
        assert bench.lines[1:] == ["请刷卡或插卡", "请重新刷卡"]
        bench.present(MAGNETIC)
        assert bench.lines[1:] == ["请输入密码"]
        bench.key("1", "2", "3", "ENTER", "4")
        assert bench.lines[1:] == ["请输入密码", "****"]
        bench.board.screens.clear()
        bench.key("ENTER")
        bench.run(bench.shows("交易成功"))
        steps = [screen[2] for screen in bench.board.screens if screen[1] == "消费"]
        assert steps == ["正在连接", "正在发送", "等待应答"]
        assert "冲正" not in "".join(line for screen in bench.board.screens for line in screen)
        bench.key("CLEAR")
        assert "欢迎使用" in bench.lines and bench.log[0].amount == 9700


def test_a_void_by_the_keypad() -> None:
    with Bench() as bench:
        bench.ready()
        bench.sale(4321)
        bench.key("CANCEL", "FUNC", "3")
        assert bench.lines[1:] == ["请输入原凭证号"]
        bench.key(*"000099", "ENTER")
        assert bench.lines[1:] == ["无此交易"]
        bench.key("CANCEL", "FUNC", "3", *"000002", "ENTER")
        assert bench.lines[1:3] == ["撤销确认", "43.21"]
        bench.key("ENTER")
        bench.run(bench.shows("交易成功"))
        bench.key("CANCEL", "FUNC", "3", *"000002", "ENTER")
        assert bench.lines[1:] == ["原交易已撤销"]


@pytest.mark.parametrize(
    ("digits", "result"), [("1", "签到成功"), ("4", "结算成功"), ("82", "回响成功"), ("83", "无可打印凭证")])
def test_the_other_functions_by_the_keypad(digits: str, result: str) -> None:
    with Bench() as bench:
        bench.ready()
        bench.key("CANCEL", "FUNC", *digits)
        if digits == "4":
            assert bench.lines[1] == "确认结算"
            bench.key("CANCEL")
            assert "欢迎使用" in bench.lines and not bench.host.seen("0500")
            bench.key("FUNC", digits, "ENTER")
        bench.run(bench.shows(result))


def test_identity_and_master_key_by_the_keypad() -> None:
    with Bench() as bench:
        bench.key("FUNC", "9", "1")
        assert bench.lines[1:] == ["请输入终端号"]
        bench.key(*"9700000", "ENTER", "1", "ENTER")
        assert bench.lines[1:] == ["请输入商户号"]
        bench.key(*"898970000000001", "ENTER")
        assert bench.lines[1:] == ["设置成功"]
        assert (bench.state.tid, bench.state.mid) == ("97000001", "898970000000001")
        bench.key("CANCEL", "FUNC", "9", "2")
        assert bench.lines[1:] == ["请输入主密钥", " 0/32"]
        for character in TMK.hex().upper():
            base = {"A": "2", "B": "2", "C": "2", "D": "3", "E": "3", "F": "3"}.get(character, character)
            turns = "2ABC".find(character) if base == "2" else "3DEF".find(character) if base == "3" else 0
            bench.key(base, *["ALPHA"] * turns)
        assert bench.lines[2] == "*" * 32 + " 32/32"
        bench.key("ENTER")
        assert bench.lines[1:] == ["设置成功", f"校验值:{keys.kcv(TMK).hex().upper()[:6]}"]
        assert bench.state.tmk == TMK.hex()


def test_keys_while_a_transaction_is_on_the_line_do_nothing_and_the_till_is_told_busy() -> None:
    with Bench() as bench:
        bench.ready()
        waiting: list[Frame] = []

        def think(request: Frame) -> Answer:
            waiting.append(request)
            return Answer(act="silence")

        bench.host.script = think
        bench.begin_sale()
        bench.run(lambda: waiting)
        shown = bench.lines
        bench.key("CANCEL", "ENTER", "FUNC", "1", "CLEAR")
        bench.send_to_till_port(cashier.encode({"DF01": "00", "DF02": "05", "DF04": "0001"}))
        told = bench.till_answer()
        assert (told["DF04"], told["DF07"]) == ("0001", "Z6")
        assert bench.serve(f"KEY TMK {TMK.hex()}").startswith("ERR 90 ")
        assert bench.serve("COUNTERS").startswith("OK batch=000001")
        assert bench.lines == shown and len(bench.host.requests) == 2


def test_the_till_is_told_busy_while_the_operator_is_in_a_dialog_and_cancelled_when_he_cancels() -> None:
    with Bench() as bench:
        bench.ready()
        bench.key("CANCEL", "ENTER")
        assert bench.till("05")["DF07"] == "Z6"
        bench.key("CANCEL")
        bench.send_to_till_port(cashier.encode({"DF01": "00", "DF02": "01", "DF04": "0002", "DF03": "000000000100"}))
        bench.run(bench.shows("请刷卡或插卡"))
        bench.key("CANCEL")
        assert bench.till_answer()["DF07"] == "Z5"


def test_a_command_that_is_none_is_told_so() -> None:
    with Bench() as bench:
        assert bench.till("99")["DF07"] == "Z7"
        assert bench.till("01")["DF07"] == "Z7"  # a sale without an amount


def test_a_nak_of_the_till_gets_the_answer_again() -> None:
    with Bench() as bench:
        bench.ready()
        bench.send_to_till_port(b"\x15")
        assert bench.till_answer()["DF07"] == "00"


def test_a_chip_card_that_is_in_the_slot_already_is_taken() -> None:
    with Bench() as bench:
        bench.ready()
        bench.present(CHIP)
        bench.send_to_till_port(cashier.encode({"DF01": "00", "DF02": "01", "DF04": "0002", "DF03": "000000000100"}))
        bench.run(bench.shows("请输入密码"))


def test_a_result_gives_way_to_idle_by_itself_and_a_forgotten_dialog_too(monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.emulator.firmware.app import dialogs
    monkeypatch.setattr(dialogs, "LEAST_PATIENCE_S", 0.2)
    with Bench(time_scale=100.0) as bench:
        bench.ready()
        begun = time.monotonic()
        bench.till("05")
        bench.run(bench.shows("欢迎使用"))
        assert 0.2 < time.monotonic() - begun < 3.0
        bench.key("ENTER")
        assert bench.lines[1] == "请输入金额"
        bench.run(bench.shows("欢迎使用"))


def test_the_clock_on_the_screen_goes_on() -> None:
    with Bench() as bench:
        before = bench.lines[0]
        bench.board.clock += 60
        bench.settle_down(2)
        assert bench.lines[0] != before


def test_every_turn_feeds_the_watchdog() -> None:
    with Bench() as bench:
        fed = bench.board.fed
        bench.settle_down(5)
        assert bench.board.fed >= fed + 5


@pytest.mark.parametrize("line", [
    "SET TID=1 MID=2", "SET TID=9700000X MID=89897000000000\u00e4", "KEY TMK 00", "KEY TMK " + "Z" * 32,
    "HOST x_y 1 6000030000", "HOST 300.1.1.1 1 6000030000",
    "HOST 1.2.3.4 0 6000030000", "HOST 1.2.3.4 99999 6000030000", "HOST 1.2.3.4 80 123", "PARAM timeout=0", "PARAM x=1",
    "PARAM auto_sign_in=2", "PARAM timeout=abc",
])
def test_the_service_port_refuses_values_that_can_not_be(line: str) -> None:
    with Bench() as bench:
        before = bench.state
        assert bench.serve(line).startswith("ERR 03 ") and bench.state == before


def test_the_service_port_answers_in_its_words() -> None:
    with Bench() as bench:
        assert bench.serve("VERSION") == "OK HT-100 reference 1.0.0"
        assert bench.serve("NONSENSE") == "ERR 01 unknown command"
        assert bench.serve("A" * 9000).startswith("ERR 02 ")
        assert bench.serve("PARAM timeout=20") == "OK timeout=20" and bench.state.timeout_s == 20
        bench.ready()
        bench.sale(2000)
        bench.host.script = lambda request: Answer(act="close") if request.mti == "0200" else None
        bench.sale(1)
        assert bench.serve("COUNTERS") == (
            "OK batch=000001 trace=000004 sales=1/2000 voids=0/0 signed_in=1 reversal=000003")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from([*KEYS, "swipe", "insert", "remove", "tap", "scan", "sign"]), max_size=40))
def test_no_keys_in_any_order_crash_it_or_lock_it_up(pressed: list[str]) -> None:
    with Bench() as bench:
        bench.ready()
        bench.key("CANCEL")
        for name in pressed:
            if name == "remove":
                bench.board.put_event({"remove": True})
            elif name == "sign":
                bench.board.put_event({"sign": {"strokes": "9797"}})
            elif name in PRESENTED:
                bench.present(PRESENTED[name])
            else:
                bench.key(name)
        for _ in range(200):
            if bench.shows("欢迎使用")():
                break
            bench.key("CANCEL")
            bench.settle_down(2)
        assert bench.shows("欢迎使用")()
        undone = {frame.get(11) for frame in bench.host.seen("0400")}  # the chip was pulled before it could approve
        undone |= {bench.state.reversal.trace} if bench.state.reversal else set()
        assert sum(record.amount for record in bench.log if record.kind == "sale") == sum(
            int(frame.get(4)) for frame in bench.host.seen("0200")
            if frame.message_type == "22" and frame.get(11) not in undone)
