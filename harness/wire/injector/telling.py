# SPDX-License-Identifier: GPL-2.0-only
"""What is told: lines of JSON for whoever is connected, and the frames of each strike in ``faults.pcapng``."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness import __version__
from harness.wire.faults.base import Fault, Side
from harness.wire.injector.contract import Strike
from harness.wire.injector.engine import Why, plain
from harness.wire.pcapng import INBOUND, OUTBOUND, PcapngWriter

_INTERFACE: dict[Side, int] = {"terminal": 0, "acquirer": 1}


class Telling:
    """``say`` gets each message. ``path``: the capture of faults, with the ports of the bridge as its interfaces."""

    def __init__(self, say: Callable[[dict[str, Any]], None], path: Path | None, ports: dict[Side, str]) -> None:
        self._say = say
        self._offset = time.time_ns() - time.monotonic_ns()
        self._file = None if path is None else PcapngWriter(
            path, ports["terminal"], ports["acquirer"], application=f"hil97 {__version__} injector",
            comment=f"what faults took (inbound) and sent (outbound); CLOCK_MONOTONIC = time - {self._offset} ns",
        )

    def armed(self, fault_id: int, fault: Fault, t: int) -> None:
        self._say({"ev": "armed", "fault_id": fault_id, "fault": plain(fault), "t": t})

    def struck(self, strike: Strike, at: dict[int, int]) -> None:
        """``at``: when frames are sent that are not sent at once, by their place in ``strike.sent``."""
        packets = [self._written(side, frame, strike.t, INBOUND) for side, frame in strike.took]
        packets += [
            self._written(side, frame, at.get(place, strike.t), OUTBOUND)
            for place, (side, frame) in enumerate(strike.sent)
        ]
        self._say({
            "ev": "struck", "fault_id": strike.fault_id, "t": strike.t, "match": strike.match, "what": strike.what,
            "direction": None if strike.to is None else f"to_{strike.to}",
            "message": strike.message.hex().upper(), "delivered": strike.delivered.hex().upper(),
            "packets": [number for number in packets if number], "done": strike.done,
        })

    def healed(self, fault_id: int, why: Why, t: int) -> None:
        self._say({"ev": "healed", "fault_id": fault_id, "why": why, "t": t})

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def _written(self, side: Side, frame: bytes, t: int, direction: int) -> int:
        if self._file is None:
            return 0
        return self._file.write(frame, wall_ns=t + self._offset, direction=direction, interface=_INTERFACE[side])
