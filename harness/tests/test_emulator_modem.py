"""The emulated modem by itself: what it answers, what it says by itself, and what is around it. Then its keeper in the
firmware, on a real serial line to it."""

from __future__ import annotations

import os
import selectors
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.emulator import panel_requests
from harness.emulator.data_port import DataPort
from harness.emulator.firmware.app import at, link
from harness.emulator.firmware.app import modem as keeper
from harness.emulator.firmware.app.loop import Loop
from harness.emulator.mobile import Mobile
from harness.emulator.modem import REGISTER_S, Modem
from harness.errors import BadInput
from harness.tests.lab_helpers import make_sure_of_a_lab
from harness.wire import netns
from harness.wire.interface import Interface
from harness.wire.topology import END, TERMINAL_PORT, Topology

BRING_UP = ("AT+CGATT=1", 'AT+CGDCONT=1,"IP","cmnet"', "AT+CGACT=1,1")


class Desk:
    """A modem with its power on and registered, and a hand to type at it. ``sessions`` is what it told."""

    def __init__(self) -> None:
        self.sessions: list[bool] = []
        self.changes = 0
        self.modem = Modem(1.0, self.sessions.append, self._changed)
        self.modem.power(True, 0.0)
        assert self.type("ATE0") == ["OK"]

    def _changed(self) -> None:
        self.changes += 1

    def type(self, line: str) -> list[str]:
        """The lines that it answers, without those it echoes."""
        self.modem.feed(line.encode("latin-1") + b"\r")
        return [one for one in self.said() if one != line]

    def said(self) -> list[str]:
        lines = self.modem.out.decode("latin-1").replace("\r", "\n").split("\n")
        self.modem.out.clear()
        return [line for line in lines if line]

    def register(self) -> Desk:
        self.modem.tick(REGISTER_S)
        return self

    def up(self) -> Desk:
        self.register()
        assert [self.type(line) for line in BRING_UP] == [["OK"]] * 3
        return self


def test_it_echoes_until_it_is_told_not_to() -> None:
    modem = Modem(1.0, lambda up: None, lambda: None)
    modem.power(True, 0.0)
    modem.feed(b"AT\r")
    assert modem.out == b"AT\r\r\nOK\r\n"
    modem.out.clear()
    modem.feed(b"ATE0\rat\r")
    assert modem.out == b"ATE0\r\r\nOK\r\n\r\nOK\r\n"


def test_registration_takes_its_time_and_is_told() -> None:
    desk = Desk()
    assert desk.type("AT+CEREG=1") == ["OK"]
    assert desk.type("AT+CEREG?") == ["+CEREG: 1,2", "OK"]
    desk.modem.tick(REGISTER_S - 0.01)
    assert desk.said() == []
    desk.register()
    assert desk.said() == ["+CEREG: 1"]
    assert desk.type("AT+CREG?") == ["+CREG: 1,1", "OK"]


@pytest.mark.parametrize(("around", "answers"), [
    ({"signal": "none"}, {"AT+CSQ": "+CSQ: 99,99", "AT+CEREG?": "+CEREG: 0,2"}),
    ({"signal": "weak"}, {"AT+CSQ": "+CSQ: 3,99", "AT+CEREG?": "+CEREG: 0,1"}),
    ({"registration": "denied"}, {"AT+CSQ": "+CSQ: 22,99", "AT+CEREG?": "+CEREG: 0,3"}),
    ({"sim": "missing"}, {"AT+CPIN?": "ERROR", "AT+CEREG?": "+CEREG: 0,0"}),
    ({"data": "refused"}, {"AT+CPIN?": "+CPIN: READY", "AT+CEREG?": "+CEREG: 0,1"}),
])
def test_what_is_around_it(around: dict[str, str], answers: dict[str, str]) -> None:
    desk = Desk().register()
    desk.modem.set(10.0, **around)
    desk.modem.tick(20.0)
    assert {line: desk.type(line)[0] for line in answers} == answers


def test_a_session_needs_registration_attachment_and_a_context() -> None:
    desk = Desk()
    desk.type("AT+CMEE=1")
    assert [desk.type(line) for line in BRING_UP] == [["+CME ERROR: 30"], ["OK"], ["+CME ERROR: 30"]]
    desk.register()
    assert desk.type("AT+CGACT=1,1") == ["+CME ERROR: 30"]
    assert desk.type("AT+CGATT=1;+CGACT=1,1") == ["OK"]
    assert (desk.type("AT+CGACT?"), desk.sessions) == (["+CGACT: 1,1", "OK"], [True])
    assert desk.type("AT+CGDCONT?") == ['+CGDCONT: 1,"IP","cmnet"', "OK"]
    assert desk.type("AT+CGACT=0,1") == ["OK"] and desk.sessions == [True, False]


