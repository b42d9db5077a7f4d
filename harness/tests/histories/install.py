"""INS-01, INS-04, INS-05: a unit from its box, before it was ever in service."""

from __future__ import annotations

from harness.tests.golden import World, late, withheld
from harness.tests.golden_parts import MID, TID, Reply
from harness.tests.golden_stories import Stories
from harness.tests.golden_terminal import FIRST_HOST, SECOND_HOST
from harness.tests.histories.steps import deny_success, end_unseen

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


def refused_by_itself(world: World, name: str, text: str, code: str | None = None, **args: str) -> None:
    """Nothing is sent, and no connection is tried."""
    operation = world.invoke(name, "service" if code else "keypad", **args)
    world.screen("未签到", text)
    world.complete(operation, "fail", code, text)


@no_occasion("INS-04")
def a_sale_before_the_sign_in(world: World) -> None:
    world.replaced("97000009")
    set_up(world)
    sale_refused(world)
    world.sign_in()


@no_occasion("INS-04")
def a_sale_at_the_till_before_the_sign_in(world: World) -> None:
    world.replaced("97000009")
    set_up(world)
    world.terminal.signed_in = False
    world.sale(1000, via="cashier")


@no_occasion("INS-04")
def a_sale_that_is_cancelled(world: World) -> None:
    world.replaced("97000009")
    set_up(world)
    refused_by_itself(world, "sale", "交易已取消", amount="1000")
    world.sign_in()


@no_occasion("INS-04")
def an_activation_while_it_is_busy_and_one_mistyped(world: World) -> None:
    world.replaced("97000009")
    set_up(world)
    refused_by_itself(world, "activate", "busy", "90")
    refused_by_itself(world, "activate", "an activation code is 12 digits", "03")


@no_occasion("INS-04")
def in_service_its_reversal_is_not_answered(world: World) -> None:
    world.replaced("97000009")
    set_up(world)
    world.sign_in()
    world.sale(1000, late())
    operation = world.invoke("sale", "cashier", amount="1000")
    world.send_reversal(withheld())
    world.complete(operation, "fail", "Z9", "冲正未完成")


@undecided("INS-04", "no later attempt was answered")
def who_answers_there_is_no_acquirer(world: World) -> None:
    world.replaced("97000009")
    set_up(world)
    world.sign_in(Reply(flaw="foreign_trace"))


@undecided("INS-04", "no later attempt was answered")
def the_answer_comes_too_late(world: World) -> None:
    world.replaced("97000009")
    set_up(world)
    world.sign_in(Reply(delivery="refused"))
    world.sign_in(late())


@undecided("INS-04", "no later attempt was answered")
def a_97_that_came_in_the_background_is_shown_first(world: World) -> None:
    world.replaced("97000009")
    set_up(world)
    world.background_sign_in("97")
    operation = world.invoke("sign_in")
    world.display("交易失败", "应答码:97", "终端未登记")
    stream = world.next("stream")
    world.connection(stream, "opening", "terminal", world.host_at)
    world.connection(stream, "refused", "acquirer")
    world.display("连接失败")
    world.complete(operation, "fail", None, "连接失败")


@bad("INS-04", "so on the screen: not registered")
def a_refused_connection_is_shown_as_97(world: World) -> None:
    """The 97 that came before had been shown."""
    world.replaced("97000009")
    set_up(world)
    world.sign_in("97")
    operation = world.invoke("sign_in")
    stream = world.next("stream")
    world.connection(stream, "opening", "terminal", world.host_at)
    world.connection(stream, "refused", "acquirer")
    world.display("交易失败", "应答码:97", "终端未登记")
    world.complete(operation, "fail", None, "终端未登记")


@bad("INS-04", "said code 97")
def the_second_attempt_in_vain_is_told_as_97(world: World) -> None:
    world.replaced("97000009")
    set_up(world)
    world.sign_in(Reply(delivery="refused"))
    world.sign_in(Reply(delivery="refused"))
    index = max(i for i, e in enumerate(world.events) if e.kind == "operation.completed")
    world.events[index] = world.events[index].model_copy(update={"code": "97"})
    world.sign_in()


def in_vain_and_put_right(world: World) -> None:
    world.replaced("97000009")
    set_up(world)
    world.sign_in(Reply(delivery="refused"))
    world.sign_in()


@bad("INS-04", "the way was put right, sign_in 000002 was approved")
def put_right_it_says_no(world: World) -> None:
    in_vain_and_put_right(world)
    deny_success(world)


