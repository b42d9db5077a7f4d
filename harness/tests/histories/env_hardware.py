"""ENV-03: a part that is broken is said to be, never as 97; and a 97 received meanwhile is still shown."""

from __future__ import annotations

from harness.tests.golden import World
from harness.tests.golden_stories import Stories
from harness.tests.golden_surroundings import Lab

stories = Stories("ENV-")
good, bad, undecided, no_occasion = stories.good, stories.bad, stories.undecided, stories.no_occasion


def swipes_in_vain(world: World, *lines: str, code: str | None = None) -> None:
    """A sale whose card can't be read: nothing is sent."""
    operation = world.invoke("sale", amount="700", entry="magnetic", pin="no")
    world.display("请刷卡")
    if lines:
        world.display(*lines)
    world.complete(operation, "fail", code)
    world.idle(after=5)


def sells_without_slip(world: World, *lines: str) -> None:
    world._print = lambda stored: None  # type: ignore[method-assign]
    world.sale(700)
    if lines:
        world.display(*lines)
    world.wait(20)


# -- where it is needed ------------------------------------------------------------------------------------------------


@good("ENV-03", "magnetic reader dead: sale said 读卡器故障")
def a_dead_reader_is_reported(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        lab.breaks("magnetic_reader")
        world.wait(5)
        swipes_in_vain(world, "读卡器故障")
        world.wait(20)


@good("ENV-03", "printer dead: sale said 打印机故障")
def a_dead_printer_is_reported(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        lab.breaks("printer")
        sells_without_slip(world, "打印机故障")


@bad("ENV-03", "expected 打印机缺纸")
def no_paper_and_no_word_of_it(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        lab.breaks("paper", "out")
        sells_without_slip(world)


@bad("ENV-03", "通讯失败”, expected 读卡器故障 or 请重新刷卡")
def a_dead_reader_is_called_a_network_fault(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        lab.breaks("magnetic_reader")
        world.wait(5)
        operation = world.invoke("sale", amount="700", entry="magnetic", pin="no")
        world.complete(operation, "fail")
        world.display("通讯失败")
        world.wait(30)


@bad("ENV-03", "was told as response code 96, which no host sent")
def a_dead_reader_is_told_as_a_code(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        lab.breaks("magnetic_reader")
        swipes_in_vain(world, "交易失败", "应答码:96", "读卡器故障")
        world.wait(20)


@undecided("ENV-03", "the model declares no text for it", declaration={"surroundings": None})
def a_model_without_texts(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        lab.breaks("magnetic_reader")
        swipes_in_vain(world, "读卡器故障")


@undecided("ENV-03", "the bench itself lagged")
def the_bench_was_late(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        lab.breaks("paper", "out")
        sells_without_slip(world)
        world.heartbeat(4000)
        index = max(i for i, e in enumerate(world.events) if e.kind == "heartbeat")
        done = max(e.t for e in world.events if e.kind == "operation.completed")
        world.events[index] = world.events[index].model_copy(update={"t": done + 2_000_000_000})


@undecided("ENV-03", "watched for 2.0 s")
def nobody_read_its_result(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        lab.breaks("magnetic_reader")
        operation = world.invoke("sale", amount="700", entry="magnetic", pin="no")
        world.complete(operation, "unknown")
        world.wait(1.5)
        world.complete(world.invoke("acknowledge"), "ok")


@bad("ENV-03", "paper out: sale said “12:00 已签到 / 欢迎使用 / 请按确认键消费”, expected 打印机缺纸")
def the_next_customer_is_served_without_a_word(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        lab.breaks("paper", "out")
        sells_without_slip(world)
        world.sale(500, "97")


@undecided("ENV-03", "could not be read")
def an_unreadable_screen(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        lab.breaks("magnetic_reader")
        operation = world.invoke("sale", amount="700", entry="magnetic", pin="no")
        world.complete(operation, "fail")
        world.screen("?", unreadable=4)
        world.wait(30)


@no_occasion("ENV-03")
def a_worn_head_that_read_it_after_all(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        lab.breaks("magnetic_reader", "worn")
        world.sale(700)
        world.wait(20)


@no_occasion("ENV-03")
def another_reader_is_dead(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        lab.breaks("chip_reader")
        world.sale(700)


@no_occasion("ENV-03")
def refused_before_a_card_was_asked_for(world: World) -> None:
    with Lab(world) as lab:
        lab.breaks("magnetic_reader")
        world.sale(700)
        world.wait(20)


@no_occasion("ENV-03")
def mended_before_anybody_came(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        lab.breaks("tamper", "open")
        lab.breaks("tamper", "ok")
        world.wait(5)
        world.sale(700)


# -- where the terminal notices it -------------------------------------------------------------------------------------


@good("ENV-03", "tamper switch open: the terminal said 设备被拆,请送修")
def an_opened_case_is_reported(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        lab.breaks("tamper", "open")
        world.display("设备被拆", "请送修")
        world.wait(5)
        world.acknowledge()


@good("ENV-03", "clock battery dead: the terminal said 时钟故障")
def an_empty_clock_battery_shows_after_the_power_was_away(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        lab.breaks("clock_battery")
        world.power("off")
        world.screen()
        world.power("on")
        world.display("时钟故障")
        world.wait(5)
        world.acknowledge()


@bad("ENV-03", "clock lost: at the next acknowledge the screen said")
def a_lost_clock_is_no_news_to_it(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        lab.breaks("clock", "lost")
        world.wait(5)
        world.acknowledge()
        world.wait(30)


@no_occasion("ENV-03")
def an_empty_clock_battery_under_power(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        lab.breaks("clock_battery")
        world.wait(5)
        world.acknowledge()
        world.wait(30)


# -- 97 ----------------------------------------------------------------------------------------------------------------


@good("ENV-03", "printer dead: 97 to sale")
def a_97_with_a_dead_printer(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        lab.breaks("printer")
        world.sale(700, "97")
        world.wait(20)


@bad("ENV-03", "was not shown with code and text")
def a_97_is_hidden_behind_the_printer(world: World) -> None:
    world.sign_in()
    world.quiet = True
    with Lab(world) as lab:
        lab.breaks("printer")
        world.sale(700, "97")
        world.screen("打印机故障")
        world.wait(20)


@bad("ENV-03", "the terminal said 97 with no definite 97")
def a_dead_reader_is_shown_as_97(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        lab.breaks("magnetic_reader")
        swipes_in_vain(world, "交易失败", "应答码:97", "终端未登记")
        world.wait(20)


@no_occasion("ENV-03")
def a_97_after_it_was_mended(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        lab.breaks("printer")
        lab.breaks("printer", "ok")
        world.sale(700, "97")
