"""REC-09: another unit in the place of one whose batch is not settled."""

from __future__ import annotations

import base64

from harness.history.events import UnitReplaced
from harness.history.update_events import BackupTaken
from harness.protocol.frames import decode
from harness.tests.golden import World, lost, refused, says, withheld
from harness.tests.golden_stories import Stories

stories = Stories("REC-")
good, bad, undecided, no_occasion = stories.good, stories.bad, stories.undecided, stories.no_occasion
TEXT = "HIL97-BACKUP 1\nrecord 1 000002 sale 1000 622588******0097\ndata QUJDREVGR0hJSktMTU5PUFFS\nend 00\n"


def back_up(world: World, text: str = TEXT) -> None:
    operation = world.invoke("back_up", "service")
    world.append(BackupTaken(t=0, op=operation.op, file="backups/backup-1.txt", text=text))
    world.complete(operation, "ok")


def swap(world: World) -> None:
    """Another unit, with what the old one had."""
    world.replaced("97000002", "a unit takes the place of another")
    operation = world.invoke("restore", "service")
    world.complete(operation, "ok")
    world.register_terminal(new_tmk=True)
    world.load_tmk()


def put_back(world: World, serial: str) -> None:
    world.append(UnitReplaced(t=0, serial=serial, kept=True))


def sold(world: World) -> None:
    world.sign_in()
    world.sale(1000)
    back_up(world)


@good("REC-09", "the new unit settled the batch of the old one")
def the_batch_goes_on(world: World) -> None:
    sold(world)
    swap(world)
    world.sign_in()
    world.sale(2000)
    world.settle()
    put_back(world, "97000001")
    world.sign_in("97")


@bad("REC-09", "there is the card number")
def a_card_number_is_in_it(world: World) -> None:
    world.sign_in()
    request = world.sale(1000).request
    assert request is not None
    frame = decode(bytes.fromhex(request.hex))
    back_up(world, TEXT + (frame.get(2) or frame.get(35).partition("D")[0]))


@bad("REC-09", "there is the master key")
def a_key_is_in_it(world: World) -> None:
    world.sign_in()
    back_up(world, TEXT + world.host.keys.tmk.hex().upper())


@bad("REC-09", "a unit whose batch was handed over sent sale")
def the_old_unit_sells_on(world: World) -> None:
    sold(world)
    world.sale(1100)


@bad("REC-09", "a unit whose batch was handed over sent reversal")
def both_units_deliver_the_reversal(world: World) -> None:
    """The old one when it is put back."""
    world.sign_in()
    world.sale(1000, withheld())
    back_up(world)
    due = world.terminal.pending
    swap(world)
    world.sign_in()
    world.send_reversal()
    put_back(world, "97000001")
    world.terminal.pending = due
    world.send_reversal()


@bad("REC-09", "a unit whose batch was handed over sent settlement")
def both_units_settle(world: World) -> None:
    sold(world)
    world.settle()


@no_occasion("REC-09")
def it_was_cancelled(world: World) -> None:
    sold(world)
    world.service("to_terminal", "BACKUP CANCEL")
    world.service("from_terminal", "OK BACKUP CANCELLED")
    world.sale(1100)
    world.settle()


@no_occasion("REC-09")
def another_unit_with_its_serial_number(world: World) -> None:
    sold(world)
    world.replaced("97000001")
    world.sign_in()
    world.sale(1100)


@bad("REC-09", "the new one settled")
def a_sale_is_lost_on_the_way(world: World) -> None:
    sold(world)
    swap(world)
    world.terminal.log.pop()
    world.sign_in()
    world.settle()


@bad("REC-09", "was restored, and settled as")
def the_batch_has_another_number(world: World) -> None:
    sold(world)
    swap(world)
    world.sign_in()
    world.terminal.batch = "000002"
    world.settle()


@undecided("REC-09", "was not seen to sign in")
def nobody_asked_the_old_unit(world: World) -> None:
    sold(world)
    swap(world)
    world.sign_in()
    world.settle()


