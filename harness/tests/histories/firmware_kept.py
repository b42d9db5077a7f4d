"""FWU-01, FWU-02, FWU-08, FWU-09: what outlives an update, which resets, in 97, and which pairs there are."""

from __future__ import annotations

from harness.tests.golden import World, says, withheld
from harness.tests.golden_stories import Stories
from harness.tests.golden_updates import load, offer, refuse, told, unit_with
from harness.tests.histories.steps import begun_before, deny_success, under_way

stories = Stories("FWU-")
good, bad, undecided, no_occasion = stories.good, stories.bad, stories.undecided, stories.no_occasion


# -- FWU-01 ------------------------------------------------------------------------------------------------------------


@good("FWU-01", "are in its next settlement")
def the_batch_is_settled_after_it(world: World) -> None:
    unit_with(world, "0.9.0")
    world.sign_in()
    world.sale(1200)
    load(world, "1.0.0")
    world.settle()


@good("FWU-01", "is signed under the working keys of before")
def nobody_need_sign_in(world: World) -> None:
    unit_with(world, "0.9.0")
    world.sign_in()
    load(world, "1.0.0")
    world.sale(1200)


@good("FWU-01", "is signed under the master key of before")
def it_signs_in_first(world: World) -> None:
    unit_with(world, "0.9.0")
    world.sign_in()
    load(world, "1.0.0")
    world.sign_in()
    world.sale(1200)


@good("FWU-01", "the reversal of the sale 000002 went out after it")
def the_reversal_is_delivered(world: World) -> None:
    unit_with(world, "0.9.0")
    world.sign_in()
    world.sale(1500, withheld())
    load(world, "1.0.0")
    world.send_reversal()


@good("FWU-01", "the offline_sale 000002 went out after it")
def what_was_accepted_offline_is_delivered(world: World) -> None:
    unit_with(world, "0.9.0")
    world.sign_in()
    world.perform("offline_sale", 800)
    load(world, "1.0.0")
    world.deliver()


@good("FWU-01", "parameter timeout is 60 as before")
def a_parameter_is_as_before(world: World) -> None:
    unit_with(world, "0.9.0")
    ask_parameter(world, "60")
    load(world, "1.0.0")
    ask_parameter(world, "60")


@good("FWU-01", "the service port counts as before")
def the_counters_are_as_before(world: World) -> None:
    unit_with(world, "0.9.0")
    world.counters(batch="000001", sales="0/0", voids="0/0", reversal="none")
    load(world, "1.0.0")
    world.counters(batch="000001", sales="0/0", voids="0/0", reversal="none", signed_in="0")


@bad("FWU-01", "after it is from TID")
def another_number(world: World) -> None:
    unit_with(world, "0.9.0")
    world.sign_in()
    load(world, "1.0.0")
    world.tid = "29000009"
    world.echo()


@bad("FWU-01", "asked to sign in it sends nothing any more")
def the_number_is_forgotten(world: World) -> None:
    unit_with(world, "0.9.0")
    world.sign_in()
    load(world, "1.0.0")
    operation = world.invoke("sign_in")
    world.display("请先设置")
    world.complete(operation, "fail")


@bad("FWU-01", "is signed with other keys")
def the_working_keys_are_others(world: World) -> None:
    unit_with(world, "0.9.0")
    world.sign_in()
    load(world, "1.0.0")
    world.terminal.working = world.host.working.__class__(0, bytes(16), bytes(range(8)))
    world.sale(1200)


@bad("FWU-01", "can't use its keys")
def the_master_key_is_another(world: World) -> None:
    unit_with(world, "0.9.0")
    world.sign_in()
    load(world, "1.0.0")
    world.sign_in()
    deny_success(world)


@bad("FWU-01", "the next settlement claims")
def the_batch_is_empty(world: World) -> None:
    unit_with(world, "0.9.0")
    world.sign_in()
    world.sale(1200)
    load(world, "1.0.0")
    world.terminal.log.clear()
    world.settle()


@bad("FWU-01", "is of batch 000002")
def another_batch_begins(world: World) -> None:
    unit_with(world, "0.9.0")
    world.sign_in()
    world.sale(1200)
    load(world, "1.0.0")
    world.terminal.log.clear()
    world.terminal.batch = world.terminal.host_batch = "000002"
    world.sale(700)


