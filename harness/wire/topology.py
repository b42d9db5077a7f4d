"""The cables of one emulated bench: terminal port, bridge and acquirer port, in three network namespaces.

    T: eth0 10.97.0.2/24 === t0 [ W: bridge br0 ] a0 === eth0 10.97.0.1/24, 10.97.0.3/24, 10.97.1.1/32 :A

The last is an acquirer behind a router (which is 10.97.0.1): who has no way there has a wrong router.

The namespaces have no names, so benches can't meet and nothing is left behind. With no fault armed the kernel carries
every packet. There is no IPv6 (a quiet wire), no spanning tree, and no default route.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.errors import BenchError
from harness.wire import netns
from harness.wire.interface import Interface

TERMINAL_ADDRESS = "10.97.0.2"
ACQUIRER_ADDRESS = "10.97.0.1"
BACKUP_ADDRESS = "10.97.0.3"  # at the acquirer's end too
ROUTER_ADDRESS = ACQUIRER_ADDRESS  # of the line, with its services
REMOTE_ADDRESS = "10.97.1.1"  # the acquirer's, for terminals that have a router
PREFIX_LENGTH = 24
TERMINAL_PORT = "t0"
ACQUIRER_PORT = "a0"
BRIDGE = "br0"
END = "eth0"

_READY_S = 5.0
_POLL_S = 0.002
_FORWARDING = 3
# The far end's number must differ from the port's: with equal ones (each namespace counts from 2) the kernel takes the
# end for a device without a peer and may report its carrier up to a second late.
_END_INDEX = 20
_LOOPBACK_INDEX = 1


class Topology:
    """Made by :meth:`build`. The descriptors belong to this object; processes get them by ``pass_fds``."""

    def __init__(self, terminal_fd: int, wire_fd: int, acquirer_fd: int, *, addressed: bool = True) -> None:
        self.terminal_fd, self.wire_fd, self.acquirer_fd = terminal_fd, wire_fd, acquirer_fd
        self._addressed = addressed
        self._port: Interface | None = None
        self._plug: Interface | None = None

    @classmethod
    def build(cls, *, addressed: bool = True) -> Topology:
        """Namespaces, links and addresses; returns when the bridge forwards in both directions (about 30 ms).

        ``addressed`` False: the terminal's interface has no address yet, the terminal sets it.
        Raises :class:`BenchError`; what was made by then is gone again.
        """
        with contextlib.ExitStack() as made:
            descriptors = []
            for _ in range(3):
                descriptor = netns.create()
                made.callback(os.close, descriptor)
                descriptors.append(descriptor)
            topology = cls(*descriptors, addressed=addressed)
            made.callback(topology._close_interfaces)
            try:
                topology._lay_cables()
            except OSError as error:
                raise BenchError(f"the kernel refused a part of the bench's wire: {error}") from error
            topology.await_forwarding()
            made.pop_all()
        return topology

    def close(self) -> None:
        """Lets go of the namespaces: the kernel takes them down as soon as no process lives in them. Idempotent."""
        self._close_interfaces()
        for name in ("terminal_fd", "wire_fd", "acquirer_fd"):
            descriptor = getattr(self, name)
            if descriptor >= 0:
                os.close(descriptor)
                setattr(self, name, -1)

    def __enter__(self) -> Topology:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def link(self, up: bool) -> None:
        """Plugs or pulls the terminal's cable; returns when its ``eth0`` has, or has lost, its carrier.

        After plugging, the bridge forwards again as well. Raises :class:`BenchError` when the kernel does not follow.
        """
        port, plug = self._interfaces()
        try:
            port.set_up(up)
            _await(lambda: plug.has_carrier() is up, f"{'carrier' if up else 'no carrier'} at the terminal's plug")
        except OSError as error:
            raise BenchError(f"the terminal's cable can't be {'plugged' if up else 'pulled'}: {error}") from error
        if up:
            self.await_forwarding()

    def await_forwarding(self) -> None:
        """Until both bridge ports forward. Raises :class:`BenchError`."""
        from pyroute2 import IPRoute

        with netns.inside(self.wire_fd), IPRoute() as route:

            ports = [socket.if_nametoindex(name) for name in (TERMINAL_PORT, ACQUIRER_PORT)]

            def forwarding() -> bool:
                return all(_port_state(route.get_links(index)[0]) == _FORWARDING for index in ports)

            _await(forwarding, "both ports of the bridge forwarding")

    def _lay_cables(self) -> None:
        from pyroute2 import IPRoute, NetlinkError

        ends = (
            (self.terminal_fd, TERMINAL_PORT, [(TERMINAL_ADDRESS, PREFIX_LENGTH)] if self._addressed else []),
            (self.acquirer_fd, ACQUIRER_PORT, [
                (ACQUIRER_ADDRESS, PREFIX_LENGTH), (BACKUP_ADDRESS, PREFIX_LENGTH), (REMOTE_ADDRESS, 32),
            ]),
        )
        try:
            with netns.inside(self.wire_fd):
                _switch_off_ipv6()
            for descriptor, port, addresses in ends:
                with netns.inside(descriptor):
                    _switch_off_ipv6()
                    with IPRoute() as route:
                        peer = {"ifname": port, "net_ns_fd": self.wire_fd}
                        route.link("add", ifname=END, index=_END_INDEX, kind="veth", peer=peer)
                        for address, prefix in addresses:
                            route.addr("add", index=_END_INDEX, address=address, prefixlen=prefix)
                        route.link("set", index=_LOOPBACK_INDEX, state="up")
                        route.link("set", index=_END_INDEX, state="up")
                    if port == TERMINAL_PORT:
                        self._plug = Interface(END)
            with netns.inside(self.wire_fd):
                self._port = Interface(TERMINAL_PORT)
                with IPRoute() as route:
                    _lay_bridge(route)
        except NetlinkError as error:
            raise OSError(error.code, str(error)) from error

    def _interfaces(self) -> tuple[Interface, Interface]:
        if self._port is None or self._plug is None:
            raise BenchError("the bench's wire is taken down already")
        return self._port, self._plug

    def _close_interfaces(self) -> None:
        for interface in (self._port, self._plug):
            if interface is not None:
                interface.close()
        self._port = self._plug = None


def _lay_bridge(route: Any) -> None:
    route.link("add", ifname=BRIDGE, kind="bridge", br_stp_state=0, br_forward_delay=0, br_mcast_snooping=0)
    bridge = socket.if_nametoindex(BRIDGE)
    for name in (TERMINAL_PORT, ACQUIRER_PORT):
        route.link("set", index=socket.if_nametoindex(name), master=bridge, state="up")
    route.link("set", index=_LOOPBACK_INDEX, state="up")
    route.link("set", index=bridge, state="up")


def _switch_off_ipv6() -> None:
    """For the calling thread's namespace; where /proc/sys is read-only the wire is a little noisier, no more."""
    for which in ("default", "all"):
        with contextlib.suppress(OSError):
            Path("/proc/sys/net/ipv6/conf", which, "disable_ipv6").write_text("1")


def _port_state(link: Any) -> int:
    info = link.get_attr("IFLA_LINKINFO")
    data = info.get_attr("IFLA_INFO_SLAVE_DATA") if info else None
    state = data.get_attr("IFLA_BRPORT_STATE") if data else None
    return -1 if state is None else int(state)


def _await(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _READY_S
    while not condition():
        if time.monotonic() > deadline:
            raise BenchError(f"the bench's wire is not ready: no {what} within {_READY_S:.0f} s")
        time.sleep(_POLL_S)
