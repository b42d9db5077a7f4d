"""FWU-03 to FWU-07: cuts, flawed images, lost links, images that fail, and which version is told."""

from __future__ import annotations

from typing import Literal

from harness.tests.golden import World
from harness.tests.golden_stories import Stories
from harness.tests.golden_updates import HELD, cut_in, load, offer, refuse, status, swept, told, unit_with

stories = Stories("FWU-")
good, bad, undecided, no_occasion = stories.good, stories.bad, stories.undecided, stories.no_occasion


# -- FWU-03 ------------------------------------------------------------------------------------------------------------


@good("FWU-03", "1.0.0 runs, and holds what was held before")
def a_cut_leaves_the_new_one(world: World) -> None:
    swept(world)


@good("FWU-03", "0.9.0 runs, and holds what was held before")
def a_cut_leaves_the_old_one(world: World) -> None:
    swept(world, runs="0.9.0")


@good("FWU-03", "1.0.0 runs")
def what_resets_has_nothing(world: World) -> None:
    swept(world, after={"tid": "", "mid": "", "tmk_kcv": ""}, resets=True)


@good("FWU-03", "golden 1.0.0 runs")
def cut_on_the_bench(world: World) -> None:
    cut_in(world, "1.1.0", runs="1.0.0")


@good("FWU-03", "golden 1.1.0 runs")
def cut_on_the_bench_and_new(world: World) -> None:
    cut_in(world, "1.1.0", runs=None)


@bad("FWU-03", "nothing starts any more (no slot)")
def a_cut_leaves_nothing(world: World) -> None:
    swept(world, runs="", detail="no slot")


@bad("FWU-03", "2.0.0 runs, which is neither")
def a_cut_leaves_another(world: World) -> None:
    swept(world, runs="2.0.0")


@bad("FWU-03", "reversal is none instead of 000011")
def a_cut_costs_the_reversal(world: World) -> None:
    swept(world, after={**HELD, "reversal": "none"})


@bad("FWU-03", "tid is still 29000001")
def a_reset_that_is_half_done(world: World) -> None:
    swept(world, after={"tid": "29000001"}, resets=True)


@bad("FWU-03", "nothing can be started any more")
def dead_on_the_bench(world: World) -> None:
    operation = world.invoke("load_firmware", "service", version="1.1.0")
    offer(world, operation.op, "1.1.0")
    world.power("off", "cut")
    world.complete(operation, "unknown")
    world.power("on")
    world.screen("固件损坏")


@bad("FWU-03", "is from TID 29000009")
def a_cut_on_the_bench_costs_the_number(world: World) -> None:
    world.sign_in()
    cut_in(world, "1.1.0", runs="1.0.0")
    world.tid = "29000009"
    world.echo()


@undecided("FWU-03", "what ran afterwards is not known")
def nobody_asked_after_the_cut(world: World) -> None:
    cut_in(world, "1.1.0", runs="")


@no_occasion("FWU-03")
def without_a_cut(world: World) -> None:
    load(world, "1.1.0")


# -- FWU-04 ------------------------------------------------------------------------------------------------------------


@good("FWU-04", "refused (70 image damaged), and golden 1.0.0 runs on")
def a_damaged_image(world: World) -> None:
    refuse(world, "1.1.0", flaw="corrupt")


@good("FWU-04", "it was not started, and golden 1.0.0 runs on")
def found_out_at_the_start(world: World) -> None:
    load(world, "1.1.0", flaw="changed_before_start", runs="1.0.0")


@good("FWU-04", "refused (74 too old)")
def one_of_the_same_version(world: World) -> None:
    refuse(world, "1.0.0", flaw="older_version", why="74 too old")


@bad("FWU-04", "it runs")
def a_foreign_image_runs(world: World) -> None:
    load(world, "1.1.0", flaw="foreign_key")


@bad("FWU-04", "the terminal said that it installs it")
def it_says_that_it_installs(world: World) -> None:
    load(world, "1.1.0", flaw="corrupt", runs="1.0.0")


@bad("FWU-04", "refused without a reason")
def refused_without_a_word(world: World) -> None:
    refuse(world, "1.1.0", flaw="corrupt", why="")


@bad("FWU-04", "the next settlement claims")
def the_batch_goes_with_it(world: World) -> None:
    world.sign_in()
    world.sale(1200)
    refuse(world, "1.1.0", flaw="corrupt")
    world.terminal.log.clear()
    world.settle()