@bad("FWU-01", "was sent without it")
def the_reversal_is_forgotten(world: World) -> None:
    unit_with(world, "0.9.0")
    world.sign_in()
    world.sale(1500, withheld())
    load(world, "1.0.0")
    world.terminal.pending = None
    world.sale(700)


@bad("FWU-01", "was sent without it")
def the_reversal_is_forgotten_in_97_and_was_counted(world: World) -> None:
    unit_with(world, "0.9.0")
    world.sign_in()
    world.sale(1500, withheld())
    world.send_reversal("97")
    world.read_counters()
    load(world, "1.0.0")
    world.terminal.pending = None
    world.sale(700)


@bad("FWU-01", "was settled without its delivery")
def what_was_accepted_offline_is_forgotten(world: World) -> None:
    unit_with(world, "0.9.0")
    world.sign_in()
    world.perform("offline_sale", 800)
    load(world, "1.0.0")
    world.terminal.offline.clear()
    world.terminal.log.clear()
    world.settle()


@bad("FWU-01", "parameter timeout was 30, and is 60")
def a_parameter_is_as_out_of_the_box(world: World) -> None:
    unit_with(world, "0.9.0")
    ask_parameter(world, "30")
    load(world, "1.0.0")
    ask_parameter(world, "60")


@bad("FWU-01", "reversal none instead of 000011")
def the_counters_lack_the_reversal(world: World) -> None:
    unit_with(world, "0.9.0")
    world.counters(batch="000001", sales="2/2000", voids="0/0", reversal="000011")
    load(world, "1.0.0")
    world.counters(batch="000001", sales="2/2000", voids="0/0", reversal="none")


@bad("FWU-01", "is answered 97 to sign_in")
def a_97_that_was_not_there_before(world: World) -> None:
    unit_with(world, "0.9.0")
    world.sign_in()
    load(world, "1.0.0")
    world.host.registered = False
    world.sign_in()


@bad("FWU-01", "asks anew for what it had")
def the_keys_of_the_cards_are_fetched_anew(world: World) -> None:
    unit_with(world, "0.9.0")
    world.sign_in()
    load(world, "1.0.0")
    world.download("capk_update", by_itself=True)


@good("FWU-01", "is from TID 10000001, as before")
def removed_while_it_signs_in(world: World) -> None:
    """The host decides after the removal what was asked before it."""
    unit_with(world, "0.9.0")
    world.sign_in()
    load(world, "1.0.0")
    under_way(world, world.remove_terminal, world.sign_in)


@good("FWU-01", "is from TID 10000001, as before")
def another_master_key_is_given_while_it_signs_in(world: World) -> None:
    unit_with(world, "0.9.0")
    world.sign_in()
    load(world, "1.0.0")
    under_way(world, lambda: world.register_terminal(new_tmk=True), world.sign_in)
    deny_success(world)


@undecided("FWU-01", "no settlement followed that shows them")
def nothing_shows_the_batch(world: World) -> None:
    unit_with(world, "0.9.0")
    world.sign_in()
    world.sale(1200)
    load(world, "1.0.0")


@undecided("FWU-01", "it may have gone with the answer 97")
def the_reversal_may_have_gone_before(world: World) -> None:
    unit_with(world, "0.9.0")
    world.sign_in()
    world.sale(1500, withheld())
    world.send_reversal("97")
    load(world, "1.0.0")
    world.terminal.pending = None
    world.sale(700)


@undecided("FWU-01", "the counters right afterwards still had it")
def the_reversal_went_later(world: World) -> None:
    unit_with(world, "0.9.0")
    world.sign_in()
    world.sale(1500, withheld())
    world.read_counters()
    load(world, "1.0.0")
    world.read_counters()
    world.terminal.pending = None
    world.sale(700)


@no_occasion("FWU-01")
def what_is_refused_is_no_update(world: World) -> None:
    world.sign_in()
    world.sale(1200)
    refuse(world, "1.1.0", flaw="corrupt")
    world.settle()


@no_occasion("FWU-01")
def a_97_that_a_rule_gave(world: World) -> None:
    """Nothing else happened to the unit that there was to keep."""
    unit_with(world, "0.9.0")
    load(world, "1.0.0")


