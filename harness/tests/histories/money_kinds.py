"""The money rules on the kinds beyond sale and void: accepted offline, chip, follow-ups, all that a batch holds."""

from __future__ import annotations

from dataclasses import replace

from harness.tests.golden import MID, TID, World, dropped, flawed, late, lost, withheld
from harness.tests.golden_kinds import rewritten
from harness.tests.golden_parts import Reply, reply_of
from harness.tests.golden_stories import Stories
from harness.tests.golden_wire import F55, Fields

stories = Stories("MON-")
good, bad, undecided, no_occasion = stories.good, stories.bad, stories.undecided, stories.no_occasion


def recover(world: World) -> None:
    world.register_terminal()
    world.sign_in()


# -- MON-04: stored offline --------------------------------------------------------------------------------------------


@good("MON-04", "took effect once")
def an_offline_sale_is_delivered_after_recovery(world: World) -> None:
    world.sign_in()
    world.perform("offline_sale", 700)
    world.remove_terminal()
    world.sale(500)
    recover(world)
    world.sale(600)
    world.ledger()


@good("MON-04", "took effect once")
def it_is_stored_while_97_comes_on_sign_in(world: World) -> None:
    world.sign_in()
    world.perform("offline_chip_sale", 700, card="chip")
    world.remove_terminal()
    world.sign_in()
    world.reboot()
    recover(world)
    world.settle()
    world.ledger()


@good("MON-04", "took effect once")
def another_unit_reverses_what_has_the_same_number(world: World) -> None:
    world.sign_in()
    stored = world.perform("offline_sale", 700)
    world.remove_terminal()
    world.sale(500)
    recover(world)
    world.settle()
    world.ledger()
    world.replaced("97000002", "another one")
    world.register_terminal()
    world.terminal.trace, world.terminal.batch, world.terminal.pending = int(stored.trace) - 1, "000001", None
    world.sign_in()
    assert world.sale(700, withheld()).code == "Z2"
    world.send_reversal()


@good("MON-04", "took effect once")
def a_tip_and_an_adjustment_too(world: World) -> None:
    world.sign_in()
    sale = world.sale(2000)
    world.perform("offline_tip", 2200, original=sale.trace)
    offline = world.perform("offline_sale", 700)
    world.perform("offline_adjust", 800, original=offline.trace)
    world.remove_terminal()
    world.sale(500)
    recover(world)
    world.settle()
    world.ledger()


@good("MON-04", "took effect once")
def sent_again_because_no_answer_came(world: World) -> None:
    world.sign_in()
    world.perform("offline_sale", 700)
    world.deliver("97")
    world.deliver(withheld())
    world.deliver()
    world.ledger()


@bad("MON-04", "its batch was closed without it")
def it_is_forgotten_after_97(world: World) -> None:
    world.sign_in()
    world.sale(1200)
    world.perform("offline_sale", 700)
    world.remove_terminal()
    world.sign_in()
    world.terminal.offline.clear()
    world.terminal.log.pop()
    recover(world)
    world.settle()
    world.ledger()


@bad("MON-04", "sent again all the same")
def it_is_sent_twice(world: World) -> None:
    world.sign_in()
    world.perform("offline_sale", 700)
    kept = list(world.terminal.offline)
    world.deliver("97")
    world.deliver()
    world.wait(10)
    world.terminal.offline = kept
    world.deliver()
    world.ledger()


@bad("MON-04", "was sent under the number")
def it_is_sent_under_another_number_too(world: World) -> None:
    world.sign_in()
    world.perform("offline_sale", 700)
    world.deliver("97")
    kept, number = world.terminal.offline[0], world.terminal.next_trace()
    again = replace(kept, trace=number, fields=kept.fields | {11: number})
    world.terminal.offline.append(again)
    world.terminal.log.append(again)
    world.deliver()
    world.ledger()


@good("MON-04", "took effect once")
def two_of_the_same_amount_are_two(world: World) -> None:
    world.sign_in()
    world.perform("offline_sale", 700)
    world.perform("offline_sale", 700)
    world.deliver("97")
    world.deliver()
    world.ledger()


@bad("MON-04", "booked it 2 times")
def it_is_booked_twice(world: World) -> None:
    an_offline_sale_is_delivered_after_recovery(world)
    twice = next(e for e in world.host.ledger if e.kind == "offline_sale")
    world.events.pop()
    world.books(MID, TID, [*world.host.ledger, twice.model_copy(update={"rrn": "500100999999"})])


@bad("MON-04", "and sent with 7.01")
def its_amount_changes(world: World) -> None:
    world.sign_in()
    world.perform("offline_sale", 700)
    world.deliver("97")
    world.terminal.offline[0].fields[4] = f"{701:012d}"
    world.deliver()


