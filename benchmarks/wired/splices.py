"""Messages replaced between two real kernels: how many the terminal accepts, whether the connection can be used
afterwards, and what it costs.

One standing connection; 200 answers are replaced on it, each armed anew in its middle, each followed by an exchange
that nobody touches. Then round trips: through the bridge alone; with a fault armed whose message never comes, so that
every message is kept until it is whole; replaced; and untouched on a connection whose numbers differ. Beside the wall
time the CPU that the injector itself uses for a round trip, which other work on the machine hardly changes.
"""

from __future__ import annotations

import socket
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from ratio import against_limit, at_least, no_more

from harness.tests.lab_helpers import connection
from harness.tests.splicer_sockets import Host, approve, message, read_message
from harness.wire.faults import Fault, Match
from harness.wire.faults.hold import Hold
from harness.wire.faults.replace import Replace
from harness.wire.injector_client import InjectorClient
from harness.wire.topology import Topology
from wired import Options

REPLACEMENTS = 200
ADDED_LIMIT_MS = 1.0
ANSWER = Match.model_validate({"moment": "response to 0200"})
_SAME, _SHORTER, _LONGER = 40, 10, 400  # bytes of F63; the host's answer has 40


def measure(options: Options) -> list[bool]:
    fine = []
    for divert in options.diverts:
        with Topology.build() as topology:
            injector = InjectorClient.start(
                netns_fd=topology.wire_fd, log=options.folder / "injector.log", divert=divert
            )
            for name, filler in (("same length", _SAME), ("shorter", _SHORTER), ("longer", _LONGER)):
                wanted = min(REPLACEMENTS, options.trips)
                accepted = _replacements(topology, injector, filler, wanted)
                fine.append(at_least(f"{divert}: {name}: accepted of {wanted}", accepted / wanted, 1.0))
            fine += _cost(divert, topology, injector, options)
            injector.close()
    return fine


def _replacements(topology: Topology, injector: InjectorClient, filler: int, wanted: int) -> int:
    other = message("0210", 97, filler, F39="97")
    accepted = 0
    with connection(topology) as (terminal, acquirer):
        Host(acquirer, approve)
        for turn in range(wanted):
            injector.arm(Replace(hex=other.hex(), match=ANSWER))
            replaced = _ask(terminal, turn) == other
            accepted += replaced and _ask(terminal, 1000 + turn) == approve(message("0200", 1000 + turn))
    return accepted


def _cost(divert: str, topology: Topology, injector: InjectorClient, options: Options) -> list[bool]:
    same, longer = (message("0210", 97, filler, F39="97").hex() for filler in (_SAME, _LONGER))
    waiting = Hold(match=Match.model_validate({"moment": "0830"}))
    ways: dict[str, tuple[Fault | None, bool]] = {
        "the bridge alone": (None, False), "kept until whole": (waiting, False),
        "replaced": (Replace(hex=same, match=ANSWER, count=None), False), "behind a longer one": (None, True),
    }
    took: dict[str, list[float]] = {name: [] for name in ways}
    used: dict[str, list[float]] = {name: [] for name in ways}
    trips = max(20, options.trips // 10)
    for _ in range(options.rounds):
        for name, (fault, after) in ways.items():
            with connection(topology) as (terminal, acquirer):
                Host(acquirer, approve)
                if after:
                    injector.arm(Replace(hex=longer, match=ANSWER))
                    _ask(terminal, 1)
                number = injector.arm(fault) if fault is not None else None
                before = _cpu_ms(injector.pid)
                took[name].append(_p50(lambda terminal=terminal: _ask(terminal, 1), trips))  # type: ignore[misc]
                injector.sync()
                used[name].append((_cpu_ms(injector.pid) - before) / trips)
                if number is not None:
                    injector.heal(number)
    medians = {name: statistics.median(values) * 1e3 for name, values in took.items()}
    bridge = medians["the bridge alone"]
    fine = [against_limit(f"{divert}: a replaced answer adds", medians["replaced"] - bridge, ADDED_LIMIT_MS, "ms")]
    cpu = {name: statistics.median(values) for name, values in used.items()}
    more = cpu["replaced"] - cpu["kept until whole"]
    fine.append(against_limit(f"{divert}: CPU that replacing adds", more, ADDED_LIMIT_MS, "ms"))
    for name in ("kept until whole", "behind a longer one"):
        no_more(f"{divert}: round trip, {name}", medians[name], "the bridge", bridge, 10.0, "ms")
    return fine


def _cpu_ms(pid: int) -> float:
    """That a process has used so far (proc_pid_schedstat(5)); the main thread's, which is all that an injector has."""
    return int(Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii").split()[0]) / 1e6


def _p50(trip: Callable[[], object], count: int) -> float:
    took = []
    for _ in range(count):
        began = time.perf_counter()
        trip()
        took.append(time.perf_counter() - began)
    return statistics.median(took)


def _ask(terminal: socket.socket, number: int) -> bytes:
    terminal.sendall(message("0200", number))
    return read_message(terminal)
