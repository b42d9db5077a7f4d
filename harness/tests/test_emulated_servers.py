"""The emulated instruments, spoken to: each protocol, its faults, the control socket, and what is sent wrongly."""

from __future__ import annotations

import io
import re
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from pymodbus.client import ModbusTcpClient
from pymodbus.pdu.mei_message import ReadDeviceInformationResponse

from harness.instruments.emulated.plan import KINDS
from harness.terminal.cards import CHIP, MAGNETIC
from harness.tests.instrument_helpers import ScpiLine, Servers, eventually

CARDS = {"stripe": {"track2": MAGNETIC.track2}, "chip": {"track2": CHIP.track2, "chip": CHIP.chip()}}
WILD = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """One of each kind, ten times as fast where that can be."""
    instruments: dict[str, Any] = {kind: {"kind": kind} for kind in KINDS}
    instruments["card_robot"]["cards"] = CARDS
    folder = tmp_path_factory.mktemp("servers")
    with Servers(folder, instruments, climate_scale=600, time_scale=10) as servers:
        yield servers


@pytest.fixture(autouse=True)
def healed(servers: Servers) -> Iterator[None]:
    yield
    for name in servers.addresses:
        servers.fault(name, "heal")


SCPI = ["chamber", "supply", "burst", "esd", "surge", "field"]
READINGS = {"chamber": 6, "supply": 3, "burst": 5, "esd": 5, "surge": 5, "field": 5}


@pytest.mark.parametrize("name", SCPI)
def test_each_says_who_it_is_reads_in_one_answer_and_starts_safe(servers: Servers, name: str) -> None:
    line = servers.scpi(name)
    assert re.fullmatch(r"HIL97,EMU-[A-Z]+,[0-9A-F]{8},\S+", line.ask("*IDN?"))
    line.do("*RST")
    assert len([float(value) for value in line.ask("READ?").split(",")]) == READINGS[name]
    assert eventually(lambda: servers.state(name)["safe"])


def test_the_manual_names_every_command() -> None:
    """Patterns of the trees stand in docs/instruments-emulated.md as they are."""
    manual = (Path(__file__).parents[2] / "docs" / "instruments-emulated.md").read_text(encoding="utf-8")
    sources = [Path(__file__).parents[1] / "instruments" / "emulated" / f"{name}.py"
               for name in ("climate", "mains", "disturbers")]
    patterns = {
        pattern for source in sources
        for pattern in re.findall(r'(?:setting|switch|action|question|reads)\(\s*"([^"]+)"', source.read_text("utf-8"))
    }
    assert len(patterns) > 35
    missing = {pattern for pattern in patterns if f"`{pattern}" not in manual}
    assert missing == set()


def test_a_chamber_ramps_and_stops(servers: Servers) -> None:
    line = servers.scpi("chamber")
    line.do("*RST;:TEMP:SETP 40;RAMP 20;:OUTP ON")
    assert int(line.ask("STAT:OPER:COND?")) & 1
    eventually(lambda: int(line.ask("STAT:OPER:COND?")) & 4)
    assert float(line.ask("MEAS:TEMP?")) == pytest.approx(40, abs=1)
    line.do("OUTP OFF")
    assert line.ask("OUTP?;:STAT:OPER:COND?") == "0;0"


def test_a_chamber_does_not_run_with_its_door_open(servers: Servers) -> None:
    line = servers.scpi("chamber")
    line.do("*RST")
    servers.door("chamber", True)
    try:
        assert line.ask("OUTP ON;DOOR:STAT?;:SYST:ERR?").startswith('1;-221,"Settings conflict;the door is open')
    finally:
        servers.door("chamber", False)


def test_completion_of_dips_is_waited_for(servers: Servers) -> None:
    line = servers.scpi("supply")
    line.do("*RST;:DIP:RES 40;DUR 10MS;COUN 3;INT 100MS")
    begun = time.monotonic()
    assert line.ask("INIT:DIP;*OPC?") == "1"
    assert time.monotonic() - begun >= 0.2
    assert line.ask("OUTP OFF;INIT:DIP;:SYST:ERR?").startswith('-221,"Settings conflict;the output is off')
    line.do("*RST")


