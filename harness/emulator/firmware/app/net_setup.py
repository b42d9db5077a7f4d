"""``NET``: how the terminal gets its address, and which name servers it asks. The service port's affair."""

from __future__ import annotations

import re
import socket
from collections.abc import Sequence
from typing import Any

from .network import DHCP, NONE, STATIC
from .provisioning import Refused
from .store import Store

_FORM = "NET DHCP, NET STATIC address/prefix [router] [dns], NET DNS server[,server], NET APN name, NET NONE"
_APN = re.compile(r"[0-9A-Za-z]([0-9A-Za-z.-]{0,97}[0-9A-Za-z])?")  # 3GPP TS 23.003, 9.1
_MOST_SERVERS = 3


def obey(stores: Sequence[Store], words: Sequence[str], *, has_interface: bool) -> str:
    """The words behind ``NET``; returns what is answered behind OK. Raises :class:`Refused`."""
    match words:
        case ["DNS", "NONE"]:
            _commit(stores, dns="")
            return "NET DNS NONE"
        case ["DNS", servers]:
            _commit(stores, dns=_servers(servers))
            return f"NET DNS {servers}"
        case ["APN", "NONE"]:
            _commit(stores, apn="")
            return "NET APN NONE"
        case ["APN", name] if _APN.fullmatch(name):
            _commit(stores, apn=name)
            return f"NET APN {name}"
        case ["NONE"]:
            _commit(stores, network=NONE, address="", router="", dns="")
            return "NET NONE"
        case ["DHCP"]:
            _need(has_interface)
            _commit(stores, network=DHCP, address="", router="", dns="")
            return "NET DHCP"
        case ["STATIC", address, *rest] if len(rest) <= 2:
            _need(has_interface)
            router, dns = [*rest, "", ""][:2]
            _check_static(address, router)
            _commit(stores, network=STATIC, address=address, router=router, dns=_servers(dns) if dns else "")
            return " ".join(["NET STATIC", address, *rest])
        case _:
            raise Refused("03", _FORM)


def _commit(stores: Sequence[Store], **changes: Any) -> None:
    for store in stores:
        store.commit(**changes)


def _need(has_interface: bool) -> None:
    if not has_interface:
        raise Refused("04", "this terminal has no network interface of its own")


def _check_static(text: str, router: str) -> None:
    address, slash, prefix = text.partition("/")
    if not slash or not prefix.isascii() or not prefix.isdigit() or not 8 <= int(prefix) <= 30:
        raise Refused("03", "the address is written 10.0.0.2/24, with a prefix of 8 to 30")
    own = _number(address, "address")
    mask = (0xFFFFFFFF << (32 - int(prefix))) & 0xFFFFFFFF
    if own & ~mask & 0xFFFFFFFF in (0, ~mask & 0xFFFFFFFF):
        raise Refused("03", "the address is that of the net or of all in it")
    if router and (_number(router, "router") & mask != own & mask or router == address):
        raise Refused("03", "the router is not in the address's net")


def _servers(text: str) -> str:
    servers = text.split(",")
    if len(servers) > _MOST_SERVERS:
        raise Refused("03", f"at most {_MOST_SERVERS} name servers")
    for server in servers:
        _number(server, "name server")
    return text


def _number(text: str, what: str) -> int:
    """An address that a host may have."""
    try:
        packed = socket.inet_pton(socket.AF_INET, text)
    except OSError as error:
        raise Refused("03", f"the {what} is no IPv4 address") from error
    if not 0 < packed[0] < 224 or packed[0] == 127:
        raise Refused("03", f"the {what} is none that a host has")
    return int.from_bytes(packed, "big")
