"""The emulated instruments as a process: how it starts, repeats, rests and ends; plans; ``hil97 instruments``."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import serial

from harness.cli import main
from harness.emulator.data_port import DataPort
from harness.errors import BadInput
from harness.instruments.emulated.plan import plan_of
from harness.lab.process import child_environment
from harness.tests.instrument_helpers import FakeBoard, JsonLines, ScpiLine, Servers, end, eventually
from harness.tests.lab_helpers import make_sure_of_a_lab
from harness.wire import netns
from harness.wire.interface import Interface
from harness.wire.topology import END, TERMINAL_PORT, Topology


def test_the_same_plan_and_the_same_commands_give_the_same_answers(tmp_path: Path) -> None:
    said = []
    for run in ("a", "b"):
        (folder := tmp_path / run).mkdir()
        with Servers(folder, {"supply": {"kind": "supply"}, "esd": {"kind": "esd"}}) as servers:
            line = servers.scpi("supply")
            said.append([line.ask(one) for one in ("*IDN?", "READ?", "READ?", "MEAS:VOLT?", "MEAS:POW?")])
    assert said[0] == said[1] and said[0][1] != said[0][2]  # noise that repeats


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_when_it_is_told_to(tmp_path: Path, number: signal.Signals) -> None:
    with Servers(tmp_path, "all") as servers:
        assert end(servers.process, number) == 0
        assert not (tmp_path / "instruments.sock").exists()


def test_it_dies_with_its_parent(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text('{"instruments": {"relay": {"kind": "relay"}}}')
    parent = (
        "import os, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-m', 'harness.instruments.emulated', '--plan', sys.argv[1],"
        " '--parent', str(os.getpid())], stdout=subprocess.PIPE)\n"
        "child.stdout.readline(); print(child.pid, flush=True); time.sleep(60)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", parent, str(tmp_path / "plan.json")], stdout=subprocess.PIPE,
                               stdin=subprocess.DEVNULL, env=child_environment())
    assert process.stdout is not None
    pid = int(process.stdout.readline())
    process.kill()
    process.wait()
    process.stdout.close()

    def is_dead() -> bool:
        try:
            return "State:\tZ" in Path(f"/proc/{pid}/status").read_text()
        except FileNotFoundError:
            return True

    eventually(is_dead)


def test_at_rest_it_does_nothing(tmp_path: Path) -> None:
    """Nothing is polled: while nothing changes the process is not even scheduled, a terminal there or not."""
    board = FakeBoard(tmp_path / "panel")
    with Servers(tmp_path, "all", climate_scale=600) as servers:
        def switches() -> int:
            status = Path(f"/proc/{servers.process.pid}/status").read_text()
            return int(next(line for line in status.splitlines() if line.startswith("voluntary")).split()[1])

        def still_for_half_a_second() -> bool:
            before = switches()
            time.sleep(0.5)
            return switches() == before

        assert servers.control.ask("attach", panel=str(board.path))["ok"]
        eventually(still_for_half_a_second)
        servers.scpi("burst").do("ARM")
        eventually(still_for_half_a_second)
    board.close()


def test_a_contact_is_in_a_cable(tmp_path: Path) -> None:
    make_sure_of_a_lab()
    with Topology.build(addressed=False) as topology:
        wire = {"1": {"port": TERMINAL_PORT, "netns_fd": topology.wire_fd}}
        relays = {"relay": {"kind": "relay", "wired": wire}}
        with netns.inside(topology.terminal_fd):
            DataPort(TERMINAL_PORT, topology.wire_fd).set_up(True)
            plug = Interface(END)
            plug.set_up(True)
        with Servers(tmp_path, relays, pass_fds=[topology.wire_fd]) as servers:
            relay = servers.modbus("relay")
            for closed in (True, False, True):
                assert not relay.write_coil(0, closed).isError()
                assert plug.has_carrier() is closed


def test_a_serial_line_is_one_too(tmp_path: Path) -> None:
    with Servers(tmp_path, {"chamber": {"kind": "chamber", "serial": True}}) as servers:
        path = re.fullmatch(r"ASRL(/dev/pts/\d+)::INSTR", servers.addresses["chamber"])
        assert path
        for _ in range(2):  # whoever opens it
            with serial.Serial(path[1], timeout=10) as port:
                port.write(b"*IDN?\r\n")
                assert port.readline().startswith(b"HIL97,EMU-CHAMBER,")
        servers.fault("chamber", "drop")
        with serial.Serial(path[1], timeout=0.3) as port:
            port.write(b"*IDN?\n")
            assert not port.readline().endswith(b"\n")
        servers.fault("chamber", "refuse")
        with serial.Serial(path[1], timeout=0.3) as port:
            port.write(b"*IDN?\n")
            assert port.readline() == b""
        servers.fault("chamber", "heal")
        with serial.Serial(path[1], timeout=10) as port:
            port.write(b"*IDN?\n")
            assert port.readline().startswith(b"HIL97,")


# -- plans


@pytest.mark.parametrize(("plan", "said"), [
    ([], "a plan is an object"), ({}, 'instruments is "all"'), ({"instruments": {}}, 'instruments is "all"'),
    ({"instruments": "some"}, 'instruments is "all"'), ({"instruments": {"a": 1}}, "instruments.a"),
    ({"instruments": {"a": {"kind": "kettle"}}}, "kind is chamber"),
    ({"instruments": {"a": {"kind": "relay", "port": 70000}}}, "port is from 0 to 65535"),
    ({"instruments": "all", "seed": 1.5}, "seed is a whole number"), ({"instruments": "all", "colour": 1}, "'colour'"),
    ({"instruments": "all", "climate_scale": 0}, "climate_scale is from"),
    ({"instruments": "all", "host": 1}, "host is a text"),
])
def test_a_bad_plan_is_one_message(plan: Any, said: str) -> None:
    with pytest.raises(BadInput, match=re.escape(said)):
        plan_of(plan, "plan.json")


@pytest.mark.parametrize(("instrument", "said"), [
    ({"kind": "chamber", "ambient_c": "warm"}, "ambient_c is a number"), ({"kind": "camera", "zoom": 2}, "'zoom'"),
    ({"kind": "supply", "serial": 1}, "serial is true or false"),
    ({"kind": "card_robot", "cards": {"a": {"track2": "abc"}}}, "cards.a: track2 is no track 2"),
    ({"kind": "card_robot", "cards": {"a": {"chip": {"pan": "1"}}}}, "cards.a: chip is an object"),
    ({"kind": "relay", "wired": {"9": {}}}, "a channel is 1 to 8"),
    ({"kind": "relay", "wired": {"1": {"port": "t0", "netns_fd": 977}}}, "'t0' can't be had"),
])
def test_a_bad_option_is_one_message(instrument: Any, said: str, tmp_path: Path) -> None:
    (plan := tmp_path / "plan.json").write_text(json.dumps({"instruments": {"a": instrument}}))
    done = subprocess.run([sys.executable, "-m", "harness.instruments.emulated", "--plan", str(plan)],
                          capture_output=True, text=True, timeout=30, env=child_environment(), check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr and str(plan) in done.stderr and "Traceback" not in done.stderr


def test_a_port_that_is_taken_is_one_message(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        (plan := tmp_path / "plan.json").write_text(
            json.dumps({"instruments": {"relay": {"kind": "relay", "port": taken.getsockname()[1]}}})
        )
        port = taken.getsockname()[1]
        assert main(["instruments", "--plan", str(plan)]) == 2
    assert f"port {port} of 127.0.0.1 can't be had: Address already in use" in capfd.readouterr().err


def test_by_hand(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "harness.cli", "instruments", "--kind", "supply", "--kind", "card_robot",
               "--control", str(tmp_path / "c.sock")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
                               env={**child_environment(), "HIL97_LANG": "en", "PATH": os.environ["PATH"]})
    assert process.stdout is not None
    name, address, example = process.stdout.readline().split(maxsplit=2)
    assert (name, example[:6]) == ("supply", "printf")
    line = ScpiLine(address)
    assert line.ask("*IDN?").startswith("HIL97,EMU-ACSOURCE")
    line.close()
    assert process.stdout.readline().startswith("card_robot")
    control = JsonLines(tmp_path / "c.sock")
    assert control.read()["addresses"]["supply"] == address
    control.close()
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 0
    assert process.stdout.read().splitlines()[-1] == "stopped"
    process.stdout.close()