def test_a_generator_fires_when_it_is_ready_and_not_before(servers: Servers) -> None:
    line = servers.scpi("surge")
    line.do("*RST;:VOLT 2KV;:PULS:COUN 2;INT 0.2;:ARM")
    assert line.ask("INIT;:SYST:ERR?").startswith('-211,"Trigger ignored')
    before = servers.state("surge")["pulses"]
    eventually(lambda: line.ask("ARM:STAT?") == "READY")
    assert line.ask("INIT;*OPC?") == "1"
    assert servers.state("surge")["pulses"] == before + 2
    servers.door("surge", True)
    state, interlock, volts = line.ask("ARM:STAT?;:INT:STAT?;:MEAS:VOLT?").split(";")
    assert (state, interlock) == ("OFF", "0") and float(volts) < 10
    assert line.ask("ARM;:SYST:ERR?").startswith('-221,"Settings conflict;the interlock')
    servers.door("surge", False)


def test_a_field_needs_a_warm_amplifier(servers: Servers) -> None:
    line = servers.scpi("field")
    line.do("*RST")
    assert line.ask("OUTP ON;:SYST:ERR?").startswith("-221")
    line.do("FREQ 900MHZ;:FIEL 10;:AMPL ON")
    assert line.ask("*OPC?;:AMPL:READ?") == "1;1"
    line.do("OUTP ON")
    assert line.ask("*OPC?") == "1"
    field, *others = (float(value) for value in line.ask("READ?").split(","))
    assert field == pytest.approx(10, abs=0.2)
    assert others == [900, 1, 1, 1]  # MHz, output, ready, interlock
    line.do("*RST")
    assert servers.state("field")["safe"]


def test_a_power_switch_speaks_as_a_shelly_does(servers: Servers) -> None:
    outlet = servers.http("power_switch")
    assert outlet.get("/rpc/Shelly.GetDeviceInfo").json()["model"] == "HIL97-EMU-SWITCH"
    assert outlet.get("/rpc/Switch.Set?id=0&on=false").json() == {"was_on": True}
    assert outlet.get("/rpc/Switch.GetStatus?id=0").json()["output"] is False
    assert servers.state("power_switch") == {"kind": "power_switch", "faults": [], "safe": False, "output_on": False}
    framed = outlet.post("/rpc", json={"id": 7, "method": "Switch.Set", "params": {"id": 0, "on": True}}).json()
    assert (framed["id"], framed["result"]) == (7, {"was_on": False})
    assert outlet.get("/rpc/Switch.Set?id=3&on=true").status_code == 500
    assert outlet.get("/rpc/Nothing").status_code == 404


def test_hands_want_a_terminal_and_a_card_that_they_have(servers: Servers) -> None:
    robot, finger = servers.http("card_robot"), servers.http("key_pusher")
    assert robot.get("/v1/info").json()["model"] == "EMU-ROBOT"
    assert robot.get("/v1/status").json() == {
        "arm": "parked", "card": None, "card_inside": False, "magazine": ["stripe", "chip"]
    }
    for path, body, code in [
        ("swipe", {"card": "gold"}, "no_such_card"), ("insert", {"card": "stripe"}, "no_chip"),
        ("swipe", {"card": "stripe"}, "no_terminal"), ("swipe", {"card": "stripe", "speed_cm_s": 0}, "bad_parameter"),
        ("swipe", {}, "bad_parameter"), ("remove", {}, "no_card"),
    ]:
        assert robot.post(f"/v1/{path}", json=body).json()["error"]["code"] == code, path
    assert finger.post("/v1/press", json={"key": "F13"}).json()["error"]["code"] == "no_such_key"
    assert finger.post("/v1/park", json={}).json()["arm"] == "parked"
    assert finger.get("/v1/press").status_code == 405


