"""What the terminal does by itself: STA-05, MSG-07, REC-05, and the delivery of a reversal when nobody is there."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise

import pytest

from harness.emulator.firmware.app import loop
from harness.emulator.firmware.app.unattended import BackOff
from harness.protocol.frames import Frame
from harness.tests.firmware_bench import MAK, Answer, Bench, MemoryFlash


class Clock:
    """The loop's clock, which a test may move on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from harness.emulator.firmware.app import comms, dialogs, link, main, operator, unattended
        self.ahead = 0.0
        for module in (comms, dialogs, link, loop, main, operator, unattended):
            monkeypatch.setattr(module, "now", self.now)

    def now(self) -> float:
        return time.monotonic() + self.ahead


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def answered_97(request: Frame) -> Answer:
    return Answer("97")


def restarted(script: Callable[[Frame], Answer | None] | None = None, *, reversal: bool = False) -> Bench:
    """Signed in (and a reversal due), the answers seen so far forgotten, switched off and on."""
    bench = Bench().ready()
    if reversal:
        bench.host.script = lambda request: Answer(act="close") if request.mti == "0200" else None
        bench.sale()
    bench.host.requests.clear()
    bench.host.script = script or (lambda request: None)
    bench.reboot()
    return bench


def sent(bench: Bench) -> list[str]:
    return [frame.mti for frame in bench.host.requests]


def test_it_signs_in_after_power_on() -> None:
    with restarted() as bench:
        assert bench.shows("欢迎使用")()
        bench.run(lambda: bench.state.trace == 3)
        bench.settle_down()
        assert sent(bench) == ["0800"] and bench.lines[1] == "欢迎使用"


def test_not_where_that_is_switched_off_or_anything_is_missing() -> None:
    with Bench() as bench:
        bench.settle_down()
        bench.ready()
        bench.serve("PARAM auto_sign_in=0")
        bench.host.requests.clear()
        bench.reboot()
        bench.settle_down()
        assert sent(bench) == []


def test_97_is_repeated_only_with_back_off_and_stays_in_the_limits(clock: Clock) -> None:
    with restarted(answered_97) as bench:
        at: list[float] = []
        began = clock.now()
        while clock.now() < began + 3700:
            before = len(bench.host.requests)
            bench.settle_down(6)
            if len(bench.host.requests) > before:
                at.append(clock.now() - began)
            clock.ahead += 5.0
        gaps = [round(b - a, -1) for a, b in pairwise(at)]
        assert gaps[:6] == [60, 120, 240, 480, 900, 900]
        assert len(bench.host.requests) == len(at) == 8
        first = at[0]
        assert sum(moment < first + 60 for moment in at) <= 3
        assert not bench.state.signed_in


def test_success_ends_the_back_off(clock: Clock) -> None:
    with restarted(answered_97) as bench:
        bench.run(lambda: len(bench.host.requests) == 1)
        bench.settle_down()
        bench.host.script = lambda request: None
        clock.ahead += 61
        bench.run(lambda: bench.state.signed_in)
        bench.settle_down()
        clock.ahead += 2000
        bench.settle_down()
        assert sent(bench) == ["0800", "0800"]


def test_an_operator_need_not_wait_for_the_back_off() -> None:
    with restarted(answered_97) as bench:
        bench.run(lambda: bench.state.note == "97")
        bench.host.script = lambda request: None
        assert bench.sign_in()["DF07"] == "00"


@pytest.mark.parametrize("power_cut", [False, True])
def test_an_unattended_97_waits_for_the_operators_next_key(power_cut: bool) -> None:
    with restarted(answered_97) as bench:
        bench.run(lambda: bench.state.note == "97")
        assert bench.shows("欢迎使用")()
        bench.host.script = lambda request: Answer(act="close")
        if power_cut:
            bench.reboot()
        bench.key("FUNC")
        assert bench.lines[1:3] == ["提示", "应答码:97"] and "终端未登记" in bench.lines[3]
        bench.key("1", "CLEAR", "FUNC")
        assert bench.lines[1] == "提示"
        bench.key("ENTER")
        assert bench.shows("欢迎使用")() and bench.state.note == ""
        bench.key("FUNC")
        assert bench.lines[1] == "功能菜单"


def test_a_97_that_the_operator_saw_as_a_result_is_no_alert() -> None:
    with restarted(answered_97) as bench:
        bench.run(lambda: bench.state.note == "97")
        assert bench.sign_in()["DF07"] == "97"
        bench.key("CANCEL")
        bench.key("FUNC")
        assert bench.lines[1] == "功能菜单"


def test_other_codes_make_no_alert() -> None:
    with restarted(lambda request: Answer("96")) as bench:
        bench.run(lambda: not bench.state.signed_in)
        bench.settle_down()
        bench.key("FUNC")
        assert bench.lines[1] == "功能菜单" and bench.state.note == ""


