"""ENV-02: who it is and its keys outlive a disturbance; and what shows neither that they did nor that they did not."""

from __future__ import annotations

from harness.tests.golden import World
from harness.tests.golden_stories import Stories
from harness.tests.golden_surroundings import Lab
from harness.tests.histories.steps import deny_success, nothing_sent

stories = Stories("ENV-")
shown_twice = Stories("ENV-")  # by more than one request; one of them is enough
bad, undecided = stories.bad, stories.undecided
LEFT_OPEN = "nothing shows that it is in service again"


def burst(world: World, lab: Lab) -> None:
    """And the time in which it must be back."""
    with lab.hit("burst", level_kv=1):
        world.wait(0.3)
    world.wait(70)


# -- who it is ---------------------------------------------------------------------------------------------------------


@bad("ENV-02", "asked to sign in it sends nothing any more")
def it_knows_no_more_who_it_is(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        burst(world, lab)
        nothing_sent(world, "sign_in", "未设置商户号")


@bad("ENV-02", "asked to sign in it sends nothing any more")
def nor_once_it_has_settled(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        burst(world, lab)
        nothing_sent(world, "sign_in", "请先结算")
        nothing_sent(world, "sign_in", "未设置商户号")


@undecided("ENV-02", LEFT_OPEN)
def it_is_busy(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        burst(world, lab)
        operation = world.invoke("sign_in", "cashier")
        world.complete(operation, "fail", "Z6")


@undecided("ENV-02", LEFT_OPEN)
def it_wants_to_settle_first(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        burst(world, lab)
        nothing_sent(world, "sign_in", "请先结算")


@undecided("ENV-02", LEFT_OPEN)
def it_is_asked_far_too_cold(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        burst(world, lab)
        lab.set(temperature_c=-25)
        nothing_sent(world, "sign_in", "网络未就绪")


@shown_twice.good("ENV-02", "is from TID 10000001, as before", model="HT-200")
def another_merchant_sends_first(world: World) -> None:
    """He had sent nothing before."""
    world.share()
    world.sign_in()
    with Lab(world) as lab:
        with lab.hit("burst", level_kv=1):
            world.wait(1)
        world.select("2")
        world.sign_in()
        world.select("1")
        world.sign_in()
        world.sale(600)


@bad("ENV-02", "before it the terminal was TID 10000001", model="HT-200")
def a_stranger_sends_where_merchants_share_it(world: World) -> None:
    world.share()
    world.sign_in()
    with Lab(world) as lab:
        burst(world, lab)
        world.select("2")
        world.tid = "77777777"
        world.sign_in()


# -- its keys ----------------------------------------------------------------------------------------------------------


@shown_twice.good("ENV-02", "is signed under the master key of before")
def the_first_sign_in_is_spoiled(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        with lab.hit("burst", level_kv=1):
            world.wait(0.3)
        world.wait(2)
        world.sign_in()
        deny_success(world)
        world.wait(30)
        world.sign_in()
        world.sale(700)


@undecided("ENV-02", "a sign-in was granted and failed, while something else may have spoiled it")
def the_only_sign_in_is_spoiled(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        with lab.hit("burst", level_kv=1):
            world.wait(0.3)
        world.wait(2)
        world.sign_in()
        deny_success(world)


@bad("ENV-02", "the host grants the sign-in, and the terminal can't use its keys")
def nor_does_a_later_one_help(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        with lab.hit("burst", level_kv=1):
            world.wait(0.3)
        world.wait(2)
        world.sign_in()
        deny_success(world)
        world.wait(90)
        world.sign_in()
        deny_success(world)