@bad("MON-04", "a reversal of it was sent")
def it_is_reversed(world: World) -> None:
    world.sign_in()
    world.perform("offline_sale", 700)
    world.terminal.last_request = world.terminal.offline[0].fields
    world.deliver("97")
    world.terminal.want_reversal()
    world.send_reversal()


@undecided("MON-04", "still stored when the log")
def the_log_ends_before_it_is_delivered(world: World) -> None:
    world.sign_in()
    world.perform("offline_sale", 700)
    world.remove_terminal()
    world.sale(500)


@undecided("MON-04", "its books were not read")
def nobody_reads_the_books(world: World) -> None:
    world.sign_in()
    world.perform("offline_sale", 700)
    world.deliver("97")
    world.deliver()


@undecided("MON-04", "refused by the host (51)")
def the_host_refuses_it(world: World) -> None:
    world.sign_in()
    world.perform("offline_sale", 700)
    world.deliver("97")
    world.deliver("51")


@undecided("MON-04", "no readable slip")
def no_slip_tells_its_number(world: World) -> None:
    world.sign_in()
    world.perform("offline_sale", 700)
    world.events = [e for e in world.events if e.kind != "slip"]
    world.remove_terminal()
    world.sign_in()


@undecided("MON-04", "its deadlock", accepts_old_batch=False)
def a_host_that_takes_no_old_batch(world: World) -> None:
    world.sign_in()
    world.perform("offline_sale", 700)
    world.remove_terminal()
    world.sign_in()
    world.register_terminal()
    world.set_host_batch("000009")
    world.sign_in()
    world.deliver()


@no_occasion("MON-04")
def no_97_comes_while_it_is_stored(world: World) -> None:
    world.sign_in()
    world.perform("offline_sale", 700)
    world.deliver()
    world.sale(500, "97")


# -- MON-12: chip ------------------------------------------------------------------------------------------------------


@good("MON-12", "asked for AAC")
def the_card_is_asked_to_decline(world: World) -> None:
    world.sign_in()
    world.perform("sale", 1200, "97", card="chip")


@good("MON-12", "asked for AAC")
def of_a_pre_authorisation_too(world: World) -> None:
    world.sign_in()
    world.perform("pre_authorisation", 1200, "97", card="chip")


@bad("MON-12", "asked for TC")
def as_if_the_host_had_not_been_reached(world: World) -> None:
    world.sign_in()
    world.second_ac = "TC"
    world.perform("sale", 1200, "97", card="chip")


@bad("MON-12", "approved offline all the same")
def the_slip_says_approved(world: World) -> None:
    world.sign_in()
    world.perform("sale", 1200, "97", card="chip")
    operation = next(e for e in reversed(world.events) if e.kind == "operation.completed")
    index = world.events.index(operation)
    slip = world.slip("消费", "凭证号:000002", "金额:RMB 12.00", "交易成功")
    world.events[index:] = [slip.model_copy(update={"t": operation.t}), *world.events[index:-1]]


@undecided("MON-12", "nobody saw the commands", declaration={"offers": ["wire", "screen"]})
def nobody_sees_the_card(world: World) -> None:
    world.sign_in()
    world.perform("sale", 1200, "97", card="chip")
    world.events = [e for e in world.events if e.kind != "chip"]


@undecided("MON-12", "no second GENERATE AC")
def the_card_is_drawn(world: World) -> None:
    world.sign_in()
    world.perform("sale", 1200, "97", card="chip")
    world.events = [e for e in world.events if not (e.kind == "chip" and e.number == 2)]


@no_occasion("MON-12")
def a_tapped_card_is_gone(world: World) -> None:
    world.sign_in()
    world.perform("sale", 1200, "97", card="contactless")


@no_occasion("MON-12")
def another_code(world: World) -> None:
    world.sign_in()
    world.perform("sale", 1200, "51", card="chip")


# -- MON-01, MON-02, MON-05 on other kinds -----------------------------------------------------------------------------


@good("MON-01", "1 debits of 20.00 and 1 credits of 5.00")
def a_refund_and_a_completion_answered_97(world: World) -> None:
    world.sign_in()
    held = world.perform("pre_authorisation", 3000)
    sale = world.sale(2000)
    world.perform("refund", 500, original=sale.trace)
    world.perform("refund", 700, "97", original=sale.trace)
    world.perform("completion", 3000, "97", original=held.trace)
    world.settle()


