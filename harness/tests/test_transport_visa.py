"""SCPI through PyVISA, against devices that behave and devices that do not, over TCP and over a serial line."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from harness.instruments.contracts import InstrumentError
from harness.instruments.transport.visa import Scpi
from harness.tests.instrument_fakes import DROP, TRICKLE, Lines, SerialLines, closed_port, scpi, serving

TABLE = {"READ?": "23.4,45,0", "OUTP?": "1"}


def test_asks_tells_and_says_who_it_is() -> None:
    with serving(scpi(TABLE)) as device:
        line = Scpi(device.visa)
        assert line.identity() == "HIL97,EMU-TEST,1,1.0"
        assert line.named("READ?", ["temperature_c", "humidity_pct", "door_open"]) == {
            "temperature_c": 23.4, "humidity_pct": 45.0, "door_open": 0.0,
        }
        assert line.switch("OUTP?")
        line.tell("TEMP:SETP 40")
        line.close()
        line.close()
    assert device.heard == [b"*CLS", b"*IDN?", b"READ?", b"OUTP?", b"TEMP:SETP 40", b"SYST:ERR?"]


def test_over_a_serial_line() -> None:
    device = SerialLines(scpi(TABLE))
    line = Scpi(device.visa, timeout_s=1)
    assert line.identity() == "HIL97,EMU-TEST,1,1.0"
    assert line.number("OUTP?") == 1
    with pytest.raises(InstrumentError, match=r"did not answer 'NONE\?' within 1 s"):
        line.ask("NONE?")
    assert line.switch("OUTP?")  # opened again
    line.close()
    device.close()


def test_a_serial_line_that_is_not_there() -> None:
    with pytest.raises(InstrumentError, match="ASRL/dev/nosuch::INSTR can't be reached: No such file") as told:
        Scpi("ASRL/dev/nosuch::INSTR").identity()
    assert told.value.remedy


def test_a_connection_that_is_refused() -> None:
    """pyvisa-py opens it without an error."""
    address = f"TCPIP::127.0.0.1::{closed_port()}::SOCKET"
    with pytest.raises(InstrumentError, match=f"{address} refuses the connection") as told:
        Scpi(address).identity()
    assert "switched on" in told.value.remedy


def test_a_connection_that_is_not_taken() -> None:
    """As with a host that swallows what is sent to it: here one whose queue is full."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        port = server.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        for one in fillers:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        with pytest.raises(InstrumentError, match="does not take the connection in time"):
            Scpi(f"TCPIP::127.0.0.1::{port}::SOCKET", timeout_s=0.3).identity()
        for one in fillers:
            one.close()


@pytest.mark.parametrize("address", ["rubbish", "TCPIP::127.0.0.1::99999::SOCKET", "GPIB0::3::INSTR", "", "http://x"])
def test_an_address_that_is_none(address: str) -> None:
    with pytest.raises(InstrumentError, match=r"can't be (opened|reached)"):
        Scpi(address).identity()


def test_a_name_that_nobody_has() -> None:
    with pytest.raises(InstrumentError, match=r"nosuch.invalid.* can't be reached") as told:
        Scpi("TCPIP::nosuch.invalid::5025::SOCKET").identity()
    assert "address in the inventory" in told.value.remedy


def test_no_answer_and_its_reason() -> None:
    """SCPI answers nothing to a query that is wrong; the list of errors has why."""
    with serving(scpi(TABLE | {"SYST:ERR?": '-113,"Undefined header"'})) as device:
        line = Scpi(device.visa, timeout_s=0.3)
        said = r"did not answer 'X\?' within 0.3 s; it says: -113, Undefined header"
        with pytest.raises(InstrumentError, match=said):
            line.ask("X?")


def _assert_is_given_up(line: Scpi) -> None:
    began = time.monotonic()
    with pytest.raises(InstrumentError, match=r"did not answer 'READ\?' within 1 s\n"):
        line.ask("READ?")
    assert time.monotonic() - began < 5  # of twenty seconds


def test_an_answer_that_only_trickles() -> None:
    """The time is that of the whole answer; what it has in its list of errors would be taken for the rest of it."""
    with serving(lambda line: TRICKLE if line == b"READ?" else scpi(TABLE)(line)) as device:
        line = Scpi(device.visa, timeout_s=1.0)
        assert line.identity()
        _assert_is_given_up(line)
        assert line.switch("OUTP?")  # opened again
    assert device.heard.count(b"SYST:ERR?") == 0


def test_an_answer_that_only_trickles_over_a_serial_line() -> None:
    device = SerialLines(lambda line: TRICKLE if line == b"READ?" else scpi(TABLE)(line))
    line = Scpi(device.visa, timeout_s=1.0)
    assert line.identity()
    _assert_is_given_up(line)
    line.close()
    device.close()


