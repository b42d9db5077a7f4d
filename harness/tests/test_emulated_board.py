"""What emulated instruments do to the terminal on the bench: one that keeps what it is told, and a real board."""

from __future__ import annotations

import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image

from harness.emulator.build import build
from harness.instruments.screen import png
from harness.terminal.cards import CHIP, CONTACTLESS, MAGNETIC
from harness.tests.emulator_bench import PROBE, SIGNING_KEY, Terminal
from harness.tests.instrument_helpers import FakeBoard, Servers, eventually

CARDS = {
    "stripe": {"track2": MAGNETIC.track2}, "chip": {"track2": CHIP.track2, "chip": CHIP.chip()},
    "contactless": {"chip": CONTACTLESS.chip()},
}
INSTRUMENTS = {
    **{kind: {"kind": kind} for kind in ("chamber", "supply", "power_switch", "burst", "esd", "field", "key_pusher",
                                         "camera", "printer_sensor")},
    "card_robot": {"kind": "card_robot", "cards": CARDS},
}  # fmt: skip


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    with Servers(tmp_path_factory.mktemp("servers"), INSTRUMENTS, climate_scale=600, time_scale=10) as servers:
        yield servers


@pytest.fixture
def board(servers: Servers, tmp_path: Path) -> Iterator[FakeBoard]:
    board = FakeBoard(tmp_path / "panel")
    for name in ("chamber", "supply", "burst", "esd", "field"):
        servers.scpi(name).do("*RST")
    assert servers.control.ask("attach", panel=str(board.path))["ok"]
    yield board
    assert servers.control.ask("attach", panel=None)["ok"]
    board.close()


def test_a_terminal_is_told_at_once_what_surrounds_it(board: FakeBoard) -> None:
    eventually(lambda: len(board.around()) == 4)
    around = board.around()
    assert around["voltage_v"] == 230 and around["field_v_m"] == 0
    assert -40 < around["temperature_c"] < 80 and 0 < around["humidity_pct"] <= 100


def test_it_feels_a_ramp_step_by_step(servers: Servers, board: FakeBoard) -> None:
    chamber = servers.scpi("chamber")
    chamber.do("TEMP:SETP 45;RAMP MAX;:OUTP ON")
    eventually(lambda: abs(board.around()["temperature_c"] - 45) < 0.5)
    eventually(lambda: servers.state("chamber")["settled"])
    told = [fields["temperature_c"] for fields in board.told("surroundings") if "temperature_c" in fields]
    warming = told[: told.index(max(told)) + 1]
    assert len(warming) > 4 and warming == sorted(warming)
    chamber.do("OUTP OFF")


def test_it_feels_the_supply_and_does_the_dips_itself(servers: Servers, board: FakeBoard) -> None:
    supply = servers.scpi("supply")
    supply.do("VOLT 190")
    eventually(lambda: board.around()["voltage_v"] == 190)
    supply.do("VOLT 230;:DIP:RES 40;DUR 200MS;COUN 2;INT 0.3")
    supply.ask("INIT:DIP;*OPC?")
    assert board.told("dip") == [{"residual_pct": 40.0, "duration_ms": 200.0}] * 2
    first, second = (at for op, _, at in board.asked if op == "dip")
    assert second - first > 0.25
    supply.do("OUTP OFF")
    eventually(lambda: board.around()["voltage_v"] == 0)
    supply.do("OUTP ON")
    eventually(lambda: board.around()["voltage_v"] == 230)


def test_what_it_draws_depends_on_whether_it_is_on(servers: Servers, board: FakeBoard) -> None:
    supply = servers.scpi("supply")
    assert servers.state("supply")["current_a"] == pytest.approx(12 / 230, abs=1e-4)
    board.say({"ev": "power", "t": 1, "state": "off", "reason": "operator"})
    eventually(lambda: servers.state("supply")["current_a"] == pytest.approx(0.5 / 230, abs=1e-4))
    board.say({"ev": "power", "t": 1, "state": "on", "reason": "operator"})
    eventually(lambda: servers.state("supply")["current_a"] > 0.01)
    supply.do("CURR:LIM 0.02")
    assert supply.ask("STAT:QUES:COND?") == "2"
    eventually(lambda: board.around()["voltage_v"] == pytest.approx(0.02 * 230**2 / 12, abs=0.1))
    supply.do("CURR:LIM MAX")


