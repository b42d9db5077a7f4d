"""The terminal's XMODEM receiver against the sender from PyPI, over a line that may spoil what it carries. Pure: time
is counted, not waited for."""

from __future__ import annotations

import io
import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xmodem import XMODEM, XMODEM1k

from harness.emulator.firmware.app import xmodem
from harness.emulator.firmware.app.xmodem import ACK, ASK_S, CAN, EOT, NAK, QUIET_S, Receiver

GIVE_UP_S = 10.0
Spoil = Callable[[bytes], list[bytes]]


class Line:
    """Sender and receiver in one thread: what the sender says is heard at once, in the pieces that ``spoil`` makes of
    it; while the sender waits for an answer the clock runs."""

    def __init__(self, receiver: Receiver, spoil: Spoil = lambda data: [data]) -> None:
        self.now, self.receiver, self._spoil = 0.0, receiver, spoil
        self.received, self._said = bytearray(), bytearray(receiver.start())

    def putc(self, data: bytes, timeout: float = 1) -> int:
        for piece in self._spoil(bytes(data)):
            self._hear(self.receiver.feed(piece, self.now))
        return len(data)

    def getc(self, size: int, timeout: float = 1) -> bytes | None:
        end = self.now + timeout
        while not self._said and self.now < end:
            if self.receiver.ended:
                return None
            self.now += 0.05
            self._hear(self.receiver.tick(self.now))
        got = bytes(self._said[:size])
        del self._said[:size]
        return got or None

    def _hear(self, step: xmodem.Step) -> None:
        self._said += step.reply
        self.received += step.data


def transfer(data: bytes, spoil: Spoil = lambda data: [data], *, sender: type[XMODEM] = XMODEM1k) -> Line:
    receiver = Receiver(len(data), give_up_s=GIVE_UP_S, now=0.0)
    line = Line(receiver, spoil)
    line.sent = sender(line.getc, line.putc, pad=b"\xff").send(  # type: ignore[attr-defined]
        io.BytesIO(data), retry=16, timeout=10, quiet=True)
    while not receiver.ended:
        line.now += 1
        line._hear(receiver.tick(line.now))
    return line


@settings(deadline=None, max_examples=40)
@given(st.binary(min_size=1, max_size=9000), st.sampled_from([XMODEM, XMODEM1k]), st.integers(0, 1 << 30))
def test_what_is_sent_is_received_in_whatever_pieces(data: bytes, sender: type[XMODEM], seed: int) -> None:
    choose = random.Random(seed)

    def pieces(block: bytes) -> list[bytes]:
        at = sorted(choose.sample(range(len(block)), min(len(block) - 1, choose.randrange(4))))
        return [block[a:b] for a, b in zip([0, *at], [*at, len(block)], strict=True)]

    line = transfer(data, pieces, sender=sender)
    assert line.receiver.done and bytes(line.received) == data


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 40_000), st.integers(0, 1 << 30))
def test_noise_in_five_percent_of_the_blocks_costs_time_and_nothing_else(size: int, seed: int) -> None:
    choose = random.Random(seed)
    data = choose.randbytes(size)

    def noise(block: bytes) -> list[bytes]:
        if len(block) < 100 or choose.random() >= 0.05:
            return [block]
        spoilt = bytearray(block)
        match choose.randrange(3):
            case 0:
                spoilt[choose.randrange(len(spoilt))] ^= 1 << choose.randrange(8)
            case 1:
                del spoilt[choose.randrange(len(spoilt))]
            case _:
                spoilt.insert(choose.randrange(len(spoilt)), choose.randrange(256))
        return [bytes(spoilt)]

    line = transfer(data, noise)
    assert line.receiver.done and bytes(line.received) == data


@settings(deadline=None, max_examples=60)
@given(st.binary(min_size=1, max_size=5000), st.integers(0, 1 << 30), st.floats(0, 0.9))
def test_whatever_the_noise_what_is_received_is_a_beginning_of_what_was_sent(
    data: bytes, seed: int, share: float,
) -> None:
    choose = random.Random(seed)

    def noise(block: bytes) -> list[bytes]:
        if choose.random() >= share:
            return [block]
        return [bytes(byte if choose.random() > 0.01 else choose.randrange(256) for byte in block)]

    line = transfer(data, noise)
    assert data.startswith(bytes(line.received)) and (not line.receiver.done or bytes(line.received) == data)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 1 << 30))
