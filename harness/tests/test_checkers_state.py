"""STA-01 to STA-07 on golden histories: good ones, bad ones that each break one rule, and what a PASS rests on."""

from __future__ import annotations

from typing import Any

import pytest

from harness.history.events import AnyEvent
from harness.protocol import frames, keys
from harness.tests.golden import MID, TID, World, dropped, late, says
from harness.tests.golden_wire import WorkingKeys, request_of
from harness.tests.judging import (
    assert_rests_on_evidence,
    assert_verdict,
    changed,
    findings,
    is_screen,
    why,
)


def refused_on_sign_in(**how: Any) -> World:
    """Signed in once; then the registration is gone and a sign-in is answered 97."""
    world = World(**how)
    world.sign_in()
    world.remove_terminal()
    world.sign_in()
    world.terminal.signed_in = False
    return world


# -- STA-01 --------------------------------------------------------------------------------------------------------


def test_after_97_on_sign_in_no_sale_leaves() -> None:
    world = refused_on_sign_in()
    world.sale(500)
    assert_rests_on_evidence(world.events, "STA-01")


def test_a_sale_that_leaves_after_97_on_sign_in_fails() -> None:
    world = refused_on_sign_in()
    world.terminal.signed_in = True
    world.sale(500)
    assert_verdict(world.events, "STA-01", "FAIL")


def test_after_the_next_sign_in_sales_may_leave() -> None:
    world = refused_on_sign_in()
    world.register_terminal()
    world.sign_in()
    world.sale(500)
    assert_verdict(world.events, "STA-01", "")


def test_a_pending_reversal_may_leave() -> None:
    world = World()
    world.sign_in()
    world.sale(500, dropped())
    world.remove_terminal()
    world.sign_in()
    world.terminal.signed_in = False
    world.send_reversal()
    world.sale(600)
    assert_verdict(world.events, "STA-01", "PASS")


def test_a_97_on_a_sale_is_no_97_on_sign_in() -> None:
    world = World()
    world.sign_in()
    world.sale(500, "97")
    world.sale(600)
    assert_verdict(world.events, "STA-01", "")


def test_without_link_nothing_can_leave_and_nothing_is_proved() -> None:
    world = refused_on_sign_in()
    world.unplug()
    world.sale(500)
    world.plug()
    assert_verdict(world.events, "STA-01", "")


@pytest.mark.parametrize(("rule", "reboot"), [("STA-01", False), ("STA-04", True)])
@pytest.mark.parametrize("how", ["hangs", "connects"])
def test_a_terminal_that_does_not_refuse_proves_nothing(rule: str, reboot: bool, how: str) -> None:
    world = refused_on_sign_in()
    if reboot:
        world.reboot()
    operation = world.invoke("sale", amount="500", entry="magnetic", pin="no")
    if how == "connects":
        stream = world.next("stream")
        for state in ("opening", "open"):
            world.connection(stream, state, "terminal")
        world.connection(stream, "closed", "terminal")
    world.complete(operation, "unknown" if how == "hangs" else "fail")
    world.heartbeat(1)
    assert_verdict(world.events, rule, "INCONCLUSIVE")


def test_a_sign_in_of_its_own_may_connect_meanwhile() -> None:
    world = refused_on_sign_in()
    operation = world.invoke("sale", amount="500", entry="magnetic", pin="no")
    world.background_sign_in(dropped())
    world.display("请先签到")
    world.complete(operation, "fail", "Z4")
    world.heartbeat(1)
    assert_verdict(world.events, "STA-01", "PASS")


# -- STA-02 --------------------------------------------------------------------------------------------------------


def sale_answered_97_with_keys(planted: WorkingKeys) -> World:
    world = World()
    world.sign_in()
    world.sale(500, "97")
    response = [e for e in world.events if e.kind == "wire.frame" and e.direction == "to_terminal"][-1]
    frame = frames.decode(bytes.fromhex(response.hex))
    fields = {62: planted.wrapped(world.host.keys.tmk), 60: f"00{world.host.batch}003"}
    sealed = keys.seal(frame.but(fields), world.host.working.mak)
    world.events = changed(world.events, lambda e: e is response, hex=sealed.raw.hex().upper())
    return world


