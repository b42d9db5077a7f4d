"""The injector's protocol: its control socket, its capture of faults, and what it makes of bad requests."""

from __future__ import annotations

import json
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.errors import BenchError
from harness.history.events import FaultArmed, FaultStruck
from harness.tests.injector_helpers import Bed, bed
from harness.tests.lab_helpers import connection, eventually, make_sure_of_a_lab, receive
from harness.wire.faults import Match
from harness.wire.faults.delay import Delay
from harness.wire.faults.drop import Drop
from harness.wire.injector_client import InjectorClient
from harness.wire.packets import parse
from harness.wire.topology import Topology


@pytest.fixture
def wire(tmp_path: Path) -> Iterator[Bed]:
    with bed(tmp_path, "auto", control=True) as made:
        yield made


class Visitor:
    """Somebody at the control socket, by hand."""

    def __init__(self, folder: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(10.0)
        self._socket.connect(str(folder / "injector.sock"))
        self._lines = self._socket.makefile("rb")

    def send(self, text: str) -> None:
        self._socket.sendall(text.encode() + b"\n")

    def read(self) -> dict[str, Any]:
        read: dict[str, Any] = json.loads(self._lines.readline())
        return read

    def reply(self, request: dict[str, Any]) -> dict[str, Any]:
        self.send(json.dumps(request))
        while True:
            read = self.read()
            if "re" in read:
                return read

    def close(self) -> None:
        self._lines.close()
        self._socket.close()


def test_the_control_socket_is_its_owners_only(wire: Bed) -> None:
    mode = (wire.folder / "injector.sock").stat().st_mode
    assert stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o600


def test_what_others_arm_is_told_to_the_history_and_to_them(wire: Bed) -> None:
    one, other = Visitor(wire.folder), Visitor(wire.folder)
    answer = one.reply({"id": 7, "op": "arm", "fault": {"fault": "loss", "count": 1, "match": {"port": 8583}}})
    assert answer["ok"] and answer["re"] == 7
    eventually(lambda: len(wire.events) == 1, "it is told on stdout")
    told = wire.events[0]
    assert isinstance(told, FaultArmed) and told.fault_id == answer["fault_id"] and told.fault["fault"] == "drop"
    assert other.read() == {"ev": "armed", "fault_id": told.fault_id, "fault": told.fault, "t": told.t}
    with connection(wire.topology):
        pass  # the first SYN is lost
    struck = other.read()
    assert (struck["ev"], struck["fault_id"], struck["what"]) == ("struck", told.fault_id, "lost")
    assert other.read()["why"] == "used_up"
    assert one.reply({"id": 8, "op": "armed"})["armed"] == []
    one.close()
    other.close()


def test_faults_can_end_with_the_visitor(wire: Bed) -> None:
    stays, goes = Visitor(wire.folder), Visitor(wire.folder)
    fault = {"fault": "drop", "percent": 0}
    lasting = stays.reply({"id": 1, "op": "arm", "fault": fault})["fault_id"]
    bound = goes.reply({"id": 1, "op": "arm", "fault": fault, "while_connected": True})["fault_id"]
    assert set(wire.injector.armed()) == {lasting, bound}
    stays.close()
    goes.close()
    eventually(lambda: set(wire.injector.armed()) == {lasting}, "it is healed")


def test_everybody_heals_everything(wire: Bed) -> None:
    number = wire.injector.arm(Drop())
    visitor = Visitor(wire.folder)
    assert visitor.reply({"id": 1, "op": "heal"})["ok"]
    eventually(lambda: wire.injector.healed(number) is not None, "it is told")
    wire.injector.heal(number)  # again, by the one who does not know yet: no error
    visitor.close()


@pytest.mark.parametrize(
    "line",
    ["", "nonsense", "[]", "{}", '{"id": 1}', '{"id":1,"op":"arm"}', '{"id":1,"op":"arm","fault":{}}', "\u0000",
     '{"id":1,"op":"arm","fault":{"fault":"drop","percent":101}}', '{"id":1,"op":"heal","fault_id":"x"}',
     '{"id":1,"op":"heal","fault_id":97}', '{"id":1,"op":"keys","masters":3}', '{"id":1,"op":{}}', "[" * 20_000,
     '{"id":1,"op":"keys","masters":[{"tid":["1"],"mid":"2","tmk":"00112233445566778899AABBCCDDEEFF"}]}',
     '{"id":1,"op":"arm","fault":{"fault":"drop","match":{"moment":"when I say so"}}}',
     '{"id":1,"op":"arm","fault":{"fault":"rewrite","fields":{"4":"97"}}}',
     '{"id":1,"op":"arm","fault":{"fault":"rewrite","fields":{"97":"1"}}}',
     '{"id":1,"op":"arm","fault":{"fault":"forge","fields":{"4":"abc"}}}'],
)
def test_bad_requests_are_refused_with_the_reason(wire: Bed, line: str) -> None:
    visitor = Visitor(wire.folder)
    visitor.send(line)
    answer = visitor.read()
    assert answer["ok"] is False and answer["error"] and answer["bad_input"]
    assert visitor.reply({"id": 2, "op": "sync"})["ok"], "it goes on"
    visitor.close()


def test_one_who_never_reads_holds_nobody_up(wire: Bed) -> None:
    Visitor(wire.folder).send('{"id":1,"op":"armed"}')
    deaf = Visitor(wire.folder)
    with pytest.raises((BrokenPipeError, ConnectionResetError)):  # it is let go
        for _ in range(2000):
            deaf.send('{"id":1,"op":"arm","fault":{"fault":"drop","percent":0,"seed":"' + "x" * 50_000 + '"}}')
            deaf.send('{"id":1,"op":"heal"}')
    wire.injector.sync()
    with connection(wire.topology) as (terminal, acquirer):
        terminal.sendall(b"0200")
        assert receive(acquirer, 4) == b"0200"


def test_a_stale_socket_is_replaced_and_one_in_use_is_not(tmp_path: Path) -> None:
    make_sure_of_a_lab()
    stale = tmp_path / "injector.sock"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(stale))
    with bed(tmp_path, "auto", control=True) as made:
        Visitor(tmp_path).close()
        with Topology.build() as other, pytest.raises(BenchError, match="control socket can't be made"):
            InjectorClient.start(netns_fd=other.wire_fd, log=tmp_path / "second.log", control=stale)
        made.injector.sync()
    assert not stale.exists()


