"""``hil97 wire open`` as a person uses it, on two cards played by veth pairs: traffic shown and recorded, a fault armed
by hand from another console, the cards given back."""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyroute2 import IPRoute

from harness.history.events import FaultArmed, FaultStruck, WireFrame
from harness.history.reader import read
from harness.lab.kernel import CLONE_NEWNET, setns
from harness.lab.process import child_environment
from harness.tests.lab_helpers import make_sure_of_a_lab, receive
from harness.tests.protocol_samples import S01, S05
from harness.wire import netns

ROOT = Path(__file__).resolve().parents[2]
LAB = """\
catalogue: {catalogue}
benches:
  - name: counter-1
    kind: physical
    model: HT-100
    profile: unionpay-direct
    identity: {{tid: "97000001", mid: "104110070119701"}}
    interfaces: {{terminal: enp2s0, acquirer: enp3s0}}
    address: 10.97.0.2
    host: {{address: 10.97.0.1, port: 8583}}
"""


@pytest.fixture(scope="module", autouse=True)
def _lab() -> None:
    make_sure_of_a_lab()


class Host:
    """A lab host with two cards, the terminal's and the acquirer's machines, and consoles on the host."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.inventory = folder, folder / "lab.yaml"
        self.terminal_fd, self.host_fd, self.acquirer_fd = (netns.create() for _ in range(3))
        self.inventory.write_text(LAB.format(catalogue=ROOT / "lab_config"), encoding="utf-8")
        self.runtime = tempfile.TemporaryDirectory(prefix="hil97-t-")  # a short path: sockets lie in it
        for end, card, address in (
            (self.terminal_fd, "enp2s0", "10.97.0.2"), (self.acquirer_fd, "enp3s0", "10.97.0.1"),
        ):  # fmt: skip
            with netns.inside(end), IPRoute() as route:
                route.link("add", ifname="eth0", kind="veth", peer={"ifname": card, "net_ns_fd": self.host_fd})
                route.addr("add", index=socket.if_nametoindex("eth0"), address=address, prefixlen=24)
                route.link("set", index=socket.if_nametoindex("eth0"), state="up")

    def console(self, *arguments: str) -> subprocess.Popen[str]:
        """``hil97 ARGUMENTS`` on the lab host."""
        environment = child_environment() | {"XDG_RUNTIME_DIR": self.runtime.name, "LANG": "C.UTF-8"}
        return subprocess.Popen(
            [sys.executable, "-m", "harness.cli", *arguments], cwd=self.folder, env=environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, pass_fds=[self.host_fd],
            preexec_fn=lambda: setns(self.host_fd, CLONE_NEWNET),
        )

    def names(self) -> list[str]:
        with netns.inside(self.host_fd):
            return sorted(name for _, name in socket.if_nameindex() if name != "lo")

    @contextlib.contextmanager
    def exchange(self) -> Iterator[tuple[socket.socket, socket.socket]]:
        """A connection of the terminal to the acquirer's port 8583: both ends."""
        with netns.inside(self.acquirer_fd):
            server = socket.create_server(("10.97.0.1", 8583))
        with netns.inside(self.terminal_fd):
            client = socket.socket()
        with server, client:
            for one in (server, client):
                one.settimeout(10)
            client.connect(("10.97.0.1", 8583))
            accepted, _ = server.accept()
            with accepted:
                accepted.settimeout(10)
                yield client, accepted

    def close(self) -> None:
        for descriptor in (self.terminal_fd, self.host_fd, self.acquirer_fd):
            os.close(descriptor)
        self.runtime.cleanup()


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    made = Host(tmp_path)
    yield made
    made.close()


class Said:
    """What a console has said so far, read without waiting for its end."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self._out = process.stdout.fileno()
        self.text = ""

    def wait(self, pattern: str, seconds: float = 30.0) -> None:
        """Until it has said that."""
        deadline = time.monotonic() + seconds
        while re.search(pattern, self.text) is None:
            left = deadline - time.monotonic()
            assert left > 0 and select.select([self._out], [], [], left)[0], f"not said: {pattern}\n{self.text}"
            more = os.read(self._out, 65536).decode()
            assert more, f"ended before it said: {pattern}\n{self.text}"
            self.text += more


def test_open_watch_arm_and_give_back(host: Host) -> None:
    wire = host.console("wire", "open", "--lab", str(host.inventory), "--bench", "counter-1")
    said = Said(wire)
    try:
        said.wait("the wire is open between enp2s0 and enp3s0")
        assert any(name.startswith("hil97-") for name in host.names())
        with host.exchange() as (terminal, acquirer):
            terminal.sendall(S05)
            assert receive(acquirer, len(S05)) == S05
            acquirer.sendall(S01)
            assert receive(terminal, len(S01)) == S01
        said.wait(r"(?s)--> 0800 sign-in.*<-- 0810 sign-in  97")

        arm = host.console("wire", "arm", "--bench", "counter-1", "--for", "60s", "drop", "port=8583",
                           "direction=to_terminal")
        armed = Said(arm)
        try:
            armed.wait("armed: drop")
            with netns.inside(host.terminal_fd), socket.socket() as lost, netns.inside(host.acquirer_fd):
                server = socket.create_server(("10.97.0.1", 8583))
                with server:
                    lost.settimeout(0.5)
                    with pytest.raises(TimeoutError):
                        lost.connect(("10.97.0.1", 8583))
            armed.wait(r"\d\d:\d\d:\d\d +1 ")
            arm.send_signal(signal.SIGINT)
            armed.wait("healed")
        finally:
            arm.kill()
            arm.wait()
        with host.exchange() as (terminal, acquirer):
            terminal.sendall(S05)
            assert receive(acquirer, len(S05)) == S05

        wire.send_signal(signal.SIGTERM)
        said.wait("the cards are as they were")
        assert wire.wait(10) == 0
    finally:
        wire.kill()
        wire.wait()
    assert host.names() == ["enp2s0", "enp3s0"]
    (log,) = host.folder.glob("results/*/benches/counter-1/history.jsonl")
    events = list(read(log))
    assert sum(isinstance(event, WireFrame) for event in events) == 3
    assert any(isinstance(event, FaultArmed) for event in events)
    assert any(isinstance(event, FaultStruck) for event in events)


def test_a_card_that_the_host_lives_by_is_refused(host: Host) -> None:
    with netns.inside(host.host_fd), IPRoute() as route:
        index = socket.if_nametoindex("enp3s0")
        route.addr("add", index=index, address="192.0.2.9", prefixlen=24)
    ran = host.console("wire", "open", "--lab", str(host.inventory), "--bench", "counter-1")
    text, _ = ran.communicate(timeout=60)
    assert ran.returncode == 2 and "Traceback" not in text, text
    assert "enp3s0 has an address that the inventory does not expect: 192.0.2.9/24" in text
    assert host.names() == ["enp2s0", "enp3s0"]


@pytest.mark.parametrize(
    ("name", "what"), [("counter-9", "there is no bench counter-9"), ("bench-1", "bench bench-1 is emulated")]
)
def test_a_bench_that_has_no_cards_is_refused(host: Host, name: str, what: str) -> None:
    lab = host.inventory if name.startswith("counter") else ROOT / "lab_config" / "emulated.yaml"
    ran = host.console("wire", "open", "--lab", str(lab), "--bench", name)
    text, _ = ran.communicate(timeout=60)
    assert ran.returncode == 2 and what in text and "Traceback" not in text, text