def test_an_answer_in_pieces() -> None:
    """Each of them in time, and the whole of it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        line = Scpi(f"TCPIP::127.0.0.1::{server.getsockname()[1]}::SOCKET", identify="", errors="")
        line.send("READ?")
        device, _ = server.accept()
        with device:
            pieces = [b"23", b".4,", b"45,0\n"]

            def say() -> None:
                for piece in pieces:
                    device.sendall(piece)
                    time.sleep(0.05)  # so that each is a packet

            said = threading.Thread(target=say)
            said.start()
            assert line.receive("READ?") == "23.4,45,0"
            said.join()
        line.close()


def test_a_late_answer_is_not_taken_for_the_next_one() -> None:
    may_answer = threading.Event()

    def answer(line: bytes) -> bytes:
        if line == b"LATE?":
            may_answer.wait(10)
            return b"late\n"
        return scpi(TABLE)(line)

    with serving(answer) as device:
        line = Scpi(device.visa, timeout_s=0.3)
        with pytest.raises(InstrumentError, match=r"did not answer"):
            line.ask("LATE?")
        may_answer.set()
        assert line.ask("OUTP?") == "1"
    assert device.heard.count(b"*IDN?") == 2  # it was opened again, and who it is was asked again


def test_a_command_that_it_refuses() -> None:
    errors = ['-222,"Data out of range"', '-113,"Undefined header"', '0,"No error"']

    def answer(line: bytes) -> bytes:
        if line == b"SYST:ERR?":
            return (errors.pop(0) if errors else '0,"No error"').encode() + b"\n"
        return scpi(TABLE)(line)

    with serving(answer) as device:
        line = Scpi(device.visa)
        with pytest.raises(InstrumentError, match="refused 'TEMP:SETP 900': -222, Data out of range") as told:
            line.tell("TEMP:SETP 900")
        assert told.value.remedy
        line.tell("TEMP:SETP 40")  # the list was read empty: it is not blamed for what stood in it


@pytest.mark.parametrize("said", [DROP, b"23.4,4" + DROP], ids=["before its answer", "in its answer"])
def test_a_connection_that_drops(said: bytes) -> None:
    with serving(lambda line: said if line == b"READ?" else scpi(TABLE)(line)) as device:
        line = Scpi(device.visa, timeout_s=0.5)
        assert line.identity()
        with pytest.raises(InstrumentError, match=r"dropped the connection at 'READ\?'"):
            line.ask("READ?")
        assert line.switch("OUTP?")  # and is there again


def test_a_connection_that_dropped_meanwhile() -> None:
    with serving(scpi(TABLE)) as device:
        line = Scpi(device.visa)
        line.identity()
        device.cut()
        with pytest.raises(InstrumentError, match="dropped the connection"):
            for _ in range(50):  # the end of a connection takes a moment to arrive
                line.switch("OUTP?")
        assert line.switch("OUTP?")


def test_a_device_that_went_away() -> None:
    device = Lines(scpi(TABLE))
    line = Scpi(device.visa)
    line.identity()
    device.close()
    with pytest.raises(InstrumentError, match=r"dropped|refuses"):
        for _ in range(50):
            line.ask("OUTP?")
    with pytest.raises(InstrumentError, match="refuses the connection"):
        line.ask("OUTP?")


def test_another_device_at_the_same_address() -> None:
    with serving(scpi(TABLE)) as device:
        line = Scpi(device.visa, timeout_s=0.5)
        line.identity()
        device.answer = scpi(TABLE, idn="OTHER,DEVICE,0,0")
        device.cut()
        with pytest.raises(InstrumentError, match="another instrument than expected: it is 'OTHER,DEVICE,0,0'"):
            for _ in range(50):
                try:
                    line.ask("OUTP?")
                except InstrumentError as error:
                    if "dropped" not in str(error):
                        raise


@pytest.mark.parametrize("said", ["", "\x00\x01\x02", "\xff\xfe", "x" * 50_000], ids=lambda said: repr(said)[:20])
def test_an_identity_that_is_none(said: str) -> None:
    with serving(scpi(TABLE, idn=said)) as device, pytest.raises(InstrumentError, match="which is no identity"):
        Scpi(device.visa).identity()


@pytest.mark.parametrize("said", ["on", "23.4;45", "", "nan", "-", "\x1b[2J\x07"], ids=repr)
def test_an_answer_that_is_none(said: str) -> None:
    with serving(scpi({"X?": said})) as device, pytest.raises(InstrumentError, match="which is no number") as told:
        Scpi(device.visa).number("X?")
    assert "\x1b" not in str(told.value)


def test_a_flood() -> None:
    with serving(lambda line: b"x" * 200_000 if line == b"X?" else scpi(TABLE)(line)) as device:
        line = Scpi(device.visa, timeout_s=1)
        with pytest.raises(InstrumentError, match="which is no line"):
            line.ask("X?")
        assert line.switch("OUTP?")


def test_something_that_nobody_asked_for() -> None:
    with serving(lambda line: b"1\n2\n" if line == b"OUTP?" else scpi(TABLE)(line)) as device:
        line = Scpi(device.visa)
        assert line.ask("OUTP?") == "1"
        with pytest.raises(InstrumentError, match="said '2' without being asked"):
            line.ask("READ?")


def test_no_reading() -> None:
    said = r"has no reading for 'READ\?': it answered 9.91E37"
    with serving(scpi({"READ?": "9.91E37,45"})) as device, pytest.raises(InstrumentError, match=said):
        Scpi(device.visa).named("READ?", ["temperature_c", "humidity_pct"])
