"""How exactly a delay is kept: from the sending of a datagram to the kernel's time of its arrival, less the delay."""

from __future__ import annotations

import socket
import statistics
import struct
import time

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
                sent = time.time_ns()
                terminal.send(b"?")
                _, ancillary, _, _ = acquirer.recvmsg(16, 64)
                seconds, nanoseconds = struct.unpack("=qq", ancillary[0][2])
                errors.append(abs((seconds * 10**9 + nanoseconds - sent) / 1e6 - DELAY_MS))
        injector.close()
    errors.sort()
    return [
        against_limit(f"error of a delay of {DELAY_MS:.0f} ms: p50", statistics.median(errors), P50_LIMIT_MS, "ms"),
        against_limit("... p99", errors[int(len(errors) * 0.99)], P99_LIMIT_MS, "ms"),
    ]
