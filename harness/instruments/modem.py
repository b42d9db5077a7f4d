"""What is around a terminal's modem: signal, SIM, the network's mind. On an emulated bench the panel sets it; on a
physical one it would be a shielded box with an attenuator, and a test network."""

from __future__ import annotations

import threading
from typing import Any, Literal

from harness.errors import TerminalTimeout
from harness.instruments.panel import Event, Panel

Signal = Literal["none", "weak", "good"]
AS_IT_SHOULD_BE = {"signal": "good", "sim": "present", "registration": "home", "data": "granted"}


class Modem:
    """Each method returns when it is so. ``session``: whether the terminal has a data session now."""

    def __init__(self, panel: Panel) -> None:
        self._panel = panel
        self._changed = threading.Condition()
        self._state: Event = {}
        panel.subscribe(self._notice)

    def signal(self, strength: Signal) -> None:
        """``none``: out of reach, which ends registration and session; ``weak`` still works."""
        self._set(signal=strength)

    def deny_registration(self) -> None:
        """The network does not let the terminal in any more."""
        self._set(registration="denied")

    def drop_session(self) -> None:
        """The network ends the data session, and grants the next."""
        self._set(drop=True)

    def refuse_session(self) -> None:
        """The network ends the data session, and grants none."""
        self._set(data="refused")

    def take_sim(self) -> None:
        """The SIM is out."""
        self._set(sim="missing")

    def heal(self) -> None:
        """Everything as it should be. The terminal registers by itself."""
        wrong = {name: value for name, value in AS_IT_SHOULD_BE.items() if self._state.get(name, value) != value}
        if wrong:
            self._set(**wrong)

    @property
    def session(self) -> bool:
        with self._changed:
            return bool(self._state.get("session"))

    def await_session(self, up: bool, seconds: float) -> None:
        """Until the terminal has a data session, or has none. Raises TerminalTimeout."""
        with self._changed:
            if not self._changed.wait_for(lambda: bool(self._state.get("session")) is up, seconds):
                raise TerminalTimeout(f"{'a' if up else 'the end of the'} data session", seconds, seen=str(self._state))

    def _set(self, **around: Any) -> None:
        self._panel.request("modem", **around)

    def _notice(self, event: Event) -> None:
        if event["ev"] == "modem":
            with self._changed:
                self._state = event
                self._changed.notify_all()
