"""The DHCP server fails."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import model_validator

from harness.wire.faults.base import Fault, Ipv4, Level, Seconds


class Dhcp(Fault):
    """``answer``: its offers are lost; nothing that it says arrives (``silent``); what it grants arrives as a refusal
    (NAK); all arrives ``delay_s`` late; or a router that leads nowhere (``router``) is in its offers and grants. It
    strikes what the server says."""

    level: ClassVar[Level] = "service"
    fault: Literal["dhcp"] = "dhcp"
    answer: Literal["no_offer", "silent", "nak", "slow", "wrong_router"] = "no_offer"
    router: Ipv4 = "10.97.0.97"
    delay_s: Seconds = 5.0

    @model_validator(mode="after")
    def _strikes_answers(self) -> Dhcp:
        if self.match.direction == "to_acquirer":
            raise ValueError("dhcp strikes what the server says: leave the direction out")
        return self
