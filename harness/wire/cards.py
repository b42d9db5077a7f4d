"""The lab host's network cards as the kernel has them, and whether a bench may use two of them.

A bench bridges two cards: the terminal's cable is in one, the acquirer's network in the other. Taking a card that the
lab host itself lives by would cut it off, so a card is refused that carries a default route, has an address that the
inventory does not expect, or belongs to something else already. So is one with an IPv6 address of its own: IPv6 is
switched off on a bench's cards, and with that the kernel forgets such addresses.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from harness.errors import BadInput

_IFF_UP, _IFF_LOOPBACK = 0x1, 0x8
_LOCAL_TABLE = 255


@dataclass(frozen=True)
class Card:
    """A network interface. ``addresses`` without the link-local ones; ``master``: the name of the bridge or bond that
    it belongs to; ``default_route``: a default route leaves by it."""

    name: str
    index: int
    up: bool
    loopback: bool
    addresses: tuple[str, ...]
    master: str
    default_route: bool


def read_card(name: str) -> Card:
    """The card as it is now, in the calling thread's namespace. Raises :class:`BadInput` when there is none."""
    from pyroute2 import IPRoute

    try:
        index = socket.if_nametoindex(name)
    except OSError:
        there = ", ".join(sorted(one for _, one in socket.if_nameindex()))
        raise BadInput(
            f"there is no network card {name}; there are: {there}", where=f"interfaces: {name}",
            remedy="plug it in, or correct the inventory (`ip link` shows the names)",
        ) from None
    with IPRoute() as route:
        link = route.get_links(index)[0]
        addresses = tuple(_addresses(route, index))
        default = any(_is_default_by(message, index) for message in route.get_routes())
    master = ""
    if link.get_attr("IFLA_MASTER"):
        with contextlib.suppress(OSError):  # it was taken apart in this moment
            master = socket.if_indextoname(link.get_attr("IFLA_MASTER"))
    return Card(
        name, index, bool(link["flags"] & _IFF_UP), bool(link["flags"] & _IFF_LOOPBACK), addresses,
        master, default,
    )


def check_cards(terminal: Card, acquirer: Card, *, expected: Collection[str] = ()) -> None:
    """Raises :class:`BadInput` with every reason why these two can't be a bench's cards.

    ``expected``: IPv4 addresses that a card may have (``10.1.2.3``, without the prefix).
    """
    problems = ["one card is named for both ends: the terminal's and the acquirer's must be two"] * (
        terminal.index == acquirer.index
    )
    for card in {terminal.name: terminal, acquirer.name: acquirer}.values():
        problems += [f"{card.name} {why}" for why in _objections(card, set(expected))]
    if problems:
        raise BadInput(
            "; ".join(problems), where=f"interfaces: {terminal.name}, {acquirer.name}",
            remedy="nothing was touched. Name two cards that the lab host does not need for itself; an address that may"
            " be there stands in the inventory as `interfaces: {addresses: [...]}`",
        )


def _objections(card: Card, expected: set[str]) -> list[str]:
    found = []
    if card.loopback:
        found.append("is the loopback interface")
    if card.default_route:
        found.append("carries a default route of this host: taking it would cut the host off")
    lost = [one for one in card.addresses if ":" in one]
    if lost:
        found.append(f"has an IPv6 address, which it would lose while the bench is open: {', '.join(lost)}")
    strange = [one for one in card.addresses if one.split("/")[0] not in expected and one not in lost]
    if strange:
        found.append(f"has an address that the inventory does not expect: {', '.join(strange)}")
    if card.master:
        found.append(f"belongs to {card.master} already")
    return found


def _addresses(route: Any, index: int) -> list[str]:
    found = []
    for message in route.get_addr(index=index):
        text = message.get_attr("IFA_LOCAL") or message.get_attr("IFA_ADDRESS")
        if text and not ipaddress.ip_address(text).is_link_local:
            found.append(f"{text}/{message['prefixlen']}")
    return sorted(found)


def _is_default_by(message: Any, index: int) -> bool:
    """Whether it is a default route (IPv4 or IPv6) by that interface, also as one of several next hops."""
    if message["dst_len"] or message["table"] == _LOCAL_TABLE or message["type"] != 1:
        return False
    hops = message.get_attr("RTA_MULTIPATH") or []
    return message.get_attr("RTA_OIF") == index or any(hop["oif"] == index for hop in hops)