@pytest.mark.parametrize("lose", [
    lambda modem: modem.set(10.0, signal="none"), lambda modem: modem.set(10.0, registration="denied"),
    lambda modem: modem.set(10.0, sim="missing"), lambda modem: modem.set(10.0, data="refused"),
    Modem.drop, lambda modem: modem.power(False, 10.0),
])
def test_a_session_ends(lose: Callable[[Modem], None]) -> None:
    desk = Desk().up()
    desk.type("AT+CGEREP=2,1")
    lose(desk.modem)
    assert desk.sessions == [True, False] and desk.modem.told()["session"] is False
    assert ("+CGEV: NW PDN DEACT 1" in desk.said()) == desk.modem._on


def test_what_is_refused_and_what_is_granted_again() -> None:
    desk = Desk().up()
    desk.type("AT+CMEE=1")
    desk.modem.set(10.0, data="refused")
    assert desk.type("AT+CGACT=1,1") == ["+CME ERROR: 133"]
    desk.modem.set(11.0, data="granted")
    assert desk.type("AT+CGACT=1,1") == ["OK"]
    desk.modem.set(12.0, sim="missing")
    assert desk.type("AT+CPIN?") == ["+CME ERROR: 10"]
    desk.modem.set(13.0, sim="present")
    assert desk.type("AT+CEREG?") == ["+CEREG: 0,2", "OK"]
    desk.modem.tick(13.0 + REGISTER_S)
    assert [desk.type(line) for line in ("AT+CGATT=1", "AT+CGACT=1,1")] == [["OK"], ["OK"]]


def test_without_power_it_is_dumb_and_has_forgotten() -> None:
    desk = Desk().up()
    desk.modem.power(False, 5.0)
    assert desk.type("AT") == []
    desk.modem.power(True, 6.0)
    desk.modem.feed(b"AT+CGACT?\r")
    assert desk.said() == ["AT+CGACT?", "+CGACT: 1,0", "OK"], "it echoes again, and its session is gone"


@pytest.mark.parametrize("line", [
    "AT+NONE", "AT+CGACT=1,2", 'AT+CGDCONT=2,"IP","x"', 'AT+CGDCONT=1,"IP","a b"', "AT+CSQ=1", "hello",
    "AT+CEREG=7",
])
def test_what_it_does_not_know_is_an_error(line: str) -> None:
    assert Desk().register().type(line) == ["ERROR"]


@given(st.lists(st.one_of(st.binary(max_size=40), st.sampled_from([b"AT\r", b"AT+CGACT=1,1\r", b"\x08", b"\r\n"]))))
def test_any_bytes_are_answered_somehow_and_it_lives_on(pieces: list[bytes]) -> None:
    desk = Desk().up()
    for piece in pieces:
        desk.modem.feed(piece)
    desk.modem.feed(b"\r")
    desk.said()
    assert desk.type("ATE0")[-1:] == ["OK"]


@given(st.binary(max_size=3000), st.integers(1, 100))
def test_any_bytes_of_a_modem_are_lines(data: bytes, size: int) -> None:
    lines, whole = at.Lines(), at.Lines()
    found = [line for place in range(0, len(data), size) for line in lines.feed(data[place : place + size])]
    assert found == whole.feed(data)
    for line in found:
        assert len(line) <= at.LONGEST_LINE
        at.is_final(line), at.registration(line), at.came_by_itself(line), at.signal(line), at.session(line)


@pytest.mark.parametrize(("line", "state", "asked"), [
    ("+CEREG: 1", 1, False), ("+CEREG: 1,5", 5, True), ("+CREG: 0,3", 3, True),
    ('+CEREG: 2,1,"1A2B","01C3",7', 1, True),
])
def test_registration_is_read(line: str, state: int, asked: bool) -> None:
    assert at.registration(line) == (state, asked) and at.came_by_itself(line) is not asked


@pytest.mark.parametrize("line", ["+CEREG:", "+CEREG: x", "+CSQ: 1,99", "OK", "+CEREG: ²"])
def test_what_is_no_registration(line: str) -> None:
    assert at.registration(line) is None


@pytest.mark.parametrize(("line", "dbm"), [
    ("+CSQ: 0,99", -113), ("+CSQ: 31,0", -51), ("+CSQ: 99,99", None), ("+CSQ: 32,99", None), ("+CSQ: x", None),
    ("OK", None),
])
def test_the_signal_is_read(line: str, dbm: int | None) -> None:
    assert at.signal(line) == dbm


