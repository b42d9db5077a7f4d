"""Nothing of a terminal outlives the process that started it, and the terminal lives in its own network namespace."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness.emulator.build import build
from harness.tests.emulator_bench import PROBE, ROOT, SIGNING_KEY, board_arguments, children, eventually

PARENT = """
import os, subprocess, sys
from pathlib import Path
sys.path.insert(0, {root!r})
netns = []
if {namespace}:
    from harness.lab.kernel import CLONE_NEWNET, setns, unshare
    from harness.lab.rootless import enter_in_place
    enter_in_place()
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    unshare(CLONE_NEWNET)
    descriptor = os.open("/proc/self/ns/net", os.O_RDONLY)
    setns(home, CLONE_NEWNET)
    netns = ["--netns-fd", str(descriptor)]
    os.set_inheritable(descriptor, True)
board = subprocess.Popen({arguments!r} + netns + ["--parent", str(os.getpid())], close_fds=False)
from harness.instruments.panel import Panel
panel = Panel(Path({control!r}))
panel.request("power", state="on")
assert panel.wait_frame(lambda frame: any(frame.bits), 10)
print(board.pid, panel.cashier, panel.service, flush=True)
sys.stdin.read()
"""


class Parent:
    """A process that has started a board and switched it on. ``pids``: the board and its CPU."""

    def __init__(self, folder: Path, *, namespace: bool = False) -> None:
        build(PROBE, "1.0.0", SIGNING_KEY, folder / "image")
        script = PARENT.format(root=str(ROOT), arguments=board_arguments(folder, folder / "image"),
                               control=str(folder / "panel"), namespace=namespace)
        self.process = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        env={**os.environ, "PYTHONPATH": str(ROOT)})
        assert self.process.stdout is not None
        words = self.process.stdout.readline().decode().split()
        assert words, "the parent could not start a board (its message is above)"
        board = int(words[0])
        self.ptys = [Path(word) for word in words[1:]]
        self.pids = [board, *eventually(lambda: children(board))]
        self._descriptors = [os.pidfd_open(pid) for pid in self.pids]

    def all_gone(self, timeout: float) -> bool:
        """Whether board and CPU end in time."""
        return all(select.select([descriptor], [], [], timeout)[0] for descriptor in self._descriptors)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            stream.close()
        for descriptor in self._descriptors:
            os.close(descriptor)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_parent_takes_everything_along(tmp_path: Path, number: signal.Signals) -> None:
    parent = Parent(tmp_path)
    try:
        assert len(parent.pids) == 2 and all(pty.exists() for pty in parent.ptys)
        parent.process.send_signal(number)
        assert parent.all_gone(10)
        eventually(lambda: not any(pty.exists() for pty in parent.ptys))
    finally:
        parent.close()


def test_a_killed_board_takes_its_cpu_along(tmp_path: Path) -> None:
    parent = Parent(tmp_path)
    try:
        os.kill(parent.pids[0], signal.SIGKILL)
        assert parent.all_gone(10)
    finally:
        parent.close()


def test_board_and_cpu_live_in_the_namespace_that_they_were_given(tmp_path: Path) -> None:
    parent = Parent(tmp_path, namespace=True)
    try:
        theirs = {network(pid) for pid in parent.pids}
        assert len(theirs) == 1
        assert network(parent.process.pid) not in theirs and network(os.getpid()) not in theirs
    finally:
        parent.close()


def network(pid: int) -> Path:
    """The name of a process's network namespace."""
    return Path(f"/proc/{pid}/ns/net").readlink()


def test_a_parent_that_is_not_there_is_noticed(tmp_path: Path) -> None:
    done = subprocess.run([*board_arguments(tmp_path, None), "--parent", "1"], capture_output=True, text=True, cwd=ROOT,
                          timeout=20)
    assert done.returncode != 0 and "parent" in done.stderr
