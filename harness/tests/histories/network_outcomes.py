"""NET-01: under faults of the wire, the class of the outcome, the reversal, and the books."""

from __future__ import annotations

from harness.terminal.cards import CARDS
from harness.tests.golden import Reply, World, dropped, late, lost, says, unreachable, withheld
from harness.tests.golden_faults import (
    cut,
    damaged,
    dribbled,
    forged,
    request_swallowed,
    reset,
    rewritten,
    swallowed,
)
from harness.tests.golden_stories import Stories
from harness.tests.histories.steps import claim_success, deny_success

stories = Stories("NET-")
good, bad, undecided, no_occasion = stories.good, stories.bad, stories.undecided, stories.no_occasion


def settled(world: World) -> None:
    """The bench's end of a test: sign-in, settlement, books."""
    world.sign_in()
    world.settle(unbalanced=True)
    world.ledger()


def work_goes_on(world: World) -> None:
    world.sign_in()
    world.sale(700)
    settled(world)


# -- unknown: a reversal, and one charge at most -----------------------------------------------------------------------


@good("NET-01", "no answer came, and told so")
def the_answer_is_swallowed(world: World) -> None:
    world.sign_in()
    world.sale(1500, swallowed())
    work_goes_on(world)


@good("NET-01", "its reversal was delivered")
def the_answer_is_cut(world: World) -> None:
    world.sign_in()
    world.sale(1500, cut(40))
    work_goes_on(world)


@good("NET-01")
def the_connection_is_reset_under_the_answer(world: World) -> None:
    world.sign_in()
    world.sale(1500, reset())
    work_goes_on(world)


@good("NET-01", "the host's books hold it not at all")
def the_request_never_arrives(world: World) -> None:
    world.sign_in()
    world.sale(1500, request_swallowed())
    work_goes_on(world)


@good("NET-01", "the MAC of its answer does not count")
def the_mac_of_the_answer_was_stripped(world: World) -> None:
    world.sign_in()
    world.sale(1500, rewritten(mac="strip"))
    work_goes_on(world)


@good("NET-01", "what came answers something else")
def an_answer_with_another_amount(world: World) -> None:
    world.sign_in()
    world.sale(1500, rewritten({4: "000000000001"}, mac="recompute"))
    work_goes_on(world)


@good("NET-01")
def a_void_whose_answer_is_damaged(world: World) -> None:
    world.sign_in()
    sale = world.sale(1500)
    world.void(sale.trace, damaged())
    work_goes_on(world)


@good("NET-01")
def under_a_delay_the_answer_comes_too_late(world: World) -> None:
    world.sign_in()
    with world.under("delay", milliseconds=70_000):
        world.sale(1500, late())
    work_goes_on(world)


# -- known all the same: no reversal -----------------------------------------------------------------------------------


@good("NET-01", "was approved (00), and told so")
def an_approval_in_pieces(world: World) -> None:
    world.sign_in()
    world.sale(1500, dribbled())
    settled(world)


@good("NET-01", "was declined (97), and told so")
def a_97_in_pieces(world: World) -> None:
    world.sign_in()
    world.sale(1500, says("97", wire=dribbled()))
    settled(world)


@good("NET-01", "was declined (97), and told so")
def a_forged_97_with_a_right_mac_is_believed(world: World) -> None:
    world.sign_in()
    world.sale(1500, forged("97"))
    settled(world)


@good("NET-01", "nothing of its own was sent, and told so")
def nothing_answers_the_attempt_to_connect(world: World) -> None:
    world.sign_in()
    with world.under("syn_blackhole"):
        world.sale(1500, unreachable())


@good("NET-01", "was in its way")
def a_reversal_that_does_not_get_through_holds_up_the_sale(world: World) -> None:
    world.sign_in()
    world.sale(1500, withheld())
    with world.under("partition"), world._operation("sale", "keypad", amount="700") as operation:
        world.send_reversal(dropped())
        world.result("Z9")
        world.complete(operation, "fail", "Z9")


