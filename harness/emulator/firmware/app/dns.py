"""The name server's client: where a host is, by its name. Imported only where a host is set by name.

A wrong or late answer harms little: each question has an id and a port of its own, only the server that was asked is
listened to, and an address at which nobody answers is asked for again (:meth:`Resolver.forget`).
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Sequence

from . import dns_message
from .link import network_timeout
from .loop import READABLE, TIMEOUT, Flow, Wait, now

ALL_TRIES_S = 15.0  # together
TRIES = 3
LONGEST_NO_S = 10.0  # a "no such name" is believed no longer, whatever the server says: the shop is waiting
MOST_NAMES = 16
PORT = 53
_READ_SIZE = 65536


class Resolver:
    """Remembers what it was told as long as the server said, of the terminal's time; ``port`` is for tests."""

    def __init__(self, time_scale: float, port: int = PORT) -> None:
        self._time_scale, self._port = time_scale, port
        self._known: dict[str, tuple[float, tuple[str, ...]]] = {}  # until when, and the addresses

    def resolve(self, name: str, servers: Sequence[str]) -> Flow[tuple[str, ...]]:
        """The addresses of ``name``; none: there are none, or nobody could tell."""
        until, addresses = self._known.get(name, (0.0, ()))
        if now() < until:
            return addresses
        self._known.pop(name, None)
        numbers = {server: int.from_bytes(os.urandom(2), "big") for server in servers}
        with contextlib.ExitStack() as ending:
            socks: dict[str, socket.socket] = {}  # one a server: the answer to an earlier try counts too
            for attempt in range(TRIES if servers else 0):
                server = servers[attempt % len(servers)]
                if server not in socks:
                    kind = socket.SOCK_DGRAM | socket.SOCK_NONBLOCK
                    socks[server] = ending.enter_context(socket.socket(socket.AF_INET, kind))
                answer = yield from self._ask(socks[server], server, numbers[server], name)
                if answer is not None:
                    self._keep(name, answer)
                    return answer.addresses
        return ()

    def forget(self, name: str) -> None:
        """What was told of it is not to be used again."""
        self._known.pop(name, None)

    def known(self, name: str) -> tuple[str, ...]:
        """What is remembered of it at the moment."""
        until, addresses = self._known.get(name, (0.0, ()))
        return addresses if now() < until else ()

    def _keep(self, name: str, answer: dns_message.Answer) -> None:
        seconds = float(answer.ttl) if answer.addresses else min(float(answer.ttl), LONGEST_NO_S)
        if len(self._known) >= MOST_NAMES:
            del self._known[min(self._known, key=lambda one: self._known[one][0])]
        self._known[name] = now() + seconds / self._time_scale, answer.addresses

    def _ask(self, sock: socket.socket, server: str, number: int, name: str) -> Flow[dns_message.Answer | None]:
        """One question to one server; None: no answer in time, or one that says that it can't tell."""
        deadline = now() + network_timeout(ALL_TRIES_S, self._time_scale) / TRIES
        try:
            sock.connect((server, self._port))
            sock.send(dns_message.question(number, name))
        except OSError:
            return None
        while True:
            signal = yield Wait(sock=sock, mask=READABLE, deadline=deadline)
            if signal.kind == TIMEOUT:
                return None
            try:
                return dns_message.parse(sock.recv(_READ_SIZE), number, name)
            except (BlockingIOError, dns_message.NotOurs):
                continue
            except (OSError, dns_message.Unable):  # refused: nobody listens there
                return None
