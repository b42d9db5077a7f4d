"""The recovery rules on golden histories: each reads like the rule it keeps or breaks."""

from __future__ import annotations

import pytest

from harness.checkers.reading import Reading
from harness.checkers.recovery import missing_recoveries
from harness.tests.golden import MID, TID, World, lost, says, withheld
from harness.tests.golden_stories import Stories, Story

stories = Stories("REC-")
good, bad, undecided, no_occasion = stories.good, stories.bad, stories.undecided, stories.no_occasion


def meet_97(world: World) -> None:
    world.sign_in()
    world.remove_terminal()
    world.sign_in()


def deny_success(world: World) -> None:
    """The operation under way last was granted on the wire, and the terminal says that it failed."""
    index = max(i for i, e in enumerate(world.events) if e.kind == "operation.completed")
    world.events[index] = world.events[index].model_copy(update={"outcome": "fail", "code": "Z3"})


def claim_success(world: World) -> None:
    index = max(i for i, e in enumerate(world.events) if e.kind == "operation.completed")
    world.events[index] = world.events[index].model_copy(update={"outcome": "ok", "code": None})


# -- REC-01: registered again, the next sign-in succeeds ---------------------------------------------------------------


@good("REC-01", "the terminal said it is signed in")
def the_next_sign_in_succeeds(world: World) -> None:
    meet_97(world)
    world.register_terminal()
    world.sign_in()


@good("REC-01", "is signed under its keys")
def it_signs_in_by_itself(world: World) -> None:
    meet_97(world)
    world.register_terminal()
    world.background_sign_in()
    world.sale(1200)


@good("REC-01", registered=False)
def never_registered_before(world: World) -> None:
    world.sign_in()
    world.register_terminal()
    world.sign_in()


@good("REC-01", "a key error before the new master key was loaded")
def a_new_master_key(world: World) -> None:
    meet_97(world)
    world.register_terminal(new_tmk=True)
    world.sign_in()
    world.load_tmk()
    world.sign_in()


@bad("REC-01", "but the terminal said code Z3")
def the_granted_sign_in_fails(world: World) -> None:
    meet_97(world)
    world.register_terminal()
    world.sign_in()
    deny_success(world)


@bad("REC-01", "was asked to sign in and sent nothing")
def the_terminal_does_not_even_ask(world: World) -> None:
    meet_97(world)
    world.register_terminal()
    world.complete(world.invoke("sign_in"), "fail", "97")
    world.reboot()
    world.sign_in()


@bad("REC-01", "the terminal reset itself")
def the_watchdog_helps(world: World) -> None:
    meet_97(world)
    world.register_terminal()
    world.reboot("watchdog")
    world.sign_in()


@bad("REC-01", "not signed under its keys")
def the_old_keys_stay_in_use(world: World) -> None:
    meet_97(world)
    world.register_terminal()
    old = world.terminal.working
    world.background_sign_in()
    world.terminal.working = old
    world.sale(1200)


@bad("REC-01", "is shown as 97")
def a_new_master_key_is_shown_as_97(world: World) -> None:
    meet_97(world)
    world.register_terminal(new_tmk=True)
    operation = world.invoke("sign_in")
    world.background_sign_in()
    world.result("97", "sign_in")
    world.complete(operation, "fail", "97")


@bad("REC-01", "signed in although the new master key was not loaded")
def signed_in_under_a_key_it_can_not_have(world: World) -> None:
    meet_97(world)
    world.register_terminal(new_tmk=True)
    world.sign_in()
    claim_success(world)


@bad("REC-01", "with the new master key loaded the sign-in was granted, but")
def the_new_master_key_does_not_help(world: World) -> None:
    meet_97(world)
    world.register_terminal(new_tmk=True)
    world.sign_in()
    world.load_tmk()
    world.sign_in()
    deny_success(world)


@undecided("REC-01", "no sign-in that was granted before the log ended")
def nobody_signs_in(world: World) -> None:
    meet_97(world)
    world.register_terminal()


@undecided("REC-01", "nothing sent afterwards shows its keys in use")
def it_signs_in_by_itself_and_nothing_follows(world: World) -> None:
    meet_97(world)
    world.register_terminal()
    world.background_sign_in()


@undecided("REC-01", "was not loaded")
def the_new_master_key_is_never_loaded(world: World) -> None:
    meet_97(world)
    world.register_terminal(new_tmk=True)
    world.sign_in()


@no_occasion("REC-01")
def somebody_switched_it_off_and_on(world: World) -> None:
    meet_97(world)
    world.register_terminal()
    world.reboot()
    world.sign_in()


