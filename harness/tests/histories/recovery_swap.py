"""REC-09: another unit in the place of one whose batch is not settled."""

from __future__ import annotations

from harness.history.events import UnitReplaced
from harness.history.update_events import BackupTaken
from harness.protocol.frames import decode
from harness.tests.golden import World
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
