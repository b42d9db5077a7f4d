"""One user a bench: who has it is told, and a dead holder has nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.errors import BadInput
from harness.lab.lease import BenchBusy, lease, lease_any, runtime_folder

HOLDER = """
import sys, time
from pathlib import Path
from harness.lab.lease import lease
held = lease(sys.argv[1], run="nightly-7", folder=Path(sys.argv[2]))
print("held", flush=True)
time.sleep(600)
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that holds bench-1."""
    process = subprocess.Popen([sys.executable, "-c", HOLDER, "bench-1", str(tmp_path)], stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.readline() == b"held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_busy_bench_names_its_holder(tmp_path: Path, holder: subprocess.Popen[bytes]) -> None:
    with pytest.raises(BenchBusy) as caught:
        lease("bench-1", folder=tmp_path)
    assert f"bench bench-1 is in use: process {holder.pid}, run nightly-7, since 2" in str(caught.value)
    assert isinstance(caught.value, BadInput)


def test_a_holder_killed_by_kill_9_holds_nothing(tmp_path: Path, holder: subprocess.Popen[bytes]) -> None:
    holder.kill()
    holder.wait()
    with lease("bench-1", folder=tmp_path) as mine:
        assert mine.bench == "bench-1"


def test_the_first_free_bench_is_taken(tmp_path: Path, holder: subprocess.Popen[bytes]) -> None:
    with lease_any(["bench-1", "bench-2", "bench-3"], deadline_s=0, folder=tmp_path) as mine:
        assert mine.bench == "bench-2"


def test_a_deadline_passes_with_all_holders_named(tmp_path: Path, holder: subprocess.Popen[bytes]) -> None:
    began = time.monotonic()
    with lease("bench-2", run="mine", folder=tmp_path), pytest.raises(BenchBusy) as caught:
        lease_any(["bench-1", "bench-2"], deadline_s=0.3, folder=tmp_path)
    assert 0.3 <= time.monotonic() - began < 5
    assert f"bench-1: process {holder.pid}, run nightly-7" in str(caught.value)
    assert f"bench-2: process {os.getpid()}, run mine" in str(caught.value)


def test_a_bench_that_becomes_free_is_taken(tmp_path: Path) -> None:
    held = lease("bench-1", folder=tmp_path)
    threading.Timer(0.2, held.release).start()
    with lease_any(["bench-1"], deadline_s=10, folder=tmp_path) as mine:
        assert mine.bench == "bench-1"


def test_a_released_bench_is_free_and_releasing_twice_harms_nobody(tmp_path: Path) -> None:
    first = lease("bench-1", folder=tmp_path)
    first.release()
    with lease("bench-1", folder=tmp_path):
        first.release()
        with pytest.raises(BenchBusy):
            lease("bench-1", folder=tmp_path)


def test_a_program_that_the_holder_starts_does_not_hold_the_bench(tmp_path: Path) -> None:
    held = lease("bench-1", folder=tmp_path)
    sleeper = subprocess.Popen(["sleep", "600"], close_fds=False)
    held.release()
    lease("bench-1", folder=tmp_path).release()
    sleeper.kill()
    sleeper.wait()


def test_equal_names_in_different_scopes_are_different_benches(tmp_path: Path) -> None:
    with (
        lease("bench-1", scope="/a.yaml", folder=tmp_path),
        lease("bench-1", scope="/b.yaml", folder=tmp_path),
        pytest.raises(BenchBusy),
    ):
        lease("bench-1", scope="/a.yaml", folder=tmp_path)


def test_no_bench_to_choose_from(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no bench to choose from"):
        lease_any([], deadline_s=0, folder=tmp_path)


def test_the_folder_is_the_users_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    folder = runtime_folder()
    assert folder == tmp_path / "hil97"
    assert folder.stat().st_mode & 0o777 == 0o700


def test_without_a_runtime_folder_the_temporary_one_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert runtime_folder() == tmp_path / f"hil97-{os.getuid()}"


def test_a_folder_laid_out_by_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "hil97").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BadInput, match="not yours"):
        runtime_folder()