def test_a_power_switch_takes_its_mains(servers: Servers, board: FakeBoard) -> None:
    outlet = servers.http("power_switch")
    outlet.get("/rpc/Switch.Set?id=0&on=false")
    eventually(lambda: board.around()["voltage_v"] == 0)
    servers.scpi("supply").ask("INIT:DIP;*OPC?")
    assert board.told("dip") == []  # nothing dips that is not fed
    outlet.get("/rpc/Switch.Set?id=0&on=true")
    eventually(lambda: board.around()["voltage_v"] == 230)


def test_without_a_supply_the_mains_are_nominal(tmp_path: Path) -> None:
    board = FakeBoard(tmp_path / "panel")
    with Servers(tmp_path, {"switch": {"kind": "power_switch", "nominal_v": 220}}) as servers:
        assert servers.control.ask("attach", panel=str(board.path))["ok"]
        eventually(lambda: board.around() == {"voltage_v": 220})
        outlet = servers.http("switch")
        assert outlet.get("/rpc/Switch.GetStatus?id=0").json()["apower"] == pytest.approx(12, abs=0.1)
        outlet.get("/rpc/Switch.Set?id=0&on=false")
        eventually(lambda: board.around() == {"voltage_v": 0})
        assert outlet.get("/rpc/Switch.GetStatus?id=0").json()["apower"] == 0
    board.close()


def test_pulses_hit_it(servers: Servers, board: FakeBoard) -> None:
    esd, burst = servers.scpi("esd"), servers.scpi("burst")
    esd.do("VOLT 8KV;:PULS:COUN 3;INT 0.1;:ARM")
    burst.do("VOLT 2KV;:BURS:DUR 0.2;:ARM")
    eventually(lambda: esd.ask("ARM:STAT?") == burst.ask("ARM:STAT?") == "READY")
    assert esd.ask("INIT;*OPC?") == burst.ask("INIT;*OPC?") == "1"
    assert board.told("pulse") == [
        *[{"sort": "esd", "level_kv": 8.0, "duration_ms": 0.0, "count": 1}] * 3,
        {"sort": "burst", "level_kv": 2.0, "duration_ms": 200.0, "count": 1},
    ]


def test_it_stands_in_a_field(servers: Servers, board: FakeBoard) -> None:
    field = servers.scpi("field")
    field.do("FIEL 10;:AMPL ON")
    assert field.ask("*OPC?") == "1"
    field.do("OUTP ON")
    assert field.ask("*OPC?") == "1"
    eventually(lambda: board.around()["field_v_m"] == 10)
    servers.door("field", True)
    eventually(lambda: board.around()["field_v_m"] == 0)
    servers.door("field", False)


def test_a_second_terminal_is_told_everything_again(servers: Servers, board: FakeBoard, tmp_path: Path) -> None:
    servers.scpi("supply").do("VOLT 200")
    other = FakeBoard(tmp_path / "other")
    assert servers.control.ask("attach", panel=str(other.path))["ok"]
    eventually(lambda: len(other.around()) == 4)
    assert other.around()["voltage_v"] == 200
    before = len(board.asked)
    servers.scpi("supply").do("VOLT 210")
    eventually(lambda: other.around()["voltage_v"] == 210)
    assert len(board.asked) == before
    other.close()


def test_a_terminal_that_ends_is_gone_and_the_instruments_go_on(servers: Servers, tmp_path: Path) -> None:
    board = FakeBoard(tmp_path / "panel")
    assert servers.control.ask("attach", panel=str(board.path))["ok"]
    robot = servers.http("card_robot")
    assert robot.post("/v1/insert", json={"card": "chip"}).json()["card_inside"] is True
    assert servers.state("card_robot")["safe"] is False
    board.close()
    eventually(lambda: servers.state("card_robot")["safe"])
    assert robot.post("/v1/tap", json={"card": "contactless"}).json()["error"]["code"] == "no_terminal"


