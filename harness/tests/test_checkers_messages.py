"""MSG-01 to MSG-07 on golden histories: good ones, bad ones that each break one rule, and what a PASS rests on."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.checkers import shown
from harness.checkers.reading import SECOND, Reading
from harness.history.events import AnyEvent, OperationCompleted, OperationInvoked, WireConnection, WireFrame
from harness.protocol import frames
from harness.protocol.profile import Profile
from harness.tests.golden import Outcome, World, dropped, flawed, host_closes, late, lost, refused, says
from harness.tests.golden_parts import profile_data
from harness.tests.golden_stories import Story
from harness.tests.histories import shown_97
from harness.tests.judging import (
    assert_rests_on_evidence,
    assert_verdict,
    changed,
    findings,
    is_screen,
    verdict,
)

LABELS = ["应答码", "返回码"]


@pytest.mark.parametrize("story", shown_97.stories.kept, ids=str)
def test_good_history_passes(story: Story) -> None:
    shown_97.stories.passes(story)
    shown_97.stories.rests_on_its_evidence(story)


@pytest.mark.parametrize("story", shown_97.stories.broken, ids=str)
def test_bad_history_fails(story: Story) -> None:
    shown_97.stories.fails(story)


@pytest.mark.parametrize("story", shown_97.stories.open, ids=str)
def test_open_history_is_undecided(story: Story) -> None:
    shown_97.stories.stays_open(story)


@pytest.mark.parametrize("story", shown_97.stories.silent, ids=str)
def test_no_occasion_no_finding(story: Story) -> None:
    shown_97.stories.stays_silent(story)


def signed_in() -> World:
    world = World()
    world.sign_in()
    return world


def sale_answered_97(**how: Any) -> World:
    world = signed_in()
    world.sale(500, "97", **how)
    return world


def sale_ended_by(fault: Any) -> World:
    world = signed_in()
    world.sale(500, fault)
    return world


# -- where a code is shown -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "lines",
    [
        ["应答码:97"], ["应答码：９７"], ["交易失败 应答码 97 终端未登记"], ["应答", "码:97"], ["应答码:9", "7"],
        ["返回码[97]"], ["应答码:97", "000012"],
    ],
)  # fmt: skip
def test_a_code_is_found_where_one_is_shown(lines: list[str]) -> None:
    assert shown.shows_code(lines, "97", LABELS)


@pytest.mark.parametrize(
    "lines",
    [
        ["金额:97.00"], ["应答码:00", "金额:97.00"], ["凭证号:000097"], ["终端号:97979797"], ["应答码:97.00"],
        ["应答码:970"], ["97"], ["应答码:"], [],
    ],
)  # fmt: skip
def test_a_97_elsewhere_is_no_code(lines: list[str]) -> None:
    assert not shown.shows_code(lines, "97", LABELS)


def test_width_punctuation_and_line_breaks_do_not_matter() -> None:
    wanted = "终端未登记,请联系收单行或银联"
    assert shown.contains(["终端未登记，请联系", "收单行或银联。"], wanted)
    assert not shown.contains(["终端未登", "请联系收单行"], wanted)


@given(st.lists(st.text(), max_size=6))
def test_any_text_can_be_asked(lines: list[str]) -> None:
    profile = Profile.model_validate(profile_data())
    for code in shown.codes_shown(lines, LABELS):
        assert len(code) == 2
        assert shown.shows_code(lines, code, LABELS)
    said = shown.says_not_registered(lines, profile)
    assert said is None or shown.contains(lines, said)


# -- MSG-01 --------------------------------------------------------------------------------------------------------


def test_97_shown_in_time() -> None:
    world = sale_answered_97()
    assert_rests_on_evidence(world.events, "MSG-01")
    assert len(findings(world.events, "MSG-01")) == 1


def test_97_on_sign_in_shown_in_time() -> None:
    world = World(registered=False)
    world.sign_in()
    assert_rests_on_evidence(world.events, "MSG-01")


@pytest.mark.parametrize(
    "lines",
    [["交易失败", "应答码:97"], ["交易失败", "终端未登记"], ["交易失败", "应答码:96", "终端未登记"], ["交易失败"]],
)
def test_97_without_its_code_or_text_fails(lines: list[str]) -> None:
    events = changed(sale_answered_97().events, is_screen("应答码:97"), lines=lines)
    assert_verdict(events, "MSG-01", "FAIL")


def test_97_shown_late_fails_and_a_lagging_bench_does_not_judge_it() -> None:
    world = signed_in()
    world.wait(1)
    operation = world.invoke("sale", amount="500")
    outcome = world._exchange(*_sale_request(world), says("97"))
    assert outcome.code == "97"
    world.wait(3.5)
    world.result("97")
    world.complete(operation, "fail", "97")
    world.idle(after=5)
    assert_verdict(world.events, "MSG-01", "FAIL")
    assert "3.6 s" in findings(world.events, "MSG-01")[0].reason
    world.heartbeat(12_000)
    assert_verdict(world.events, "MSG-01", "INCONCLUSIVE")


def _sale_request(world: World) -> tuple[Any]:
    from harness.tests.golden_wire import request_of

    fields = {
        3: "000000", 4: "000000000500", 11: world.terminal.next_trace(), 22: "022", 25: "00",
        35: "6225880000000097D25121010000000000000", 49: "156", 60: f"22{world.terminal.batch}00050",
    }  # fmt: skip
    return (request_of("0200", fields),)


def sale_97_not_shown(outcome: Literal["fail", "unknown"]) -> World:
    """The next operation is at hand; what the operator saw of this one is that it failed."""
    world = signed_in()
    operation = world.invoke("sale", amount="500")
    world._exchange(*_sale_request(world), says("97"))
    world.display("交易失败")
    world.complete(operation, outcome)
    world.wait(0.2)
    return world


@pytest.mark.parametrize(("outcome", "expected"), [("fail", "FAIL"), ("unknown", "INCONCLUSIVE")])
def test_the_97_of_the_next_operation_does_not_show_the_one_before(outcome: Any, expected: str) -> None:
    world = sale_97_not_shown(outcome)
    world.sale(600, "97")
    assert [found.verdict for found in findings(world.events, "MSG-01")] == [expected, "PASS"]


@pytest.mark.parametrize(("outcome", "expected"), [("fail", ["FAIL"]), ("unknown", [])])
def test_power_cut_after_the_result_was_read_excuses_nothing(outcome: Any, expected: list[str]) -> None:
    world = sale_97_not_shown(outcome)
    world.power("off", "cut")
    world.wait(20)
    world.power("on", "cut")
    world.idle()
    world.sign_in()
    assert [found.verdict for found in findings(world.events, "MSG-01")] == expected


def test_unreadable_cells_make_it_inconclusive() -> None:
    events = changed(sale_answered_97().events, is_screen("应答码:97"), lines=["交易失败", "应答码:"], unreadable=2)
    assert_verdict(events, "MSG-01", "INCONCLUSIVE")


def test_nobody_saw_the_screen() -> None:
    events = [event for event in sale_answered_97().events if event.kind != "screen"]
    assert_verdict(events, "MSG-01", "INCONCLUSIVE")


def test_the_log_ends_before_the_time_is_over() -> None:
    events = sale_answered_97().events
    cut = next(i for i, e in enumerate(events) if is_screen("应答码:97")(e))
    assert_verdict(events[:cut], "MSG-01", "INCONCLUSIVE")


def test_power_cut_before_the_time_is_over_is_no_occasion() -> None:
    events = sale_answered_97().events
    cut = next(i for i, e in enumerate(events) if is_screen("应答码:97")(e))
    world = World()
    world.events, world.t = list(events[:cut]), events[cut].t
    world.power("off", "cut")
    world.wait(20)
    world.power("on", "cut")
    world.idle()
    assert_verdict(world.events, "MSG-01", "")


def test_without_the_key_a_97_counts_and_says_so() -> None:
    events = [event for event in sale_answered_97().events if event.kind != "key"]
    assert_verdict(events, "MSG-01", "PASS")
    assert "can't be verified" in findings(events, "MSG-01")[0].reason


# -- MSG-02 --------------------------------------------------------------------------------------------------------

FAULTS = {
    "no answer": dropped(), "host closes": host_closes(), "refused": refused(), "link down": lost(),
    "bad MAC": flawed("bad_mac", "97"), "foreign trace": flawed("foreign_trace", "97"), "late": late("97"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_not_shown_as_97(fault: str) -> None:
    assert_verdict(sale_ended_by(FAULTS[fault]).events, "MSG-02", "PASS")


@pytest.mark.parametrize("fault", [name for name in FAULTS if name != "late"])
def test_what_msg_02_rests_on(fault: str) -> None:
    assert_rests_on_evidence(sale_ended_by(FAULTS[fault]).events, "MSG-02")


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_shown_as_97_fails(fault: str) -> None:
    world = sale_ended_by(FAULTS[fault])
    for faulty in ("通讯超时", "连接失败", "应答无效"):
        if any(is_screen(faulty)(e) for e in world.events):
            events = changed(world.events, is_screen(faulty), lines=["交易失败", "应答码:97", "终端未登记"])
    assert_verdict(events, "MSG-02", "FAIL")


def test_the_text_alone_says_97_too() -> None:
    events = changed(sale_ended_by(dropped()).events, is_screen("通讯超时"), lines=["终端未登", "记"])
    assert_verdict(events, "MSG-02", "FAIL")


def test_a_97_from_the_transaction_before_does_not_excuse_it() -> None:
    world = sale_answered_97()
    world.sale(600, dropped())
    events = changed(world.events, is_screen("通讯超时"), lines=["交易失败", "应答码:97", "终端未登记"])
    assert_verdict(events, "MSG-02", "FAIL")


def test_the_result_that_is_still_there_when_the_next_operation_begins_is_no_new_one() -> None:
    world = sale_answered_97()
    last = world.events[-1]
    assert is_screen("欢迎使用")(last)
    world.events.pop()
    operation = world.invoke("echo")
    world.screen("12:01 已签到", "交易失败", "应答码:97", "终端未登记")  # only the clock went on
    world.idle(after=0.1)
    world.complete(operation, "ok")
    assert_verdict(world.events, "MSG-02", "")


def test_a_97_shown_to_the_till_on_a_timeout_fails() -> None:
    world = signed_in()
    world.sale(500, dropped(), via="cashier")
    assert_verdict(world.events, "MSG-02", "PASS")
    answer = next(e for e in world.events if e.kind == "cashier" and e.direction == "from_terminal")
    events = changed(world.events, lambda e: e is answer, fields={**answer.fields, "DF07": "97"})
    assert_verdict(events, "MSG-02", "FAIL")


def test_amounts_and_numbers_with_97_are_none() -> None:
    world = signed_in()
    world.sale(9700, dropped())
    events = changed(
        world.events, is_screen("通讯超时"), lines=["通讯超时", "金额:97.00", "凭证号:000097", "终端号:97979797"]
    )
    assert_verdict(events, "MSG-02", "PASS")


def test_an_unreadable_result_is_inconclusive() -> None:
    events = changed(sale_ended_by(dropped()).events, is_screen("通讯超时"), unreadable=3)
    assert_verdict(events, "MSG-02", "INCONCLUSIVE")


# -- MSG-03 --------------------------------------------------------------------------------------------------------

OTHERS = ("03", "58", "77", "99", "A0", "91", "96", "98", "ZZ")


@pytest.mark.parametrize("code", OTHERS)
def test_other_codes_have_texts_of_their_own(code: str) -> None:
    world = sale_ended_by(says(code))
    assert_rests_on_evidence(world.events, "MSG-03")
    assert_verdict(world.events, "MSG-02", "")


@pytest.mark.parametrize("code", OTHERS)
def test_other_codes_shown_as_97_fail(code: str) -> None:
    world = sale_ended_by(says(code))
    events = changed(
        world.events, is_screen(f"应答码:{code}"), lines=["交易失败", f"应答码:{code}", "终端未登记"]
    )
    assert_verdict(events, "MSG-03", "FAIL")
    assert_verdict(events, "MSG-02", "FAIL")


def test_the_text_of_another_code_fails() -> None:
    lines = ["交易失败", "应答码:ZZ", "商户未登记"]
    events = changed(sale_ended_by(says("ZZ")).events, is_screen("应答码:ZZ"), lines=lines)
    assert_verdict(events, "MSG-03", "FAIL")
    assert "03" in findings(events, "MSG-03")[0].reason


def test_99_may_show_what_contains_the_text_of_77() -> None:
    lines = ["交易失败", "应答码:99", "校验错,请重新签到"]
    events = changed(sale_ended_by(says("99")).events, is_screen("应答码:99"), lines=lines)
    assert_verdict(events, "MSG-03", "PASS")


def test_no_accepted_text_fails() -> None:
    events = changed(sale_ended_by(says("58")).events, is_screen("应答码:58"), lines=["交易失败", "应答码:58"])
    assert_verdict(events, "MSG-03", "FAIL")


def sale_declined_58(*, outcome: Literal["fail", "unknown"], until_next: float) -> World:
    """A sale answered 58; no screen says so while the operation lasts. Another one begins ``until_next`` s later."""
    world = signed_in()
    operation = world.invoke("sale", amount="500")
    world._exchange(*_sale_request(world), says("58"))
    world.display("交易处理中")
    world.complete(operation, outcome)
    world.wait(until_next)
    world.echo()
    return world


def test_a_next_operation_too_soon_for_the_text_is_inconclusive() -> None:
    assert_verdict(sale_declined_58(outcome="unknown", until_next=0.2).events, "MSG-03", "INCONCLUSIVE")
    assert_verdict(sale_declined_58(outcome="unknown", until_next=5).events, "MSG-03", "FAIL")
    assert_verdict(sale_declined_58(outcome="fail", until_next=0.2).events, "MSG-03", "FAIL")  # that was its result


def test_a_lagging_bench_does_not_judge_the_text() -> None:
    world = sale_declined_58(outcome="fail", until_next=5)
    world.heartbeat(30_000)
    assert_verdict(world.events, "MSG-03", "INCONCLUSIVE")


# -- MSG-04 --------------------------------------------------------------------------------------------------------


def test_97_at_the_till() -> None:
    assert_rests_on_evidence(sale_answered_97(via="cashier").events, "MSG-04")


@pytest.mark.parametrize("code", ["Z2", "00", "96"])
def test_another_result_at_the_till_fails(code: str) -> None:
    world = sale_answered_97(via="cashier")
    answer = next(e for e in world.events if e.kind == "cashier" and e.direction == "from_terminal")
    events = changed(world.events, lambda e: e is answer, fields={**answer.fields, "DF07": code})
    assert_verdict(events, "MSG-04", "FAIL")


def test_keypad_operations_are_no_occasion_for_the_till() -> None:
    assert_verdict(sale_answered_97().events, "MSG-04", "")


def test_a_lagging_bench_does_not_say_that_the_till_was_told_nothing() -> None:
    world = sale_answered_97(via="cashier")
    untold = [e for e in world.events if not (e.kind == "cashier" and e.direction == "from_terminal")]
    assert_verdict(untold, "MSG-04", "FAIL")
    assert_verdict([*untold, world.heartbeat(12_000)], "MSG-04", "INCONCLUSIVE")


# -- MSG-05 --------------------------------------------------------------------------------------------------------


def test_a_97_never_says_approved() -> None:
    assert_rests_on_evidence(sale_answered_97().events, "MSG-05")


@pytest.mark.parametrize("lines", [["交易成功"], ["交易失败", "应答码:97", "终端未登记", "交易 成功"]])
def test_a_screen_that_says_approved_fails(lines: list[str]) -> None:
    events = changed(sale_answered_97().events, is_screen("应答码:97"), lines=lines)
    assert_verdict(events, "MSG-05", "FAIL")


def test_a_slip_of_a_decline_says_declined() -> None:
    good = _with_slip("交易失败", "应答码:97")
    assert_verdict(good, "MSG-05", "PASS")
    assert any("slip" in f.reason for f in findings(good, "MSG-05"))
    assert_verdict(_with_slip("POS签购单", "金额:5.00"), "MSG-05", "FAIL")
    assert_verdict(_with_slip("POS签购单", "交易成功"), "MSG-05", "FAIL")


def _with_slip(*lines: str) -> list[AnyEvent]:
    world = sale_answered_97()
    idle = world.events.pop()
    world.t = idle.t
    world.slip(*lines)
    world.idle()
    return world.events


def test_approved_without_an_answer_fails() -> None:
    events = changed(sale_ended_by(dropped()).events, is_screen("通讯超时"), lines=["交易成功"])
    assert_verdict(events, "MSG-05", "FAIL")


def test_approved_on_a_bad_mac_fails() -> None:
    events = changed(sale_ended_by(flawed("bad_mac", "00")).events, is_screen("应答无效"), lines=["交易成功"])
    assert_verdict(events, "MSG-05", "FAIL")


@pytest.mark.parametrize(("printed", "verdict"), [(False, ""), (True, "FAIL")], ids=["its first", "once more"])
def test_the_slip_of_an_earlier_sale_that_comes_late_is_not_the_declined_ones(printed: bool, verdict: str) -> None:
    """A printer that was hot lets out what waited. One that had come out has nothing to do there."""
    world = signed_in()
    if not printed:
        world._print = lambda stored: None  # type: ignore[method-assign]
    trace = world.sale(500).trace
    world.sale(600, "97")
    idle = world.events.pop()
    world.t = idle.t
    world.slip("POS签购单", f"凭证号:{trace}", "金额:RMB 5.00", "交易成功")
    world.idle()
    assert_verdict(world.events, "MSG-05", verdict or "PASS")


def test_an_honest_approval_and_its_reprint_are_none_of_it() -> None:
    world = signed_in()
    world.sale(500)
    world.reprint()
    world.sale(600, dropped())
    assert_verdict(world.events, "MSG-05", "")


def test_a_slip_of_a_decline_that_says_approved_fails_wherever_it_is_printed() -> None:
    for approved, expected in ((False, "FAIL"), (True, "PASS")):
        world = signed_in()
        declined = world.sale(500, "97").request
        good = world.sale(700).request
        assert declined is not None and good is not None
        names = frames.decode(bytes.fromhex((good if approved else declined).hex)).fields[11]
        operation = world.invoke("sign_in")
        world.slip("POS签购单", f"批次号:{world.terminal.batch}  凭证号:{names}", "交易成功")
        world.background_sign_in()
        world.result("00", "sign_in")
        world.complete(operation, "ok")
        assert_verdict(world.events, "MSG-05", expected)


# -- MSG-06 --------------------------------------------------------------------------------------------------------


def with_f63(text: str) -> World:
    """A sale answered 97 with ``text`` (GBK) in F63, then an echo."""
    world = signed_in()
    world.sale(500, "97")
    response = [e for e in world.events if e.kind == "wire.frame" and e.direction == "to_terminal"][-1]
    from harness.protocol import frames, keys

    frame = frames.decode(bytes.fromhex(response.hex)).but({63: text.encode("gbk").decode("latin-1")})
    sealed = keys.seal(frame, world.host.working.mak).raw.hex().upper()
    world.events = changed(world.events, lambda e: e is response, hex=sealed)
    world.echo()
    return world


def test_host_text_is_survived() -> None:
    assert_rests_on_evidence(with_f63("终端未登记" * 30).events, "MSG-06")
    assert_rests_on_evidence(with_f63("X" * 400).events, "MSG-06")
    assert_verdict(with_f63("001").events, "MSG-06", "")


def test_a_reset_after_host_text_fails() -> None:
    world = with_f63("终端未登记" * 30)
    cut = next(i for i, e in enumerate(world.events) if e.kind == "operation.invoked" and e.name == "echo")
    world.events, world.t = world.events[:cut], world.events[cut].t
    world.reboot("watchdog")
    world.echo()
    assert_verdict(world.events, "MSG-06", "FAIL")


def test_a_terminal_that_says_nothing_after_host_text_fails() -> None:
    world = with_f63("终端未登记" * 30)
    last = [e for e in world.events if e.kind == "operation.completed"][-1]
    events = changed(world.events, lambda e: e is last, outcome="unknown")
    assert_verdict(events, "MSG-06", "FAIL")


def test_an_operation_that_the_bench_spoiled_is_not_the_terminals_silence() -> None:
    world = with_f63("终端未登记" * 30)
    last = [e for e in world.events if e.kind == "operation.completed"][-1]
    silent = changed(world.events, lambda e: e is last, outcome="unknown")
    stopped = changed(world.events, lambda e: e is last, outcome="unknown", detail="KeyboardInterrupt")
    assert_verdict(stopped, "MSG-06", "INCONCLUSIVE")
    assert_verdict([*silent, world.heartbeat(15_000)], "MSG-06", "INCONCLUSIVE")


def test_a_bench_that_failed_in_the_same_test_is_not_the_terminals_silence() -> None:
    world = with_f63("终端未登记" * 30)
    world.span = "t::here"
    operation = world.invoke("echo")
    world.complete(operation, "unknown")
    first = next(e for e in world.events if e.kind == "operation.invoked" and e.name == "echo")
    without = [e for e in world.events if e.kind != "operation.completed" or e.op != first.op]
    without = [e for e in without if e is not first]
    assert_verdict(without, "MSG-06", "FAIL")
    world.wait(3)
    assert_verdict([*without, world.bench_failed("the tap ended")], "MSG-06", "INCONCLUSIVE")
# -- MSG-02: what is told of an operation rests on that operation ----------------------------------------------------


@pytest.mark.parametrize("via", ["till", "slip"])
def test_a_97_received_unattended_founds_no_result_of_a_sale(via: str) -> None:
    world = signed_in()
    world.background_sign_in("97")
    world.register_terminal()
    assert_verdict(world.events, "MSG-02", "")
    if via == "till":
        world.sale(500, refused(), via="cashier")
        assert_verdict(world.events, "MSG-02", "PASS")
        told = [e for e in world.events if e.kind == "cashier"][-1]
        worse = changed(world.events, lambda e: e is told, fields={**told.fields, "DF07": "97", "DF09": "终端未登记"})
    else:
        operation = world.invoke("sale", amount="500", entry="magnetic", pin="no")
        world.slip("POS签购单", "交易失败", "应答码:97")
        world.complete(operation, "fail", "Z1")
        worse = world.events
    assert_verdict(worse, "MSG-02", "FAIL")


def test_a_sale_at_the_till_that_met_97_itself_may_say_so() -> None:
    world = signed_in()
    world.background_sign_in("97")
    world.sale(500, "97", via="cashier")
    assert_verdict(world.events, "MSG-02", "")


# -- MSG-07 --------------------------------------------------------------------------------------------------------


def unattended_97(*, alert: bool = True, reboot: bool = False) -> World:
    world = World(registered=False)
    world.wait(30)
    world.background_sign_in()
    if reboot:
        world.reboot()
    operation = world.invoke("acknowledge")
    if alert:
        world.screen("12:01 未签到", "提示", "应答码:97", "终端未登记")
    world.idle(after=0.5)
    world.complete(operation, "ok")
    world.wait(5)
    return world


def test_an_unattended_97_is_visible_at_the_next_action() -> None:
    world = unattended_97()
    assert_rests_on_evidence(world.events, "MSG-07")
    assert_verdict(world.events, "MSG-02", "")


def test_an_unattended_97_that_nobody_sees_fails() -> None:
    assert_verdict(unattended_97(alert=False).events, "MSG-07", "FAIL")


def test_a_lagging_bench_does_not_say_that_nothing_was_visible() -> None:
    world = unattended_97(alert=False)
    world.heartbeat(15_000)
    assert_verdict(world.events, "MSG-07", "INCONCLUSIVE")


def test_a_heartbeat_that_stays_away_is_lag() -> None:
    def with_ticks(*gone: int) -> list[AnyEvent]:
        world = unattended_97(alert=False)
        end = world.t
        ticks = []
        for number in range(int((end - world.events[0].t) / SECOND) + 1):
            world.t = world.events[0].t + number * SECOND
            if number not in gone:
                ticks.append(world.heartbeat(3.0))
        return sorted(world.events, key=lambda e: (e.t, e.seq))

    events = with_ticks()
    assert_verdict(events, "MSG-07", "FAIL")
    last = int((events[-1].t - events[0].t) / SECOND)
    assert_verdict(with_ticks(last - 6), "MSG-07", "FAIL")  # one that was not told of
    assert_verdict(with_ticks(*range(last - 8, last + 1)), "MSG-07", "INCONCLUSIVE")  # the log goes on without
    assert_verdict(with_ticks(*range(last - 1, last + 1)), "MSG-07", "FAIL")  # long after it


# -- a response that crosses the terminal's giving up ----------------------------------------------------------------


def crossing(
    code: str, *, after: float = 60.0, told: str = "Z2", via: Literal["keypad", "cashier"] = "keypad"
) -> World:
    """A sale; its response passes the tap ``after`` s and 0.2 ms before the terminal's FIN; the user is told ``told``.
    What was not taken is reversed before the next sale."""
    world = signed_in()
    operation = world.invoke("sale", via, amount="500")
    raw = _sale_request(world)[0]
    world.terminal.last_request = raw.fields
    asked = raw.encode(world.terminal.mak)
    stream = world.next("stream")
    world.display("正在连接")
    world.connection(stream, "opening", "terminal")
    world.connection(stream, "open")
    world.frame(stream, "to_acquirer", asked)
    world.journal(stream, "in", asked)
    world.wait(after)
    from harness.tests.golden_wire import answer_to

    answer = answer_to(raw, code, world.host.now(world.t), {37: "500100000002"}).encode(world.host.working.mak)
    world.journal(stream, "out", answer)
    world.frame(stream, "to_terminal", answer)
    world.connection(stream, "closed", "terminal")
    if told == "Z2":
        world.terminal.want_reversal("98")
    world._finish(operation, Outcome(told, raw.fields))
    world.idle(after=5)
    world.sale(700)
    world.settle()
    world.ledger()
    return world


CROSSED = ("MON-01", "MON-02", "MON-03", "MSG-01", "MSG-02", "MSG-04", "MSG-05", "MSG-07", "REC-07")


@pytest.mark.parametrize("via", ["keypad", "cashier"])
@pytest.mark.parametrize("code", ["97", "00", "58"])
def test_an_answer_that_crosses_the_time_out_was_not_taken(code: str, via: Literal["keypad", "cashier"]) -> None:
    events = crossing(code, via=via).events
    crossed = next(e for e in Reading.of(events).exchanges if e.mti == "0200")
    assert (crossed.outcome, crossed.definite_97) == ("late", False)
    assert {rule: verdict(events, rule) for rule in CROSSED if verdict(events, rule) == "FAIL"} == {}


def test_without_the_code_of_the_till_the_text_tells_that_it_was_not_taken() -> None:
    events = changed(crossing("97").events, lambda e: e.kind == "operation.completed" and e.code == "Z2", code=None)
    assert next(e for e in Reading.of(events).exchanges if e.mti == "0200").outcome == "late"


def test_an_answer_that_was_taken_or_came_in_good_time_is_no_crossing() -> None:
    assert_verdict(crossing("97", told="97").events, "MSG-01", "PASS")
    early = crossing("97", after=1.0).events  # calls a quick 97 a time-out
    assert_verdict(early, "MSG-01", "FAIL")
    assert_verdict(early, "MON-02", "FAIL")


def test_an_answer_upon_which_the_operation_went_on_is_no_crossing() -> None:
    """It came as late as it may; the next request of the operation timed out."""
    world = signed_in()
    world.sale(500)
    world.settle(unbalanced=True, upload=[dropped()])
    settlement = next(e for e in Reading.of(world.events).exchanges if e.transaction == "settlement")
    late = [e.model_copy(update={"t": e.t + 59 * SECOND}) if e.t > settlement.t else e for e in world.events]
    slow = next(e for e in Reading.of(late).exchanges if e.transaction == "settlement")
    assert slow.response is not None
    assert slow.response.t - slow.t > 59 * SECOND
    assert slow.outcome == "answered"


def test_a_reboot_between_excuses_it() -> None:
    assert_verdict(unattended_97(alert=False, reboot=True).events, "MSG-07", "")
    assert_verdict(unattended_97(reboot=True).events, "MSG-07", "PASS")


def test_an_alert_is_shown_once_and_not_on_the_next_fault() -> None:
    world = unattended_97()
    world.terminal.working, world.terminal.signed_in = None, False
    world.sign_in(dropped())
    events = changed(world.events, is_screen("通讯超时"), lines=["交易失败", "应答码:97", "终端未登记"])
    assert verdict(events, "MSG-02") == "FAIL"


def test_the_span_of_one_test_does_not_blame_an_alert_for_what_came_before_it() -> None:
    world = World(registered=False)
    with world.test("t::before"):
        world.wait(30)
        world.background_sign_in()
    with world.test("t::here"):
        operation = world.invoke("acknowledge")
        world.screen("12:01 未签到", "提示", "应答码:97", "终端未登记")
        world.idle(after=0.5)
        world.complete(operation, "ok")
        world.sign_in(dropped())
    lasting = {"run.opened", "key", "unit.replaced"}
    part = [e for e in world.events if e.kind in lasting or e.span == "t::here"]
    assert_verdict(part, "MSG-02", "PASS")
    assert_verdict(world.events, "MSG-02", "PASS")
    worse = changed(part, is_screen("通讯超时"), lines=["交易失败", "应答码:97", "终端未登记"])
    assert_verdict(worse, "MSG-02", "FAIL")


def test_the_till_may_be_told_before_the_screen_says_it() -> None:
    world = signed_in()
    world.sale(500, dropped(), via="cashier")
    result = next(e for e in world.events if is_screen("通讯超时")(e))
    done = [e for e in world.events if e.kind == "operation.completed"][-1]
    events = changed(world.events, lambda e: e is result, t=done.t + 50_000_000)
    assert_rests_on_evidence(events, "MSG-02")


def test_what_the_terminal_finishes_after_the_bench_broke_off_is_its_operations() -> None:
    """Ctrl-C between the last key and the request: the approval that comes then is the sale's."""
    world = World()
    with world.test("a sale"):
        world.sign_in()
        world.sale(1000)
    world.close()
    sale = next(e.op for e in world.events if isinstance(e, OperationInvoked) and e.name == "sale")
    request = next(e for e in world.events if isinstance(e, WireFrame) and e.hex[26:30] == "0200")
    broken = [
        e.model_copy(update={"outcome": "unknown", "code": None, "t": request.t_first - 2_000_000})
        if isinstance(e, OperationCompleted) and e.op == sale else e
        for e in world.events
    ]
    broken = [
        e.model_copy(update={"t": request.t_first - 1_000_000}) if isinstance(e, WireConnection) and e.t < request.t
        and e.t > request.t_first - 2_000_000 else e for e in broken
    ]
    assert not [finding for finding in findings(broken, "MSG-05") if finding.verdict == "FAIL"]