@no_occasion("REC-01")
def registered_for_the_first_time(world: World) -> None:
    world.sign_in()


@no_occasion("REC-01")
def the_host_grants_it_without_sound_keys(world: World) -> None:
    meet_97(world)
    world.register_terminal()
    world.sign_in(says(f62="bad_kcv"))


# -- REC-02: that sign-in loads keys, clock and batch number -----------------------------------------------------------


@good("REC-02", "is signed under the keys of the sign-in before it")
def the_next_sale_has_the_new_key(world: World) -> None:
    meet_97(world)
    world.register_terminal()
    world.sign_in()
    world.sale(1200)


@good("REC-02", "gave batch 000007 in place of 000001")
def the_next_sale_has_the_new_batch_number(world: World) -> None:
    meet_97(world)
    world.register_terminal()
    world.set_host_batch("000007")
    world.sign_in()
    world.sale(1200)


@good("REC-02", "after it 15:")
def the_clock_is_the_hosts(world: World) -> None:
    meet_97(world)
    world.register_terminal()
    world.set_host_clock(3 * 3600)
    world.sign_in()


@good("REC-02", "a sale was attempted, and nothing was sent")
def a_wrong_check_value_is_no_sign_in(world: World) -> None:
    world.sign_in(says(f62="bad_kcv"))
    world.sale(1200)


@bad("REC-02", "is not signed under the keys of the sign-in before it")
def the_next_sale_has_the_old_key(world: World) -> None:
    meet_97(world)
    world.register_terminal()
    old = world.terminal.working
    world.sign_in()
    world.terminal.working = old
    world.sale(1200)


@bad("REC-02", "gave batch 000007, the sale 000004 after it has 000001")
def the_next_sale_has_the_old_batch_number(world: World) -> None:
    meet_97(world)
    world.register_terminal()
    world.set_host_batch("000007")
    world.sign_in()
    world.terminal.batch = "000001"
    world.sale(1200)


@bad("REC-02", "after it 12:")
def the_clock_stays(world: World) -> None:
    meet_97(world)
    world.register_terminal()
    world.set_host_clock(3 * 3600)
    operation = world.invoke("sign_in")
    outcome = world.background_sign_in()
    world.events.pop()
    world.terminal.clock_ahead = 0.0
    world.result(outcome.code, "sign_in")
    world.complete(operation, "ok")
    world.idle()


@bad("REC-02", "is shown as a success")
def a_wrong_check_value_is_shown_as_success(world: World) -> None:
    world.sign_in(says(f62="bad_kcv"))
    claim_success(world)
    world.sale(1200)


@bad("REC-02", "the sale 000003 was sent")
def a_sale_under_keys_with_a_wrong_check_value(world: World) -> None:
    world.sign_in()
    world.terminal.trace = 2
    world.background_sign_in(says(f62="bad_kcv"))
    world.sale(1200)


@undecided("REC-02", "no sale was attempted")
def nothing_attempted_after_a_wrong_check_value(world: World) -> None:
    world.sign_in(says(f62="bad_kcv"))


@undecided("REC-02", "no screen after it shows its clock")
def the_clock_is_not_seen(world: World) -> None:
    meet_97(world)
    world.register_terminal()
    world.set_host_clock(3 * 3600)
    world.quiet = True
    world.sign_in()


@no_occasion("REC-02")
def an_ordinary_sign_in(world: World) -> None:
    world.sign_in()
    world.sale(1200)


# -- REC-03: the pending reversal goes out first -----------------------------------------------------------------------


def with_a_reversal_due(world: World) -> None:
    world.sign_in()
    world.sale(1500, lost())
    world.remove_terminal()
    world.sign_in()
    world.register_terminal()


@good("REC-03", "went out before sale")
def the_reversal_goes_out_before_the_first_sale(world: World) -> None:
    with_a_reversal_due(world)
    world.sign_in()
    world.sale(1200)


@bad("REC-03", "had not gone before it")
def the_sale_goes_first(world: World) -> None:
    with_a_reversal_due(world)
    world.sign_in()
    pending, world.terminal.pending = world.terminal.pending, None
    world.sale(1200)
    world.terminal.pending = pending
    world.sale(1300)


@no_occasion("REC-03")
def no_sale_follows(world: World) -> None:
    with_a_reversal_due(world)
    world.sign_in()
    world.settle()


# -- REC-04: everything works and balances -----------------------------------------------------------------------------


def recovered(world: World) -> None:
    meet_97(world)
    world.register_terminal()
    world.sign_in()