def test_hands_do_what_they_are_told_and_the_terminal_may_refuse(servers: Servers, board: FakeBoard) -> None:
    robot, finger = servers.http("card_robot"), servers.http("key_pusher")
    assert robot.post("/v1/swipe", json={"card": "stripe", "speed_cm_s": 25}).status_code == 200
    assert board.told("swipe") == [{"track2": MAGNETIC.track2, "track3": None, "speed_cm_s": 25.0}]
    assert robot.post("/v1/insert", json={"card": "chip"}).json()["card"] == "chip"
    for again in ("insert", "swipe", "tap"):
        assert robot.post(f"/v1/{again}", json={"card": "chip"}).json()["error"]["code"] == "card_inside"
    assert robot.post("/v1/park", json={}).json()["card_inside"] is False
    assert [op for op, _, _ in board.asked if op in ("insert", "remove")] == ["insert", "remove"]
    assert finger.post("/v1/press", json={"key": "ENTER", "hold_ms": 30}).json()["presses"] == 1
    assert finger.post("/v1/press", json={"key": "ENTER", "hold_ms": 10}).json()["presses"] == 2
    assert board.told("key") == [{"key": "ENTER"}]  # the short one is not felt
    board.refuses.add("tap")
    refused = robot.post("/v1/tap", json={"card": "contactless"})
    assert (refused.status_code, refused.json()["error"]) == (
        409, {"code": "refused", "message": "it does not like that"}
    )


def test_parking_does_not_wait_for_a_slow_arm(servers: Servers, board: FakeBoard) -> None:
    slow, parks = servers.http("card_robot"), [servers.http("card_robot") for _ in range(2)]
    with ThreadPoolExecutor() as pool:
        swiping = pool.submit(slow.post, "/v1/swipe", json={"card": "stripe", "speed_cm_s": 1})  # 8.5 s / 10
        eventually(lambda: servers.state("card_robot")["moving"])
        parked = [pool.submit(one.post, "/v1/park", json={}) for one in parks]
        assert [one.result().status_code for one in parked] == [200, 200]
        assert swiping.result().json()["error"]["code"] == "parked"
    assert board.told("swipe") == []
    assert servers.state("card_robot")["safe"]


def test_paper_is_counted_from_power_on(servers: Servers, board: FakeBoard) -> None:
    sensor = servers.modbus("printer_sensor")

    def read() -> list[int]:
        return list(sensor.read_input_registers(0, count=3).registers)

    board.say({"ev": "paper", "t": 1, "n": 1, "width": 384, "height": 800, "bits": ""})
    eventually(lambda: read() == [0, 1000, 1])  # 100 mm
    board.say({"ev": "felt", "t": 1, "what": "slip_lost", "detail": "printer out"})
    eventually(lambda: read() == [0, 1000, 0])
    board.say({"ev": "power", "t": 1, "state": "on", "reason": "operator"})
    eventually(lambda: read()[1] == 0)
    board.say({"ev": "paper", "t": 1, "n": 2, "width": 384, "height": 8, "bits": ""})
    eventually(lambda: read() == [0, 10, 1])


def test_a_board_that_knows_nothing_of_surroundings_is_no_end(tmp_path: Path) -> None:
    board = FakeBoard(tmp_path / "panel")
    board.refuses.add("surroundings")
    servers = Servers(tmp_path, {"supply": {"kind": "supply"}})
    assert servers.control.ask("attach", panel=str(board.path))["ok"]
    line = servers.scpi("supply")
    for volts in (200, 210, 220):
        line.do(f"VOLT {volts}")
    eventually(lambda: len(board.told("surroundings")) >= 4)
    assert line.ask("*IDN?").startswith("HIL97")
    with pytest.raises(AssertionError, match=r"the terminal refused 'surroundings': it does not like that\n\Z"):
        servers.__exit__(None, None, None)  # said once
    board.close()


