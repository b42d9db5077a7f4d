"""The steps into an emulated lab, one by one, and what a refusal of each means in words.

Whoever has CAP_SYS_ADMIN and CAP_NET_ADMIN already (root) gets no user namespace: it is not needed for the others, and
in one, root would lose its rights on other people's files.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.errors import BadInput
from harness.lab.kernel import (
    CAP_NET_ADMIN,
    CAP_NET_BIND_SERVICE,
    CAP_NET_RAW,
    CAP_SYS_ADMIN,
    CLONE_NEWNET,
    CLONE_NEWPID,
    CLONE_NEWUSER,
    has_capabilities,
    raise_ambient,
    unshare,
)
from harness.wire.interface import Interface

MARK = "HIL97_LAB"
"""Environment variable: the network namespace of the lab this process is in, as ``device:inode``."""


class StepFailed(Exception):
    """One step into the lab was refused: its name (a key of :data:`STEPS`) and the kernel's errno."""

    def __init__(self, step: str, number: int) -> None:
        self.step, self.number = step, number
        super().__init__(step, number)

    def __str__(self) -> str:
        return f"{self.step}: {os.strerror(self.number)}"


STEPS = {
    "user namespace": "a user namespace",
    "identity": "its user mapped into the user namespace",
    "network namespace": "a network namespace",
    "process namespace": "a process namespace",
    "capabilities": "its capabilities kept for the programs it starts",
    "loopback": "the loopback interface up",
    "veth": "a pair of virtual Ethernet interfaces (veth)",
    "bridge": "an Ethernet bridge",
    "packet socket": "a packet socket to capture with",
}
_LIMITS = {
    "user namespace": "user.max_user_namespaces",
    "network namespace": "user.max_net_namespaces",
    "process namespace": "user.max_pid_namespaces",
}


def enter(*, process_namespace: bool) -> None:
    """All steps for the calling process: namespaces, identity, capabilities, loopback, mark. Raises StepFailed.

    With ``process_namespace`` the *next forked child* is process 1 of it.
    """
    if not has_capabilities(CAP_SYS_ADMIN, CAP_NET_ADMIN, CAP_NET_RAW):
        uid, gid = os.geteuid(), os.getegid()
        with step("user namespace"):
            unshare(CLONE_NEWUSER)
        with step("identity"):
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
            Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
    with step("network namespace"):
        unshare(CLONE_NEWNET)
    if process_namespace:
        with step("process namespace"):
            unshare(CLONE_NEWPID)
    with step("capabilities"):
        raise_ambient(CAP_NET_ADMIN, CAP_NET_RAW, CAP_SYS_ADMIN)
        if has_capabilities(CAP_NET_BIND_SERVICE):  # for DHCP and name servers; benches without them can do without
            raise_ambient(CAP_NET_BIND_SERVICE)
    with step("loopback"):
        loopback = Interface("lo")
        loopback.set_up(True)
        loopback.close()
    os.environ[MARK] = own_network()


def explain(step: str, number: int, *, read: Callable[[str], str] | None = None) -> BadInput:
    """The refusal of ``step`` with errno ``number`` in a sentence, with what to do about it.

    ``read`` gives the content of a file below ``/proc/sys`` ("" when there is none).
    """
    setting = read or _setting
    said = os.strerror(number)
    what = f"the emulated lab needs {STEPS[step]}, and this system refuses it ({said})"
    by_apparmor = setting("kernel/apparmor_restrict_unprivileged_userns") == "1"
    if number == errno.ENOSPC and step in _LIMITS:
        name = _LIMITS[step]
        value = setting(name.replace(".", "/"))
        if value == "0":
            what = f"the emulated lab needs {STEPS[step]}, and {name} = 0 switches them off on this system"
        return BadInput(what, remedy=f"as root: sysctl -w {name}=10000 (to keep it: a file in /etc/sysctl.d)")
    if number == errno.EINVAL and step == "user namespace":
        return BadInput(
            f"{what}, because the process has more than one thread already",
            remedy="start with `hil97 run`, or switch off the pytest plugin that starts threads early (else: our bug)",
        )
    if number in (errno.EPERM, errno.EACCES) and by_apparmor:
        return BadInput(
            f"{what}: AppArmor restricts unprivileged user namespaces (Ubuntu 23.10 and later)",
            remedy="as root: sysctl -w kernel.apparmor_restrict_unprivileged_userns=0 (to keep it: in /etc/sysctl.d)",
        )
    if number in (errno.EPERM, errno.EACCES) and setting("kernel/unprivileged_userns_clone") == "0":
        return BadInput(
            f"{what}: kernel.unprivileged_userns_clone = 0",
            remedy="as root: sysctl -w kernel.unprivileged_userns_clone=1 (to keep it: a file in /etc/sysctl.d)",
        )
    if number in (errno.EPERM, errno.EACCES):
        return BadInput(
            f"{what}, as containers commonly do",
            remedy="start the container with --security-opt seccomp=unconfined --security-opt apparmor=unconfined "
            "(or --cap-add SYS_ADMIN --cap-add NET_ADMIN), or run outside of it",
        )
    if step in ("veth", "bridge", "packet socket"):
        module = {"veth": "veth", "bridge": "bridge", "packet socket": "af_packet"}[step]
        return BadInput(what, remedy=f"as root: modprobe {module} (or a kernel that has it)")
    return BadInput(what, remedy=f"the failing step was: {step} ({errno.errorcode.get(number, number)})")


@contextmanager
def step(name: str) -> Iterator[None]:
    """An OSError within becomes StepFailed."""
    try:
        yield
    except OSError as error:
        raise StepFailed(name, error.errno or errno.EIO) from error


def own_network() -> str:
    """The calling thread's network namespace as ``device:inode``; "" where there is no /proc."""
    try:
        status = Path("/proc/thread-self/ns/net").stat()
    except OSError:
        return ""
    return f"{status.st_dev}:{status.st_ino}"


def _setting(name: str) -> str:
    try:
        return Path("/proc/sys", name).read_text().strip()
    except OSError:
        return ""
