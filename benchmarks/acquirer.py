"""The acquirer's sign-ins and sales per second on one core, against a bare asyncio echo of the same frames.

    python benchmarks/acquirer.py [--messages M] [--rounds R] [--connections 1,10,100,1000] [--idle N] [--echo HOW]

Acquirer and echo are processes of their own, and so is the load: this process, which sends both of them the same
frames, made before; each connection waits for its answer before it sends again, as a terminal does. The echo reads a
length and that many bytes and writes each frame back by itself: it understands and stores nothing. It is written with
asyncio's streams; ``--echo protocol`` takes a barer one, an ``asyncio.Protocol`` as the acquirer itself is.

All run on the same core. Compared are messages a second of that core: their number by the CPU that server and load
together used for them, which is the same whatever else the machine does. The limit stands for each number of
connections. The CPU of each side is printed beside it. At the server alone an echo, which costs next to nothing, is
many times as fast. The load costs more with the acquirer than with the echo: after one of the acquirer's longer turns
the kernel often lets it run at the first answer, so that it takes them one by one.

Growth: CPU of a message at the server with the most connections to that with the fewest. Memory: resident size with
idle connections against without. Exit status 1 where a limit is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from ratio import against_limit, against_peer, at_least

from harness.tests.acquirer_terminal import Pos, Process, running

LEAST_RATIO = 0.15
IDLE_LIMIT_KIB = 16.0
GROWTH_LIMIT = 1.5  # CPU of a message with the most connections, to that with one
TERMINALS = 20

_BY_PROTOCOL = """
import asyncio

