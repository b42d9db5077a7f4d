"""What is typed to a terminal that stands alone: the commands, against a panel that only writes down; and the wires."""

from __future__ import annotations

import os
import socket
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.cli.console import PRESSED, _split
from harness.errors import BadInput, BenchError
from harness.instruments.panel import Panel
from harness.terminal.alone import Setup, resolved
from harness.terminal.cards import CARDS, CHIP, CONTACTLESS, MAGNETIC
from harness.terminal.typed import HELP, Hands, Show, Wait
from harness.terminal.wires import TcpWire


class Paper:
    """Takes the place of a panel: writes down what is asked for, or refuses it."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.refusal = ""

    def request(self, op: str, **fields: Any) -> dict[str, Any]:
        if self.refusal:
            raise BenchError(self.refusal)
        self.asked.append((op, fields))
        return {}

    @property
    def keys(self) -> list[str]:
        return [fields["key"] for op, fields in self.asked if op == "key"]


def obeyed(line: str) -> tuple[Paper, object]:
    paper = Paper()
    return paper, Hands(cast(Panel, paper)).obey(line)


@pytest.mark.parametrize(
    ("line", "keys"),
    [
        ("1234 ENTER", ["1", "2", "3", "4", "ENTER"]), ("func 1", ["FUNC", "1"]),
        ("up DOWN Alpha", ["UP", "DOWN", "ALPHA"]), ("", []), ("   ", []), ("# 1 ENTER", []),
    ],
)  # fmt: skip
def test_keys(line: str, keys: list[str]) -> None:
    paper, asked = obeyed(line)
    assert (paper.keys, asked) == (keys, None)


@pytest.mark.parametrize(
    ("line", "op", "fields"),
    [
        ("swipe", "swipe", {"track2": MAGNETIC.track2, "track3": None}),
        ("swipe chip", "swipe", {"track2": CHIP.track2, "track3": None}),
        ("swipe 6225880000000097=30122010", "swipe", {"track2": "6225880000000097D30122010", "track3": None}),
        ("insert", "insert", {"chip": CHIP.chip()}),
        ("insert contactless", "insert", {"chip": CONTACTLESS.chip()}),
        ("tap", "tap", {"chip": CONTACTLESS.chip()}),
        ("remove", "remove", {}),
        ("scan alipay", "scan", {"code": CARDS["alipay"].code}),
        ("scan 134597979797979797", "scan", {"code": "134597979797979797"}),
        ("sign 00ff", "sign", {"strokes": "00ff"}),
        ("power off", "power", {"state": "off"}),
    ],
)
def test_commands(line: str, op: str, fields: dict[str, Any]) -> None:
    paper, asked = obeyed(line)
    assert (paper.asked, asked) == ([(op, fields)], None)


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("wait 欢迎使用", Wait("欢迎使用", 30.0)), ("wait 应答码:97 2.5", Wait("应答码:97", 2.5)),
        ("wait 97", Wait("97", 30.0)), ("wait 97 97", Wait("97", 97.0)),
        ("wait 交易 成功 5", Wait("交易成功", 5.0)), ("slip", Wait(None, 30.0)),
        ("slip 3", Wait(None, 3.0)), ("quit", Show("quit")), ("screen", Show("screen")), ("help", Show("help")),
    ],
)  # fmt: skip
def test_what_the_caller_has_to_do(line: str, wanted: object) -> None:
    assert obeyed(line)[1] == wanted


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("dance", "'dance' is neither a command nor a key"),
        ("swipe wechat", "no test card 'wechat' to swipe; there are magnetic, chip, contactless"),
        ("insert magnetic", "no test card 'magnetic' to insert; there are chip, contactless"),
        ("tap nothing", "no test card 'nothing' to tap"),
        ("scan 12", "'12' is no payment code"),
        ("sign xyz", "bitmap in hexadecimal"),
        ("power maybe", "'power' is neither"),
        ("1 ٣", "'٣' is neither"),
    ],
)
def test_what_can_t_be_obeyed(line: str, problem: str) -> None:
    with pytest.raises(BadInput, match=problem):
        obeyed(line)


def test_what_the_board_refuses_is_said() -> None:
    paper = Paper()
    paper.refusal = "there is no card in the slot"
    with pytest.raises(BadInput, match="no card in the slot"):
        Hands(cast(Panel, paper)).obey("remove")


@given(st.text(max_size=60))
def test_any_line_is_obeyed_or_refused(line: str) -> None:
    try:
        obeyed(line)
    except BadInput as error:
        assert "Traceback" not in str(error)


def test_the_chip_card_goes_in_and_out() -> None:
    paper = Paper()
    hands = Hands(cast(Panel, paper))
    hands.toggle_chip()
    hands.toggle_chip()
    hands.toggle_chip()
    assert [op for op, _fields in paper.asked] == ["insert", "remove", "insert"]


def test_every_command_of_the_help_is_known() -> None:
    for line in HELP.splitlines()[1:-1]:
        name = line.split()[0]
        if name not in ("power", "wait"):
            obeyed(name)
    assert all(obeyed(line)[0].asked for line in PRESSED.values())


def test_keys_of_one_read_are_told_apart() -> None:
    assert list(_split("1\x1b[A2\x1b")) == ["1", "\x1b[A", "2", "\x1b"]


def test_settings_in_their_order() -> None:
    setup = Setup("AB" * 16, ("10.0.0.1", 8583), "6000030000", "97000001", "898310097000001", [("timeout", "20")])
    assert [line for _what, line in setup.lines()] == [
        "PARAM timeout=20", f"KEY TMK {'AB' * 16}", "HOST 10.0.0.1 8583 6000030000",
        "SET TID=97000001 MID=898310097000001",
    ]  # fmt: skip
    assert Setup().lines() == []
    assert [line for _what, line in Setup(second_host=("10.0.0.2", 1), tls=[("CA", "QUJD")]).lines()] == [
        "HOST2 10.0.0.2 1", "TLS CA QUJD",
    ]  # fmt: skip


def test_addresses() -> None:
    assert resolved("127.0.0.1:8583") == ("127.0.0.1", 8583)
    assert resolved("localhost:1") == ("127.0.0.1", 1)
    for bad in ("", "8583", ":8583", "a:", "a:0", "a:65536", "a:b"):
        with pytest.raises(BadInput, match="is no ADDRESS:PORT"):
            resolved(bad)
    with pytest.raises(BadInput, match="has no IPv4 address"):
        resolved("no-such-host.invalid:1")


@contextmanager
def wired() -> Iterator[tuple[int, TcpWire]]:
    """(the terminal's end of a pty, the wire that carries its other end)."""
    master, slave = os.openpty()
    tty.setraw(slave)
    wire = TcpWire(os.ttyname(slave), 0)
    try:
        yield master, wire
    finally:
        wire.close()
        os.close(slave)
        os.close(master)


def called(wire: TcpWire) -> socket.socket:
    host, _colon, port = wire.address.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=10)


