"""MON-03, MON-09, MON-10: reversals that are due outlive every 97."""

from __future__ import annotations

from harness.tests.golden import World, flawed, host_closes, late, lost, refused, says, withheld
from harness.tests.golden_stories import Stories

stories = Stories("MON-")
good, bad, undecided, no_occasion = stories.good, stories.bad, stories.undecided, stories.no_occasion


def recover(world: World) -> None:
    world.register_terminal()
    world.sign_in()


# -- MON-03: a pending reversal survives any number of 97s and takes effect once ---------------------------------------


@good("MON-03", "accepted once (F39 00)")
def it_outlives_97_on_sign_in(world: World) -> None:
    world.sign_in()
    world.sale(1500, lost())
    world.remove_terminal()
    world.sign_in()
    recover(world)
    world.ledger()
    world.sale(700)


@good("MON-03")
def it_outlives_97_on_the_reversal_itself(world: World) -> None:
    world.sign_in()
    world.sale(1500, withheld())
    world.remove_terminal()
    world.sale(700)
    recover(world)
    world.settle()


@good("MON-03", "accepted once (F39 25)")
def the_host_never_saw_the_original(world: World) -> None:
    world.sign_in()
    world.sale(1500, host_closes())
    world.sign_in("97")
    world.sale(700)


@good("MON-03")
def a_power_cut_between(world: World) -> None:
    world.sign_in()
    world.sale(1500, lost())
    world.remove_terminal()
    world.sign_in()
    world.reboot("cut")
    recover(world)
    world.settle()


@bad("MON-03", "had not been delivered: it did not outlive the 97")
def forgotten_on_97_and_a_new_sale(world: World) -> None:
    world.sign_in()
    world.sale(1500, lost())
    world.sign_in("97")
    world.terminal.pending = None
    world.sale(700)


@bad("MON-03", "it did not outlive the 97 to the reversal")
def forgotten_on_97_to_itself(world: World) -> None:
    world.sign_in()
    world.sale(1500, lost())
    world.send_reversal("97")
    world.terminal.pending = None
    world.sale(700)


@bad("MON-03", "the batch_end")
def the_batch_is_closed_over_it(world: World) -> None:
    world.sign_in()
    world.sale(1200)
    world.sale(1500, lost())
    world.sign_in("97")
    world.terminal.pending = None
    world.settle()


@bad("MON-03", "batch 000009, the original has 000001")
def a_repeat_with_another_batch_number(world: World) -> None:
    world.sign_in()
    world.sale(1500, lost())
    world.sign_in("97")
    world.terminal.want_reversal(f60="2200000900050")
    world.sale(700)


@bad("MON-03", "amount 1, the original has 1500")
def a_repeat_with_another_amount(world: World) -> None:
    world.sign_in()
    world.sale(1500, lost())
    world.sign_in("97")
    world.terminal.want_reversal(f4="000000000001")
    world.sale(700)


@bad("MON-03", "sent again all the same")
def sent_again_after_it_was_accepted(world: World) -> None:
    world.sign_in()
    world.sale(1500, lost())
    world.sign_in("97")
    world.send_reversal()
    world.terminal.want_reversal()
    world.sale(700)


@bad("MON-03", "the host's books still hold it as approved")
def accepted_but_without_effect(world: World) -> None:
    world.sign_in()
    world.sale(1500, lost())
    world.sign_in("97")
    world.send_reversal("25")
    world.ledger()


@undecided("MON-03", "still due when the log")
def it_is_still_due_at_the_end(world: World) -> None:
    world.sign_in()
    world.sale(1500, lost())
    world.sign_in("97")


@undecided("MON-03", "a risk to be accepted by hand", reversal_exhausted="delete_recorded")
def deleted_with_a_printed_record(world: World) -> None:
    world.sign_in()
    sale = world.sale(1500, lost())
    world.send_reversal("97")
    assert world.terminal.pending is not None
    world.slip("冲正失败 已删除", f"凭证号:{sale.trace or world.terminal.pending.trace}")
    world.terminal.pending = None
    world.sale(700)


