"""A message is delivered as other bytes, of whatever length."""

from __future__ import annotations

from typing import ClassVar, Literal

from harness.wire.faults.base import HexBytes, MessageFault


class Replace(MessageFault):
    """``hex``: what is delivered, with its 2-byte length where it is to be a message."""

    changes_content: ClassVar[bool] = True
    fault: Literal["replace"] = "replace"
    hex: HexBytes
