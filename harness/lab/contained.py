"""A program in a lab of its own: user, network and process namespace, gone without rest when this process goes.

    outer (here) -> keeper (makes the namespaces) -> first (process 1 inside) -> the program

Each dies with its parent (PDEATHSIG), and with ``first`` the kernel kills everything in the process namespace, whatever
was forked, detached or daemonised there. ``first`` also reaps what the program leaves behind.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NoReturn

from harness.errors import BadInput
from harness.lab.entering import MARK, StepFailed, enter, explain
from harness.lab.kernel import die_with_parent

_FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
_WATCHED = (*_FORWARDED, signal.SIGCHLD)


def run_contained(argv: Sequence[str], env: Mapping[str, str]) -> int:
    """Runs ``argv`` inside and returns its exit status (128 + n when signal n ended it).

    Signals sent to this process are passed on. Must be called from the main thread. Raises :class:`BadInput` when the
    lab can't be made, or the program not be started.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    reader, writer = os.pipe()  # close-on-exec: it closes when the program has started, or says why it has not
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED)
    try:
        keeper = _fork(lambda: _keep(argv, env, writer, before))
        os.close(writer)
        with os.fdopen(reader, "rb") as failures:
            failure = failures.read()
        status = _attend(keeper, only=True)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    if failure:
        told = json.loads(failure)
        if "step" in told:
            raise explain(told["step"], told["errno"])
        raise BadInput(f"can't be started: {os.strerror(told['errno'])}", where=argv[0])
    return status


def _keep(argv: Sequence[str], env: Mapping[str, str], writer: int, mask: Iterable[int]) -> int:
    try:
        enter(process_namespace=True)
    except StepFailed as failure:
        _tell(writer, {"step": failure.step, "errno": failure.number})
        return 1
    die_with_parent(signal.SIGKILL)  # again: a change of credentials may have cleared it
    inside = {**env, MARK: os.environ[MARK]}
    try:
        first = _fork(lambda: _be_first(argv, inside, writer, mask))
    except OSError as error:
        _tell(writer, {"step": "process namespace", "errno": error.errno})
        return 1
    os.close(writer)
    return _attend(first)


def _be_first(argv: Sequence[str], env: Mapping[str, str], writer: int, mask: Iterable[int]) -> int:
    program = _fork(lambda: _become(argv, env, writer, mask), die=False)
    os.close(writer)
    return _attend(program)


def _become(argv: Sequence[str], env: Mapping[str, str], writer: int, mask: Iterable[int]) -> int:
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    try:
        os.execvpe(argv[0], list(argv), dict(env))
    except OSError as error:
        _tell(writer, {"errno": error.errno})
    return 127


def _fork(role: Callable[[], int], *, die: bool = True) -> int:
    """A child that plays ``role`` and exits with what it returns; its process id.

    ``os.getppid`` can't tell a dead parent across the border of a process namespace, where it is 0 either way: a pipe
    that the parent holds open tells.
    """
    alive, held = os.pipe()
    child = os.fork()
    if child == 0:
        _play(role, alive, held, die)
    os.close(alive)
    return child  # ``held`` stays open as long as we live


def _play(role: Callable[[], int], alive: int, held: int, die: bool) -> NoReturn:
    status = 70
    try:
        os.close(held)
        if die:
            die_with_parent(signal.SIGKILL)
            os.set_blocking(alive, False)
            with contextlib.suppress(BlockingIOError):
                if os.read(alive, 1) == b"":
                    os._exit(status)
        os.close(alive)
        status = role()
    except BaseException as error:
        with contextlib.suppress(BaseException):
            print(f"hil97: the lab's own process failed: {error!r}", file=sys.stderr, flush=True)
    finally:
        os._exit(status)


def _attend(child: int, *, only: bool = False) -> int:
    """Passes signals on to ``child`` and returns its exit status; reaps whatever ends, or ``only`` the child."""
    while True:
        status = _reap(child, only)
        if status is not None:
            return status
        told = signal.sigwaitinfo(_WATCHED)
        by_kernel = told.si_code > 0  # Ctrl-C: the terminal has sent it to the whole process group, child included
        if told.si_signo != signal.SIGCHLD and not by_kernel:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, told.si_signo)


def _reap(child: int, only: bool) -> int | None:
    """Reaps what ended; the status of ``child`` if it was among that."""
    status = None
    while True:
        try:
            pid, code = os.waitpid(child if only else -1, os.WNOHANG)
        except ChildProcessError:
            return status
        if pid == 0:
            return status
        if pid == child:
            status = _exit_status(code)
            if only:
                return status


def _exit_status(code: int) -> int:
    return 128 + os.WTERMSIG(code) if os.WIFSIGNALED(code) else os.WEXITSTATUS(code)


def _tell(writer: int, failure: dict[str, object]) -> None:
    os.write(writer, json.dumps(failure).encode())
