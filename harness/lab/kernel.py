"""The few Linux calls that Python 3.11 has no function for: namespaces, parent-death signal, capabilities.

Everything raises :class:`OSError` with the kernel's errno, as ``os`` does. Nothing here decides anything.
"""

from __future__ import annotations

import ctypes
import os
import signal

CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

CAP_NET_BIND_SERVICE = 10
CAP_NET_ADMIN = 12
CAP_NET_RAW = 13
CAP_SYS_ADMIN = 21

_PR_SET_PDEATHSIG = 1
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_CAPABILITY_VERSION_3 = 0x20080522

_libc = ctypes.CDLL(None, use_errno=True)


class _CapabilityHeader(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


class _CapabilitySets(ctypes.Structure):
    _fields_ = [("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32)]


def _checked(name: str, result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return result


def unshare(flags: int) -> None:
    """unshare(2) for the calling thread. ``CLONE_NEWUSER`` needs a process with one thread (else EINVAL)."""
    _checked("unshare", _libc.unshare(ctypes.c_int(flags)))


def setns(fd: int, kind: int) -> None:
    """setns(2): the calling thread enters the namespace that ``fd`` stands for; ``kind`` is a ``CLONE_NEW*``."""
    _checked("setns", _libc.setns(ctypes.c_int(fd), ctypes.c_int(kind)))


def die_with_parent(number: int = signal.SIGKILL) -> None:
    """The kernel sends ``number`` to us when the *thread* that forked it ends (fork clears it, exec does not)."""
    _prctl(_PR_SET_PDEATHSIG, int(number))


def _prctl(option: int, *arguments: int) -> None:
    padded = [*arguments, 0, 0, 0, 0][:4]
    _checked("prctl", _libc.prctl(ctypes.c_int(option), *(ctypes.c_ulong(value) for value in padded)))


def _capabilities() -> tuple[_CapabilityHeader, ctypes.Array[_CapabilitySets]]:
    header = _CapabilityHeader(_CAPABILITY_VERSION_3, 0)
    sets = (_CapabilitySets * 2)()
    _checked("capget", _libc.capget(ctypes.byref(header), sets))
    return header, sets


def has_capabilities(*capabilities: int) -> bool:
    """Whether all of ``capabilities`` are in effect for the calling thread."""
    _, sets = _capabilities()
    return all(sets[number // 32].effective >> (number % 32) & 1 for number in capabilities)


def raise_ambient(*capabilities: int) -> None:
    """Lets programs that this process executes keep ``capabilities`` although its user is not root."""
    header, sets = _capabilities()
    for number in capabilities:
        sets[number // 32].inheritable |= 1 << (number % 32)
    _checked("capset", _libc.capset(ctypes.byref(header), sets))
    for number in capabilities:
        _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, number)
