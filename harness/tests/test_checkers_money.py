"""The money rules on golden histories: each reads like the rule it keeps or breaks."""

from __future__ import annotations

import pytest

from harness.tests.golden import World, flawed, host_closes, late, lost, refused, says, withheld
from harness.tests.golden_stories import Stories, Story

stories = Stories("MON-")
good, bad, undecided, no_occasion = stories.good, stories.bad, stories.undecided, stories.no_occasion


def recover(world: World) -> None:
    world.register_terminal()
    world.sign_in()


# -- MON-01: a financial request answered 97 is not in the batch -------------------------------------------------------


@good("MON-01", "the approved ones only")
def the_settlement_claims_the_approved_sale_only(world: World) -> None:
    world.sign_in()
    world.sale(1200)
    world.remove_terminal()
    world.sale(500)
    recover(world)
    world.settle()


@good("MON-01", "0 sales of 0.00")
def nothing_approved_nothing_claimed(world: World) -> None:
    world.sign_in()
    world.sale(500, "97")
    world.settle(unbalanced=True)


@good("MON-01")
def a_void_refused_leaves_the_sale(world: World) -> None:
    world.sign_in()
    sale = world.sale(1200)
    world.void(sale.trace, "97")
    world.settle()


@good("MON-01", "own word")
def counters_before_and_after(world: World) -> None:
    world.sign_in()
    world.sale(1200)
    world.read_counters()
    world.sale(500, "97")
    world.read_counters()


@bad("MON-01", "the difference is what was answered 97")
def the_settlement_claims_the_declined_sale(world: World) -> None:
    world.sign_in()
    world.sale(1200)
    world.sale(500, "97")
    world.terminal.book()
    world.settle("58")


@bad("MON-01", "the difference is what was answered 97")
def one_of_two_declined_sales_is_claimed(world: World) -> None:
    world.sign_in()
    world.sale(500, "97")
    world.sale(500, "97")
    world.terminal.book()
    world.settle("58")


@bad("MON-01", "the batch upload lists it")
def the_upload_lists_the_declined_sale(world: World) -> None:
    world.sign_in()
    world.sale(500, "97")
    world.terminal.book()
    world.settle(unbalanced=True)


@bad("MON-01", "the difference is what was answered 97")
def a_void_is_booked_on_97(world: World) -> None:
    world.sign_in()
    sale = world.sale(1200)
    world.void(sale.trace, "97")
    world.terminal.book()
    world.settle("58")


@bad("MON-01", "show it as booked")
def the_counters_show_it(world: World) -> None:
    world.sign_in()
    world.read_counters()
    world.sale(500, "97")
    world.terminal.book()
    world.read_counters()


@undecided("MON-01", "not explained by this 97")
def totals_that_differ_for_another_reason(world: World) -> None:
    world.sign_in()
    world.sale(1200)
    world.sale(500, "97")
    world.terminal.log.clear()
    world.settle()


@undecided("MON-01", "nothing after the 97")
def nobody_ever_settles(world: World) -> None:
    world.sign_in()
    world.sale(500, "97")


@no_occasion("MON-01")
def a_late_97_is_no_decline(world: World) -> None:
    world.sign_in()
    world.sale(500, late("97"))
    world.settle()


# -- MON-02: a definite 97 raises no reversal --------------------------------------------------------------------------


@good("MON-02", "and no reversal")
def the_next_sale_has_no_reversal_before_it(world: World) -> None:
    world.sign_in()
    world.sale(500, "97")
    world.sale(700)


@good("MON-02", "came the settlement")
def the_settlement_has_no_reversal_before_it(world: World) -> None:
    world.sign_in()
    world.sale(500, "97")
    world.settle()


@bad("MON-02", "a reversal of it followed")
def a_reversal_of_a_definite_97(world: World) -> None:
    world.sign_in()
    world.sale(500, "97")
    world.terminal.want_reversal()
    world.sale(700)


@bad("MON-02", "a reversal of it followed")
def a_reversal_long_after(world: World) -> None:
    world.sign_in()
    world.sale(500, "97")
    declined = world.terminal.last_request
    world.sale(700)
    world.terminal.last_request = declined
    world.terminal.want_reversal("06")
    world.settle()


