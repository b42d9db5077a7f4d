"""NET-06: two hosts, and when the second is asked."""

from __future__ import annotations

from harness.tests.golden import World, refused, unreachable
from harness.tests.golden_faults import reset
from harness.tests.golden_stories import Stories
from harness.tests.golden_terminal import FIRST_HOST, SECOND_HOST

stories = Stories("NET-")
good, bad, undecided, no_occasion = stories.good, stories.bad, stories.undecided, stories.no_occasion


def turn_to_the_second(world: World) -> None:
    world.host_at, world.second_host = SECOND_HOST, FIRST_HOST


@good("NET-06", "echo went there too")
def after_97_the_same_host_is_asked(world: World) -> None:
    world.know_second_host()
    world.sign_in()
    world.sale(1500, "97")
    world.echo()


@good("NET-06", f"{FIRST_HOST} could not be reached, and {SECOND_HOST} was tried")
def the_first_is_told_by_name(world: World) -> None:
    """Where the name led is seen from the connections that came about."""
    world.know_second_host("acquirer.hil97.test 8583")
    world.sign_in()
    world.echo(unreachable())


@good("NET-06", f"{FIRST_HOST} could not be reached, and {SECOND_HOST} was tried")
def refused_by_the_first(world: World) -> None:
    world.know_second_host()
    world.sign_in(refused())


@good("NET-06", "was tried")
def the_first_is_silent(world: World) -> None:
    world.know_second_host()
    with world.under("syn_blackhole", match={"address": "10.97.0.1"}):
        world.sign_in(unreachable())


@good("NET-06", "was tried")
def and_back_again(world: World) -> None:
    world.know_second_host()
    turn_to_the_second(world)
    world.sign_in(unreachable())


@bad("NET-06", f"and the terminal turned to {SECOND_HOST}")
def a_97_sends_it_to_the_second(world: World) -> None:
    world.know_second_host()
    world.sign_in()
    world.sale(1500, "97")
    turn_to_the_second(world)
    world.echo()


@bad("NET-06", "ended without a try at")
def it_never_tries_the_second(world: World) -> None:
    world.know_second_host()
    world.second_host = ""
    world.sign_in(unreachable())


@no_occasion("NET-06")
def there_is_no_second(world: World) -> None:
    world.sign_in()
    world.sale(1500, "97")
    world.sign_in(refused())


@no_occasion("NET-06")
def after_a_request_without_an_answer_it_is_free(world: World) -> None:
    world.know_second_host()
    world.sign_in()
    world.sale(1500, reset())
    turn_to_the_second(world)
    world.sign_in()


@no_occasion("NET-06")
def the_97_came_from_the_second(world: World) -> None:
    world.know_second_host()
    turn_to_the_second(world)
    world.sign_in()
    world.sale(1500, "97")
    world.host_at, world.second_host = FIRST_HOST, SECOND_HOST
    world.echo()
