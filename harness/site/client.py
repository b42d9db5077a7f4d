"""The worker's end of the site's services: what they told, and who they are for."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.errors import TerminalTimeout
from harness.lab.process import Child, spawn
from harness.wire.pipe_client import Message, PipeClient


@dataclass(frozen=True)
class Told:
    """One exchange at a service: ``service`` "dhcp" or "dns"; ``asked`` the message or the name, ``said`` the answer
    ("" none)."""

    t: int
    service: str
    asked: str
    said: str


class SiteClient:
    """Running services."""

    def __init__(self, child: Child) -> None:
        self._told: list[Told] = []
        self._changed = threading.Condition()
        self._pipe = PipeClient(child, self._take)

    @classmethod
    def start(
        cls, *, netns_fd: int, log: Path, interface: str, address: str, gives: str | None, router: str,
        names: Mapping[str, str], lease_s: int = 3600, renew_s: int | None = None, rebind_s: int | None = None,
        ttl_s: int = 60,
    ) -> SiteClient:
        """``gives``: the address for the terminal, with its net; None: no DHCP. Raises :class:`BenchError`."""
        command = [sys.executable, "-m", "harness.site", "--interface", interface, "--address", address]
        if gives is not None:
            command += ["--gives", gives, "--router", router, "--lease", str(lease_s)]
            command += ["--dns", address] if names else []
            for option, seconds in (("--renew", renew_s), ("--rebind", rebind_s)):
                command += [option, str(seconds)] if seconds is not None else []
        for name, where in names.items():
            command += ["--name", f"{name}={where}"]
        command += ["--ttl", str(ttl_s)]
        client = cls(spawn(command, netns_fd=netns_fd, log=log, name="site", pipes=True))
        client._pipe.await_ready()
        return client

    @property
    def child(self) -> Child:
        return self._pipe.child

    @property
    def told(self) -> tuple[Told, ...]:
        """All exchanges so far."""
        with self._changed:
            return tuple(self._told)

    def await_told(self, wanted: Callable[[Told], bool], what: str, seconds: float = 10.0, *, since: int = 0) -> Told:
        """The first exchange from number ``since`` on that is wanted. Raises :class:`TerminalTimeout`."""
        end = time.monotonic() + seconds
        with self._changed:
            while True:
                found = next((one for one in self._told[since:] if wanted(one)), None)
                if found is not None:
                    return found
                self.check()
                left = end - time.monotonic()
                if left <= 0:
                    seen = ", ".join(f"{one.service} {one.asked}: {one.said}" for one in self._told[-5:])
                    raise TerminalTimeout(what, seconds, evidence=str(self._pipe.child.log), seen=seen or "nothing")
                self._changed.wait(min(left, 0.1))

    def sync(self) -> None:
        """Until all that was told before is here."""
        self._pipe.request("sync")

    def check(self) -> None:
        """Raises :class:`BenchError` when the process died."""
        self._pipe.check()

    def close(self) -> None:
        self._pipe.close()

    def _take(self, message: Message) -> None:
        service = message["ev"]
        asked, said = (message["asked"], message["said"]) if service == "dhcp" else (message["name"], message["says"])
        with self._changed:
            self._told.append(Told(message["t"], service, asked, said))
            self._changed.notify_all()
