"""Each link on a bench's wire: the application's line, the cable with its tap, and the acquirer's process."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from harness.acquirer.certificates import Certificates
from harness.bench.bench import SESSION_KEYS, TAPPED_AS
from harness.emulator.firmware.app import link as terminal_link
from harness.emulator.firmware.app.rules import Outcome
from harness.history.events import WireBytes, WireConnection, WireFrame
from harness.tests.acquirer_terminal import Process
from harness.tests.lab_helpers import make_sure_of_a_lab
from harness.tests.links_terminal import Terminal
from harness.wire import netns
from harness.wire.tap_client import TapClient, WireEvent
from harness.wire.topology import ACQUIRER_ADDRESS, BACKUP_ADDRESS, Topology

PORT = 8583


class Wired:
    """A terminal's line and an acquirer with the cable between."""

    def __init__(self, folder: Path, link: str, stack: ExitStack) -> None:
        self.folder, self.link = folder, link
        self.topology = stack.enter_context(Topology.build())
        self.events: list[WireEvent] = []
        self.keys = folder / SESSION_KEYS
        self.tap = TapClient.start(
            netns_fd=self.topology.wire_fd, pcapng=folder / "wire.pcapng", log=folder / "tap.log",
            on_event=self.events.append, link=TAPPED_AS[link], keys=self.keys,
        )
        stack.callback(self.tap.close)
        options = {"tls": ["--tls", str(folder / "tls"), "--tls-keys", str(self.keys)], "http": ["--http"]}
        also = ["--also", f"{BACKUP_ADDRESS}:{PORT}"]
        self.acquirer = Process(folder, *also, *options.get(link, []))
        stack.callback(self.acquirer.stop)
        self.acquirer.start(netns_fd=self.topology.acquirer_fd, listen=f"{ACQUIRER_ADDRESS}:{PORT}")
        self.acquirer.client.register_merchant("898970000000001")
        values: dict[str, Any] = {"link": link, "port": PORT}
        if link == "tls":
            values["tls_ca"] = Certificates(folder / "tls").ca
        self.terminal = Terminal(**values, address=ACQUIRER_ADDRESS)

    def send(self) -> Any:
        with netns.inside(self.topology.terminal_fd):
            verdict = self.terminal.send()
        self.tap.sync()
        return verdict

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


Make = Callable[[str], Wired]


@pytest.fixture
def wired(tmp_path: Path) -> Iterator[Make]:
    make_sure_of_a_lab()
    with ExitStack() as stack:
        yield lambda link: Wired(tmp_path, link, stack)


@pytest.mark.parametrize("link", sorted(TAPPED_AS))
def test_97_reaches_the_terminal_and_the_history(wired: Make, link: str) -> None:
    lab = wired(link)
    verdicts = [lab.send() for _ in range(3)]
    assert [(verdict.outcome, verdict.code) for verdict in verdicts] == [(Outcome.DECLINED, "97")] * 3
    rows = lab.acquirer.since(0)
    frames = lab.of(WireFrame)
    assert [frame.hex for frame in frames] == [row["hex"] for row in rows] and len(frames) == 6
    assert [frame.direction for frame in frames] == ["to_acquirer", "to_terminal"] * 3
    assert lab.of(WireBytes) == []
    assert all(frame.t_first <= frame.t and frame.packets for frame in frames)
    opened = [event for event in lab.of(WireConnection) if event.state == "open"]
    assert len(opened) == (1 if link == "tcp_standing" else 3)
    named = {"tls": " [TLS 1.3]", "http": " [HTTP]"}.get(link, "")
    assert all(row["note"].endswith(named) and ("[" in row["note"]) == bool(named) for row in rows)


@pytest.mark.parametrize("link", sorted(TAPPED_AS))
@pytest.mark.parametrize(("rule", "outcome"), [
    ({"action": "never"}, Outcome.NO_ANSWER), ({"action": "close"}, Outcome.NO_ANSWER),
    ({"action": "foreign_trace"}, Outcome.NOT_OURS), ({"action": "answer", "code": "03"}, Outcome.DECLINED),
])
def test_misbehaviour_works_alike(
    wired: Make, link: str, rule: dict[str, Any], outcome: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal_link, "SHORTEST_NETWORK_S", 1.0)
    lab = wired(link)
    lab.terminal.change(timeout_s=1)
    lab.acquirer.client.misbehave({"mti": "0820", **rule})
    assert lab.send().outcome is outcome
    assert lab.send().code == "97", "the next message is not harmed"


def test_it_falls_back_to_the_other_address(wired: Make) -> None:
    lab = wired("tcp")
    lab.terminal.change(port=PORT + 1, host2=BACKUP_ADDRESS, port2=PORT)
    assert lab.send().code == "97"
    assert [event.state for event in lab.of(WireConnection)][:4] == ["opening", "refused", "opening", "open"]
    assert lab.acquirer.since(0)[0]["note"].endswith(f" [at {BACKUP_ADDRESS}:{PORT}]")


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
def test_tshark_opens_the_capture_with_the_keys_beside_it(wired: Make) -> None:
    lab = wired("tls")
    lab.send()
    frames = lab.of(WireFrame)
    lab.tap.close()
    result = subprocess.run(
        ["tshark", "-r", str(lab.folder / "wire.pcapng"), "-o", f"tls.keylog_file:{lab.keys}", "-d",
         f"tcp.port=={PORT},tls", "-q", "-z", "follow,tls,raw,0"],
        capture_output=True, text=True, timeout=60, check=True,
    )
    shown = "".join(line.strip() for line in result.stdout.splitlines()).lower()
    assert all(frame.hex.lower() in shown for frame in frames) and frames