def test_a_real_board(tmp_path: Path) -> None:
    """Keys, cards, eyes and paper at a real board process."""
    build(PROBE, "1.0.0", SIGNING_KEY, tmp_path / "image")
    hands = {name: INSTRUMENTS[name] for name in ("card_robot", "key_pusher", "camera", "printer_sensor")}
    with Terminal(tmp_path, tmp_path / "image") as terminal, Servers(tmp_path, hands, time_scale=10) as servers:
        terminal.on()
        assert servers.control.ask("attach", panel=str(terminal.control))["ok"]
        robot, finger, camera = (servers.http(name) for name in ("card_robot", "key_pusher", "camera"))
        finger.post("/v1/press", json={"key": "9"})
        terminal.wait_lines("key", "9")
        picture = Image.open(io.BytesIO(camera.get("/snapshot.png").content))
        expected = Image.open(io.BytesIO(png(terminal.panel.frame)))
        assert (picture.size, picture.tobytes()) == (expected.size, expected.tobytes())
        robot.post("/v1/swipe", json={"card": "stripe"})
        terminal.wait_lines("swipe", MAGNETIC.track2)
        robot.post("/v1/insert", json={"card": "chip"})
        terminal.wait_lines("insert", "ARQC")
        robot.post("/v1/remove", json={})
        terminal.wait_lines("remove")
        robot.post("/v1/tap", json={"card": "contactless"})
        terminal.wait_lines("tap", "ARQC")
        finger.post("/v1/press", json={"key": "4"})
        terminal.wait_event(lambda event: event["ev"] == "paper")
        sensor = servers.modbus("printer_sensor")
        eventually(lambda: sensor.read_input_registers(1, count=1).registers == [40])  # two lines of text: 32 dots
        assert servers.control.ask("attach", panel=None)["ok"]


def test_a_real_board_feels_the_real_thing(tmp_path: Path) -> None:
    """From a line of SCPI to what the hardware does: dips, interruption, a burst, a swipe that is too fast."""
    build(PROBE, "1.0.0", SIGNING_KEY, tmp_path / "image")
    some = {name: INSTRUMENTS[name] for name in ("supply", "burst", "card_robot")}
    some["supply"] = {"kind": "supply", "nominal_v": 220}
    with Terminal(tmp_path, tmp_path / "image") as terminal, Servers(tmp_path, some, time_scale=10) as servers:
        terminal.on()
        assert servers.control.ask("attach", panel=str(terminal.control))["ok"]
        supply, burst = servers.scpi("supply"), servers.scpi("burst")
        supply.do("DIP:RES 0;DUR 10MS")
        assert supply.ask("INIT:DIP;*OPC?") == "1"
        since = len(terminal.events)
        supply.do("DIP:DUR 300MS")
        assert supply.ask("INIT:DIP;*OPC?") == "1"
        terminal.wait_power("off", "brown_out")
        terminal.wait_power("on", "brown_out", since)
        powers = [event for event in terminal.events[:since] if event["ev"] == "power"]
        assert [event["reason"] for event in powers] == ["operator"]  # 10 ms were bridged
        terminal.wait_lines("欢迎使用", "boot 2")
        since = len(terminal.events)
        supply.do("OUTP OFF")
        terminal.wait_power("off", "brown_out", since)
        supply.do("OUTP ON")
        terminal.wait_power("on", "brown_out", since)
        terminal.wait_lines("欢迎使用", "boot 3")
        servers.http("card_robot").post("/v1/swipe", json={"card": "stripe", "speed_cm_s": 250})
        terminal.wait_event(lambda event: (event["ev"], event.get("what")) == ("felt", "misread"))
        burst.do("VOLT 4KV;:BURS:DUR 0.1;:ARM")
        eventually(lambda: burst.ask("ARM:STAT?") == "READY")
        assert burst.ask("INIT;*OPC?") == "1"
        terminal.wait_event(lambda event: (event["ev"], event.get("what")) == ("felt", "hangs"))
        assert servers.control.ask("attach", panel=None)["ok"]
