"""A message is kept back, and delivered later: the true answer, late."""

from __future__ import annotations

from typing import Literal

from harness.wire.faults.base import MessageFault, Seconds


class Hold(MessageFault):
    """``release_s`` after it was whole, or when healed (None). Meanwhile its sender's repetitions are kept back too."""

    fault: Literal["hold"] = "hold"
    release_s: Seconds | None = None
