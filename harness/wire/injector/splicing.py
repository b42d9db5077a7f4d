# SPDX-License-Identifier: GPL-2.0-only
"""The splicer of a link: who acts on whole messages (``harness.wire.injector.contract.Splicer``)."""

from __future__ import annotations

from pathlib import Path

from harness.wire.injector.contract import Splicer
from harness.wire.injector.splicer import TcpSplicer


def make_splicer(link: str, keys: Path | None) -> Splicer:
    """For a link of ``harness.wire.layers.LINKS``."""
    return TcpSplicer(link, keys)