@undecided("MON-02", "nothing was sent that a reversal would have preceded")
def only_a_sign_in_follows(world: World) -> None:
    world.sign_in()
    world.sale(500, "97")
    world.sign_in()


@no_occasion("MON-02")
def power_goes_before_the_terminal_can_have_acted_on_97(world: World) -> None:
    world.sign_in()
    world.quiet = True
    world.sale(500, "97")
    answered = next(e for e in reversed(world.events) if e.kind == "wire.frame")
    world.t = answered.t
    world.reboot("cut")
    world.terminal.want_reversal()
    world.sale(700)


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


# -- MON-05: settlement answered 97 ------------------------------------------------------------------------------------


@good("MON-05", "the same totals")
def offered_again_as_it_was(world: World) -> None:
    world.sign_in()
    world.sale(1200)
    world.remove_terminal()
    world.settle()
    recover(world)
    world.settle()


@good("MON-05", "and the 2 booked since")
def offered_again_with_what_was_sold_since(world: World) -> None:
    world.sign_in()
    world.sale(1200)
    world.settle("97")
    sale = world.sale(700)
    world.void(sale.trace)
    world.settle()


@bad("MON-05", "the next one is of batch 000002")
def another_batch_number(world: World) -> None:
    world.sign_in()
    world.sale(1200)
    world.settle("97")
    world.terminal.batch = "000002"
    world.settle()


@bad("MON-05", "and 0 sales of 0.00")
def the_batch_was_wiped(world: World) -> None:
    world.sign_in()
    world.sale(1200)
    world.settle("97")
    world.terminal.log.clear()
    world.settle()


@undecided("MON-05", "no settlement followed")
def never_settled_again(world: World) -> None:
    world.sign_in()
    world.sale(1200)
    world.settle("97")


# -- MON-06, MON-11: a batch upload cut by 97 --------------------------------------------------------------------------


def ten_sales(world: World) -> None:
    world.sign_in()
    for amount in range(1000, 1010):
        world.sale(amount)


@good("MON-06", "all 10 records, each once")
def it_goes_on_where_it_was_cut(world: World) -> None:
    ten_sales(world)
    world.settle(unbalanced=True, upload=[None, "97"])
    world.settle(unbalanced=True)


@good("MON-06", "all 1 records")
def cut_at_its_end(world: World) -> None:
    world.sign_in()
    world.sale(1200)
    world.settle(unbalanced=True, upload=[None, "97"])
    world.settle(unbalanced=True)


@good("MON-06", "all 2 records")
def a_reversed_sale_need_not_be_there(world: World) -> None:
    world.sign_in()
    world.sale(1200)
    world.sale(1500, lost())
    world.sale(1300)
    world.settle(unbalanced=True, upload=["97"])
    world.settle(unbalanced=True)


@bad("MON-06", "listed twice")
def the_first_block_is_sent_again(world: World) -> None:
    ten_sales(world)
    world.settle(unbalanced=True, upload=[None, "97"])
    world.terminal.uploaded = 0
    world.settle(unbalanced=True)


@bad("MON-06", "ended without")
def the_cut_block_is_left_out(world: World) -> None:
    ten_sales(world)
    world.settle(unbalanced=True, upload=[None, "97"])
    world.terminal.uploaded = 10
    world.settle(unbalanced=True)


@bad("MON-06", "never finished; batch 000002 followed")
def the_upload_is_given_up(world: World) -> None:
    ten_sales(world)
    world.settle(unbalanced=True, upload=[None, "97"])
    world.terminal.close_batch()
    world.set_host_batch("000002")
    world.sale(700)


@undecided("MON-06", "not finished when the log")
def the_log_ends_in_the_upload(world: World) -> None:
    world.sign_in()
    world.sale(1200)
    world.settle(unbalanced=True, upload=["97"])


@good("MON-11", "all delivered after it")
def approvals_are_in_the_completed_upload(world: World) -> None:
    world.sign_in()
    world.sale(1200)
    world.settle(unbalanced=True, upload=["97"])
    world.settle(unbalanced=True)


