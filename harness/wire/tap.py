"""The tap: ``python -m harness.wire.tap``. Captures at the terminal's port, writes pcapng, tells frames (docs/wire.md).

It believes no one: frames are rebuilt from the TCP segments seen here, whatever the acquirer's journal says. One
thread; nothing heavy is imported, because one runs for every bench, unless the link is TLS or HTTP.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import sys
import time
from pathlib import Path
from typing import Any

from harness import __version__
from harness.lab.process import settle_in
from harness.wire.capture import Capture, Packet
from harness.wire.connections import Connections
from harness.wire.layers import LINKS, readers
from harness.wire.packets import intact, parse
from harness.wire.pcapng import INBOUND, OUTBOUND, PcapngWriter


class Tap:
    """Capture, file and reports put together."""

    def __init__(
        self, interface: str, pcapng: Path, terminal: str, link: str = "tcp", keys: Path | None = None
    ) -> None:
        self._capture = Capture(interface)
        offset = time.time_ns() - time.monotonic_ns()
        self._file = PcapngWriter(
            pcapng, interface, application=f"hil97 {__version__}",
            comment=f"CLOCK_MONOTONIC of this host = time of a packet - {offset} ns, when the capture began",
        )
        self._connections = Connections(terminal, readers(link, keys))
        self._requests = b""
        self._card = b""  # the terminal's hardware address, once it has sent something

    def run(self) -> None:
        """Until stdin is closed."""
        self._say({"ev": "ready"})
        poll = select.poll()
        poll.register(self._capture, select.POLLIN)
        poll.register(sys.stdin.fileno(), select.POLLIN)
        while True:
            ready = {fd for fd, _ in poll.poll()}
            self._fetch(until=time.monotonic_ns())
            if sys.stdin.fileno() in ready and not self._answer():
                break
        self._fetch(until=time.monotonic_ns())
        self._say(*self._connections.end(time.monotonic_ns()))
        self._file.close()
        self._capture.close()

    def _fetch(self, until: int) -> None:
        """Every packet that reached the interface up to now (``until``), written and told."""
        reports: list[dict[str, Any]] = []
        for packet in self._capture.drain(until=until):
            direction = OUTBOUND if packet.outgoing else INBOUND
            number = self._file.write(packet.frame, wall_ns=packet.wall_ns, direction=direction, length=packet.length)
            segment = parse(packet.frame, t=packet.t, packet=number)
            if segment is not None and (not packet.checksummed or intact(packet.frame)) and self._its_card(packet):
                reports += self._connections.take(segment)
        reports += self._connections.retry()
        lost = self._capture.lost()
        if lost:
            reports.append({"ev": "lost", "t": time.monotonic_ns(), "packets": lost})
        self._say(*reports)

    def _its_card(self, packet: Packet) -> bool:
        """False for what is addressed to another card than the terminal's, which does not take it (ARP spoofing)."""
        if not packet.outgoing:
            self._card = packet.frame[6:12]
        return not packet.outgoing or self._card in (b"", packet.frame[:6])

    def _answer(self) -> bool:
        """What was asked on stdin; False when it is closed."""
        data = os.read(sys.stdin.fileno(), 65536)
        *lines, self._requests = (self._requests + data).split(b"\n")
        for line in lines:
            try:
                request = json.loads(line)
                number, operation = request["id"], request["op"]
            except (ValueError, TypeError, KeyError):
                self._say({"re": None, "ok": False, "error": "a request is {\"id\": number, \"op\": \"sync\"}"})
                continue
            if operation == "sync":
                self._fetch(until=time.monotonic_ns())
                self._say({"re": number, "ok": True})
            else:
                self._say({"re": number, "ok": False, "error": f"unknown operation {operation!r}; known: sync"})
        return bool(data)

    @staticmethod
    def _say(*messages: dict[str, Any]) -> None:
        if messages:
            text = "".join(json.dumps(message, separators=(",", ":")) + "\n" for message in messages)
            sys.stdout.write(text)
            sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m harness.wire.tap", description=__doc__)
    parser.add_argument("--netns-fd", type=int, help="descriptor of the network namespace to live in")
    parser.add_argument("--parent", type=int, help="process to die with")
    parser.add_argument("--interface", required=True, help="the bridge port towards the terminal")
    parser.add_argument("--pcapng", required=True, type=Path, help="capture file to create")
    parser.add_argument("--terminal", required=True, help="IPv4 address of the terminal")
    parser.add_argument("--link", choices=LINKS, default="tcp", help="what lies between TCP and the frames")
    parser.add_argument("--keys", type=Path, help="file with the session keys of TLS (SSLKEYLOGFILE format)")
    arguments = parser.parse_args()
    settle_in(arguments.netns_fd, arguments.parent)
    try:
        Tap(arguments.interface, arguments.pcapng, arguments.terminal, arguments.link, arguments.keys).run()
    except BrokenPipeError:
        return 1  # the worker is gone, and so is who could have read this
    except OSError as error:
        print(f"the tap on {arguments.interface} failed: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
