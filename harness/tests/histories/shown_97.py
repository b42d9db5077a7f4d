"""MSG-01, MSG-02, MSG-07: which 97 a screen rests on, where the next thing has begun or the news are old."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from harness.history.events import OperationInvoked
from harness.terminal.cards import CARDS
from harness.tests.golden import Outcome, Reply, World, withheld
from harness.tests.golden_parts import reply_of
from harness.tests.golden_stories import Stories
from harness.tests.golden_surroundings import Lab
from harness.tests.golden_terminal import Via
from harness.tests.golden_wire import Fields, Message

stories = Stories("MSG-")
good, bad, undecided, no_occasion = stories.good, stories.bad, stories.undecided, stories.no_occasion
NOT_REGISTERED = ("交易失败", "应答码:97", "终端未登记")


def asked(world: World) -> Message:
    """The request of a sale of 7 yuan."""
    fields: Fields = {
        3: "000000", 4: "000000000700", 11: world.terminal.next_trace(), 22: "022", 25: "00",
        35: CARDS["magnetic"].track2, 49: "156", 60: f"22{world.terminal.batch}00050",
    }  # fmt: skip
    return world._request("0200", fields)


def sends(world: World, reply: Reply | None = None) -> Outcome:
    return world._exchange(asked(world), reply_of(reply))


def begins(world: World, via: Via = "keypad") -> OperationInvoked:
    return world.invoke("sale", via, amount="700", entry="magnetic", pin="no")


# -- the next thing has begun ------------------------------------------------------------------------------------------


def told_at_the_till_first(world: World) -> None:
    """The screen has not said it yet."""
    world.sign_in()
    world.remove_terminal()
    operation = begins(world, "cashier")
    sends(world)
    world.till("from_terminal", {"DF01": "02", "DF04": f"{operation.op:04d}", "DF07": "97", "DF09": "终端未登记"})
    world.complete(operation, "fail", "97")


@no_occasion("MSG-02")
def the_counters_are_read_before_the_screen_says_it(world: World) -> None:
    told_at_the_till_first(world)
    world.read_counters()
    world.display(*NOT_REGISTERED, after=0.15)
    world.idle(after=5)


@no_occasion("MSG-02")
def the_till_sells_again_before_the_screen_says_it(world: World) -> None:
    told_at_the_till_first(world)
    operation = begins(world, "cashier")
    world.display(*NOT_REGISTERED, after=0.1)
    world.complete(operation, "fail", "Z6")
    world.idle(after=5)


@bad("MSG-02", "no definite 97 in this transaction, but the screen said 97")
def it_said_so_once_and_says_so_of_the_next_one_too(world: World) -> None:
    told_at_the_till_first(world)
    world.display(*NOT_REGISTERED)
    operation = begins(world, "cashier")
    world.display("正在连接")
    world.display(*NOT_REGISTERED, after=0.5)
    world.complete(operation, "fail", "Z1")
    world.idle(after=5)


def broken_off(world: World, detail: str) -> None:
    """The test ends in the middle of a sale, and cleans up; then the host answers."""
    world.sign_in()
    world.remove_terminal()
    operation = begins(world)
    sends(world)
    answer = max(i for i, e in enumerate(world.events) if e.kind == "host.journal")
    rest, world.events[answer:] = world.events[answer:], []
    world.t = world.events[-1].t
    if detail:
        world.complete(operation, "unknown", detail=detail)
    world.read_counters()
    for event in rest:
        world.append(event.model_copy(update={"t": 0}))
    world.wait(4)
    world.display(*NOT_REGISTERED)
    world.idle(after=5)


@no_occasion("MSG-02")
def the_test_broke_off_and_the_answer_came_then(world: World) -> None:
    broken_off(world, "KeyboardInterrupt")


@no_occasion("MSG-02")
def nobody_saw_how_it_ended_and_the_answer_came_then(world: World) -> None:
    broken_off(world, "")


# -- old news ----------------------------------------------------------------------------------------------------------


def a_shop_worked_from_the_till(world: World) -> None:
    """An unattended 97 in the morning, that the screen says to nobody; it is registered again, and sells."""
    world.sign_in(via="cashier")
    world.remove_terminal()
    world.background_sign_in()
    world.display("签到失败", *NOT_REGISTERED[1:])
    world.idle(after=5)
    world.register_terminal()
    world.sign_in(via="cashier")
    world.sale(500, via="cashier")
    world.wait(600)


@bad("MSG-02", "no answer to sale 000005 in time, but the screen said 97")
def hours_later_a_timeout_is_shown_as_97(world: World) -> None:
    a_shop_worked_from_the_till(world)
    operation = begins(world, "cashier")
    sends(world, withheld())
    world.display(*NOT_REGISTERED)
    world.display("通讯超时", after=1)
    world.complete(operation, "fail", "Z2")
    world.idle(after=5)


@bad("MSG-02", "a disturbance hit the terminal (burst of 1 kV), but the screen said 97")
def hours_later_a_burst_is_shown_as_97(world: World) -> None:
    a_shop_worked_from_the_till(world)
    with Lab(world) as lab, lab.hit("burst", level_kv=1):
        world.display(*NOT_REGISTERED)
        world.idle(after=3)


@good("MSG-07", "was visible at the next acknowledge")
def hours_later_the_operator_comes_and_is_told(world: World) -> None:
    a_shop_worked_from_the_till(world)
    operation = world.invoke("acknowledge")
    world.display("提示", *NOT_REGISTERED[1:])
    world.idle(after=0.5)
    world.complete(operation, "ok")


@good("MSG-07", "was visible at the next acknowledge")
def it_says_so_between_the_sales_until_somebody_comes(world: World) -> None:
    world.sign_in(via="cashier")
    world.remove_terminal()
    world.background_sign_in()
    world.display("签到失败", *NOT_REGISTERED[1:])
    world.register_terminal()
    world.quiet = True
    world.sign_in(via="cashier")
    world.quiet = False
    world.display("签到成功")
    world.display("签到失败", *NOT_REGISTERED[1:], after=2)
    world.wait(60)
    world.acknowledge()


# -- another one's -----------------------------------------------------------------------------------------------------


@contextmanager
def as_merchant(world: World, number: str) -> Iterator[None]:
    """What the terminal does for the one that is not chosen."""
    chosen = world.mid, world.tid, world.terminal, world.host
    world.mid, world.tid, world.terminal, world.host = world._others[number]
    yield
    world.mid, world.tid, world.terminal, world.host = chosen


def two_merchants(world: World) -> None:
    world.share()
    world.sign_in()
    world.select("2")
    world.sign_in()
    world.select("1")


def the_other_meets_97_by_itself(world: World) -> None:
    with as_merchant(world, "2"):
        world.host.registered = False
        world.changed("terminal_removed", world.mid, world.tid)
        world.wait(0.5)
        world._sign_in(reply_of(None))
        world.display("签到失败", *NOT_REGISTERED[1:])
    world.idle(after=5)


@bad("MSG-01", "was not shown with code and text within 3 s", model="HT-200")
def the_alert_for_the_other_merchant_shows_no_sale_s_97(world: World) -> None:
    two_merchants(world)
    world.remove_terminal()
    operation = begins(world)
    sends(world)
    world.display("交易失败")
    world.complete(operation, "fail")
    the_other_meets_97_by_itself(world)


@undecided("MSG-01", "another one came unattended before the screen said so", model="HT-200")
def the_till_was_told_and_the_other_merchant_met_97_before_the_screen_said_it(world: World) -> None:
    two_merchants(world)
    told_at_the_till_first(world)
    the_other_meets_97_by_itself(world)


@no_occasion("MSG-01", model="HT-200")
def the_other_merchant_s_reversal_goes_first_and_meets_97(world: World) -> None:
    two_merchants(world)
    world.sale(900, withheld())
    world.remove_terminal()
    world.quiet = True
    world.select("2")
    operation = begins(world)
    with as_merchant(world, "1"):
        world._clear_reversal()
    sends(world)
    world._finish(operation, Outcome("00", {}))
    world.idle(after=5)
