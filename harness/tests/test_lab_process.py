"""Processes of a bench: they start where they are told, die with their worker, and say what they died of."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from harness.errors import BenchError
from harness.lab.process import Child, spawn
from harness.tests.lab_helpers import all_writers_gone, make_sure_of_a_lab
from harness.wire import netns

PROGRAM = """
import argparse, os, signal, sys
from harness.lab.process import settle_in
from harness.wire import netns
parser = argparse.ArgumentParser()
parser.add_argument("--netns-fd", type=int)
parser.add_argument("--parent", type=int)
arguments = parser.parse_args()
settle_in(arguments.netns_fd, arguments.parent)
print(netns.identity(), flush=True)
{then}
"""
ECHO = "for line in sys.stdin: print(line.strip(), flush=True)"


def start(then: str, log: Path, netns_fd: int | None = None) -> Child:
    program = PROGRAM.format(then=then)
    return spawn([sys.executable, "-c", program], log=log, pipes=True, name="example", netns_fd=netns_fd)


def answers(child: Child) -> bool:
    """Whether the ECHO program is alive and well."""
    child.stdin.write(b"still there?\n")
    child.stdin.flush()
    ready, _, _ = select.select([child.stdout], [], [], 10.0)
    return bool(ready) and child.stdout.readline() == b"still there?\n"


def test_a_process_enters_the_namespace_it_is_given(tmp_path: Path) -> None:
    make_sure_of_a_lab()
    fd = netns.create()
    child = start(ECHO, tmp_path / "log", netns_fd=fd)
    assert child.stdout.readline().decode().strip() == str(netns.identity(fd))
    assert netns.identity(fd) != netns.identity()
    child.stop()
    os.close(fd)


def test_a_process_outlives_the_thread_that_asked_for_it(tmp_path: Path) -> None:
    """The parent-death signal fires when the forking thread ends, not the process."""
    children: list[Child] = []
    thread = threading.Thread(target=lambda: children.append(start(ECHO, tmp_path / "log")))
    thread.start()
    thread.join()
    children[0].stdout.readline()  # it has settled in: from here on the signal could hit it
    assert answers(children[0])
    children[0].stop()


def test_a_process_dies_with_its_worker_even_by_kill_9(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    worker = f"""
import os, sys, time
from pathlib import Path
from harness.lab.process import spawn
child = spawn([sys.executable, "-c", {PROGRAM.format(then="signal.pause()")!r}], log=Path({str(tmp_path / "log")!r}),
              pipes=True, pass_fds=[{writer}])
child.stdout.readline()
os.close({writer})
print("settled", flush=True)
time.sleep(600)
"""
    process = subprocess.Popen([sys.executable, "-c", worker], stdout=subprocess.PIPE, pass_fds=[writer])
    os.close(writer)
    assert process.stdout is not None
    assert process.stdout.readline() == b"settled\n"
    assert not select.select([reader], [], [], 0)[0], "the child had ended before its worker was killed"
    process.kill()
    process.wait()
    assert all_writers_gone(reader)
    os.close(reader)
    process.stdout.close()


def test_a_process_whose_parent_is_gone_already_does_not_start() -> None:
    process = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(then=""), "--parent", str(os.getpid() + 1)],
        capture_output=True, text=True,
    )
    assert process.returncode == 1
    assert f"the parent process {os.getpid() + 1} is gone" in process.stderr


def test_what_can_not_be_entered_is_said(tmp_path: Path) -> None:
    with (tmp_path / "no namespace").open("w") as file:
        child = start(ECHO, tmp_path / "log", netns_fd=file.fileno())
        assert child.wait(10.0)
    with pytest.raises(BenchError, match="can't enter the network namespace"):
        child.check()


def test_a_dead_process_is_reported_with_the_end_of_its_log(tmp_path: Path) -> None:
    child = start("sys.exit('out of paper')", tmp_path / "log")
    assert child.wait(10.0)
    with pytest.raises(BenchError) as caught:
        child.check()
    assert "the example process ended with exit status 1" in str(caught.value)
    assert "  | out of paper" in str(caught.value)
    assert caught.value.evidence == str(tmp_path / "log")


def test_a_killed_process_is_reported_with_the_signal(tmp_path: Path) -> None:
    child = start("os.kill(os.getpid(), signal.SIGSEGV)", tmp_path / "log")
    assert child.wait(10.0)
    with pytest.raises(BenchError, match="was killed by SIGSEGV"):
        child.check()


def test_stopping_is_polite_and_no_fault(tmp_path: Path) -> None:
    child = start(ECHO + "\nprint('goodbye', file=sys.stderr)", tmp_path / "log")
    child.stdout.readline()
    child.stop()
    child.check()
    child.stop()
    assert child.process.returncode == 0
    assert child.last_lines() == ["goodbye"]


def test_stopping_ends_by_force_what_does_not_listen(tmp_path: Path) -> None:
    child = start("signal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: signal.pause()", tmp_path / "log")
    child.stdout.readline()
    began = time.monotonic()
    child.stop(grace=0.2)
    assert child.process.returncode == -signal.SIGKILL
    assert time.monotonic() - began < 5.0


def test_without_pipes_stopping_is_sigterm(tmp_path: Path) -> None:
    child = spawn([sys.executable, "-c", PROGRAM.format(then="signal.pause()")], log=tmp_path / "log", name="example")
    child.stop(grace=10.0)
    assert child.process.returncode == -signal.SIGTERM


def test_control_c_is_left_to_the_worker(tmp_path: Path) -> None:
    child = start(ECHO, tmp_path / "log")
    child.stdout.readline()
    os.kill(child.pid, signal.SIGINT)
    assert answers(child)
    child.stop()


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="the nothing process can't be started"):
        spawn([str(tmp_path / "nothing")], log=tmp_path / "log")
