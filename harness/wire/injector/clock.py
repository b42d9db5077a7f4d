# SPDX-License-Identifier: GPL-2.0-only
"""Waiting for descriptors and for a moment, exactly: epoll and a timerfd, and the last 300 microseconds spun.

A timer of the kernel alone is late by its slack and by the time to wake a core; spinning the end of the wait makes that
a few microseconds, and only while something is due.
"""

from __future__ import annotations

import ctypes
import os
import select
import struct
import time

SPIN_NS = 300_000
_MONOTONIC = 1
_ABSOLUTE = 1
_NONBLOCK_CLOEXEC = os.O_NONBLOCK | os.O_CLOEXEC
_libc = ctypes.CDLL(None, use_errno=True)


class Clock:
    """All descriptors that the engine waits for. Times are nanoseconds of CLOCK_MONOTONIC."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._timer = _libc.timerfd_create(_MONOTONIC, _NONBLOCK_CLOEXEC)
        if self._timer < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        self._set_to = 0
        self._epoll.register(self._timer, select.EPOLLIN)

    def watch(self, fd: int, events: int = select.EPOLLIN) -> None:
        self._epoll.register(fd, events)

    def rewatch(self, fd: int, events: int) -> None:
        self._epoll.modify(fd, events)

    def unwatch(self, fd: int) -> None:
        self._epoll.unregister(fd)

    def wait(self, due: int | None) -> list[tuple[int, int]]:
        """What is ready: (descriptor, events). Returns by ``due`` at the latest, not before it with nothing ready."""
        while True:
            if due is not None and due - time.monotonic_ns() <= SPIN_NS:
                ready = self._epoll.poll(0)
                if ready or time.monotonic_ns() >= due:
                    return [one for one in ready if one[0] != self._timer]
                continue
            self._set(0 if due is None else due - SPIN_NS)
            ready = self._epoll.poll()
            others = [one for one in ready if one[0] != self._timer]
            if others:
                return others
            self._set_to = 0  # it went off
            self._read_timer()

    def close(self) -> None:
        self._epoll.close()
        os.close(self._timer)

    def _set(self, at: int) -> None:
        if at != self._set_to:
            value = struct.pack("=qqqq", 0, 0, at // 1_000_000_000, at % 1_000_000_000)
            _libc.timerfd_settime(self._timer, _ABSOLUTE, value, None)
            self._set_to = at

    def _read_timer(self) -> None:
        try:
            os.read(self._timer, 8)
        except BlockingIOError:
            return
