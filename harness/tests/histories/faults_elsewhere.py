"""What faults of the wire are to the rules about money and about what is shown: what the bench itself put on the wire
is believed where it must be, and nobody is blamed for the difference."""

from __future__ import annotations

from harness.tests.golden import World, says, unreachable
from harness.tests.golden_faults import cut, damaged, dribbled, forged, replayed, reset, rewritten, swallowed
from harness.tests.golden_stories import Stories
from harness.tests.histories.security import last_answer

stories = Stories("M")
good, bad, undecided, no_occasion = stories.good, stories.bad, stories.undecided, stories.no_occasion


def settled(world: World) -> None:
    world.sign_in()
    world.settle(unbalanced=True)
    world.ledger()


def met_97(world: World) -> None:
    """A sale, and a 97 to another: the batch is one that MON-07 looks at."""
    world.sign_in()
    world.sale(1200)
    world.sale(500, "97")


# -- MON-07: books that the bench has falsified ------------------------------------------------------------------------


@good("MON-07", "left aside what the bench itself has falsified: 000004 (15.00)")
def a_forged_approval_that_nobody_can_tell(world: World) -> None:
    met_97(world)
    world.sale(1500, says("51", wire=forged("00", f37="500100000004")))
    settled(world)


@good("MON-07", "left aside what the bench itself has falsified: 000003 (15.00)")
def a_forged_97_of_what_the_host_approved(world: World) -> None:
    world.sign_in()
    world.sale(1200)
    world.sale(1500, forged("97"))
    settled(world)


@good("MON-07", "agree on 2 transactions")
def a_swallowed_answer_and_its_reversal(world: World) -> None:
    met_97(world)
    world.sale(1500, swallowed())
    world.sale(800)
    settled(world)


@bad("MON-07", "which the upload lack")
def a_sale_lost_beside_a_falsified_one(world: World) -> None:
    met_97(world)
    world.sale(1500, forged("97"))
    world.terminal.log.clear()
    world.sale(800)
    settled(world)


@undecided("MON-07", "falsified a message of its settlement")
def a_forged_answer_to_the_settlement(world: World) -> None:
    met_97(world)
    world.sign_in()
    world.settle(unbalanced=True, upload=[rewritten({12: "000000"})])
    world.ledger()


# -- MON-03: a reversal that the bench made believe it was delivered ---------------------------------------------------


@good("MON-03", "accepted once (F39 00)")
def a_forged_acceptance_of_the_reversal(world: World) -> None:
    world.sign_in()
    world.sale(1500, swallowed())
    world.sign_in("97")
    world.send_reversal(says("97", wire=rewritten({39: "00"}, mac="recompute")))
    world.ledger()
    world.sale(700)


# -- MSG-02, MON-10: a 97 that a fault spoiled -------------------------------------------------------------------------


@good("MSG-02", "nothing answered the attempt to connect")
def nobody_answers(world: World) -> None:
    world.sign_in()
    with world.under("syn_blackhole"):
        world.sale(1500, unreachable())


@good("MSG-02", "nothing was sent: dns")
def the_host_has_no_address(world: World) -> None:
    world.sign_in()
    with world._operation("echo", "keypad") as operation:
        number = world.fault_armed("dns", answer="nxdomain").fault_id
        world.fault_struck(number, "dns: no such name")
        world.result("Z1")
        world.complete(operation, "fail", "Z1")
    world.fault_healed(number)


@good("MSG-02", "the host closed before it answered sale 000002")
def a_97_cut_short(world: World) -> None:
    world.sign_in()
    world.sale(1500, says("97", wire=cut(60)))


@good("MSG-02", "what came does not answer sale")
def a_damaged_97(world: World) -> None:
    world.sign_in()
    world.sale(1500, says("97", wire=damaged()))


@bad("MSG-02", "the host closed before it answered sale 000002, but the screen said")
def a_reset_shown_as_97(world: World) -> None:
    world.sign_in()
    world.sale(1500, reset())
    world.display("交易失败", "应答码:97", "终端未登记")


@no_occasion("MSG-02")
def a_97_in_pieces(world: World) -> None:
    world.sign_in()
    world.sale(1500, says("97", wire=dribbled()))


@good("MON-10", "followed (F39 A0)")
def the_mac_of_a_97_was_broken(world: World) -> None:
    world.sign_in()
    world.sale(1500, says("97", wire=rewritten(mac="break")))
    world.sign_in()
    world.sale(700)


@good("MON-10", "a 97 to another message the reversal of the sale 000003")
def an_earlier_97_before_the_approval(world: World) -> None:
    world.sign_in()
    world.sale(1500, "97")
    world.sale(1500, replayed(last_answer(world), "before"))
    world.settle()


@no_occasion("MON-10")
def a_forged_97_with_a_right_mac(world: World) -> None:
    world.sign_in()
    world.sale(1500, forged("97"))
    world.sale(700)


@good("MON-02", "no reversal")
def nor_is_it_reversed(world: World) -> None:
    world.sign_in()
    world.sale(1500, forged("97"))
    world.sale(700)
