"""An update as a person does one: an image is given, the terminal restarts, and is asked what it runs now."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.emulator.image import read
from harness.history.base import Firmware
from harness.history.events import OperationInvoked
from harness.history.update_events import ImageOffered, Route
from harness.terminal.contracts import Completion

if TYPE_CHECKING:
    from harness.bench.bench import Bench
    from harness.lab.firmware_images import Image

LOAD = "load_firmware"


@dataclass(frozen=True)
class Software:
    """An image file and what the bench knows of it. ``flaw``: why a terminal must not run it, "" it may
    (:class:`harness.history.update_events.ImageOffered`)."""

    path: Path
    firmware: Firmware
    models: tuple[str, ...] = ()
    data_format: int = 1
    counter: int = 1
    resets: bool = False
    flaw: str = ""

    @classmethod
    def of(cls, image: Image) -> Software:
        """A sound image of this project's format; whoever signed it."""
        found = read(Path(image.path).read_bytes(), None)
        firmware = Firmware(name=image.name, version=image.version, sha256=image.sha256)
        return cls(Path(image.path), firmware, found.models, found.data_format, found.counter, found.resets)

    def but(self, flaw: str) -> Software:
        """The same, which the bench is going to spoil."""
        return replace(self, flaw=flaw)


def give(bench: Bench, software: Software, *, via: Route = "service", disturbed: str = "", **how: Any) -> Completion:
    """The image is given by the service port, or offered by the host and fetched by the operator: what the terminal
    says. Where it installs it, it has restarted and stands idle afterwards. ``disturbed``: what the caller does to the
    transfer that no other event tells; ``how``: further arguments of ``begin_load_firmware``."""
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
    completion = loading.wait()
    if completion.ok and how.get("install", True):
        bench.terminal.await_updated()
    return completion


def _note(bench: Bench, software: Software, via: Route, since: int) -> None:
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
    bench.runs = bench.terminal.read_version()
    return bench.runs[1]


def update(bench: Bench, software: Software, *, via: Route = "service", **how: Any) -> Completion:
    """:func:`give`, and afterwards the terminal is asked what it runs."""
    completion = give(bench, software, via=via, **how)
    ask_version(bench)
    return completion
