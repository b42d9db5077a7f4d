# SPDX-License-Identifier: GPL-2.0-only
"""``python -m harness.wire.injector``: faults that need forged packets. Requests on stdin, replies on stdout.

JSON lines (docs/wire.md). It only listens until a fault is armed; what it sends it tells, packet by packet.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import socket
import sys
import time
from typing import Any

from harness.lab.process import settle_in
from harness.wire.capture import Capture
from harness.wire.packets import parse

_AFTERCARE_NS = 500_000_000
"""How long a reset connection is watched for packets that were under way when it was reset."""


class Injector:
    """Listens at the terminal's port; sends on the terminal's and the acquirer's port of the bridge."""

    def __init__(self, terminal_port: str, acquirer_port: str, terminal: str) -> None:
        from harness.wire.injector import flows, reset  # scapy: after entering the network namespace, and only here

        self._reset, self._parties = reset, (flows.TERMINAL, flows.ACQUIRER)
        self._capture = Capture(terminal_port)
        self._flows = flows.Flows(terminal)
        self._out = {flows.TERMINAL: _sender(terminal_port), flows.ACQUIRER: _sender(acquirer_port)}
        self._armed: tuple[int, str] | None = None
        self._struck: tuple[flows.Flow, int, int] | None = None
        self._requests = b""

    def run(self) -> None:
        """Until stdin is closed."""
        _say({"ev": "ready"})
        poll = select.poll()
        poll.register(self._capture, select.POLLIN)
        poll.register(sys.stdin.fileno(), select.POLLIN)
        while True:
            ready = {fd for fd, _ in poll.poll()}
            self._watch()
            if sys.stdin.fileno() in ready and not self._answer():
                return

    def _watch(self) -> None:
        """Learns from what passed; strikes when its moment is there, and again at what was under way."""
        again = set()
        for packet in self._capture.drain(until=time.monotonic_ns()):
            segment = parse(packet.frame, t=packet.t, packet=0)
            told = None if segment is None else self._flows.take(segment, packet.frame)
            if segment is None or told is None:
                continue
            flow, sender, moved = told
            if self._armed and flow.whole and self._reset.strikes(self._armed[1], sender, segment.payload):
                number, self._armed = self._armed[0], None
                self._strike(flow, number)
            elif self._struck and flow is self._struck[0] and moved and packet.t < self._struck[2]:
                again.add(self._reset.OTHER[sender])
        if self._struck and again:
            self._tell(self._struck[1], [self._send(self._struck[0], victim) for victim in sorted(again)])

    def _answer(self) -> bool:
        data = os.read(sys.stdin.fileno(), 65536)
        *lines, self._requests = (self._requests + data).split(b"\n")
        for line in lines:
            try:
                request = json.loads(line)
                number, operation = request["id"], request["op"]
            except (ValueError, TypeError, KeyError):
                _say({"re": None, "ok": False, "error": "a request is {\"id\": number, \"op\": name, ...}"})
                continue
            error = self._obey(number, operation, request)
            _say({"re": number, "ok": not error} | ({"error": error} if error else {}))
        return bool(data)

    def _obey(self, number: int, operation: str, request: dict[str, Any]) -> str:
        """Does what is asked; the reason in words when it can't be done."""
        if operation == "heal":
            self._armed = self._struck = None
            return ""
        if operation != "reset":
            return f"unknown operation {operation!r}; known: reset, heal"
        when = request.get("when", "now")
        if when not in self._reset.MOMENTS:
            return f"unknown moment {when!r}; known: {', '.join(self._reset.MOMENTS)}"
        if when != "now":
            self._armed, self._struck = (number, when), None
            return ""
        self._watch()
        flow = self._flows.current
        if flow is None or not flow.whole:
            return "there is no connection to reset: no packets of an open one have passed since the injector started"
        self._strike(flow, number)
        return ""

    def _strike(self, flow: Any, number: int) -> None:
        self._struck = (flow, number, time.monotonic_ns() + _AFTERCARE_NS)
        self._tell(number, [self._send(flow, victim) for victim in self._parties])

    def _send(self, flow: Any, victim: str) -> dict[str, Any]:
        frame = self._reset.reset_frame(flow, victim)
        self._out[victim].send(frame)
        return {"t": time.monotonic_ns(), "to": victim, "hex": frame.hex().upper()}

    @staticmethod
    def _tell(number: int, packets: list[dict[str, Any]]) -> None:
        _say({"ev": "injected", "request": number, "fault": "reset", "packets": packets})


def _sender(interface: str) -> socket.socket:
    """A socket that sends on ``interface`` and receives nothing (protocol 0)."""
    sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
    sender.bind((interface, 0))
    return sender


def _say(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(message, separators=(",", ":")) + "\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m harness.wire.injector", description=__doc__)
    parser.add_argument("--netns-fd", type=int, help="descriptor of the network namespace to live in")
    parser.add_argument("--parent", type=int, help="process to die with")
    parser.add_argument("--interface", required=True, help="the bridge port towards the terminal")
    parser.add_argument("--acquirer-interface", required=True, help="the bridge port towards the acquirer")
    parser.add_argument("--terminal", required=True, help="IPv4 address of the terminal")
    arguments = parser.parse_args()
    settle_in(arguments.netns_fd, arguments.parent)
    try:
        Injector(arguments.interface, arguments.acquirer_interface, arguments.terminal).run()
    except BrokenPipeError:
        return 1
    except OSError as error:
        print(f"the injector on {arguments.interface} failed: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