@pytest.mark.parametrize(("request_", "reason"), [
    ({}, "nothing is to be changed"), ({"signal": "strong"}, "signal is none or weak or good"),
    ({"drop": 1.5}, "drop is True or False"), ({"colour": "red"}, "a modem has no 'colour'"), ({"sim": None}, "sim is"),
])
def test_what_the_panel_can_not_want(request_: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadInput, match=reason):
        panel_requests.modem({"id": 1, "op": "modem", **request_})


# -- its keeper --------------------------------------------------------------------------------------------------------


class Set:
    """A modem on its line, and the firmware that keeps it."""

    def __init__(self, time_scale: float = 50.0) -> None:
        self.selector = selectors.DefaultSelector()
        self.told: list[dict[str, Any]] = []
        self.mobile = Mobile(self.selector, time_scale, None, self.told.append)
        self.loop = Loop(lambda: None)
        self.keeper = keeper.Modem(self.mobile.terminal_fd, time_scale, lambda: "cmnet")
        self.loop.listen(self.mobile.terminal_fd, self.keeper.heard)

    def start(self) -> Set:
        self.mobile.power(True)
        self.loop.start(self.keeper.run())
        return self

    def until(self, condition: Callable[[], object], seconds: float = 20.0) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, (self.keeper.trouble, self.told[-1:])
            self.loop.turn(0.005)
            for key, events in self.selector.select(0):
                key.data(events)
            self.mobile.tick()

    @property
    def session(self) -> bool:
        return bool(self.mobile.modem.told()["session"])


@pytest.fixture
def line() -> Iterator[Set]:
    made = Set()
    yield made
    os.close(made.mobile.terminal_fd)


def test_it_brings_the_session_up_and_says_how_strong_the_signal_is(line: Set) -> None:
    line.start().until(lambda: not line.keeper.trouble)
    assert line.session
    assert (line.keeper.bars, line.keeper.report) == ("信号强", "modem=up signal=-69dBm")
    line.mobile.obey({"signal": "weak"})
    line.until(lambda: line.keeper.bars == "信号弱")
    assert not line.keeper.trouble and line.session


@pytest.mark.parametrize(("around", "trouble", "bars"), [
    ({"signal": "none"}, "无信号", "无网"), ({"registration": "denied"}, "网络注册失败", "信号强"),
    ({"data": "refused"}, "数据连接失败", "信号强"), ({"sim": "missing"}, "未插SIM卡", "无网"),
])
def test_it_says_what_is_in_the_way_and_comes_back_by_itself(
    line: Set, around: dict[str, str], trouble: str, bars: str
) -> None:
    line.start().until(lambda: not line.keeper.trouble)
    line.mobile.obey(around)
    line.until(lambda: line.keeper.trouble == trouble)
    assert line.keeper.bars == bars and not line.session
    line.mobile.obey({"signal": "good", "sim": "present", "registration": "home", "data": "granted"})
    line.until(lambda: not line.keeper.trouble)
    assert line.session


def test_a_session_that_the_network_ended_is_made_again_without_being_asked(line: Set) -> None:
    line.start().until(lambda: line.session)
    line.mobile.obey({"drop": True})
    assert not line.session
    line.until(lambda: line.session)


def test_a_modem_that_says_nothing_is_broken_until_it_speaks(line: Set, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "SHORTEST_NETWORK_S", 0.3)
    line.loop.start(line.keeper.run())  # it has no power
    line.until(lambda: line.keeper.trouble == "通讯模块故障")
    line.mobile.power(True)
    line.until(lambda: line.session)


def test_the_data_interface_has_a_carrier_only_while_there_is_a_session() -> None:
    make_sure_of_a_lab()
    with Topology.build(addressed=False) as topology:
        with netns.inside(topology.terminal_fd):
            port, plug = DataPort(TERMINAL_PORT, topology.wire_fd), Interface(END)
            here = netns.identity()
            assert here == netns.identity(topology.terminal_fd), "it came back"
        told: list[dict[str, Any]] = []
        mobile = Mobile(selectors.DefaultSelector(), 1.0, port, told.append)
        assert not plug.has_carrier()
        mobile.power(True)
        mobile.modem.tick(time.monotonic() + REGISTER_S)
        for command in BRING_UP:
            mobile.modem.feed(command.encode() + b"\r")
        assert plug.has_carrier() and told[-1]["session"]
        mobile.obey({"drop": True})
        assert not plug.has_carrier()
        os.close(mobile.terminal_fd)