@no_occasion("FWU-01")
def asked_to_sign_in_while_it_connects_by_itself(world: World) -> None:
    unit_with(world, "0.9.0")
    load(world, "1.0.0")
    begun_before(world)


@no_occasion("FWU-01")
def another_unit_came(world: World) -> None:
    unit_with(world, "0.9.0")
    world.sign_in()
    load(world, "1.0.0")
    unit_with(world, "1.0.0")
    world.sign_in()
    world.sale(500)


# -- FWU-02 ------------------------------------------------------------------------------------------------------------


@good("FWU-02", "refused (85 transactions stored)")
def it_waits_for_the_settlement(world: World) -> None:
    world.sign_in()
    world.sale(1200)
    refuse(world, "3.0.0", why="85 transactions stored", resets=True)


@good("FWU-02", "refused (86 reversal pending)")
def it_waits_for_the_reversal(world: World) -> None:
    world.sign_in()
    world.sale(1500, withheld())
    refuse(world, "3.0.0", why="86 reversal pending", resets=True)


@good("FWU-02", "as out of the box")
def provisioned_anew_it_works(world: World) -> None:
    world.sign_in()
    load(world, "3.0.0", resets=True)
    wiped(world)
    operation = world.invoke("sign_in")
    world.display("请先设置")
    world.complete(operation, "fail")
    provision(world)
    world.sign_in()
    world.sale(700)


@good("FWU-02", ": 97, and provisioned anew")
def it_gets_97_and_recovers(world: World) -> None:
    world.sign_in()
    world.remove_terminal()
    load(world, "3.0.0", resets=True)
    world.terminal.signed_in = False
    world.sign_in()
    world.register_terminal()
    provision(world)
    world.sign_in()
    world.sale(700)


@bad("FWU-02", "it was installed")
def it_does_not_wait(world: World) -> None:
    world.sign_in()
    world.sale(1200)
    load(world, "3.0.0", resets=True)


@bad("FWU-02", "refused without a reason")
def it_does_not_say_why(world: World) -> None:
    world.sign_in()
    world.sale(1200)
    refuse(world, "3.0.0", why="", resets=True)


@bad("FWU-02", "left with a blank terminal number")
def a_blank_number_leaves(world: World) -> None:
    world.sign_in()
    load(world, "3.0.0", resets=True)
    wiped(world)
    world.tid = "00000000"
    world.sign_in("97")


@bad("FWU-02", "it can't use it")
def it_never_signs_in_again(world: World) -> None:
    world.sign_in()
    load(world, "3.0.0", resets=True)
    wiped(world)
    operation = world.invoke("sign_in")
    world.display("请先设置")
    world.complete(operation, "fail")
    provision(world)
    world.sign_in()
    deny_success(world)


@undecided("FWU-02", "that it recovers, was not seen")
def nothing_was_done_to_it_afterwards(world: World) -> None:
    world.sign_in()
    load(world, "3.0.0", resets=True)


@no_occasion("FWU-02")
def the_power_goes_before_it_says_whether_it_installs(world: World) -> None:
    world.sign_in()
    world.sale(1200)
    operation = world.invoke("load_firmware", "service", version="3.0.0")
    offer(world, operation.op, "3.0.0", resets=True)
    world.complete(operation, "ok")  # it has it, and was not told to install it yet
    world.power("off", "cut")
    world.power("on")
    told(world, "1.0.0")


@no_occasion("FWU-02")
def an_ordinary_version_keeps_everything(world: World) -> None:
    world.sign_in()
    world.sale(1200)
    load(world, "1.1.0")


# -- FWU-08 ------------------------------------------------------------------------------------------------------------


@good("FWU-08", "registered, the sign-in was granted")
def updated_in_97(world: World) -> None:
    unit_with(world, "0.9.0")
    world.remove_terminal()
    world.sign_in()
    load(world, "1.0.0")
    world.register_terminal()
    world.sign_in()


@bad("FWU-08", "was not taken: 90 busy")
def refused_in_97(world: World) -> None:
    unit_with(world, "0.9.0")
    world.remove_terminal()
    world.sign_in()
    refuse(world, "1.0.0", stays="0.9.0", why="90 busy")


