"""FWU-02, FWU-04, FWU-05, FWU-08, FWU-09: images that were not taken for a reason that is not theirs."""

from __future__ import annotations

from harness.tests.golden import World, says
from harness.tests.golden_stories import Stories
from harness.tests.golden_updates import load, offer, refuse, told, unit_with

stories = Stories("FWU-")
good, bad, undecided, no_occasion = stories.good, stories.bad, stories.undecided, stories.no_occasion
NO_CONNECTION, NO_VERSION = "Z1 连接失败", "无新版本"


# -- FWU-04 ------------------------------------------------------------------------------------------------------------


@undecided("FWU-04", "nothing came from the host (Z1 连接失败)")
def no_connection_to_the_host(world: World) -> None:
    refuse(world, "1.1.0", flaw="corrupt", why=NO_CONNECTION, via="network")


@undecided("FWU-04", "nothing came from the host (连接失败)")
def no_connection_on_the_screen(world: World) -> None:
    refuse(world, "1.1.0", flaw="corrupt", why="连接失败", via="network")


@undecided("FWU-04", "nothing came from the host (无新版本)")
def the_host_had_none(world: World) -> None:
    refuse(world, "1.1.0", flaw="corrupt", why=NO_VERSION, via="network")


@undecided("FWU-04", "the reason is another (90 busy)")
def the_terminal_was_at_work(world: World) -> None:
    refuse(world, "1.1.0", flaw="corrupt", why="90 busy")


@undecided("FWU-04", "the reason is another (73 传输中断)")
def it_did_not_come_whole(world: World) -> None:
    refuse(world, "1.1.0", flaw="corrupt", why="73 传输中断")


@undecided("FWU-04", "the reason is another (85 transactions stored)")
def what_is_stored_was_in_the_way(world: World) -> None:
    refuse(world, "1.1.0", flaw="corrupt", why="85 transactions stored")


@undecided("FWU-04", "how it ended is not known")
def nobody_saw_how_it_ended(world: World) -> None:
    load(world, "1.1.0", flaw="corrupt", says="unknown", runs="1.0.0")


@undecided("FWU-04", "noise in 5 % of the blocks")
def the_line_may_have_damaged_it(world: World) -> None:
    refuse(world, "1.1.0", flaw="corrupt", disturbed="noise in 5 % of the blocks")


@undecided("FWU-04", "the power went in it")
def the_power_went_meanwhile(world: World) -> None:
    operation = world.invoke("load_firmware", "service", version="1.1.0")
    offer(world, operation.op, "1.1.0", flaw="corrupt")
    world.power("off", "cut")
    world.power("on")
    world.complete(operation, "fail")
    told(world, "1.0.0")


@undecided("FWU-04", "the bench broke it off")
def the_bench_failed_meanwhile(world: World) -> None:
    operation = world.invoke("load_firmware", "service", version="1.1.0")
    offer(world, operation.op, "1.1.0", flaw="corrupt")
    world.bench_failed("the service port's line is gone")
    world.complete(operation, "fail")
    told(world, "1.0.0")


@undecided("FWU-04", "the host answered 97")
def the_host_offers_it_to_nobody_it_does_not_know(world: World) -> None:
    no_offer(world, "1.1.0", flaw="corrupt")
    told(world, "1.0.0")


@good("FWU-04", "refused (程序更新 原因71:签名错误)")
def refused_on_the_screen(world: World) -> None:
    refuse(world, "1.1.0", flaw="unsigned", why="程序更新 原因71:签名错误", via="network")


@good("FWU-04", "refused (E7: not for this device)")
def refused_in_a_vendors_words(world: World) -> None:
    refuse(world, "1.1.0", flaw="wrong_model", why="E7: not for this device")


@good("FWU-04", "refused (70 image damaged)")
def connected_at_the_second_attempt(world: World) -> None:
    refuse(world, "1.1.0", stays="", flaw="corrupt", why=NO_CONNECTION, via="network")
    refuse(world, "1.1.0", flaw="corrupt", via="network")


@undecided("FWU-04", "nothing came from the host (Z1 连接失败)")
def another_image_connects(world: World) -> None:
    refuse(world, "1.1.0", flaw="corrupt", why=NO_CONNECTION, via="network")
    refuse(world, "1.1.0", flaw="unsigned", via="network")