@bad("FWU-04", "nothing can be started any more")
def dead_of_a_changed_image(world: World) -> None:
    load(world, "1.1.0", flaw="changed_before_start", runs="")
    world.screen("固件损坏")


@bad("FWU-04", "1.0.0 ran before, 0.9.0 runs now")
def an_older_one_comes_up(world: World) -> None:
    refuse(world, "1.1.0", flaw="corrupt", stays="0.9.0")


@undecided("FWU-04", "what runs afterwards is not known")
def refused_and_not_asked(world: World) -> None:
    refuse(world, "1.1.0", flaw="corrupt", stays="")


@no_occasion("FWU-04")
def a_sound_image(world: World) -> None:
    load(world, "1.1.0")


# -- FWU-05 ------------------------------------------------------------------------------------------------------------


@good("FWU-05", "another attempt was taken")
def the_sender_stops_and_begins_again(world: World) -> None:
    refuse(world, "1.1.0", why="73 broken off", disturbed="the sender stops after 9 blocks")
    load(world, "1.1.0")


@good("FWU-05", "it was taken all the same")
def noise_on_the_line(world: World) -> None:
    load(world, "1.1.0", disturbed="noise in 5 % of the blocks")


@good("FWU-05", "it was taken all the same")
def the_cable_was_out(world: World) -> None:
    operation = world.invoke("load_firmware", "operator", version="1.1.0")
    offer(world, operation.op, "1.1.0", via="network")
    world.unplug()
    world.wait(5)
    world.plug()
    world.complete(operation, "ok")
    world.reboot("watchdog")
    told(world, "1.1.0")


def second(
    world: World, *, says: Literal["ok", "fail"] = "fail", why: str = "90 busy: another transfer", first_ok: bool = True
) -> None:
    """The operator has an image fetched while another comes by the service port."""
    first = world.invoke("load_firmware", "service", version="1.1.0")
    offer(world, first.op, "1.1.0")
    world.wait(1)
    other = world.invoke("load_firmware", "operator", version="1.2.0")
    offer(world, other.op, "1.2.0", via="network")
    world.complete(other, says, detail=why)
    world.wait(1)
    world.complete(first, "ok" if first_ok else "fail", detail="" if first_ok else "73 broken off")


@good("FWU-05", "refused (90 busy: another transfer), and golden 1.1.0 runs")
def a_second_sender_is_refused(world: World) -> None:
    second(world)
    world.reboot("watchdog")
    told(world, "1.1.0")


@good("FWU-05", "refused (90 busy: another transfer), and golden 1.0.0 runs")
def both_are_refused_and_the_first_comes_again(world: World) -> None:
    second(world, first_ok=False)
    told(world, "1.0.0")
    load(world, "1.1.0")


@bad("FWU-05", "both were taken")
def two_senders_are_both_taken(world: World) -> None:
    second(world, says="ok")
    world.reboot("watchdog")
    told(world, "1.1.0")


@bad("FWU-05", "refused without a reason")
def a_second_sender_hears_nothing(world: World) -> None:
    second(world, why="")
    world.reboot("watchdog")
    told(world, "1.1.0")


@bad("FWU-05", "nothing can be started any more")
def dead_of_two_senders(world: World) -> None:
    second(world)
    world.screen("固件损坏")


@undecided("FWU-05", "what ran afterwards is not known")
def nobody_asks_after_two_senders(world: World) -> None:
    second(world)


@bad("FWU-05", "another attempt, which nothing troubled, was not taken (90 busy)")
def it_never_goes_on(world: World) -> None:
    refuse(world, "1.1.0", why="73 broken off", disturbed="the sender stops after 9 blocks")
    refuse(world, "1.1.0", why="90 busy")


@bad("FWU-05", "and golden 1.0.0 runs")
def said_to_be_installed(world: World) -> None:
    load(world, "1.1.0", runs="1.0.0", disturbed="noise in 5 % of the blocks")


@bad("FWU-05", "nothing can be started any more")
def dead_of_a_lost_link(world: World) -> None:
    refuse(world, "1.1.0", stays="", disturbed="the sender stops after 9 blocks")
    world.screen("固件损坏")


@bad("FWU-05", "is from TID 29000009")
def a_lost_link_costs_the_number(world: World) -> None:
    world.sign_in()
    refuse(world, "1.1.0", why="73 broken off", disturbed="the sender stops after 9 blocks")
    world.tid = "29000009"
    world.echo()