def test_a_camera_sees_an_empty_bench(servers: Servers) -> None:
    picture = servers.http("camera").get("/snapshot.png")
    assert picture.headers["content-type"] == "image/png"
    assert Image.open(io.BytesIO(picture.content)).getcolors() == [(128 * 64, 128)]


def product(client: ModbusTcpClient, unit: int) -> object:
    answer = client.read_device_information(device_id=unit)
    assert isinstance(answer, ReadDeviceInformationResponse)
    return answer.information[1]


def test_a_relay_and_a_paper_sensor_speak_modbus(servers: Servers) -> None:
    relay, paper = servers.modbus("relay"), servers.modbus("printer_sensor")
    assert [product(relay, 1), product(paper, 9)] == [b"EMU-RELAY", b"EMU-PAPER"]
    assert relay.read_coils(0, count=8).bits == [True] * 8
    assert not relay.write_coil(2, False).isError()
    assert relay.read_coils(2, count=1).bits[0] is False
    assert servers.state("relay")["safe"] is False
    assert not relay.write_coils(0, [True] * 8).isError()
    assert servers.state("relay")["safe"] is True
    assert paper.read_input_registers(0, count=4).registers == [0, 0, 1, 40000]
    assert [relay.read_coils(5, count=8).exception_code, relay.read_input_registers(0, count=1).exception_code,
            relay.read_holding_registers(0, count=1).exception_code] == [2, 2, 1]


def test_a_contact_is_told_to_those_who_control(servers: Servers) -> None:
    relay = servers.modbus("relay")
    relay.write_coil(0, False)
    relay.write_coil(0, True)
    servers.control.ask("state")
    contacts = [one for one in servers.control.events if one["ev"] == "contact"]
    assert [(one["channel"], one["closed"]) for one in contacts][-2:] == [(1, False), (1, True)]


# -- faults


def ask_any(servers: Servers, name: str) -> str:
    """Its identity, by whatever it speaks. Raises OSError where nothing comes."""
    address = servers.addresses[name]
    if address.startswith("TCPIP"):
        line = ScpiLine(address)
        try:
            return line.ask("*IDN?")
        finally:
            line.close()
    host, port = address.split("//")[1].split(":")
    with socket.create_connection((host, int(port)), 10) as sock:
        sock.settimeout(10)
        if address.startswith("modbus"):
            sock.sendall(b"\0\1\0\0\0\5\1\x2b\x0e\1\0")
            answer = b""
            while len(answer) < 6 or len(answer) < 6 + struct.unpack(">H", answer[4:6])[0]:
                part = sock.recv(4096)
                if not part:
                    raise ConnectionAbortedError(f"cut after {answer!r}")
                answer += part
            return answer.decode("latin-1")
        path = "/rpc/Shelly.GetDeviceInfo" if name == "power_switch" else "/v1/info"
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: sock.recv(4096), b""))
        if not answer.endswith(b"}\n"):
            raise ConnectionAbortedError(f"cut after {answer!r}")
        return answer.decode()


@pytest.mark.parametrize("name", list(KINDS))
def test_each_can_refuse_be_cut_be_slow_and_be_another_and_heal(servers: Servers, name: str) -> None:
    whole = ask_any(servers, name)
    assert "HIL97" in whole
    servers.fault(name, "refuse")
    with pytest.raises(ConnectionRefusedError):
        ask_any(servers, name)
    servers.fault(name, "heal")
    assert ask_any(servers, name) == whole
    servers.fault(name, "drop")
    with pytest.raises(ConnectionError):
        ask_any(servers, name)
    servers.fault(name, "heal")
    servers.fault(name, "slow", seconds=0.2)
    begun = time.monotonic()
    assert ask_any(servers, name) == whole
    assert time.monotonic() - begun >= 0.2
    servers.fault(name, "heal")
    servers.fault(name, "identity")
    assert "OTHER" in (other := ask_any(servers, name)) and "HIL97" not in other
    servers.fault(name, "heal")
    assert ask_any(servers, name) == whole
    assert servers.state(name)["faults"] == []


