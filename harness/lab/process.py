"""The processes of a bench: how the worker starts and stops them, and what each does first.

A process of ours never outlives its worker: the kernel kills it (PDEATHSIG) when the worker dies, ``kill -9`` included.
That signal is bound to the *thread* that forked, so :func:`spawn` forks from one that lives as long as the process.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING

import harness
from harness.errors import BenchError
from harness.lab.kernel import CLONE_NEWNET, die_with_parent, setns

if TYPE_CHECKING:
    import subprocess  # imported where it is used: settle_in starts every process of ours and must be cheap

START_S = 60.0  # what a process of ours may take to begin: a bench has four, and a dozen benches may begin together
_LAST_LINES = 12


def settle_in(netns_fd: int | None, parent: int | None) -> None:
    """Called first by every process of ours, while it has one thread.

    ``parent`` is the process id of the worker as the worker itself sees it: the process is killed with it, and Ctrl-C
    (which the whole group gets) is left to it. None: started by hand, nothing of that. ``netns_fd`` is a descriptor on
    the network namespace to live in; it is closed afterwards. Ambient capabilities stay as they are.
    Raises :class:`SystemExit` when the parent is gone or the namespace can't be entered.
    """
    if parent is not None:
        die_with_parent(signal.SIGKILL)
        if os.getppid() != parent:  # it died before the line above: no signal will come
            sys.exit(f"the parent process {parent} is gone")
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    if netns_fd is not None:
        try:
            setns(netns_fd, CLONE_NEWNET)
        except OSError as error:
            sys.exit(f"can't enter the network namespace of descriptor {netns_fd}: {error.strerror}")
        os.close(netns_fd)


class Child:
    """A started process. ``name`` says what it is in messages; ``log`` holds its stderr."""

    def __init__(self, process: subprocess.Popen[bytes], name: str, log: Path) -> None:
        self.process, self.name, self.log = process, name, log
        self._told_to_stop = False

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def stdin(self) -> IO[bytes]:
        """Its standard input; only of a process spawned with ``pipes=True``."""
        assert self.process.stdin is not None, "spawned without pipes"
        return self.process.stdin

    @property
    def stdout(self) -> IO[bytes]:
        """Its standard output; only of a process spawned with ``pipes=True``."""
        assert self.process.stdout is not None, "spawned without pipes"
        return self.process.stdout

    def alive(self) -> bool:
        return self.process.poll() is None

    def check(self) -> None:
        """Raises :class:`BenchError` with the log's last lines when the process ended without being told to."""
        status = self.process.poll()
        if status is None or self._told_to_stop:
            return
        how = f"was killed by {_signal_name(-status)}" if status < 0 else f"ended with exit status {status}"
        lines = self.last_lines()
        said = "\n".join(f"  | {line}" for line in lines) if lines else "  | (it wrote nothing)"
        raise BenchError(f"the {self.name} process {how}:\n{said}", evidence=str(self.log))

    def last_lines(self, count: int = _LAST_LINES) -> list[str]:
        """The end of its log (stderr), for messages."""
        try:
            with self.log.open("rb") as log:
                log.seek(max(0, log.seek(0, os.SEEK_END) - 16384))
                return log.read().decode("utf-8", "replace").splitlines()[-count:]
        except OSError:
            return []

    def stop(self, grace: float = 2.0) -> None:
        """Ends it politely: its stdin (a pipe) is closed, else SIGTERM; after ``grace`` seconds SIGKILL. Idempotent."""
        self._told_to_stop = True
        if self.process.stdin is not None:
            with contextlib.suppress(OSError):
                self.process.stdin.close()
        elif self.alive():
            self.process.terminate()
        if not self.wait(grace):
            self.process.kill()
            self.process.wait()

    def kill(self) -> None:
        """SIGKILL at once, and reaped."""
        self._told_to_stop = True
        self.process.kill()
        self.process.wait()

    def wait(self, seconds: float) -> bool:
        """Waits until it has ended; False when it has not in ``seconds``."""
        import subprocess

        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True


