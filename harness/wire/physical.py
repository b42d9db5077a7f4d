"""The wire of a physical bench: two network cards of the lab host and a bridge between them.

    terminal ===cable=== [ card | bridge | card ] ===network=== acquirer

Tap and injector work on the two cards by name, as they do on the two ports of an emulated bench. A caretaker process
(``harness.wire.caretaker``) knows how the cards were before anything is touched, and gives them back when this process
ends, however it ends. Where both are killed, the record in the user's runtime folder lets the next one do it.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import subprocess
import sys
import zlib
from collections.abc import Collection
from pathlib import Path
from types import TracebackType
from typing import Any

from harness.errors import BadInput, BenchError
from harness.lab.kernel import CAP_NET_ADMIN, CAP_NET_RAW, has_capabilities
from harness.lab.lease import runtime_folder
from harness.lab.process import child_environment
from harness.wire.cards import check_cards, read_card
from harness.wire.caretaker import CardState, Taken, give_back, ipv6_switch
from harness.wire.interface import Interface

_READY_S = 10.0


class PhysicalWire:
    """Made by :meth:`open`. ``terminal_port`` and ``acquirer_port`` are the cards; ``bridge`` joins them."""

    def __init__(self, bench: str, taken: Taken, record: Path) -> None:
        self._bench, self._taken, self._record = bench, taken, record
        self.bridge = taken.bridge
        self.terminal_port, self.acquirer_port = (card.name for card in taken.cards)
        self._caretaker: subprocess.Popen[bytes] | None = None
        self._port: Interface | None = None

    @classmethod
    def open(
        cls, bench: str, terminal: str, acquirer: str, *, log: Path, expected: Collection[str] = (),
        folder: Path | None = None,
    ) -> PhysicalWire:
        """Bridges the cards ``terminal`` and ``acquirer``, in the calling thread's namespace.

        ``expected``: addresses that they may have; ``log``: the caretaker's errors; ``folder``: for the record (None:
        the user's runtime folder). Raises :class:`BadInput` where a card can't be taken (nothing was touched then), and
        :class:`BenchError` where the kernel refuses (everything is as it was).
        """
        _may_do_it()
        bridge = bridge_name(bench)
        record = (folder or runtime_folder()) / f"wire-{bridge}.json"
        restore(record)
        cards = (read_card(terminal), read_card(acquirer))
        check_cards(*cards, expected=expected)
        states = tuple(CardState(card.name, card.index, card.up, _ipv6_off(card.name)) for card in cards)
        wire = cls(bench, Taken(bridge, states), record)
        record.write_text(wire._taken.to_json(), encoding="utf-8")
        try:
            wire._start_caretaker(log)
            wire._lay()
        except BaseException:
            wire.close()
            raise
        return wire

    def link(self, up: bool) -> None:
        """Switches the terminal's card on or off, which for most cards is a cable pulled. Returns when the card is so;
        a carrier that does not come back is not waited for: the terminal may be off."""
        if self._port is None:
            raise BenchError("the bench's wire is taken down already", bench=self._bench)
        self._port.set_up(up)

    def has_carrier(self) -> bool:
        """Whether the terminal's card senses a link."""
        return self._port is not None and self._port.has_carrier()

    def check(self) -> None:
        """Raises :class:`BenchError` when the caretaker died: then nobody would give the cards back."""
        if self._caretaker is not None and self._caretaker.poll() is not None:
            raise BenchError(
                f"the caretaker of {self.terminal_port} and {self.acquirer_port} ended with"
                f" {self._caretaker.returncode}", bench=self._bench, remedy="the cards are given back when this ends",
            )

    def close(self) -> None:
        """The bridge is gone and the cards are as they were when this returns. Idempotent."""
        if self._port is not None:
            self._port.close()
            self._port = None
        caretaker, self._caretaker = self._caretaker, None
        if caretaker is not None:
            assert caretaker.stdin is not None and caretaker.stdout is not None
            with contextlib.suppress(OSError):
                caretaker.stdin.close()
            try:
                caretaker.wait(_READY_S)
            except subprocess.TimeoutExpired:
                caretaker.kill()
                caretaker.wait()
            caretaker.stdout.close()
        restore(self._record)  # whatever it left undone

    def __enter__(self) -> PhysicalWire:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _start_caretaker(self, log: Path) -> None:
        """In a session of its own, so that what ends ours does not end it; ready before a card is touched."""
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as errors:
            self._caretaker = subprocess.Popen(
                [sys.executable, "-m", "harness.wire.caretaker", "--owner", str(os.getpid()), "--record",
                 str(self._record)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, start_new_session=True,
                env=child_environment(),
            )
        assert self._caretaker.stdin is not None and self._caretaker.stdout is not None
        told = b""
        with contextlib.suppress(OSError):
            self._caretaker.stdin.write(self._taken.to_json().encode() + b"\n")
            self._caretaker.stdin.flush()
            if select.select([self._caretaker.stdout], [], [], _READY_S)[0]:
                told = self._caretaker.stdout.readline()
        if told != b"ready\n":
            raise BenchError(
                f"the caretaker of the network cards was not ready within {_READY_S:.0f} s", bench=self._bench,
                evidence=str(log),
            )

    def _lay(self) -> None:
        from pyroute2 import IPRoute, NetlinkError

        try:
            with IPRoute() as route:
                _lay_bridge(route, self._taken)
            self._port = Interface(self.terminal_port)
        except (NetlinkError, OSError) as error:
            raise BenchError(
                f"the kernel does not bridge {self.terminal_port} and {self.acquirer_port}: {error}",
                bench=self._bench, remedy="the cards are as they were",
            ) from error


def bridge_name(bench: str) -> str:
    """Of the bench's bridge: the same each time, and no longer than the kernel allows."""
    return f"hil97-{zlib.crc32(bench.encode()):08x}"


def restore(record: Path) -> bool:
    """Gives back what a killed process had taken, by its record. False: there is none. Raises :class:`BenchError` where
    something can't be put back; the record stays."""
    try:
        taken = Taken.from_json(record.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return False
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(
            "this record of taken network cards can't be read", where=str(record),
            remedy="look at `ip link`, remove a bridge hil97-... by hand, then this file",
        ) from error
    troubles = give_back(taken)
    if troubles:
        raise BenchError("; ".join(troubles), evidence=str(record), remedy="put it right by hand, then remove the file")
    record.unlink(missing_ok=True)
    return True


def _may_do_it() -> None:
    if not has_capabilities(CAP_NET_ADMIN, CAP_NET_RAW):
        raise BadInput(
            "a physical bench needs CAP_NET_ADMIN and CAP_NET_RAW for its network cards, and this process has them not",
            remedy="docs/lab-host.md says how to give them to a user without a root shell",
        )


def _ipv6_off(name: str) -> str | None:
    try:
        return ipv6_switch(name).read_text().strip()
    except OSError:
        return None


def _lay_bridge(route: Any, taken: Taken) -> None:
    for card in taken.cards:
        with contextlib.suppress(OSError):
            ipv6_switch(card.name).write_text("1")
    route.link(
        "add", ifname=taken.bridge, kind="bridge", br_stp_state=0, br_forward_delay=0, br_mcast_snooping=0,
        br_nf_call_iptables=0, br_nf_call_ip6tables=0, br_nf_call_arptables=0,
    )
    with contextlib.suppress(OSError):
        ipv6_switch(taken.bridge).write_text("1")
    bridge = socket.if_nametoindex(taken.bridge)
    for card in taken.cards:
        route.link("set", index=card.index, master=bridge, state="up")
    route.link("set", index=bridge, state="up")
