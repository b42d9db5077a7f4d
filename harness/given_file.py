"""Files that somebody names: only regular ones are read, and no more of them than there can be use for.

A pipe may keep a reader waiting for ever, and a device may be without an end.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from harness.errors import BadInput

LARGEST = 4 << 20  # bytes of what is no image


def head(path: Path, size: int) -> bytes:
    """At most its first ``size`` bytes. BadInput where it is no regular file, OSError where it can't be read."""
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise BadInput("is a folder", where=str(path))
    if not stat.S_ISREG(mode):
        raise BadInput("is no regular file", where=str(path))
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        return file.read(size)


def whole(path: Path) -> bytes:
    """All of it. BadInput where it is larger than :data:`LARGEST`, and as :func:`head`."""
    data = head(path, LARGEST + 1)
    if len(data) > LARGEST:
        size = max(len(data), path.stat().st_size)
        raise BadInput(f"has {size} bytes, more than such a file may have ({LARGEST})", where=str(path))
    return data
