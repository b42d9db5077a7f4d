"""For the tests of the injector: one that runs on a wire of its own, by each way of diverting that there is here."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from harness.history.events import FaultStruck
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


@dataclass
class Bed:
    """A wire with an injector on it. ``events``: what it told."""

    topology: Topology
    injector: InjectorClient
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
        injector = InjectorClient.start(
            netns_fd=topology.wire_fd, log=folder / f"{name}.log", divert=divert, on_event=events.append, link=link,
            keys=keys, pcapng=folder / f"{name}.pcapng", control=folder / f"{name}.sock" if control else None,
        )
        try:
            yield Bed(topology, injector, folder, events)
        finally:
            injector.close()
