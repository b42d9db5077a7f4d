"""Network namespaces without names: a descriptor is all there is, so nothing is left when its holders are gone.

Only ``/proc/self`` and ``/proc/thread-self`` are used: in a process namespace of its own the lab may still see the
outer ``/proc``, where its numbers mean other processes. A socket stays in the namespace in which it was made;
``pyroute2`` and ``socket`` act on the namespace of the calling *thread*.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.errors import BenchError
from harness.lab.kernel import CLONE_NEWNET, setns, unshare

_OWN = "/proc/thread-self/ns/net"


def create() -> int:
    """Makes an empty network namespace (its ``lo`` is down) and returns a descriptor on it (close-on-exec).

    The caller stays where it is: the namespace is made by a thread that ends at once. It lives as long as a descriptor
    on it, a process in it or a socket of it. Raises :class:`BenchError` when the kernel says no.
    """
    made: list[int] = []
    failed: list[OSError] = []

    def make() -> None:
        try:
            unshare(CLONE_NEWNET)
            made.append(current())
        except OSError as error:
            failed.append(error)

    thread = threading.Thread(target=make, name="netns", daemon=True)
    thread.start()
    thread.join()
    if failed:
        raise BenchError(
            f"the kernel makes no network namespace: {failed[0].strerror}",
            remedy="emulated benches need the lab's own namespace: start with `hil97 run`, or pytest with --lab",
        ) from failed[0]
    return made[0]


def current() -> int:
    """A new descriptor on the calling thread's network namespace (close-on-exec)."""
    return os.open(_OWN, os.O_RDONLY | os.O_CLOEXEC)


def identity(fd: int | None = None) -> tuple[int, int]:
    """What a namespace is told by: (device, inode) of ``fd``, or of the calling thread's namespace."""
    status = Path(_OWN).stat() if fd is None else os.fstat(fd)
    return status.st_dev, status.st_ino


def enter(fd: int) -> None:
    """The calling thread moves into the namespace for good. Raises :class:`OSError`."""
    setns(fd, CLONE_NEWNET)


@contextmanager
def inside(fd: int) -> Iterator[None]:
    """The calling thread is in the namespace for the length of the block, and back where it was afterwards."""
    back = current()
    try:
        enter(fd)
        try:
            yield
        finally:
            enter(back)
    finally:
        os.close(back)
