"""How a bench's terminal gets its address and finds its acquirer: what it is told, and what the line has to offer.

A terminal that gets its address by DHCP, or its acquirer by name, has the acquirer behind the line's router.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness.site.client import SiteClient
from harness.wire.topology import (
    ACQUIRER_ADDRESS,
    BACKUP_ADDRESS,
    END,
    PREFIX_LENGTH,
    REMOTE_ADDRESS,
    ROUTER_ADDRESS,
    TERMINAL_ADDRESS,
)

Addressing = Literal["static", "dhcp"]
Resolving = Literal["address", "name"]
NAME = "acquirer.hil97.test"
GIVES = f"{TERMINAL_ADDRESS}/{PREFIX_LENGTH}"


@dataclass(frozen=True)
class Network:
    """``network`` and ``resolve`` as in the inventory."""

    network: Addressing = "static"
    resolve: Resolving = "address"

    @property
    def routed(self) -> bool:
        """Whether the way to the acquirer leads over the line's router."""
        return self.network == "dhcp" or self.resolve == "name"

    @property
    def host(self) -> str:
        """What the terminal is told of its acquirer: name or address."""
        return NAME if self.resolve == "name" else self.address

    @property
    def address(self) -> str:
        """Where the acquirer is."""
        return REMOTE_ADDRESS if self.routed else ACQUIRER_ADDRESS

    @property
    def listening(self) -> list[str]:
        """Every address of the acquirer, the one that the terminal uses first."""
        return sorted((ACQUIRER_ADDRESS, BACKUP_ADDRESS, REMOTE_ADDRESS), key=lambda one: one != self.address)

    @property
    def setting(self) -> str:
        """The words behind ``NET`` on the terminal's service port."""
        if self.network == "dhcp":
            return "DHCP"
        return f"STATIC {GIVES} {ROUTER_ADDRESS} {ROUTER_ADDRESS}" if self.routed else f"STATIC {GIVES}"

    def start_site(self, netns_fd: int, log: Path) -> SiteClient | None:
        """The line's services, where the terminal wants any. Raises BenchError."""
        if not self.routed:
            return None
        return SiteClient.start(
            netns_fd=netns_fd, log=log, interface=END, address=ROUTER_ADDRESS,
            gives=GIVES if self.network == "dhcp" else None, router=ROUTER_ADDRESS,
            names={NAME: REMOTE_ADDRESS} if self.resolve == "name" else {},
        )


PLAIN = Network()
"""A static address, and the acquirer at the same link."""
