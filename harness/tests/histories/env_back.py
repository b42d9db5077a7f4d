"""ENV-02, criterion B: in service again by itself, and for good; and what else keeps a terminal from its idle screen."""

from __future__ import annotations

from harness.tests.golden import World
from harness.tests.golden_stories import Stories
from harness.tests.golden_surroundings import Lab

stories = Stories("ENV-")
good, bad, undecided = stories.good, stories.bad, stories.undecided


def burst(world: World, lab: Lab) -> None:
    with lab.hit("burst", level_kv=1):
        world.wait(0.3)


# -- for good ----------------------------------------------------------------------------------------------------------


@bad("ENV-02", "60 s later the terminal went off, or reset itself")
def it_resets_itself_again_and_again(world: World) -> None:
    """At the end of its time it happens to be on and idle."""
    world.sign_in()
    with Lab(world) as lab:
        burst(world, lab)
        world.wait(2)
        for _reset in range(40):
            world.reboot("watchdog")
            world.wait(4)


@undecided("ENV-02", "nothing shows that it is in service again")
def it_resets_itself_until_nobody_looks_any_more(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        burst(world, lab)
        world.reboot("watchdog")
        world.wait(10)
        world.power("off", "watchdog")


@good("ENV-02", "criterion B: it started again, and is idle")
def a_second_reset_is_the_last(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        burst(world, lab)
        world.reboot("watchdog")
        world.wait(5)
        world.reboot("watchdog")
        world.wait(120)
        world.sign_in()


@good("ENV-02", "criterion B: it started again, and is idle")
def somebody_takes_it_away_afterwards(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        burst(world, lab)
        world.reboot("watchdog")
        world.wait(70)
        world.sign_in()
        world.power("off")
        world.wait(120)


@undecided("ENV-02", "criterion B: nothing shows that it is in service again")
def it_sells_once_and_is_dark_for_ever(world: World) -> None:
    """The supply is not read: nobody knows that it had one."""
    world.sign_in()
    with Lab(world, without=("voltage_v",)) as lab:
        burst(world, lab)
        world.wait(3)
        world.sale(700)
        world.wait(5)
        world.power("off", "brown_out")
        world.screen()
        world.wait(120)


# -- what else it may have to say --------------------------------------------------------------------------------------


@undecided("ENV-02", "criterion B: nothing shows that it is in service again")
def it_says_97_until_somebody_comes(world: World) -> None:
    """It was asked for, when it signed in again by itself."""
    world.sign_in()
    world.remove_terminal()
    with Lab(world) as lab:
        burst(world, lab)
        world.power("off", "watchdog")
        world.screen()
        world.wait(0.5)
        world.power("on", "watchdog")
        world.screen("正在启动")
        world.wait(1)
        world.quiet = True
        world.background_sign_in()
        world.quiet = False
        world.display("签到失败", "应答码:97", "终端未登记", "按确认键")
        world.wait(90)
        world.acknowledge()


@bad("ENV-02", "60 s later the screen said “12:00 已签到 / 应答码:97 / 终端未登记”")
def it_says_97_and_nobody_told_it(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        burst(world, lab)
        world.display("应答码:97", "终端未登记")
        world.wait(90)


@undecided("ENV-02", "criterion B: nothing shows that it is in service again")
def it_is_opened_meanwhile(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        burst(world, lab)
        world.wait(10)
        lab.breaks("tamper", "open")
        world.wait(1)
        world.display("设备被拆,请送修")
        world.wait(90)


@undecided("ENV-02", "criterion B: nothing shows that it is in service again")
def it_gets_too_hot_meanwhile(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        burst(world, lab)
        world.wait(5)
        lab.set(temperature_c=80)
        world.display("温度过高,暂停服务")
        world.wait(90)
