"""Both ends of a connection, or one, get a reset as if the other had sent it."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from harness.wire.faults.base import Fault, Level


class Rst(Fault):
    """``side``: which end, or both. At a message it strikes before any byte of it is delivered; with ``after`` once it
    has passed; at ``connecting`` it answers the SYN, which is a refused connection; without a moment the youngest
    connection is reset at once, or as soon as anything passes on one that was made before the injector started.
    """

    level: ClassVar[Level] = "message"
    known_as: ClassVar[tuple[str, ...]] = ("reset", "reset_peer", "refuse")
    fault: Literal["rst"] = "rst"
    side: Literal["both", "terminal", "acquirer"] = "both"
    count: int | None = Field(default=1, ge=1)