@good("MON-01", "the approved ones only")
def a_balance_inquiry_answered_97_before_a_settlement(world: World) -> None:
    world.sign_in()
    world.sale(2000)
    world.perform("balance", 0, "97")
    world.settle()


@no_occasion("MON-01")
def a_balance_inquiry_on_whose_account_nobody_settles(world: World) -> None:
    world.sign_in()
    world.perform("balance", 0, "97")


@good("MON-01", "1 debits of 22.00")
def an_adjusted_sale_counts_once(world: World) -> None:
    world.sign_in()
    sale = world.sale(2000)
    world.perform("offline_tip", 2200, original=sale.trace)
    world.sale(500, "97")
    world.settle()


@good("MON-01", "0 debits of 0.00 and 0 credits of 0.00", settlement_voids="net")
def a_voided_pair_counts_nowhere(world: World) -> None:
    world.sign_in()
    sale = world.sale(2000)
    world.void(sale.trace)
    world.sale(500, "97")
    operation = world.invoke("settle")
    log, world.terminal.log = world.terminal.log, []
    world._settle(Reply(), False, False, [])
    world.terminal.log = log
    world.complete(operation, "ok")


@bad("MON-01", "but the batch upload lists it")
def a_declined_completion_is_booked(world: World) -> None:
    world.sign_in()
    held = world.perform("pre_authorisation", 3000)
    world.perform("completion", 3000, "97", original=held.trace)
    world.terminal.book()
    world.settle()


@bad("MON-01", "the difference is what was answered 97")
def a_declined_pre_authorisation_is_booked_as_a_sale(world: World) -> None:
    world.sign_in()
    world.perform("pre_authorisation", 3000, "97")
    world.terminal.book()
    world.settle("97")


@undecided("MON-01", "of a kind was approved that this version does not know")
def an_unknown_kind_was_approved(world: World) -> None:
    world.sign_in()
    world.sale(500, "97")
    world.sale(1200)
    as_unknown(world)
    world.settle()


def as_unknown(world: World) -> None:
    """The last request, and what answers it, become a load of an electronic purse (60.1 = 46)."""
    rewritten(world.events, 2, world.host.working.mak, lambda frame: {60: "46" + frame.fields[60][2:]})


@bad("MON-02", "a reversal of it followed")
def a_declined_pre_authorisation_is_reversed(world: World) -> None:
    world.sign_in()
    world.perform("pre_authorisation", 3000, "97")
    world.terminal.want_reversal()
    world.send_reversal()


@good("MON-02", "a forged one would do the same")
def a_decline_without_a_mac_is_told(world: World) -> None:
    world.sign_in()
    world.perform("pre_authorisation", 3000, flawed("no_mac", "97"))
    world.sale(1200)


@good("MON-05", "the 2 booked since")
def settlement_is_offered_again_with_all_kinds(world: World) -> None:
    world.sign_in()
    held = world.perform("pre_authorisation", 3000)
    world.perform("completion", 3000, original=held.trace)
    world.settle("97")
    sale = world.sale(1000)
    world.perform("refund", 400, original=sale.trace)
    world.settle()


@bad("MON-05", "held 1 debits of 30.00")
def a_completion_is_lost_by_97_on_settlement(world: World) -> None:
    world.sign_in()
    held = world.perform("pre_authorisation", 3000)
    world.perform("completion", 3000, original=held.trace)
    world.settle("97")
    world.terminal.log.clear()
    world.settle()


# -- MON-03, MON-09, MON-10 on every reversible kind -------------------------------------------------------------------


@good("MON-03", "was accepted once")
def the_reversal_of_a_pre_authorisation_survives(world: World) -> None:
    world.sign_in()
    world.perform("pre_authorisation", 3000, lost())
    world.remove_terminal()
    world.sign_in()
    recover(world)
    world.sale(1200)


@bad("MON-03", "did not outlive the 97")
def the_reversal_of_a_completion_is_forgotten(world: World) -> None:
    world.sign_in()
    held = world.perform("pre_authorisation", 3000)
    world.perform("completion", 3000, lost(), original=held.trace)
    world.remove_terminal()
    world.sign_in()
    world.terminal.pending = None
    recover(world)
    world.sale(1200)


@good("MON-03", "was accepted once")
def a_card_that_refuses_after_approval_is_reversed(world: World) -> None:
    world.sign_in()
    world.card_gives = "AAC"
    world.perform("sale", 1200, card="chip")
    world.card_gives = ""
    world.send_reversal("97")
    world.send_reversal()


@bad("MON-03", "gives F39 06, expected 96")
def for_a_wrong_reason(world: World) -> None:
    world.sign_in()
    world.card_gives = "AAC"
    world.perform("sale", 1200, card="chip")
    world.card_gives = ""
    world.terminal.want_reversal("06")
    world.send_reversal("97")
    world.send_reversal()


