"""The injector as a program: faults strike real traffic, both ways of diverting; and its licence stays its own."""

from __future__ import annotations

import ast
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import harness
from harness.errors import BadInput, BenchError, TerminalTimeout
from harness.history.events import FaultArmed, FaultHealed
from harness.tests.injector_helpers import DIVERTS, Bed, bed
from harness.tests.lab_helpers import PORT, connection, receive
from harness.wire.faults import Match
from harness.wire.faults.drop import Drop
from harness.wire.topology import ACQUIRER_ADDRESS, BACKUP_ADDRESS

PACKAGE = Path(harness.__file__).parent
INJECTOR = PACKAGE / "wire" / "injector"


@pytest.fixture(scope="module", params=DIVERTS)
def wire(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bed]:
    with bed(tmp_path_factory.mktemp("injector"), request.param) as made:
        yield made


@pytest.fixture(autouse=True)
def _healed(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "wire" in request.fixturenames:
        made = request.getfixturevalue("wire")
        made.injector.heal()


def test_with_nothing_armed_nothing_is_touched(wire: Bed) -> None:
    with connection(wire.topology) as (terminal, acquirer):
        terminal.sendall(b"0200")
        assert receive(acquirer, 4) == b"0200"
    assert wire.injector.armed() == {}


def test_its_session_is_as_urgent_as_itself(wire: Bed) -> None:
    """Where the kernel shares the processor between sessions, a process's priority counts only within its own."""
    pid = wire.injector.pid
    assert os.getsid(pid) == pid
    group = Path(f"/proc/{pid}/autogroup")
    if group.exists():
        assert group.read_text().split()[-1] == str(os.getpriority(os.PRIO_PROCESS, pid))


def test_what_a_fault_takes_never_arrives_until_it_is_healed(wire: Bed) -> None:
    with connection(wire.topology) as (terminal, acquirer):
        fault = wire.injector.arm(Drop(match=Match(direction="to_acquirer")))
        terminal.sendall(b"0200")
        first = wire.injector.await_strike(fault, 10.0)
        again = wire.injector.await_strike(fault, 10.0, number=2)  # TCP repeats it
        assert (first.match, again.match, first.what, first.direction) == (1, 2, "lost", "to_acquirer")
        acquirer.settimeout(0.1)
        with pytest.raises(TimeoutError):
            acquirer.recv(4)
        wire.injector.heal(fault)
        acquirer.settimeout(10.0)
        assert receive(acquirer, 4) == b"0200", "TCP's next repetition passes"
    healed = wire.injector.healed(fault)
    assert healed is not None and healed.why == "asked"


def test_a_fault_whose_count_is_used_up_heals_itself(wire: Bed) -> None:
    with connection(wire.topology) as (terminal, acquirer):
        fault = wire.injector.arm(Drop(match=Match(direction="to_acquirer", port=PORT), count=1))
        terminal.sendall(b"0200")
        assert receive(acquirer, 4) == b"0200"
    wire.injector.sync()
    assert len(wire.injector.strikes(fault)) == 1
    ended = wire.injector.healed(fault)
    assert ended is not None and ended.why == "used_up"
    assert wire.injector.armed() == {}
    with pytest.raises(BenchError, match="ended"):
        wire.injector.await_strike(fault, 5.0, number=2)


def test_a_fault_ends_when_its_time_is_over(wire: Bed) -> None:
    fault = wire.injector.arm(Drop(for_s=0.2))
    with connection(wire.topology) as (terminal, acquirer):  # its first SYN, or more, is lost
        terminal.sendall(b"0200")
        assert receive(acquirer, 4) == b"0200"
    ended = wire.injector.healed(fault)
    assert ended is not None and ended.why == "over"
    assert ended.t - armed_at(wire, fault) >= 200_000_000


def armed_at(wire: Bed, fault: int) -> int:
    return next(one.t for one in wire.events if isinstance(one, FaultArmed) and one.fault_id == fault)


@pytest.mark.parametrize(
    "match",
    [Match(port=PORT + 1), Match(address=BACKUP_ADDRESS), Match(address=ACQUIRER_ADDRESS, port=PORT + 1)],
    ids=str,
)
def test_a_fault_for_somebody_else_leaves_the_link_alone(wire: Bed, match: Match) -> None:
    fault = wire.injector.arm(Drop(match=match))
    with connection(wire.topology) as (terminal, acquirer):
        terminal.sendall(b"0200")
        assert receive(acquirer, 4) == b"0200"
    with pytest.raises(TerminalTimeout):
        wire.injector.await_strike(fault, 0.05)


@pytest.mark.parametrize("match", [Match(port=PORT), Match(address=ACQUIRER_ADDRESS), Match(address=ACQUIRER_ADDRESS,
                         port=PORT, direction="to_terminal")], ids=str)
def test_a_fault_for_this_peer_finds_it(wire: Bed, match: Match) -> None:
    with connection(wire.topology) as (terminal, acquirer):
        fault = wire.injector.arm(Drop(match=match, count=1))
        terminal.sendall(b"0200")
        assert receive(acquirer, 4) == b"0200"
        wire.injector.await_strike(fault, 10.0)


def test_what_is_matched_but_not_struck_passes_whole(wire: Bed) -> None:
    """Megabytes in both directions, segmented by the kernel on the way to the injector: nothing lost, nothing bent."""
    data = bytes(range(256)) * 4096
    wire.injector.arm(Drop(percent=0))
    with connection(wire.topology) as (terminal, acquirer):
        for source, sink in ((terminal, acquirer), (acquirer, terminal)):
            sending = threading.Thread(target=source.sendall, args=(data,))
            sending.start()
            assert receive(sink, len(data)) == data
            sending.join()


def test_the_cable_is_pulled_and_plugged_while_a_fault_is_armed(wire: Bed) -> None:
    with connection(wire.topology) as (terminal, acquirer):
        wire.injector.arm(Drop(percent=0))
        wire.topology.link(False)
        terminal.sendall(b"0200")
        acquirer.sendall(b"0210")
        wire.injector.sync()
        wire.topology.link(True)
        assert receive(acquirer, 4) == b"0200" and receive(terminal, 4) == b"0210", "TCP repeats what was lost"


def test_two_faults_at_once_and_one_healed(wire: Bed) -> None:
    with connection(wire.topology) as (terminal, acquirer):
        out = wire.injector.arm(Drop(match=Match(direction="to_acquirer")))
        back = wire.injector.arm(Drop(match=Match(direction="to_terminal")))
        assert set(wire.injector.armed()) == {out, back}
        wire.injector.heal(out)
        terminal.sendall(b"0200")
        assert receive(acquirer, 4) == b"0200"
        wire.injector.await_strike(back, 10.0)
        assert wire.injector.strikes(out) == ()


def test_refusals_say_why_and_change_nothing(wire: Bed) -> None:
    with pytest.raises(BenchError, match="unknown operation 'explode'"):
        wire.injector._pipe.request("explode")
    with pytest.raises(BenchError, match="every_nth"):
        wire.injector._pipe.request("arm", fault={"fault": "drop", "every_nth": 0})
    with pytest.raises(BadInput, match="every_nth"):
        wire.injector.arm(Drop.model_construct(every_nth=0))
    assert wire.injector.armed() == {}


def test_everything_is_told_in_its_order(wire: Bed) -> None:
    wire.injector.heal()
    begin = len(wire.events)
    with connection(wire.topology) as (terminal, acquirer):
        fault = wire.injector.arm(Drop(match=Match(direction="to_acquirer"), count=2))
        terminal.sendall(b"0200")
        assert receive(acquirer, 4) == b"0200"
    wire.injector.sync()
    told = [event for event in wire.events[begin:] if event.fault_id == fault]
    assert [event.kind for event in told] == ["fault.armed", "fault.struck", "fault.struck", "fault.healed"]
    assert [event.t for event in told] == sorted(event.t for event in told)
    assert isinstance(told[0], FaultArmed) and told[0].fault["fault"] == "drop" and told[0].fault["count"] == 2
    assert isinstance(told[-1], FaultHealed)


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
    assert any(is_of(module, "scapy") for path in INJECTOR.rglob("*.py") for module in imported(path))


def test_every_file_of_the_injector_names_its_licence_and_the_text_is_there() -> None:
    for path in INJECTOR.rglob("*.py"):
        assert path.read_text(encoding="utf-8").startswith("# SPDX-License-Identifier: GPL-2.0-only\n"), path
    root = PACKAGE.parent
    assert (
        "GNU GENERAL PUBLIC LICENSE\n                       Version 2, June 1991"
        in (root / "LICENSES" / "GPL-2.0-only.txt").read_text()
    )
    assert (root / "LICENSE").read_text().startswith("MIT License")
