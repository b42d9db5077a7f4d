"""How exactly a delay is kept: from the sending of a datagram to the kernel's time of its arrival, less the delay.

Beside it, how much of that the injector had to wait for a core that others had: what is left is its own.
"""

from __future__ import annotations

import socket
import statistics
import struct
import time
from pathlib import Path

from ratio import against_limit

from harness.wire import netns
from harness.wire.faults import Match
from harness.wire.faults.delay import Delay
from harness.wire.injector_client import InjectorClient
from harness.wire.topology import ACQUIRER_ADDRESS, Topology
from wired import Options

DELAY_MS = 50.0
P50_LIMIT_MS, P99_LIMIT_MS = 0.3, 4.0
_SO_TIMESTAMPNS_NEW = 64


def measure(options: Options) -> list[bool]:
    errors: list[float] = []
    own: list[float] = []
    with Topology.build() as topology:
        injector = InjectorClient.start(netns_fd=topology.wire_fd, log=options.folder / "injector.log")
        with netns.inside(topology.terminal_fd):
            terminal = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with netns.inside(topology.acquirer_fd):
            acquirer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with terminal, acquirer:
            acquirer.bind((ACQUIRER_ADDRESS, 5353))
            acquirer.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS_NEW, 1)
            acquirer.settimeout(10.0)
            terminal.connect((ACQUIRER_ADDRESS, 5353))
            terminal.send(b"warm")
            acquirer.recv(16)
            injector.arm(Delay(match=Match(direction="to_acquirer", port=5353), delay_ms=DELAY_MS))
            for _ in range(max(20, 100 * options.rounds)):
                waited, sent = _waited_ms(injector.pid), time.time_ns()
                terminal.send(b"?")
                _, ancillary, _, _ = acquirer.recvmsg(16, 64)
                seconds, nanoseconds = struct.unpack("=qq", ancillary[0][2])
                errors.append(abs((seconds * 10**9 + nanoseconds - sent) / 1e6 - DELAY_MS))
                own.append(max(0.0, errors[-1] - (_waited_ms(injector.pid) - waited)))
        injector.close()
    errors.sort()
    own.sort()
    fine = [
        against_limit(f"error of a delay of {DELAY_MS:.0f} ms: p50", statistics.median(errors), P50_LIMIT_MS, "ms"),
        against_limit("... p99", errors[int(len(errors) * 0.99)], P99_LIMIT_MS, "ms"),
    ]
    print(f"... p99, less what the injector waited for a core that others had: {own[int(len(own) * 0.99)]:.3f} ms")
    return fine


def _waited_ms(pid: int) -> float:
    """How long a process has stood ready without a core, since it began; 0.0 where the kernel does not count it."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e6
    except (OSError, IndexError):
        return 0.0
