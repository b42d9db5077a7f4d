"""Packets come late."""

from __future__ import annotations

from typing import Literal

from harness.wire.faults.base import Fault, Milliseconds


class Delay(Fault):
    """By ``delay_ms``, give or take ``jitter_ms``, by ``distribution`` (uniform: half its width; normal: the standard
    deviation). Jitter reorders.
    """

    fault: Literal["delay"] = "delay"
    delay_ms: Milliseconds = 100.0
    jitter_ms: Milliseconds = 0.0
    distribution: Literal["uniform", "normal"] = "uniform"