@bad("MON-03", "after 1 sends, and the profile asks for 3", reversal_exhausted="delete_recorded", reversal_attempts=3)
def given_up_too_early(world: World) -> None:
    world.sign_in()
    sale = world.perform("sale", 1200, lost())
    world.send_reversal("97")
    assert world.terminal.pending is not None
    world.slip("冲正失败", f"凭证号:{world.terminal.pending.trace}", "已删除")
    world.terminal.pending = None
    assert sale.code == "Z2"
    world.sale(500)


@undecided("MON-03", "a deadlock", reversal_success=["00"])
def a_host_that_answers_what_counts_nowhere(world: World) -> None:
    world.sign_in()
    world.perform("sale", 1200, dropped())
    world.send_reversal("97")
    world.send_reversal("25")


@good("MON-09", "followed")
def a_late_97_to_a_completion_void(world: World) -> None:
    world.sign_in()
    held = world.perform("pre_authorisation", 3000)
    done = world.perform("completion", 3000, original=held.trace)
    world.perform("completion_void", 3000, late("97"), original=done.trace)
    left = next(e for e in reversed(world.events) if e.kind == "wire.connection" and e.state == "closed")
    world.wait(40)  # so late that it can't have crossed the terminal's giving up
    world.events = [e.model_copy(update={"t": e.t + 40_000_000_000}) if e.t > left.t else e for e in world.events]
    world.sale(1200)


@bad("MON-09", "without a reversal")
def a_late_97_cancels_the_reversal_of_a_pre_authorisation(world: World) -> None:
    world.sign_in()
    world.perform("pre_authorisation", 3000, late("97"))
    world.terminal.pending = None
    world.sale(1200)


@bad("MON-10", "without a reversal")
def a_forged_97_cancels_the_reversal_of_a_pre_authorisation(world: World) -> None:
    world.sign_in()
    world.perform("pre_authorisation", 3000, flawed("bad_mac", "97"))
    world.terminal.pending = None
    world.sign_in()
    world.sale(1200)


@undecided("MON-10", "which the profile allows: a risk", reversal_on_mismatch="delete")
def a_reversal_is_dropped_where_the_profile_allows_it(world: World) -> None:
    world.sign_in()
    world.perform("sale", 1200, flawed("foreign_trace", "97"))
    world.terminal.pending = None
    world.sale(500)


# -- MON-06, MON-11 ----------------------------------------------------------------------------------------------------


@good("MON-11", "claims what was approved")
def a_97_on_a_script_notice_undoes_nothing(world: World) -> None:
    world.sign_in()
    world.perform("sale", 1200, card="chip")
    world.owe_script_notice()
    world.deliver("97")
    world.sale(500)
    world.settle()


@good("MON-11", "claims what was approved")
def a_97_on_a_signature_undoes_nothing(world: World) -> None:
    world.sign_in()
    world.sale(1200)
    world.upload_signature("97")
    world.settle()


@bad("MON-11", "followed by a reversal of what it follows")
def a_97_on_a_script_notice_makes_it_reverse(world: World) -> None:
    world.sign_in()
    world.perform("sale", 1200, card="chip")
    world.owe_script_notice()
    world.deliver("97")
    world.terminal.want_reversal()
    world.send_reversal()


@bad("MON-11", "claims no more what it follows")
def a_97_on_a_signature_undoes_the_sale(world: World) -> None:
    world.sign_in()
    world.sale(1200)
    world.upload_signature("97")
    world.terminal.log.clear()
    world.settle()


@undecided("MON-11", "no settlement of batch")
def nothing_follows_a_97_on_a_signature(world: World) -> None:
    world.sign_in()
    world.sale(1200)
    world.upload_signature("97")


@good("MON-06", "all 4 records")
def an_upload_of_all_kinds_goes_on(world: World) -> None:
    world.sign_in()
    held = world.perform("pre_authorisation", 3000)
    world.perform("completion", 3000, original=held.trace)
    sale = world.perform("sale", 2000, card="alipay")
    world.perform("refund", 400, original=sale.trace)
    world.perform("offline_sale", 700)
    world.settle(unbalanced=True, upload=["97"])
    world.settle(unbalanced=True)


@bad("MON-06", "ended without")
def a_refund_is_left_out_of_a_cut_upload(world: World) -> None:
    world.sign_in()
    sale = world.sale(2000)
    world.perform("refund", 400, original=sale.trace)
    world.settle(unbalanced=True, upload=["97"])
    world.terminal.log.pop()
    world.settle(unbalanced=True)


