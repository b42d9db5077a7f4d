"""FWU-02, FWU-03, FWU-05, FWU-09: versions that begin with nothing stored, and what is stored meanwhile."""

from __future__ import annotations

from collections.abc import Callable

from harness.history.events import OperationInvoked
from harness.tests.golden import Reply, World, withheld
from harness.tests.golden_stories import Stories
from harness.tests.golden_updates import HELD, load, offer, refuse, restart, swept, told
from harness.tests.histories.firmware_kept import provision, wiped
from harness.tests.histories.install_identity import activate

stories = Stories("FWU-")
good, bad, undecided, no_occasion = stories.good, stories.bad, stories.undecided, stories.no_occasion


# -- while the image comes ---------------------------------------------------------------------------------------------


@bad("FWU-02", "1 transactions were stored: it was installed")
def sold_while_the_image_came(world: World) -> None:
    world.sign_in()
    transfer(world, lambda: world.sale(1200))
    wiped(world)
    world.terminal.log.clear()
    set_up_anew(world)


@good("FWU-02", "as out of the box")
def the_reversal_was_delivered_while_the_image_came(world: World) -> None:
    world.sign_in()
    world.sale(1500, withheld())
    transfer(world, lambda: world.send_reversal())
    wiped(world)
    world.set_host_batch("000002")
    set_up_anew(world)


@undecided("FWU-02", "that it recovers, was not seen")
def settled_while_the_image_came(world: World) -> None:
    world.sign_in()
    world.sale(1200)
    transfer(world, lambda: world.settle())


@good("FWU-02", "refused (85 transactions stored)")
def sold_while_the_image_came_and_refused(world: World) -> None:
    world.sign_in()
    operation = begin(world)
    world.sale(1200)
    world.complete(operation, "fail", detail="85 transactions stored")
    told(world, "1.0.0")


@no_occasion("FWU-02")
def loaded_over_what_is_stored_and_not_installed(world: World) -> None:
    world.sign_in()
    world.sale(1200)
    operation = begin(world)
    world.complete(operation, "ok", detail="LOADED golden 3.0.0")
    told(world, "1.0.0")


@undecided("FWU-09", "refused for what it says that it has stored (85 transactions stored)")
def something_is_stored_that_nobody_sees(world: World) -> None:
    world.sign_in()
    refuse(world, "3.0.0", why="85 transactions stored", resets=True)


@undecided("FWU-05", "nothing shows whether it can go on")
def what_nobody_sees_bars_the_next_attempt(world: World) -> None:
    refuse(world, "3.0.0", why="73 broken off", disturbed="the sender stops after 9 blocks", resets=True)
    refuse(world, "3.0.0", why="85 transactions stored", resets=True)


@good("FWU-09", "by the service port, in service: it runs")
def settled_and_given_again(world: World) -> None:
    world.sign_in()
    refuse(world, "3.0.0", why="85 transactions stored", resets=True)
    load(world, "3.0.0", resets=True)


@bad("FWU-09", "refused (75 other data format)")
def it_resets_and_is_refused_for_its_format(world: World) -> None:
    world.sign_in()
    refuse(world, "3.0.0", why="75 other data format", resets=True)


# -- as out of the box, and set up anew --------------------------------------------------------------------------------


@good("FWU-02", "as out of the box")
def set_up_by_activation(world: World) -> None:
    """Its request has no terminal number yet."""
    world.sign_in()
    load(world, "3.0.0", resets=True)
    wiped(world)
    refuse_to_sign_in(world)
    activate(world)
    world.sign_in()
    world.sale(700)


@good("FWU-02", "as out of the box")
def the_check_value_is_wrong_once(world: World) -> None:
    world.sign_in()
    load(world, "3.0.0", resets=True)
    wiped(world)
    refuse_to_sign_in(world)
    provision(world)
    world.sign_in(Reply(f62="bad_kcv"))
    world.sign_in()
    world.sale(700)


@good("FWU-02", "as out of the box")
def another_master_key_was_given_out(world: World) -> None:
    world.sign_in()
    load(world, "3.0.0", resets=True)
    wiped(world)
    refuse_to_sign_in(world)
    provision(world)
    world.register_terminal(new_tmk=True)
    world.sign_in()
    world.load_tmk()
    world.sign_in()
    world.sale(700)


@good("FWU-02", "as out of the box")
def asked_without_the_cable_and_again(world: World) -> None:
    world.sign_in()
    load(world, "3.0.0", resets=True)
    wiped(world)
    world.unplug()
    refuse_to_sign_in(world, "连接失败", "Z1")
    world.plug()
    world.wait(5)
    set_up_anew(world)


@undecided("FWU-02", "how it behaved then")
def no_cable_and_nothing_was_reset(world: World) -> None:
    world.sign_in()
    load(world, "3.0.0", resets=True)
    world.unplug()
    refuse_to_sign_in(world, "连接失败", "Z1")
    world.plug()
    world.wait(5)
    world.sign_in()
    world.sale(700)


@undecided("FWU-02", "how it behaved then")
def busy_and_nothing_was_reset(world: World) -> None:
    world.sign_in()
    load(world, "3.0.0", resets=True)
    refuse_to_sign_in(world, "交易处理中", "Z6")
    world.sign_in()
    world.sale(700)


@undecided("FWU-02", "it signed in though nobody had provisioned it")
def it_is_registered_again_and_nothing_was_reset(world: World) -> None:
    world.sign_in()
    world.remove_terminal()
    load(world, "3.0.0", resets=True)
    world.sign_in()
    world.register_terminal()
    world.sign_in()
    world.sale(700)


# -- half a reset ------------------------------------------------------------------------------------------------------

BLANK = {"tid": "", "mid": "", "tmk_kcv": "", "batch": "000001", "trace": "000001", "sales": "0/0", "voids": "0/0",
         "reversal": "none"}  # fmt: skip


@good("FWU-03", "1.0.0 runs")
def a_reset_that_is_whole(world: World) -> None:
    swept(world, after=BLANK, resets=True)


@bad("FWU-03", "2.tid is still 29000002")
def a_reset_leaves_the_second_merchant(world: World) -> None:
    swept(world, after={**BLANK, "2.tid": "29000002", "2.tmk_kcv": "A1B2C4"}, resets=True)


@bad("FWU-03", "sales is still 2/2000, reversal is still 000011")
def a_reset_leaves_the_money(world: World) -> None:
    swept(world, after={**HELD, "tid": "", "mid": "", "tmk_kcv": ""}, resets=True)


# -- steps -------------------------------------------------------------------------------------------------------------


def begin(world: World) -> OperationInvoked:
    """An image that resets begins to come."""
    operation = world.invoke("load_firmware", "service", version="3.0.0")
    offer(world, operation.op, "3.0.0", resets=True)
    world.wait(1)
    return operation


def transfer(world: World, meanwhile: Callable[[], object]) -> None:
    """It comes and is installed."""
    operation = begin(world)
    meanwhile()
    world.wait(1)
    world.complete(operation, "ok")
    restart(world)
    told(world, "3.0.0")


def refuse_to_sign_in(world: World, text: str = "请先设置", code: str | None = None) -> None:
    operation = world.invoke("sign_in")
    world.display(text)
    world.complete(operation, "fail", code)


def set_up_anew(world: World) -> None:
    refuse_to_sign_in(world)
    provision(world)
    world.sign_in()
    world.sale(700)