@undecided("REC-09", "no settlement followed")
def it_was_not_settled(world: World) -> None:
    sold(world)
    swap(world)


@no_occasion("REC-09")
def a_backup_that_was_not_needed(world: World) -> None:
    sold(world)


# -- which backup, and until when it binds -----------------------------------------------------------------------------


def settled_and_refused(world: World) -> None:
    """The swap to its end."""
    swap(world)
    world.sign_in()
    world.settle()
    put_back(world, "97000001")
    world.sign_in("97")


@good("REC-09", "the new unit settled the batch of the old one")
def it_was_cancelled_and_backed_up_again(world: World) -> None:
    sold(world)
    world.service("to_terminal", "BACKUP CANCEL")
    world.service("from_terminal", "OK BACKUP CANCELLED")
    world.sale(1100)
    back_up(world)
    settled_and_refused(world)


@good("REC-09", "the new unit settled the batch of the old one")
def the_unit_of_an_earlier_backup_is_gone(world: World) -> None:
    sold(world)
    world.remove_terminal()
    world.replaced("97000001")
    world.register_terminal()
    world.load_tmk()
    world.terminal.log, world.terminal.batch = [], "000001"
    world.sign_in()
    world.sale(1700)
    back_up(world)
    settled_and_refused(world)


@no_occasion("REC-09")
def the_old_unit_gets_another_number(world: World) -> None:
    """It hands nothing over under that."""
    world.sign_in()
    world.sale(1000)
    world.settle()
    back_up(world)
    world.replaced("97000002")
    put_back(world, "97000001")
    world.tid = "10000009"
    world.complete(world.invoke("set_identity", "service", tid=world.tid, mid=world.mid), "ok")
    world.load_tmk()
    world.sign_in()
    world.sale(1200)


@bad("REC-09", "a unit whose batch was handed over sent sale")
def the_old_unit_gets_the_number_that_it_has(world: World) -> None:
    sold(world)
    world.complete(world.invoke("set_identity", "service", tid=world.tid, mid=world.mid), "ok")
    world.sale(1200)


@undecided("REC-09", "no settlement followed")
def the_batch_comes_back_to_the_old_unit(world: World) -> None:
    sold(world)
    swap(world)
    world.sign_in()
    back_up(world)
    put_back(world, "97000001")
    world.complete(world.invoke("restore", "service"), "ok")
    world.register_terminal(new_tmk=True)
    world.load_tmk()
    world.sign_in()
    world.sale(1200)


# -- attempts to settle ------------------------------------------------------------------------------------------------


def refused_by_itself(world: World, text: str) -> None:
    operation = world.invoke("settle")
    world.display(text)
    world.complete(operation, "fail", None, text)
    world.idle()


@good("REC-09", "the new unit settled the batch of the old one")
def asked_to_settle_before_it_signed_in(world: World) -> None:
    sold(world)
    swap(world)
    refused_by_itself(world, "请先签到")
    world.sign_in()
    world.settle()
    put_back(world, "97000001")
    world.sign_in("97")


@bad("REC-09", "the unit sent nothing")
def it_has_nothing_to_settle(world: World) -> None:
    sold(world)
    swap(world)
    world.sign_in()
    refused_by_itself(world, "无交易流水")


@good("REC-09", "the new unit settled the batch of the old one")
def nobody_answers_its_attempt_to_connect(world: World) -> None:
    sold(world)
    swap(world)
    world.sign_in()
    world.settle(refused())
    world.settle()
    put_back(world, "97000001")
    world.sign_in("97")


@good("REC-09", "the new unit settled the batch of the old one")
def the_end_of_the_upload_finds_no_connection(world: World) -> None:
    sold(world)
    swap(world)
    world.sign_in()
    world.settle(upload=[refused()])
    world.settle(resume=True)
    put_back(world, "97000001")
    world.sign_in("97")


