"""The injector: connections are really reset, at both ends; and its licence stays its own."""

from __future__ import annotations

import ast
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import harness
from harness.errors import BenchError, TerminalTimeout
from harness.history.events import WireConnection
from harness.tests.lab_helpers import connection, make_sure_of_a_lab, receive
from harness.wire.injector_client import InjectorClient
from harness.wire.tap_client import TapClient, WireEvent
from harness.wire.topology import Topology

PACKAGE = Path(harness.__file__).parent
INJECTOR = PACKAGE / "wire" / "injector"


@pytest.fixture(scope="module")
def wire(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Topology, InjectorClient, TapClient, list[WireEvent]]]:
    make_sure_of_a_lab()
    folder = tmp_path_factory.mktemp("injector")
    events: list[WireEvent] = []
    with Topology.build() as topology:
        tap = TapClient.start(
            netns_fd=topology.wire_fd, pcapng=folder / "wire.pcapng", log=folder / "tap.log", on_event=events.append
        )
        injector = InjectorClient.start(netns_fd=topology.wire_fd, log=folder / "injector.log")
        yield topology, injector, tap, events
        injector.close()
        tap.close()


Wire = tuple[Topology, InjectorClient, TapClient, list[WireEvent]]


def is_reset(end: socket.socket) -> bool:
    """Whether the end has been reset (rather than closed, or left alone) within its time-out."""
    try:
        while end.recv(4096):
            pass
    except ConnectionResetError:
        return True
    return False


def test_reset_now_resets_both_ends(wire: Wire) -> None:
    topology, injector, tap, events = wire
    with connection(topology) as (terminal, acquirer):
        for size in (1, 500, 3000):
            terminal.sendall(bytes(size))
            receive(acquirer, size)
            acquirer.sendall(bytes(size))
            receive(terminal, size)
        injector.reset()
        sent = injector.await_injection(5.0)
        assert is_reset(terminal) and is_reset(acquirer)
    assert {packet.to for packet in sent} == {"terminal", "acquirer"}
    assert all(packet.fault == "reset" and 0 < packet.t <= time.monotonic_ns() for packet in sent)
    tap.sync()
    last = [event for event in events if isinstance(event, WireConnection)][-1]
    assert (last.state, last.by) == ("reset", "acquirer"), "on the wire it looks as if the acquirer had done it"


def test_reset_after_the_request_leaves_no_answer(wire: Wire) -> None:
    topology, injector, _, _ = wire
    with connection(topology) as (terminal, acquirer):
        injector.reset("after_request")
        terminal.sendall(b"\x00\x30" + bytes(48))
        injector.await_injection(5.0)
        assert is_reset(terminal)
        acquirer.settimeout(5.0)
        assert is_reset(acquirer)


def test_reset_when_the_response_begins(wire: Wire) -> None:
    topology, injector, _, _ = wire
    with connection(topology) as (terminal, acquirer):
        injector.reset("response_begins")
        terminal.sendall(b"request")
        receive(acquirer, 7)
        with pytest.raises(TerminalTimeout):
            injector.await_injection(0.2)
        acquirer.sendall(b"\x00")
        injector.await_injection(5.0)
        assert is_reset(terminal) and is_reset(acquirer)


def test_a_reset_hits_the_connection_of_now_and_the_next_one_is_untouched(wire: Wire) -> None:
    topology, injector, _, _ = wire
    for _ in range(10):
        with connection(topology) as (terminal, acquirer):
            terminal.sendall(b"a")
            receive(acquirer, 1)
            injector.reset()
            injector.await_injection(5.0)
            assert is_reset(terminal) and is_reset(acquirer)
        with connection(topology) as (terminal, acquirer):
            terminal.sendall(b"b")
            assert receive(acquirer, 1) == b"b"
            acquirer.sendall(b"c")
            assert receive(terminal, 1) == b"c"


def test_a_reset_finds_its_way_through_a_stream_in_full_flow(wire: Wire) -> None:
    """The number to hit moves while the reset is made."""
    topology, injector, _, _ = wire
    with connection(topology) as (terminal, acquirer):
        injector.reset("response_begins")
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            for _ in range(100000):
                acquirer.sendall(b"\x7f" * 20000)
                terminal.recv(65536)
        injector.await_injection(5.0)


def test_what_is_healed_does_not_strike(wire: Wire) -> None:
    topology, injector, _, _ = wire
    with connection(topology) as (terminal, acquirer):
        injector.heal()
        before = injector.injected
        injector.reset("after_request")
        injector.heal()
        terminal.sendall(b"a")
        assert receive(acquirer, 1) == b"a"
        injector.heal()  # a reply comes after everything that it did before
        assert injector.injected == before


def test_with_no_connection_there_is_nothing_to_reset(tmp_path: Path) -> None:
    make_sure_of_a_lab()
    with Topology.build() as topology:
        injector = InjectorClient.start(netns_fd=topology.wire_fd, log=tmp_path / "log")
        with pytest.raises(BenchError, match="there is no connection to reset"):
            injector.reset()
        with connection(topology) as (terminal, acquirer):
            terminal.sendall(b"a")
            receive(acquirer, 1)
        with pytest.raises(BenchError, match="there is no connection to reset"):
            injector.reset()  # both ends have closed
        injector.close()
        injector.close()


# -- licence -----------------------------------------------------------------------------------------------------------


def imported(path: Path) -> set[str]:
    """Every module that a file imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def is_of(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")


def test_only_the_injector_imports_scapy_and_nobody_imports_the_injector() -> None:
    others = [path for path in PACKAGE.rglob("*.py") if INJECTOR not in path.parents]
    assert len(others) > 20
    for path in others:
        for module in imported(path):
            assert not is_of(module, "scapy"), f"{path} imports {module}, which is GPL-2.0-only"
            assert not is_of(module, "harness.wire.injector"), f"{path} imports {module}, which is GPL-2.0-only"
    assert any(is_of(module, "scapy") for path in INJECTOR.glob("*.py") for module in imported(path))


def test_every_file_of_the_injector_names_its_licence_and_the_text_is_there() -> None:
    for path in INJECTOR.rglob("*.py"):
        assert path.read_text(encoding="utf-8").startswith("# SPDX-License-Identifier: GPL-2.0-only\n"), path
    root = PACKAGE.parent
    assert (
        "GNU GENERAL PUBLIC LICENSE\n                       Version 2, June 1991"
        in (root / "LICENSES" / "GPL-2.0-only.txt").read_text()
    )
    assert (root / "LICENSE").read_text().startswith("MIT License")
