"""FWU-01, FWU-02, FWU-03, FWU-04: money that an update found there, and money that had gone before it came."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness.history.events import Slip
from harness.tests.golden import World, dropped, withheld
from harness.tests.golden_stories import Stories
from harness.tests.golden_updates import load, offer, refuse, restart, told, unit_with

stories = Stories("FWU-")
good, bad, undecided, no_occasion = stories.good, stories.bad, stories.undecided, stories.no_occasion

DELETING: dict[str, Any] = {"reversal_exhausted": "delete_recorded", "reversal_attempts": 3}


# -- while the image was coming ----------------------------------------------------------------------------------------


@good("FWU-01", "the 1 transactions of batch 000001 are in its next settlement")
def what_was_stored_is_delivered_while_the_image_comes(world: World) -> None:
    unit_with(world, "0.9.0")
    world.sign_in()
    world.perform("offline_sale", 800)
    load_while(world, "1.0.0", world.deliver)
    world.settle()


@good("FWU-01", "is signed under the working keys of before")
def the_reversal_is_delivered_while_the_image_comes(world: World) -> None:
    unit_with(world, "0.9.0")
    world.sign_in()
    world.sale(1200, withheld())
    load_while(world, "1.0.0", world.send_reversal)
    world.sale(700)


@good("FWU-03", "power cut in it: golden 1.0.0 runs")
def delivered_before_the_power_goes(world: World) -> None:
    world.sign_in()
    world.perform("offline_sale", 800)
    operation = world.invoke("load_firmware", "service", version="1.1.0")
    offer(world, operation.op, "1.1.0")
    world.deliver()
    world.wait(10)
    world.power("off", "cut")
    world.screen()
    world.complete(operation, "unknown")
    world.power("on")
    world.idle()
    told(world, "1.0.0")
    world.settle()


@bad("FWU-01", "the next settlement claims")
def sold_while_the_image_comes_and_lost(world: World) -> None:
    unit_with(world, "0.9.0")
    world.sign_in()
    load_while(world, "1.0.0", lambda: world.sale(1200))
    world.terminal.log.clear()
    world.settle()


@bad("FWU-01", "was settled without its delivery")
def sent_to_no_purpose_while_the_image_comes_and_lost(world: World) -> None:
    unit_with(world, "0.9.0")
    world.sign_in()
    world.perform("offline_sale", 800)
    load_while(world, "1.0.0", lambda: world.deliver("97"))
    world.terminal.offline.clear()
    world.terminal.log.clear()
    world.settle()


# -- batches on their way out ------------------------------------------------------------------------------------------


@undecided("FWU-01", "closed it, with no settlement after it")
def its_upload_goes_on_after_it(world: World) -> None:
    unit_with(world, "0.9.0")
    world.sign_in()
    upload_cut(world)
    load(world, "1.0.0")
    world.sign_in()
    world.settle(resume=True)
    world.sale(700)


@good("FWU-04", "refused (70 image damaged)")
def its_upload_goes_on_after_an_image_that_was_refused(world: World) -> None:
    world.sign_in()
    upload_cut(world)
    refuse(world, "1.1.0", flaw="corrupt")
    world.sign_in()
    world.settle(resume=True)
    world.sale(700)


@bad("FWU-01", "is of batch 000002")
def the_rest_of_its_upload_is_lost(world: World) -> None:
    unit_with(world, "0.9.0")
    world.sign_in()
    upload_cut(world)
    load(world, "1.0.0")
    world.sign_in()
    world.terminal.log.clear()
    world.terminal.batch = world.terminal.host_batch = "000002"
    world.sale(700)


# -- what nobody can know to be there ----------------------------------------------------------------------------------


@good("FWU-01", "the reversal of the sale 000002 went out after it")
def refused_by_the_card_and_reversed(world: World) -> None:
    """The host approved it; in the batch it never stood."""
    world.sign_in()
    world.card_gives = "AAC"
    world.sale(1500, entry="chip")
    world.card_gives = ""
    load(world, "1.1.0")
    world.send_reversal()
    world.set_host_batch("000002")
    world.sign_in()
    world.sale(700)


@good("FWU-01", "is signed under the master key of before")
def the_power_goes_as_it_is_stored(world: World) -> None:
    """Nothing tells whether a refund of that moment stands in the batch."""
    unit_with(world, "0.9.0")
    world.sign_in()
    world.perform("refund", 900, original="000009")
    answered = max(i for i, e in enumerate(world.events) if e.kind == "wire.frame")
    world.t = world.events[answered].t
    del world.events[answered + 1 :]
    world.power("off", "cut")
    world.power("on")
    world.idle()
    world.terminal.log.clear()
    world.set_host_batch("000002")
    world.terminal.signed_in = False
    load(world, "1.0.0")
    world.sign_in()
    world.sale(700)


# -- what was no more there --------------------------------------------------------------------------------------------


@good("FWU-01", "the 1 transactions of batch 000001 are in its next settlement")
def the_host_had_refused_what_was_stored(world: World) -> None:
    unit_with(world, "0.9.0")
    world.sign_in()
    world.perform("offline_sale", 800)
    world.deliver("05")
    world.terminal.offline.clear()
    world.terminal.log.clear()
    world.sale(500)
    load(world, "1.0.0")
    world.settle()


@good("FWU-01", "is signed under the working keys of before", **DELETING)
def the_deletion_of_the_reversal_was_recorded(world: World) -> None:
    unit_with(world, "0.9.0")
    world.sign_in()
    given_up(world)
    load(world, "1.0.0")
    world.sale(700)


@bad("FWU-01", "was sent without it", **DELETING)
def the_reversal_is_gone_and_nothing_records_it(world: World) -> None:
    unit_with(world, "0.9.0")
    world.sign_in()
    world.sale(1500, withheld())
    world.read_counters()
    load(world, "1.0.0")
    world.terminal.pending = None
    world.sale(700)


@undecided("FWU-02", "that it recovers, was not seen", **DELETING)
def reset_after_its_deletion_was_recorded(world: World) -> None:
    world.sign_in()
    given_up(world)
    load(world, "3.0.0", resets=True)


@bad("FWU-02", "it was installed")
def what_only_its_refused_delivery_shows_is_wiped(world: World) -> None:
    world.sign_in()
    world.perform("offline_sale", 800)
    world.deliver("97")
    world.events = [e for e in world.events if e.kind != "slip"]
    for index, event in enumerate(world.events):
        world.events[index] = event.model_copy(update={"seq": index + 1})
    load(world, "3.0.0", resets=True)


# -- of two merchants --------------------------------------------------------------------------------------------------


@undecided("FWU-01", "the offline_sale 000002 was stored, and nothing shows it afterwards", model="HT-200")
def the_other_merchant_settles(world: World) -> None:
    stored_of_the_second(world)
    load(world, "1.0.0")
    world.select("1")
    world.sale(500)
    world.settle()


@undecided("FWU-01", "of which merchant it is, is not known", model="HT-200")
def one_settles_and_the_slip_names_nobody(world: World) -> None:
    stored_of_the_second(world)
    index = max(i for i, e in enumerate(world.events) if isinstance(e, Slip))
    slip = world.events[index]
    assert isinstance(slip, Slip)
    lines = [line for line in slip.lines if "终端号" not in line]
    world.events[index] = slip.model_copy(update={"lines": lines})
    load(world, "1.0.0")
    world.select("1")
    world.sale(500)
    world.settle()


@bad("FWU-01", "was settled without its delivery", model="HT-200")
def the_second_merchants_is_forgotten(world: World) -> None:
    stored_of_the_second(world)
    load(world, "1.0.0")
    world.terminal.offline.clear()
    world.terminal.log.clear()
    world.settle()


# -- steps -------------------------------------------------------------------------------------------------------------


def load_while(world: World, version: str, do: Callable[[], object], *, resets: bool = False) -> None:
    """While the image comes somebody is at work at the terminal; then it is installed."""
    operation = world.invoke("load_firmware", "service", version=version)
    offer(world, operation.op, version, resets=resets)
    world.wait(1)
    do()
    world.wait(10)
    world.complete(operation, "ok")
    restart(world)
    told(world, version)


def upload_cut(world: World) -> None:
    """The host's totals differ; its upload is cut by 97."""
    for amount in range(1000, 1010):
        world.sale(amount)
    world.settle(unbalanced=True, upload=[None, "97"])


def given_up(world: World) -> None:
    """Its reversal is due, comes to nothing three times, and a slip records that it is given up."""
    world.sale(1500, withheld())
    assert world.terminal.pending is not None
    trace = world.terminal.pending.trace
    for _ in range(3):
        world.send_reversal(dropped())
    world.slip("冲正失败", f"凭证号:{trace}", "金额:RMB 15.00")
    world.terminal.pending = None
    world.idle()


def stored_of_the_second(world: World) -> None:
    """Two merchants; the second has accepted something offline."""
    unit_with(world, "0.9.0")
    world.share()
    world.sign_in()
    world.select("2")
    world.sign_in()
    world.perform("offline_sale", 800)
