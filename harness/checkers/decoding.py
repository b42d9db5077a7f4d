"""Frames as checkers see them: decoded once, or None where the bytes are no frame."""

from __future__ import annotations

import functools

from harness.errors import BadInput
from harness.protocol import frames
from harness.protocol.frames import Frame


@functools.lru_cache(maxsize=65_536)
def decoded(hex_frame: str) -> Frame | None:
    """The frame in ``hex_frame`` (hex, 2-byte length included), or None if it is none."""
    try:
        return frames.decode(bytes.fromhex(hex_frame))
    except BadInput:
        return None
