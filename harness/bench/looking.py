"""Somebody looks at a bench: all packets meanwhile counted, and the back office asked about the terminal's identity."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from harness.bench.ready import HOST_PORT
from harness.history.diagnosis_events import HostLookedUp, WireLooked
from harness.history.events import HostJournal, Service, WireFrame
from harness.protocol.frames import FrameError, decode
from harness.wire.looking import mark, passed
from harness.wire.topology import ROUTER_ADDRESS

if TYPE_CHECKING:
    from harness.bench.bench import Bench

_IDENTITY = re.compile(r"OK TID=(?P<tid>.{8}) MID=(?P<mid>.{15}) SN=")


class Look:
    """From its making on. :meth:`end` leaves ``wire.looked`` and ``host.looked_up`` in the history."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        bench.tap.sync()
        self.since, self.first = time.monotonic_ns(), bench.history.seq
        self._mark = mark(bench.tap.pcapng)

    def end(self) -> None:
        """Raises BenchError where tap or acquirer are dead."""
        bench = self._bench
        bench.sync()
        found = passed(bench.tap.pcapng, self._mark)
        bench.history.append(WireLooked(
            t=time.monotonic_ns(), since=self.since, first=found.first, last=found.last, counts=dict(found.counts),
            slowest_ms=round(found.slowest_ms, 1), asked_for=found.asked_for, names=found.names, peers=found.peers,
        ))  # fmt: skip
        for mid, tid in self._identities():
            bench.history.append(HostLookedUp(
                t=time.monotonic_ns(), since=self.since, mid=mid, tid=tid, heard=self._heard(tid),
                ways=self._ways(), line=[ROUTER_ADDRESS], **bench.host.look_up(mid, tid),
            ))  # fmt: skip

    def _identities(self) -> list[tuple[str, str]]:
        """(MID, TID) of each merchant whose terminal it is: those that it sent for, and those of its sheet."""
        if self._bench.model.identities < 2:
            return [self._identity()]
        sent = [_fields(e.hex) for e in self._bench.history.since(self.first)
                if isinstance(e, WireFrame) and e.direction == "to_acquirer"]
        sheet = [(host.mid, host.tid) for host in self._bench.host.merchants]
        return list(dict.fromkeys([*((mid, tid) for mid, tid in sent if mid and tid), self._identity(), *sheet]))

    def _identity(self) -> tuple[str, str]:
        """(MID, TID) that the terminal says it has, or sends; else what stands on its sheet."""
        events = self._bench.history.since(self.first)
        for event in reversed(events):
            if isinstance(event, Service) and (told := _IDENTITY.match(event.text)) and told["tid"].strip():
                return told["mid"], told["tid"]
        for event in reversed(events):
            if isinstance(event, WireFrame) and event.direction == "to_acquirer":
                mid, tid = _fields(event.hex)
                if len(mid) == 15 and len(tid) == 8:
                    return mid, tid
        return self._bench.host.mid, self._bench.host.tid

    def _heard(self, tid: str) -> int:
        """Messages of this terminal in the host's journal since then."""
        rows = (e for e in self._bench.history.since(self.first) if isinstance(e, HostJournal) and e.direction == "in")
        return sum(_fields(row.hex)[1] in (tid, "") for row in rows)

    def _ways(self) -> list[str]:
        network = self._bench.plan.network
        return [*(f"{address}:{HOST_PORT}" for address in network.listening), network.host]


def _fields(text: str) -> tuple[str, str]:
    """F42 and F41 of a frame, "" where there is none."""
    try:
        frame = decode(bytes.fromhex(text))
    except (FrameError, ValueError):
        return "", ""
    return frame.fields.get(42, ""), frame.fields.get(41, "")
