"""The worker's end of the injector, which is another program under another licence: only JSON goes between them."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Self

from harness.errors import BadInput, BenchError
from harness.history.events import FaultArmed, FaultHealed, FaultStruck
from harness.lab.process import Child, spawn
from harness.wire.faults import Fault
from harness.wire.pipe_client import Message, PipeClient, Refused
from harness.wire.topology import ACQUIRER_PORT, TERMINAL_ADDRESS, TERMINAL_PORT

FaultEvent = FaultArmed | FaultStruck | FaultHealed
_KINDS: dict[str, type[FaultArmed | FaultStruck | FaultHealed]] = {
    "armed": FaultArmed, "struck": FaultStruck, "healed": FaultHealed,
}


class InjectorClient:
    """A running injector. ``on_event`` is called from the client's reader thread, in the order in which things
    happened; what others arm over the control socket is among it. Faults that end with the injector are healed as
    ``died``.
    """

    def __init__(self, child: Child, on_event: Callable[[FaultEvent], object] | None = None) -> None:
        self._on_event = on_event
        self._armed: set[int] = set()
        self._pipe = PipeClient(child, self._take, self._ended)

    @classmethod
    def start(
        cls, *, netns_fd: int | None, log: Path, interface: str = TERMINAL_PORT,
        acquirer_interface: str = ACQUIRER_PORT, terminal: str = TERMINAL_ADDRESS, link: str = "tcp",
        keys: Path | None = None, pcapng: Path | None = None, divert: str = "auto", control: Path | None = None,
        on_event: Callable[[FaultEvent], object] | None = None,
    ) -> Self:
        """Starts an injector in the wire's namespace (None: the caller's); returns when faults can be armed.

        ``pcapng``: where the frames of each strike go; ``control``: the socket for others. Raises :class:`BenchError`.
        """
        command = [sys.executable, "-m", "harness.wire.injector", "--interface", interface,
                   "--acquirer-interface", acquirer_interface, "--terminal", terminal, "--link", link,
                   "--divert", divert]
        for option, path in (("--keys", keys), ("--pcapng", pcapng), ("--control", control)):
            if path is not None:
                command += [option, str(path)]
        client = cls(spawn(command, netns_fd=netns_fd, log=log, name="injector", pipes=True), on_event)
        client._pipe.await_ready()
        return client

    @property
    def pid(self) -> int:
        return self._pipe.child.pid

    @property
    def divert(self) -> str:
        """How packets are diverted here: ``nft`` or ``netlink``."""
        return str(self._pipe.greeting["divert"])

    def arm(self, fault: Fault) -> int:
        """The number of the fault; it is in force when this returns.

        Raises :class:`BadInput` with the reason where it can't be done on this link, :class:`BenchError` where the
        injector or the kernel fails.
        """
        try:
            return int(self._pipe.request("arm", fault=fault.model_dump(mode="json"))["fault_id"])
        except Refused as refused:
            if refused.reply.get("bad_input"):
                raise BadInput(str(refused.reply.get("error"))) from refused
            raise

    def heal(self, fault_id: int | None = None) -> None:
        """Disarms one fault, or all: what is kept is let go. One that has ended by itself is healed already."""
        try:
            self._pipe.request("heal", **({} if fault_id is None else {"fault_id": fault_id}))
        except Refused:
            if fault_id in self._armed:
                raise

    def armed(self) -> dict[int, Mapping[str, object]]:
        """The value of each fault that is armed now, by its number."""
        return {one["fault_id"]: one["fault"] for one in self._pipe.request("armed")["armed"]}

    def keys(self, masters: Iterable[Mapping[str, str]]) -> None:
        """Master keys of terminals ({"tid", "mid", "tmk"}, hex), for faults that recompute a MAC."""
        self._pipe.request("keys", masters=[dict(one) for one in masters])

    def sync(self) -> None:
        """Returns when all that was diverted up to now has been dealt with and told."""
        self._pipe.request("sync")

    def check(self) -> None:
        """Raises :class:`BenchError` when the injector died, or could not keep up with what it had diverted."""
        self._pipe.check()

    def close(self) -> None:
        """All faults healed and told, then the injector ends. Idempotent."""
        self._pipe.close()

    def _take(self, message: Message) -> None:
        kind = message.pop("ev")
        if kind == "lost":
            raise BenchError(
                f"the injector lost {message['packets']} packets that no fault meant: more came than it could pass on",
                evidence=str(self._pipe.child.log),
                remedy="narrow the match (address, port), or run fewer benches (-n)",
            )
        if kind not in _KINDS:
            raise BenchError(f"the injector said something unknown: {message}")
        self._record(_KINDS[kind](**message))

    def _record(self, event: FaultEvent) -> None:
        if isinstance(event, FaultArmed):
            self._armed.add(event.fault_id)
        elif isinstance(event, FaultHealed):
            self._armed.discard(event.fault_id)
        if self._on_event is not None:
            self._on_event(event)

    def _ended(self) -> None:
        for fault_id in sorted(self._armed):
            self._record(FaultHealed(t=time.monotonic_ns(), fault_id=fault_id, why="died"))
