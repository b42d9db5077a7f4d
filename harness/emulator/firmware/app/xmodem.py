"""The receiver of XMODEM with CRC, blocks of 128 and 1024 bytes: bytes and the time in, blocks and bytes out. Pure.

A block: SOH (128) or STX (1024), its number from 1 and that number's complement, the data, CRC-16 (0x1021, from 0) big
endian. What is no good block is noise: all is thrown away until the line is quiet, then NAK asks for it again.
"""

from __future__ import annotations

import binascii
from typing import NamedTuple

SOH, STX, EOT, ACK, NAK, CAN, CRC = 0x01, 0x02, 0x04, 0x06, 0x15, 0x18, 0x43
_SIZES = {SOH: 128, STX: 1024}
_FRAME = 5  # bytes of a block that are not data

ASK_S = 1.0  # between two requests of a receiver that hears nothing
QUIET_S = 0.1  # a line that says nothing so long has ended what it said
MOST_ERRORS = 10  # in a row, then the transfer is broken off
_CANCEL = bytes([CAN, CAN])


class Step(NamedTuple):
    """What to send now, and the data of the blocks that are good."""

    reply: bytes = b""
    data: bytes = b""


class Receiver:
    """One transfer of ``size`` bytes; what the last block has behind them is padding.

    ``give_up_s``: how long a sender may be silent. ``ended``: nothing more will come; ``done``: all of it came, and
    ``fault`` says why it did not. ``now`` is the caller's clock in seconds, the same for every call.
    """

    def __init__(self, size: int, *, give_up_s: float, now: float) -> None:
        self._left, self._give_up_s = size, give_up_s
        self._heard_at = self._asked_at = now
        self._held = bytearray()
        self._expected, self._errors = 1, 0
        self._noise = False
        self._last_was_cancel = False
        self.begun = False  # a good block came
        self.done, self.fault = False, ""

    @property
    def ended(self) -> bool:
        return self.done or bool(self.fault)

    def start(self) -> bytes:
        """What asks for the first block."""
        return bytes([CRC])

    @property
    def due_at(self) -> float:
        """When :meth:`tick` has something to do, unless something comes."""
        due = self._heard_at + QUIET_S if self._noise else self._asked_at + ASK_S
        return min(due, self._heard_at + self._give_up_s)

    def feed(self, data: bytes, now: float) -> Step:
        """Bytes came, in whatever pieces."""
        if not data or self.ended:
            return Step()
        self._heard_at = now
        self._asked_at = now
        if self._noise:
            return Step()
        self._held += data
        reply, blocks = b"", b""
        while self._held and not (self._noise or self.ended):
            step = self._next()
            if step is None:
                break
            reply, blocks = reply + step.reply, blocks + step.data
        return Step(reply, blocks)

    def tick(self, now: float) -> Step:
        """Time has passed."""
        if self.ended:
            return Step()
        if now - self._heard_at >= self._give_up_s:
            return self._break_off("the sender has stopped")
        if self._noise:
            if now - self._heard_at < QUIET_S:
                return Step()
            self._noise = False
            return self._ask_again(now)
        if now - self._asked_at >= ASK_S:
            self._held.clear()
            return self._ask_again(now)
        return Step()

    # -- what came -----------------------------------------------------------------------------------------------------

    def _next(self) -> Step | None:
        """The next thing in what is held; None: more bytes are needed."""
        first = self._held[0]
        if first in _SIZES:
            return self._block(_SIZES[first])
        del self._held[0]
        if first == CAN:
            if self._last_was_cancel:
                self.fault = "the sender has cancelled"
            self._last_was_cancel = True
            return Step()
        self._last_was_cancel = False
        if first == EOT and not self._held:
            if not self._left:
                self.done = True
                return Step(bytes([ACK]))
            return self._count(bytes([NAK]), "the sender ended too early")
        self._hear_noise()
        return Step()

    def _block(self, size: int) -> Step | None:
        self._last_was_cancel = False
        held = self._held
        if len(held) >= 3 and held[1] ^ held[2] != 0xFF:
            self._hear_noise()
            return Step()
        if len(held) < size + _FRAME:
            return None
        number, data, crc = held[1], bytes(held[3 : 3 + size]), int.from_bytes(held[3 + size : size + _FRAME], "big")
        if binascii.crc_hqx(data, 0) != crc:
            self._hear_noise()
            return Step()
        del held[: size + _FRAME]
        if self.begun and number == (self._expected - 1) & 0xFF:  # our ACK did not get through
            return self._count(bytes([ACK]), "the sender repeats itself")
        if number != self._expected:
            return self._break_off(f"block {number} came where {self._expected} was due")
        if not self._left:
            return self._break_off("more came than was announced")
        self._expected = (self._expected + 1) & 0xFF
        self._errors, self.begun = 0, True
        data = data[: self._left]
        self._left -= len(data)
        return Step(bytes([ACK]), data)

    def _hear_noise(self) -> None:
        self._noise = True
        self._held.clear()

    # -- what is said --------------------------------------------------------------------------------------------------

    def _ask_again(self, now: float) -> Step:
        self._asked_at = now
        if not self.begun:
            return Step(bytes([CRC]))  # a sender that is not there yet is no error
        return self._count(bytes([NAK]), "too much noise on the line")

    def _count(self, reply: bytes, what: str) -> Step:
        self._errors += 1
        return self._break_off(what) if self._errors > MOST_ERRORS else Step(reply)

    def _break_off(self, why: str) -> Step:
        self.fault = why
        return Step(_CANCEL)
