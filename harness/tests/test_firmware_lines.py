"""Both serial lines against wild bytes: the parsers alone, and the whole terminal behind them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.emulator.firmware.app import cards, cashier, service
from harness.emulator.firmware.app.asking import Given
from harness.emulator.firmware.app.dialect import Dialect
from harness.emulator.firmware.app.kinds import CHIP
from harness.emulator.firmware.app.results import declined
from harness.terminal import cashier as till
from harness.tests.firmware_bench import Bench

WILD = st.one_of(
    st.binary(max_size=400),
    st.lists(st.sampled_from(
        [b"\x02", b"\x03", b"\x06", b"\x15", b"\x02\x00\x05", b"\x02\x99\x99", b"\xdf\x01", b"\r\n"])).map(b"".join),
)
SALE = {"DF01": "00", "DF02": "01", "DF03": "000000009700", "DF04": "1234"}


@given(st.lists(WILD, max_size=6))
def test_the_cashier_parser_takes_any_bytes(pieces: list[bytes]) -> None:
    receiver = cashier.Receiver(Dialect)
    for piece in pieces:
        reply, commands, naks = receiver.feed(piece)
        assert set(reply) <= {cashier.ACK, cashier.NAK} and naks >= 0
        assert reply.count(cashier.ACK) == len(commands)
    reply, commands, _ = receiver.feed(till.encode(SALE))
    assert reply[-1:] == bytes([cashier.ACK])
    assert commands[-1:] == [cashier.Command("sale", "01", "1234", Given(by_till=True, amount=9700))]


@pytest.mark.parametrize(
    "piece", [b"\x02", b"\x02\x00\x00", b"\x02\x00\x05", b"\x02\x05\x12\x03", till.encode(SALE), b"\x15"])
def test_a_flood_is_not_kept_and_a_command_behind_it_is_heard(piece: bytes) -> None:
    receiver = cashier.Receiver(Dialect)
    receiver.feed(piece * (4096 // len(piece)))
    assert len(receiver._held) <= cashier.LONGEST_DATA + 5
    receiver.forget()
    assert [command.kind for command in receiver.feed(till.encode(SALE))[1]] == ["sale"]


def test_a_pause_ends_a_frame_that_was_begun() -> None:
    receiver = cashier.Receiver(Dialect)
    raw = till.encode(SALE)
    receiver.feed(raw[:10])
    receiver.forget()
    assert receiver.feed(raw[10:])[1] == []
    assert len(receiver.feed(raw)[1]) == 1


@given(st.integers(1, 12), st.binary(max_size=20).filter(lambda noise: b"\x02" not in noise))
def test_a_command_is_understood_in_pieces_and_behind_noise(size: int, noise: bytes) -> None:
    raw, receiver, commands = noise + till.encode(SALE), cashier.Receiver(Dialect), []
    for at in range(0, len(raw), size):
        commands += receiver.feed(raw[at : at + size])[1]
    assert [command.kind for command in commands] == ["sale"]


def test_a_wrong_lrc_is_answered_nak_and_does_nothing() -> None:
    raw = bytearray(till.encode(SALE))
    raw[-1] ^= 1
    assert cashier.Receiver(Dialect).feed(bytes(raw)) == (bytes([cashier.NAK]), [], 0)


@given(st.dictionaries(st.sampled_from(["DF01", "DF02", "DF03", "DF04", "DF08", "DF99"]), st.text(max_size=20)))
def test_whatever_the_till_says_can_be_answered(fields: dict[str, str]) -> None:
    command = cashier.command(fields)
    messages = till.Receiver().feed(cashier.answer(command, declined("97", Dialect()), Dialect()))
    assert [message.kind for message in messages] == ["frame"]
    assert messages[0].fields["DF07"] == "97"


def test_a_sale_of_nothing_is_no_command() -> None:
    assert cashier.command(SALE | {"DF03": "000000000000"}).kind == ""


@given(st.lists(WILD, max_size=6))
def test_the_line_buffer_takes_any_bytes_and_holds_one_line(pieces: list[bytes]) -> None:
    buffer = service.LineBuffer()
    for piece in pieces:
        for line in buffer.feed(piece):
            assert line is None or 0 < len(line) <= service.LONGEST_LINE
    buffer.feed(b"\r\n")
    assert buffer.feed(b"VERSION\r\n") == ["VERSION"]


def test_an_over_long_line_is_reported_once() -> None:
    assert service.LineBuffer().feed(b"A" * (service.LONGEST_LINE + 1) + b"\r\nVERSION\r\n") == [None, "VERSION"]


@given(st.recursive(st.none() | st.text(max_size=40) | st.integers(), lambda inner: st.dictionaries(
    st.sampled_from(["track2", "track3", "code"]), inner)))
def test_anything_presented_is_a_card_or_a_payment_code_or_none(value: Any) -> None:
    card, code = cards.of_stripe(value), cards.of_scan(value)
    assert card is None or (13 <= len(card.pan) <= 19 and card.track2.startswith(card.pan + "D"))
    assert code is None or (not code.pan and 16 <= len(code.code) <= 24)


@given(st.binary(max_size=100))
def test_any_chip_data_is_a_card_or_none(data: bytes) -> None:
    card = cards.of_chip(cards.objects_of(data.hex()), CHIP)
    assert card is None or 13 <= len(card.pan) <= 19


@pytest.mark.parametrize("lrc", ["with_etx", "without_etx"])
@pytest.mark.parametrize("length", ["bcd", "binary"])
def test_every_framing_is_understood_and_answered_alike(lrc: str, length: str) -> None:
    dialect = Dialect(cashier_lrc=lrc, cashier_length=length)
    frame = cashier.encode(SALE, dialect)
    reply, commands, _ = cashier.Receiver(lambda: dialect).feed(frame)
    assert reply == bytes([cashier.ACK]) and [command.kind for command in commands] == ["sale"]
    other = Dialect(cashier_lrc="with_etx" if lrc == "without_etx" else "without_etx", cashier_length=length)
    assert cashier.Receiver(lambda: other).feed(frame)[1] == []


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.sampled_from(["till", "engineer"]), WILD), min_size=1, max_size=5))
def test_wild_bytes_on_both_lines_leave_a_terminal_that_works(pieces: list[tuple[str, bytes]]) -> None:
    with Bench() as bench:
        for line, data in pieces:
            if data:
                (bench.board.till if line == "till" else bench.board.engineer).send(data)
            bench.settle_down(2)
        told = bench.till("05")
        while told.get("DF04") != "0097":  # what was wild may have been a command, which is answered first
            told = bench.till_answer()
        assert told["DF07"] in ("Z4", "Z6")
        bench.board.engineer.send(b"\r\n")
        bench.settle_down(3)
        _drain(bench)
        assert bench.serve("VERSION").startswith("OK HT-100 ")
        bench.key("CANCEL", "CANCEL")
        bench.run(bench.shows("欢迎使用"))


def _drain(bench: Bench) -> None:
    try:
        while bench.board.engineer.recv(65536):
            pass
    except BlockingIOError:
        pass
