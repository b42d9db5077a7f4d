"""NET-02, NET-03: a 97 that TCP brought whole after all, and one that it did not."""

from __future__ import annotations

from harness.tests.golden import World, flawed, late, says
from harness.tests.golden_faults import Strike, cut, damaged, dribbled, forged, rewritten, swallowed
from harness.tests.golden_stories import Stories
from harness.tests.histories.steps import deny_success

stories = Stories("NET-")
good, bad, undecided, no_occasion = stories.good, stories.bad, stories.undecided, stories.no_occasion


def says_97(world: World, strike: Strike) -> None:
    """A sale that the host refuses, and a fault on the way of its answer."""
    world.sign_in()
    world.sale(1500, says("97", wire=strike))


def told(world: World, code: str | None) -> None:
    """The operation under way last ended with this code."""
    index = max(i for i, e in enumerate(world.events) if e.kind == "operation.completed")
    world.events[index] = world.events[index].model_copy(update={"outcome": "fail", "code": code})


# -- NET-02 ------------------------------------------------------------------------------------------------------------


@good("NET-02", "came whole, though in pieces of 1 byte, and was told as such")
def in_pieces(world: World) -> None:
    says_97(world, dribbled())
    world.settle()


@good("NET-02", "was shown as such")
def the_operation_told_no_code_but_the_screen_did(world: World) -> None:
    says_97(world, dribbled())
    told(world, None)
    world.settle()


@good("NET-02")
def sign_in_of_a_removed_terminal_under_delay(world: World) -> None:
    world.remove_terminal()
    world.sign_in(dribbled())


@bad("NET-02", "and was told as no result")
def a_97_in_pieces_is_no_answer_to_it(world: World) -> None:
    world.quiet = True
    says_97(world, dribbled())
    deny_success(world)
    world.settle()


@bad("NET-02", "was still coming when the terminal let go of it")
def it_does_not_wait_for_the_rest(world: World) -> None:
    says_97(world, cut(40, ""))
    left = next(e for e in reversed(world.events) if e.kind == "wire.connection" and e.by == "terminal")
    early = left.t - 59_000_000_000
    world.events = [e if e.t < early else e.model_copy(update={"t": e.t - 59_000_000_000}) for e in world.events]


@undecided("NET-02", "how it ended was not seen")
def nobody_saw_the_end(world: World) -> None:
    says_97(world, dribbled())
    index = max(i for i, e in enumerate(world.events) if e.kind == "operation.completed")
    world.events[index] = world.events[index].model_copy(update={"outcome": "unknown", "code": None})


@no_occasion("NET-02")
def a_97_that_was_never_touched(world: World) -> None:
    world.sign_in()
    world.sale(1500, "97")


@no_occasion("NET-02")
def a_97_that_the_acquirer_never_said(world: World) -> None:
    world.sign_in()
    world.sale(1500, forged("97"))


@no_occasion("NET-02")
def a_97_whose_rest_never_comes(world: World) -> None:
    says_97(world, cut(40, ""))


@no_occasion("NET-02")
def a_97_that_came_too_late(world: World) -> None:
    world.sign_in()
    with world.under("delay"):
        world.sale(1500, late("97"))


# -- NET-03 ------------------------------------------------------------------------------------------------------------


@good("NET-03", "cut after 60 bytes: it counted as no answer")
def cut_short(world: World) -> None:
    says_97(world, cut(60))
    world.settle()


@good("NET-03")
def cut_and_nothing_more(world: World) -> None:
    says_97(world, cut(-1, ""))
    world.settle()


@good("NET-03", "1 bit at byte 60")
def a_bit_was_turned_over(world: World) -> None:
    says_97(world, damaged())
    world.settle()


@good("NET-03")
def its_mac_was_broken(world: World) -> None:
    says_97(world, rewritten(mac="break"))


@bad("NET-03", "it counted as a definite one")
def a_97_cut_short_is_shown(world: World) -> None:
    says_97(world, cut(-8))
    world.display("交易失败", "应答码:97", "终端未登记")
    world.settle()


@bad("NET-03", "it was told as declined, code 97")
def a_damaged_97_is_told(world: World) -> None:
    says_97(world, damaged())
    told(world, "97")
    world.settle()


@undecided("NET-03", "how it ended was not seen")
def nobody_saw_how_the_damaged_one_ended(world: World) -> None:
    says_97(world, damaged())
    index = max(i for i, e in enumerate(world.events) if e.kind == "operation.completed")
    world.events[index] = world.events[index].model_copy(update={"outcome": "unknown", "code": None})


@no_occasion("NET-03")
def a_97_of_which_nothing_came(world: World) -> None:
    says_97(world, swallowed())


@no_occasion("NET-03")
def a_damaged_97_to_the_reversal_and_a_definite_one_to_the_sale(world: World) -> None:
    world.sign_in()
    world.sale(1500, swallowed())
    with world._operation("sale", "keypad", amount="700", entry="magnetic") as operation:
        pending = world.terminal.pending
        world.send_reversal(says("97", wire=rewritten({39: "00"}, mac="strip")))
        assert pending is not None
        world._exchange(world._request("0200", {**pending.fields, 11: world.terminal.next_trace()}), says("97"))
        world.result("97")
        world.complete(operation, "fail", "97")


@no_occasion("NET-03")
def another_code_cut_short(world: World) -> None:
    world.sign_in()
    world.sale(1500, says("51", wire=cut(60)))


@no_occasion("NET-03")
def a_host_that_spoils_the_mac_itself(world: World) -> None:
    world.sign_in()
    world.sale(1500, flawed("bad_mac", "97"))
