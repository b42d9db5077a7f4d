"""A bench gives its terminal other software: what the image is, as the bench knows it, goes into the history first."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.bench.software import version_of
from harness.errors import BadInput
from harness.history.base import Firmware
from harness.history.update_events import ImageOffered, Route
from harness.lab.image_set import FLAWS, TURNED_BACK
from harness.terminal.contracts import Completion

if TYPE_CHECKING:
    from harness.bench.bench import Bench


@dataclass(frozen=True)
class Known:
    """What the bench knows of an image: as :class:`harness.history.update_events.ImageOffered` has it."""

    path: Path
    firmware: Firmware
    size: int
    models: tuple[str, ...] = ()
    data_format: int = 0
    counter: int = 0
    resets: bool = False
    flaw: str = ""


def known(path: Path, *, flaw: str = "", firmware: Firmware | None = None) -> Known:
    """What stands in the file. ``flaw``: a name of :data:`harness.lab.image_set.FLAWS`, "" it is sound; ``firmware``:
    what it calls itself, where a flaw makes that unreadable. Raises BadInput where a sound image can't be read."""
    from harness.emulator.image import ImageRefused, read

    if flaw and flaw not in FLAWS:
        raise BadInput(f"there is no flaw {flaw!r} of an image", remedy=f"known: {', '.join(FLAWS)}")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadInput(f"the image {path} can't be read: {error.strerror}") from error
    sha256 = hashlib.sha256(data).hexdigest()
    try:
        found = read(data, None)
    except ImageRefused as refusal:
        if not flaw or flaw in TURNED_BACK:
            raise BadInput(f"the image is refused: {refusal.reason}", where=f"{path}: offset {refusal.offset}") from (
                refusal
            )
        return Known(path, firmware or Firmware(name="", version=version_of(path), sha256=sha256), len(data), flaw=flaw)
    return Known(
        path, firmware or Firmware(name=found.name, version=found.version, sha256=sha256), len(data), found.models,
        found.data_format, found.counter, found.resets, flaw,
    )


def update(
    bench: Bench, image: Path | Known, *, via: Route = "service", flaw: str = "", await_it: bool = True,
) -> Completion:
    """The terminal is given the image and has judged it; where it installs it, it stands idle again when this returns
    (``await_it``), whatever version it then runs: that was asked for and is in the history."""
    what = known(image, flaw=flaw) if isinstance(image, Path) else image
    if via == "network":
        bench.host.offer_software(what.path, version=what.firmware.version)
    bench.history.append(ImageOffered(
        t=time.monotonic_ns(), op=bench.terminal.next_operation, via=via, firmware=what.firmware, size=what.size,
        models=list(what.models), data_format=what.data_format, counter=what.counter, resets=what.resets,
        flaw=what.flaw,
    ))
    told = bench.terminal.load_firmware(what.path, via=via, version=what.firmware.version)
    if told.ok and await_it:
        bench.terminal.await_updated()
        bench.terminal.read_version()
    return told
