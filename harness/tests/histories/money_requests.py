"""MON-01, MON-02, MON-05, MON-08: what a 97 to a request does to batch, totals and trace numbers."""

from __future__ import annotations

from harness.tests.golden import World, late
from harness.tests.golden_stories import Stories

stories = Stories("MON-")
good, bad, undecided, no_occasion = stories.good, stories.bad, stories.undecided, stories.no_occasion


def recover(world: World) -> None:
    world.register_terminal()
    world.sign_in()


# -- MON-01: a financial request answered 97 is not in the batch -------------------------------------------------------


@good("MON-01", "the approved ones only")
def the_settlement_claims_the_approved_sale_only(world: World) -> None:
    world.sign_in()
    world.sale(1200)
    world.remove_terminal()
    world.sale(500)
    recover(world)
    world.settle()


@good("MON-01", "0 debits of 0.00")
def nothing_approved_nothing_claimed(world: World) -> None:
    world.sign_in()
    world.sale(500, "97")
    world.settle(unbalanced=True)


@good("MON-01")
def a_void_refused_leaves_the_sale(world: World) -> None:
    world.sign_in()
    sale = world.sale(1200)
    world.void(sale.trace, "97")
    world.settle()


@good("MON-01", "own word")
def counters_before_and_after(world: World) -> None:
    world.sign_in()
    world.sale(1200)
    world.read_counters()
    world.sale(500, "97")
    world.read_counters()


@bad("MON-01", "the difference is what was answered 97")
def the_settlement_claims_the_declined_sale(world: World) -> None:
    world.sign_in()
    world.sale(1200)
    world.sale(500, "97")
    world.terminal.book()
    world.settle("58")


@bad("MON-01", "the difference is what was answered 97")
def one_of_two_declined_sales_is_claimed(world: World) -> None:
    world.sign_in()
    world.sale(500, "97")
    world.sale(500, "97")
    world.terminal.book()
    world.settle("58")


@bad("MON-01", "the batch upload lists it")
def the_upload_lists_the_declined_sale(world: World) -> None:
    world.sign_in()
    world.sale(500, "97")
    world.terminal.book()
    world.settle(unbalanced=True)


@bad("MON-01", "the difference is what was answered 97")
def a_void_is_booked_on_97(world: World) -> None:
    world.sign_in()
    sale = world.sale(1200)
    world.void(sale.trace, "97")
    world.terminal.book()
    world.settle("58")


@bad("MON-01", "show it as booked")
def the_counters_show_it(world: World) -> None:
    world.sign_in()
    world.read_counters()
    world.sale(500, "97")
    world.terminal.book()
    world.read_counters()


@undecided("MON-01", "not explained by this 97")
def totals_that_differ_for_another_reason(world: World) -> None:
    world.sign_in()
    world.sale(1200)
    world.sale(500, "97")
    world.terminal.log.clear()
    world.settle()


@undecided("MON-01", "nothing after the 97")
def nobody_ever_settles(world: World) -> None:
    world.sign_in()
    world.sale(500, "97")


@no_occasion("MON-01")
def a_late_97_is_no_decline(world: World) -> None:
    world.sign_in()
    world.sale(500, late("97"))
    world.settle()


# -- MON-02: a definite 97 raises no reversal --------------------------------------------------------------------------


@good("MON-02", "and no reversal")
def the_next_sale_has_no_reversal_before_it(world: World) -> None:
    world.sign_in()
    world.sale(500, "97")
    world.sale(700)


@good("MON-02", "came the settlement")
def the_settlement_has_no_reversal_before_it(world: World) -> None:
    world.sign_in()
    world.sale(500, "97")
    world.settle()


@bad("MON-02", "a reversal of it followed")
def a_reversal_of_a_definite_97(world: World) -> None:
    world.sign_in()
    world.sale(500, "97")
    world.terminal.want_reversal()
    world.sale(700)


