"""The application's network part in a real namespace, without the rest of it, beside the site's real services."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from harness.emulator.firmware.app.comms import Line
from harness.emulator.firmware.app.loop import Flow, Loop
from harness.emulator.firmware.app.network import Network
from harness.emulator.firmware.app.records import State
from harness.site.client import SiteClient
from harness.wire import netns
from harness.wire.topology import (
    ACQUIRER_ADDRESS,
    END,
    PREFIX_LENGTH,
    REMOTE_ADDRESS,
    ROUTER_ADDRESS,
    TERMINAL_ADDRESS,
    Topology,
)

T = TypeVar("T")
NAME = "acquirer.hil97.test"
GIVES = f"{TERMINAL_ADDRESS}/{PREFIX_LENGTH}"


class FakeBoard:
    """As much of a board as the network part looks at."""

    ethernet = END

    def __init__(self, time_scale: float) -> None:
        self.time_scale = time_scale


class NetTerminal:
    """The interface, its flows and a line to the host. Every turn of the loop is taken in the terminal's namespace."""

    def __init__(self, topology: Topology, *, time_scale: float = 20.0, **settings: Any) -> None:
        self._fd = topology.terminal_fd
        self.state = State(tid="97000001", mid="898970000000001", **settings)
        self.loop = Loop(lambda: None)
        self.network = Network(FakeBoard(time_scale), lambda: self.state)  # type: ignore[arg-type]
        self.line = Line(time_scale, self.network)
        self._run(lambda: self.loop.start(self.network.run()))

    def change(self, **settings: Any) -> None:
        """As by the service port."""
        self.state = replace(self.state, **settings)

    def until(self, condition: Callable[[], object], seconds: float = 20.0, what: str = "") -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, f"not in {seconds} s: {what}; the network is {self.network.report()}"
            self._run(lambda: self.loop.turn(0.01))

    def do(self, flow: Generator[Any, Any, T], seconds: float = 30.0) -> T:
        """A flow to its end."""
        ended: list[T] = []

        def run() -> Flow[None]:
            ended.append((yield from flow))

        self._run(lambda: self.loop.start(run()))
        self.until(lambda: ended, seconds, "the end of a flow")
        return ended[0]

    def resolve(self, name: str = NAME) -> tuple[str, ...]:
        return self.do(self.network.resolve(name))

    @property
    def report(self) -> str:
        return self.network.report()

    def _run(self, action: Callable[[], object]) -> None:
        with netns.inside(self._fd):
            action()


@contextlib.contextmanager
def site(topology: Topology, folder: Path, **values: Any) -> Iterator[SiteClient]:
    """The line's services, as a bench starts them."""
    given: dict[str, Any] = {"gives": GIVES, "router": ROUTER_ADDRESS, "names": {NAME: REMOTE_ADDRESS}}
    client = SiteClient.start(
        netns_fd=topology.acquirer_fd, log=folder / "site.log", interface=END, address=ACQUIRER_ADDRESS,
        **(given | values),
    )
    try:
        yield client
    finally:
        client.close()
