"""How long the link is dead after the injector was killed with everything partitioned."""

from __future__ import annotations

import os
import signal
import socket
import statistics
import time

from ratio import against_limit

from harness.wire import netns
from harness.wire.faults.partition import Partition
from harness.wire.injector_client import InjectorClient
from harness.wire.topology import ACQUIRER_ADDRESS, Topology
from wired import Options

LIMIT_S = {"nft": 0.1, "netlink": 1.0}


def measure(options: Options) -> list[bool]:
    fine = []
    for divert in options.diverts:
        dead = [_dead(options, divert) for _ in range(options.rounds)]
        fine.append(against_limit(f"{divert}: link dead after kill -9", statistics.median(dead), LIMIT_S[divert], "s"))
    return fine


def _dead(options: Options, divert: str) -> float:
    """Seconds from the kill to the first datagram that arrives; one is sent every half millisecond."""
    with Topology.build() as topology:
        with netns.inside(topology.terminal_fd):
            terminal = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with netns.inside(topology.acquirer_fd):
            acquirer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with terminal, acquirer:
            acquirer.bind((ACQUIRER_ADDRESS, 5353))
            acquirer.settimeout(0.0005)
            terminal.connect((ACQUIRER_ADDRESS, 5353))
            while not _arrives(terminal, acquirer):
                pass
            injector = InjectorClient.start(
                netns_fd=topology.wire_fd, log=options.folder / "injector.log", divert=divert
            )
            injector.arm(Partition())
            while _arrives(terminal, acquirer):  # those that were late
                pass
            began = time.perf_counter()
            os.kill(injector.pid, signal.SIGKILL)
            while not _arrives(terminal, acquirer):
                assert time.perf_counter() - began < 30, "the link stays dead"
            return time.perf_counter() - began


def _arrives(terminal: socket.socket, acquirer: socket.socket) -> bool:
    terminal.send(b"?")
    try:
        acquirer.recv(16)
    except TimeoutError:
        return False
    return True
