"""Whose request it is, what came too late, and what else real histories taught the judge."""

from __future__ import annotations

import sys

import pytest

from harness.checkers.reading import Reading
from harness.history.events import AnyEvent, Key, RunOpened
from harness.judge import judge_bench
from harness.tests.golden import World, dropped, says
from harness.tests.golden_faults import reset
from harness.tests.judging import assert_rests_on_evidence, assert_verdict, findings, verdict

ALERT = ("提示", "应答码:97", "终端未登记")


def by_itself(world: World, *, reversal: bool = True) -> None:
    """The terminal signs in, and delivers the reversal that is due; nothing of it on the screen; 97 to both."""
    world.quiet = True
    world.background_sign_in("97")
    world.terminal.signed_in = False
    if reversal:
        world.send_reversal("97")
    world.quiet = False


def sale_refused(world: World) -> None:
    """A sale refused with "sign in first" while the terminal is answered 97 twice on its own account."""
    operation = world.invoke("sale", amount="500", entry="magnetic", pin="no")
    world.display("请输入金额")
    by_itself(world)
    world.display("请先签到")
    world.complete(operation, "fail", None, "请先签到")


def acknowledge(world: World, *, alert: bool) -> None:
    operation = world.invoke("acknowledge")
    if alert:
        world.display(*ALERT)
    world.idle(after=0.2)
    world.complete(operation, "ok")


def with_a_reversal_due() -> World:
    world = World()
    world.sign_in()
    world.sale(1500, dropped())
    world.remove_terminal()
    world.reboot()
    world.terminal.signed_in = False
    return world


# -- unattended 97s within an operation of another kind ----------------------------------------------------------------


def test_97s_of_its_own_during_a_refused_sale_are_unattended() -> None:
    world = with_a_reversal_due()
    sale_refused(world)
    acknowledge(world, alert=True)
    world.wait(5)
    world.heartbeat(1)
    reading = Reading.of(world.checked())
    assert [e.transaction for e in reading.unattended if e.definite_97] == ["sign_in", "reversal"]
    assert_verdict(world.events, "MSG-07", "PASS")
    for rule in ("MSG-01", "MSG-05"):
        assert_verdict(world.events, rule, "")
    assert verdict(world.events, "MSG-02") in ("PASS", "")


def test_they_must_be_visible_at_the_next_action() -> None:
    world = with_a_reversal_due()
    sale_refused(world)
    acknowledge(world, alert=False)
    assert_verdict(world.events, "MSG-07", "FAIL")


def test_the_alert_may_come_at_the_first_key_of_the_operation_that_was_under_way() -> None:
    world = with_a_reversal_due()
    operation = world.invoke("echo")
    by_itself(world, reversal=False)
    world.display(*ALERT)
    world.idle(after=0.1)
    world.complete(operation, "fail", None, "")
    world.wait(5)
    acknowledge(world, alert=False)
    assert_rests_on_evidence(world.events, "MSG-07")
    assert verdict(world.events, "MSG-02") in ("PASS", "")


def test_an_alert_shown_again_rests_on_nothing() -> None:
    world = with_a_reversal_due()
    sale_refused(world)
    acknowledge(world, alert=True)
    world.wait(5)
    acknowledge(world, alert=True)
    assert_verdict(world.events, "MSG-02", "FAIL")


def test_an_action_that_began_in_the_same_moment_may_come_too_early_but_the_next_may_not() -> None:
    for alert, expected in ((True, "PASS"), (False, "FAIL")):
        world = with_a_reversal_due()
        by_itself(world, reversal=False)
        operation = world.invoke("acknowledge")
        moment = next(e.t for e in reversed(world.events) if e.kind == "wire.frame" and e.direction == "to_terminal")
        world.events[-1] = operation.model_copy(update={"t": moment + 1_000_000})
        world.idle(after=0.01)
        world.complete(operation, "ok")
        world.wait(2)
        acknowledge(world, alert=alert)
        world.wait(5)
        world.heartbeat(1)
        assert_verdict(world.events, "MSG-07", expected)
        assert verdict(world.events, "MSG-02") in ("PASS", "")


def test_a_97_shown_at_the_till_meanwhile_is_the_later_news() -> None:
    world = with_a_reversal_due()
    by_itself(world, reversal=False)
    world.sign_in("97", via="cashier")
    acknowledge(world, alert=False)
    assert_verdict(world.events, "MSG-07", "")


