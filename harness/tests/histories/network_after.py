"""NET-04, NET-05: after the wire was healed; and a fault in the middle of a recovery."""

from __future__ import annotations

from harness.tests.golden import World, dropped, lost, refused, unreachable
from harness.tests.golden_faults import cut, reset, swallowed
from harness.tests.golden_stories import Stories
from harness.tests.histories.steps import deny_success, meet_97

stories = Stories("NET-")
good, bad, undecided, no_occasion = stories.good, stories.bad, stories.undecided, stories.no_occasion


def in_vain(world: World, times: int = 1) -> None:
    """Sign-ins which send nothing."""
    for _ in range(times):
        world.sign_in(unreachable())


def silent_sign_in(world: World, code: str | None = None) -> None:
    """Asked for, and not even tried."""
    operation = world.invoke("sign_in")
    world.display("连接失败")
    world.complete(operation, "fail", code)
    world.idle()


# -- NET-04 ------------------------------------------------------------------------------------------------------------


@good("NET-04", "after syn_blackhole was over, sign_in 000003 was answered")
def the_next_sign_in_works(world: World) -> None:
    world.sign_in()
    with world.under("syn_blackhole"):
        world.sale(1500, unreachable())
    world.sign_in()


@good("NET-04", "after cable out was over, reversal")
def a_pulled_cable_is_put_back(world: World) -> None:
    world.sign_in()
    world.sale(1500, lost())
    world.send_reversal()


@good("NET-04", "after rst was over")
def one_reset_and_on(world: World) -> None:
    world.sign_in()
    world.sale(1500, reset())
    world.send_reversal()


@good("NET-04")
def the_first_try_comes_too_soon(world: World) -> None:
    world.sign_in()
    with world.under("partition"):
        world.sale(1500, unreachable())
    in_vain(world)
    world.sign_in()


@good("NET-04")
def a_97_is_an_answer_too(world: World) -> None:
    world.sign_in()
    with world.under("partition"):
        world.sale(1500, unreachable())
    world.remove_terminal()
    world.sign_in()


@bad("NET-04", "found no host")
def it_never_connects_again(world: World) -> None:
    world.sign_in()
    with world.under("partition"):
        world.sale(1500, unreachable())
    in_vain(world, 5)


@bad("NET-04", "until somebody came")
def only_after_it_was_switched_off_and_on(world: World) -> None:
    world.sign_in()
    world.unplug()
    world.sale(1500, refused())
    world.plug()
    in_vain(world)
    world.wait(60)
    world.reboot()
    world.sign_in()


@bad("NET-04", "the limit is 60 s")
def only_after_two_minutes(world: World) -> None:
    world.sign_in()
    with world.under("syn_blackhole"):
        world.sale(1500, unreachable())
    in_vain(world)
    world.wait(90)
    in_vain(world)
    world.sign_in()


@bad("NET-04", "found no host")
def it_goes_on_sending_into_a_dead_connection(world: World) -> None:
    world.sign_in()
    with world.under("partition"):
        world.sale(1500, unreachable())
    for _ in range(2):
        world.sign_in(dropped())
        world.events = [e for e in world.events if e.kind != "host.journal" or e.t < world.t - 70_000_000_000]


@good("NET-04")
def a_host_that_answers_nothing_is_not_the_terminals_doing(world: World) -> None:
    world.sign_in()
    with world.under("partition"):
        world.sale(1500, unreachable())
    for _ in range(3):
        world.sign_in(dropped())
    world.sign_in()


@undecided("NET-04", "does not go on long enough")
def one_try_and_the_end(world: World) -> None:
    world.sign_in()
    with world.under("syn_blackhole"):
        world.sale(1500, unreachable())
    in_vain(world)


@no_occasion("NET-04")
def nothing_was_hurt(world: World) -> None:
    world.sign_in()
    with world.under("delay"):
        world.sale(1500)
    world.sale(700)


@no_occasion("NET-04")
def somebody_came_at_once(world: World) -> None:
    world.sign_in()
    with world.under("syn_blackhole"):
        world.sale(1500, unreachable())
    world.reboot()
    world.sign_in()


# -- NET-05 ------------------------------------------------------------------------------------------------------------


@good("NET-05", "swallow fell into the recovery")
def the_answer_to_the_sign_in_is_swallowed(world: World) -> None:
    meet_97(world)
    world.register_terminal()
    world.sign_in(swallowed())
    world.sign_in()
    world.sale(700)


@good("NET-05", "cut fell into the recovery")
def the_first_sale_is_cut(world: World) -> None:
    meet_97(world)
    world.register_terminal()
    world.sign_in()
    world.sale(700, cut(40))
    world.sale(800)


@good("NET-05")
def the_cable_is_out_while_it_is_registered(world: World) -> None:
    meet_97(world)
    world.unplug()
    world.register_terminal()
    world.sign_in(refused())
    world.plug()
    world.sign_in()
    world.sale(700)


@good("NET-05")
def with_a_new_master_key(world: World) -> None:
    meet_97(world)
    world.register_terminal(new_tmk=True)
    with world.under("syn_blackhole"):
        world.sign_in(unreachable())
    world.load_tmk()
    world.sign_in()
    world.sale(700)


@bad("NET-05", "and none was sent")
def it_gives_up(world: World) -> None:
    meet_97(world)
    world.register_terminal()
    world.sign_in(reset())
    silent_sign_in(world)
    world.reboot()
    world.sign_in()
    world.sale(700)


@bad("NET-05", "is none to the terminal")
def it_takes_no_sign_in_any_more(world: World) -> None:
    meet_97(world)
    world.register_terminal()
    world.sign_in(reset())
    world.sign_in()
    deny_success(world)


@bad("NET-05", "and refused a sale")
def it_goes_on_saying_sign_in_first(world: World) -> None:
    meet_97(world)
    world.register_terminal()
    world.sign_in(reset())
    world.sign_in()
    world.terminal.signed_in = False
    world.sale(700)


@undecided("NET-05", "nothing was approved up to the end")
def nothing_more_is_tried(world: World) -> None:
    meet_97(world)
    world.register_terminal()
    world.sign_in(reset())


@no_occasion("NET-05")
def the_fault_was_over_before(world: World) -> None:
    meet_97(world)
    world.sign_in(reset())
    world.register_terminal()
    world.sign_in()
    world.sale(700)
