"""ENV-04: 97 and the recovery from it at the corners of the declared range."""

from __future__ import annotations

from harness.tests.golden import World
from harness.tests.golden_stories import Stories
from harness.tests.golden_surroundings import Lab
from harness.tests.histories.steps import deny_success, meet_97

stories = Stories("ENV-")
good, bad, undecided, no_occasion = stories.good, stories.bad, stories.undecided, stories.no_occasion


def recovery(world: World) -> None:
    meet_97(world)
    world.register_terminal()
    world.sign_in()
    world.sale(700)


@good("ENV-04", "cold (2.0 °C): 97 was shown, and registered again it signed in and sale")
def in_the_cold(world: World) -> None:
    with Lab(world) as lab:
        lab.set(temperature_c=2)
        recovery(world)


@good("ENV-04", "humid (88.0 %)")
def in_the_damp(world: World) -> None:
    with Lab(world) as lab:
        lab.set(humidity_pct=88)
        recovery(world)


@good("ENV-04", "low supply (199.0 V)")
def at_low_supply(world: World) -> None:
    with Lab(world) as lab:
        lab.set(voltage_v=199)
        recovery(world)


@good("ENV-04", "hot (38.0 °C)")
def where_a_profile_had_led_it(world: World) -> None:
    with Lab(world) as lab, lab.step("temperature_c", 38):
        recovery(world)


@bad("ENV-04", "cold (2.0 °C): registered again, the sign-in was granted, but the terminal said")
def it_does_not_recover_in_the_cold(world: World) -> None:
    with Lab(world) as lab:
        lab.set(temperature_c=2)
        meet_97(world)
        world.register_terminal()
        world.sign_in()
        deny_success(world)


@bad("ENV-04", "hot (44.0 °C): 97 to sign_in 000002 was not shown with code and text")
def it_does_not_show_97_in_the_heat(world: World) -> None:
    with Lab(world) as lab:
        lab.set(temperature_c=44)
        world.sign_in()
        world.remove_terminal()
        world.quiet = True
        world.sign_in()
        world.screen("请稍候")
        world.wait(20)


@bad("ENV-04", "hot (44.0 °C): sale was approved by the host, and told as")
def the_first_sale_in_the_heat_is_denied(world: World) -> None:
    with Lab(world) as lab:
        lab.set(temperature_c=44)
        recovery(world)
        deny_success(world)


@bad("ENV-04", "cold (-0.5 °C): registered again, the sign-in was granted, but the terminal said")
def a_chamber_is_led_to_the_end_and_goes_a_little_beyond(world: World) -> None:
    """A profile had led it to 0 °C: that is as near as a chamber comes."""
    with Lab(world) as lab, lab.step("temperature_c", 0):
        lab.set(temperature_c=-0.5)
        meet_97(world)
        world.register_terminal()
        world.sign_in()
        deny_success(world)


@undecided("ENV-04", "cold: it was led away from there")
def it_was_warm_again_before_it_sold(world: World) -> None:
    with Lab(world) as lab:
        lab.set(temperature_c=2)
        meet_97(world)
        world.register_terminal()
        world.wait(6)
        lab.set(temperature_c=23)
        world.sign_in()
        world.sale(700)


@undecided("ENV-04", "cold: it was led away from there, or not measured")
def nobody_measured_it_any_more(world: World) -> None:
    with Lab(world) as lab:
        lab.set(temperature_c=2)
        meet_97(world)
        world.register_terminal()
        world.wait(6)
        with lab.unread():
            world.wait(20)
            world.sign_in()
            world.wait(20)
        world.sale(700)


@undecided("ENV-04", "nothing shows the whole way")
def nobody_sold_anything(world: World) -> None:
    with Lab(world) as lab:
        lab.set(temperature_c=2)
        meet_97(world)
        world.register_terminal()
        world.sign_in()


@undecided("ENV-04", "humidity not measured all the time")
def what_the_humidity_was_nobody_knows(world: World) -> None:
    with Lab(world, without=("humidity_pct",)) as lab:
        lab.set(temperature_c=2)
        recovery(world)


@undecided("ENV-04", "(temperature -0.5 °C) may explain it")
def a_little_colder_than_declared(world: World) -> None:
    with Lab(world) as lab:
        lab.set(temperature_c=-0.5)
        meet_97(world)
        world.register_terminal()
        world.sign_in()
        deny_success(world)


@no_occasion("ENV-04")
def where_a_shop_has_it(world: World) -> None:
    with Lab(world):
        recovery(world)


@no_occasion("ENV-04")
def colder_than_declared(world: World) -> None:
    with Lab(world) as lab:
        lab.set(temperature_c=-20)
        recovery(world)


@no_occasion("ENV-04")
def a_step_that_goes_nowhere(world: World) -> None:
    with Lab(world) as lab, lab.step("temperature_c", 25):
        recovery(world)


@no_occasion("ENV-04", declaration={"surroundings": None})
def a_model_that_declares_nothing(world: World) -> None:
    with Lab(world) as lab:
        lab.set(temperature_c=2)
        recovery(world)


# -- something else may explain it -------------------------------------------------------------------------------------


def shown_late(world: World) -> None:
    world.quiet = True
    world.sale(700, "97")
    world.screen("系统恢复中")
    world.wait(20)


@bad("ENV-04", "cold (2.0 °C): 97 to sale 000002 was not shown with code and text")
def in_the_cold_it_comes_back_for_ever(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        with lab.hit("burst", level_kv=1):
            world.wait(0.3)
        lab.set(temperature_c=2, settle=120)
        shown_late(world)


@no_occasion("ENV-04")
def in_the_cold_it_comes_back_from_a_burst(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        lab.set(temperature_c=2)
        with lab.hit("burst", level_kv=1):
            world.wait(0.3)
        world.wait(3)
        shown_late(world)


@undecided("ENV-04", "(temperature -30.0 °C) may explain it")
def it_came_from_far_outside(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        lab.set(temperature_c=-30, settle=600)
        lab.set(temperature_c=2)
        shown_late(world)


@undecided("ENV-04", "(burst of 1 kV) may explain it")
def the_sale_of_its_recovery_was_struck(world: World) -> None:
    with Lab(world) as lab:
        lab.set(temperature_c=2)
        meet_97(world)
        world.register_terminal()
        world.sign_in()
        with lab.hit("burst", level_kv=1):
            world.sale(700)
            deny_success(world)


@undecided("ENV-04", "(tamper switch open) may explain it")
def its_case_was_opened_before_it_signed_in_again(world: World) -> None:
    with Lab(world) as lab:
        lab.set(temperature_c=2)
        meet_97(world)
        world.register_terminal()
        lab.breaks("tamper", "open")
        world.sign_in()
        deny_success(world)