def test_a_sales_own_reversal_is_not_unattended() -> None:
    """97 to the reversal that leaves before the sale ends the sale: it must be shown there and then."""
    world = World()
    world.sign_in()
    world.sale(1500, dropped())
    world.remove_terminal()
    world.sale(700)
    assert_verdict(world.events, "MSG-01", "PASS")
    hidden = [
        e.model_copy(update={"lines": ["通讯超时"]}) if e.kind == "screen" and "应答码:97" in e.lines else e
        for e in world.events
    ]
    assert verdict(hidden, "MSG-01") == "FAIL"


def test_a_sign_in_that_the_host_asked_for_is_unattended() -> None:
    world = World()
    world.sign_in()
    operation = world.invoke("sale", amount="500", entry="magnetic", pin="no")
    by_itself(world, reversal=False)
    world.display("交易成功")
    world.complete(operation, "ok")
    acknowledge(world, alert=True)
    assert_verdict(world.events, "MSG-01", "")
    assert_verdict(world.events, "MSG-07", "PASS")


# -- answers that come after the cable is back -------------------------------------------------------------------------


def late_behind_the_cable(*, told: bool = True, taken: bool = False) -> World:
    """The answer of a sale passes after the cable is back, the FIN that the terminal sent long before only after it."""
    world = World()
    world.sign_in()
    world.unplug()
    sale = world.sale(1500, "00")
    events = world.events
    frame = next(e for e in events if e.kind == "wire.frame" and e is sale.response)
    if not taken:
        world.host.ledger.clear()
    first = next(i for i, e in enumerate(events) if e.kind == "wire.frame" and e is frame)
    end = next(e for e in events[first:] if e.kind == "operation.completed")
    result = next(e for e in events[first:] if e.kind == "screen" and "交易成功" in e.lines)
    rest: list[AnyEvent] = [e for e in events if e.kind != "slip" and e is not frame]
    rest = [e for e in rest if not (e.kind == "wire.connection" and e.t > frame.t)]
    if told:
        rest = [e.model_copy(update={"outcome": "fail", "detail": "通讯超时"}) if e is end else e for e in rest]
        rest = [e.model_copy(update={"lines": ["12:00 已签到 冲正", "通讯超时"]}) if e is result else e for e in rest]
    world.events = rest
    world.plug()
    replayed = world.append(frame, after=0.3)
    world.connection(replayed.stream, "closed", "terminal")
    world.connection(replayed.stream, "reset", "terminal")
    world.events = [e.model_copy(update={"seq": n}) for n, e in enumerate(world.events, 1)]
    return world


def test_an_answer_after_the_terminal_said_it_timed_out_is_late() -> None:
    reading = Reading.of(late_behind_the_cable().checked())
    sale = next(e for e in reading.exchanges if e.transaction == "sale")
    assert (sale.outcome, sale.approved(reading.profile)) == ("late", False)


def test_a_reset_to_the_answer_says_so_too() -> None:
    world = late_behind_the_cable()
    events = [e for e in world.checked() if not e.kind.startswith("operation.")]
    sale = next(e for e in Reading.of(events).exchanges if e.transaction == "sale")
    assert sale.outcome == "late"
    without = [e for e in events if not (e.kind == "wire.connection" and e.state == "reset")]
    assert next(e for e in Reading.of(without).exchanges if e.transaction == "sale").outcome == "answered"


def test_a_reset_after_an_answer_that_was_taken_means_nothing() -> None:
    reading = Reading.of(late_behind_the_cable(told=False, taken=True).checked())
    assert next(e for e in reading.exchanges if e.transaction == "sale").outcome == "answered"


# -- the rest of what real histories taught ----------------------------------------------------------------------------


def rebooted_soon_after_an_approval() -> World:
    """Sold, the upload cut by 97, rebooted: all within the time after an approval in which storing it is open."""
    world = World()
    world.sign_in()
    world.sale(1500)
    world.settle(unbalanced=True, upload=["97"])
    world.reboot()
    settle = next(e.t for e in world.events if e.kind == "operation.invoked" and e.name == "settle")
    off = next(e.t for e in world.events if e.kind == "power" and e.state == "off")
    shift = {e.seq: 4_900_000_000 * ((e.t >= settle) + (e.t >= off)) for e in world.events}
    world.events = [e.model_copy(update={"t": e.t - shift[e.seq]}) for e in world.events]
    world.t -= 9_800_000_000
    world.sign_in()
    world.settle(resume=True)
    return world


def test_what_was_shown_as_approved_before_a_reboot_is_stored() -> None:
    world = rebooted_soon_after_an_approval()
    assert_rests_on_evidence(world.events, "MON-11")