def test_a_connection_that_stands_is_ended_by_refusing(servers: Servers) -> None:
    line = servers.scpi("supply")
    assert line.ask("OUTP?") == "1"
    servers.fault("supply", "refuse")
    with pytest.raises(ConnectionError):
        line.ask("OUTP?")
    assert servers.state("supply")["safe"]  # seen without a conversation


def test_failing_and_lying_ones(servers: Servers) -> None:
    servers.fault("chamber", "impossible", value=-300)
    servers.fault("supply", "impossible")
    assert servers.scpi("chamber").ask("MEAS:TEMP?") == "-300"
    assert servers.scpi("supply").ask("READ?").split(",")[0] == "9.91E+37"
    servers.fault("printer_sensor", "impossible")
    assert servers.modbus("printer_sensor").read_input_registers(0, count=2).registers == [65535, 65535]
    servers.fault("relay", "errors")
    assert servers.modbus("relay").read_coils(0, count=1).exception_code == 4
    servers.fault("camera", "errors")
    assert servers.http("camera").get("/snapshot.png").status_code == 500
    servers.fault("burst", "errors")
    line = servers.scpi("burst")
    line.tell("ARM")
    assert line.ask("SYST:ERR?").startswith('-310,"System error')
    assert servers.state("burst")["armed"] is False


# -- what is sent wrongly


@WILD
@given(st.binary(min_size=1, max_size=300))
def test_no_bytes_end_an_instrument(servers: Servers, data: bytes) -> None:
    for name in ("chamber", "power_switch", "relay", "camera"):
        address = servers.addresses[name]
        host, port = (address.split("::")[1:3] if "::" in address else address.split("//")[1].split(":"))
        with socket.create_connection((host, int(port)), 10) as sock:
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
            sock.settimeout(10)
            while sock.recv(4096):
                pass
        assert "HIL97" in ask_any(servers, name)
    servers.scpi("chamber").tell("*CLS")


def test_a_line_that_is_too_long_is_an_error(servers: Servers) -> None:
    line = servers.scpi("chamber")
    line.do("*RST")
    line.tell("*CLS;" + "A" * 200_000)
    assert line.ask("SYST:ERR?").startswith('-363,"Input buffer overrun')
    assert line.ask("*IDN?").startswith("HIL97")


def test_wrong_requests_of_control_are_refused(servers: Servers) -> None:
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"op": "fault", "instrument": "kettle", "what": "slow"}, "no instrument 'kettle'"),
        ({"op": "fault", "instrument": "chamber", "what": "burn"}, "a fault is refuse, slow"),
        ({"op": "fault", "instrument": "chamber", "what": "slow", "seconds": -1}, "seconds is a number"),
        ({"op": "fault", "instrument": "chamber", "what": "slow", "seconds": True}, "seconds is a number"),
        ({"op": "attach", "panel": 5}, "panel is the path"),
        ({"op": "attach", "panel": "/nope"}, "no terminal answers"),
        ({"op": "door", "instrument": "chamber", "open": 1}, "open is true or false"),
        ({"op": "door", "instrument": "camera", "open": True}, "has no door"), ({"op": "dance"}, "there is no 'dance'"),
    ]
    for request, said in wrong:
        reply = servers.control.ask(**request)
        assert reply["ok"] is False and said in reply["error"], request
    assert servers.control.raw(b"{")["re"] is None
    assert servers.control.raw(b'{"id": true, "op": "state"}')["re"] is None
    assert servers.control.raw(b"[" * 100_000)["ok"] is False


@WILD
@given(st.binary(max_size=200).filter(lambda data: b"\n" not in data and data.strip()))
def test_no_bytes_end_the_control_socket(servers: Servers, data: bytes) -> None:
    assert servers.control.raw(data)["ok"] is False
    assert servers.control.ask("state")["ok"]
