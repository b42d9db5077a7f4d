"""Packets come late."""

from __future__ import annotations

from typing import Literal

from harness.wire.faults.base import Fault, Milliseconds


class Delay(Fault):
    """By ``delay_ms``, give or take ``jitter_ms`` (its half width, or standard deviation where normal). Jitter
    reorders.
    """

    fault: Literal["delay"] = "delay"
    delay_ms: Milliseconds = 100.0
    jitter_ms: Milliseconds = 0.0
    distribution: Literal["uniform", "normal"] = "uniform"
