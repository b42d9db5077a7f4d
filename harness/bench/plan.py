"""What a bench is opened with."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from harness import __version__
from harness.bench.network import PLAIN, Network
from harness.history.events import Firmware, RunOpened
from harness.lab.firmware_images import Image
from harness.lab.instrument_entry import InstrumentEntry
from harness.protocol.profile import Profile
from harness.terminal.model import Model


@dataclass(frozen=True)
class BenchPlan:
    """All that is needed to open one bench: its entry of the inventory resolved, the image, where evidence goes.

    ``identity`` is (TID, MID). ``receive_timeout_s`` is the terminal's own, before scaling; None leaves its default.
    ``scope``: that of its lease. ``network``: how it gets its address and finds its acquirer. ``from_images``: versions
    that units may run before they are updated to ``image``, as given with ``--from``; ``from_versions``: these, or else
    the released ones below it. ``comes_from``: the first unit has this from its factory, and gets ``image`` by an
    update before the first test. ``images``: folder of a vendor's images for firmware tests. ``instruments``: what
    surrounds the terminal; ``stress``: the folder of stress profiles.
    """

    run: str
    bench: str
    group: str
    model: Model
    profile: Profile
    image: Path
    boot_key: Path
    firmware: Firmware
    time_scale: float
    physical_like: bool
    folder: Path
    identity: tuple[str, str]
    serial_number: str
    receive_timeout_s: float | None = None
    scope: str = ""
    network: Network = PLAIN
    from_images: tuple[Image, ...] = ()
    from_versions: tuple[str, ...] = ()
    comes_from: Image | None = None
    images: Path | None = None
    stress: Path | None = None
    instruments: tuple[InstrumentEntry, ...] = ()

    @property
    def identities(self) -> tuple[tuple[str, str], ...]:
        """(TID, MID) of every merchant that shares the terminal; the first is ``identity``, the others follow from it:
        the fourth character of the TID and the last two of the MID are their number."""
        (tid, mid), numbers = self.identity, range(2, self.model.identities + 1)
        return (self.identity, *((f"{tid[:3]}{n}{tid[4:]}", f"{mid[:-2]}{n:02d}") for n in numbers))

    @property
    def timeout_s(self) -> float:
        """What the terminal waits for an answer, in real seconds (scaled network timers never fall below 3 s)."""
        return max(3.0, (self.receive_timeout_s or self.profile.receive_timeout_s) / self.time_scale)

    def opened(self) -> RunOpened:
        """The first event of the bench's history: what it is about."""
        return RunOpened(
            t=time.monotonic_ns(), hil97=__version__, run=self.run, bench=self.bench, group=self.group,
            model=self.model.name, firmware=self.firmware, profile=self.profile.model_dump(mode="json"),
            declaration=self.model.model_dump(mode="json"), physical=False, physical_like=self.physical_like,
            time_scale=self.time_scale, wall=datetime.now(UTC).isoformat(timespec="milliseconds"),
            from_versions=list(self.from_versions),
        )
