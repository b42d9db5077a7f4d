"""Connections are never answered."""

from __future__ import annotations

from typing import ClassVar, Literal

from harness.wire.faults.base import Fault


class SynBlackhole(Fault):
    """SYNs (of ``match.direction``) are dropped without a word; connections that stand go on."""

    known_as: ClassVar[tuple[str, ...]] = ("connect_timeout",)
    fault: Literal["syn_blackhole"] = "syn_blackhole"
