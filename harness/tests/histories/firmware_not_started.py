"""FWU-04 to FWU-09: images that were loaded only, or never started; what came before the version was asked; and what
shows nothing of an image.
"""

from __future__ import annotations

from harness.history.events import UnitReplaced
from harness.tests.golden import World
from harness.tests.golden_stories import Stories
from harness.tests.golden_updates import HELD, firmware, load, offer, refuse, restart, status, swept, told, unit_with

stories = Stories("FWU-")
good, bad, undecided, no_occasion = stories.good, stories.bad, stories.undecided, stories.no_occasion


# -- FWU-03 ------------------------------------------------------------------------------------------------------------


@good("FWU-03", "holds what was held before")
def the_new_version_tells_more(world: World) -> None:
    swept(world, after={**HELD, "offline": "0"})


@bad("FWU-03", "reversal is gone instead of 000011")
def the_new_version_tells_less(world: World) -> None:
    swept(world, after={name: value for name, value in HELD.items() if name != "reversal"})


# -- FWU-04 ------------------------------------------------------------------------------------------------------------


@undecided("FWU-04", "nothing shows that it was to start the image")
def refused_before_anything_was_changed(world: World) -> None:
    refuse(world, "1.1.0", flaw="changed_before_start", why="76 no room")


@undecided("FWU-04", "nothing shows that it was to start the image")
def loaded_and_never_changed(world: World) -> None:
    only_load(world, "1.1.0", flaw="changed_before_install")
    told(world, "1.0.0")


@good("FWU-04", "it was not started, and golden 1.0.0 runs on")
def found_out_when_it_was_to_be_installed(world: World) -> None:
    only_load(world, "1.1.0", flaw="changed_before_install")
    world.service("to_terminal", "INSTALL")
    world.service("from_terminal", "ERR 70 image damaged")
    told(world, "1.0.0")


# -- FWU-05 ------------------------------------------------------------------------------------------------------------


@undecided("FWU-05", "how it ended is not known")
def nobody_saw_how_the_second_ended(world: World) -> None:
    first = world.invoke("load_firmware", "service", version="1.1.0")
    offer(world, first.op, "1.1.0")
    world.wait(1)
    other = world.invoke("load_firmware", "operator", version="1.1.0")
    offer(world, other.op, "1.1.0", via="network")
    world.wait(1)
    world.complete(other, "unknown")
    world.wait(1)
    world.complete(first, "ok")
    restart(world)
    told(world, "1.1.0")


@undecided("FWU-05", "nothing shows whether it can go on")
def disturbed_and_loaded_only(world: World) -> None:
    only_load(world, "1.1.0", disturbed="noise in 5 % of the blocks")
    told(world, "1.0.0")


# -- FWU-06 ------------------------------------------------------------------------------------------------------------


@undecided("FWU-06", "what runs afterwards is not known")
def back_and_switched_off_later(world: World) -> None:
    load(world, "1.1.0", flaw="self_test", runs="")
    world.sale(500)
    world.wait(600)
    world.reboot()


@undecided("FWU-06", "switched off and on before it told what it runs")
def back_and_asked_after_it_was_switched_off(world: World) -> None:
    """What ran until then nobody has asked: an image on trial would be gone with that too."""
    world.sign_in()
    load(world, "1.1.0", flaw="self_test", runs="")
    world.sale(500)
    world.wait(600)
    world.reboot()
    told(world, "1.0.0")
    world.sale(600)


@bad("FWU-06", "somebody had to switch the terminal off and on")
def it_was_idle_only_before_it_began(world: World) -> None:
    world.sign_in()
    operation = world.invoke("load_firmware", "service", version="1.1.0")
    offer(world, operation.op, "1.1.0", flaw="hangs")
    world.complete(operation, "ok")
    world.idle()
    world.power("off", "watchdog")
    world.screen()
    world.power("on", "watchdog")
    world.screen("程序自检")
    world.wait(20)
    world.reboot()
    told(world, "1.0.0")
    world.sale(600)