@bad("FWU-04", "it runs")
def it_runs_though_the_line_was_noisy(world: World) -> None:
    load(world, "1.1.0", flaw="corrupt", disturbed="noise in 5 % of the blocks")


# -- FWU-02 ------------------------------------------------------------------------------------------------------------


@undecided("FWU-02", "nothing came from the host (Z1 连接失败)")
def it_resets_and_there_was_no_connection(world: World) -> None:
    a_day(world)
    refuse(world, "3.0.0", why=NO_CONNECTION, resets=True, via="network")


@undecided("FWU-02", "nothing came from the host (无新版本)")
def it_resets_and_the_host_had_none(world: World) -> None:
    a_day(world)
    refuse(world, "3.0.0", why=NO_VERSION, resets=True, via="network")


@undecided("FWU-02", "the reason is another (90 busy)")
def it_resets_and_the_terminal_was_at_work(world: World) -> None:
    a_day(world)
    refuse(world, "3.0.0", why="90 busy", resets=True)


@undecided("FWU-02", "how it ended is not known")
def it_resets_and_nobody_saw_how_it_ended(world: World) -> None:
    a_day(world)
    load(world, "3.0.0", says="unknown", runs="1.0.0", resets=True)


@good("FWU-02", "refused (86 reversal pending)")
def it_resets_and_is_refused_from_the_host(world: World) -> None:
    a_day(world)
    refuse(world, "3.0.0", why="86 reversal pending", resets=True, via="network")


@good("FWU-02", "refused (85 transactions stored)")
def it_resets_and_connects_at_the_second_attempt(world: World) -> None:
    a_day(world)
    refuse(world, "3.0.0", why=NO_CONNECTION, resets=True, via="network")
    refuse(world, "3.0.0", why="85 transactions stored", resets=True, via="network")


@undecided("FWU-02", "nothing came from the host (Z1 连接失败)")
def it_resets_and_connects_when_settled(world: World) -> None:
    a_day(world)
    refuse(world, "3.0.0", why=NO_CONNECTION, resets=True, via="network")
    world.settle()
    load(world, "3.0.0", resets=True)


# -- FWU-05, FWU-08, FWU-09 --------------------------------------------------------------------------------------------


@good("FWU-05", "another attempt was taken")
def the_second_attempt_does_not_connect(world: World) -> None:
    refuse(world, "1.1.0", why="73 broken off", disturbed="the sender stops after 9 blocks")
    refuse(world, "1.1.0", why=NO_CONNECTION, via="network")
    load(world, "1.1.0", via="network")


@undecided("FWU-08", "nothing came from the host (Z1 连接失败)")
def in_97_and_no_connection(world: World) -> None:
    unit_with(world, "0.9.0")
    world.remove_terminal()
    world.sign_in()
    refuse(world, "1.0.0", stays="0.9.0", why=NO_CONNECTION, via="network")


@good("FWU-08", "registered, the sign-in was granted")
def in_97_and_connected_at_the_second_attempt(world: World) -> None:
    unit_with(world, "0.9.0")
    world.remove_terminal()
    world.sign_in()
    refuse(world, "1.0.0", stays="0.9.0", why=NO_CONNECTION, via="network")
    load(world, "1.0.0", via="network")
    world.register_terminal()
    world.sign_in()


@bad("FWU-08", "was not taken: 请先签到")
def in_97_it_wants_to_sign_in_first(world: World) -> None:
    unit_with(world, "0.9.0")
    world.remove_terminal()
    world.sign_in()
    refuse(world, "1.0.0", stays="0.9.0", why="请先签到", via="network")


@no_occasion("FWU-09")
def a_pair_without_a_connection(world: World) -> None:
    unit_with(world, "0.9.0")
    refuse(world, "1.0.0", stays="0.9.0", why=NO_CONNECTION, via="network")


# -- steps -------------------------------------------------------------------------------------------------------------


def a_day(world: World) -> None:
    world.sign_in()
    world.sale(1200)


def no_offer(world: World, version: str, *, flaw: str = "") -> None:
    """The operator asks for it, and the host says 97 to the question what there is."""
    operation = world.invoke("load_firmware", "operator", version=version)
    offer(world, operation.op, version, flaw=flaw, via="network")
    world.download("software_update", says("97"), by_itself=True)
    world.complete(operation, "fail", "97")