def sign_in_answered_97_with_keys(planted: WorkingKeys) -> World:
    """The terminal is not signed in afterwards, but a reversal may leave: with which key?"""
    world = World()
    world.sign_in()
    world.sale(500, dropped())
    world.sign_in("97")
    response = [e for e in world.events if e.kind == "wire.frame" and e.direction == "to_terminal"][-1]
    spoiled = frames.decode(bytes.fromhex(response.hex)).but({62: planted.wrapped(world.host.keys.tmk)})
    world.events = changed(world.events, lambda e: e is response, hex=spoiled.raw.hex().upper())
    return world


def test_keys_in_a_97_are_not_loaded() -> None:
    world = sign_in_answered_97_with_keys(WorkingKeys.of(77))
    world.send_reversal()
    assert_rests_on_evidence(world.events, "STA-02")


def test_keys_loaded_from_a_97_fail() -> None:
    planted = WorkingKeys.of(77)
    world = sign_in_answered_97_with_keys(planted)
    world.terminal.working = planted
    world.send_reversal()
    assert_verdict(world.events, "STA-02", "FAIL")
    assert "made with them" in findings(world.events, "STA-02")[0].reason


def test_keys_planted_in_the_97_to_a_sale() -> None:
    world = sale_answered_97_with_keys(WorkingKeys.of(77))
    world.sale(600)
    assert_verdict(world.events, "STA-02", "PASS")


def test_a_mac_under_no_known_key_fails_and_without_the_master_key_it_is_open() -> None:
    world = sign_in_answered_97_with_keys(WorkingKeys.of(77))
    world.terminal.working = WorkingKeys.of(78)
    world.send_reversal()
    assert_verdict(world.events, "STA-02", "FAIL")
    assert_verdict([e for e in world.events if e.kind != "key"], "STA-02", "INCONCLUSIVE")


# -- STA-03 --------------------------------------------------------------------------------------------------------


def recovered() -> World:
    world = World()
    world.sign_in()
    world.sale(500, "97")
    world.sign_in()
    world.sale(600)
    return world


def test_the_same_identity_and_keys_after_97() -> None:
    assert_rests_on_evidence(recovered().events, "STA-03")


def test_a_sign_in_without_keys_goes_on_with_the_old_ones() -> None:
    world = World()
    world.sign_in()
    world.sale(500, "97")
    kept = world.terminal.working
    world.sign_in(says("00", f62="none"))
    world.terminal.working, world.terminal.signed_in = kept, True
    world.host.working = kept or world.host.working
    world.sale(600)
    assert_rests_on_evidence(world.events, "STA-03")


def test_a_wrong_mac_after_97_and_sign_in_fails() -> None:
    world = World()
    world.sign_in()
    world.sale(500, "97")
    world.sign_in()
    world.terminal.working = WorkingKeys.of(99)
    world.sale(600)
    assert_verdict(world.events, "STA-03", "FAIL")


def test_an_approved_sign_in_that_the_terminal_cannot_use_fails() -> None:
    world = World()
    world.sign_in()
    world.sale(400)
    world.sale(500, "97")
    world.sign_in()
    last = [e for e in world.events if e.kind == "operation.completed"][-1]
    events = changed(world.events, lambda e: e is last, outcome="fail", code="Z3")
    assert_verdict(events, "STA-03", "FAIL")
    world.load_tmk()
    assert_verdict(world.events, "STA-03", "")


def test_another_identity_after_97_fails() -> None:
    world = World()
    world.sign_in()
    world.sale(500, "97")
    world.sign_in()
    request = [e for e in world.events if e.kind == "wire.frame" and e.direction == "to_acquirer"][-1]
    blank = frames.decode(bytes.fromhex(request.hex)).but({41: "00000000"}).raw.hex().upper()
    assert_verdict(changed(world.events, lambda e: e is request, hex=blank), "STA-03", "FAIL")


