"""ENV-02, criterion B: in service again by itself, and for good; and what else keeps its screen from being idle."""

from __future__ import annotations

from harness.tests.golden import World
from harness.tests.golden_stories import Stories
from harness.tests.golden_surroundings import Lab
from harness.tests.histories.steps import deny_success, nothing_sent

stories = Stories("ENV-")
shown_twice = Stories("ENV-")  # more than one event shows it; one of them is enough
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


@shown_twice.good("ENV-02", "criterion B: sale was approved by the host, and told so")
def another_one_takes_its_power_as_its_time_is_over(world: World) -> None:
    world.sign_in()
    with Lab(world, without=("voltage_v",)) as lab:
        burst(world, lab)
        world.wait(3)
        world.sale(700)
        world.wait(50)
        with lab.hit("interruption", duration_ms=5000):
            world.power("off", "brown_out")
            world.screen()
            world.wait(5)
        world.power("on", "brown_out")
        world.idle()
        world.sale(800)
        world.settle()


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


# -- what spoiled the operation that was to show it --------------------------------------------------------------------


@undecided("ENV-02", "criterion B: nothing shows that it is in service again")
def it_is_used_far_too_cold(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        burst(world, lab)
        world.wait(70)
        lab.set(temperature_c=-25)
        world.sale(700)
        deny_success(world)


@undecided("ENV-02", "criterion B: nothing shows that it is in service again")
def it_is_used_with_a_dead_reader(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        burst(world, lab)
        world.wait(70)
        lab.breaks("magnetic_reader")
        nothing_sent(world, "sale", "读卡器故障", amount="700", entry="magnetic", pin="no")


@undecided("ENV-02", "criterion B: nothing shows that it is in service again")
def it_is_used_when_its_cable_has_just_come_back(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        burst(world, lab)
        world.wait(70)
        world.unplug()
        world.wait(30)
        world.plug()
        world.wait(0.1)
        nothing_sent(world, "sign_in", "连接失败")


@bad("ENV-02", "60 s later sign_in sent nothing")
def it_is_used_and_nothing_is_in_its_way(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        burst(world, lab)
        world.wait(70)
        nothing_sent(world, "sign_in", "连接失败")
