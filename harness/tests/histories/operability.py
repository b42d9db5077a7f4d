"""STA-05: what a terminal sends by itself after 97. STA-06: whether it can be worked with."""

from __future__ import annotations

from harness.history.events import Screen
from harness.tests.golden import World, says, withheld
from harness.tests.golden_stories import Stories
from harness.tests.golden_wire import F55, MID_2, TID_2, answer_to
from harness.tests.histories.steps import meet_97

stories = Stories("STA-")
good, bad, undecided, no_occasion = stories.good, stories.bad, stories.undecided, stories.no_occasion
TWO = {"identities": 2}
SECOND = 1_000_000_000


# -- STA-05 ------------------------------------------------------------------------------------------------------------


def both_refused(world: World) -> None:
    world.share()
    for number in ("2", "1"):
        world.select(number)
        world.sign_in()
    world.remove_terminal()
    world._others["2"][3].registered = False
    world.changed("terminal_removed", MID_2, TID_2)
    world.sign_in()


def sign_in_by_itself(world: World, *tries: tuple[str, int]) -> None:
    """As that merchant, so many seconds after now; then nobody comes for a while."""
    begun = world.t
    for number, after in tries:
        world.t = max(world.t, begun + after * SECOND)
        world.mid, world.tid, world.terminal, world.host = world._others[number]
        world.background_sign_in()
    world.wait(100)
    world.mid, world.tid, world.terminal, world.host = world._others["1"]
    world.acknowledge()


@good("STA-05", "requests of its own", declaration=TWO)
def each_merchant_has_its_own_back_off(world: World) -> None:
    both_refused(world)
    sign_in_by_itself(world, ("1", 20), ("2", 30), ("1", 70), ("2", 90), ("1", 170), ("2", 210))


@bad("STA-05", "retries of sign_in without back-off", declaration=TWO)
def one_of_two_merchants_has_none(world: World) -> None:
    both_refused(world)
    tries = [("2", 61 + 50 * n) for n in range(5)]
    sign_in_by_itself(world, ("1", 20), *tries)


@no_occasion("STA-05", declaration=TWO)
def what_another_merchants_host_asks_for(world: World) -> None:
    world.share()
    world.select("2")
    world.sign_in()
    world.select("1")
    meet_97(world)
    world.select("2")
    world.sale(100, says(processing="4"))
    world.download("capk_update", by_itself=True)
    world.download("parameter_download", by_itself=True)


@no_occasion("STA-05")
def four_keys_that_the_host_asked_for(world: World) -> None:
    """Nobody touches it: it is registered again, signs in and obeys."""
    meet_97(world)
    world.wait(10)
    world.register_terminal()
    world.background_sign_in(says(processing="4"))
    for code in ("372", "370", "370", "370", "370", "371"):
        fields = {11: world.terminal.next_trace(), 60: f"00{world.terminal.batch}{code}"}
        world._exchange(world._request("0820" if code == "372" else "0800", fields), says())
    world.wait(100)


@good("STA-05", "requests of its own")
def the_signatures_of_five_customers(world: World) -> None:
    world.sign_in()
    world.sale(100)
    world.remove_terminal()
    world.sign_in()
    last = world.terminal.log[-1]
    for number in range(5):
        world.terminal.log[-1] = type(last)(**{**vars(last), "trace": f"{number + 50:06d}"})
        world.upload_signature()
    world.terminal.log[-1] = last
    world.wait(100)
    world.acknowledge()


# -- STA-06 ------------------------------------------------------------------------------------------------------------


@no_occasion("STA-06")
def somebody_stopped_the_run_in_the_menu(world: World) -> None:
    meet_97(world)
    world.complete(world.invoke("menu"), "unknown", None, "KeyboardInterrupt")


@no_occasion("STA-06")
def somebody_stopped_the_run_as_the_next_began(world: World) -> None:
    meet_97(world)
    world.complete(world.invoke("sign_in"), "unknown", None, "KeyboardInterrupt")


@no_occasion("STA-06")
def the_menu_of_one_that_is_switched_off(world: World) -> None:
    meet_97(world)
    world.power("off")
    world.screen()
    world.wait(1)
    operation = world.invoke("menu")
    world.wait(10)
    world.complete(operation, "unknown", None, "nothing readable within 10 s")


@no_occasion("STA-06")
def the_machine_stood_still_meanwhile(world: World) -> None:
    world.heartbeat(1)
    meet_97(world)
    world.heartbeat(1)
    operation = world.invoke("menu")
    world.wait(10)
    world.heartbeat(9500)
    world.complete(operation, "unknown", None, "nothing readable within 10 s")
    world.heartbeat(1)