def with_reprint() -> World:
    world = World()
    world.sign_in()
    world.sale(500)
    world.sale(600, "97")
    world.reprint()
    return world


def test_a_reprint_after_97() -> None:
    assert_rests_on_evidence(with_reprint().events, "STA-03")


def test_a_reprint_that_gives_nothing_after_97_fails() -> None:
    events = with_reprint().events
    slip = [e for e in events if e.kind == "slip"][-1]
    assert_verdict([e for e in events if e is not slip], "STA-03", "FAIL")


def test_asking_for_ca_keys_after_97_fails() -> None:
    world = World()
    world.sign_in()
    world.sale(500, "97")
    world._exchange(request_of("0820", {60: f"00{world.terminal.batch}372"}), says("00"))
    assert_verdict(world.events, "STA-03", "FAIL")


# -- STA-04 --------------------------------------------------------------------------------------------------------


def test_still_signed_out_after_a_reboot() -> None:
    world = refused_on_sign_in()
    world.reboot("cut")
    world.sale(500)
    assert_rests_on_evidence(world.events, "STA-04")
    assert_verdict(world.events, "STA-01", "")


def test_signed_in_again_by_a_reboot_fails() -> None:
    world = refused_on_sign_in()
    world.reboot()
    world.terminal.signed_in = True
    world.sale(500)
    assert_verdict(world.events, "STA-04", "FAIL")


def test_a_cut_right_after_the_97_leaves_the_state_before_it_open() -> None:
    world = World()
    world.sign_in()
    world.remove_terminal()
    world.invoke("sign_in")
    fields = {11: world.terminal.next_trace(), 60: f"00{world.terminal.batch}003", 63: "001"}
    world._exchange(request_of("0800", fields), says("97"))
    world.reboot("cut")
    world.terminal.signed_in = True
    world.sale(500)
    assert_verdict(world.events, "STA-04", "")


def pending_over_97_and_reboot() -> World:
    world = World()
    world.sign_in()
    world.sale(500, dropped())
    world.send_reversal("97")
    world.reboot()
    return world


def test_a_reversal_outlives_97_and_reboot() -> None:
    world = pending_over_97_and_reboot()
    world.sale(600)
    assert_rests_on_evidence(world.events, "STA-04")


def test_a_reversal_lost_by_97_and_reboot_fails() -> None:
    world = pending_over_97_and_reboot()
    world.terminal.pending = None
    world.sale(600)
    assert_verdict(world.events, "STA-04", "FAIL")


def test_a_reversal_lost_before_is_not_lost_by_97_and_reboot() -> None:
    world = World()
    world.sign_in()
    world.sale(500, dropped())
    world.terminal.pending = None
    world.settle()
    world.sign_in("97")
    world.reboot()
    world.sign_in()
    world.sale(600)
    assert "reversal" not in why(world.events, "STA-04")


def test_an_answer_that_passes_long_after_its_reversal_begins_nothing_anew() -> None:
    world = World()
    world.sign_in()
    world.sale(500, late())
    answer = max(e.seq for e in world.events if e.kind == "wire.frame")
    world.send_reversal()
    world.sale(600)
    by_then = world.t
    world.sign_in("97")
    world.reboot()
    world.sign_in()
    world.sale(700)
    events = [e.model_copy(update={"t": by_then}) if e.seq == answer else e for e in world.events]
    assert "reversal" not in why(events, "STA-04")


# -- STA-05 --------------------------------------------------------------------------------------------------------


def retried(*gaps: float, then: float = 400.0, time_scale: float = 1.0) -> World:
    """A sign-in answered 97, and the terminal tries again by itself after each gap (s)."""
    world = World(registered=False, time_scale=time_scale)
    world.sign_in()
    for gap in gaps:
        world.wait(gap)
        world.background_sign_in()
    world.wait(then)
    world.acknowledge()
    world.close()
    return world


