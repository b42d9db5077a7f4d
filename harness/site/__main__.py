"""``python -m harness.site``: DHCP and name server of one bench's line. JSON lines on stdout, until stdin is closed.

    --interface eth0 --address 10.97.0.1 --gives 10.97.0.2/24 [--router A] [--dns A] [--lease SECONDS]
    [--name NAME=ADDRESS]... [--ttl SECONDS] [--netns-fd N] [--parent PID]

    {"ev":"ready"}
    {"ev":"dhcp", "t", "asked":"request", "said":"ack", "address":"10.97.0.2", "hardware":"..."}
    {"ev":"dns", "t", "name":"acquirer.hil97.test", "says":"10.97.1.1"}

Without ``--gives`` there is no DHCP, without ``--name`` no name server. ``said`` is empty where nothing was answered.
"""

from __future__ import annotations

import argparse
import contextlib
import ipaddress
import json
import os
import selectors
import socket
import sys
import time
from typing import Any

from harness.lab.process import settle_in

_LARGEST = 4096


class Site:
    """Serves in one loop."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._selector = selectors.DefaultSelector()
        self._ttl, self._names = options.ttl, dict(options.name)
        if options.gives is not None:
            from harness.site import dhcp

            self._dhcp = dhcp
            dns = (options.dns,) if options.dns else ()
            self._offer = dhcp.Offer(
                options.address, options.gives, options.router, dns, options.lease, options.renew, options.rebind
            )
            sock = _udp()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, options.interface.encode())
            sock.bind(("", dhcp.SERVER_PORT))
            self._selector.register(sock, selectors.EVENT_READ, self._serve_dhcp)
        if self._names:
            from harness.site import names

            self._answer = names.answer
            sock = _udp()
            sock.bind((str(options.address), 53))
            self._selector.register(sock, selectors.EVENT_READ, self._serve_dns)

    def run(self) -> None:
        """Until stdin is closed."""
        self._selector.register(sys.stdin.fileno(), selectors.EVENT_READ, None)
        _say({"ev": "ready"})
        while True:
            for key, _ in self._selector.select():
                if key.data is None:
                    if not self._answer_requests():
                        return
                    continue
                sock = key.fileobj
                assert isinstance(sock, socket.socket)
                with contextlib.suppress(BlockingIOError, ConnectionError):
                    key.data(sock, *sock.recvfrom(_LARGEST))

    def _serve_dhcp(self, sock: socket.socket, data: bytes, _: tuple[str, int]) -> None:
        message = self._dhcp.read(data)
        if message is None:
            return
        answer = self._dhcp.decide(message, self._offer)
        told = {"asked": message.kind, "said": answer.kind if answer else "", "address": str(self._offer.address.ip)}
        _say({"ev": "dhcp", "t": time.monotonic_ns(), **told, "hardware": message.hardware.hex(":")})
        if answer is not None:
            with contextlib.suppress(OSError):
                sock.sendto(answer.data, (answer.to, self._dhcp.CLIENT_PORT))

    def _serve_dns(self, sock: socket.socket, data: bytes, source: tuple[str, int]) -> None:
        reply = self._answer(data, self._names, self._ttl)
        if reply is None:
            return
        _say({"ev": "dns", "t": time.monotonic_ns(), "name": reply.name, "says": reply.says})
        with contextlib.suppress(OSError):
            sock.sendto(reply.data, source)

    def _answer_requests(self) -> bool:
        """``{"id":1,"op":"sync"}``: what was said before is in order. False: stdin was closed."""
        data = os.read(sys.stdin.fileno(), 65536)
        for line in data.splitlines():
            try:
                number = json.loads(line)["id"]
            except (ValueError, TypeError, KeyError):
                _say({"re": None, "ok": False, "error": 'a request is {"id": number, "op": "sync"}'})
                continue
            _say({"re": number, "ok": True})
        return bool(data)


def _udp() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return sock


def _say(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(message, separators=(",", ":")) + "\n")
    sys.stdout.flush()


def _name(text: str) -> tuple[str, str]:
    name, _, address = text.partition("=")
    return name.lower(), str(ipaddress.IPv4Address(address))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m harness.site", description="DHCP and name server of one line.")
    address = ipaddress.IPv4Address
    parser.add_argument("--interface", required=True)
    parser.add_argument("--address", type=address, required=True, help="of the server itself")
    parser.add_argument("--gives", type=ipaddress.IPv4Interface, help="the one address there is to give, with its net")
    parser.add_argument("--router", type=address)
    parser.add_argument("--dns", type=address)
    parser.add_argument("--lease", type=int, default=3600, help="seconds")
    parser.add_argument("--renew", type=int, help="seconds; default: as the client sees fit")
    parser.add_argument("--rebind", type=int, help="seconds; default: as the client sees fit")
    parser.add_argument("--name", type=_name, action="append", default=[], metavar="NAME=ADDRESS")
    parser.add_argument("--ttl", type=int, default=60, help="seconds for which a name may be remembered")
    parser.add_argument("--netns-fd", type=int)
    parser.add_argument("--parent", type=int)
    return parser.parse_args()


def main() -> int:
    options = _arguments()
    settle_in(options.netns_fd, options.parent)
    try:
        Site(options).run()
    except BrokenPipeError:
        return 1
    except OSError as error:
        print(f"the site's services at {options.address} failed: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