@good("REC-04", "sale, void, settle worked")
def sale_void_and_settlement_work(world: World) -> None:
    recovered(world)
    sale = world.sale(1200)
    world.void(sale.trace)
    world.sale(1300)
    world.settle()


@good("REC-04", "the batch balanced")
def the_host_is_told_to_find_a_difference(world: World) -> None:
    recovered(world)
    sale = world.sale(1200)
    world.void(sale.trace)
    world.settle(unbalanced=True)


@good("REC-04", "sale, settle worked", declaration={"transactions": ["sign_in", "sale", "settle"]})
def a_model_without_voids(world: World) -> None:
    recovered(world)
    world.sale(1200)
    world.settle()


@bad("REC-04", "was answered A0: its MAC is wrong")
def the_old_key_is_used(world: World) -> None:
    recovered(world)
    world.terminal.working = world.host.working.next()
    request = world.sale(1200, "A0").request
    assert request is not None
    world.events = [
        e.model_copy(update={"rule_id": None}) if e.kind == "host.journal" and e.rule_id else e for e in world.events
    ]


@bad("REC-04", "was approved, but the terminal said 96")
def an_approved_sale_is_shown_as_failed(world: World) -> None:
    recovered(world)
    world.sale(1200)
    index = max(i for i, e in enumerate(world.events) if e.kind == "operation.completed")
    world.events[index] = world.events[index].model_copy(update={"outcome": "fail", "code": "96"})


@bad("REC-04", "does not balance")
def the_settlement_does_not_balance(world: World) -> None:
    recovered(world)
    sale = world.sale(1200)
    world.void(sale.trace)
    world.sale(1300)
    world.terminal.log.pop()
    world.settle()


@undecided("REC-04", "not seen to work: void")
def a_void_that_is_refused(world: World) -> None:
    recovered(world)
    sale = world.sale(1200)
    world.void(sale.trace, "91")
    world.settle()


@no_occasion("REC-04")
def not_everything_was_tried(world: World) -> None:
    recovered(world)
    world.sale(1200)
    world.settle()


# -- REC-05: the host's request in the header is obeyed ----------------------------------------------------------------


@good("REC-05", "the terminal signed in by itself")
def it_signs_in_again_when_asked(world: World) -> None:
    recovered(world)
    world.sale(1200, says(processing="3"))
    world.background_sign_in()
    world.sale(1300)


@bad("REC-05", "was sent without one")
def it_goes_on_selling(world: World) -> None:
    recovered(world)
    world.sale(1200, says(processing="3"))
    world.sale(1300)


@bad("REC-05", "an operator did it")
def it_waits_for_an_operator(world: World) -> None:
    recovered(world)
    world.sale(1200, says(processing="3"))
    world.wait(60)
    world.sign_in()


@undecided("REC-05", "an operator did it")
def an_operator_is_quicker(world: World) -> None:
    recovered(world)
    world.sale(1200, says(processing="3"))
    world.sign_in()


@undecided("REC-05", "nothing followed")
def nothing_follows_the_request(world: World) -> None:
    recovered(world)
    world.sale(1200, says(processing="3"))


@no_occasion("REC-05")
def the_host_asks_for_nothing(world: World) -> None:
    recovered(world)
    world.sale(1200)
    world.sale(1300)


# -- REC-06: a host that starts again at 000001 ------------------------------------------------------------------------


def with_a_stored_batch(world: World) -> None:
    world.set_host_batch("000042")
    world.sign_in()
    world.sale(1200)
    world.sale(1300)
    world.remove_terminal()
    world.settle()
    world.register_terminal()
    world.sign_in()


@good("REC-06", "delivered whole, under its own number")
def it_is_delivered_under_its_own_number(world: World) -> None:
    with_a_stored_batch(world)
    world.settle()


@good("REC-06", "has batch 000001, as the host said")
def the_new_number_is_adopted_afterwards(world: World) -> None:
    with_a_stored_batch(world)
    world.settle(unbalanced=True)
    world.sale(1400)


@bad("REC-06", "was sent before it was delivered")
def the_stored_batch_is_forgotten(world: World) -> None:
    with_a_stored_batch(world)
    world.terminal.log.clear()
    world.terminal.adopt_batch()
    world.sale(1400)


@bad("REC-06", "was sent before it was delivered")
def it_is_offered_under_the_new_number(world: World) -> None:
    with_a_stored_batch(world)
    world.terminal.batch = "000001"
    world.settle()


@bad("REC-06", "claims 1 of 2 transactions")
def one_of_them_is_lost(world: World) -> None:
    with_a_stored_batch(world)
    world.terminal.log.pop()
    world.settle()