def test_no_retry_at_all() -> None:
    assert_rests_on_evidence(retried().events, "STA-05")


def test_retries_with_back_off() -> None:
    assert_verdict(retried(30, 60, 120, 240, 480).events, "STA-05", "PASS")


@pytest.mark.parametrize("gaps", [(5, 6, 8, 9, 10), tuple(range(60, 60 + 25 * 4, 4))])
def test_too_many_retries_fail(gaps: tuple[float, ...]) -> None:
    assert_verdict(retried(*gaps).events, "STA-05", "FAIL")


@pytest.mark.parametrize(("granted", "verdict"), [(True, ""), (False, "FAIL")])
def test_what_it_sends_once_it_is_in_service_follows_no_97(granted: bool, verdict: str) -> None:
    """A 97 that the host never said (forged): the next sign-in is granted, and what follows is work, not retries."""
    world = World(registered=True)
    world.sign_in("97")
    if granted:
        world.sign_in()
    for _ in range(5):
        world.wait(5)
        world.background_sign_in(None if granted else "97")
    world.wait(400)
    world.acknowledge()
    world.close()
    assert_verdict(world.events, "STA-05", verdict)


@pytest.mark.parametrize("gaps", [(100, 100, 100, 100), (100, 200, 50)])
def test_retries_without_back_off_fail(gaps: tuple[float, ...]) -> None:
    assert_verdict(retried(*gaps).events, "STA-05", "FAIL")


def test_a_minute_must_be_seen_in_the_terminals_own_time() -> None:
    assert_verdict(retried(then=40).events, "STA-05", "")
    assert_verdict(retried(then=40, time_scale=20).events, "STA-05", "PASS")
    assert_verdict(retried(5, 10, time_scale=20).events, "STA-05", "PASS")


def background(*, keys: int, each: int, between: float = 0.5, power_cycles: bool = False) -> World:
    """Sign-ins by itself, answered 97, in rows that an operator's key (or a power cycle) breaks."""
    world = World(registered=False)
    world.sign_in()
    for _ in range(keys):
        for _ in range(each):
            world.background_sign_in()
            world.wait(between)
        world.reboot() if power_cycles else world.acknowledge()
    world.close()
    return world


def test_an_operators_key_does_not_start_the_count_again() -> None:
    assert_verdict(background(keys=12, each=3).events, "STA-05", "FAIL")
    assert_verdict(background(keys=3, each=1).events, "STA-05", "")
    assert_verdict(background(keys=21, each=1, between=100).events, "STA-05", "FAIL")


def test_after_an_operators_power_cycle_it_may_sign_in_by_itself() -> None:
    assert_verdict(background(keys=12, each=2, power_cycles=True).events, "STA-05", "")
    assert_verdict(background(keys=2, each=5, power_cycles=True).events, "STA-05", "FAIL")


def test_a_reset_of_its_own_does_not_start_the_count_again() -> None:
    world = World(registered=False)
    world.sign_in()
    for _ in range(5):
        world.background_sign_in()
        world.reboot("watchdog")
    assert_verdict(world.events, "STA-05", "FAIL")


@pytest.mark.parametrize(("mti", "times", "expected"), [("0400", 50, "FAIL"), ("0400", 4, ""), ("0820", 50, "FAIL")])
def test_one_operation_does_not_explain_any_number_of_requests(mti: str, times: int, expected: str) -> None:
    world = World()
    world.sign_in()
    world.sale(500, dropped())
    world.remove_terminal()
    operation = world.invoke("sale" if mti == "0400" else "echo", amount="600", entry="magnetic", pin="no")
    for _ in range(times):
        if mti == "0400":
            world.send_reversal()
        else:
            world._exchange(request_of("0820", {60: f"00{world.terminal.batch}301"}), says("97"))
    world.result("97")
    world.complete(operation, "fail", "97")
    world.close()
    assert_verdict(world.events, "STA-05", expected)


