"""An update as a person does one: an image is given, the terminal restarts, and is asked what it runs now."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.emulator.image import read
from harness.history.base import Firmware
from harness.history.events import OperationInvoked
from harness.history.update_events import ImageOffered, Route
from harness.lab.image_set import ImageFile
from harness.terminal.contracts import Completion

if TYPE_CHECKING:
    from harness.bench.bench import Bench
    from harness.lab.firmware_images import Image

LOAD = "load_firmware"


def sound(image: Image) -> ImageFile:
    """A sound image of this project's format, whoever signed it."""
    found = read(Path(image.path).read_bytes(), None)
    firmware = Firmware(name=image.name, version=image.version, sha256=image.sha256)
    return ImageFile(Path(image.path), firmware, found.models, found.data_format, found.counter, found.resets)


def give(
    bench: Bench, software: ImageFile, *, via: Route = "service", disturbed: str = "",
    meanwhile: Callable[[], object] = lambda: None, **how: Any,
) -> Completion:
    """The image is given by the service port, or offered by the host and fetched by the operator: what the terminal
    says. Where it installs it, it has restarted and stands idle afterwards. ``meanwhile`` is done when the transfer is
    under way. ``disturbed``: what the caller does to it that no other event tells; ``how``: further arguments of
    ``begin_load_firmware``."""
    if via == "network":
        bench.host.offer_software(software.path, version=software.firmware.version)
    since = bench.history.seq
    bench.runs = "", ""  # until it says so
    try:
        loading = bench.terminal.begin_load_firmware(
            software.path, via=via, version=software.firmware.version, disturbed=disturbed, **how
        )
    finally:
        _note(bench, software, via, since)
    meanwhile()
    completion = loading.wait()
    if completion.ok and how.get("install", True):
        bench.terminal.await_updated()
    return completion


def second(bench: Bench, software: ImageFile, via: Route, **how: Any) -> Completion:
    """The image is given in the middle of another's transfer: what the terminal says. What runs is asked for when the
    first is over. From the host it is fetched; that it lies there is the caller's business."""
    since = bench.history.seq
    try:
        loading = bench.terminal.begin_load_firmware(software.path, via=via, version=software.firmware.version, **how)
    finally:
        _note(bench, software, via, since)
    return loading.wait()


def _note(bench: Bench, software: ImageFile, via: Route, since: int) -> None:
    """What the bench knows of the image, for the operation that gives it."""
    load = next((e for e in bench.history.since(since) if isinstance(e, OperationInvoked) and e.name == LOAD), None)
    if load is None:
        return
    bench.history.append(
        ImageOffered(
            t=time.monotonic_ns(), op=load.op, via=via, firmware=software.firmware,
            size=software.path.stat().st_size, models=list(software.models), data_format=software.data_format,
            counter=software.counter, resets=software.resets, flaw=software.flaw,
        )
    )


def ask_version(bench: Bench) -> str:
    """The version that the terminal says it runs; from here on the bench knows the unit as having that."""
    told = bench.terminal.read_version()
    if told != bench.ran:
        bench.slot = spare_of(bench)
    bench.runs = bench.ran = told
    return told[1]


def spare_of(bench: Bench) -> str:
    """The slot that an image goes to."""
    return "A" if bench.slot == "B" else "B"


def update(bench: Bench, software: ImageFile, *, via: Route = "service", **how: Any) -> Completion:
    """:func:`give`, and afterwards the terminal is asked what it runs."""
    completion = give(bench, software, via=via, **how)
    ask_version(bench)
    return completion
