"""ENV-01: inside the declared range the terminal works as ever."""

from __future__ import annotations

from harness.tests.golden import World, lost
from harness.tests.golden_stories import Stories
from harness.tests.golden_surroundings import Lab
from harness.tests.histories.steps import begun_before, deny_success

stories = Stories("ENV-")
good, bad, undecided, no_occasion = stories.good, stories.bad, stories.undecided, stories.no_occasion


@good("ENV-01", "sale at 44.0 °C, 50.0 %, 220.0 V was approved by the host, and told so")
def a_sale_in_the_heat(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        lab.set(temperature_c=44)
        world.sale(1500)


@good("ENV-01", "at 23.0 °C, 50.0 %, 199.0 V was declined by the host")
def a_decline_at_low_supply(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        lab.set(voltage_v=199)
        world.sale(1500, "97")


@good("ENV-01", "45.5 °C")
def an_overshoot_within_what_instruments_are_worth(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        lab.set(temperature_c=45.5)
        world.sale(1500)


@good("ENV-01")
def a_card_that_had_to_be_swiped_twice(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        lab.set(humidity_pct=89)
        world.display("请重新刷卡")
        world.sale(1500)


@bad("ENV-01", "was approved by the host, and told as no result (Z3)")
def an_approval_denied_in_the_cold(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        lab.set(temperature_c=1)
        world.sale(1500)
        deny_success(world)


@bad("ENV-01", "the terminal reset itself at 44.0 °C")
def a_reset_in_the_heat(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        lab.set(temperature_c=44)
        world.reboot("watchdog")
        world.wait(5)


@bad("ENV-01", "the terminal went off for want of voltage")
def a_brown_out_at_a_voltage_that_it_must_bear(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        lab.set(voltage_v=200)
        world.reboot("brown_out")
        world.wait(5)


@bad("ENV-01", "the screen reported 打印机过热 (printer)")
def a_printer_that_is_too_hot_too_soon(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        lab.set(temperature_c=40)
        world.sale(1500)
        done = max(e.t for e in world.events if e.kind == "operation.completed")
        world.display("打印机过热")
        world.events[-1] = world.events[-1].model_copy(update={"t": done + 1_000_000_000})


@undecided("ENV-01", "temperature and humidity not measured all the time")
def nobody_measured_the_air(world: World) -> None:
    world.sign_in()
    with Lab(world, without=("temperature_c", "humidity_pct")) as lab:
        lab.set(voltage_v=200)
        world.sale(1500)


@undecided("ENV-01", "not measured all the time")
def instruments_were_not_read_while_it_was_led_away(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab, lab.step("temperature_c", 44), lab.unread():
        world.wait(10)
        world.sale(1500)
        world.wait(10)


@undecided("ENV-01", "temperature and humidity not measured all the time")
def the_chamber_failed_meanwhile(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab, lab.step("temperature_c", 44):
        lab.trouble("chamber-1", "does not answer")
        world.sale(1500)


@undecided("ENV-01", "a reading lay just outside the declared range")
def what_failed_may_have_been_outside(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        lab.set(temperature_c=45.5)
        world.sale(1500)
        deny_success(world)


@undecided("ENV-01", "shortly before it had stood outside its range (temperature -12.0 °C)")
def still_cold_from_outside(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        lab.set(temperature_c=-12, settle=60)
        lab.set(temperature_c=2, settle=60)
        world.sale(1500)
        deny_success(world)


@bad("ENV-01", "was approved by the host, and told as no result")
def an_emulated_cold_leaves_nothing_behind(world: World) -> None:
    world.sign_in()
    with Lab(world, emulated=True) as lab:
        lab.set(temperature_c=-12, settle=60)
        lab.set(temperature_c=2, settle=60)
        world.sale(1500)
        deny_success(world)


@undecided("ENV-01", "the supply was being set just then")
def somebody_turned_the_supply(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        lab.set(voltage_v=200)
        lab.told("supply-1", "set_voltage", voltage_v="210")
        world.reboot("brown_out")
        world.wait(5)


@undecided("ENV-01", "was interrupted")
def the_bench_failed(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        lab.set(temperature_c=44)
        world.sale(1500)
        world.bench_failed("the tap died")


@undecided("ENV-01", "declares no range", declaration={"surroundings": None})
def a_model_that_declares_nothing(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab, lab.step("temperature_c", 44):
        world.sale(1500)


@no_occasion("ENV-01")
def where_a_shop_has_it(world: World) -> None:
    world.sign_in()
    with Lab(world):
        world.sale(1500)
        world.reboot("watchdog")


@no_occasion("ENV-01")
def the_cable_was_out_a_moment_ago(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        lab.set(temperature_c=44)
        world.unplug()
        world.plug()
        operation = world.invoke("sign_in")
        world.display("连接失败")
        world.complete(operation, "fail")


@no_occasion("ENV-01")
def another_connection_was_under_way(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        lab.set(temperature_c=44)
        begun_before(world)


@bad("ENV-01", "sent nothing; the screen said")
def it_does_not_even_try(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        lab.set(temperature_c=44)
        operation = world.invoke("sign_in")
        world.display("连接失败")
        world.complete(operation, "fail")


@no_occasion("ENV-01")
def far_outside(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        lab.set(temperature_c=60)
        world.sale(1500)
        deny_success(world)
        world.reboot("watchdog")
        lab.set(temperature_c=23)


@no_occasion("ENV-01")
def too_little_voltage(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        lab.set(voltage_v=140)
        world.reboot("brown_out")
        lab.set(voltage_v=220)


@no_occasion("ENV-01")
def the_line_was_broken(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        lab.set(temperature_c=44)
        world.sale(1500, lost())


@no_occasion("ENV-01")
def a_part_was_broken_on_purpose(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        lab.set(temperature_c=44)
        lab.breaks("printer")
        world.sale(1500)
        world.display("打印机故障")


@no_occasion("ENV-01")
def refused_for_a_reason_of_its_own(world: World) -> None:
    with Lab(world) as lab:
        lab.set(temperature_c=44)
        world.sale(1500)


@undecided("ENV-01", "whether it reset itself is not seen here", declaration={"offers": ["wire", "screen", "slip"]})
def nobody_sees_its_power(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        lab.set(temperature_c=44)
        world.sale(1500)
        world.screen()
        world.screen("正在启动")
        world.wait(3)
        world.idle()
