"""The worker's end of the injector, which is another program under another licence: only JSON goes between them."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from harness.errors import BadInput, BenchError, TerminalTimeout
from harness.history.events import FaultArmed, FaultHealed, FaultStruck
from harness.lab.process import Child, spawn
from harness.wire.faults import Fault
from harness.wire.pipe_client import Message, PipeClient, Refused
from harness.wire.topology import ACQUIRER_PORT, TERMINAL_ADDRESS, TERMINAL_PORT

FaultEvent = FaultArmed | FaultStruck | FaultHealed
_KINDS: dict[str, type[FaultArmed | FaultStruck | FaultHealed]] = {
    "armed": FaultArmed, "struck": FaultStruck, "healed": FaultHealed,
}
_LOOK_S = 0.1


class InjectorClient:
    """A running injector. ``on_event`` is called from the client's reader thread, in the order in which things
    happened; what others arm over the control socket is among it. Faults that end with the injector are healed as
    ``died``.
    """

    def __init__(self, child: Child, on_event: Callable[[FaultEvent], object] | None = None) -> None:
        self._on_event = on_event
        self._changed = threading.Condition()
        self._events: list[FaultEvent] = []
        self._armed: dict[int, FaultArmed] = {}
        self._pipe = PipeClient(child, self._take, self._ended)

    @classmethod
    def start(
        cls, *, netns_fd: int | None, log: Path, interface: str = TERMINAL_PORT,
        acquirer_interface: str = ACQUIRER_PORT, terminal: str = TERMINAL_ADDRESS, link: str = "tcp",
        keys: Path | None = None, pcapng: Path | None = None, divert: str = "auto", control: Path | None = None,
        on_event: Callable[[FaultEvent], object] | None = None,
    ) -> InjectorClient:
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
            with self._changed:
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

    def strikes(self, fault_id: int) -> tuple[FaultStruck, ...]:
        """What the fault has done so far."""
        with self._changed:
            return tuple(one for one in self._events if isinstance(one, FaultStruck) and one.fault_id == fault_id)

    def healed(self, fault_id: int) -> FaultHealed | None:
        """How the fault ended, if it has."""
        with self._changed:
            found = [one for one in self._events if isinstance(one, FaultHealed) and one.fault_id == fault_id]
        return found[0] if found else None

    def await_strike(self, fault_id: int, seconds: float, number: int = 1) -> FaultStruck:
        """Its ``number``-th strike. Raises :class:`TerminalTimeout` when it does not come, :class:`BenchError` when it
        can't come any more."""
        deadline = time.monotonic() + seconds
        while True:
            self.check()
            with self._changed:
                strikes = self.strikes(fault_id)
                if len(strikes) >= number:
                    return strikes[number - 1]
                ended = self.healed(fault_id)
                if ended is not None:
                    raise BenchError(f"fault {fault_id} ended ({ended.why}) after {len(strikes)} strikes, not {number}")
                left = deadline - time.monotonic()
                if left <= 0:
                    log = str(self._pipe.child.log)
                    raise TerminalTimeout(f"strike {number} of fault {fault_id}", seconds, evidence=log)
                self._changed.wait(min(_LOOK_S, left))

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
        with self._changed:
            self._events.append(event)
            if isinstance(event, FaultArmed):
                self._armed[event.fault_id] = event
            elif isinstance(event, FaultHealed):
                self._armed.pop(event.fault_id, None)
            self._changed.notify_all()
        if self._on_event is not None:
            self._on_event(event)

    def _ended(self) -> None:
        for fault_id in [*self._armed]:
            self._record(FaultHealed(t=time.monotonic_ns(), fault_id=fault_id, why="died"))
