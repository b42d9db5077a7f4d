"""The panel's socket: many clients, wild bytes, and a client that says what is wrong."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.emulator import panel_requests
from harness.emulator.build import build
from harness.emulator.panel_server import LONGEST_LINE, connect
from harness.errors import BadInput, BenchError
from harness.instruments.panel import Event, Frame, Panel
from harness.terminal.cards import CHIP
from harness.tests.emulator_bench import PROBE, SIGNING_KEY, Terminal


@pytest.fixture(scope="module")
def terminal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    folder = tmp_path_factory.mktemp("panel")
    build(PROBE, "1.0.0", SIGNING_KEY, folder / "image")
    with Terminal(folder, folder / "image") as terminal:
        terminal.on()
        yield terminal


class Wire:
    """A bare connection."""

    def __init__(self, path: Path) -> None:
        self.sock = connect(path)
        self.sock.settimeout(10)
        self.lines = self.sock.makefile("rb")
        assert [self.read()["ev"] for _ in range(2)] == ["ready", "screen"]

    def read(self) -> Any:
        line = self.lines.readline()
        assert line.endswith(b"\n"), "the board closed the connection"
        return json.loads(line)

    def reply(self) -> Any:
        """The next line that is no event."""
        while "ev" in (message := self.read()):
            pass
        return message

    def close(self) -> None:
        self.lines.close()
        self.sock.close()


@pytest.fixture
def wire(terminal: Terminal) -> Iterator[Wire]:
    wire = Wire(terminal.control)
    yield wire
    wire.close()


def test_ready_and_the_present_screen_come_first(terminal: Terminal) -> None:
    sock = connect(terminal.control)
    with sock, sock.makefile("rb") as lines:
        ready, screen = json.loads(lines.readline()), json.loads(lines.readline())
    assert ready["serial_number"] == "SN97" and ready["power"] == "on"
    assert Path(ready["cashier"]).is_char_device() and Path(ready["service"]).is_char_device()
    frame = Frame.from_event(screen)
    assert (frame.width, frame.height, frame.bits) == (320, 240, terminal.panel.frame.bits)


def test_every_client_gets_every_event(terminal: Terminal) -> None:
    wires = [Wire(terminal.control) for _ in range(3)]
    terminal.key("8")
    terminal.key("9")
    terminal.wait_lines("key", "9")
    for wire in wires:
        last = terminal.panel.frame.n
        while (event := wire.read())["ev"] != "screen" or event["n"] < last:
            pass
        wire.close()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(line=st.binary(min_size=1, max_size=300).map(lambda data: data.replace(b"\n", b"")))
def test_wild_bytes_are_answered_or_ignored(wire: Wire, line: bytes) -> None:
    wire.sock.sendall(line + b"\n" + b'{"id":97,"op":"flash_operations"}\n')
    reply = wire.reply()
    if reply["re"] != 97:
        assert reply["re"] is None and reply["ok"] is False and reply["error"]
        reply = wire.reply()
    assert reply["re"] == 97 and reply["ok"] is True and isinstance(reply["count"], int)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3), max_leaves=8)
names = st.sampled_from(
    ["op", "id", "key", "state", "operation", "torn", "track2", "track3", "chip", "code", "strokes"])
operations = st.sampled_from([
    "key", "swipe", "insert", "remove", "tap", "scan", "sign", "cut_at", "power", "flash_operations", "reboot",
])


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(request=st.dictionaries(names, values, max_size=5) | st.builds(
    lambda op, rest: {**rest, "id": 1, "op": op}, operations, st.dictionaries(names, values, max_size=4)))
def test_any_json_gets_exactly_one_reply(wire: Wire, request: dict[str, Any]) -> None:
    wire.sock.sendall(json.dumps(request).encode() + b"\n")
    reply = wire.reply()
    assert isinstance(reply["ok"], bool) and (reply["ok"] or reply["error"])
    wire.sock.sendall(b'{"id":2,"op":"cut_at","operation":null}\n')
    assert wire.reply() == {"re": 2, "ok": True}


@pytest.mark.parametrize(("request_line", "reason"), [
    (b"[1]", "object"), (b"{}", "object"), (b'{"op":"power","state":"off"}', '"id"'), (b"nonsense", "JSON"),
    (b'{"id":true,"op":"remove"}', '"id"'), (b"[" * 100000, "JSON"), (b'{"id":1' + b"0" * 5000 + b"}", "JSON"),
])
def test_what_is_no_request_is_answered_without_a_number(wire: Wire, request_line: bytes, reason: str) -> None:
    wire.sock.sendall(request_line + b"\n")
    reply = wire.reply()
    assert reply["re"] is None and reply["ok"] is False and reason in reply["error"]


@pytest.mark.parametrize(("fields", "reason"), [
    ({"op": "key", "key": "11"}, "no key '11'"), ({"op": "key"}, "no key None"), ({"op": "fly"}, "unknown op"),
    ({"op": "swipe", "track2": "no digits"}, "track2"), ({"op": "swipe", "track2": "1D", "track3": ""}, "track3"),
    ({"op": "insert", "chip": {}}, "chip is"), ({"op": "remove"}, "no card"), ({"op": "tap"}, "chip is"),
    ({"op": "tap", "chip": {**CHIP.chip(), "first": "YES"}}, "chip.first"),
    ({"op": "scan", "code": "1a"}, "payment code"),
    ({"op": "insert", "chip": {**CHIP.chip(), "objects": {"9F": "xx"}}}, "chip.objects.9F"),
    ({"op": "insert", "chip": {**CHIP.chip(), "objects": []}}, "chip.objects"),
    ({"op": "sign", "strokes": ""}, "bitmap"),
    ({"op": "power", "state": "up"}, '"on" or "off"'), ({"op": "cut_at", "operation": 0}, "counts from 1"),
    ({"op": "cut_at", "operation": True}, "counts from 1"), ({"op": "cut_at", "operation": 1, "torn": 1}, "torn"),
])
def test_a_refusal_says_why(terminal: Terminal, fields: dict[str, Any], reason: str) -> None:
    op = fields.pop("op")
    with pytest.raises(BenchError) as caught:
        terminal.panel.request(op, **fields)
    assert reason in str(caught.value)


def test_a_line_without_end_closes_that_connection_only(terminal: Terminal, wire: Wire) -> None:
    with pytest.raises(OSError):
        for _ in range(LONGEST_LINE // 65536 + 20):
            wire.sock.sendall(b"x" * 65536)
            wire.sock.settimeout(5)
    assert terminal.panel.request("flash_operations")["ok"]


def test_a_client_that_does_not_read_disturbs_nobody(terminal: Terminal) -> None:
    deaf = Wire(terminal.control)
    for turn in range(300):
        terminal.key("8" if turn % 2 else "9")
    terminal.key("9")
    terminal.wait_lines("key", "9")
    deaf.close()
    assert terminal.panel.request("flash_operations")["ok"]


@given(st.text(max_size=60))
def test_tracks_are_digits(text: str) -> None:
    try:
        track2 = panel_requests.swipe({"track2": text})["track2"]
    except BadInput:
        return
    assert track2 is not None and track2.isascii() and len(track2) <= 37 and set(track2) <= set("0123456789D=")


# The client


def serve(path: Path, lines: list[bytes]) -> threading.Thread:
    """A false board: sends ``lines`` to one client and hangs up."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(1)

    def run() -> None:
        with listener, listener.accept()[0] as client:
            client.sendall(b"".join(line + b"\n" for line in lines))

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@pytest.mark.parametrize("lines", [
    [], [b"nonsense"], [b'{"ev":"ready"}'], [b'{"ev":"screen"}'], [b"[]"], [b'{"no":"event"}'],
    [b'{"ev":"ready"}', b'{"ev":"screen","t":1,"n":1,"width":320,"height":240,"bits":"AAAA"}'],
])
def test_a_board_that_talks_nonsense_is_the_bench_s_fault(tmp_path: Path, lines: list[bytes]) -> None:
    thread = serve(tmp_path / "panel", lines)
    with pytest.raises(BenchError, match="panel"):
        Panel(tmp_path / "panel", timeout=10)
    thread.join(10)


def test_no_board_at_all(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="no terminal's panel appeared"):
        Panel(tmp_path / "panel", timeout=0.05)


def test_a_board_that_died_is_said_by_the_next_request(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, None)
    terminal.process.kill()
    terminal.process.wait()
    with pytest.raises(BenchError, match=r"gone|ended"):
        while True:
            terminal.panel.request("flash_operations")
    terminal.panel.close()


def test_a_callback_that_fails_is_not_lost(terminal: Terminal) -> None:
    def fail(event: Event) -> None:
        raise RuntimeError("disk full")

    with Panel(terminal.control) as panel:
        panel.subscribe(fail)
        with pytest.raises(BenchError, match="disk full"):
            while True:
                panel.request("key", key="8")
                panel.request("key", key="9")


def test_requests_from_many_threads(terminal: Terminal) -> None:
    counts: list[int] = []

    def work() -> None:
        for _ in range(50):
            counts.append(terminal.panel.request("flash_operations")["count"])

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(counts) == 300 and len(set(counts)) == 1
