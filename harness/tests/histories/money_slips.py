"""MON-07 where the printer has no paper, or can't print: a slip is kept, and comes out when it is printed again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from harness.history.instrument_events import HardwareState
from harness.tests.golden import World
from harness.tests.golden_parts import Stored
from harness.tests.golden_stories import Stories
from harness.tests.golden_surroundings import Lab

stories = Stories("MON-")
good, bad, undecided = stories.good, stories.bad, stories.undecided


@contextmanager
def unprinted(world: World) -> Iterator[None]:
    """Nothing comes out of the printer."""
    printing = world._print
    setattr(world, "_print", lambda stored: None)  # noqa: B010
    yield
    setattr(world, "_print", printing)  # noqa: B010


@contextmanager
def without_paper(world: World) -> Iterator[None]:
    world.append(HardwareState(t=0, part="paper", state="out"))
    with unprinted(world):
        yield
    world.append(HardwareState(t=0, part="paper", state="ok"))


def print_again(world: World, kept: Stored) -> None:
    world.terminal.log.append(kept)
    world.reprint()
    world.terminal.log.pop()


def meet_97_and_settle(world: World) -> None:
    world.remove_terminal()
    world.sale(500)
    world.register_terminal()
    world.sign_in()
    world.settle(unbalanced=True)


@undecided("MON-07", "the terminal could not print, and may have kept the slips of 000002 (12.00)")
def nobody_prints_again_what_was_kept(world: World) -> None:
    world.sign_in()
    with without_paper(world):
        world.sale(1200)
    world.sale(1300)
    meet_97_and_settle(world)
    world.ledger()


@good("MON-07", "agree on 2 transactions")
def what_was_kept_is_printed_again(world: World) -> None:
    world.sign_in()
    with without_paper(world):
        world.sale(1200)
    kept = world.terminal.log[-1]
    world.sale(1300)
    print_again(world, kept)
    meet_97_and_settle(world)
    world.ledger()


@undecided("MON-07", "may have kept the slips of 000002 (12.00)")
def what_was_kept_comes_out_after_the_settlement(world: World) -> None:
    world.sign_in()
    with without_paper(world):
        world.sale(1200)
        kept = world.terminal.log[-1]
        meet_97_and_settle(world)
    print_again(world, kept)
    world.ledger()


@undecided("MON-07", "may have kept the slips of 000002 (12.00)")
def what_was_accepted_offline_has_no_paper(world: World) -> None:
    world.sign_in()
    with without_paper(world):
        world.perform("offline_sale", 1200)
    world.deliver()
    meet_97_and_settle(world)
    world.ledger()


@undecided("MON-07", "may have kept the slips of 000002 (12.00)")
def it_is_too_hot_to_print(world: World) -> None:
    with Lab(world) as lab:
        world.sign_in()
        lab.set(temperature_c=70)
        with unprinted(world):
            world.sale(1200)
        lab.set(temperature_c=23)
        meet_97_and_settle(world)
        world.ledger()


@good("MON-07", "agree on 1 transactions")
def what_was_kept_comes_out_in_the_next_batch_of_that_number(world: World) -> None:
    world.sign_in()
    with without_paper(world):
        world.sale(1100)
    kept = world.terminal.log[-1]
    world.settle()
    world.ledger()
    world.set_host_batch("000001")
    world.sign_in()
    world.sale(1200)
    print_again(world, kept)
    meet_97_and_settle(world)
    world.ledger()


@bad("MON-07", "which the slips lack")
def there_is_paper_again_and_no_slip(world: World) -> None:
    world.sign_in()
    with without_paper(world):
        world.sale(1200)
    world.wait(10)
    with unprinted(world):
        world.sale(1300)
    meet_97_and_settle(world)
    world.ledger()


@bad("MON-07", "the slips have or list 000077")
def a_slip_of_nothing_beside_one_that_was_kept(world: World) -> None:
    world.sign_in()
    with without_paper(world):
        world.sale(1200)
    world.slip("消费", "批次号:000001  凭证号:000077", "金额:RMB 5.00", "交易成功")
    meet_97_and_settle(world)
    world.ledger()
