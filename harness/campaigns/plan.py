"""The plan of a run: its folder, its benches resolved, the images they boot. The controller makes it, workers read it.

``results/<run>/run.json`` holds all of it that judging and reporting need beside the histories.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from harness import __version__
from harness.bench.network import Network
from harness.bench.plan import BenchPlan
from harness.emulator.shipped import TEST_PUBLIC_KEY
from harness.errors import BadInput
from harness.history.events import Firmware
from harness.lab import stress
from harness.lab.firmware_images import (
    Image,
    check_firmware,
    check_fits,
    check_from,
    existing,
    make_from,
    make_image,
    released,
    version_key,
)
from harness.lab.inventory import BenchEntry, Lab, load_lab
from harness.lab.lease import lease

FIRST_SERIAL = 97_000_000
FIRMWARE_TEST = Path("suites/firmware/test_.py")  # stands for all tests of updates


class RunPlan:
    """``images``: the inventory's ``firmware`` value -> image. ``from_images``: version or path, as given with
    ``--from``, -> the image that units may run before they are updated to that. ``by_update``: the first unit of each
    bench runs one of these, and gets its image by an update."""

    def __init__(
        self, run: str, folder: Path, lab: Lab, images: Mapping[str, Image],
        from_images: Mapping[str, Image] | None = None, *, by_update: bool = False,
    ) -> None:
        self.run, self.folder, self.lab, self._images = run, folder, lab, dict(images)
        self.from_images: Mapping[str, Image] = dict(from_images or {})
        self.by_update = by_update
        self._before: str | None = None

    # -- the controller -----------------------------------------------------------------------------------------------

    @classmethod
    def make(
        cls, lab: Lab, results: Path, *, name: str | None = None, from_versions: Sequence[str] = (),
        by_update: bool = False,
    ) -> RunPlan:
        """Make the run's folder and its images. Raises BadInput (a name that exists, a source that can't be built, a
        version to update from that there is not)."""
        run = name or new_run_name()
        folder = (results / run).resolve()
        check_results(results, name)
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            raise _taken(folder) from None
        except OSError as error:
            raise BadInput(f"the folder of the run can't be made: {error.strerror}", where=str(folder)) from error
        try:
            images = {
                one: make_image(one, folder / "firmware")
                for one in dict.fromkeys(entry.firmware for entry in lab.emulated)
            }
            old = make_from(from_versions, folder / "firmware")
            plan = cls(run, folder, lab, images, old, by_update=by_update)
            plan._before = _point(results / "latest", folder.name)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return plan

    def discard(self) -> None:
        """The run was none: its folder goes, ``results/latest`` points where it did. Not once a bench was opened."""
        if not (self.folder / "benches").exists():
            shutil.rmtree(self.folder, ignore_errors=True)
            latest = self.folder.with_name("latest")
            if latest.is_symlink() and str(latest.readlink()) == self.folder.name:
                _point(latest, self._before)
            with contextlib.suppress(OSError):
                self.folder.parent.rmdir()  # where this would have been the first run

    def write(
        self, arguments: Sequence[str], *, seed: str = "", part: str | None = None, replay: str | None = None
    ) -> None:
        """``run.json`` as known at the start. ``seed`` names the set of transaction cases, ``part`` which of all
        (None: a pairwise set); ``replay``: the folder of the run that is driven again."""
        self._merge(
            {
                "version": 1,
                "hil97": __version__,
                "run": self.run,
                "lab": str(self.lab.path),
                "arguments": list(arguments),
                "opened": datetime.now().astimezone().isoformat(timespec="seconds"),
                "python": sys.version.split()[0],
                **({"by_update": True} if self.by_update else {}),
                **({"from": {n: vars(i) for n, i in self.from_images.items()}} if self.from_images else {}),
                "coverage": {"seed": seed, "part": part or "pairwise"},
                **({"replay": {"run": Path(replay).resolve().name, "folder": replay}} if replay else {}),
                "benches": [
                    {
                        "bench": entry.name,
                        "group": entry.group,
                        "label": entry.label,
                        "model": entry.model.name,
                        "profile": entry.profile.name,
                        "firmware": vars(self._images[entry.firmware]),
                        "time_scale": entry.time_scale,
                        "physical_like": entry.physical_like,
                        "kind": entry.kind,
                    }
                    for entry in self.lab.emulated
                ],
            }
        )

    def declare(
        self, declared: Mapping[str, Iterable[str]], tests: Iterable[Mapping[str, Any]],
        left_out: tuple[int, int, Sequence[str]] = (0, 0, ()), untried: Sequence[str] = (),
    ) -> None:
        """What the collected tests must decide, by group, and which tests there are. ``left_out``: how many of how many
        tests an option left out, and what all of them declare; ``untried``: what only tests declare for which this
        inventory has no bench."""
        gone, of, rules = left_out
        self._merge(
            {"declared": {group: sorted(set(rules)) for group, rules in declared.items()}, "tests": list(tests)}
            | ({"left_out": {"tests": gone, "of": of, "requirements": list(rules)}} if gone else {})
            | ({"untried": list(untried)} if untried else {})
        )

    def declared(self) -> bool:
        """Whether some worker has declared already."""
        path = self.folder / "run.json"
        return "declared" in json.loads(path.read_text(encoding="utf-8"))

    def note_outside(self, lines: Sequence[str]) -> None:
        """What failed outside any history (a file that can't be imported, a fixture): no such run is a success."""
        self._merge({"outside": list(lines)})

    def note_stopped(self, why: str) -> None:
        """The run was ended on purpose before its last test; ``why`` in a line."""
        self._merge({"stopped": why})

    def close(self, status: int) -> None:
        """The run came to its end by itself; ``status`` is its exit status."""
        self._merge({"closed": datetime.now().astimezone().isoformat(timespec="seconds"), "status": status})

    def _merge(self, values: Mapping[str, Any]) -> None:
        path = self.folder / "run.json"
        content = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        scratch = path.with_suffix(f".{os.getpid()}")
        scratch.write_text(json.dumps(content | dict(values), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        scratch.replace(path)

    # -- to the workers -----------------------------------------------------------------------------------------------

    def packed(self) -> dict[str, Any]:
        """As plain values that travel to a worker."""
        return {
            "run": self.run,
            "folder": str(self.folder),
            "lab": self.lab.packed(),
            "images": {firmware: vars(image) for firmware, image in self._images.items()},
            "from_images": {name: vars(image) for name, image in self.from_images.items()},
            "by_update": self.by_update,
        }

    @classmethod
    def unpacked(cls, packed: Mapping[str, Any]) -> RunPlan:
        images, from_images = (
            {name: Image(**values) for name, values in packed[kind].items()} for kind in ("images", "from_images")
        )
        return cls(
            packed["run"], Path(packed["folder"]), Lab.unpacked(packed["lab"]), images, from_images,
            by_update=packed["by_update"],
        )

    # -- questions ----------------------------------------------------------------------------------------------------

    def benches_of(self, label: str) -> list[str]:
        """The names of the benches in the group of that label."""
        return [entry.name for entry in self.lab.emulated if entry.label == label]

    def labels(self) -> dict[str, BenchEntry]:
        """label -> one entry of its group."""
        return {entry.label: entry for entry in reversed(self.lab.emulated)}

    def bench_plan(self, name: str) -> BenchPlan:
        """Everything to open that bench. A bench that was opened before in this run gets a folder of its own."""
        entry = next(one for one in self.lab.emulated if one.name == name)
        number = self.lab.emulated.index(entry)
        image = self._images[entry.firmware]
        folder = self.folder / "benches" / name
        again = 1
        while folder.exists():
            again += 1
            folder = self.folder / "benches" / f"{name}.{again}"
        return BenchPlan(
            run=self.run,
            bench=name,
            group=entry.group,
            model=entry.model,
            profile=entry.profile,
            image=Path(image.path),
            boot_key=TEST_PUBLIC_KEY,
            firmware=Firmware(name=image.name, version=image.version, sha256=image.sha256),
            time_scale=entry.time_scale,
            physical_like=entry.physical_like,
            folder=folder,
            identity=entry.identity,
            serial_number=entry.serial_number or f"HT{FIRST_SERIAL + number}",
            receive_timeout_s=entry.receive_timeout_s,
            network=Network(entry.network, entry.resolve),
            scope=entry.scope,
            from_images=tuple(self.from_images.values()),
            comes_from=[*self.from_images.values()][number % len(self.from_images)] if self._updates(entry) else None,
            from_versions=self.from_versions(entry.firmware) if entry.runs(FIRMWARE_TEST) else (),
            images=Path(entry.images) if entry.images else None,
            instruments=entry.instruments,
            stress=Path(entry.catalogue) / stress.FOLDER if entry.catalogue else None,
        )

    def _updates(self, entry: BenchEntry) -> bool:
        return self.by_update and bool(self.from_images) and not entry.physical_like

    def version_of(self, entry: BenchEntry) -> str:
        """The version of the image that the bench's verdicts are about."""
        return self._images[entry.firmware].version

    # -- updates ------------------------------------------------------------------------------------------------------

    def from_versions(self, firmware: str) -> tuple[str, ...]:
        """From which versions that image of the inventory is updated: those of ``--from``, else all released below."""
        if self.from_images:
            return tuple(image.version for image in self.from_images.values())
        image = self._images[firmware]
        return tuple(one for one in released() if version_key(one) < version_key(image.version))

    def from_image(self, version: str) -> Image:
        """One of them; built when it is first wanted. Several workers may ask at once."""
        given = next((one for one in self.from_images.values() if one.version == version), None)
        if given is not None:
            return given
        folder = self.folder / "firmware"
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            made = folder / f"from-{version}.img"
            return existing(made) if made.exists() else make_from([version], folder)[version]


def new_run_name() -> str:
    """Date and time, and two bytes that tell apart what starts in the same second."""
    return f"{datetime.now():%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def check_results(results: Path, name: str | None) -> None:
    """BadInput where a run can't be kept in ``results``, or has a ``name`` that is taken or can't be one."""
    if name is not None:
        if not name or name != Path(name).name or name in (".", "..", "latest"):
            raise BadInput(f"{name!r} can't be the name of a run", remedy="a name for a folder, such as nightly-7")
        if (results / name).exists():
            raise _taken(results / name)
    above = results.absolute()
    while not above.exists() and not above.is_symlink():
        above = above.parent
    if not above.is_dir():
        raise BadInput("results are to go there, but it is no folder", where=str(above), remedy="see --results")
    if not os.access(above, os.W_OK | os.X_OK):
        raise BadInput(
            "results are to go there, but this user must not write there", where=str(above),
            remedy="name another folder with --results, or change who may write there",
        )


def _taken(folder: Path) -> BadInput:
    return BadInput(f"the run {folder.name} exists already", where=str(folder), remedy="choose another --run-name")


def check_startable(lab: Lab) -> None:
    """What would stop a run at once, said before anything is started: physical benches, benches in use. BadInput."""
    for entry in lab.physical:
        for what, url in (("cashier link", entry.cashier), ("service port", entry.service)):
            if url and url.startswith("/") and not Path(url).exists():
                raise BadInput(
                    f"bench {entry.name}: the serial port {url} of its {what} is missing",
                    where=str(lab.path),
                    remedy="plug the adapter in, or correct the inventory (see ls -l /dev/serial/by-id)",
                )
        raise BadInput(
            f"bench {entry.name} is physical; this version drives emulated benches only",
            where=str(lab.path),
            remedy="name an inventory without it: hil97 run --lab lab_config/emulated.yaml",
        )
    if not lab.emulated:
        raise BadInput("this inventory has no bench to run on", where=str(lab.path))
    for firmware, model in dict.fromkeys((entry.firmware, entry.model.name) for entry in lab.emulated):
        image = check_firmware(firmware)
        if image is not None:
            check_fits(Path(image.path), model)
    for entry in lab.emulated:
        lease(entry.name, scope=entry.scope).release()


def check_from_images(lab: Lab, names: Iterable[str], *, by_update: bool) -> None:
    """The versions of ``--from``: each is one, and an image file fits the models that are given it. Raises BadInput."""
    names = list(names)
    check_from(names)
    models = dict.fromkeys(
        entry.model.name for entry in lab.emulated
        if entry.runs(FIRMWARE_TEST) or (by_update and not entry.physical_like)
    )
    for name in names:
        for model in models if name not in released() else ():
            check_fits(Path(name), model)


def open_lab(path: Path, firmware: str | None = None) -> Lab:
    """The inventory, every emulated bench booting ``firmware`` if given."""
    lab = load_lab(path)
    return lab.with_firmware(firmware) if firmware else lab


def _point(link: Path, name: str | None) -> str | None:
    """``link`` points at ``name`` beside it, or is gone (None). Returns what it pointed at before."""
    before = str(link.readlink()) if link.is_symlink() else None
    if name is None:
        link.unlink(missing_ok=True)
        return before
    scratch = link.with_name(f".latest.{os.getpid()}")
    scratch.unlink(missing_ok=True)
    scratch.symlink_to(name)
    scratch.replace(link)
    return before
