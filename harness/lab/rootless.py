"""The emulated lab without root: it lives in namespaces of its own, and dies with the process that made them.

Two ways in. :func:`enter_in_place` for plain pytest: the process itself moves (user and network namespace), before any
thread exists, and what it executes keeps the network capabilities. :func:`run_contained` for ``hil97 run``: a process
namespace as well, so that ``kill -9`` of the outer process takes everything along, whatever was forked or detached.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable

from harness.errors import BenchError
from harness.lab.contained import run_contained
from harness.lab.entering import MARK, STEPS, StepFailed, enter, explain, own_network, step
from harness.lab.kernel import CAP_NET_ADMIN, CAP_NET_RAW, CAP_SYS_ADMIN, CLONE_NEWNET, has_capabilities, unshare

__all__ = ["MARK", "already_inside", "enter_in_place", "probe", "run_contained"]


def already_inside() -> bool:
    """Whether this process is in a lab's network namespace, by :data:`MARK`, verified, with the rights to use it."""
    return os.environ.get(MARK, "-") == own_network() and has_capabilities(CAP_NET_ADMIN, CAP_NET_RAW, CAP_SYS_ADMIN)


def enter_in_place() -> None:
    """Moves this process, which must have one thread, into a new lab. Nothing when it is in one already.

    It keeps its user and group and loses the real network. Raises :class:`BadInput` with the cause and the remedy.
    """
    if already_inside():
        return
    try:
        enter(process_namespace=False)
    except StepFailed as failure:
        raise explain(failure.step, failure.number) from failure


def probe() -> None:
    """Tries every step into the lab in a forked child. Raises :class:`BadInput`: one sentence, and the remedy.

    Raises :class:`BenchError` when the trial itself breaks.
    """
    result = _in_child(_try_all)
    if result is not None:
        raise explain(*result)


def _try_all() -> None:
    """Every step for real; in a forked child."""
    if already_inside():
        with step("network namespace"):
            unshare(CLONE_NEWNET)
    else:
        enter(process_namespace=True)
        with step("process namespace"):
            first = os.fork()
            if first == 0:
                os._exit(0)
            os.waitpid(first, 0)
    _try_links()
    with step("packet socket"):
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()


def _try_links() -> None:
    from pyroute2 import IPRoute, NetlinkError

    try:
        with IPRoute() as route:
            for step, kind, more in (("veth", "veth", {"peer": "probe1"}), ("bridge", "bridge", {})):
                name = "probe0" if step == "veth" else "probe2"
                try:
                    route.link("add", ifname=name, kind=kind, **more)
                except NetlinkError as error:
                    raise StepFailed(step, error.code) from error
    except OSError as error:
        raise StepFailed("veth", error.errno or errno.EIO) from error


def _in_child(action: Callable[[], None]) -> tuple[str, int] | None:
    """Runs ``action`` in a forked child; None when it went well, else the failed step and its errno."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reader)
            try:
                action()
                answer = "ok"
            except StepFailed as failure:
                answer = f"{failure.number} {failure.step}"
            except BaseException as error:
                answer = f"0 {error!r}"
            os.write(writer, answer.encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as answers:
        text = answers.read().decode()
    os.waitpid(child, 0)
    if text == "ok":
        return None
    number, _, what = text.partition(" ")
    if what in STEPS:
        return what, int(number)
    raise BenchError(f"trying whether this system allows an emulated lab failed: {what or 'no answer'}")
