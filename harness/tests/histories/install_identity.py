"""INS-03, INS-06: a number that the acquirer does not know, or means another unit by."""

from __future__ import annotations

from typing import Literal

from harness.protocol.nested import make_serial_number
from harness.tests.golden import MID, TID, Outcome, World
from harness.tests.golden_parts import Reply, reply_of
from harness.tests.golden_stories import Stories
from harness.tests.golden_wire import MID_2, OPERATOR, TID_2, Message
from harness.tests.histories.install import set_up
from harness.tests.histories.steps import deny_success

stories = Stories("INS-")
good, bad, undecided, no_occasion = stories.good, stories.bad, stories.undecided, stories.no_occasion
WRONG_TID, WRONG_MID = "97000778", "898970000000778"


def identify(world: World, tid: str = TID, mid: str = MID) -> None:
    operation = world.invoke("set_identity", "service", tid=tid, mid=mid)
    world.tid, world.mid = tid, mid
    world.complete(operation, "ok")


def wrongly_set(world: World, tid: str = TID, mid: str = MID) -> None:
    """A unit from its box with a wrong number."""
    world.replaced("97000009")
    set_up(world)
    identify(world, tid, mid)


def says_other(world: World, code: str | None = "Z3") -> None:
    """What the terminal told of the last operation was another thing."""
    index = max(i for i, e in enumerate(world.events) if e.kind == "operation.completed")
    world.events[index] = world.events[index].model_copy(update={"code": code})


def activate(world: World, reply: Reply | str | None = None, via: Literal["keypad", "service"] = "keypad") -> Outcome:
    with world._operation("activate", via) as operation:  # type: ignore[arg-type]
        fields = {
            11: world.terminal.next_trace(), 60: f"00{world.terminal.batch}396",
            62: make_serial_number("TEST97000009") + b"123456789012".hex(), 63: OPERATOR,
        }  # fmt: skip
        return world._finish(operation, world._exchange(Message("0800", fields), reply_of(reply)))


def host_is_set(world: World) -> None:
    operation = world.invoke("set_host", "service", address="10.97.0.1")
    world.complete(operation, "ok")


# -- INS-03 ------------------------------------------------------------------------------------------------------------


@good("INS-03", "a wrong identity was answered 97 and shown so; corrected, it signed in")
def a_wrong_terminal_number(world: World) -> None:
    wrongly_set(world, tid=WRONG_TID)
    world.sign_in("97")
    identify(world)
    world.sign_in()


@good("INS-03", "a wrong identity was answered 03 and shown so; corrected, it signed in")
def a_wrong_merchant_number(world: World) -> None:
    wrongly_set(world, mid=WRONG_MID)
    world.sign_in("03")
    identify(world)
    world.sign_in()


@good("INS-03", "a wrong code was answered 97 and shown so; the right one was taken")
def a_wrong_activation_code(world: World) -> None:
    world.replaced("97000009")
    activate(world, "97")
    activate(world)


@good("INS-03", "a wrong code was answered 97 and shown so; the right one was taken")
def a_wrong_code_by_the_service_port(world: World) -> None:
    world.replaced("97000009")
    host_is_set(world)
    activate(world, "97", "service")
    activate(world, via="service")


@no_occasion("INS-02")
def a_code_that_is_not_known_is_no_failure(world: World) -> None:
    world.replaced("97000009")
    host_is_set(world)
    activate(world, "97", "service")


@good("INS-03", "a wrong identity was answered 97 and shown so; corrected, it signed in", declaration={"identities": 2})
def the_other_merchant_is_given_its_number_too(world: World) -> None:
    """Who shares the unit, after the correction; it signs in as the first."""
    wrongly_set(world, tid=WRONG_TID)
    world.sign_in("97")
    identify(world)
    world.service("from_terminal", "OK MERCHANT 2")
    world.complete(world.invoke("set_identity", "service", tid=TID_2, mid=MID_2), "ok")
    world.sign_in()


@no_occasion("INS-03")
def it_was_activated_instead(world: World) -> None:
    """The number came from the acquirer; only the other merchant's was set."""
    wrongly_set(world, tid=WRONG_TID)
    world.sign_in("97")
    activate(world)
    world.tid = TID
    world.complete(world.invoke("set_identity", "service", tid=TID_2, mid=MID_2), "ok")
    world.sign_in()


@bad("INS-03", "was answered 97, the terminal said code Z3")
def the_97_is_hidden(world: World) -> None:
    wrongly_set(world, tid=WRONG_TID)
    world.sign_in("97")
    says_other(world)


@bad("INS-03", "was answered 03, the terminal said code 97")
def a_wrong_merchant_is_told_as_97(world: World) -> None:
    wrongly_set(world, mid=WRONG_MID)
    world.sign_in("03")
    says_other(world, "97")


@bad("INS-03", "the correction was refused")
def it_can_not_be_corrected(world: World) -> None:
    wrongly_set(world, tid=WRONG_TID)
    world.sign_in("97")
    operation = world.invoke("set_identity", "service", tid=TID, mid=MID)
    world.complete(operation, "fail", "85", "transactions stored")


@bad("INS-03", "it signed in as 97000778")
def the_correction_is_forgotten(world: World) -> None:
    wrongly_set(world, tid=WRONG_TID)
    world.host.registered = False  # nobody has that number: the host says so by itself
    world.sign_in()
    identify(world)
    world.tid = WRONG_TID
    world.sign_in()


@bad("INS-03", "corrected, the sign-in was granted, and the terminal said")
def corrected_it_still_says_no(world: World) -> None:
    wrongly_set(world, tid=WRONG_TID)
    world.sign_in("97")
    identify(world)
    world.sign_in()
    deny_success(world)