@bad("REC-06", "has batch 000043, the host said 000001")
def the_old_number_is_counted_on(world: World) -> None:
    with_a_stored_batch(world)
    world.settle()
    world.terminal.batch = "000043"
    world.sale(1400)


@undecided("REC-06", "it was not offered for settlement")
def it_is_never_settled(world: World) -> None:
    with_a_stored_batch(world)


@undecided("REC-06", "takes no old batch", accepts_old_batch=False)
def a_strict_host(world: World) -> None:
    with_a_stored_batch(world)
    world.settle()


@no_occasion("REC-06")
def nothing_was_stored(world: World) -> None:
    world.set_host_batch("000042")
    meet_97(world)
    world.register_terminal()
    world.sign_in()
    world.sale(1200)


# -- REC-07: 97 is shown while registration is missing, and approval restores service ----------------------------------


@good("REC-07", "while registration was missing")
def shown_while_missing(world: World) -> None:
    meet_97(world)
    world.register_terminal()
    world.sign_in()


@good("REC-07", "while registration was pending")
def shown_while_pending(world: World) -> None:
    world.sign_in()
    world.leave_registration("pending")
    world.sign_in()
    world.register_terminal()
    world.sign_in()


@good("REC-07", "while registration was rejected")
def shown_while_rejected_at_the_till(world: World) -> None:
    world.sign_in()
    world.leave_registration("rejected")
    world.quiet = True
    world.sign_in(via="cashier")
    world.register_terminal()
    world.sign_in()


@good("REC-07", "while registration was missing", registered=False)
def shown_before_the_first_registration(world: World) -> None:
    world.sign_in()
    world.register_terminal()
    world.sign_in()


@bad("REC-07", "nothing readable showed it")
def shown_as_something_else(world: World) -> None:
    world.sign_in()
    world.leave_registration("pending")
    operation = world.invoke("sign_in")
    world.background_sign_in()
    world.display("通讯超时")
    world.complete(operation, "fail", "Z2")
    world.register_terminal()
    world.sign_in()


@bad("REC-07", "registration was rejected, then given, but")
def approval_does_not_restore_it(world: World) -> None:
    world.sign_in()
    world.leave_registration("rejected")
    world.sign_in()
    world.register_terminal()
    world.sign_in()
    deny_success(world)


@undecided("REC-07", "nothing readable showed it")
def an_unreadable_screen(world: World) -> None:
    world.sign_in()
    world.remove_terminal()
    operation = world.invoke("sign_in")
    world.background_sign_in()
    world.screen("??:??", "????", unreadable=6)
    world.complete(operation, "unknown")
    world.register_terminal()
    world.sign_in()


@undecided("REC-07", "no sign-in was granted")
def no_sign_in_after_approval(world: World) -> None:
    meet_97(world)
    world.register_terminal()


@no_occasion("REC-07")
def nobody_saw_the_97(world: World) -> None:
    world.sign_in()
    world.remove_terminal()
    world.background_sign_in()
    world.register_terminal()
    world.sign_in()


# -- REC-08: from every type of transaction, with and without a reboot -------------------------------------------------


@good("REC-08", "97 on sign_in, without a reboot")
def from_sign_in(world: World) -> None:
    recovered(world)


@good("REC-08", "97 on sale, with a reboot")
def from_a_sale_with_a_reboot(world: World) -> None:
    world.sign_in()
    world.remove_terminal()
    world.sale(500)
    world.reboot()
    world.register_terminal()
    world.sign_in()


@good("REC-08", "97 on void, without a reboot")
def from_a_void(world: World) -> None:
    world.sign_in()
    sale = world.sale(1200)
    world.remove_terminal()
    world.void(sale.trace)
    world.register_terminal()
    world.sign_in()


@good("REC-08", "97 on settlement, without a reboot")
def from_a_settlement(world: World) -> None:
    world.sign_in()
    world.sale(1200)
    world.remove_terminal()
    world.settle()
    world.register_terminal()
    world.sign_in()


@good("REC-08", "97 on batch_upload, with a reboot")
def from_a_batch_upload_with_a_reboot(world: World) -> None:
    world.sign_in()
    world.sale(1200)
    world.settle(unbalanced=True, upload=["97"])
    world.remove_terminal()
    world.reboot("cut")
    world.register_terminal()
    world.sign_in()


@good("REC-08", "97 on reversal, without a reboot")
def from_a_reversal(world: World) -> None:
    world.sign_in()
    world.sale(1500, withheld())
    world.remove_terminal()
    world.sale(700)
    world.register_terminal()
    world.sign_in()


