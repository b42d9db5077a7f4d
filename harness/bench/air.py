"""The air between a terminal with a modem and its network, in the place of a cable: out of reach is unplugged, and a
relay's contact is in the cable of its antenna."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from harness.bench.cable import Cable, Master, Start
from harness.history.recorder import Recorder
from harness.instruments.modem import Modem
from harness.wire.topology import Topology


class Air(Cable):
    """Faults are armed as on a cable. That there is no carrier any more, or one again, is told by the terminal's modem.

    Plugged: what was in the way is gone; the terminal has its data session once it has registered, by itself.
    """

    def __init__(
        self, modem: Callable[[], Modem], topology: Topology, recorder: Recorder, *, start: Start,
        masters: Callable[[], Sequence[Master]], on_death: Callable[[str], object],
    ) -> None:
        super().__init__(topology, recorder, start=start, masters=masters, on_death=on_death)
        self._modem = modem

    def plug(self) -> None:
        """Everything around the modem as it should be; where a relay's contact is open, once that closes."""
        with self._moving:
            if not self._open:
                self._carry(True)
            self.plugged, self._up = True, not self._open

    def _carry(self, up: bool) -> None:
        """No signal is no carrier."""
        if up:
            self._modem().heal()
        else:
            self._modem().signal("none")
