"""REC-07, REC-08, REC-10: 97 is shown and goes, from every transaction, in a time that is measured."""

from __future__ import annotations

from harness.tests.golden import World, withheld
from harness.tests.golden_stories import Stories
from harness.tests.histories.steps import deny_success, meet_97, recovered

stories = Stories("REC-")
good, bad, undecided, no_occasion = stories.good, stories.bad, stories.undecided, stories.no_occasion


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
def registered_all_along(world: World) -> None:
    world.sign_in()
    world.sign_in("97")
    world.register_terminal()
    world.sign_in()


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
