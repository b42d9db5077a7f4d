"""The cable between terminal and wire: unplugged, plugged, and what the injector can do to what runs through it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Literal

from harness.history.events import WireLink
from harness.history.recorder import Recorder
from harness.wire.faults.base import Match
from harness.wire.faults.rst import Rst
from harness.wire.injector_client import InjectorClient
from harness.wire.topology import Topology

Moment = Literal["after_request", "response_begins"]
_MOMENTS: dict[Moment, str] = {"after_request": "after 0200", "response_begins": "response to 0200"}


class Cable:
    """One terminal's cable. Plugging what is plugged does nothing."""

    def __init__(self, topology: Topology, recorder: Recorder, *, log: Path, bench: str) -> None:
        self._topology, self._recorder, self._log, self._bench = topology, recorder, log, bench
        self._injector: InjectorClient | None = None
        self._reset = 0
        self.plugged = True

    def unplug(self) -> None:
        """The terminal loses its carrier; returns when the kernel says so."""
        if self.plugged:
            self._topology.link(False)
            self.plugged = False
            self._recorder.append(WireLink(t=time.monotonic_ns(), state="down"))

    def plug(self) -> None:
        """Back again; returns when the carrier is there."""
        if not self.plugged:
            self._topology.link(True)
            self.plugged = True
            self._recorder.append(WireLink(t=time.monotonic_ns(), state="up"))

    def arm_reset(self, when: Moment) -> None:
        """The connection of the terminal's next 0200 is reset at both ends at that moment."""
        if self._injector is None:
            self._injector = InjectorClient.start(netns_fd=self._topology.wire_fd, log=self._log)
        self._reset = self._injector.arm(Rst(match=Match.model_validate({"moment": _MOMENTS[when]})))

    def await_reset(self, deadline_s: float = 10.0) -> None:
        """Until the armed reset was sent. Raises TerminalTimeout when its moment does not come."""
        assert self._injector is not None, "arm_reset() comes first"
        with self._recorder.waiting():
            self._injector.await_strike(self._reset, deadline_s)

    def heal(self) -> None:
        """No fault armed, the cable plugged."""
        if self._injector is not None:
            self._injector.heal()
        self.plug()

    def close(self) -> None:
        if self._injector is not None:
            self._injector.close()
