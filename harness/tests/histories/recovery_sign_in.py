"""REC-02, REC-05, REC-06: what the sign-in brings, what the host asks for, a batch that starts again."""

from __future__ import annotations

from harness.tests.golden import World, says
from harness.tests.golden_stories import Stories
from harness.tests.histories.steps import claim_success, meet_97, recovered

stories = Stories("REC-")
good, bad, undecided, no_occasion = stories.good, stories.bad, stories.undecided, stories.no_occasion


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
    world.quiet = True
    world.events = [e for e in world.events if e.kind != "screen"]
    world.sign_in()
    world.remove_terminal()
    world.background_sign_in()
    world.quiet = False
    world.idle()
    world.quiet = True
    world.register_terminal()
    world.set_host_clock(3 * 3600)
    world.sign_in()
    world.quiet = False
    world.idle()


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


@undecided("REC-02", "no screen soon after it shows its clock")
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


# -- REC-05: the host's request in the header is obeyed ----------------------------------------------------------------


@good("REC-05", "the terminal did it by itself")
def it_signs_in_again_when_asked(world: World) -> None:
    recovered(world)
    world.sale(1200, says(processing="3"))
    world.background_sign_in()
    world.sale(1300)


@bad("REC-05", "was sent without it")
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


@good("REC-06", "delivered whole, under its own number")
def its_upload_was_cut_by_97_and_goes_on(world: World) -> None:
    world.set_host_batch("000042")
    world.sign_in()
    world.sale(1200)
    world.settle(unbalanced=True, upload=["97"])
    world.remove_terminal()
    world.sign_in()
    world.register_terminal()
    world.sign_in()
    world.settle(resume=True)


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


@bad("REC-06", "claims 1/2 transactions")
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
