"""MSG-02: a broken part, and a disturbance, are no 97."""

from __future__ import annotations

from harness.tests.golden import World
from harness.tests.golden_stories import Stories
from harness.tests.golden_surroundings import Lab
from harness.tests.histories.env_hardware import swipes_in_vain

stories = Stories("MSG-02")
good, bad, undecided, no_occasion = stories.good, stories.bad, stories.undecided, stories.no_occasion


def in_vain(world: World, text: str) -> None:
    """A sale that sends nothing, and says why."""
    operation = world.invoke("sale", amount="700", entry="magnetic", pin="no")
    world.display(text)
    world.complete(operation, "fail")
    world.idle(after=5)


@good("MSG-02", "sale: a part was broken (magnetic reader dead); the screen said")
def a_dead_reader(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        lab.breaks("magnetic_reader")
        in_vain(world, "读卡器故障")


@good("MSG-02", "sale: a disturbance hit the terminal (burst of 1 kV); the screen said")
def a_burst_costs_the_answer(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab, lab.hit("burst", level_kv=1):
        in_vain(world, "网络故障")


@bad("MSG-02", "sale: a part was broken (magnetic reader dead), but the screen said 97")
def a_dead_reader_is_shown_as_97(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        lab.breaks("magnetic_reader")
        swipes_in_vain(world, "交易失败", "应答码:97", "终端未登记")


@bad("MSG-02", "a disturbance hit the terminal (esd of 4 kV), but the screen said 97")
def a_discharge_is_shown_as_97(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab, lab.hit("esd", level_kv=4):
        world.display("交易失败", "应答码:97", "终端未登记")


@bad("MSG-02", "a part was broken (printer dead), but the screen said 97")
def a_dead_printer_is_shown_as_97(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        lab.breaks("printer")
        world.sale(700)
        world.display("交易失败", "应答码:97", "终端未登记")


@no_occasion("MSG-02")
def a_printer_that_nobody_needs(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        lab.breaks("printer")
        world.sale(700)


@no_occasion("MSG-02")
def a_burst_that_costs_nothing(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab, lab.hit("burst", level_kv=1):
        world.sale(700)
