"""An image by the service port: while it comes the line carries XMODEM, before and after it command lines."""

from __future__ import annotations

from collections.abc import Callable

from .loop import Flow, Wait, now
from .provisioning import Refused
from .updates import BROKEN_OFF, SERVICE, Updates
from .xmodem import QUIET_S, Receiver

GIVE_UP_S, LEAST_GIVE_UP_S = 10.0, 3.0
_DRAIN_S, _LONGEST_DRAIN_S = 3 * QUIET_S, 5.0  # what a sender has still under way is no command
_LOOK_S = 0.05


class SerialLoad:
    """``write`` sends bytes on the line. ``active``: what comes on it belongs to the transfer."""

    def __init__(self, updates: Updates, *, time_scale: float, write: Callable[[bytes], None]) -> None:
        self._updates, self._write = updates, write
        self._give_up_s = max(GIVE_UP_S / time_scale, LEAST_GIVE_UP_S)
        self._receiver: Receiver | None = None
        self._answer = ""  # what is to be said when the line is quiet
        self._heard_at = self._drain_until = 0.0

    @property
    def active(self) -> bool:
        return self._receiver is not None

    def begin(self, size: str) -> str:
        """``LOAD`` with that many bytes: its answer; the terminal then asks for the first block. Raises
        :class:`.provisioning.Refused`."""
        if not (size.isascii() and size.isdigit() and len(size) <= 9):
            raise Refused("03", "LOAD takes the number of bytes")
        self._updates.refuse_while_busy()
        self._updates.begin(SERVICE, int(size))
        self._receiver = Receiver(int(size), give_up_s=self._give_up_s, now=now())
        return f"LOAD {int(size)}"

    def feed(self, data: bytes) -> None:
        """Bytes came on the line."""
        self._heard_at = now()
        receiver = self._receiver
        if receiver is None or receiver.ended:
            return
        step = receiver.feed(data, now())
        if step.data:
            self._updates.write(step.data)
        self._write(step.reply)
        if receiver.ended:
            self._end(receiver)

    def run(self) -> Flow[None]:
        """For ever: asks for the first block, again where nothing comes, and ends what has ended."""
        while True:
            yield Wait(until=lambda: self.active)
            receiver = self._receiver
            assert receiver is not None
            self._write(receiver.start())
            while not receiver.ended:
                yield Wait(deadline=min(receiver.due_at, now() + _LOOK_S))
                if not receiver.ended:
                    self._write(receiver.tick(now()).reply)
                    if receiver.ended:
                        self._end(receiver)
            while receiver.fault and now() < min(self._heard_at + _DRAIN_S, self._drain_until):
                yield Wait(deadline=now() + _LOOK_S)
            self._receiver = None
            self._write(self._answer.encode("ascii", "replace") + b"\r\n")

    def _end(self, receiver: Receiver) -> None:
        """Judges what came."""
        self._heard_at = now()
        self._drain_until = now() + _LONGEST_DRAIN_S
        try:
            if receiver.fault:
                raise self._updates.failed(BROKEN_OFF, receiver.fault)
            self._answer = f"OK LOADED {self._updates.finish()}"
        except Refused as refused:
            self._answer = f"ERR {refused.number} {refused}"