@bad("MON-06", "ended without 000002 (12.00)")
def chip_data_that_were_cut_are_given_up(world: World) -> None:
    world.sign_in()
    sale = world.perform("sale", 1200, card="chip")
    with_chip_upload(world, sale.trace, "97")
    world.terminal.uploaded = 1
    world.settle(resume=True)


@good("MON-06", "the upload of chip data")
def chip_data_that_were_cut_are_sent_again(world: World) -> None:
    world.sign_in()
    sale = world.perform("sale", 1200, card="chip")
    with_chip_upload(world, sale.trace, "97")
    with_chip_upload(world, sale.trace, None)
    world.terminal.uploaded = 1  # of this batch nothing else is uploaded
    world.settle(resume=True)


def with_chip_upload(world: World, trace: str, code: str | None) -> None:
    """A settlement that balances, then one 203 before its end."""
    terminal = world.terminal
    operation = world.invoke("settle")
    if not any(e.kind == "operation.invoked" and e.name == "settle" and e is not operation for e in world.events):
        fields: Fields = {
            11: terminal.next_trace(), 48: terminal.totals() + "0" + "0" * 31, 49: "156", 60: f"00{terminal.batch}201",
        }  # fmt: skip
        world._exchange(world._request("0500", fields), reply_of(None))
    chip: Fields = {
        2: "6228480000000970", 4: f"{1200:012d}", 11: trace, 22: "051", 55: F55, 60: f"00{terminal.batch}203",
    }  # fmt: skip
    outcome = world._exchange(world._request("0320", chip), reply_of(code))
    world.result(outcome.code, "settle")
    world.complete(operation, "ok" if outcome.code == "00" else "fail", None if outcome.code == "00" else outcome.code)


# -- MON-07, MON-08 ----------------------------------------------------------------------------------------------------


@good("MON-07", "agree on 9 transactions")
def books_upload_and_slips_of_all_kinds_agree(world: World) -> None:
    world.sign_in()
    sale = world.perform("sale", 2000, card="wechat")
    held = world.perform("pre_authorisation", 3000)
    done = world.perform("completion", 3000, original=held.trace)
    world.perform("completion_void", 3000, original=done.trace)
    world.perform("refund", 400, original=sale.trace)
    world.perform("sale", 500, "97", card="chip")
    offline = world.perform("offline_sale", 700)
    world.perform("offline_adjust", 800, original=offline.trace)
    world.perform("offline_chip_sale", 900, card="chip")
    gone = world.perform("pre_authorisation", 3100)
    world.perform("pre_authorisation_void", 3100, original=gone.trace)
    world.settle(unbalanced=True)
    world.ledger()


@bad("MON-07", "which the books have not")
def a_declined_refund_is_in_the_batch(world: World) -> None:
    world.sign_in()
    sale = world.sale(2000)
    world.perform("refund", 400, "97", original=sale.trace)
    world.terminal.book()
    world.settle(unbalanced=True)
    world.ledger()


@bad("MON-08", "was used for two originals")
def a_pre_authorisation_takes_the_number_of_a_sale(world: World) -> None:
    world.sign_in()
    world.sale(1200, "97")
    world.terminal.trace -= 1
    world.perform("pre_authorisation", 3000)


@good("MON-08", "across a 97")
def an_offline_sale_is_offered_again_under_its_number(world: World) -> None:
    world.sign_in()
    world.perform("offline_sale", 700)
    world.deliver("97")
    world.deliver()
    world.sale(500, "97")
    world.sale(1200)


@undecided("MON-08", "the wire log lacks 000003 between them")
def a_gap_that_no_journal_explains(world: World) -> None:
    world.sign_in()
    world.sale(1200, "97")
    world.terminal.next_trace()
    world.sale(1300)
    world.events = [e for e in world.events if e.kind != "host.journal"]


@good("MON-08", "the host's journal has no original either")
def a_gap_that_the_journal_explains(world: World) -> None:
    world.sign_in()
    world.sale(1200, "97")
    world.terminal.next_trace()
    world.sale(1300)


@bad("MON-08", "which the wire log lacks")
def a_number_used_where_the_tap_was_blind(world: World) -> None:
    world.sign_in()
    world.sale(1000)
    unseen = world.sale(1200)
    world.sale(900, "97")
    world.terminal.trace = int(unseen.trace)
    world.sale(1300)
    streams = {e.stream for e in (unseen.request, unseen.response) if e is not None}
    world.events = [
        e for e in world.events if not (e.kind in ("wire.frame", "wire.connection") and e.stream in streams)
    ]