@good("NET-01")
def the_cable_is_out_under_the_answer(world: World) -> None:
    world.sign_in()
    world.sale(1500, lost())
    work_goes_on(world)


@bad("NET-01", "and told as approved")
def a_swallowed_answer_counts_as_approval(world: World) -> None:
    world.sign_in()
    world.sale(1500, swallowed())
    claim_success(world)
    work_goes_on(world)


@bad("NET-01", "and told as declined, code 97")
def a_reset_is_told_as_97(world: World) -> None:
    world.sign_in()
    world.sale(1500, reset())
    index = max(i for i, e in enumerate(world.events) if e.kind == "operation.completed")
    world.events[index] = world.events[index].model_copy(update={"code": "97"})
    work_goes_on(world)


@bad("NET-01", "was approved (00), and told as no result")
def an_approval_in_pieces_is_not_taken(world: World) -> None:
    world.sign_in()
    world.sale(1500, dribbled())
    deny_success(world)
    work_goes_on(world)


@bad("NET-01", "was sent before its reversal was delivered")
def the_reversal_is_forgotten_when_the_answer_is_cut(world: World) -> None:
    world.sign_in()
    world.sale(1500, cut(40))
    world.terminal.pending = None
    work_goes_on(world)


@bad("NET-01", "and a reversal of it was sent")
def an_approval_in_pieces_is_reversed(world: World) -> None:
    world.sign_in()
    world.sale(1500, dribbled())
    world.terminal.want_reversal()
    work_goes_on(world)


@bad("NET-01", "and a reversal of it was sent")
def a_97_in_pieces_is_reversed(world: World) -> None:
    world.sign_in()
    world.sale(1500, says("97", wire=dribbled()))
    world.terminal.want_reversal()
    work_goes_on(world)


@bad("NET-01", "the host has booked it 2 times")
def sent_again_under_another_number(world: World) -> None:
    world.sign_in()
    with world._operation("sale", "keypad", amount="1500", entry="magnetic") as operation:
        buy(world, Reply(wire=swallowed()))
        world.terminal.pending = None
        buy(world, Reply())
        world.result("00")
        world.complete(operation, "ok")
    world.settle(unbalanced=True)
    world.ledger()


@bad("NET-01", "the host has booked it 2 times")
def sent_again_by_itself_after_the_line_is_back(world: World) -> None:
    world.sign_in()
    world.sale(1500, swallowed())
    world.terminal.pending = None
    buy(world, Reply())
    world.settle(unbalanced=True)
    world.ledger()


def buy(world: World, reply: Reply) -> None:
    """A sale of 15.00 on the wire, with no operation around it."""
    fields = {
        3: "000000", 4: f"{1500:012d}", 11: world.terminal.next_trace(), 22: "022", 25: "00",
        35: CARDS["magnetic"].track2, 49: "156", 60: f"22{world.terminal.batch}00050",
    }  # fmt: skip
    world._exchange(world._request("0200", fields), reply)


@undecided("NET-01", "its reversal was still due at the end")
def nothing_follows(world: World) -> None:
    world.sign_in()
    world.sale(1500, swallowed())


@undecided("NET-01", "how it ended was not seen")
def nobody_saw_how_it_ended(world: World) -> None:
    world.sign_in()
    world.sale(1500, swallowed())
    index = max(i for i, e in enumerate(world.events) if e.kind == "operation.completed")
    world.events[index] = world.events[index].model_copy(update={"outcome": "unknown", "code": None})
    work_goes_on(world)


@undecided("NET-01", "books were not read afterwards")
def nobody_read_the_books(world: World) -> None:
    world.sign_in()
    world.sale(1500, swallowed())
    world.sign_in()
    world.sale(700)


@no_occasion("NET-01")
def an_armed_fault_that_never_struck(world: World) -> None:
    world.sign_in()
    number = world.fault_armed("swallow").fault_id
    world.sale(1500)
    world.fault_healed(number)
    work_goes_on(world)


@no_occasion("NET-01")
def a_host_that_is_late_by_itself(world: World) -> None:
    world.sign_in()
    world.sale(1500, late())
    work_goes_on(world)