@no_occasion("INS-03")
def corrected_and_another_master_key_is_given(world: World) -> None:
    wrongly_set(world, tid=WRONG_TID)
    world.sign_in("97")
    identify(world)
    world.register_terminal(new_tmk=True)
    world.sign_in()


@no_occasion("INS-03")
def corrected_and_set_back_by_hand(world: World) -> None:
    wrongly_set(world, tid=WRONG_TID)
    world.host.registered = False
    world.sign_in()
    identify(world)
    identify(world, WRONG_TID)
    world.sign_in()


@bad("INS-03", "corrected to 10000001")
def the_second_correction_is_forgotten(world: World) -> None:
    """It signs in as it was set before."""
    wrongly_set(world, tid=WRONG_TID)
    world.host.registered = False
    world.sign_in()
    identify(world, "97000779")
    identify(world)
    world.tid = "97000779"
    world.sign_in()


@good("INS-03", "a wrong identity was answered 97 and shown so; corrected, it signed in")
def the_second_correction_was_stored_and_nobody_heard_so(world: World) -> None:
    wrongly_set(world, tid=WRONG_TID)
    world.sign_in("97")
    identify(world, "97000779")
    world.complete(world.invoke("set_identity", "service", tid=TID, mid=MID), "unknown")
    world.tid = TID
    world.sign_in()


@good("INS-03", "a wrong identity was answered 97 and shown so; corrected, it signed in")
def the_correction_is_mistyped_first(world: World) -> None:
    wrongly_set(world, tid=WRONG_TID)
    world.sign_in("97")
    operation = world.invoke("set_identity", tid="1", mid=MID)
    world.display("设置失败")
    world.complete(operation, "fail", None, "设置失败")
    identify(world)
    world.sign_in()


def half_read(world: World) -> None:
    """A sign-in that is answered 97, and the code on the screen can't be read."""
    with world._operation("sign_in", "keypad") as operation:
        world._sign_in(Reply(code="97"))
        world.screen("交易失败", "应?码:9?", "终端未登记", unreadable=2)
        world.complete(operation, "fail", None, "应?码:9? 终端未登记")


@undecided("INS-03", "part of what the terminal said could not be read")
def the_code_can_not_be_read(world: World) -> None:
    wrongly_set(world, tid=WRONG_TID)
    half_read(world)


@bad("INS-03", "the right one was granted, and the terminal said")
def the_right_code_is_denied(world: World) -> None:
    world.replaced("97000009")
    activate(world, "97")
    activate(world)
    deny_success(world)


@no_occasion("INS-03")
def right_at_once(world: World) -> None:
    wrongly_set(world)
    world.sign_in()


@no_occasion("INS-03")
def it_was_in_service_before(world: World) -> None:
    wrongly_set(world)
    world.sign_in()
    world.sign_in("97")


@no_occasion("INS-03")
def the_same_number_again_is_no_correction(world: World) -> None:
    wrongly_set(world, tid=WRONG_TID)
    world.sign_in("97")
    identify(world, WRONG_TID)
    world.sign_in("97")


# -- INS-06 ------------------------------------------------------------------------------------------------------------


def bound(world: World, serial: str) -> None:
    """The back office means this unit by the number."""
    world.host.registered = True
    world.changed("terminal_registered", MID, TID, tmk_kcv=world.host.keys.tmk_kcv, batch="000001", serial=serial)


def unit(world: World, serial: str) -> None:
    world.replaced(serial)
    world.serial = serial
    set_up(world)


@good("INS-06", "unit 97000010 as 10000001 of 898110000000001 was answered 97 and showed it")
def a_second_unit_with_the_same_number(world: World) -> None:
    bound(world, "97000009")
    unit(world, "97000009")
    world.sign_in()
    unit(world, "97000010")
    world.sign_in("97")


@good("INS-06", "was answered 97 and showed it")
def the_same_unit_under_a_second_merchant(world: World) -> None:
    bound(world, "97000009")
    unit(world, "97000009")
    identify(world, TID_2, MID_2)
    world.sign_in("97")


@bad("INS-06", "and said code Z3")
def the_second_unit_hides_it(world: World) -> None:
    bound(world, "97000009")
    unit(world, "97000010")
    world.sign_in("97")
    says_other(world)


@bad("INS-06", "and said")
def the_second_unit_claims_to_be_signed_in(world: World) -> None:
    bound(world, "97000009")
    unit(world, "97000010")
    world.sign_in("97")
    says_other(world, None)


@undecided("INS-06", "part of what the terminal said could not be read")
def the_second_units_code_can_not_be_read(world: World) -> None:
    bound(world, "97000009")
    unit(world, "97000010")
    half_read(world)


@no_occasion("INS-06")
def another_unit_while_the_number_is_under_review(world: World) -> None:
    """It would be answered so whatever unit asks."""
    bound(world, "97000009")
    world.leave_registration("pending")
    unit(world, "97000010")
    world.sign_in()


@no_occasion("INS-06")
def the_unit_that_is_meant(world: World) -> None:
    bound(world, "97000009")
    unit(world, "97000009")
    world.sign_in("97")


@no_occasion("INS-06")
def any_unit_may_have_the_number(world: World) -> None:
    unit(world, "97000009")
    world.sign_in("97")


@no_occasion("INS-06")
def it_was_bound_and_is_no_more(world: World) -> None:
    bound(world, "97000009")
    world.remove_terminal()
    unit(world, "97000010")
    world.sign_in()


@no_occasion("INS-06")
def a_unit_that_says_no_number(world: World) -> None:
    bound(world, "97000009")
    world.replaced("97000010")
    set_up(world)
    world.sign_in("97")
