"""Many benches on one machine, one of them under fault: what the others feel of it."""

from __future__ import annotations

import contextlib
import statistics
import subprocess
import sys
from collections.abc import Iterator

from ratio import no_more

from harness.tests.lab_helpers import tcp_socket
from harness.wire.faults.delay import Delay
from harness.wire.injector_client import InjectorClient
from harness.wire.topology import ACQUIRER_ADDRESS, Topology
from wired import Options
from wired.load import PORT, far_ends, trip

LIMIT = 1.2
# keeps the bench under fault busy: a request, its answer, and again
_BUSY = """
import socket, sys, time
end = socket.socket(fileno=int(sys.argv[1]))
end.settimeout(60)
end.sendall(b"E")
while True:
    end.sendall(bytes(200))
    got = 0
    while got < 200:
        got += len(end.recv(4096)) or sys.exit()
    time.sleep(0.002)
"""


def measure(options: Options) -> list[bool]:
    with contextlib.ExitStack() as stack:
        benches = [stack.enter_context(Topology.build()) for _ in range(options.benches)]
        stack.enter_context(far_ends(benches))
        ends = []
        for bench in benches:
            end = stack.enter_context(tcp_socket(bench.terminal_fd, 60.0))
            end.connect((ACQUIRER_ADDRESS, PORT))
            ends.append(end)
        for end in ends[1:]:
            end.sendall(b"E")
            trip(end)
        stack.enter_context(_busy(ends[0].fileno()))
        injector = InjectorClient.start(netns_fd=benches[0].wire_fd, log=options.folder / "injector.log")
        stack.callback(injector.close)
        free, beside = [], []
        for _ in range(options.rounds):
            free.append(_p50(ends[1:], options.trips))
            number = injector.arm(Delay(delay_ms=3.0))
            beside.append(_p50(ends[1:], options.trips))
            injector.heal(number)
        return [
            no_more(f"{options.benches} benches, one under fault: the others' p50", statistics.median(beside),
                    "none under fault", statistics.median(free), LIMIT, "us")
        ]


def _p50(ends: list, trips: int) -> float:  # type: ignore[type-arg]
    return statistics.median(trip(ends[number % len(ends)]) for number in range(trips))


@contextlib.contextmanager
def _busy(fd: int) -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "-S", "-c", _BUSY, str(fd)], pass_fds=[fd])
    try:
        yield
    finally:
        process.kill()
        process.wait()
