"""A message breaks off after some of its bytes."""

from __future__ import annotations

from typing import ClassVar, Literal

from harness.wire.faults.base import MessageFault, Seconds


class Cut(MessageFault):
    """``after_bytes``: how many are delivered, counted from the length prefix; negative: from its end. ``then``: the
    rest comes ``pause_s`` later (heal), both ends are reset (reset), or the receiver sees a FIN (close),
    ``pause_s`` later. Under TLS the bytes are counted in the record.
    """

    known_as: ClassVar[tuple[str, ...]] = ("truncate", "fin_mid_message")
    fault: Literal["cut"] = "cut"
    after_bytes: int = 1
    then: Literal["heal", "reset", "close"] = "close"
    pause_s: Seconds = 0.0
