"""SEC-01 to SEC-03: forged, replayed and stripped answers. SEC-04: what was changed on the flash."""

from __future__ import annotations

from harness.history.events import WireFrame
from harness.history.update_events import StoredChanged
from harness.tests.golden import Reply, World, flawed, says
from harness.tests.golden_faults import forged, replayed, rewritten
from harness.tests.golden_stories import Stories
from harness.tests.golden_updates import load, refuse, told
from harness.tests.histories.firmware_not_started import only_load
from harness.tests.histories.steps import claim_success, deny_success

stories = Stories("SEC-")
good, bad, undecided, no_occasion = stories.good, stories.bad, stories.undecided, stories.no_occasion


def last_answer(world: World) -> bytes:
    """The bytes of the last frame to the terminal."""
    frames = [e for e in world.events if isinstance(e, WireFrame) and e.direction == "to_terminal"]
    return bytes.fromhex(frames[-1].hex)


# -- SEC-01 ------------------------------------------------------------------------------------------------------------


@good("SEC-01", "the next honest sign-in was taken")
def the_next_sign_in_restores_service(world: World) -> None:
    world.sign_in(forged("97"))
    world.sign_in()
    world.sale(700)


@good("SEC-01", "the settlement of batch 000001 claims them")
def stored_sales_are_settled(world: World) -> None:
    world.sign_in()
    world.sale(1200)
    world.sign_in(forged("97"))
    world.sign_in()
    world.settle()
    world.sale(700)


@good("SEC-01", "the next honest sign-in was taken")
def keys_in_a_forged_97_are_nothing(world: World) -> None:
    world.sign_in(forged("97", f62="00" * 40))
    world.sign_in()
    world.sale(700)


@bad("SEC-01", "is none to the terminal")
def its_master_key_is_gone(world: World) -> None:
    world.sign_in(forged("97"))
    world.sign_in()
    deny_success(world)
    world.reboot()


@bad("SEC-01", "is not signed under its keys")
def the_new_keys_are_not_taken(world: World) -> None:
    world.sign_in()
    world.sign_in(forged("97"))
    old = world.terminal.working
    world.sign_in()
    world.terminal.working = old
    world.sale(700, "A0")


@bad("SEC-01", "the settlement claims 0 debits")
def the_batch_is_gone(world: World) -> None:
    world.sign_in()
    world.sale(1200)
    world.sign_in(forged("97"))
    world.terminal.log.clear()
    world.sign_in()
    world.settle()


@undecided("SEC-01", "no sign-in was granted after it")
def nobody_signs_in_again(world: World) -> None:
    world.sign_in(forged("97"))


@no_occasion("SEC-01")
def a_97_of_the_acquirer(world: World) -> None:
    world.sign_in("97")
    world.sign_in()
    world.sale(700)


# -- SEC-02 ------------------------------------------------------------------------------------------------------------


@good("SEC-02", "an earlier 97 came to sale 000003, and did not count")
def a_97_replayed(world: World) -> None:
    world.sign_in()
    world.sale(1500, "97")
    world.sale(1500, replayed(last_answer(world)))
    world.settle()


@good("SEC-02", "an earlier approval came to sale 000003")
def an_approval_replayed(world: World) -> None:
    world.sign_in()
    world.sale(1500)
    world.sale(1500, replayed(last_answer(world)))
    world.settle()


@good("SEC-02")
def an_approval_replayed_before_the_true_decline(world: World) -> None:
    world.sign_in()
    world.sale(1500)
    world.sale(1500, says("51", wire=replayed(last_answer(world), "before")))
    world.settle()


@good("SEC-02")
def a_terminal_that_reads_on(world: World) -> None:
    world.sign_in()
    world.sale(1500, "97")
    world.sale(1500, replayed(last_answer(world), "before"))
    world.terminal.pending = None
    claim_success(world)


@good("SEC-02", "an earlier 97 came to sign_in")
def a_97_of_an_earlier_sign_in(world: World) -> None:
    world.sign_in("97")
    world.sign_in(replayed(last_answer(world)))
    world.sign_in()


