"""REC-01, REC-03: registered again, the next sign-in succeeds, and what is due goes first."""

from __future__ import annotations

from harness.tests.golden import World, lost, says, withheld
from harness.tests.golden_stories import Stories
from harness.tests.golden_updates import load
from harness.tests.histories.firmware_kept import provision, wiped
from harness.tests.histories.steps import claim_success, deny_success, meet_97

stories = Stories("REC-")
good, bad, undecided, no_occasion = stories.good, stories.bad, stories.undecided, stories.no_occasion


# -- REC-01: registered again, the next sign-in succeeds ---------------------------------------------------------------


@good("REC-01", "the terminal said it is signed in")
def the_next_sign_in_succeeds(world: World) -> None:
    meet_97(world)
    world.register_terminal()
    world.sign_in()


def reset_by_an_update(world: World) -> None:
    load(world, "3.0.0", resets=True)
    wiped(world)
    operation = world.invoke("sign_in")
    world.display("请先设置")
    world.complete(operation, "fail", None, "请先设置")


@no_occasion("REC-01")
def an_update_resets_it_in_between(world: World) -> None:
    meet_97(world)
    world.register_terminal()
    reset_by_an_update(world)
    provision(world)
    world.sign_in()


@bad("REC-01", "was asked to sign in and sent nothing")
def it_sends_nothing_though_it_was_set_up_after_the_reset(world: World) -> None:
    meet_97(world)
    load(world, "3.0.0", resets=True)
    wiped(world)
    provision(world)
    world.register_terminal()
    operation = world.invoke("sign_in")
    world.display("请先设置")
    world.complete(operation, "fail", None, "请先设置")


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


@good("REC-01", "the next sign-in was granted")
def asked_to_sign_in_while_it_does_so_by_itself(world: World) -> None:
    """What it had sent before the registration is answered 97 meanwhile."""
    world.sign_in()
    world.remove_terminal()
    start = len(world.events)
    world.background_sign_in()
    asked = next(i for i in range(start, len(world.events)) if world.events[i].kind == "wire.frame")
    world.register_terminal()
    told = len(world.events)
    operation = world.invoke("sign_in")
    world.complete(operation, "fail", "97")
    for late, index in enumerate((told - 1, told), start=1):
        world.events[index] = world.events[index].model_copy(update={"t": world.events[asked].t + late})
    world.sign_in()


@good("REC-01")
def a_sign_in_right_after_the_cable_was_put_back_can_t_leave(world: World) -> None:
    """The neighbour that was asked for without the cable is given up on a moment later; the next attempt goes out."""
    meet_97(world)
    world.register_terminal()
    world.unplug()
    world.wait(5)
    world.plug()
    world.wait(0.2)
    world.complete(world.invoke("sign_in"), "fail")
    world.sign_in()


@bad("REC-01", "was asked to sign in and sent nothing")
def long_after_the_cable_was_put_back_it_still_does_not_ask(world: World) -> None:
    meet_97(world)
    world.register_terminal()
    world.unplug()
    world.wait(5)
    world.plug()
    world.wait(10)
    world.complete(world.invoke("sign_in"), "fail")
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


@undecided("REC-01", "the wire does not show why")
def an_attempt_that_the_wire_does_not_explain(world: World) -> None:
    meet_97(world)
    world.register_terminal()
    operation = world.invoke("sign_in")
    stream = world.next("stream")
    world.connection(stream, "opening", "terminal")
    world.connection(stream, "open")
    world.connection(stream, "closed", "terminal")
    world.complete(operation, "fail", "Z2")
    world.sign_in()


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


def refused_by_the_host_itself(world: World) -> None:
    """The host decides, told by no rule, that what was sent is no sign-in it can grant."""
    world.sign_in("30")
    last = max(i for i, e in enumerate(world.events) if e.kind == "host.journal")
    world.events[last] = world.events[last].model_copy(update={"rule_id": None})


def refused_again_and_again(world: World) -> None:
    meet_97(world)
    world.register_terminal()
    refused_by_the_host_itself(world)
    refused_by_the_host_itself(world)


@bad("REC-01", "failed, and none was granted after it")
def it_never_recovers_and_is_replaced(world: World) -> None:
    refused_again_and_again(world)
    world.replaced("97000002", "the first one never came back")


@bad("REC-01", "failed, and none was granted after it")
def it_never_recovers_and_is_taken_out_again(world: World) -> None:
    refused_again_and_again(world)
    world.remove_terminal()


@bad("REC-01", "after a reset one was granted")
def it_recovers_only_after_a_power_cycle(world: World) -> None:
    meet_97(world)
    world.register_terminal()
    refused_by_the_host_itself(world)
    world.reboot()
    world.sign_in()


@undecided("REC-01", "need not be the terminal's fault")
def the_host_was_told_to_refuse_it(world: World) -> None:
    meet_97(world)
    world.register_terminal()
    world.sign_in("30")
    world.remove_terminal()


@undecided("REC-01", "need not be the terminal's fault")
def the_cable_was_out_until_it_was_taken_out_again(world: World) -> None:
    meet_97(world)
    world.register_terminal()
    world.sign_in(lost())
    world.remove_terminal()


@no_occasion("REC-01")
def nobody_asked_before_it_was_taken_out_again(world: World) -> None:
    meet_97(world)
    world.register_terminal()
    world.remove_terminal()


@no_occasion("REC-01")
def a_fault_before_the_power_cycle_was_the_hosts(world: World) -> None:
    meet_97(world)
    world.register_terminal()
    world.sign_in(withheld())
    world.reboot()
    world.sign_in()


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


@bad("REC-03", "had not gone before it")
def a_sale_goes_even_before_the_sign_in(world: World) -> None:
    """It needed none: its keys are those from before."""
    world.sign_in()
    world.sale(1500, lost())
    due = world.terminal.pending
    world.remove_terminal()
    world.send_reversal()
    world.register_terminal()
    world.terminal.pending = None
    world.sale(500, "00")
    world.terminal.pending = due
    world.sign_in()
    world.sale(1200)


@bad("REC-03", "had not been delivered before it")
def the_sale_follows_a_reversal_that_nobody_answered(world: World) -> None:
    with_a_reversal_due(world)
    world.sign_in()
    world.send_reversal(withheld())
    world.terminal.pending = None
    world.sale(1200)


@undecided("REC-03", "a slip records", reversal_exhausted="delete_recorded", reversal_attempts=2)
def the_reversal_was_given_up_on_a_slip(world: World) -> None:
    with_a_reversal_due(world)
    world.sign_in()
    assert world.terminal.pending is not None
    trace = world.terminal.pending.trace
    for _ in range(2):
        world.send_reversal(withheld())
    world.terminal.pending = None
    world.slip("冲正失败", f"凭证号:{trace}")
    world.sale(1200)


@no_occasion("REC-03")
def another_unit_that_owes_nothing(world: World) -> None:
    """The reversal was in the unit before it; and this one was told 97 itself."""
    world.sign_in()
    world.sale(1500, lost())
    world.replaced("97000002", "the first one never came back")
    world.terminal.pending = None
    world.remove_terminal()
    world.sign_in()
    world.register_terminal()
    world.sign_in()
    world.sale(1200)


@no_occasion("REC-03")
def no_sale_follows(world: World) -> None:
    with_a_reversal_due(world)
    world.sign_in()
    world.settle()