@good("MON-11", "all delivered after it")
def what_was_sold_after_the_cut_is_there_too(world: World) -> None:
    world.sign_in()
    world.sale(1200)
    world.sale(1300)
    world.settle(unbalanced=True, upload=["97"])
    world.sale(1400)
    world.settle(unbalanced=True)


@undecided("MON-06", "also lists 000099")
def the_upload_lists_what_the_wire_does_not_show(world: World) -> None:
    world.sign_in()
    world.sale(1200)
    world.terminal.book("000099")
    world.settle(unbalanced=True, upload=["97"])
    world.settle(unbalanced=True)


@undecided("MON-11", "also lists 000099")
def the_upload_lists_an_approval_that_the_wire_does_not_show(world: World) -> None:
    the_upload_lists_what_the_wire_does_not_show(world)


@bad("MON-11", "not in it when it ended")
def an_approval_is_undone_by_97_on_the_upload(world: World) -> None:
    world.sign_in()
    world.sale(1200)
    world.sale(1300)
    world.settle(unbalanced=True, upload=["97"])
    world.terminal.log.pop()
    world.settle(unbalanced=True)


@bad("MON-11", "followed by a reversal of the approved trace")
def an_approval_is_reversed_because_of_it(world: World) -> None:
    world.sign_in()
    world.sale(1200)
    world.settle(unbalanced=True, upload=["97"])
    world.terminal.want_reversal()
    world.settle(unbalanced=True)


@undecided("MON-11", "not finished when the log")
def an_upload_that_is_not_completed(world: World) -> None:
    world.sign_in()
    world.sale(1200)
    world.settle(unbalanced=True, upload=["97"])


# -- MON-07: books = upload = slips ------------------------------------------------------------------------------------


def meet_97_and_recover(world: World) -> None:
    world.sign_in()
    world.sale(1200)
    world.remove_terminal()
    world.sale(500)
    recover(world)


@good("MON-07", "agree on 1 transactions")
def books_upload_and_slips_agree(world: World) -> None:
    meet_97_and_recover(world)
    world.settle(unbalanced=True)
    world.ledger()


@good("MON-07", "agree on 3 transactions")
def with_a_void_and_a_reversed_sale(world: World) -> None:
    world.sign_in()
    sale = world.sale(1200)
    world.sale(500, "97")
    world.sale(1500, lost())
    world.void(sale.trace)
    world.sale(800)
    world.settle(unbalanced=True)
    world.ledger()


@bad("MON-07", "the books have 000002 (12.00)")
def a_sale_is_lost_from_the_terminals_batch(world: World) -> None:
    world.sign_in()
    world.sale(1200)
    world.sale(1300)
    world.sale(500, "97")
    del world.terminal.log[0]
    world.settle(unbalanced=True)
    world.ledger()


@bad("MON-07", "which the books have not")
def a_declined_sale_is_in_the_terminals_batch(world: World) -> None:
    world.sign_in()
    world.sale(1200)
    world.sale(500, "97")
    world.terminal.book()
    world.settle(unbalanced=True)
    world.ledger()


@bad("MON-07", "which the slips lack")
def no_slip_was_printed(world: World) -> None:
    meet_97_and_recover(world)
    world.events = [e for e in world.events if e.kind != "slip"]
    world.settle(unbalanced=True)
    world.ledger()


@bad("MON-07", "the slips have or list 000077")
def a_slip_says_approved_of_nothing(world: World) -> None:
    meet_97_and_recover(world)
    world.slip("消费", "批次号:000001  凭证号:000077", "金额:RMB 5.00", "交易成功")
    world.settle(unbalanced=True)
    world.ledger()


@undecided("MON-07", "the host's books were not read")
def nobody_read_the_books(world: World) -> None:
    meet_97_and_recover(world)
    world.settle(unbalanced=True)


@undecided("MON-07", "can't be read")
def a_slip_can_not_be_read(world: World) -> None:
    meet_97_and_recover(world)
    world.slip("批次号:000001  凭证号:000?77", "金额:RMB 5.00", unreadable=1)
    world.settle(unbalanced=True)
    world.ledger()


