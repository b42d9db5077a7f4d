"""Wires to measure on, and what goes over them: requests and answers of 200 bytes, and a stream."""

from __future__ import annotations

import contextlib
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.tests.lab_helpers import receive, tcp_socket
from harness.wire.topology import ACQUIRER_ADDRESS, Topology

SIZE = 200
PORT = 8583
_ECHO = Path(__file__).with_name("echo.py")
_CHUNK = bytes(1 << 16)


@contextlib.contextmanager
def on_one_core() -> Iterator[int]:
    """Everything that this process starts meanwhile, and itself, on one core: no time is hidden on another."""
    before = os.sched_getaffinity(0)
    core = max(before)
    os.sched_setaffinity(0, {core})
    try:
        yield core
    finally:
        os.sched_setaffinity(0, before)


@contextlib.contextmanager
def far_ends(topologies: Sequence[Topology]) -> Iterator[None]:
    """One process that answers on all of them."""
    listeners = []
    for topology in topologies:
        listener = tcp_socket(topology.acquirer_fd)
        listener.bind((ACQUIRER_ADDRESS, PORT))
        listener.listen(16)
        listeners.append(listener)
    numbers = [listener.fileno() for listener in listeners]
    process = subprocess.Popen(
        [sys.executable, "-S", str(_ECHO), *map(str, numbers)], pass_fds=numbers, stdout=subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        process.stdout.readline()
        yield
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
        for listener in listeners:
            listener.close()


@contextlib.contextmanager
def caller(topology: Topology, kind: bytes = b"E") -> Iterator[socket.socket]:
    """The terminal's end of a new connection."""
    with tcp_socket(topology.terminal_fd, 60.0) as end:
        end.connect((ACQUIRER_ADDRESS, PORT))
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        end.sendall(kind)
        yield end


def trip(end: socket.socket) -> float:
    """Microseconds for a request and its answer."""
    began = time.perf_counter_ns()
    end.sendall(_CHUNK[:SIZE])
    receive(end, SIZE)
    return (time.perf_counter_ns() - began) / 1000


def p50(topology: Topology, trips: int) -> float:
    """Microseconds; the first tenth is warming up."""
    with caller(topology) as end:
        for _ in range(trips // 10):
            trip(end)
        return statistics.median(trip(end) for _ in range(trips))


def mbit_s(topology: Topology, seconds: float = 0.4) -> float:
    """What one stream carries."""
    with caller(topology, b"S") as end:
        began, sent = time.perf_counter(), 0
        while time.perf_counter() - began < seconds:
            sent += end.send(_CHUNK)
        end.shutdown(socket.SHUT_WR)
        end.recv(1)
        return sent * 8 / 1e6 / (time.perf_counter() - began)