class Echo(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport, self.rest = transport, b""

    def data_received(self, data):
        data, at = self.rest + data, 0
        while len(data) - at >= 2:
            end = at + 2 + int.from_bytes(data[at : at + 2], "big")
            if end > len(data):
                break
            self.transport.write(data[at:end])
            at = end
        self.rest = data[at:]

async def main():
    server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()

asyncio.run(main())
"""
_BY_STREAMS = """
import asyncio

async def serve(reader, writer):
    try:
        while True:
            prefix = await reader.readexactly(2)
            writer.write(prefix + await reader.readexactly(int.from_bytes(prefix, "big")))
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()

async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()

asyncio.run(main())
"""
ECHOES = {"protocol": _BY_PROTOCOL, "streams": _BY_STREAMS}


@dataclass(frozen=True)
class Cost:
    """CPU of one message in ms: of the server, and of the terminals' side."""

    server: float
    terminals: float

    @property
    def whole(self) -> float:
        return self.server + self.terminals


def cpu_s(pid: int) -> float:
    """CPU that the only thread of a process has used so far (proc(5): schedstat, ns)."""
    return int(Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii").split()[0]) / 1e9


def resident_kib(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise OSError(f"process {pid} has no resident size")


Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def exchange(line: Line, requests: Sequence[bytes]) -> None:
    """One connection: request, answer, request..."""
    reader, writer = line
    for request in requests:
        writer.write(request)
        prefix = await reader.readexactly(2)
        await reader.readexactly(int.from_bytes(prefix, "big"))


async def drive(address: tuple[str, int], pid: int, requests: Sequence[bytes], connections: int) -> Cost:
    """All connections at once, each with its share of the requests; opening them is not measured."""
    lines = [await asyncio.open_connection(*address) for _ in range(connections)]
    server, own = cpu_s(pid), time.process_time()
    await asyncio.gather(*(exchange(line, requests[at::connections]) for at, line in enumerate(lines)))
    cost = Cost((cpu_s(pid) - server) * 1000 / len(requests), (time.process_time() - own) * 1000 / len(requests))
    for _, writer in lines:
        writer.close()
    return cost


def requests_of(process: Process, count: int) -> list[bytes]:
    """Sign-ins and sales by turns, of many terminals. A sale is sealed with the key of the sign-in before it, so the
    sign-ins go to terminals that sell nothing."""
    sellers = [process.terminal() for _ in range(TERMINALS)]
    signers = [process.terminal() for _ in range(TERMINALS)]
    return [_request(number, sellers, signers) for number in range(count)]


def _request(number: int, sellers: list[Pos], signers: list[Pos]) -> bytes:
    pos = (signers if number % 2 else sellers)[number // 2 % TERMINALS]
    if number % 2:
        return pos.request("0800", pos.sign_in_fields()).raw
    return pos.request("0200", pos.sale_fields(100), sealed=True).raw


async def idle_kib(address: tuple[str, int], pid: int, connections: int) -> float:
    """KiB of resident memory for each connection that stands and says nothing."""
    before = resident_kib(pid)
    lines = [await asyncio.open_connection(*address) for _ in range(connections)]
    reader, writer = lines[-1]
    writer.write(b"\x00\x01\x00")  # garbage: its connection is closed once all before were accepted
    await reader.read()
    after = resident_kib(pid)
    for _, line in lines:
        line.close()
    return (after - before) / connections


def main() -> int:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=2000, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", default="1,10,100,1000")
    parser.add_argument("--idle", type=int, default=1000, help="idle connections")
    parser.add_argument("--echo", choices=sorted(ECHOES), default="streams", help="how the echo is written")
    args = parser.parse_args()
    counts = [int(text) for text in args.connections.split(",")]
    needed, most = max(*counts, args.idle) + 100, resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(needed, 1024), most), most))
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # and with it the processes that are started now
    echo = subprocess.Popen([sys.executable, "-c", ECHOES[args.echo]], stdout=subprocess.PIPE, text=True)
    try:
        assert echo.stdout is not None
        echo_address = ("127.0.0.1", int(echo.stdout.readline()))
        with tempfile.TemporaryDirectory(prefix="hil97-bench-") as folder, running(Path(folder)) as process:
            requests = requests_of(process, args.messages * len(counts) * args.rounds)
            address, pid = process.client.address, process.child.pid
            process.client.close()  # nobody listens to its events while it is measured
            idle = asyncio.run(idle_kib(address, pid, args.idle))
            costs: dict[int, list[tuple[Cost, Cost]]] = {count: [] for count in counts}
            for number in range(args.rounds * len(counts)):
                count = counts[number % len(counts)]
                share = requests[number * args.messages : (number + 1) * args.messages]
                theirs = asyncio.run(drive(echo_address, echo.pid, share, count))
                costs[count].append((asyncio.run(drive(address, pid, share, count)), theirs))
    finally:
        echo.kill()
        echo.wait()
    return report(costs, idle)


def report(costs: dict[int, list[tuple[Cost, Cost]]], idle: float) -> int:
    """Prints; the exit status."""
    fine, each = [], {}
    for count, rounds in costs.items():
        ours, theirs = (statistics.median(pair[at].whole for pair in rounds) for at in (0, 1))
        server, echo = (statistics.median(pair[at].server for pair in rounds) for at in (0, 1))
        load, echo_load = (statistics.median(pair[at].terminals for pair in rounds) for at in (0, 1))
        each[count] = server
        name = f"{count} connections: {1000 / ours:.0f} a second, echo {1000 / theirs:.0f}"
        fine.append(at_least(name, theirs / ours, LEAST_RATIO))
        against_peer("  CPU of the server for a message", server, "echo", echo, "ms")
        against_peer("  CPU of the load for a message", load, "echo", echo_load, "ms")
    few, many = min(each), max(each)
    if few != many:
        growth = f"CPU of a message, {many} connections to {few}"
        fine.append(against_limit(growth, each[many] / each[few], GROWTH_LIMIT, ""))
    fine.append(against_limit("memory of an idle connection", idle, IDLE_LIMIT_KIB, "KiB"))
    return 0 if all(fine) else 1


if __name__ == "__main__":
    sys.exit(main())
