"""A message is lost although its sender sees it acknowledged: the answer that the host believes it gave."""

from __future__ import annotations

from typing import Literal

from harness.wire.faults.base import MessageFault


class Swallow(MessageFault):
    """The connection stays valid and can be used again."""

    fault: Literal["swallow"] = "swallow"