@undecided("FWU-05", "nothing shows whether it can go on")
def nobody_tries_again(world: World) -> None:
    refuse(world, "1.1.0", why="73 broken off", disturbed="the sender stops after 9 blocks")


@undecided("FWU-05", "nothing shows whether it can go on")
def what_is_stored_bars_the_next_attempt(world: World) -> None:
    world.sign_in()
    world.sale(1200)
    refuse(world, "3.0.0", why="73 broken off", disturbed="the sender stops after 9 blocks", resets=True)
    refuse(world, "3.0.0", why="85 transactions stored", resets=True)


@no_occasion("FWU-05")
def an_undisturbed_transfer(world: World) -> None:
    load(world, "1.1.0")


# -- FWU-06 ------------------------------------------------------------------------------------------------------------


@good("FWU-06", "is back by itself, and sign_in")
def it_comes_back(world: World) -> None:
    load(world, "1.1.0", flaw="self_test", runs="1.0.0")
    world.sign_in()


@bad("FWU-06", "it stays")
def it_does_not_come_back(world: World) -> None:
    load(world, "1.1.0", flaw="hangs")


@bad("FWU-06", "somebody had to switch the terminal off and on")
def it_needs_a_hand(world: World) -> None:
    operation = world.invoke("load_firmware", "service", version="1.1.0")
    offer(world, operation.op, "1.1.0", flaw="hangs")
    world.complete(operation, "ok")
    world.power("off", "watchdog")
    world.power("on", "watchdog")
    world.reboot()
    told(world, "1.0.0")


@bad("FWU-06", "it did not come back within 40 s; the screen said “存储故障,请送修”")
def it_shows_a_fault_and_stays_so(world: World) -> None:
    operation = world.invoke("load_firmware", "service", version="1.1.0")
    offer(world, operation.op, "1.1.0", flaw="self_test")
    world.complete(operation, "ok")
    world.power("off", "watchdog")
    world.screen()
    world.power("on", "watchdog")
    world.screen("存储故障,请送修")
    world.wait(60)


@bad("FWU-06", "nothing can be started any more")
def dead_of_a_failed_start(world: World) -> None:
    load(world, "1.1.0", flaw="crashes", runs="")
    world.screen("固件损坏")


@bad("FWU-06", "is from TID 29000009")
def another_number_after_the_return(world: World) -> None:
    world.sign_in()
    load(world, "1.1.0", flaw="self_test", runs="1.0.0")
    world.tid = "29000009"
    world.echo()


@undecided("FWU-06", "nothing shows that the host still serves it")
def back_and_not_tried(world: World) -> None:
    load(world, "1.1.0", flaw="self_test", runs="1.0.0")


@no_occasion("FWU-06")
def seen_through_beforehand(world: World) -> None:
    refuse(world, "1.1.0", flaw="self_test")


# -- FWU-07 ------------------------------------------------------------------------------------------------------------


@good("FWU-07", "and both the service port and the status_upload")
def told_at_both(world: World) -> None:
    load(world, "1.1.0")
    status(world, "1.1.0")


@good("FWU-07", "golden 0.9.0 comes from the factory")
def of_the_factory(world: World) -> None:
    unit_with(world, "0.9.0")
    told(world, "0.9.0")
    status(world, "0.9.0")


@bad("FWU-07", "the host is told golden 1.0.0 by the status_upload")
def the_host_is_told_the_old_one(world: World) -> None:
    load(world, "1.1.0")
    status(world, "1.0.0")


@bad("FWU-07", "the service port says golden 1.0.0")
def the_service_port_says_the_old_one(world: World) -> None:
    load(world, "1.1.0", runs="1.0.0")
    status(world, "1.1.0")


@bad("FWU-07", "the host is told no version")
def the_host_is_told_nothing(world: World) -> None:
    load(world, "1.1.0")
    status(world, "", name="")


@bad("FWU-07", "golden 0.9.0 comes from the factory, and the service port says golden 1.0.0")
def a_constant(world: World) -> None:
    unit_with(world, "0.9.0")
    told(world, "1.0.0")


@no_occasion("FWU-07")
def the_host_was_not_told(world: World) -> None:
    load(world, "1.1.0")


@no_occasion("FWU-07")
def it_says_at_both_that_it_turned_back(world: World) -> None:
    load(world, "1.1.0", runs="1.0.0")
    status(world, "1.0.0")