@bad("SEC-02", "counted as its answer: told as approved")
def a_replayed_approval_is_believed(world: World) -> None:
    world.sign_in()
    world.sale(1500)
    world.sale(1500, replayed(last_answer(world)))
    claim_success(world)
    world.settle()


@bad("SEC-02", "counted as its answer: told as declined, code 97")
def a_replayed_97_is_believed(world: World) -> None:
    world.sign_in()
    world.sale(1500, "97")
    world.sale(1500, replayed(last_answer(world)))
    index = max(i for i, e in enumerate(world.events) if e.kind == "operation.completed")
    world.events[index] = world.events[index].model_copy(update={"code": "97"})
    world.settle()


@bad("SEC-02", "its reversal was forgotten")
def a_replayed_97_ends_the_reversal(world: World) -> None:
    world.sign_in()
    world.sale(1500, "97")
    world.sale(1500, replayed(last_answer(world)))
    world.terminal.pending = None
    world.sale(700)


@undecided("SEC-02", "how it ended was not seen")
def nobody_saw_what_became_of_it(world: World) -> None:
    world.sign_in()
    world.sale(1500, "97")
    world.sale(1500, replayed(last_answer(world)))
    index = max(i for i, e in enumerate(world.events) if e.kind == "operation.completed")
    world.events[index] = world.events[index].model_copy(update={"outcome": "unknown", "code": None})


@no_occasion("SEC-02")
def a_foreign_answer_that_nobody_saw_before(world: World) -> None:
    world.sign_in()
    world.sale(1500, flawed("foreign_trace", "97"))
    world.settle()


# -- SEC-03 ------------------------------------------------------------------------------------------------------------


@good("SEC-03", "followed (F39 A0)")
def its_mac_was_stripped(world: World) -> None:
    world.sign_in()
    world.sale(1500, rewritten(mac="strip"))
    world.sign_in()
    world.sale(700)


@good("SEC-03", "an approval with a wrong MAC")
def another_reference_number_under_the_old_mac(world: World) -> None:
    world.sign_in()
    world.sale(1500, rewritten({37: "999999999999"}))
    world.sign_in()
    world.settle()


@good("SEC-03")
def a_decline_made_an_approval(world: World) -> None:
    world.sign_in()
    world.sale(1500, says("51", wire=rewritten({39: "00"})))
    world.sign_in()
    world.sale(700)


@good("SEC-03")
def an_acquirer_that_leaves_it_out(world: World) -> None:
    world.sign_in()
    world.sale(1500, flawed("no_mac"))
    world.terminal.want_reversal("A0")
    world.sign_in()
    world.sale(700)


@good("SEC-03", "it was sent again")
def the_answer_to_a_reversal(world: World) -> None:
    world.sign_in()
    world.sale(1500, Reply(delivery="withheld"))
    world.send_reversal(rewritten(mac="strip"))
    world.send_reversal()


@good("SEC-03", "and did not count")
def a_refund(world: World) -> None:
    world.sign_in()
    sale = world.sale(1500)
    world.perform("refund", 500, Reply(wire=rewritten(mac="break")), original=sale.trace)


@bad("SEC-03", "and counted as one: told as approved")
def an_approval_without_mac_is_believed(world: World) -> None:
    world.sign_in()
    world.sale(1500, rewritten(mac="strip"))
    claim_success(world)
    world.settle()


@bad("SEC-03", "without a reversal of")
def the_reversal_is_forgotten(world: World) -> None:
    world.sign_in()
    world.sale(1500, rewritten(mac="break"))
    world.terminal.pending, world.terminal.signed_in = None, True
    world.sale(700)


@bad("SEC-03", "and counted as delivered")
def a_reversal_ends_with_an_answer_without_mac(world: World) -> None:
    world.sign_in()
    world.sale(1500, Reply(delivery="withheld"))
    world.send_reversal(rewritten(mac="strip"))
    world.terminal.pending = None
    world.sale(700)


@undecided("SEC-03", "nothing was sent")
def nothing_comes_after(world: World) -> None:
    world.sign_in()
    world.sale(1500, rewritten(mac="strip"))


