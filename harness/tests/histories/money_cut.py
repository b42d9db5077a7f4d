"""The money rules where something is cut off: answers to what is never reversed, power between two steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness.tests.golden import Outcome, World, lost, withheld
from harness.tests.golden_parts import Pending, Reply
from harness.tests.golden_stories import Stories

stories = Stories("MON-")
bad, undecided = stories.bad, stories.undecided


class Cut(Exception):
    """Power went."""


def meet_97_and_reconcile(world: World) -> None:
    world.remove_terminal()
    world.sale(500)
    world.register_terminal()
    world.sign_in()
    world.sale(700)
    world.settle(unbalanced=True)
    world.ledger()


# -- refunds and completion advices: no reversal tells the host that the terminal does not know ------------------------


@undecided("MON-07", "the host has booked 000003 (3.00), whose answer the terminal never had")
def the_answer_to_a_refund_is_lost(world: World) -> None:
    world.sign_in()
    sale = world.sale(1200)
    world.perform("refund", 300, lost(), original=sale.trace)
    meet_97_and_reconcile(world)


@undecided("MON-07", "whose answer the terminal never had")
def the_answer_to_a_completion_advice_never_comes(world: World) -> None:
    world.sign_in()
    authorisation = world.perform("pre_authorisation", 1200)
    world.perform("completion_advice", 1200, withheld(), original=authorisation.trace)
    meet_97_and_reconcile(world)


@bad("MON-07", "the books have 000002 (12.00)")
def a_sale_is_lost_with_it(world: World) -> None:
    world.sign_in()
    sale = world.sale(1200)
    world.perform("refund", 300, lost(), original=sale.trace)
    world.terminal.log.clear()
    meet_97_and_reconcile(world)


@bad("MON-07", "the books have 000003 (3.00)")
def a_refund_that_was_answered_is_lost(world: World) -> None:
    world.sign_in()
    sale = world.sale(1200)
    world.perform("refund", 300, original=sale.trace)
    world.terminal.log.pop()
    meet_97_and_reconcile(world)


# -- power -------------------------------------------------------------------------------------------------------------


def cut_in(world: World, step: str, instead: Callable[..., Any], telling: Callable[[], object]) -> None:
    """``telling`` until ``step`` (a method of the world), which ``instead`` replaces and which ends in a boot."""
    before = getattr(world, step)
    setattr(world, step, instead)
    try:
        telling()
    except Cut:
        world.reboot("cut")
    finally:
        setattr(world, step, before)


def no_power(*_: object) -> None:
    raise Cut


@undecided("MON-07", "power was lost before the slips of 000002 (12.00)")
def power_goes_before_the_slip_is_printed(world: World) -> None:
    world.sign_in()
    cut_in(world, "_print", no_power, lambda: world.sale(1200))
    meet_97_and_reconcile(world)


@undecided("MON-07", "power was lost before the slips of 000002 (12.00)")
def power_goes_while_the_customer_signs(world: World) -> None:
    def sign_here(_: object) -> None:
        world.display("请签名")
        world.wait(5)
        raise Cut

    world.sign_in()
    cut_in(world, "_print", sign_here, lambda: world.sale(1200))
    meet_97_and_reconcile(world)


@bad("MON-07", "which the slips lack")
def power_goes_when_what_was_accepted_offline_is_delivered(world: World) -> None:
    world.sign_in()
    cut_in(world, "_print", lambda stored: None, lambda: world.perform("offline_sale", 1200))
    world.deliver()
    world.reboot("cut")
    meet_97_and_reconcile(world)


@bad("MON-07", "which the slips lack")
def the_printer_is_forgotten_with_power_on(world: World) -> None:
    world.sign_in()
    cut_in(world, "_print", lambda stored: None, lambda: world.sale(1200))
    world.wait(10)
    world.reboot()
    meet_97_and_reconcile(world)


def upload(world: World, *, power: bool) -> None:
    """Ten sales; the first block is taken, and not noted; it is sent again."""
    world.sign_in()
    for number in range(10):
        world.sale(100 + number)
    step = world._upload_step

    def taken_and_not_noted(settled: Outcome, count: int, f48: str, code: str, replies: list[Reply]) -> Outcome:
        step(settled, count, f48, code, replies)
        world.terminal.uploaded -= count
        if not power:
            world.wait(10)
        raise Cut

    cut_in(world, "_upload_step", taken_and_not_noted, lambda: world.settle(unbalanced=True))
    world.settle("97", resume=True, upload=["97"])
    world.settle(resume=True)
    world.ledger()


def a_block_is_sent_again_because_power_went(world: World) -> None:
    upload(world, power=True)


@bad("MON-06", "listed twice")
def a_block_is_sent_again_long_before_power_went(world: World) -> None:
    upload(world, power=False)


# -- a void that was answered 97, a reversal of something else ---------------------------------------------------------


@bad("MON-01", "the difference is what was answered 97")
def a_void_answered_97_takes_the_sale_away(world: World) -> None:
    world.sign_in()
    sale = world.sale(1200)
    world.sale(800)
    world.remove_terminal()
    world.void(sale.trace)
    world.terminal.log = [one for one in world.terminal.log if one.trace != sale.trace]
    world.register_terminal()
    world.sign_in()
    world.settle()


@bad("MON-03", "F3 200000, the original has 000000")
def the_reversal_says_another_transaction(world: World) -> None:
    world.sign_in()
    world.sale(1200, lost())
    pending = world.terminal.pending
    assert pending is not None
    world.terminal.pending = Pending({**pending.fields, 3: "200000"}, pending.reason)
    world.remove_terminal()
    world.sign_in()
    world.register_terminal()
    world.sign_in()
    world.sale(700)
