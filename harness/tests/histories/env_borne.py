"""ENV-02, criterion A: it works on. What shows that, and what else may have spoiled it."""

from __future__ import annotations

from harness.tests.golden import World
from harness.tests.golden_stories import Stories
from harness.tests.golden_surroundings import Lab
from harness.tests.histories.steps import deny_success, nothing_sent

stories = Stories("ENV-")
good, bad, undecided = stories.good, stories.bad, stories.undecided
BLIND = {"offers": ["wire", "host_journal", "screen", "slip", "cashier"]}  # nobody sees whether it resets


# -- what shows it -----------------------------------------------------------------------------------------------------


@undecided("ENV-02", "criterion A: nothing done to the terminal shows whether it works on")
def a_burst_after_it_lets_the_watchdog_help(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        with lab.hit("field", field_v_m=3):
            world.screen("#####")
            world.wait(3)
        world.wait(4)
        with lab.hit("burst", level_kv=1):
            world.wait(0.3)
        world.wait(3)
        world.reboot("watchdog")
        world.sale(700)


@undecided("ENV-02", "criterion A: nothing done to the terminal shows whether it works on")
def the_watchdog_helps_late(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        with lab.hit("field", field_v_m=3):
            world.screen("#####")
            world.wait(3)
        world.wait(35)
        world.reboot("watchdog")
        world.sale(700)


@undecided("ENV-02", "told so; whether it reset itself is not seen here", declaration=BLIND)
def a_reset_that_nobody_could_see(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        with lab.hit("field", field_v_m=3):
            world.screen()
            world.wait(2)
            world.screen("正在启动", "V1.0.0")
            world.wait(5)
            world.idle()
        world.sale(800)


@bad("ENV-02", "criterion A: sale was struck, and the screen reported IC卡读取失败 (chip reader)")
def a_chip_that_it_can_not_read(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        with lab.hit("field", field_v_m=3):
            nothing_sent(world, "sale", "IC卡读取失败", amount="700", entry="chip", pin="no")
        world.sale(800)


@good("ENV-02", "criterion A: sale was approved by the host, and told so")
def three_times_and_a_sale_afterwards(world: World) -> None:
    """Ten seconds apart, as a standard has it: it must bear each of them."""
    world.sign_in()
    with Lab(world) as lab:
        for _time in range(3):
            with lab.hit("field", field_v_m=3):
                world.wait(3)
            world.wait(10)
        world.sale(700)


# -- what else may have spoiled it -------------------------------------------------------------------------------------


@undecided("ENV-02", "criterion A: nothing done to the terminal shows whether it works on")
def a_burst_before_it_made_it_hang(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        with lab.hit("burst", level_kv=1):
            world.wait(1)
        world.wait(3)
        with lab.hit("field", field_v_m=3):
            world.wait(8)
            world.reboot("watchdog")
            world.wait(3)
        world.sale(700)


@undecided("ENV-02", "criterion A: sale: something else may have spoiled it")
def a_burst_before_it_may_have_spoiled_the_sale(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        with lab.hit("burst", level_kv=1):
            world.wait(0.3)
        world.wait(2)
        with lab.hit("field", field_v_m=3):
            world.sale(700)
            deny_success(world)
        world.wait(70)
        world.sale(800)


@bad("ENV-02", "criterion A: the terminal went off, or reset itself")
def a_field_before_it_that_it_must_bear_too(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        with lab.hit("field", field_v_m=1):
            world.wait(3)
        world.wait(5)
        with lab.hit("field", field_v_m=3):
            world.reboot("watchdog")


@undecided("ENV-02", "criterion A: nothing done to the terminal shows whether it works on")
def it_was_far_too_cold_a_moment_before(world: World) -> None:
    world.sign_in()
    with Lab(world, emulated=True) as lab:
        lab.set(temperature_c=-30, settle=60)
        lab.set(temperature_c=20, settle=6)
        with lab.hit("field", field_v_m=3):
            world.wait(4)
            world.reboot("watchdog")
        world.sale(700)


@good("ENV-02", "criterion A: sale was approved by the host, and told so")
def what_it_can_not_do_in_the_cold_says_nothing(world: World) -> None:
    world.sign_in()
    with Lab(world, emulated=True) as lab:
        with lab.hit("field", field_v_m=3):
            world.wait(5)
        lab.set(temperature_c=-25)
        nothing_sent(world, "sign_in", "网络未就绪")
        lab.set(temperature_c=23)
        world.sale(800)
