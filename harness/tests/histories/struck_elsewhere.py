"""Rules that always hold, where what was done to the terminal spoiled a sign-in: the next one decides."""

from __future__ import annotations

from harness.tests.golden import World
from harness.tests.golden_faults import forged
from harness.tests.golden_stories import Stories
from harness.tests.golden_surroundings import Lab
from harness.tests.histories.steps import deny_success, meet_97

stories = Stories("S")
good, bad, undecided, no_occasion = stories.good, stories.bad, stories.undecided, stories.no_occasion


def comes_to_nothing(world: World) -> None:
    """A sign-in that the host grants."""
    world.sign_in()
    deny_success(world)


def registered_again(world: World) -> None:
    world.sign_in()
    world.sale(500)
    meet_97(world)
    world.register_terminal()


@good("STA-03", "signed in without key load")
def the_granted_sign_in_was_struck_and_the_next_one_works(world: World) -> None:
    registered_again(world)
    with Lab(world) as lab:
        with lab.hit("burst", level_kv=1):
            comes_to_nothing(world)
        world.wait(5)
        world.sign_in()
        world.sale(700)


@good("STA-03", "signed in without key load")
def it_was_too_cold_and_the_next_one_works(world: World) -> None:
    registered_again(world)
    with Lab(world) as lab:
        lab.set(temperature_c=-30)
        comes_to_nothing(world)
        lab.set(temperature_c=20)
        world.sign_in()
        world.sale(700)


@undecided("STA-03", "what was done to the terminal (burst of 1 kV) may explain it")
def the_granted_sign_in_was_struck_and_no_other_came(world: World) -> None:
    registered_again(world)
    with Lab(world) as lab, lab.hit("burst", level_kv=1):
        comes_to_nothing(world)


@bad("STA-03", "can't use an approved sign-in, although its master key is as before")
def the_next_one_comes_to_nothing_too(world: World) -> None:
    registered_again(world)
    with Lab(world) as lab:
        with lab.hit("burst", level_kv=1):
            comes_to_nothing(world)
        world.wait(120)
        comes_to_nothing(world)


@bad("STA-03", "can't use an approved sign-in, although its master key is as before")
def a_field_that_it_must_bear_explains_nothing(world: World) -> None:
    registered_again(world)
    with Lab(world) as lab, lab.hit("field", field_v_m=3, frequency_mhz=900):
        comes_to_nothing(world)


@good("SEC-01", "the next honest sign-in was taken")
def the_honest_sign_in_was_struck_and_the_next_one_is_taken(world: World) -> None:
    world.sign_in(forged("97"))
    with Lab(world) as lab:
        with lab.hit("burst", level_kv=1):
            comes_to_nothing(world)
        world.wait(5)
        world.sign_in()
        world.sale(700)


@undecided("SEC-01", "what was done to the terminal (tamper switch open) may explain it")
def its_case_was_opened_before_the_honest_sign_in(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        world.sign_in(forged("97"))
        lab.breaks("tamper", "open")
        world.wait(3)
        comes_to_nothing(world)


@bad("SEC-01", "the honest sign-in after it is none to the terminal")
def nothing_was_done_to_it(world: World) -> None:
    world.sign_in(forged("97"))
    with Lab(world):
        comes_to_nothing(world)
