"""The name server fails."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import model_validator

from harness.wire.faults.base import Fault, Ipv4, Level, Seconds


class Dns(Fault):
    """``answer``: no such name (believed for ``ttl_s``), the server fails, a wrong ``address``, the right one
    ``delay_s`` late, or none. It strikes questions: of one that it answers itself the server hears nothing."""

    level: ClassVar[Level] = "service"
    fault: Literal["dns"] = "dns"
    answer: Literal["nxdomain", "servfail", "wrong", "slow", "drop"] = "nxdomain"
    address: Ipv4 = "10.97.0.97"
    ttl_s: Seconds = 5.0
    delay_s: Seconds = 5.0

    @model_validator(mode="after")
    def _strikes_questions(self) -> Dns:
        if self.match.direction == "to_terminal":
            raise ValueError("dns strikes questions: leave the direction out")
        return self
