"""The worker's end of the tap: its reports as events of the history, and :meth:`TapClient.sync`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from harness.errors import BenchError
from harness.history.events import WireBytes, WireConnection, WireFrame
from harness.lab.process import Child, spawn
from harness.wire.pipe_client import Message, PipeClient
from harness.wire.topology import TERMINAL_ADDRESS, TERMINAL_PORT

WireEvent = WireFrame | WireConnection | WireBytes
_KINDS: dict[str, type[WireFrame | WireConnection | WireBytes]] = {
    "frame": WireFrame, "connection": WireConnection, "bytes": WireBytes,
}


class TapClient:
    """A running tap. ``on_event`` is called from the client's reader thread, in the order of capture."""

    def __init__(self, child: Child, pcapng: Path, on_event: Callable[[WireEvent], object]) -> None:
        self.pcapng, self._on_event = pcapng, on_event
        self._pipe = PipeClient(child, self._take)

    @classmethod
    def start(
        cls, *, netns_fd: int | None, pcapng: Path, log: Path, on_event: Callable[[WireEvent], object],
        interface: str = TERMINAL_PORT, terminal: str = TERMINAL_ADDRESS, link: str = "tcp", keys: Path | None = None,
    ) -> TapClient:
        """Starts a tap and returns when it captures. Raises :class:`BenchError`.

        ``link`` is one of ``harness.wire.layers.LINKS``; ``keys`` the file with the session keys of TLS.
        """
        pcapng.parent.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "harness.wire.tap", "--interface", interface, "--pcapng", str(pcapng),
                   "--terminal", terminal, "--link", link]
        if keys is not None:
            command += ["--keys", str(keys)]
        child = spawn(command, netns_fd=netns_fd, log=log, name="tap", pipes=True)
        client = cls(child, pcapng, on_event)
        client._pipe.await_ready()
        return client

    @property
    def pid(self) -> int:
        return self._pipe.child.pid

    def sync(self, seconds: float = 10.0) -> None:
        """Returns when every packet that has reached the interface is in the file and told. Raises BenchError."""
        self._pipe.request("sync", seconds=seconds)

    def check(self) -> None:
        """Raises :class:`BenchError` when the tap died, lost packets, or what it told could not be recorded."""
        self._pipe.check()

    def close(self) -> None:
        """Everything captured so far is written and told, then the tap ends. Idempotent."""
        self._pipe.close()

    def _take(self, message: Message) -> None:
        kind = message.pop("ev")
        if kind == "lost":
            raise BenchError(
                f"the tap lost {message['packets']} packets: the machine was too busy to capture all",
                evidence=str(self.pcapng), remedy="run fewer benches at a time (-n)",
            )
        self._on_event(_KINDS[kind](**message))