def test_the_bytes_of_two_senders_are_never_taken_for_one_image(seed: int) -> None:
    choose = random.Random(seed)
    mine, others = choose.randbytes(6000), choose.randbytes(6000)
    alien = b"".join(
        b"\x02" + bytes([n, 255 - n]) + others[1024 * (n - 1) : 1024 * n] + b"??" for n in range(1, 6))

    def mixed(block: bytes) -> list[bytes]:
        at = choose.randrange(len(alien) - 200)
        cut = choose.randrange(len(block))
        return [block[:cut], alien[at : at + 200], block[cut:]] if choose.random() < 0.8 else [block]

    line = transfer(mine, mixed)
    assert mine.startswith(bytes(line.received))
    assert not line.receiver.done or bytes(line.received) == mine


@given(st.lists(st.binary(max_size=200), max_size=20))
def test_any_bytes_at_all_never_hurt_it(pieces: list[bytes]) -> None:
    receiver, now = Receiver(5000, give_up_s=GIVE_UP_S, now=0.0), 0.0
    for piece in pieces:
        receiver.feed(piece, now)
        now += 0.3
        receiver.tick(now)
        assert receiver.due_at <= now + GIVE_UP_S
    receiver.tick(now + GIVE_UP_S)
    assert receiver.ended and not receiver.done


def block(number: int, data: bytes) -> bytes:
    crc: int = XMODEM(None, None).calc_crc(data)
    return bytes([2 if len(data) == 1024 else 1, number, 255 - number]) + data + crc.to_bytes(2, "big")


def test_a_block_that_comes_again_is_acknowledged_and_not_taken_twice() -> None:
    receiver = Receiver(2048, give_up_s=GIVE_UP_S, now=0.0)
    first = block(1, b"a" * 1024)
    assert receiver.feed(first, 0.0) == (bytes([ACK]), b"a" * 1024)
    assert receiver.feed(first, 0.1) == (bytes([ACK]), b"")
    assert receiver.feed(block(2, b"b" * 1024), 0.2).data == b"b" * 1024
    assert receiver.feed(bytes([EOT]), 0.3).reply == bytes([ACK]) and receiver.done


def test_what_is_padding_is_left_out_and_numbers_wrap() -> None:
    size = 128 * 257 + 1
    receiver = Receiver(size, give_up_s=GIVE_UP_S, now=0.0)
    received = b"".join(receiver.feed(block(n & 255, b"x" * 128), 0.0).data for n in range(1, 259))
    assert received == b"x" * size


@pytest.mark.parametrize(("came", "fault"), [
    (block(2, b"a" * 128), "where 1 was due"), (bytes([CAN, CAN]), "cancelled"),
    (block(1, b"a" * 128) + block(2, b"a" * 128), "more came"),
])
def test_what_ends_it(came: bytes, fault: str) -> None:
    receiver = Receiver(100, give_up_s=GIVE_UP_S, now=0.0)
    receiver.feed(came, 0.0)
    assert fault in receiver.fault and not receiver.done


def test_one_cancel_alone_is_noise() -> None:
    receiver = Receiver(128, give_up_s=GIVE_UP_S, now=0.0)
    receiver.feed(bytes([CAN]), 0.0)
    assert receiver.feed(block(1, b"a" * 128), 0.1).data == b"a" * 128 and not receiver.fault


def test_an_end_that_comes_too_early_is_not_believed() -> None:
    receiver = Receiver(256, give_up_s=GIVE_UP_S, now=0.0)
    receiver.feed(block(1, b"a" * 128), 0.0)
    for n in range(xmodem.MOST_ERRORS):
        assert receiver.feed(bytes([EOT]), n / 10).reply == bytes([NAK])
    assert receiver.feed(bytes([EOT]), 5.0).reply == bytes([CAN, CAN]) and "too early" in receiver.fault


def test_it_asks_until_the_sender_is_there_and_gives_up_one_that_stops() -> None:
    receiver = Receiver(2048, give_up_s=GIVE_UP_S, now=0.0)
    assert receiver.tick(ASK_S - 0.1).reply == b"" and receiver.tick(ASK_S).reply == b"C"
    receiver.feed(block(1, b"a" * 1024), 2.0)
    receiver.feed(block(2, b"b" * 1024)[:500], 2.1)
    assert receiver.tick(2.1 + ASK_S).reply == bytes([NAK])
    assert receiver.feed(block(2, b"b" * 1024), 4.0).data == b"b" * 1024
    assert receiver.tick(4.0 + GIVE_UP_S - 0.1).reply in (b"", bytes([NAK]))
    assert receiver.tick(4.0 + GIVE_UP_S).reply == bytes([CAN, CAN]) and "stopped" in receiver.fault


def test_noise_is_waited_out() -> None:
    receiver = Receiver(128, give_up_s=GIVE_UP_S, now=0.0)
    receiver.feed(block(1, b"a" * 128)[:-1] + b"?", 0.0)
    receiver.feed(block(1, b"a" * 128), QUIET_S / 2)  # still noise
    assert receiver.tick(QUIET_S).reply == b"" and receiver.tick(QUIET_S * 1.5).reply == b"C"