@no_occasion("SEC-03")
def a_mac_that_was_recomputed(world: World) -> None:
    world.sign_in()
    world.sale(1500, rewritten({37: "999999999999"}, mac="recompute"))
    world.settle()


# -- SEC-04 ------------------------------------------------------------------------------------------------------------

FOREIGN = "97979797"


def change(world: World, was: str = "", now: str = FOREIGN) -> None:
    """The power is off, and the terminal number on the flash another one."""
    world.power("off")
    world.append(StoredChanged(t=0, what="tid", was=was or world.tid, now=now, places=1))


def refuse_to_start(world: World) -> None:
    world.power("on")
    world.screen("存储故障,请送修")


@good("SEC-04", "says “存储故障,请送修”, and does nothing")
def a_foreign_number_is_refused(world: World) -> None:
    change(world)
    refuse_to_start(world)


@good("SEC-04", "the settlement of batch 000001 claims them")
def put_back_it_has_everything(world: World) -> None:
    world.sign_in()
    world.sale(1200)
    own = world.tid
    change(world)
    refuse_to_start(world)
    change(world, FOREIGN, own)
    world.power("on")
    world.idle()
    world.sign_in()
    world.settle()


@good("SEC-04", "an image was changed in its slot (changed_before_start): golden 1.0.0 runs on")
def a_changed_application_is_not_started(world: World) -> None:
    load(world, "1.1.0", flaw="changed_before_start", runs="1.0.0")


@good("SEC-04", "an image was changed in its slot (changed_before_install): golden 1.0.0 runs on")
def a_changed_application_is_not_installed(world: World) -> None:
    only_load(world, "1.1.0", flaw="changed_before_install")
    world.service("to_terminal", "INSTALL")
    told(world, "1.0.0")


@bad("SEC-04", "left under terminal number 97979797")
def it_is_refused_once_only(world: World) -> None:
    own = world.tid
    change(world)
    refuse_to_start(world)
    change(world, FOREIGN, own)
    world.power("on")
    world.idle()
    change(world)
    world.power("on")
    world.idle()
    world.tid = FOREIGN
    world.sign_in("97")


@bad("SEC-04", "left under terminal number 97979797")
def it_works_under_a_foreign_number(world: World) -> None:
    change(world)
    world.power("on")
    world.idle()
    world.tid = FOREIGN
    world.sign_in("97")


@bad("SEC-04", "it started as if nothing were")
def it_starts_all_the_same(world: World) -> None:
    change(world)
    world.power("on")
    world.idle()


@bad("SEC-04", "an image was changed in its slot (changed_before_start): it runs")
def a_changed_application_runs(world: World) -> None:
    load(world, "1.1.0", flaw="changed_before_start")


@bad("SEC-04", "the settlement claims")
def put_back_its_batch_is_gone(world: World) -> None:
    world.sign_in()
    world.sale(1200)
    own = world.tid
    change(world)
    refuse_to_start(world)
    change(world, FOREIGN, own)
    world.power("on")
    world.idle()
    world.terminal.log.clear()
    world.sign_in()
    world.settle()


@undecided("SEC-04", "was not switched on with it")
def nobody_switches_it_on(world: World) -> None:
    change(world)


@undecided("SEC-04", "what it does about it was not seen")
def nobody_looks_at_it(world: World) -> None:
    change(world)
    world.power("on")


@undecided("SEC-04", "what ran afterwards is not known")
def nobody_asks_what_runs(world: World) -> None:
    load(world, "1.1.0", flaw="changed_before_start", runs="")


@undecided("SEC-04", "nothing shows that the terminal was to start it then")
def an_image_that_was_to_be_changed_and_never_came(world: World) -> None:
    refuse(world, "1.1.0", flaw="changed_before_start", why="90 busy")


@undecided("SEC-04", "nothing shows that the terminal was to start it then")
def loaded_and_neither_changed_nor_installed(world: World) -> None:
    only_load(world, "1.1.0", flaw="changed_before_install")
    told(world, "1.0.0")


@no_occasion("SEC-04")
def nothing_is_changed(world: World) -> None:
    world.sign_in()
    load(world, "1.1.0")