def spawn(
    argv: Sequence[str],
    *,
    netns_fd: int | None = None,
    log: Path,
    pass_fds: Sequence[int] = (),
    name: str = "",
    pipes: bool = False,
    env: Mapping[str, str] | None = None,
    outlives: bool = False,
) -> Child:
    """Starts one of our programs, which must take ``--netns-fd`` and ``--parent`` and call :func:`settle_in`.

    Its stderr goes (appended) to ``log``; stdin is empty and stdout goes to the log as well, or both are pipes. It
    stays in the caller's process group. ``outlives``: it has a session of its own, and sees for itself when its parent
    is gone (the guard of a bench's instruments, which has something to do then). Raises :class:`BenchError` when it
    can't be started.
    """
    import subprocess

    log.parent.mkdir(parents=True, exist_ok=True)
    command = [*argv, "--parent", str(os.getpid())]
    descriptors = list(pass_fds)
    if netns_fd is not None:
        command += ["--netns-fd", str(netns_fd)]
        descriptors.append(netns_fd)
    label = name or _label(argv)

    def start() -> subprocess.Popen[bytes]:
        with log.open("ab") as errors:
            return subprocess.Popen(
                command,
                stdin=subprocess.PIPE if pipes else subprocess.DEVNULL,
                stdout=subprocess.PIPE if pipes else errors,
                stderr=errors,
                pass_fds=descriptors,
                start_new_session=outlives,
                env=child_environment(env),
            )

    try:
        process = _from_a_lasting_thread(start)
    except OSError as error:
        raise BenchError(f"the {label} process can't be started: {error}", evidence=str(log)) from error
    return Child(process, label, log)


def _label(argv: Sequence[str]) -> str:
    if "-m" in argv[:-1]:
        return argv[list(argv).index("-m") + 1].removeprefix("harness.")
    return Path(argv[0]).name


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def child_environment(env: Mapping[str, str] | None = None) -> dict[str, str]:
    """Ours, so that the child finds the very package that started it, even from a source tree that is not installed."""
    result = dict(os.environ if env is None else env)
    root = Path(harness.__file__).resolve().parent.parent
    if "site-packages" not in root.parts:
        result["PYTHONPATH"] = os.pathsep.join(filter(None, [str(root), result.get("PYTHONPATH", "")]))
    return result


class _Order:
    """A process to start in the lasting thread, and what came of it."""

    def __init__(self, start: Callable[[], subprocess.Popen[bytes]]) -> None:
        self._start, self._done = start, threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._error: BaseException | None = None

    def carry_out(self) -> None:
        try:
            self._process = self._start()
        except BaseException as error:
            self._error = error
        self._done.set()

    def result(self) -> subprocess.Popen[bytes]:
        self._done.wait()
        if self._error is not None:
            raise self._error
        assert self._process is not None
        return self._process


class _Forker:
    """A thread that lives as long as the process and forks for threads that don't."""

    def __init__(self) -> None:
        self._orders: queue.SimpleQueue[_Order] = queue.SimpleQueue()
        self._pid = 0
        self._lock = threading.Lock()

    def __call__(self, start: Callable[[], subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._pid != os.getpid():  # first call, or we are a forked copy without the thread
                self._pid, self._orders = os.getpid(), queue.SimpleQueue()
                threading.Thread(target=self._serve, args=(self._orders,), name="forker", daemon=True).start()
        order = _Order(start)
        self._orders.put(order)
        return order.result()

    @staticmethod
    def _serve(orders: queue.SimpleQueue[_Order]) -> None:
        while True:
            orders.get().carry_out()


_forker = _Forker()


def _from_a_lasting_thread(start: Callable[[], subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
    if threading.current_thread() is threading.main_thread():
        return start()
    return _forker(start)