@undecided("FWU-06", "nothing shows that it was started")
def it_says_yes_and_never_starts_it(world: World) -> None:
    world.sign_in()
    operation = world.invoke("load_firmware", "service", version="1.1.0")
    offer(world, operation.op, "1.1.0", flaw="self_test")
    world.complete(operation, "ok")
    world.wait(30)
    told(world, "1.0.0")
    world.sale(500)


# -- FWU-07 ------------------------------------------------------------------------------------------------------------


@good("FWU-07", "golden 1.0.0 was installed")
def updated_put_aside_and_put_back(world: World) -> None:
    """It comes from the factory with 0.9.0, and has run 1.0.0 since."""
    unit_with(world, "0.9.0")
    load(world, "1.0.0")
    status(world, "1.0.0")
    world.append(UnitReplaced(t=0, serial="97000003", why="a loan", firmware=firmware("1.0.0")))
    world.append(UnitReplaced(t=0, serial="97000002", why="put back", firmware=firmware("0.9.0"), kept=True))
    world.power("on")
    world.idle()
    told(world, "1.0.0")
    status(world, "1.0.0")


# -- FWU-08, FWU-09 ----------------------------------------------------------------------------------------------------


@bad("FWU-08", "was not taken: 75 other data format")
def refused_in_97_and_the_97_was_to_a_sign_in(world: World) -> None:
    unit_with(world, "0.9.0")
    world.remove_terminal()
    world.sign_in()
    refused_while_97(world)


@bad("FWU-09", "refused (75 other data format)")
def refused_and_the_97_was_to_a_sign_in(world: World) -> None:
    unit_with(world, "0.9.0")
    world.sign_in()
    refused_while_97(world)


@no_occasion("FWU-09")
def the_operator_cancels_the_download(world: World) -> None:
    unit_with(world, "0.9.0")
    refuse(world, "1.0.0", stays="0.9.0", why="交易已取消", via="network")


@undecided("FWU-08", "somebody cancelled it (交易已取消)")
def the_operator_cancels_it_in_97(world: World) -> None:
    unit_with(world, "0.9.0")
    world.remove_terminal()
    world.sign_in()
    refuse(world, "1.0.0", stays="0.9.0", why="交易已取消", via="network")


@undecided("FWU-09", "loaded, and nobody told it to install it")
def loaded_only(world: World) -> None:
    unit_with(world, "0.9.0")
    only_load(world, "1.0.0")
    told(world, "0.9.0")


@bad("FWU-09", "installed, and turned back from")
def loaded_and_told_to_install_it(world: World) -> None:
    unit_with(world, "0.9.0")
    only_load(world, "1.0.0")
    world.service("to_terminal", "INSTALL")
    world.service("from_terminal", "ERR 75 other data format")
    told(world, "0.9.0")


@bad("FWU-09", "installed, and turned back from")
def it_says_that_it_installs_it_and_does_nothing(world: World) -> None:
    unit_with(world, "0.9.0")
    operation = world.invoke("load_firmware", "service", version="1.0.0")
    offer(world, operation.op, "1.0.0")
    world.complete(operation, "ok", detail="INSTALL 1.0.0")
    told(world, "0.9.0")


# -- steps -------------------------------------------------------------------------------------------------------------


def only_load(world: World, version: str, *, flaw: str = "", disturbed: str = "") -> None:
    """The image comes and is checked; nobody tells the terminal to install it."""
    args = {"version": version, **({"disturbed": disturbed} if disturbed else {})}
    operation = world.invoke("load_firmware", "service", **args)
    offer(world, operation.op, version, flaw=flaw)
    world.wait(2)
    world.complete(operation, "ok", detail=f"LOADED golden {version}")


def refused_while_97(world: World) -> None:
    """A sign-in of its own is answered 97 while the image comes from the host."""
    operation = world.invoke("load_firmware", "operator", version="1.0.0")
    offer(world, operation.op, "1.0.0", via="network")
    world.wait(1)
    world.background_sign_in("97")
    world.wait(1)
    world.complete(operation, "fail", "75", "75 other data format")
    told(world, "0.9.0")
