"""MON-06, MON-07, MON-11: the batch as a whole, its upload, and the books."""

from __future__ import annotations

import dataclasses

from harness.tests.golden import World, lost
from harness.tests.golden_parts import Stored, TerminalMemory
from harness.tests.golden_stories import Stories

stories = Stories("MON-")
good, bad, undecided, no_occasion = stories.good, stories.bad, stories.undecided, stories.no_occasion


def recover(world: World) -> None:
    world.register_terminal()
    world.sign_in()


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


@good("MON-11", "all delivered after it")
def a_sale_is_voided_after_the_cut_and_both_are_left_out(world: World) -> None:
    world.sign_in()
    sale = world.sale(1200)
    world.sale(1300)
    world.settle(unbalanced=True, upload=["97"])
    world.void(sale.trace)
    world.terminal.log = [one for one in world.terminal.log if one.amount == 1300]
    world.settle(unbalanced=True)


@bad("MON-11", "not in it when it ended: 000002 (12.00)")
def a_sale_is_voided_after_the_cut_and_only_the_void_is_uploaded(world: World) -> None:
    world.sign_in()
    sale = world.sale(1200)
    world.settle(unbalanced=True, upload=["97"])
    world.void(sale.trace)
    del world.terminal.log[0]
    world.settle(unbalanced=True)


def adjusted_after_the_cut(world: World, *, lost: int) -> None:
    world.sign_in()
    sale = world.sale(1200)
    world.settle(unbalanced=True, upload=["97"])
    world.perform("offline_adjust", 1500, original=sale.trace)
    world.deliver()
    del world.terminal.log[:lost]
    world.settle(unbalanced=True)


@good("MON-11", "all delivered after it")
def a_sale_is_adjusted_after_the_cut(world: World) -> None:
    adjusted_after_the_cut(world, lost=1)


@bad("MON-11", "not in it when it ended")
def a_sale_is_adjusted_after_the_cut_and_both_are_lost(world: World) -> None:
    adjusted_after_the_cut(world, lost=2)


@undecided("MON-11", "no settlement of batch 000001 followed")
def the_only_settlement_was_before_what_the_notice_follows(world: World) -> None:
    world.sign_in()
    world.sale(1200)
    world.settle("97")
    world.sale(1300, entry="chip")
    world.owe_script_notice()
    world.deliver("97")


def a_notice_of_another_unit(world: World) -> None:
    """The trace numbers of the second unit begin anew."""
    world.sign_in()
    world.sale(1200, entry="chip")
    world.settle()
    world.replaced("97000003")
    world.terminal = TerminalMemory(keys=world.host.keys)
    world.set_host_batch("000001")
    world.sign_in()
    world.sale(1300, entry="chip")
    world.owe_script_notice()
    world.deliver("97")
    world.terminal.script = None


@bad("MON-11", "claims no more what it follows")
def another_units_sale_is_dropped(world: World) -> None:
    a_notice_of_another_unit(world)
    world.terminal.log.clear()
    world.sale(700)
    world.settle()


@undecided("MON-11", "no settlement of batch 000001 followed")
def nothing_follows_another_units_notice(world: World) -> None:
    a_notice_of_another_unit(world)


@good("MON-11", "claims what was approved")
def another_units_sale_is_settled(world: World) -> None:
    a_notice_of_another_unit(world)
    world.settle()


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


def another_batch_of_the_same_number(world: World) -> Stored:
    """Returns what the batch before it had last."""
    world.sign_in()
    world.sale(1100)
    last = world.terminal.log[-1]
    world.settle()
    world.ledger()
    world.set_host_batch("000001")
    world.sign_in()
    world.sale(500, "97")
    return last


@good("MON-07", "agree on 1 transactions")
def the_last_slip_of_the_batch_before_is_printed_again(world: World) -> None:
    world.terminal.log.append(another_batch_of_the_same_number(world))
    world.reprint()
    world.terminal.log.pop()
    world.sale(1200)
    world.settle(unbalanced=True)
    world.ledger()


@good("MON-07", "agree on 1 transactions")
def the_last_slip_is_printed_again_and_the_log_begins_later(world: World) -> None:
    world.terminal.log.append(another_batch_of_the_same_number(world))
    world.events = [e for e in world.events if e.kind != "slip"]
    world.reprint()
    world.terminal.log.pop()
    world.sale(1200)
    world.settle(unbalanced=True)
    world.ledger()


@good("MON-07", "agree on 1 transactions")
def the_only_slip_is_one_that_was_printed_again(world: World) -> None:
    world.sign_in()
    world.sale(1200)
    world.events = [e for e in world.events if e.kind != "slip"]
    world.reprint()
    world.remove_terminal()
    world.sale(500, "97")
    recover(world)
    world.settle(unbalanced=True)
    world.ledger()


@bad("MON-07", "the slips have or list 000077")
def what_is_printed_again_never_was(world: World) -> None:
    last = another_batch_of_the_same_number(world)
    world.terminal.log.append(dataclasses.replace(last, trace="000077"))
    world.reprint()
    world.terminal.log.pop()
    world.sale(1200)
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


# -- how the terminal goes on is its own affair ------------------------------------------------------------------------


@good("MON-06", "all 10 records, each once")
def it_goes_on_without_another_settlement(world: World) -> None:
    ten_sales(world)
    world.settle(unbalanced=True, upload=[None, "97"])
    world.settle(resume=True)


@good("MON-07", "agree on 1 transactions")
def a_cut_upload_is_reconciled_too(world: World) -> None:
    world.sign_in()
    world.sale(1200)
    world.settle(unbalanced=True, upload=["97"])
    world.settle(resume=True)
    world.ledger()


@no_occasion("MON-06")
def the_end_of_a_balanced_batch_is_cut(world: World) -> None:
    world.sign_in()
    world.sale(1200)
    world.settle(upload=["97"])
    world.settle()
