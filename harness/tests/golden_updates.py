"""What a golden world does when its terminal gets other software: images, transfers, restarts, power cuts."""

from __future__ import annotations

from typing import Literal

from harness.history.events import Firmware, UnitReplaced
from harness.history.update_events import FirmwareTold, ImageOffered, Route, UpdateCut
from harness.tests.golden import MID, TID, Reply, World

NAME = "golden"
HELD = {
    "tid": "29000001", "mid": "898100000000001", "tmk_kcv": "A1B2C3", "batch": "000001", "trace": "000012",
    "sales": "2/2000", "voids": "0/0", "reversal": "000011",
}  # fmt: skip


def firmware(version: str) -> Firmware:
    """An image of that version: the same bytes for the same version."""
    return Firmware(name=NAME, version=version, sha256=version.encode().hex().ljust(64, "0"))


def unit_with(world: World, version: str) -> None:
    """A unit with that version from its factory takes the place of the first, and gets its key and number."""
    world.append(UnitReplaced(t=0, serial="97000002", why="another version", firmware=firmware(version)))
    world.load_tmk()
    world.complete(world.invoke("set_identity", "service", tid=TID, mid=MID), "ok")


def told(world: World, version: str, via: Literal["service", "host"] = "service") -> None:
    world.append(FirmwareTold(t=0, via=via, name=NAME, version=version))


def status(world: World, version: str, *, name: str = NAME) -> None:
    """A status upload."""
    operation = world.invoke("status_upload")
    text = f"MODEL=HT-100;FW={name} {version};SN=97000001".strip()
    fields = {11: world.terminal.next_trace(), 60: f"00{world.terminal.batch}362", 62: text.encode().hex().upper()}
    world._exchange(world._request("0820", fields), Reply())
    world.complete(operation, "ok")
    world.idle()


def restart(world: World) -> None:
    world.reboot("watchdog")


def load(
    world: World,
    version: str,
    *,
    runs: str | None = None,
    says: Literal["ok", "fail", "unknown"] = "ok",
    why: str = "",
    flaw: str = "",
    resets: bool = False,
    via: Route = "service",
    disturbed: str = "",
) -> None:
    """An image of ``version`` is given; the terminal ``says`` that it installs it or why not, restarts where it does,
    and tells then which version ``runs`` (None: that which was given; "": nobody asks)."""
    args = {"version": version, **({"disturbed": disturbed} if disturbed else {})}
    operation = world.invoke("load_firmware", "service" if via == "service" else "operator", **args)
    offer(world, operation.op, version, flaw=flaw, resets=resets, via=via)
    world.wait(2)
    world.complete(operation, says, detail=why)
    if says == "ok":
        restart(world)
    runs = version if runs is None else runs
    if runs:
        told(world, runs)


def offer(
    world: World, op: int, version: str, *, flaw: str = "", resets: bool = False, via: Route = "service"
) -> None:
    event = ImageOffered(
        t=0, op=op, via=via, firmware=firmware(version), size=200_000, models=["HT-100"], data_format=1, counter=1,
        resets=resets, flaw=flaw,
    )  # fmt: skip
    world.append(event)


def refuse(
    world: World, version: str, *, stays: str = "1.0.0", why: str = "70 image damaged", resets: bool = False,
    **more: str,
) -> None:
    """It says no, with its reason, and what ran before runs on."""
    load(world, version, runs=stays, says="fail", why=why, resets=resets, **more)  # type: ignore[arg-type]


def cut_in(world: World, version: str, *, runs: str | None) -> None:
    """The power goes in the middle of the transfer and comes back; then it tells what ``runs`` (None: the image)."""
    operation = world.invoke("load_firmware", "service", version=version)
    offer(world, operation.op, version)
    world.wait(1)
    world.power("off", "cut")
    world.screen()
    world.complete(operation, "unknown")
    world.power("on")
    world.idle()
    if runs != "":
        told(world, version if runs is None else runs)


def swept(
    world: World, *, runs: str = "1.0.0", after: dict[str, str] | None = None, resets: bool = False, detail: str = ""
) -> None:
    """One cut of a sweep over the update from 0.9.0 to 1.0.0."""
    event = UpdateCut(
        t=0, old=firmware("0.9.0"), new=firmware("1.0.0"), operation=17, operations=420, torn=True, stage="migration",
        how="replayed", runs=runs, before=HELD, after=HELD if after is None else after, resets=resets, detail=detail,
    )  # fmt: skip
    world.append(event)