@bad("FWU-08", "registered, the sign-in")
def no_recovery_after_it(world: World) -> None:
    unit_with(world, "0.9.0")
    world.remove_terminal()
    world.sign_in()
    load(world, "1.0.0")
    world.register_terminal()
    world.sign_in()
    deny_success(world)


def registered_under_way(world: World) -> None:
    """The registration comes between the request and the answer of a sign-in that nobody asked for."""
    under_way(world, world.register_terminal, world.background_sign_in)


@good("FWU-08", "registered, the sign-in was granted")
def registered_while_it_signs_in_by_itself(world: World) -> None:
    unit_with(world, "0.9.0")
    world.remove_terminal()
    world.sign_in()
    load(world, "1.0.0")
    registered_under_way(world)
    world.sign_in()


@bad("FWU-08", "registered, the sign-in")
def no_recovery_though_registered_under_way(world: World) -> None:
    unit_with(world, "0.9.0")
    world.remove_terminal()
    world.sign_in()
    load(world, "1.0.0")
    registered_under_way(world)
    world.sign_in()
    deny_success(world)


@undecided("FWU-08", "no recovery followed that tells")
def never_registered_again(world: World) -> None:
    unit_with(world, "0.9.0")
    world.remove_terminal()
    world.sign_in()
    load(world, "1.0.0")


@no_occasion("FWU-08")
def the_host_offers_nothing_to_whom_it_does_not_know(world: World) -> None:
    unit_with(world, "0.9.0")
    world.remove_terminal()
    world.sign_in()
    operation = world.invoke("load_firmware", "operator", version="1.0.0")
    offer(world, operation.op, "1.0.0", via="network")
    world.download("software_update", says("97"), by_itself=True)
    world.complete(operation, "fail", "97")
    told(world, "0.9.0")


@no_occasion("FWU-08")
def out_of_97(world: World) -> None:
    unit_with(world, "0.9.0")
    world.sign_in()
    load(world, "1.0.0")


# -- FWU-09 ------------------------------------------------------------------------------------------------------------


@good("FWU-09", "from 0.9.0 to 1.0.0 by the service port, in service: it runs")
def a_pair(world: World) -> None:
    unit_with(world, "0.9.0")
    world.sign_in()
    load(world, "1.0.0")


@good("FWU-09", "by the network, in 97: it runs")
def a_pair_in_97(world: World) -> None:
    unit_with(world, "0.9.0")
    world.sign_in("97")
    load(world, "1.0.0", via="network")


@bad("FWU-09", "refused (75 other data format)")
def a_pair_that_is_refused(world: World) -> None:
    unit_with(world, "0.9.0")
    refuse(world, "1.0.0", stays="0.9.0", why="75 other data format")


@bad("FWU-09", "installed, and turned back from")
def a_pair_that_fails(world: World) -> None:
    unit_with(world, "0.9.0")
    load(world, "1.0.0", runs="0.9.0")


@undecided("FWU-09", "what ran afterwards is not known")
def nobody_asked(world: World) -> None:
    unit_with(world, "0.9.0")
    load(world, "1.0.0", runs="")


@no_occasion("FWU-09")
def a_link_that_was_hurt_is_no_pair(world: World) -> None:
    unit_with(world, "0.9.0")
    refuse(world, "1.0.0", stays="0.9.0", why="73 broken off", disturbed="the sender stops after 9 blocks")


@no_occasion("FWU-09")
def a_reset_over_stored_money_is_no_pair(world: World) -> None:
    world.sign_in()
    world.sale(1200)
    refuse(world, "3.0.0", why="85 transactions stored", resets=True)


# -- steps -------------------------------------------------------------------------------------------------------------


def ask_parameter(world: World, value: str) -> None:
    world.service("to_terminal", "PARAM timeout?")
    world.service("from_terminal", f"OK timeout={value}")


def wiped(world: World) -> None:
    """A reset by design: as out of the box."""
    world.terminal.signed_in, world.terminal.working, world.terminal.trace = False, None, 1


def provision(world: World) -> None:
    world.load_tmk()
    operation = world.invoke("set_identity", "service", tid=world.tid, mid=world.mid)
    world.complete(operation, "ok")
