"""For the tests of the injector: one that runs on a wire of its own, by each way of diverting that there is here."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from harness.errors import BenchError, TerminalTimeout
from harness.history.events import FaultHealed, FaultStruck
from harness.lab.process import Child
from harness.tests.lab_helpers import make_sure_of_a_lab
from harness.wire.injector_client import FaultEvent, InjectorClient
from harness.wire.topology import Topology

NFT_NEEDED = bool(os.environ.get("HIL97_NEEDS_NFT"))
"""Set where nft must be there: its absence is a failure then, not a skip."""


def has_nft() -> bool:
    """Whether nftables is here, as a library or as a program."""
    if shutil.which("nft", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin"):
        return True
    try:
        ctypes.CDLL("libnftables.so.1")
    except OSError:
        return False
    return True


DIVERTS = [
    "netlink",
    pytest.param("nft", marks=pytest.mark.skipif(not has_nft() and not NFT_NEEDED, reason="no nftables here")),
]


class WatchedInjector(InjectorClient):
    """A client that remembers what was told. (A bench asks its history instead.)"""

    def __init__(self, child: Child, on_event: Callable[[FaultEvent], object] | None = None) -> None:
        self._changed = threading.Condition()
        self._told: list[FaultEvent] = []
        self._then = on_event
        super().__init__(child, self._remember)

    def strikes(self, fault_id: int) -> tuple[FaultStruck, ...]:
        """What the fault has done, all that was diverted up to now looked at."""
        self.sync()
        return self._struck(fault_id)

    def _struck(self, fault_id: int) -> tuple[FaultStruck, ...]:
        with self._changed:
            return tuple(one for one in self._told if isinstance(one, FaultStruck) and one.fault_id == fault_id)

    def healed(self, fault_id: int) -> FaultHealed | None:
        """How the fault ended, if it has."""
        with self._changed:
            found = [one for one in self._told if isinstance(one, FaultHealed) and one.fault_id == fault_id]
        return found[0] if found else None

    def await_strike(self, fault_id: int, seconds: float, number: int = 1) -> FaultStruck:
        """Its ``number``-th strike. Raises :class:`TerminalTimeout` when it does not come, :class:`BenchError` when it
        can't come any more."""
        deadline = time.monotonic() + seconds
        while True:
            self.check()
            with self._changed:
                strikes = self._struck(fault_id)
                if len(strikes) >= number:
                    return strikes[number - 1]
                ended = self.healed(fault_id)
                if ended is not None:
                    raise BenchError(f"fault {fault_id} ended ({ended.why}) after {len(strikes)} strikes, not {number}")
                left = deadline - time.monotonic()
                if left <= 0:
                    raise TerminalTimeout(f"strike {number} of fault {fault_id}", seconds)
                self._changed.wait(min(0.1, left))

    def _remember(self, event: FaultEvent) -> None:
        with self._changed:
            self._told.append(event)
            self._changed.notify_all()
        if self._then is not None:
            self._then(event)


@dataclass
class Bed:
    """A wire with an injector on it. ``events``: what it told."""

    topology: Topology
    injector: WatchedInjector
    folder: Path
    events: list[FaultEvent] = field(default_factory=list)

    def struck(self) -> list[FaultStruck]:
        return [event for event in self.events if isinstance(event, FaultStruck)]


@contextlib.contextmanager
def bed(
    folder: Path, divert: str = "netlink", *, name: str = "injector", control: bool = False, link: str = "tcp",
    keys: Path | None = None,
) -> Iterator[Bed]:
    make_sure_of_a_lab()
    events: list[FaultEvent] = []
    with Topology.build() as topology:
        injector = WatchedInjector.start(
            netns_fd=topology.wire_fd, log=folder / f"{name}.log", divert=divert, on_event=events.append, link=link,
            keys=keys, pcapng=folder / f"{name}.pcapng", control=folder / f"{name}.sock" if control else None,
        )
        try:
            yield Bed(topology, injector, folder, events)
        finally:
            injector.close()