def heard(take: Any, count: int) -> bytes:
    data = b""
    while len(data) < count:
        data += take(count - len(data))
    return data


def test_bytes_go_both_ways_whole() -> None:
    data = bytes(range(256)) * 40
    with wired() as (master, wire), called(wire) as caller:
        caller.sendall(data)
        assert heard(lambda count: os.read(master, count), len(data)) == data
        os.write(master, data[:3000])
        assert heard(caller.recv, 3000) == data[:3000]


def test_a_second_caller_takes_the_place_of_the_first() -> None:
    with wired() as (master, wire), called(wire) as first:
        first.sendall(b"1")
        assert os.read(master, 10) == b"1"
        with called(wire) as second:
            assert first.recv(10) == b""
            second.sendall(b"2")
            assert os.read(master, 10) == b"2"
            os.write(master, b"3")
            assert second.recv(10) == b"3"
        with called(wire) as third:
            third.sendall(b"4")
            assert os.read(master, 10) == b"4"


def test_a_port_in_use_is_bad_input() -> None:
    with wired() as (_master, wire):
        port = int(wire.address.rpartition(":")[2])
        master, slave = os.openpty()
        with pytest.raises(BadInput, match=f"can't listen on TCP port {port}"):
            TcpWire(os.ttyname(slave), port)
        os.close(master)
        os.close(slave)
