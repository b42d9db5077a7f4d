"""FWU-01 where merchants share the terminal: each has its number, its keys and its registration."""

from __future__ import annotations

from harness.tests.golden import World
from harness.tests.golden_stories import Stories
from harness.tests.golden_updates import load, unit_with
from harness.tests.golden_wire import MID_2, TID_2
from harness.tests.histories.steps import deny_success

stories = Stories("FWU-")
good, bad = stories.good, stories.bad


def two_merchants(world: World) -> None:
    """Both are signed in; the first is the one that is chosen."""
    unit_with(world, "0.9.0")
    world.share()
    world.sign_in()
    world.select("2")
    world.sign_in()
    world.select("1")


@good("FWU-01", "is from TID 10000002, as before", model="HT-200")
def both_are_who_they_were(world: World) -> None:
    two_merchants(world)
    load(world, "1.0.0")
    world.sale(500)
    world.select("2")
    world.sale(600)


@good("FWU-01", "is signed under the master key of before", model="HT-200")
def both_sign_in_again(world: World) -> None:
    two_merchants(world)
    load(world, "1.0.0")
    world.select("2")
    world.sign_in()
    world.sale(600)
    world.select("1")
    world.sign_in()
    world.sale(500)


@bad("FWU-01", "sign_in 000002 after it is from TID 29000009", model="HT-200")
def the_second_has_another_number(world: World) -> None:
    two_merchants(world)
    load(world, "1.0.0")
    world.sale(500)
    world.select("2")
    world.tid = "29000009"
    world.sign_in("97")


@bad("FWU-01", "can't use its keys", model="HT-200")
def the_second_has_lost_its_key(world: World) -> None:
    two_merchants(world)
    load(world, "1.0.0")
    world.sale(500)
    world.select("2")
    world.sign_in()
    deny_success(world)


@bad("FWU-01", "is signed with other keys than those of the keys of before", model="HT-200")
def the_second_signs_with_other_keys(world: World) -> None:
    two_merchants(world)
    load(world, "1.0.0")
    world.sale(500)
    world.select("2")
    world.terminal.working = world.host.working.next()
    world.sale(600)


@bad("FWU-01", "registered as before, the terminal is answered 97", model="HT-200")
def a_97_to_the_one_that_had_not_the_last_word(world: World) -> None:
    two_merchants(world)
    world.select("2")
    world.sale(600)
    world.select("1")
    load(world, "1.0.0")
    world.host.registered = False
    world.sign_in()


@bad("FWU-01", "can't use its keys", model="HT-200")
def a_97_to_one_hides_no_lost_key_of_the_other(world: World) -> None:
    two_merchants(world)
    world.select("2")
    world.changed("terminal_removed", MID_2, TID_2)
    world.host.registered = False
    world.sign_in()
    load(world, "1.0.0")
    world.sign_in()
    world.select("1")
    world.sign_in()
    deny_success(world)


@good("FWU-01", "as before", model="HT-200")
def the_second_could_not_use_its_keys_before_either(world: World) -> None:
    two_merchants(world)
    world.select("2")
    world.sign_in()
    deny_success(world)
    load(world, "1.0.0")
    world.sign_in()
    deny_success(world)


@bad("FWU-01", "can't use its keys", model="HT-200")
def the_second_had_a_sign_in_that_failed_and_signed_with_its_keys_since(world: World) -> None:
    two_merchants(world)
    world.select("2")
    world.sign_in()
    deny_success(world)
    world.sale(600)
    world.settle()
    load(world, "1.0.0")
    world.sign_in()
    deny_success(world)
