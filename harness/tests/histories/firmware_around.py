"""FWU-01, FWU-03, FWU-04, FWU-05: other units, numbers, demands and counters of before, cuts and cables beside it."""

from __future__ import annotations

from harness.history.events import UnitReplaced
from harness.tests.golden import MID, TID, World, says
from harness.tests.golden_parts import TerminalMemory
from harness.tests.golden_stories import Stories
from harness.tests.golden_updates import firmware, load, refuse, told, unit_with

stories = Stories("FWU-")
good, bad, undecided, no_occasion = stories.good, stories.bad, stories.undecided, stories.no_occasion


# -- who it was --------------------------------------------------------------------------------------------------------


@good("FWU-01", "is from TID 10000001, as before")
def a_number_that_was_corrected(world: World) -> None:
    set_wrong_and_right(world)
    load(world, "1.0.0")
    world.sign_in()
    world.sale(700)


@bad("FWU-01", "before it the terminal was TID 10000001")
def the_number_of_before_its_correction_is_back(world: World) -> None:
    set_wrong_and_right(world)
    load(world, "1.0.0")
    world.tid = "29000009"
    world.sign_in("97")


# -- which unit it was -------------------------------------------------------------------------------------------------


@good("FWU-04", "refused (70 image damaged), and golden 1.0.0 runs on")
def put_back_it_runs_what_it_was_updated_to(world: World) -> None:
    unit_with(world, "0.9.0")
    load(world, "1.0.0")
    another_unit(world)
    put_back(world)
    refuse(world, "1.1.0", flaw="corrupt", stays="1.0.0")


@bad("FWU-04", "1.0.0 ran before, 1.1.0 runs now")
def put_back_it_takes_what_it_must_refuse(world: World) -> None:
    unit_with(world, "0.9.0")
    load(world, "1.0.0")
    another_unit(world)
    put_back(world)
    refuse(world, "1.2.0", flaw="corrupt", stays="1.1.0")


@good("FWU-01", "is signed under the working keys of before")
def the_batch_of_the_unit_that_stood_there_meanwhile(world: World) -> None:
    unit_with(world, "0.9.0")
    world.sign_in()
    first = world.terminal
    another_unit(world)
    world.terminal = TerminalMemory(keys=world.host.keys)
    world.load_tmk()
    world.complete(world.invoke("set_identity", "service", tid=TID, mid=MID), "ok")
    world.sign_in()
    world.sale(1200)
    world.terminal = first
    put_back(world)
    world.sign_in()
    load(world, "1.0.0")
    world.sale(300)
    world.settle(unbalanced=True)


# -- what had been counted and asked for -------------------------------------------------------------------------------


@good("FWU-01", "the service port counts as before")
def it_signs_in_by_itself_and_has_the_batch_of_the_host(world: World) -> None:
    unit_with(world, "0.9.0")
    world.sign_in()
    world.set_host_batch("000002")
    world.read_counters()
    load(world, "1.0.0", runs="")
    world.background_sign_in()
    told(world, "1.0.0")
    world.read_counters()


@bad("FWU-01", "sales 0/0 instead of 1/1200")
def it_signs_in_by_itself_and_has_lost_its_batch(world: World) -> None:
    unit_with(world, "0.9.0")
    world.sign_in()
    world.sale(1200)
    world.read_counters()
    load(world, "1.0.0", runs="")
    world.terminal.log.clear()
    world.background_sign_in()
    told(world, "1.0.0")
    world.read_counters()


@undecided("FWU-01", "no settlement followed that shows them", model="HT-200")
def counted_of_another_merchant(world: World) -> None:
    """After its restart the service port speaks of the first one again."""
    unit_with(world, "0.9.0")
    world.share()
    world.sign_in()
    world.sale(1200)
    world.select("2")
    world.sign_in()
    world.service("to_terminal", "MERCHANT 2")
    world.service("from_terminal", "OK MERCHANT 2")
    world.read_counters()
    world.select("1")
    load(world, "1.0.0")
    world.read_counters()


@undecided("FWU-01", "no settlement followed that shows them")
def the_host_had_asked_for_it_before(world: World) -> None:
    unit_with(world, "0.9.0")
    world.sign_in()
    world.sale(1200)
    world.echo(says(processing="4"))
    load(world, "1.0.0")
    world.download("capk_update", by_itself=True)


@bad("FWU-01", "asks anew for what it had")
def what_the_host_had_asked_for_is_fetched_twice(world: World) -> None:
    unit_with(world, "0.9.0")
    world.sign_in()
    world.echo(says(processing="4"))
    world.download("capk_update", by_itself=True)
    load(world, "1.0.0")
    world.download("capk_update", by_itself=True)


# -- cuts and cables ---------------------------------------------------------------------------------------------------


@no_occasion("FWU-03")
def switched_off_long_after_it(world: World) -> None:
    unit_with(world, "0.9.0")
    world.sign_in()
    load(world, "1.0.0", runs="")
    world.sale(500)
    world.wait(3600)
    world.reboot()
    told(world, "1.0.0")


@bad("FWU-01", "is of batch 000002")
def lost_and_switched_off_long_after_it(world: World) -> None:
    unit_with(world, "0.9.0")
    world.sign_in()
    world.sale(1200)
    load(world, "1.0.0", runs="")
    world.terminal.log.clear()
    world.terminal.batch = world.terminal.host_batch = "000002"
    world.sale(500)
    world.wait(3600)
    world.reboot()
    told(world, "1.0.0")


@no_occasion("FWU-03")
def switched_off_long_after_a_refusal(world: World) -> None:
    unit_with(world, "0.9.0")
    load(world, "1.0.0", says="fail", why="76 no room", runs="")
    world.wait(3600)
    world.reboot()
    told(world, "0.9.0")


@no_occasion("FWU-05")
def the_cable_is_back_before_it(world: World) -> None:
    world.sign_in()
    cable_out(world)
    load(world, "1.1.0", via="network")


@undecided("FWU-05", "nothing shows whether it can go on")
def the_cable_is_back_a_moment_before_and_nothing_comes(world: World) -> None:
    world.sign_in()
    cable_out(world)
    refuse(world, "1.1.0", why="Z1 连接失败", via="network")


# -- steps -------------------------------------------------------------------------------------------------------------


def set_wrong_and_right(world: World) -> None:
    """Its first number is wrong, and corrected."""
    unit_with(world, "0.9.0")
    world.complete(world.invoke("set_identity", "service", tid="29000009", mid=MID), "ok")
    world.tid = "29000009"
    world.sign_in("97")
    world.tid = TID
    world.complete(world.invoke("set_identity", "service", tid=TID, mid=MID), "ok")
    world.sign_in()


def another_unit(world: World) -> None:
    world.append(UnitReplaced(t=0, serial="97000001B", why="swap", firmware=firmware("0.9.0")))


def put_back(world: World) -> None:
    """The one with which :func:`unit_with` began, with what it had."""
    world.append(UnitReplaced(t=0, serial="97000002", why="put back", firmware=firmware("0.9.0"), kept=True))
    world.power("on")
    world.idle()


def cable_out(world: World) -> None:
    world.unplug()
    world.wait(5)
    world.plug()
    world.wait(1)
