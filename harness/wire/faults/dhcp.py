"""The DHCP server fails."""

from __future__ import annotations

from typing import ClassVar, Literal

from harness.wire.faults.base import Fault, Ipv4, Level, Seconds


class Dhcp(Fault):
    """``answer``: no offer, the request refused (NAK), the true answer ``delay_s`` late, or a router that leads nowhere
    (``router``)."""

    level: ClassVar[Level] = "service"
    fault: Literal["dhcp"] = "dhcp"
    answer: Literal["no_offer", "nak", "slow", "wrong_router"] = "no_offer"
    router: Ipv4 = "10.97.0.97"
    delay_s: Seconds = 5.0
