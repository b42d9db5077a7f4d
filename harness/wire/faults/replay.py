"""An earlier message is delivered once more, where another one was expected."""

from __future__ import annotations

from typing import ClassVar, Literal

from harness.wire.faults.base import HexBytes, MessageFault


class Replay(MessageFault):
    """``hex``: the earlier message, whole. ``when``: instead of the message at the moment, before it, or after it."""

    changes_content: ClassVar[bool] = True
    fault: Literal["replay"] = "replay"
    hex: HexBytes
    when: Literal["instead", "before", "after"] = "instead"