# -- what the batch may hold -------------------------------------------------------------------------------------------


@good("REC-09", "the new unit settled the batch of the old one")
def a_tip_takes_the_place_of_a_sale(world: World) -> None:
    world.sign_in()
    first = world.sale(1000)
    world.perform("offline_tip", 1100, original=first.trace)
    world.deliver()
    back_up(world)
    settled_and_refused(world)


@good("REC-09", "the new unit settled the batch of the old one")
def the_power_went_right_after_an_approval(world: World) -> None:
    """It may not be stored."""
    world.sign_in()
    world.sale(1000)
    operation = world.invoke("sale", amount="2000", entry="magnetic", pin="no")
    fields = {
        3: "000000", 4: "000000002000", 11: world.terminal.next_trace(), 22: "022", 25: "00",
        35: "6225880000000097D30122010000097000000", 49: "156", 60: f"22{world.terminal.batch}00050",
    }  # fmt: skip
    world._exchange(world._request("0200", fields), says())
    world.power("off", "cut")
    world.complete(operation, "unknown")
    world.power("on", "cut")
    world.idle()
    back_up(world)
    settled_and_refused(world)


@good("REC-09", "the new unit settled the batch of the old one")
def an_offline_sale_that_the_host_refuses(world: World) -> None:
    """It is in the batch all the same."""
    world.sign_in()
    world.sale(1000)
    world.perform("offline_sale", 500, card="manual")
    world.deliver("05")
    world.terminal.offline.clear()
    back_up(world)
    settled_and_refused(world)


@good("REC-09", "the new unit settled the batch of the old one")
def the_batch_before_was_closed_without_its_end(world: World) -> None:
    world.sign_in()
    world.sale(1000)
    world.settle(upload=[lost()])
    world.terminal.close_batch()
    world.sign_in()
    world.sale(1100)
    back_up(world)
    settled_and_refused(world)


@bad("REC-09", "the new one settled", settlement_voids="net")
def a_sale_is_lost_where_voids_are_netted(world: World) -> None:
    sold(world)
    swap(world)
    world.terminal.log.pop()
    world.sign_in()
    world.settle()


@bad("REC-09", "both units sold 1 for 2000", declaration={"identities": 2})
def a_sale_of_the_second_merchant_is_lost(world: World) -> None:
    world.share()
    world.sign_in()
    world.sale(1000)
    world.select("2")
    world.sign_in()
    world.sale(2000)
    world.select("1")
    back_up(world)
    swap(world)
    world._others["2"][2].log.pop()
    world.sign_in()
    world.settle()
    world.select("2")
    world.sign_in()
    world.settle()
    world.select("1")
    put_back(world, "97000001")
    world.sign_in("97")


# -- what is in it, and what was seen ----------------------------------------------------------------------------------


@bad("REC-09", "there is a PIN key")
def the_pin_key_is_in_it(world: World) -> None:
    world.sign_in()
    back_up(world, TEXT + world.host.working.pik.hex().upper())


@bad("REC-09", "there is the card number 622588...0097")
def a_packed_track_is_in_it(world: World) -> None:
    """With what comes behind the number, and one digit before it."""
    world.sign_in()
    world.sale(1000)
    packed = bytes.fromhex("0" + "6225880000000097D301220100000970000")
    back_up(world, f"HIL97-BACKUP 1\ndata {base64.b64encode(packed).decode()}\nend 00\n")


@undecided("REC-09", "what it showed could not be read", physical_like=True)
def the_code_on_the_old_unit_can_not_be_read(world: World) -> None:
    sold(world)
    swap(world)
    world.sign_in()
    world.settle()
    put_back(world, "97000001")
    with world._operation("sign_in", "keypad") as operation:
        world._sign_in(says("97"))
        world.screen("交易失败", "应?码:9?", "终端未登记", unreadable=2)
        world.complete(operation, "fail", None, "应?码:9? 终端未登记")
