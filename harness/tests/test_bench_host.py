"""The acquirer as a bench records it: what it did by itself is told late, and happened when it says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from harness.acquirer.client import AcquirerClient
from harness.bench.host import Host
from harness.history.events import Event, HostChanged, Key
from harness.history.recorder import Recorder

MID, TID = "898110000000001", "10000001"


class Told:
    """Client and recorder in one: what is told, and what is kept of it."""

    def __init__(self) -> None:
        self.tell: Callable[[dict[str, Any]], object] = lambda event: None
        self.kept: list[Event] = []

    def on_event(self, callback: Callable[[dict[str, Any]], object]) -> None:
        self.tell = callback

    def append(self, event: Event) -> None:
        self.kept.append(event)


def test_a_key_given_by_activation_is_as_old_as_the_activation() -> None:
    """The sign-in that follows may be on the wire before the bench hears of the key."""
    told = Told()
    host = Host(cast(AcquirerClient, told), cast(Recorder, told), mid=MID, tid=TID, bench="bench-1")
    told.tell({"ev": "activated", "t": 97, "mid": MID, "tid": TID, "tmk": "ab" * 16, "kcv": "123456"})
    key, change = told.kept
    assert isinstance(key, Key) and key.value == host.tmk == "AB" * 16
    assert isinstance(change, HostChanged) and change.change == "terminal_registered"
    assert key.t == change.t == 97