@no_occasion("MON-03")
def no_97_came_while_it_was_due(world: World) -> None:
    world.sign_in()
    world.sale(1500, lost())
    world.sale(700)
    world.sale(800, "97")


@no_occasion("MON-03")
def nothing_was_sent(world: World) -> None:
    world.sign_in()
    world.sale(1500, refused())
    world.sign_in("97")
    world.sale(700)


# -- MON-09: 97 after the receive timeout ------------------------------------------------------------------------------


@good("MON-09", "followed (F39 98)")
def the_reversal_follows_a_late_97(world: World) -> None:
    world.sign_in()
    world.sale(500, late("97"))
    left = next(e for e in reversed(world.events) if e.kind == "wire.connection" and e.state == "closed")
    world.wait(40)  # so late that it can't have crossed the terminal's giving up
    world.events = [e.model_copy(update={"t": e.t + 40_000_000_000}) if e.t > left.t else e for e in world.events]
    world.sale(700)


@good("MON-09", "followed (F39 98)")
def the_terminal_had_said_no_answer_on_an_open_connection(world: World) -> None:
    world.sign_in()
    world.sale(500, late("97"))
    world.events = [e for e in world.events if e.kind != "wire.connection"]
    shown = next(e for e in world.events if e.kind == "operation.completed" and e.code == "Z2")
    answer = [e for e in world.events if e.kind == "wire.frame"][-1]
    world.events.remove(answer)
    world.events.append(answer.model_copy(update={"t": shown.t + 1_000_000}))
    world.sale(700)


@bad("MON-09", "without a reversal of")
def a_late_97_cancels_the_reversal(world: World) -> None:
    world.sign_in()
    world.sale(500, late("97"))
    world.terminal.pending = None
    world.sale(700)


@bad("MON-09", "gives F39 06, expected 98")
def the_reversal_gives_another_reason(world: World) -> None:
    world.sign_in()
    world.sale(500, late("97"))
    world.terminal.want_reversal("06")
    world.sale(700)


@undecided("MON-09", "nothing was sent")
def nothing_follows_the_late_97(world: World) -> None:
    world.sign_in()
    world.sale(500, late("97"))


# -- MON-10: a 97 that is no answer ------------------------------------------------------------------------------------


@good("MON-10", "followed (F39 A0)")
def bad_mac(world: World) -> None:
    world.sign_in()
    world.sale(500, flawed("bad_mac", "97"))
    world.sign_in()
    world.sale(700)


@good("MON-10", "followed (F39 06)")
def foreign_trace(world: World) -> None:
    world.sign_in()
    world.sale(500, flawed("foreign_trace", "97"))
    world.settle()


@good("MON-10", "without the MAC it must have", decline_mac="required")
def no_mac_where_it_must_be(world: World) -> None:
    world.sign_in()
    world.sale(500, flawed("no_mac", "97"))
    world.terminal.want_reversal("A0")
    world.sale(700)


@bad("MON-10", "without a reversal of")
def a_forged_97_cancels_the_reversal(world: World) -> None:
    world.sign_in()
    world.sale(500, flawed("bad_mac", "97"))
    world.terminal.pending, world.terminal.signed_in = None, True
    world.sale(700)


@bad("MON-10", "gives F39 98, expected A0")
def the_wrong_reason_for_a_bad_mac(world: World) -> None:
    world.sign_in()
    world.sale(500, flawed("bad_mac", "97"))
    world.terminal.want_reversal("98")
    world.settle()


@bad("MON-10", "without a reversal of")
def a_97_to_another_request_cancels_the_reversal(world: World) -> None:
    world.sign_in()
    world.sale(500, flawed("foreign_trace", "97"))
    world.terminal.pending = None
    world.settle()


@undecided("MON-10", "nothing was sent")
def nothing_follows_the_forged_97(world: World) -> None:
    world.sign_in()
    world.sale(500, flawed("foreign_trace", "97"))


@no_occasion("MON-10")
def a_decline_without_a_mac_where_the_profile_permits_it(world: World) -> None:
    world.sign_in()
    world.sale(500, says("97", flaw="no_mac"))
    world.sale(700)