def test_a_reversal_is_delivered_when_nobody_is_there(clock: Clock) -> None:
    with Bench() as bench:
        bench.ready()
        bench.host.script = lambda request: Answer(act="close") if request.mti == "0200" else None
        bench.sale()
        bench.settle_down()
        assert "0400" not in sent(bench)
        clock.ahead += 61
        bench.run(lambda: bench.state.reversal is None)
        assert sent(bench) == ["0800", "0200", "0400"]
        assert "冲正" not in bench.lines[0]


def test_after_power_on_the_reversal_follows_the_sign_in_also_where_that_was_refused() -> None:
    for code in ("00", "97"):
        with restarted(lambda r, c=code: Answer(c) if r.mti == "0800" else None, reversal=True) as bench:  # type: ignore[misc]
            bench.run(lambda b=bench: b.state.reversal is None)  # type: ignore[misc]
            assert sent(bench) == ["0800", "0400"]


def test_no_reversal_is_tried_where_the_host_can_not_be_reached() -> None:
    with restarted(lambda request: Answer(act="close"), reversal=True) as bench:
        bench.run(lambda: bench.host.requests)
        bench.settle_down()
        assert sent(bench) == ["0800"]


def test_a_reversal_that_97_refuses_is_kept_and_tried_with_back_off(clock: Clock) -> None:
    with restarted(answered_97, reversal=True) as bench:
        for _ in range(400):
            bench.settle_down(4)
            clock.ahead += 10.0
        reversals = bench.host.seen("0400")
        assert bench.state.reversal is not None and bench.state.reversal.attempts == len(reversals)
        assert 5 <= len(reversals) <= 9 and len(bench.host.requests) <= 20
        assert {frame.get(11) for frame in reversals} == {"000002"}
        bench.host.script = lambda request: None
        clock.ahead += 901
        bench.run(lambda: bench.state.reversal is None)


def test_a_reversal_whose_mac_the_host_refuses_brings_a_sign_in_of_its_own(clock: Clock) -> None:
    with Bench() as bench:
        bench.ready()
        bench.host.script = lambda request: Answer(act="close") if request.mti == "0200" else None
        bench.sale()
        bench.host.script = lambda request: Answer("A0") if request.mti == "0400" and len(sent(bench)) == 3 else None
        clock.ahead += 61
        bench.run(lambda: not bench.state.signed_in)
        clock.ahead += 61
        bench.run(lambda: bench.state.reversal is None)
        assert sent(bench) == ["0800", "0200", "0400", "0800", "0400"]


def test_the_hosts_request_for_a_sign_in_is_obeyed_and_makes_no_loop(clock: Clock) -> None:
    with Bench() as bench:
        bench.ready()
        bench.host.script = lambda request: Answer(request="3")
        assert bench.till("05")["DF07"] == "00"
        bench.run(lambda: len(bench.host.seen("0800")) == 2)
        bench.settle_down()
        bench.till("05")
        bench.settle_down()
        assert len(bench.host.seen("0800")) == 2
        clock.ahead += 61
        bench.run(lambda: len(bench.host.seen("0800")) == 3)
        bench.settle_down()
        clock.ahead += 3600
        bench.settle_down()
        assert len(bench.host.seen("0800")) == 3 and bench.state.signed_in


def test_a_sale_that_begins_meanwhile_waits_for_its_end_and_is_not_lost() -> None:
    held: list[Frame] = []

    def hold_the_first(request: Frame) -> Answer | None:
        held.append(request)
        return Answer(act="silence") if len(held) == 1 else None

    with restarted(hold_the_first) as bench:
        bench.serve("PARAM timeout=1")
        bench.run(lambda: held)
        bench.begin_sale()
        bench.run(bench.shows("请稍候"))
        assert len(held) == 1
        # the first request is given up after its time-out of 60 s; here its connection ends instead
        for connection in list(bench.host._open):
            bench.host._drop(connection)
        assert bench.till_answer()["DF07"] == "00"
        assert sent(bench) == ["0800", "0200"]


def test_nothing_begins_by_itself_while_the_operator_is_in_a_dialog(clock: Clock) -> None:
    with Bench() as bench:
        bench.ready()
        bench.host.script = lambda request: Answer(act="close") if request.mti == "0200" else None
        bench.sale()
        bench.key("CANCEL", "FUNC")
        clock.ahead += 59
        bench.settle_down()
        bench.key("7")
        clock.ahead += 10
        bench.settle_down()
        assert "0400" not in sent(bench)
        bench.key("CANCEL")
        bench.run(lambda: bench.state.reversal is None)


def test_back_off_steps_are_divided_by_the_time_scale(clock: Clock) -> None:
    back_off = BackOff(60.0)
    waits = []
    for _ in range(7):
        back_off.failed()
        waits.append(round(back_off.due_at - clock.now(), 1))
    assert waits == [1.0, 2.0, 4.0, 8.0, 15.0, 15.0, 15.0]
    back_off.reset()
    assert back_off.due_at <= clock.now()


def test_a_blank_flash_has_no_working_keys_to_sign_a_reversal_with() -> None:
    with Bench(flash=MemoryFlash()) as bench:
        bench.provision()
        assert bench.state.mak == "" and bench.state.reversal is None
        bench.sign_in()
        assert bench.state.mak == MAK.hex()