@undecided("INS-04", "how the sign_in that was answered ended was not seen")
def put_right_it_hangs(world: World) -> None:
    in_vain_and_put_right(world)
    end_unseen(world)


@good("INS-04", "put right, sign_in 000003 was answered")
def put_right_it_hangs_and_is_asked_again(world: World) -> None:
    in_vain_and_put_right(world)
    end_unseen(world)
    world.sign_in()


@undecided("INS-04", "the sign_in that was approved failed for another reason")
def put_right_with_another_master_key(world: World) -> None:
    world.replaced("97000009")
    set_up(world)
    world.sign_in(Reply(delivery="refused"))
    world.register_terminal(new_tmk=True)
    world.sign_in()


@undecided("INS-04", "the sign_in that was approved failed for another reason")
def put_right_and_the_check_value_is_bad(world: World) -> None:
    world.replaced("97000009")
    set_up(world)
    world.sign_in(Reply(delivery="refused"))
    world.sign_in(Reply(f62="bad_kcv"))


@good("INS-04", "the host at 10.97.0.3:8583 answered 97 and the terminal showed it")
def another_acquirer_says_97(world: World) -> None:
    at_another_acquirer(world)
    move(world, FIRST_HOST)
    world.sign_in()


@bad("INS-04", "answered 97, and the terminal said code Z1")
def another_acquirers_97_is_told_as_no_connection(world: World) -> None:
    at_another_acquirer(world)
    index = max(i for i, e in enumerate(world.events) if e.kind == "operation.completed")
    world.events[index] = world.events[index].model_copy(update={"code": "Z1"})
    move(world, FIRST_HOST)
    world.sign_in()


@bad("INS-04", "its sign-in was granted, and the terminal said")
def moved_it_still_says_no(world: World) -> None:
    at_another_acquirer(world)
    move(world, FIRST_HOST)
    world.sign_in()
    deny_success(world)


@no_occasion("INS-04")
def moved_with_the_other_acquirers_key(world: World) -> None:
    at_another_acquirer(world)
    world.register_terminal(new_tmk=True)
    move(world, FIRST_HOST)
    world.sign_in()


@no_occasion("INS-04")
def the_same_acquirer_says_97(world: World) -> None:
    world.replaced("97000009")
    set_up(world)
    world.sign_in("97")
    move(world, FIRST_HOST)
    world.sign_in()


def at_another_acquirer(world: World) -> None:
    """Which does not know the unit."""
    world.replaced("97000009")
    set_up(world)
    move(world, SECOND_HOST)
    world.sign_in("97")


def move(world: World, host: str) -> None:
    address = host.partition(":")[0]
    world.host_at = host
    world.complete(world.invoke("set_host", "service", address=address), "ok")


def under_review(world: World) -> None:
    """Its application is under review when it first signs in; then it is approved."""
    world.replaced("97000009")
    world.leave_registration("pending")
    set_up(world)
    world.sign_in()
    world.register_terminal()


@good("INS-05", "approved, it signed in")
def approved_in_the_end(world: World) -> None:
    under_review(world)
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


@good("INS-05", "approved, it signed in")
def approved_and_the_first_attempt_does_not_connect(world: World) -> None:
    under_review(world)
    world.sign_in(Reply(delivery="refused"))
    world.sign_in()


@good("INS-05", "approved, it signed in")
def approved_and_it_says_that_it_can_not_connect(world: World) -> None:
    under_review(world)
    asked = world.invoke("sign_in")
    world.screen("通讯失败", "连接失败")
    world.complete(asked, "fail", "Z1", "连接失败")
    world.sign_in()


@good("INS-05", "approved, it signed in")
def approved_right_after_the_cable_was_put_back(world: World) -> None:
    under_review(world)
    world.unplug()
    world.wait(5)
    world.plug()
    world.wait(0.2)
    world.complete(world.invoke("sign_in"), "fail", None, "通讯超时")
    world.sign_in()


@no_occasion("INS-05")
def approved_with_another_master_key(world: World) -> None:
    world.replaced("97000009")
    world.leave_registration("pending")
    set_up(world)
    world.sign_in()
    world.register_terminal(new_tmk=True)
    world.sign_in()
    deny_success(world)


@bad("INS-05", "the application was approved, and the sign-in ended so")
def approved_and_granted_and_denied(world: World) -> None:
    under_review(world)
    world.sign_in()
    deny_success(world)


@no_occasion("INS-05")
def never_approved(world: World) -> None:
    world.replaced("97000009")
    world.leave_registration("pending")
    set_up(world)
    world.sign_in()
