"""``python -m harness.wire.caretaker``: gives network cards back as they were, whatever becomes of who took them.

It is told on stdin, one JSON line before anything is touched, how the cards were (:class:`Taken`), and waits. When
stdin closes or its owner is gone, killed or not, it takes the bridge apart, puts the cards back and ends. It is in a
session of its own and lets nobody's Ctrl-C end it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import select
import signal
import socket
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.lab.kernel import CLONE_NEWNET, setns

_NO_DEVICE = 19  # ENODEV


@dataclass(frozen=True)
class CardState:
    """What is put back: ``ipv6_off`` is the sysctl ``disable_ipv6``, None where it can't be read."""

    name: str
    index: int
    up: bool
    ipv6_off: str | None


@dataclass(frozen=True)
class Taken:
    """The cards as they were before a bench took them, and the bridge it makes."""

    bridge: str
    cards: tuple[CardState, ...]

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Taken:
        """Raises ValueError, KeyError or TypeError where it is none."""
        values = json.loads(text)
        return cls(values["bridge"], tuple(CardState(**card) for card in values["cards"]))


def ipv6_switch(interface: str) -> Path:
    """The sysctl that switches IPv6 off at an interface: a bench's wire is to be quiet."""
    return Path("/proc/sys/net/ipv6/conf", interface, "disable_ipv6")


def give_back(taken: Taken) -> list[str]:
    """Puts everything back, in the calling thread's namespace. What is gone already is no trouble; what can't be done
    is told, and the rest is done all the same."""
    from pyroute2 import IPRoute, NetlinkError

    troubles: list[str] = []
    with IPRoute() as route:

        def attempt(what: str, *arguments: Any, **values: Any) -> None:
            try:
                route.link(*arguments, **values)
            except NetlinkError as error:
                if error.code != _NO_DEVICE:
                    troubles.append(f"{what}: {error}")

        for card in taken.cards:
            if not _is_there(card):
                continue
            attempt(f"{card.name} out of the bridge", "set", index=card.index, master=0)
            if card.ipv6_off is not None:
                with contextlib.suppress(OSError):
                    ipv6_switch(card.name).write_text(card.ipv6_off)
            attempt(f"{card.name} as it was", "set", index=card.index, state="up" if card.up else "down")
        with contextlib.suppress(OSError):
            attempt(f"{taken.bridge} removed", "del", index=socket.if_nametoindex(taken.bridge))
    return troubles


def _is_there(card: CardState) -> bool:
    try:
        return socket.if_nametoindex(card.name) == card.index
    except OSError:
        return False


def _owner(pid: int) -> int | None:
    """A descriptor that becomes readable when the owner ends. None: the kernel has none to give, stdin must do.

    Raises SystemExit where it is gone already: nothing was touched then.
    """
    if os.getppid() != pid:
        sys.exit(f"the owner of the network cards, process {pid}, is gone")
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m harness.wire.caretaker", description=__doc__)
    parser.add_argument("--netns-fd", type=int, help="descriptor of the network namespace with the cards")
    parser.add_argument("--owner", type=int, required=True, help="process id of who takes the cards")
    parser.add_argument("--record", type=Path, help="file with the same line: removed when all is given back")
    options = parser.parse_args(arguments)
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    if options.netns_fd is not None:
        setns(options.netns_fd, CLONE_NEWNET)
        os.close(options.netns_fd)
    import pyroute2  # noqa: F401  # now: when it is needed there may be little time

    line = sys.stdin.readline()
    if not line:
        return 0
    taken = Taken.from_json(line)
    owner = _owner(options.owner)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    select.select([sys.stdin, *([] if owner is None else [owner])], [], [])
    troubles = give_back(taken)
    for trouble in troubles:
        print(f"bridge {taken.bridge}: {trouble}", file=sys.stderr)
    if options.record is not None and not troubles:
        options.record.unlink(missing_ok=True)
    return 1 if troubles else 0


if __name__ == "__main__":
    sys.exit(main())
