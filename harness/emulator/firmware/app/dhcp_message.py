"""DHCP messages of a client (RFC 2131, RFC 2132), and the IP and UDP around them. Pure.

An interface without an address can't use ordinary sockets: what it sends and hears are whole IP packets.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

DISCOVER, OFFER, REQUEST, DECLINE, ACK, NAK, RELEASE = range(1, 8)
CLIENT_PORT, SERVER_PORT = 68, 67
NOWHERE, EVERYWHERE = "0.0.0.0", "255.255.255.255"
FOR_EVER = 0xFFFFFFFF

_FIXED = struct.Struct(">4BIHH4s4s4s4s16s64s128s4s")
_COOKIE = b"\x63\x82\x53\x63"
_BOOT_REQUEST, _BOOT_REPLY, _ETHERNET = 1, 2, 1
_BROADCAST = 0x8000  # "I hear broadcasts only": true until there is an address
_SHORTEST = 300  # RFC 1542, section 2.1: some relays drop what is shorter
_PAD, _END = 0, 255
_MASK, _ROUTER, _DNS, _ADDRESS, _LEASE, _OVERLOAD, _KIND, _SERVER, _WANTED, _SIZE, _T1, _T2, _CLIENT = (
    1, 3, 6, 50, 51, 52, 53, 54, 55, 57, 58, 59, 61
)
_IP = struct.Struct(">BBHHHBBH4s4s")
_UDP = struct.Struct(">4H")
_UDP_PROTOCOL = 17
MOST_SERVERS = 3


class NotOurs(Exception):
    """These bytes are no answer of a DHCP server to that client."""


class Lease(NamedTuple):
    """What a server gives. ``renew_s``, ``rebind_s``, ``lease_s``: from when it was asked for; None: for ever."""

    address: str
    prefix: int
    router: str
    dns: tuple[str, ...]
    server: str
    lease_s: float | None
    renew_s: float
    rebind_s: float


class Reply(NamedTuple):
    """``kind`` OFFER or ACK, with the lease; or NAK, of ``server`` ("" where it does not say)."""

    kind: int
    server: str
    lease: Lease | None


def message(
    kind: int, transaction: int, hardware: bytes, *, seconds: int = 0, own: str = NOWHERE, wanted: str = "",
    server: str = "",
) -> bytes:
    """A client's message. ``own``: the address that it has and uses; ``wanted``: one that it asks for, with the server
    that has offered it."""
    options = bytes([_KIND, 1, kind, _CLIENT, 7, _ETHERNET]) + hardware
    if wanted:
        options += bytes([_ADDRESS, 4]) + packed(wanted)
    if server:
        options += bytes([_SERVER, 4]) + packed(server)
    options += bytes([_WANTED, 6, _MASK, _ROUTER, _DNS, _LEASE, _T1, _T2, _SIZE, 2]) + (1500).to_bytes(2, "big")
    flags = 0 if own != NOWHERE else _BROADCAST
    fixed = _FIXED.pack(
        _BOOT_REQUEST, _ETHERNET, len(hardware), 0, transaction, min(seconds, 0xFFFF), flags, packed(own), b"", b"",
        b"", hardware, b"", b"", _COOKIE,
    )
    return (fixed + options + bytes([_END])).ljust(_SHORTEST, b"\0")


def parse(data: bytes, transaction: int, hardware: bytes) -> Reply:
    """What a server says to that transaction of that client. Raises :class:`NotOurs`."""
    try:
        op, kind, size, _, number, _, _, _, given, _, _, chaddr, sname, file, cookie = _FIXED.unpack_from(data)
    except struct.error as error:
        raise NotOurs("cut short") from error
    if (op, kind, size, number, cookie) != (_BOOT_REPLY, _ETHERNET, len(hardware), transaction, _COOKIE):
        raise NotOurs("no reply, or another transaction's")
    if chaddr[:size] != hardware:
        raise NotOurs("another client's")
    options = _options(data[_FIXED.size :])
    overload = options.get(_OVERLOAD, b"\0")[0]
    for bit, field in ((1, file), (2, sname)):
        if overload & bit:
            for name, value in _options(field).items():
                options[name] = options.get(name, b"") + value
    said = options.get(_KIND, b"")
    if len(said) != 1 or said[0] not in (OFFER, ACK, NAK):
        raise NotOurs("no offer, no ACK and no NAK")
    server = _address(options.get(_SERVER, b""))
    if said[0] == NAK:
        return Reply(NAK, server, None)
    return Reply(said[0], server, _lease(_address(given), server, options))


def _lease(address: str, server: str, options: dict[int, bytes]) -> Lease:
    mask = int.from_bytes(options.get(_MASK, b"\xff\xff\xff\x00"), "big")
    prefix = mask.bit_count()
    if len(options.get(_MASK, bytes(4))) != 4 or mask != (0xFFFFFFFF << (32 - prefix)) & 0xFFFFFFFF or prefix < 8:
        raise NotOurs("a mask that is none")
    if not _is_a_hosts(address) or not _is_a_hosts(server):
        raise NotOurs("an address that no host has")
    lease = _number(options, _LEASE)
    if not lease:
        raise NotOurs("a lease of no time")
    renew = min(_number(options, _T1) or lease // 2, lease)
    rebind = max(renew, min(_number(options, _T2) or lease * 7 // 8, lease))
    names = options.get(_DNS, b"")
    servers = [_address(names[at : at + 4]) for at in range(0, len(names) // 4 * 4, 4)]
    router = _address(options.get(_ROUTER, b"")[:4])
    return Lease(
        address, prefix, router if _is_a_hosts(router) else "",
        tuple(one for one in servers if _is_a_hosts(one))[:MOST_SERVERS], server,
        None if lease == FOR_EVER else float(lease), float(renew), float(rebind),
    )


def _options(data: bytes) -> dict[int, bytes]:
    """Number -> value; an option that comes in parts is one (RFC 3396). Raises :class:`NotOurs`."""
    found: dict[int, bytes] = {}
    at = 0
    while at < len(data) and data[at] != _END:
        if data[at] == _PAD:
            at += 1
            continue
        if at + 1 >= len(data) or at + 2 + data[at + 1] > len(data):
            raise NotOurs("an option that is cut short")
        found[data[at]] = found.get(data[at], b"") + data[at + 2 : at + 2 + data[at + 1]]
        at += 2 + data[at + 1]
    if _OVERLOAD in found and len(found[_OVERLOAD]) != 1:
        raise NotOurs("an option of the wrong length")
    return found


def _number(options: dict[int, bytes], name: int) -> int:
    value = options.get(name, b"")
    return int.from_bytes(value, "big") if len(value) == 4 else 0


def _address(data: bytes) -> str:
    return ".".join(map(str, data)) if len(data) == 4 else ""


def _is_a_hosts(text: str) -> bool:
    """Not nowhere, not this host, no group, no broadcast."""
    first = int(text.partition(".")[0]) if text else 0
    return 0 < first < 224 and first != 127


def packed(address: str) -> bytes:
    """The four bytes of an address in dots."""
    return bytes(map(int, address.split(".")))


# -- IP and UDP --------------------------------------------------------------------------------------------------------


def broadcast(data: bytes, number: int) -> bytes:
    """The packet to every server, from a client without an address; ``number`` identifies it."""
    length = _UDP.size + len(data)
    source, destination = packed(NOWHERE), packed(EVERYWHERE)
    head = _IP.pack(0x45, 0x10, _IP.size + length, number & 0xFFFF, 0, 64, _UDP_PROTOCOL, 0, source, destination)
    head = head[:10] + checksum(head).to_bytes(2, "big") + head[12:]
    udp = _UDP.pack(CLIENT_PORT, SERVER_PORT, length, 0)
    total = checksum(_pseudo(source, destination, length) + udp + data) or 0xFFFF
    return head + udp[:6] + total.to_bytes(2, "big") + data


def unwrap(packet: bytes, *, checked: bool) -> bytes:
    """What a packet brings to the client's port. ``checked`` False: its sender has left the checksum to hardware that
    is not there. Raises :class:`NotOurs`."""
    try:
        version, _, total, _, fragment, _, protocol, _, source, destination = _IP.unpack_from(packet)
        start = (version & 0x0F) * 4
        _, port, length, told = _UDP.unpack_from(packet, start)
    except struct.error as error:
        raise NotOurs("cut short") from error
    whole = start + length <= min(total, len(packet)) and length >= _UDP.size
    if version >> 4 != 4 or start < _IP.size or protocol != _UDP_PROTOCOL or port != CLIENT_PORT or not whole:
        raise NotOurs("not UDP to the client's port")
    if fragment & 0x3FFF or checksum(packet[:start]):
        raise NotOurs("a fragment, or spoilt")
    body = packet[start : start + length]
    if checked and told and checksum(_pseudo(source, destination, length) + body):
        raise NotOurs("spoilt")
    return body[_UDP.size :]


def checksum(data: bytes) -> int:
    """RFC 1071; 0 over what holds its own right checksum."""
    total: int = sum(struct.unpack(f">{(len(data) + 1) // 2}H", data + bytes(len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _pseudo(source: bytes, destination: bytes, length: int) -> bytes:
    return struct.pack(">4s4sHH", source, destination, _UDP_PROTOCOL, length)
