"""The DHCP client (RFC 2131): an address for the terminal's interface, kept as long as the server lets it.

Imported only where the terminal gets its address so.

All times are the terminal's own and scale; what is waited for an answer never falls below 3 s. Not done: trying whether
somebody else uses the address (DECLINE), and remembering it over a power cut.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable

from . import dhcp_message
from .dhcp_message import ACK, DISCOVER, NAK, OFFER, REQUEST, Lease, NotOurs, Reply
from .interface import Interface
from .link import network_timeout
from .loop import READABLE, READY, Flow, Wait, now

BACK_OFF_S = (4.0, 8.0, 16.0, 32.0, 64.0)  # section 4.1; each plus or minus up to a second
REQUESTS = 2  # of an offer that the server does not confirm
RENEW_AGAIN_S = 60.0  # section 4.4.5: half the time that is left, and not less than this
_ETHERTYPE = 0x0800
_EVERYBODY = b"\xff" * 6
_READ_SIZE = 65536
_SOL_PACKET, _AUXILIARY, _NOT_SUMMED = 263, 8, 0x08  # PACKET_AUXDATA; TP_STATUS_CSUMNOTREADY


class Client:
    """One interface's. ``lease`` is what it has now; ``hurry`` lets it try again at once."""

    def __init__(self, interface: Interface, time_scale: float, random: Callable[[int], bytes] = os.urandom) -> None:
        self._interface, self._time_scale, self._random = interface, time_scale, random
        self.lease: Lease | None = None
        self.state = "INIT"
        self._since = 0.0  # when the lease was asked for
        self._doubted = False  # the carrier went meanwhile: perhaps this is another network
        self._hurried = False

    def hurry(self) -> None:
        """Somebody wants the network now: no back-off."""
        self._hurried = True

    def left_s(self) -> float | None:
        """Of the lease, in the terminal's time; None: it has no end."""
        if self.lease is None or self.lease.lease_s is None:
            return None
        return max(0.0, self.lease.lease_s - (now() - self._since) * self._time_scale)

    def run(self) -> Flow[None]:
        """For ever."""
        self._interface.clear()
        while True:
            if not self._interface.carrier:
                self.state = "NO CARRIER"
                self._doubted = True
                end = self._at(self.lease.lease_s) if self.lease else None
                yield Wait(until=lambda: self._interface.carrier, deadline=end)
                self._drop_if_over()
                continue
            try:
                if self.lease is None:
                    yield from self._get_one()
                elif self._doubted:
                    yield from self._ask_whether_it_holds(self.lease)
                else:
                    yield from self._keep(self.lease)
            except _CarrierGone:
                continue

    # -- states of section 4.4 -----------------------------------------------------------------------------------------

    def _get_one(self) -> Flow[None]:
        """Discover and request, again and again with back-off, until there is a lease."""
        failures, began = 0, now()
        number = self._number()  # one for all attempts: an offer that comes late is still an offer
        with self._ears() as ears:
            while True:
                self.state, self._hurried = "SELECTING", False
                pause, asked = self._pause(failures), now()
                seconds = int((asked - began) * self._time_scale)
                self._send(ears, dhcp_message.message(DISCOVER, number, self._hardware, seconds=seconds))
                offer = yield from self._hear(ears, number, (OFFER,), asked + pause, hurried=True)
                if offer is not None and offer.lease is not None:
                    self.state, asked = "REQUESTING", now()
                    answer = yield from self._request(ears, number, offer.lease, seconds)
                    if answer is not None and answer.lease is not None:
                        self._bind(answer.lease, asked)
                        return
                failures += 1
                # a server that says no, or an offer that came to nothing, is no reason to ask without a pause
                yield from self._wait(until=lambda: self._hurried, deadline=asked + pause)

    def _request(self, ears: socket.socket, number: int, offer: Lease, seconds: int) -> Flow[Reply | None]:
        wanted = dhcp_message.message(
            REQUEST, number, self._hardware, seconds=seconds, wanted=offer.address, server=offer.server
        )
        for attempt in range(REQUESTS):
            self._send(ears, wanted)
            answer = yield from self._hear(ears, number, (ACK, NAK), now() + self._pause(attempt))
            if answer is not None:
                return answer
        return None

    def _ask_whether_it_holds(self, lease: Lease) -> Flow[None]:
        """INIT-REBOOT, after the carrier was away. No answer: it holds as long as it lasts."""
        self.state = "REBOOTING"
        number, asked = self._number(), now()
        with self._ears() as ears:
            for attempt in range(REQUESTS):
                self._send(ears, dhcp_message.message(REQUEST, number, self._hardware, wanted=lease.address))
                answer = yield from self._hear(ears, number, (ACK, NAK), now() + self._pause(attempt))
                if answer is not None:
                    self._obey(answer, asked)
                    return
        self._doubted = False
        self._drop_if_over()

    def _keep(self, lease: Lease) -> Flow[None]:
        """BOUND, then RENEWING with the server, then REBINDING with any, then it is over."""
        self.state = "BOUND"
        if lease.lease_s is None:
            yield from self._wait(until=lambda: False, deadline=None)
        yield from self._wait(until=lambda: False, deadline=self._at(lease.renew_s))
        self.state = "RENEWING"
        if (yield from self._extend(lease, lease.server, self._at(lease.rebind_s))):
            return
        self.state = "REBINDING"
        if not (yield from self._extend(lease, dhcp_message.EVERYWHERE, self._at(lease.lease_s))):
            self._drop()

    def _extend(self, lease: Lease, server: str, end: float | None) -> Flow[bool]:
        """Asks ``server`` for more time until ``end``; True: it has answered, yes or no."""
        assert end is not None
        number = self._number()
        while now() < end:
            asked = now()
            again = max((end - asked) / 2, network_timeout(RENEW_AGAIN_S, self._time_scale))
            with self._mouth(lease) as mouth:
                wanted = dhcp_message.message(REQUEST, number, self._hardware, own=lease.address)
                with contextlib.suppress(OSError):  # no way to it at the moment
                    mouth.sendto(wanted, (server, dhcp_message.SERVER_PORT))
                answer = yield from self._hear(mouth, number, (ACK, NAK), min(end, asked + again))
            if answer is not None:
                self._obey(answer, asked)
                return True
        return False

    def _obey(self, answer: Reply, asked: float) -> None:
        if answer.lease is None:
            self._drop()
        else:
            self._bind(answer.lease, asked)

    def _bind(self, lease: Lease, asked: float) -> None:
        self.lease, self._since, self._doubted, self.state = lease, asked, False, "BOUND"
        self._interface.set(lease.address, lease.prefix, lease.router)

    def _drop_if_over(self) -> None:
        if self.lease is not None and (end := self._at(self.lease.lease_s)) is not None and now() >= end:
            self._drop()

    def _drop(self) -> None:
        """The address is no longer ours."""
        self.lease, self.state = None, "INIT"
        self._interface.clear()

    # -- times ---------------------------------------------------------------------------------------------------------

    def _at(self, seconds: float | None) -> float | None:
        """That many seconds of the terminal after the lease was asked for, on the loop's clock."""
        return None if seconds is None else self._since + seconds / self._time_scale

    def _pause(self, failures: int) -> float:
        scatter = int.from_bytes(self._random(1), "big") / 127.5 - 1
        return network_timeout(BACK_OFF_S[min(failures, len(BACK_OFF_S) - 1)] + scatter, self._time_scale)

    def _wait(self, *, until: Callable[[], bool], deadline: float | None) -> Flow[None]:
        """Raises :class:`_CarrierGone` where that ends it."""
        yield Wait(until=lambda: until() or not self._interface.carrier, deadline=deadline)
        if not self._interface.carrier:
            raise _CarrierGone

    # -- sockets -------------------------------------------------------------------------------------------------------

    @property
    def _hardware(self) -> bytes:
        return self._interface.hardware

    def _number(self) -> int:
        return int.from_bytes(self._random(4), "big")

    def _ears(self) -> socket.socket:
        """Whole packets, of an interface that may have no address."""
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, 0)
        sock.setsockopt(_SOL_PACKET, _AUXILIARY, 1)
        sock.bind((self._interface.name, _ETHERTYPE))
        return sock

    def _mouth(self, lease: Lease) -> socket.socket:
        """An ordinary one, from the address of the lease."""
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, self._interface.name.encode())
        sock.bind((lease.address, dhcp_message.CLIENT_PORT))
        return sock

    def _send(self, ears: socket.socket, data: bytes) -> None:
        packet = dhcp_message.broadcast(data, self._number())
        try:
            ears.sendto(packet, (self._interface.name, _ETHERTYPE, 0, 0, _EVERYBODY))
        except OSError:
            return  # as if it was lost

    def _hear(
        self, sock: socket.socket, number: int, kinds: tuple[int, ...], deadline: float, *, hurried: bool = False
    ) -> Flow[Reply | None]:
        """The first answer of these kinds; None: not in time, or (``hurried``) somebody does not want to wait."""
        while True:
            signal = yield Wait(
                sock=sock, mask=READABLE, deadline=deadline,
                until=lambda: not self._interface.carrier or (hurried and self._hurried),
            )
            for data in _arrived(sock):
                try:
                    reply = dhcp_message.parse(data, number, self._hardware)
                except NotOurs:
                    continue
                if reply.kind in kinds:
                    return reply
            if not self._interface.carrier:
                raise _CarrierGone
            if signal.kind != READY or now() >= deadline or (hurried and self._hurried):
                return None


class _CarrierGone(Exception):
    """The cable was pulled, or the data session ended, while something was awaited."""


def _arrived(sock: socket.socket) -> list[bytes]:
    """The DHCP messages that are there, without what was around them."""
    found: list[bytes] = []
    while True:
        try:
            data, ancillary, _, _ = sock.recvmsg(_READ_SIZE, socket.CMSG_SPACE(64))
        except OSError:
            return found
        if sock.family == socket.AF_INET:
            found.append(data)
            continue
        status = next((int.from_bytes(value[:4], "little") for _, kind, value in ancillary if kind == _AUXILIARY), 0)
        try:
            found.append(dhcp_message.unwrap(data, checked=not status & _NOT_SUMMED))
        except NotOurs:
            continue