@bad("MON-02", "a reversal of it followed")
def a_reversal_long_after(world: World) -> None:
    world.sign_in()
    world.sale(500, "97")
    declined = world.terminal.last_request
    world.sale(700)
    world.terminal.last_request = declined
    world.terminal.want_reversal("06")
    world.settle()


@undecided("MON-02", "nothing was sent that a reversal would have preceded")
def only_a_sign_in_follows(world: World) -> None:
    world.sign_in()
    world.sale(500, "97")
    world.sign_in()


@no_occasion("MON-02")
def power_goes_before_the_terminal_can_have_acted_on_97(world: World) -> None:
    world.sign_in()
    world.quiet = True
    world.sale(500, "97")
    answered = next(e for e in reversed(world.events) if e.kind == "wire.frame")
    world.t = answered.t
    world.reboot("cut")
    world.terminal.want_reversal()
    world.sale(700)


# -- MON-05: settlement answered 97 ------------------------------------------------------------------------------------


@good("MON-05", "the same totals")
def offered_again_as_it_was(world: World) -> None:
    world.sign_in()
    world.sale(1200)
    world.remove_terminal()
    world.settle()
    recover(world)
    world.settle()


@good("MON-05", "and the 2 booked since")
def offered_again_with_what_was_sold_since(world: World) -> None:
    world.sign_in()
    world.sale(1200)
    world.settle("97")
    sale = world.sale(700)
    world.void(sale.trace)
    world.settle()


@bad("MON-05", "the next one is of batch 000002")
def another_batch_number(world: World) -> None:
    world.sign_in()
    world.sale(1200)
    world.settle("97")
    world.terminal.batch = "000002"
    world.settle()


@bad("MON-05", "and 0 debits of 0.00")
def the_batch_was_wiped(world: World) -> None:
    world.sign_in()
    world.sale(1200)
    world.settle("97")
    world.terminal.log.clear()
    world.settle()


@undecided("MON-05", "no settlement followed")
def never_settled_again(world: World) -> None:
    world.sign_in()
    world.sale(1200)
    world.settle("97")


# -- MON-08: no trace number twice in a batch --------------------------------------------------------------------------


@good("MON-08", "across a boot")
def numbers_go_on_after_a_boot(world: World) -> None:
    world.sign_in()
    world.sale(1200)
    world.reboot()
    world.sale(1300)


@good("MON-08", "across a 97")
def numbers_go_on_after_97(world: World) -> None:
    world.sign_in()
    world.sale(1200, "97")
    world.sale(1300)


@good("MON-08", "after trace 999999 comes 000001")
def the_number_wraps(world: World) -> None:
    world.sign_in()
    world.terminal.trace = 999_999
    world.sale(1200)
    world.sale(1300)


@bad("MON-08", "trace 000002 was used for two originals")
def used_again_after_a_boot(world: World) -> None:
    world.sign_in()
    world.sale(1200)
    world.reboot()
    world.terminal.trace = 2
    world.sale(1200)


@bad("MON-08", "trace 000002 was used for two originals")
def used_again_for_another_amount(world: World) -> None:
    world.sign_in()
    world.sale(1200, "97")
    world.terminal.trace = 2
    world.sale(1300)


@bad("MON-08", "000000")
def wraps_to_zero(world: World) -> None:
    world.sign_in()
    world.terminal.trace = 999_999
    world.sale(1200)
    world.terminal.trace = 0
    world.sale(1300)


@no_occasion("MON-08")
def numbers_of_another_batch(world: World) -> None:
    world.sign_in()
    world.sale(1200)
    world.settle()
    world.reboot()
    world.terminal.trace = 2
    world.sale(1300)


@no_occasion("MON-08")
def numbers_of_another_unit(world: World) -> None:
    world.sign_in()
    world.sale(1200)
    world.replaced("97000002", "the first one was dropped")
    world.terminal.trace = 2
    world.sale(1300)
