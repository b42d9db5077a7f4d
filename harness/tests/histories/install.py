"""INS-01, INS-04, INS-05: a unit from its box, before it was ever in service."""

from __future__ import annotations

from harness.tests.golden import World
from harness.tests.golden_parts import MID, TID, Reply
from harness.tests.golden_stories import Stories

stories = Stories("INS-")
good, bad, undecided, no_occasion = stories.good, stories.bad, stories.undecided, stories.no_occasion


def set_up(world: World) -> None:
    """Key, identity and host, at a unit that has just come."""
    world.load_tmk()
    for name, args in (("set_identity", {"tid": TID, "mid": MID}), ("set_host", {"address": "10.97.0.1"})):
        operation = world.invoke(name, "service", **args)
        world.complete(operation, "ok")


def sale_refused(world: World) -> None:
    operation = world.invoke("sale", amount="1000")
    world.screen("未签到", "请先签到")
    world.complete(operation, "fail", None, "请先签到")


@good("INS-01", "sale was refused")
def refused_out_of_the_box(world: World) -> None:
    world.replaced("97000009")
    sale_refused(world)
    set_up(world)
    world.sign_in()


@bad("INS-01", "a unit without key or identity sent sale")
def sold_out_of_the_box(world: World) -> None:
    world.sign_in()
    world.replaced("97000009")
    world.sale(1000)


@no_occasion("INS-01")
def nothing_asked_of_a_blank_unit(world: World) -> None:
    world.replaced("97000009")
    set_up(world)
    world.sign_in()
    world.sale(1000)


@good("INS-04", "nobody answered the sign_in, and it was told as such")
def a_wrong_port_put_right(world: World) -> None:
    world.replaced("97000009")
    set_up(world)
    world.sign_in(Reply(delivery="refused"))
    world.sign_in()


@bad("INS-04", "said code 97")
def a_refused_connection_is_told_as_97(world: World) -> None:
    world.replaced("97000009")
    set_up(world)
    world.sign_in(Reply(delivery="refused"))
    index = max(i for i, e in enumerate(world.events) if e.kind == "operation.completed")
    world.events[index] = world.events[index].model_copy(update={"code": "97"})


@undecided("INS-04", "no later attempt was answered")
def never_put_right(world: World) -> None:
    world.replaced("97000009")
    set_up(world)
    world.sign_in(Reply(delivery="refused"))


@good("INS-05", "approved, it signed in")
def approved_in_the_end(world: World) -> None:
    world.replaced("97000009")
    world.leave_registration("pending")
    set_up(world)
    world.sign_in()
    world.register_terminal()
    world.sign_in()


@bad("INS-05", "the application was approved, and the sign-in ended so")
def approved_and_still_refused(world: World) -> None:
    world.replaced("97000009")
    world.leave_registration("rejected")
    set_up(world)
    world.sign_in()
    world.register_terminal()
    operation = world.invoke("sign_in")
    world.screen("未签到", "请先设置")
    world.complete(operation, "fail", None, "请先设置")


@no_occasion("INS-05")
def never_approved(world: World) -> None:
    world.replaced("97000009")
    world.leave_registration("pending")
    set_up(world)
    world.sign_in()