# -- the capture of faults ---------------------------------------------------------------------------------------------


def blocks(path: Path) -> list[tuple[int, bytes]]:
    """(type, body) of each block of a pcapng file, little-endian as this machine writes it."""
    data, found, at = path.read_bytes(), [], 0
    while at < len(data):
        kind, size = int.from_bytes(data[at : at + 4], "little"), int.from_bytes(data[at + 4 : at + 8], "little")
        assert data[at + size - 4 : at + size] == data[at + 4 : at + 8]
        found.append((kind, data[at + 8 : at + size - 4]))
        at += size
    return found


def test_every_strike_is_in_the_capture_of_faults(wire: Bed) -> None:
    with connection(wire.topology) as (terminal, acquirer):
        delay = wire.injector.arm(Delay(match=Match(direction="to_acquirer"), delay_ms=20.0, count=1))
        terminal.sendall(b"0200 in the capture")
        receive(acquirer, 19)
        struck: FaultStruck = wire.injector.await_strike(delay, 5.0)
    wire.injector.sync()
    section, *rest = blocks(wire.folder / "injector.pcapng")
    assert section[0] == 0x0A0D0D0A
    interfaces = [body for kind, body in rest if kind == 1]
    assert [b"t0" in interfaces[0], b"a0" in interfaces[1], len(interfaces)] == [True, True, 2]
    packets = [body for kind, body in rest if kind == 6]
    taken, sent = (packets[number - 1] for number in struck.packets)
    assert [int.from_bytes(body[:4], "little") for body in (taken, sent)] == [0, 1], "taken at t0, sent at a0"
    times = [int.from_bytes(body[4:8], "little") << 32 | int.from_bytes(body[8:12], "little")
             for body in (taken, sent)]
    assert times[1] - times[0] == 20_000_000
    for body in (taken, sent):
        size = int.from_bytes(body[12:16], "little")
        segment = parse(body[20 : 20 + size], t=0, packet=0)
        assert segment is not None and segment.payload == b"0200 in the capture"


def test_started_by_hand_with_bad_options_it_says_why(tmp_path: Path) -> None:
    make_sure_of_a_lab()
    with Topology.build() as topology, pytest.raises(BenchError) as failed:
        InjectorClient.start(netns_fd=topology.wire_fd, log=tmp_path / "log", interface="t7")
    assert "there is no interface 't7'" in str(failed.value) and "t0" in str(failed.value)
    assert "exit status 2" in str(failed.value)

