"""Scratch folders of benches: gone with their bench, and those of the dead with the next one."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.errors import BadInput
from harness.lab.scratch import scratch_folder, sweep

HOLDER = """
import sys
from pathlib import Path
from harness.lab.scratch import scratch_folder
with scratch_folder(Path(sys.argv[1])) as made:
    (made / "flash.bin").write_bytes(b"97")
    print(made, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="hil97-t-") as path:
        yield Path(path)


@pytest.fixture
def holder(home: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """Another process with a scratch folder."""
    command = [sys.executable, "-c", HOLDER, str(home)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    yield process, Path(process.stdout.readline().strip())
    process.kill()
    process.communicate()


def test_it_is_gone_after_the_bench(home: Path) -> None:
    with scratch_folder(home) as made:
        (made / "panel-1.sock").touch()
        assert made.parent == home
    assert not made.exists()


def test_a_living_process_keeps_its_folder(home: Path, holder: tuple[subprocess.Popen[str], Path]) -> None:
    _, theirs = holder
    assert sweep(home) == 0
    with scratch_folder(home) as mine:
        assert mine != theirs
    assert (theirs / "flash.bin").read_bytes() == b"97"


def test_what_a_killed_process_left_is_swept(home: Path, holder: tuple[subprocess.Popen[str], Path]) -> None:
    process, theirs = holder
    process.kill()
    process.wait()
    assert theirs.exists()
    with scratch_folder(home) as mine:
        assert not theirs.exists() and mine.exists()


def test_a_folder_without_a_lock_is_of_a_process_killed_while_it_made_it(home: Path) -> None:
    (home / "scratch-halfmade").mkdir()
    (home / "bench-1-0123456789.lease").touch()
    assert sweep(home) == 1
    assert (home / "bench-1-0123456789.lease").exists()


def test_a_path_too_long_for_a_socket_is_said_at_once(home: Path) -> None:
    deep = home / ("d" * 90)
    deep.mkdir()
    with pytest.raises(BadInput, match=r"107 bytes[\s\S]*XDG_RUNTIME_DIR"), scratch_folder(deep):
        raise AssertionError("opened")
    assert not list(deep.glob("scratch-*"))
