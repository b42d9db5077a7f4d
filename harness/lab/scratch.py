"""A folder for what a bench needs only while it is open: control sockets, the flash of its terminal.

It is in the runtime folder, not below the results: a path of a Unix socket may have 107 bytes, and not every file
system can hold a socket. A folder belongs to whom holds the lock in it; what a killed process left is swept by the
next one.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from harness.errors import BadInput
from harness.lab.lease import runtime_folder

LONGEST_SOCKET_PATH = 107
_PREFIX = "scratch-"
_LONGEST_NAME = "acquirer-control.sock"  # longer than any that a bench makes
_LOCK = "lock"


@contextlib.contextmanager
def scratch_folder(folder: Path | None = None) -> Iterator[Path]:
    """A new folder in ``folder`` (default: the user's runtime folder), ours until the end of the ``with`` block.

    Sweeps before. Raises :class:`BadInput` where sockets in it would have too long a path.
    """
    home = folder or runtime_folder()
    with _alone(home):
        _sweep(home)
        made = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=home))
        held = os.open(made / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(held, fcntl.LOCK_EX)
    try:
        if len(os.fsencode(made / _LONGEST_NAME)) > LONGEST_SOCKET_PATH:
            raise BadInput(
                f"this path is too long for the sockets of a bench, which may have {LONGEST_SOCKET_PATH} bytes",
                where=str(made), remedy="set XDG_RUNTIME_DIR or TMPDIR to a folder with a shorter path",
            )
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)
        os.close(held)


def sweep(folder: Path | None = None) -> int:
    """Removes the scratch folders of processes that were killed; how many there were."""
    home = folder or runtime_folder()
    with _alone(home):
        return _sweep(home)


def in_use(path: Path) -> bool:
    """Whether the process that made this scratch folder is still there."""
    return not _abandoned(path)


def _sweep(home: Path) -> int:
    swept = 0
    for path in home.glob(f"{_PREFIX}*/"):
        if _abandoned(path):
            shutil.rmtree(path, ignore_errors=True)
            swept += 1
    return swept


def _abandoned(path: Path) -> bool:
    try:
        lock = os.open(path / _LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:  # killed between making the folder and its lock
        return True
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    return True


@contextlib.contextmanager
def _alone(home: Path) -> Iterator[None]:
    """Nobody else makes or sweeps scratch folders meanwhile: one that was just made has no lock yet."""
    guard = os.open(home / "guard.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(guard, fcntl.LOCK_EX)
        yield
    finally:
        os.close(guard)