# -- STA-06 --------------------------------------------------------------------------------------------------------


def met_97(times: int, *, menu: str | None = "ok", **how: Any) -> World:
    world = World(limits={"repeated_97": 5, "repeated_97_physical": 3}, **how)
    world.sign_in()
    for _ in range(times):
        world.sale(500, "97")
    if menu:
        operation = world.invoke("menu")
        world.screen("管理菜单", "1.终端参数")
        world.idle()
        world.complete(operation, menu)  # type: ignore[arg-type]
    world.close()
    return world


def test_operable_after_so_many_97s() -> None:
    assert_rests_on_evidence(met_97(5).events, "STA-06")


def test_fewer_are_no_occasion_but_a_physical_terminal_needs_fewer() -> None:
    assert_verdict(met_97(4).events, "STA-06", "")
    assert_verdict(met_97(3, physical_like=True).events, "STA-06", "PASS")


def test_a_row_is_broken_by_an_approval_and_by_a_reboot() -> None:
    for breaker in ("approval", "reboot"):
        world = World(limits={"repeated_97": 4})
        world.sign_in()
        for count in range(4):
            if count == 2:
                world.sale(100) if breaker == "approval" else world.reboot()
            world.sale(500, "97")
        assert_verdict(world.events, "STA-06", "")


@pytest.mark.parametrize("menu", ["fail", "unknown"])
def test_a_menu_that_does_not_open_fails(menu: str) -> None:
    assert_verdict(met_97(2, menu=menu).events, "STA-06", "FAIL")


def test_without_the_menu_it_is_open() -> None:
    assert_verdict(met_97(5, menu=None).events, "STA-06", "INCONCLUSIVE")


def test_a_reset_in_the_row_fails() -> None:
    world = met_97(3, menu=None)
    world.reboot("watchdog")
    assert_verdict(world.events, "STA-06", "FAIL")


def test_a_terminal_that_stays_on_its_result_fails() -> None:
    world = met_97(1, menu=None)
    result = next(i for i, e in enumerate(world.events) if is_screen("应答码:97")(e))
    events: list[AnyEvent] = world.events[: result + 2]
    world.events, world.t = events, events[-1].t
    world.wait(60)
    world.heartbeat(3)
    assert_verdict(world.events, "STA-06", "FAIL")


# -- STA-07 --------------------------------------------------------------------------------------------------------


def identity_set(*, stored: bool = True, answer: str = "ERR 85 transactions stored", tid: str = "20000002") -> World:
    world = World()
    world.sign_in()
    if stored:
        world.sale(500)
    operation = world.invoke("set_identity", "service", tid=tid, mid=MID)
    world.service("to_terminal", f"SET TID={tid} MID={MID}")
    world.service("from_terminal", answer)
    world.complete(operation, "ok" if answer.startswith("OK") else "fail")
    world.echo()
    return world


def test_identity_is_refused_with_a_reason() -> None:
    assert_rests_on_evidence(identity_set().events, "STA-07")


def test_identity_taken_fails() -> None:
    assert_verdict(identity_set(answer="OK").events, "STA-07", "FAIL")


def test_identity_refused_without_a_reason_fails() -> None:
    assert_verdict(identity_set(answer="ERR 85").events, "STA-07", "FAIL")


def test_identity_refused_but_used_fails() -> None:
    world = identity_set()
    request = [e for e in world.events if e.kind == "wire.frame" and e.direction == "to_acquirer"][-1]
    other = frames.decode(bytes.fromhex(request.hex)).but({41: "20000002"}).raw.hex().upper()
    assert_verdict(changed(world.events, lambda e: e is request, hex=other), "STA-07", "FAIL")


def test_identity_may_be_set_while_nothing_is_stored() -> None:
    assert_verdict(identity_set(stored=False, answer="OK").events, "STA-07", "")
    assert_verdict(identity_set(tid=TID, answer="OK").events, "STA-07", "")