@good("REC-08", "97 on echo, without a reboot")
def from_an_echo(world: World) -> None:
    world.sign_in()
    world.remove_terminal()
    world.echo()
    world.register_terminal()
    world.sign_in()


@bad("REC-08", "97 on sale, without a reboot")
def no_way_back_from_a_sale(world: World) -> None:
    world.sign_in()
    world.remove_terminal()
    world.sale(500)
    world.register_terminal()
    world.sign_in()
    deny_success(world)


@bad("REC-08", "97 on sign_in, with a reboot")
def no_way_back_after_a_reboot(world: World) -> None:
    meet_97(world)
    world.reboot()
    world.register_terminal()
    world.sign_in()
    deny_success(world)


@undecided("REC-08", "no sign-in was granted")
def it_never_signs_in(world: World) -> None:
    meet_97(world)
    world.register_terminal()


@no_occasion("REC-08")
def a_97_without_a_new_registration(world: World) -> None:
    world.sign_in()
    world.sale(500, "97")
    world.sale(700)


# -- REC-10: the time is measured --------------------------------------------------------------------------------------


@good("REC-10", "4.2 s from the operator's action")
def measured_and_in_time(world: World) -> None:
    world.measured("recovery_s", 4.2, low=0.0, high=60.0)


@good("REC-10", "allowed 60 s")
def without_limits_of_its_own_the_profiles_count(world: World) -> None:
    world.measured("recovery_s", 59.0)


@bad("REC-10", "61.0 s from the operator's action")
def too_slow(world: World) -> None:
    world.wait(100)
    world.measured("recovery_s", 61.0, high=60.0)


@undecided("REC-10", "the bench's own clock came 5000 ms late")
def the_bench_was_late_itself(world: World) -> None:
    world.wait(100)
    world.heartbeat(5000.0)
    world.measured("recovery_s", 61.0, high=60.0)


@undecided("REC-10", "no time that can be judged")
def another_unit(world: World) -> None:
    world.measured("recovery_s", 4200.0, unit="ms")


@no_occasion("REC-10")
def something_else_was_measured(world: World) -> None:
    world.measured("sign_in_s", 4.2)


# -- all of them -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("story", stories.kept, ids=str)
def test_good_history_passes(story: Story) -> None:
    stories.passes(story)


@pytest.mark.parametrize("story", stories.kept, ids=str)
def test_without_its_evidence_it_does_not_pass(story: Story) -> None:
    stories.rests_on_its_evidence(story)


@pytest.mark.parametrize("story", stories.broken, ids=str)
def test_bad_history_fails(story: Story) -> None:
    stories.fails(story)


@pytest.mark.parametrize("story", stories.open, ids=str)
def test_open_history_is_undecided(story: Story) -> None:
    stories.stays_open(story)


@pytest.mark.parametrize("story", stories.silent, ids=str)
def test_no_occasion_no_finding(story: Story) -> None:
    stories.stays_silent(story)


def test_every_recovery_rule_has_good_and_bad_histories() -> None:
    assert {story.rule for story in stories.kept} == {story.rule for story in stories.broken} == set(stories.rules)
    assert set(stories.rules) == {f"REC-{n:02d}" for n in (1, 2, 3, 4, 5, 6, 7, 8, 10)}


def reading_of(*tellings: object) -> list[Reading]:
    return [Reading.of(story.events()) for story in stories.kept if story.telling in tellings]


def test_missing_recoveries_are_told_over_all_benches() -> None:
    """What one bench did not try another may have; echo is asked for only where a host answered one with 97."""
    one = reading_of(from_sign_in, from_a_sale_with_a_reboot)
    assert ("sign_in", False) not in missing_recoveries(one)
    assert ("sign_in", True) in missing_recoveries(one)
    assert ("sale", True) not in missing_recoveries(one)
    assert ("echo", False) not in missing_recoveries(one)
    every = [Reading.of(story.events()) for story in stories.kept if story.rule == "REC-08"]
    assert missing_recoveries(every) == [
        ("batch_upload", False), ("echo", True), ("reversal", True), ("sale", False), ("settlement", True),
        ("sign_in", True), ("void", True),
    ]  # fmt: skip


def test_the_words_of_the_golden_world_are_those_of_the_bench() -> None:
    """A registration of another terminal is none of this one."""
    world = World()
    meet_97(world)
    world.changed("terminal_registered", MID, "99999999")
    assert not stories_findings(world)
    assert TID != "99999999"


def stories_findings(world: World) -> list[object]:
    from harness.checkers.recoveries import recoveries

    return list(recoveries(Reading.of(world.checked())))
