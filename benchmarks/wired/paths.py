"""The same traffic over the plain bridge, past an injector in each of its states, and through scapy's bridge."""

from __future__ import annotations

import contextlib
import fcntl
import socket
import statistics
import struct
import subprocess
import sys
import time
from collections.abc import Iterator

from ratio import against_peer, at_least, no_more

from harness.wire import netns
from harness.wire.faults import Match
from harness.wire.faults.drop import Drop
from harness.wire.injector_client import InjectorClient
from harness.wire.topology import END, Topology
from wired import Options
from wired.load import far_ends, mbit_s, on_one_core, p50

QUIET_P50, QUIET_RATE, MATCHED_P50, MATCHED_RATE = 1.2, 0.9, 3.0, 10.0
_OFFLOADS = (0x1F, 0x24, 0x2C, 0x17, 0x15)  # tso gso gro tx rx, linux/ethtool.h
_SIOCETHTOOL = 0x8946
# in another process, as everything that imports scapy
_SCAPY = """
from scapy.all import bridge_and_sniff
print("ready", flush=True)
bridge_and_sniff("t0", "a0", store=False)
"""


@contextlib.contextmanager
def plain(options: Options) -> Iterator[Topology]:
    with Topology.build() as topology:
        yield topology


@contextlib.contextmanager
def injected(options: Options, divert: str, fault: Drop | None) -> Iterator[Topology]:
    with Topology.build() as topology:
        injector = InjectorClient.start(netns_fd=topology.wire_fd, log=options.folder / "injector.log", divert=divert)
        if fault is not None:
            injector.arm(fault)
        try:
            yield topology
        finally:
            injector.close()


@contextlib.contextmanager
def scapys(options: Options) -> Iterator[Topology]:
    """No bridge of the kernel's between the ports; offloads off at both ends, for scapy fills in nothing."""
    from pyroute2 import IPRoute

    with Topology.build() as topology:
        for fd in (topology.terminal_fd, topology.acquirer_fd):
            with netns.inside(fd):
                switch_offloads_off(END)
        with netns.inside(topology.wire_fd), IPRoute() as route:
            for name in ("t0", "a0"):
                route.link("set", index=socket.if_nametoindex(name), master=0)
                route.link("set", index=socket.if_nametoindex(name), flags=0x100, change=0x100)  # promiscuous
        with netns.inside(topology.wire_fd):
            bridge = subprocess.Popen(
                [sys.executable, "-c", _SCAPY], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
        try:
            assert bridge.stdout is not None
            bridge.stdout.readline()
            time.sleep(0.3)  # it says nothing when its sockets are open
            yield topology
        finally:
            bridge.kill()
            bridge.wait()
            if bridge.stdout is not None:
                bridge.stdout.close()


def switch_offloads_off(name: str) -> None:
    import ctypes

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        for command in _OFFLOADS:
            value = ctypes.create_string_buffer(struct.pack("=II", command, 0))
            fcntl.ioctl(asking, _SIOCETHTOOL, struct.pack("16sP16x", name.encode(), ctypes.addressof(value)))


def measure(options: Options) -> list[bool]:
    states = {"nothing armed": None, "armed for another port": Drop(match=Match(port=9797)), "passed": Drop(percent=0)}
    paths = {"bridge": lambda: plain(options), "scapy": lambda: scapys(options)}
    for divert in options.diverts:
        for state, fault in states.items():
            paths[f"{divert}, {state}"] = lambda divert=divert, fault=fault: injected(options, divert, fault)
    late: dict[str, list[float]] = {name: [] for name in paths}
    rate: dict[str, list[float]] = {name: [] for name in paths}
    with on_one_core():
        for _ in range(options.rounds):
            for name, path in paths.items():
                with path() as topology, far_ends([topology]):
                    late[name].append(p50(topology, options.trips if name != "scapy" else options.trips // 4))
                    rate[name].append(mbit_s(topology))
    p50s = {name: statistics.median(values) for name, values in late.items()}
    rates = {name: statistics.median(values) for name, values in rate.items()}
    fine = []
    for divert in options.diverts:
        for state in ("nothing armed", "armed for another port"):
            name = f"{divert}, {state}"
            fine.append(no_more(f"{name}: p50", p50s[name], "bridge", p50s["bridge"], QUIET_P50, "us"))
            fine.append(at_least(f"{name}: Mbit/s to the bridge's {rates['bridge']:.0f}",
                                 rates[name] / rates["bridge"], QUIET_RATE))
        name = f"{divert}, passed"
        fine.append(no_more(f"{name}: p50", p50s[name], "bridge", p50s["bridge"], MATCHED_P50, "us"))
        fine.append(at_least(f"{name}: Mbit/s to bridge_and_sniff's {rates['scapy']:.0f}",
                             rates[name] / rates["scapy"], MATCHED_RATE))
        against_peer(f"{name}: p50", p50s[name], "bridge_and_sniff", p50s["scapy"], "us")
    return fine
