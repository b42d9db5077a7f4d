"""INS-02 to INS-05 on a unit that two merchants share: what one is answered, is given or does is not the other's."""

from __future__ import annotations

from harness.tests.golden import MID, TID, World
from harness.tests.golden_parts import Reply
from harness.tests.golden_stories import Stories
from harness.tests.golden_terminal import FIRST_HOST, SECOND_HOST
from harness.tests.golden_wire import MID_2, TID_2
from harness.tests.histories.install import move, under_review
from harness.tests.histories.install_identity import WRONG_TID, wrongly_set
from harness.tests.histories.installation import (
    TWO,
    choose,
    from_its_box,
    nothing_is_sent,
    set_network,
    tell_check_value,
)
from harness.tests.histories.steps import deny_success

stories = Stories("INS-")
good, bad, undecided, no_occasion = stories.good, stories.bad, stories.undecided, stories.no_occasion


def number(world: World, merchant: str, tid: str, outcome: str = "ok", code: str | None = None) -> None:
    """By the service port; the first is addressed there again afterwards."""
    world.service("from_terminal", f"OK MERCHANT {merchant}")
    operation = world.invoke("set_identity", "service", tid=tid, mid=MID if merchant == "1" else MID_2)
    world.complete(operation, outcome, code, "85 transactions stored" if code else "")  # type: ignore[arg-type]
    world.service("from_terminal", "OK MERCHANT 1")


def wrong_for_the_first(world: World) -> None:
    """The first merchant's number is nobody's, the second's is right; the first is answered 97."""
    wrongly_set(world, tid=WRONG_TID)
    number(world, "2", TID_2)
    world.host.registered = False
    world.sign_in()


def as_the_second(world: World) -> None:
    choose(world, "2")
    world.tid, world.mid = TID_2, MID_2


# -- INS-03 ------------------------------------------------------------------------------------------------------------


@good("INS-03", "a wrong identity was answered 97 and shown so; corrected, it signed in", declaration=TWO)
def both_are_given_their_numbers(world: World) -> None:
    wrong_for_the_first(world)
    number(world, "2", TID_2)
    number(world, "1", TID)
    world.tid, world.host.registered = TID, True
    world.sign_in()


@good("INS-03", "a wrong identity was answered 97 and shown so; corrected, it signed in", declaration=TWO)
def the_correction_was_stored_and_nobody_heard_so(world: World) -> None:
    wrong_for_the_first(world)
    number(world, "2", TID_2)
    number(world, "1", TID, "unknown")
    world.tid, world.host.registered = TID, True
    world.sign_in()


@no_occasion("INS-03", declaration=TWO)
def the_correction_was_not_stored_and_nobody_heard_so(world: World) -> None:
    wrong_for_the_first(world)
    number(world, "2", TID_2)
    number(world, "1", TID, "unknown")
    world.sign_in()


@no_occasion("INS-03", declaration=TWO)
def only_the_other_is_given_a_number(world: World) -> None:
    wrong_for_the_first(world)
    number(world, "2", TID_2)
    world.sign_in()


@no_occasion("INS-03", declaration=TWO)
def the_other_signs_in(world: World) -> None:
    wrong_for_the_first(world)
    number(world, "2", TID_2)
    as_the_second(world)
    world.sign_in("00")


@no_occasion("INS-03", declaration=TWO)
def the_other_has_transactions_stored(world: World) -> None:
    wrong_for_the_first(world)
    number(world, "2", "10000003", "fail", "85")


@bad("INS-03", "the correction was refused", declaration=TWO)
def it_can_not_be_corrected(world: World) -> None:
    wrong_for_the_first(world)
    number(world, "2", TID_2)
    number(world, "1", TID, "fail", "85")


@bad("INS-03", "it signed in as 97000778", declaration=TWO)
def the_correction_is_forgotten(world: World) -> None:
    wrong_for_the_first(world)
    number(world, "2", TID_2)
    number(world, "1", TID)
    world.sign_in()


# -- INS-04, INS-05 ----------------------------------------------------------------------------------------------------


@no_occasion("INS-04", declaration=TWO)
def another_acquirer_answers_one_and_the_other_signs_in(world: World) -> None:
    from_its_box(world)
    number(world, "2", TID_2)
    move(world, SECOND_HOST)
    world.sign_in("97")
    move(world, FIRST_HOST)
    as_the_second(world)
    world.sign_in()


@no_occasion("INS-05", declaration=TWO)
def one_is_approved_and_the_other_signs_in(world: World) -> None:
    under_review(world)
    number(world, "2", TID_2)
    as_the_second(world)
    world.sign_in()


@no_occasion("INS-05", declaration=TWO)
def one_is_approved_and_the_other_is_blank(world: World) -> None:
    under_review(world)
    choose(world, "2")
    nothing_is_sent(world)


# -- INS-02 ------------------------------------------------------------------------------------------------------------


def keys_of_both(world: World) -> None:
    """Each merchant has a key of its own; the first one's is loaded last."""
    world.replaced("97000009")
    set_network(world)
    world.share()
    one, two = world._others["1"], world._others["2"]
    world.changed("terminal_registered", MID_2, TID_2, tmk_kcv=two[3].keys.tmk_kcv, batch="000001")
    world.register_terminal(new_tmk=True)
    for merchant, (mid, tid, terminal, host) in (("2", two), ("1", one)):
        world.service("from_terminal", f"OK MERCHANT {merchant}")
        world.terminal, world.host = terminal, host
        world.load_tmk()
        tell_check_value(world)
        world.complete(world.invoke("set_identity", "service", tid=tid, mid=mid), "ok")
    world.complete(world.invoke("set_host", "service", address="10.97.0.1"), "ok")


@bad("INS-02", "sign in failed: the acquirer approved it", declaration=TWO)
def the_second_merchants_sign_in_is_denied(world: World) -> None:
    keys_of_both(world)
    world.select("2")
    world.sign_in()
    deny_success(world)


@no_occasion("INS-02", declaration=TWO)
def a_new_unit_begins_with_the_first_merchant(world: World) -> None:
    """Which is blank; the second, chosen on the unit before, was set up."""
    choose(world, "2")
    world.replaced("97000009")
    set_network(world)
    world.service("from_terminal", "OK MERCHANT 2")
    world.load_tmk()
    world.complete(world.invoke("set_identity", "service", tid=TID_2, mid=MID_2), "ok")
    world.complete(world.invoke("set_host", "service", address="10.97.0.1"), "ok")
    nothing_is_sent(world)


@no_occasion("INS-02", declaration=TWO)
def the_other_merchants_keys_can_not_be_used(world: World) -> None:
    keys_of_both(world)
    world.select("2")
    world.sign_in(Reply(f62="bad_kcv"))