@bad("STA-06", "the management menu could not be opened")
def the_menu_stays_away(world: World) -> None:
    meet_97(world)
    operation = world.invoke("menu")
    world.wait(10)
    world.complete(operation, "unknown", None, "nothing readable within 10 s")


@no_occasion("STA-06")
def a_sale_is_awaited_behind_a_notice_that_was_refused(world: World) -> None:
    """The 97 was to the script notice on its way; its own answer comes after 45 of its 60 s."""
    world.sign_in()
    world.sale(100, entry="chip")
    world.owe_script_notice()
    with world._operation("sale", "keypad", amount="500", entry="chip", pin="no") as operation:
        world.deliver("97")
        fields = {
            3: "000000", 4: "000000000500", 11: world.terminal.next_trace(), 22: "052", 23: "001", 25: "00",
            35: "6225880000000097D30122010000097000000", 49: "156", 55: F55, 60: f"22{world.terminal.batch}00050",
        }  # fmt: skip
        asked, stream = world._request("0200", fields), world.next("stream")
        world.display("正在连接")
        world.connection(stream, "opening", "terminal")
        world.connection(stream, "open")
        world.frame(stream, "to_acquirer", asked.encode(world.terminal.mak))
        world.display("等待应答")
        world.wait(45)
        answer = answer_to(asked, "00", world.host.now(world.t), {37: "500100000099"})
        world.frame(stream, "to_terminal", answer.encode(world.host.working.mak))
        world.connection(stream, "closed", "terminal")
        world.result("00")
        world.complete(operation, "ok")
    world.wait(60)


def load(world: World, seconds: float) -> None:
    operation = world.invoke("load_firmware", "service", version="1.1.0")
    world.display("程序更新", "正在安装,请稍候")
    world.complete(operation, "ok")
    world.wait(seconds)
    world.display("安装完成")
    world.idle()


@no_occasion("STA-06")
def it_installs_while_in_97(world: World) -> None:
    meet_97(world)
    load(world, 40)


def working_on(world: World, seconds: float) -> None:
    world.wait(30)
    world.display("正在处理")
    world.wait(seconds)
    world.idle()


@bad("STA-06", "with nothing on the wire")
def it_works_on_nothing(world: World) -> None:
    meet_97(world)
    working_on(world, 40)


@no_occasion("STA-06", time_scale=20.0)
def two_real_seconds_of_work(world: World) -> None:
    """Whatever that is of the time of its protocol."""
    meet_97(world)
    for index in range(len(world.events) - 1, 0, -1):
        if isinstance(world.events[index], Screen):  # idle after one real second, as is due at this time scale
            world.events[index] = world.events[index].model_copy(update={"t": world.events[index].t - 4 * SECOND})
            break
    working_on(world, 2)


@no_occasion("STA-06")
def it_delivers_something_of_its_own_before_it_is_idle(world: World) -> None:
    world.sign_in()
    world.sale(100, withheld())
    world.remove_terminal()
    operation = world.invoke("sign_in")
    world._sign_in(says())
    world.result("97", "sign_in")
    world.complete(operation, "fail", "97")
    world.wait(2)
    world.send_reversal()
    world.idle()
    world.wait(60)


@bad("STA-06", "was not idle again within")
def it_delivers_something_and_is_never_idle(world: World) -> None:
    world.sign_in()
    world.sale(100, withheld())
    world.remove_terminal()
    operation = world.invoke("sign_in")
    world._sign_in(says())
    world.result("97", "sign_in")
    world.complete(operation, "fail", "97")
    world.wait(2)
    world.send_reversal()
    world.wait(60)


THREE = {"repeated_97": 3}


def then_the_menu(world: World) -> None:
    operation = world.invoke("menu")
    world.screen("管理菜单", "1.终端参数")
    world.idle()
    world.complete(operation, "ok")


@good("STA-06", "then idle, and the management menu opened", limits=THREE)
def the_last_came_while_nobody_stood_there(world: World) -> None:
    meet_97(world)
    world.sign_in()
    world.background_sign_in()
    world.wait(40)
    then_the_menu(world)


@undecided("STA-06", "idle was not seen", limits=THREE)
def idle_is_not_seen_after_the_last(world: World) -> None:
    meet_97(world)
    world.sign_in()
    world.display("通讯中断")
    world.quiet = True
    world._sign_in(says())
    world.quiet = False
    world.wait(40)
    then_the_menu(world)
