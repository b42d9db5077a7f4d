"""The wire of a physical bench, open and listened to, while somebody works at the terminal by hand.

No driver, no instruments: what passes goes into a history like that of a run, and faults can be armed on it. Everything
that it starts dies with it, and the cards are given back (``harness.wire.physical``).
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from harness import __version__
from harness.bench.bench import FAULTS_CAPTURE, INJECTOR_CONTROL, TAPPED_AS
from harness.bench.cable import Cable, FaultEvent, Injector
from harness.bench.door import Card, Door
from harness.errors import BadInput
from harness.history.events import AnyEvent, BenchFailed, Firmware, RunClosed, RunOpened
from harness.history.recorder import Recorder
from harness.lab.inventory import BenchEntry
from harness.lab.scratch import scratch_folder
from harness.wire.injector_client import InjectorClient
from harness.wire.physical import PhysicalWire
from harness.wire.tap_client import TapClient


class OpenWire:
    """Made by :meth:`open`. ``cable`` is what faults are armed on; ``history`` what is seen."""

    def __init__(self, entry: BenchEntry, run: str, folder: Path) -> None:
        self.entry, self.run, self.folder = entry, run, folder
        self._stack = contextlib.ExitStack()

    @classmethod
    def open(cls, entry: BenchEntry, run: str, folder: Path, on_event: Callable[[AnyEvent], None]) -> OpenWire:
        """``folder``: of this bench's evidence. ``on_event`` gets each event as it is recorded.

        Raises :class:`BadInput` where the bench is no physical one or its cards can't be taken, :class:`BenchError`
        where something fails; everything is as it was then.
        """
        if entry.kind != "physical" or entry.interfaces is None or entry.address is None:
            raise BadInput(
                f"bench {entry.name} is emulated: its wire is open while `hil97 run` has it",
                remedy="`hil97 wire arm` finds it there",
            )
        wire = cls(entry, run, folder)
        try:
            wire._open(entry.interfaces.terminal, entry.interfaces.acquirer, entry.address, on_event)
        except BaseException:
            wire.close()
            raise
        return wire

    @property
    def ports(self) -> tuple[str, str]:
        """The terminal's card and the acquirer's."""
        return self._wire.terminal_port, self._wire.acquirer_port

    def check(self) -> None:
        """Raises :class:`BenchError` when a part of it died."""
        self._wire.check()
        self._tap.check()
        self.cable.check()

    def close(self) -> None:
        """All faults healed, the history ended, the cards given back. Idempotent."""
        self._stack.close()

    def __enter__(self) -> OpenWire:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _open(self, terminal: str, acquirer: str, address: str, on_event: Callable[[AnyEvent], None]) -> None:
        entry, logs = self.entry, self.folder / "logs"
        expected = [str(one) for one in entry.interfaces.addresses] if entry.interfaces else []
        self._wire = self._stack.enter_context(
            PhysicalWire.open(entry.name, terminal, acquirer, log=logs / "caretaker.log", expected=expected)
        )
        self.history = Recorder(self.folder / "history.jsonl", bench=entry.name)
        self._stack.callback(self.history.close)
        self.history.add_listener(on_event)
        self.history.append(
            RunOpened(
                t=time.monotonic_ns(), hil97=__version__, run=self.run, bench=entry.name, group=entry.group,
                model=entry.model.name, firmware=Firmware(name=entry.firmware_name, version="", sha256=""),
                profile=entry.profile.model_dump(mode="json"), declaration=entry.model.model_dump(mode="json"),
                physical=True, physical_like=False, time_scale=1.0,
                wall=datetime.now(UTC).isoformat(timespec="milliseconds"),
            )
        )
        self._stack.callback(lambda: self.history.append(RunClosed(t=time.monotonic_ns())))
        scratch = self._stack.enter_context(scratch_folder())
        link = TAPPED_AS[entry.profile.link]
        self._tap = TapClient.start(
            netns_fd=None, pcapng=self.folder / "wire.pcapng", log=logs / "tap.log", on_event=self.history.append,
            interface=terminal, terminal=address, link=link,
        )
        self._stack.callback(self._tap.close)

        def start(told: Callable[[FaultEvent], object]) -> Injector:
            return InjectorClient.start(
                netns_fd=None, log=logs / "injector.log", interface=terminal, acquirer_interface=acquirer,
                terminal=address, link=link, pcapng=self.folder / FAULTS_CAPTURE, divert="nft",
                control=scratch / INJECTOR_CONTROL, on_event=told,
            )

        def control() -> Path:
            self.cable.injector()
            return scratch / INJECTOR_CONTROL

        self.cable = Cable(self._wire, self.history, start=start, masters=list, on_death=self._failed)
        self._stack.callback(self.cable.close)
        card = Card(entry.name, self.run, entry.scope, str(self.folder))
        self._stack.callback(Door(scratch, card, control).close)

    def _failed(self, what: str) -> None:
        self.history.append(BenchFailed(t=time.monotonic_ns(), what=what))