def test_what_nobody_was_told_of_before_a_reboot_may_not_be_stored() -> None:
    world = rebooted_soon_after_an_approval()
    untold = [
        e for e in world.events
        if e.kind not in ("slip", "screen") and not (e.kind == "operation.completed" and e.op == 2)
    ]  # fmt: skip
    assert_verdict(untold, "MON-11", "INCONCLUSIVE")


def test_a_sign_in_by_itself_and_one_asked_for_at_once_are_one_recovery() -> None:
    world = World()
    world.sign_in()
    world.remove_terminal()
    world.sign_in()
    world.register_terminal()
    world.background_sign_in()
    world.sign_in()
    assert_rests_on_evidence(world.events, "REC-01")


def test_a_sale_refused_between_two_granted_sign_ins_leaves_it_open() -> None:
    world = World()
    world.sign_in()
    world.remove_terminal()
    world.sign_in()
    world.register_terminal()
    world.background_sign_in()
    world.terminal.signed_in = False
    world.sale(500)
    world.sign_in()
    assert_verdict(world.events, "REC-01", "INCONCLUSIVE")


def till_goes_on(times: int) -> World:
    """A till that tries again at once: no idle between, and then idle and the menu."""
    world = World(limits={"repeated_97": 4})
    world.remove_terminal()
    for _ in range(times):
        world.sign_in(via="cashier")
        world.events = list(world.events[:-1])  # idle, 5 s after
        world.wait(-5.4)
    world.idle()
    operation = world.invoke("menu")
    world.screen("管理菜单", "1.终端参数")
    world.idle()
    world.complete(operation, "ok")
    world.wait(40)
    world.heartbeat(1)
    return world


def test_a_till_that_tries_again_at_once_is_served() -> None:
    world = till_goes_on(4)
    assert_rests_on_evidence(world.events, "STA-06")
    assert "served" in findings(world.events, "STA-06")[0].reason


def test_an_operation_that_gets_nowhere_after_97_fails() -> None:
    world = World()
    world.remove_terminal()
    world.sign_in(via="cashier")
    operation = world.invoke("sign_in")
    world.wait(10)
    world.complete(operation, "unknown")
    assert_verdict(world.events, "STA-06", "FAIL")


def test_a_terminal_that_reacts_is_not_stuck_whatever_the_bench_made_of_it() -> None:
    world = World()
    world.remove_terminal()
    world.sign_in(via="cashier")
    operation = world.invoke("sign_in")
    world.display(*ALERT)
    world.wait(10)
    world.complete(operation, "unknown")
    assert_verdict(world.events, "STA-06", "")


def many_batches_of_the_same_number(batches: int) -> World:
    """Each test begins in batch 000001 again, after one that was settled and closed."""
    world = World()
    for number in range(batches):
        with world.test(f"t::{number}"):
            world.set_host_batch("000001")
            world.sign_in()
            world.sale(1000 + number)
            world.sale(500, "97")
            world.settle(unbalanced=True)
            world.ledger()
    return world


def test_batches_of_the_same_number_are_kept_apart() -> None:
    world = many_batches_of_the_same_number(3)
    assert [f.verdict for f in findings(world.events, "MON-07")] == ["PASS"] * 3
    assert not [f for f in judge_bench(world.events) if f.verdict == "FAIL"]


def test_the_span_of_a_later_one_is_judged_alone() -> None:
    world = many_batches_of_the_same_number(3)
    span = [e for e in world.events if e.span == "t::2" or isinstance(e, RunOpened | Key)]
    assert_verdict(span, "MON-07", "PASS")
    assert not [f for f in judge_bench(span) if f.verdict == "FAIL"]
    without = [e for e in span if e.kind != "slip"]
    assert verdict(without, "MON-07") == "FAIL"


def calls_to_judge(events: list[AnyEvent]) -> int:
    """How many Python functions judging calls: what it costs, without a clock."""
    calls = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        judge_bench(events)
    finally:
        sys.setprofile(before)
    return calls


@pytest.mark.parametrize("kind", ["sign_in", "sale", "fault"])
def test_the_cost_of_judging_grows_with_the_history_and_not_faster(kind: str) -> None:
    """Four times as many 97s, or faults, in a row cost about four times as much (by the square it were sixteen)."""

    def history(times: int) -> list[AnyEvent]:
        world = World()
        world.sign_in()
        for _ in range(times):
            if kind == "fault":
                world.sale(500, reset())
            elif kind == "sale":
                world.sale(500, says("97"))
            else:
                world.sign_in("97", via="cashier")
        return world.events

    few, many = history(100), history(400)
    assert calls_to_judge(many) < 6 * calls_to_judge(few)
