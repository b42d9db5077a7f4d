"""A dissector for Wireshark and tshark (``hil97.lua``), written from public descriptions of the dialect, not from
:mod:`harness.protocol`: what both read alike was not misread by one mistake in both (docs/dissector.md)."""

from __future__ import annotations

from pathlib import Path

SCRIPT = Path(__file__).with_name("hil97.lua")
