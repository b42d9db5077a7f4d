"""ENV-03: where something else is the reason that nothing is said of a broken part, or it can't be told."""

from __future__ import annotations

from harness.tests.golden import World
from harness.tests.golden_stories import Stories
from harness.tests.golden_surroundings import Lab
from harness.tests.histories.env_hardware import sells_without_slip, swipes_in_vain

stories = Stories("ENV-")
good, bad, undecided, no_occasion = stories.good, stories.bad, stories.undecided, stories.no_occasion
OPENED = ("设备被拆", "请送修")


# -- where it is needed ------------------------------------------------------------------------------------------------


@no_occasion("ENV-03")
def a_worn_head_read_it_and_the_cable_was_out(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        lab.breaks("magnetic_reader", "worn")
        world.unplug()
        world.wait(5)
        swipes_in_vain(world, "连接失败")
        world.plug()


def gives_up(world: World) -> None:
    operation = world.invoke("sale", amount="700", entry="magnetic", pin="no")
    world.display("请刷卡")
    abort = world.invoke("abort")
    world.display("交易取消", after=3)
    world.complete(operation, "fail")
    world.idle()
    world.complete(abort, "ok")
    world.wait(20)


@no_occasion("ENV-03")
def the_customer_went_before_a_card_was_read(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        lab.breaks("magnetic_reader")
        gives_up(world)


@no_occasion("ENV-03")
def mended_before_it_was_needed(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        lab.breaks("magnetic_reader")
        operation = world.invoke("sale", amount="700", entry="magnetic", pin="no")
        world.display("请刷卡")
        lab.breaks("magnetic_reader", "ok")
        world.display("交易取消", after=1)
        world.complete(operation, "fail")
        world.idle()
        world.wait(20)


@undecided("ENV-03", "how it ended was not seen")
def the_test_broke_off_before_a_card_was_held_to_it(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        lab.breaks("magnetic_reader")
        operation = world.invoke("sale", amount="700", entry="magnetic", pin="no")
        world.display("请刷卡")
        world.complete(operation, "unknown", detail="AssertionError")
        world.idle()
        world.wait(20)


@undecided("ENV-03", "printer dead: sale: a part was broken (screen dead)")
def the_screen_was_dead_too(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        lab.breaks("screen")
        lab.breaks("printer")
        world.screen()
        world.quiet = True
        sells_without_slip(world)


@no_occasion("ENV-03")
def it_was_coming_back_from_a_burst(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        lab.breaks("magnetic_reader")
        with lab.hit("burst", level_kv=1):
            world.wait(0.3)
        world.wait(3)
        swipes_in_vain(world, "系统恢复中")
        world.wait(10)


@bad("ENV-03", "expected 读卡器故障")
def a_burst_long_ago_is_no_reason(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        lab.breaks("magnetic_reader")
        with lab.hit("burst", level_kv=1):
            world.wait(0.3)
        world.wait(90)
        swipes_in_vain(world, "系统恢复中")
        world.wait(10)


@bad("ENV-03", "expected 读卡器故障")
def a_field_that_it_must_bear_is_no_reason(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        lab.breaks("magnetic_reader")
        with lab.hit("field", field_v_m=3, frequency_mhz=900):
            world.wait(0.3)
        world.wait(3)
        swipes_in_vain(world, "系统恢复中")
        world.wait(10)


# -- where the terminal notices it -------------------------------------------------------------------------------------


def opened_twice(world: World, *said: str) -> None:
    """The first time it said so, and the word stayed there."""
    world.sign_in()
    with Lab(world) as lab:
        lab.breaks("tamper", "open")
        world.display(*OPENED)
        world.wait(5)
        lab.breaks("tamper", "ok")
        world.wait(60)
        lab.breaks("tamper", "open")
        if said:
            world.display(*said)
        world.wait(3)
        world.acknowledge()
        world.wait(10)


@undecided("ENV-03", "tamper switch open: the screen said 设备被拆,请送修 before it was broken")
def the_word_is_of_the_first_time(world: World) -> None:
    opened_twice(world)


@good("ENV-03", "tamper switch open: the terminal said 设备被拆,请送修")
def it_says_so_anew(world: World) -> None:
    opened_twice(world, *OPENED, "再次")


@undecided("ENV-03", "tamper switch open: a part was broken (screen dead)")
def its_screen_died_before_it_could_say_so(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        lab.breaks("tamper", "open")
        lab.breaks("screen")
        world.screen()
        world.quiet = True
        world.wait(5)
        world.acknowledge()
        world.wait(10)


@no_occasion("ENV-03")
def a_sign_in_of_its_own_set_the_clock_again(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        lab.breaks("clock", "lost")
        world.background_sign_in()
        world.wait(5)
        world.acknowledge()
        world.wait(30)


# -- 97 ----------------------------------------------------------------------------------------------------------------


@no_occasion("ENV-03")
def a_97_while_it_comes_back_from_a_burst(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        lab.breaks("paper", "out")
        with lab.hit("burst", level_kv=1):
            world.wait(0.3)
        world.wait(3)
        world.quiet = True
        world.sale(700, "97")
        world.screen("系统恢复中")
        world.wait(20)
