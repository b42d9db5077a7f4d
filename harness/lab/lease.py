"""One user a bench at a time, among all processes of this user on this host.

A lease is an flock(2) on a file in the user's runtime folder: the kernel gives it back when its holder dies, however.
The file tells who holds it. Emulated benches of different inventories are different benches, so a lease has a ``scope``
(:attr:`harness.lab.inventory.BenchEntry.scope`).
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import stat
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from harness.errors import BadInput

_POLL_S = 0.1


class BenchBusy(BadInput):
    """Somebody else has the bench; ``str()`` names them."""


@dataclass(frozen=True)
class Holder:
    """Who has a bench: process id as the host sees it, name of the run, and since when (ISO 8601, local time)."""

    pid: int
    run: str
    since: str

    def __str__(self) -> str:
        return f"process {self.pid}{f', run {self.run}' if self.run else ''}, since {self.since}"


class Lease:
    """A bench that is ours until :meth:`release`, the end of a ``with`` block, or the end of the process."""

    def __init__(self, bench: str, descriptor: int, path: Path) -> None:
        self.bench, self.path, self._descriptor = bench, path, descriptor

    def release(self) -> None:
        """Gives the bench back. Idempotent."""
        if self._descriptor >= 0:
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Lease:
        return self

    def __exit__(self, *exception: object) -> None:
        self.release()


def lease(bench: str, *, run: str = "", scope: str = "", folder: Path | None = None) -> Lease:
    """Takes ``bench`` at once, or raises :class:`BenchBusy` with its holder."""
    path = _file_of(bench, scope, folder)
    taken = _take(bench, path, run)
    if taken is None:
        raise BenchBusy(
            f"bench {bench} is in use: {holder_of(path) or 'the holder has not signed yet'}",
            where=str(path), remedy="wait for that run, end it, or take another bench",
        )
    return taken


def lease_any(
    benches: Sequence[str], *, deadline_s: float, run: str = "", scope: str = "", folder: Path | None = None
) -> Lease:
    """Takes the first of ``benches`` that is or becomes free within ``deadline_s`` seconds.

    Raises :class:`BenchBusy` with all holders when none does, :class:`BadInput` when there are none to choose from.
    """
    if not benches:
        raise BadInput("there is no bench to choose from", remedy="look at the inventory's benches: hil97 lab check")
    paths = {bench: _file_of(bench, scope, folder) for bench in benches}
    deadline = time.monotonic() + deadline_s
    while True:
        for bench, path in paths.items():
            taken = _take(bench, path, run)
            if taken is not None:
                return taken
        if time.monotonic() >= deadline:
            break
        time.sleep(_POLL_S)  # flock has no waiting with a deadline, let alone for one of several
    holders = "\n".join(f"  {bench}: {holder_of(path) or 'unknown'}" for bench, path in paths.items())
    raise BenchBusy(
        f"no bench became free within {deadline_s:.0f} s; they are in use:\n{holders}",
        remedy="wait for those runs, end them, or add benches to the inventory",
    )


def holder_of(path: Path) -> Holder | None:
    """What the lease file ``path`` says of its holder; None when it says nothing readable."""
    try:
        told = json.loads(path.read_text())
        return Holder(int(told["pid"]), str(told["run"]), str(told["since"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def runtime_folder() -> Path:
    """``$XDG_RUNTIME_DIR/hil97`` or ``<temporary folder>/hil97-<uid>``, ours alone. Raises :class:`BadInput`."""
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if runtime and Path(runtime).is_dir() and os.access(runtime, os.W_OK | os.X_OK):
        path = Path(runtime, "hil97")
    else:
        path = Path(tempfile.gettempdir(), f"hil97-{os.getuid()}")
    try:
        path.mkdir(mode=0o700, exist_ok=True)
        status = path.lstat()
    except OSError as error:
        raise BadInput(
            f"the folder for leases can't be made: {error.strerror}", where=str(path),
            remedy="make it, or set XDG_RUNTIME_DIR or TMPDIR to a folder of yours",
        ) from error
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        raise BadInput(
            "the folder for leases is not yours", where=str(path),
            remedy="remove it, or set XDG_RUNTIME_DIR to a folder of yours",
        )
    return path


def _file_of(bench: str, scope: str, folder: Path | None) -> Path:
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", bench)
    mark = hashlib.sha256(f"{scope}\0{bench}".encode()).hexdigest()[:10]
    return (folder or runtime_folder()) / f"{plain}-{mark}.lease"


def _take(bench: str, path: Path, run: str) -> Lease | None:
    """The file is never removed: whoever waits for it must wait for the same inode."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    told = {"pid": _pid(), "run": run, "since": datetime.now().astimezone().isoformat(timespec="seconds")}
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(told).encode(), 0)
    return Lease(bench, descriptor, path)


def _pid() -> int:
    """Our process id as the host's /proc shows it, which is not os.getpid() in a process namespace of our own."""
    try:
        return int(Path("/proc/self").readlink().name)
    except (OSError, ValueError):
        return os.getpid()