@undecided("MON-07", "the model shows no slips", declaration={"offers": ["wire", "host_journal"]})
def a_model_without_slips(world: World) -> None:
    meet_97_and_recover(world)
    world.settle(unbalanced=True)
    world.ledger()


@no_occasion("MON-07")
def no_97_came(world: World) -> None:
    world.sign_in()
    world.sale(1200)
    world.settle(unbalanced=True)
    world.ledger()


# -- MON-08: no trace number twice in a batch --------------------------------------------------------------------------


@good("MON-08", "across a boot")
def numbers_go_on_after_a_boot(world: World) -> None:
    world.sign_in()
    world.sale(1200)
    world.reboot()
    world.sale(1300)


@good("MON-08", "across a 97")
def numbers_go_on_after_97(world: World) -> None:
    world.sign_in()
    world.sale(1200, "97")
    world.sale(1300)


@good("MON-08", "after trace 999999 comes 000001")
def the_number_wraps(world: World) -> None:
    world.sign_in()
    world.terminal.trace = 999_999
    world.sale(1200)
    world.sale(1300)


@bad("MON-08", "trace 000002 was used for two originals")
def used_again_after_a_boot(world: World) -> None:
    world.sign_in()
    world.sale(1200)
    world.reboot()
    world.terminal.trace = 2
    world.sale(1200)


@bad("MON-08", "trace 000002 was used for two originals")
def used_again_for_another_amount(world: World) -> None:
    world.sign_in()
    world.sale(1200, "97")
    world.terminal.trace = 2
    world.sale(1300)


@bad("MON-08", "000000")
def wraps_to_zero(world: World) -> None:
    world.sign_in()
    world.terminal.trace = 999_999
    world.sale(1200)
    world.terminal.trace = 0
    world.sale(1300)


@no_occasion("MON-08")
def numbers_of_another_batch(world: World) -> None:
    world.sign_in()
    world.sale(1200)
    world.settle()
    world.reboot()
    world.terminal.trace = 2
    world.sale(1300)


@no_occasion("MON-08")
def numbers_of_another_unit(world: World) -> None:
    world.sign_in()
    world.sale(1200)
    world.replaced("97000002", "the first one was dropped")
    world.terminal.trace = 2
    world.sale(1300)


# -- MON-09: 97 after the receive timeout ------------------------------------------------------------------------------


@good("MON-09", "followed (F39 98)")
def the_reversal_follows_a_late_97(world: World) -> None:
    world.sign_in()
    world.sale(500, late("97"))
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


# -- all of them -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("story", stories.kept, ids=str)
def test_good_history_passes(story: Story) -> None:
    stories.passes(story)


@pytest.mark.parametrize("story", stories.kept, ids=str)
def test_without_its_evidence_it_does_not_pass(story: Story) -> None:
    stories.rests_on_its_evidence(story)


@pytest.mark.parametrize("story", stories.broken, ids=str)
def test_bad_history_fails(story: Story) -> None:
    stories.fails(story)


@pytest.mark.parametrize("story", stories.open, ids=str)
def test_open_history_is_undecided(story: Story) -> None:
    stories.stays_open(story)


@pytest.mark.parametrize("story", stories.silent, ids=str)
def test_no_occasion_no_finding(story: Story) -> None:
    stories.stays_silent(story)


def a_slip_printed_twice(world: World) -> None:
    meet_97_and_recover(world)
    world.reprint()
    world.settle(unbalanced=True)
    world.ledger()


def test_a_reprint_is_no_second_transaction() -> None:
    stories.passes(Story("MON-07", a_slip_printed_twice, "agree on 1 transactions", {}))


def test_every_money_rule_has_good_and_bad_histories() -> None:
    assert {story.rule for story in stories.kept} == {story.rule for story in stories.broken} == set(stories.rules)
    reachable = {f"MON-{n:02d}" for n in (1, 2, 3, 5, 6, 7, 8, 9, 10, 11)}
    assert set(stories.rules) == reachable
