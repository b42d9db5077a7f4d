"""Guards of real instruments, outside of the lab.

A lab lives in namespaces of its own (docs/lab.md): it reaches no network but its own, and ``hil97 run`` takes every
process in there with it. A guard of real instruments must reach them, and outlive the run. So where an inventory has
real instruments, a small process is left outside before the lab is entered (:func:`leave`). Workers inside ask it by
its Unix socket, whose path crosses namespaces, and hand it their end of the line and a descriptor of their process.

It ends with who left it; the guards that it started do not.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from harness.errors import BenchError
from harness.lab.lease import runtime_folder
from harness.lab.process import child_environment

PLACE = "HIL97_GUARDS"  # in the environment: the socket's path
ANSWERS_S = 30.0
_kept: list[int] = []  # the pipe by which it knows that we live


def leave() -> dict[str, str]:
    """Starts it, once; what the environment of the lab needs to find it. Before the lab is entered."""
    if PLACE in os.environ:
        return {PLACE: os.environ[PLACE]}
    folder = Path(tempfile.mkdtemp(prefix="guards-", dir=runtime_folder()))
    path = folder / "sock"
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(str(path))
    listener.listen()
    alive, ours = os.pipe()
    try:
        subprocess.Popen(
            [sys.executable, "-m", __name__, str(path), str(listener.fileno()), str(alive)],
            pass_fds=(listener.fileno(), alive), stdin=subprocess.DEVNULL, start_new_session=True,
            env=child_environment(),
        )
    except OSError as error:
        raise BenchError(f"the guards of real instruments can't be started: {error}") from error
    finally:
        os.close(alive)
        listener.close()
    _kept.append(ours)
    return {PLACE: str(path)}


class OutsideGuard:
    """A guard that was started there, as :class:`harness.lab.process.Child` is one of ours."""

    def __init__(self, pid: int, pidfd: int, log: Path) -> None:
        self.pid, self._pidfd, self.log = pid, pidfd, log

    def alive(self) -> bool:
        return not self.wait(0)

    def wait(self, seconds: float) -> bool:
        """Until it has ended; False when it has not in ``seconds``."""
        return bool(select.select([self._pidfd], [], [], seconds)[0])

    def check(self) -> None:
        """Raises BenchError when it has ended."""
        if not self.alive():
            raise BenchError("the instruments' guard process has ended", evidence=str(self.log))


def start(place: str, plan: Path, line: socket.socket, log: Path) -> OutsideGuard:
    """A guard with this plan, outside; ``line``: its end of the line. Raises BenchError."""
    log.parent.mkdir(parents=True, exist_ok=True)
    request = json.dumps({"plan": str(plan), "log": str(log)}).encode()
    ourselves = os.pidfd_open(os.getpid())
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
            connection.settimeout(ANSWERS_S)
            connection.connect(place)
            socket.send_fds(connection, [request], [line.fileno(), ourselves])
            data, descriptors, _, _ = socket.recv_fds(connection, 65536, 1)
        told = json.loads(data)
        if not told["ok"]:
            raise BenchError(f"the instruments' guard can't be started: {told['error']}", evidence=str(log))
        return OutsideGuard(int(told["pid"]), descriptors[0], log)
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise BenchError(
            f"nobody starts guards outside of the lab any more: {error}", evidence=place,
            remedy="start the run again; what was left there went with who had started it",
        ) from error
    finally:
        os.close(ourselves)


def serve(path: Path, listener: socket.socket, alive: int) -> None:
    """Until ``alive`` is closed at its other end."""
    with selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ)
        selector.register(alive, selectors.EVENT_READ)
        while alive not in {key.fd for key, _ in selector.select()}:
            connection, _ = listener.accept()
            with connection, contextlib.suppress(OSError):
                _serve_one(connection)
    path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        path.parent.rmdir()


def _serve_one(connection: socket.socket) -> None:
    data, descriptors, _, _ = socket.recv_fds(connection, 65536, 2)
    try:
        asked = json.loads(data)
        line, worker = descriptors
        pid = _start(asked["plan"], asked["log"], line, worker)
        guard = os.pidfd_open(pid)
        try:
            socket.send_fds(connection, [json.dumps({"ok": True, "pid": pid}).encode()], [guard])
        finally:
            os.close(guard)
    except (OSError, ValueError, KeyError) as error:
        connection.send(json.dumps({"ok": False, "error": str(error)}).encode())
    finally:
        for one in descriptors:
            os.close(one)


def _start(plan: str, log: str, line: int, worker: int) -> int:
    with Path(log).open("ab") as errors:
        return subprocess.Popen(
            [sys.executable, "-m", "harness.instruments.guard", "--plan", plan, "--line", str(line),
             "--pidfd", str(worker)],
            stdin=subprocess.DEVNULL, stdout=errors, stderr=errors, pass_fds=(line, worker), start_new_session=True,
        ).pid


def main(arguments: list[str]) -> int:
    path, listening, alive = arguments
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # guards are not waited for
    serve(Path(path), socket.socket(fileno=int(listening)), int(alive))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
