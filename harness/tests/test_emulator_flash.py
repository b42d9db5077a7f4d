"""The flash does what NOR does: programming clears bits, erasing sets a block, a cut loses exactly one operation."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from littlefs import LittleFS

from harness.emulator.factory import format_file_system, open_flash
from harness.emulator.flash import Flash
from harness.emulator.nor import BLOCK, FILE_SYSTEM, SIZE, FlashViolation, LittlefsContext, Partition, Region
from harness.errors import BadInput

SMALL = Region(FILE_SYSTEM.offset, 4 * BLOCK)


@pytest.fixture(scope="module")
def flash(tmp_path_factory: pytest.TempPathFactory) -> Flash:
    return Flash(tmp_path_factory.mktemp("flash") / "flash.bin")


operations = st.lists(st.one_of(
    st.tuples(st.just("erase"), st.integers(-1, 4)),
    st.tuples(st.just("program"), st.integers(-1, 4), st.sampled_from([-1, 0, 1, 7, BLOCK - 4, BLOCK]),
              st.binary(max_size=8)),
), max_size=30)


@settings(max_examples=200, deadline=None)
@given(operations)
def test_any_sequence_of_operations_does_what_nor_does(flash: Flash, sequence: list[tuple[object, ...]]) -> None:
    flash.write_in_factory(SMALL, b"")
    partition = flash.partition(SMALL)
    expected = bytearray(b"\xff" * SMALL.size)
    for operation in sequence:
        before = flash.operations
        match operation:
            case ("erase", int(block)):
                if 0 <= block < 4:
                    partition.erase(block)
                    expected[block * BLOCK : (block + 1) * BLOCK] = b"\xff" * BLOCK
                else:
                    with pytest.raises(FlashViolation):
                        partition.erase(block)
                allowed = 0 <= block < 4
            case ("program", int(block), int(offset), bytes(data)):
                inside = block in range(4) and 0 <= offset <= BLOCK - len(data)
                at = block * BLOCK + offset
                allowed = inside and all(new & old == new for new, old in zip(data, expected[at:], strict=False))
                if allowed:
                    partition.program(block, offset, data)
                    expected[at : at + len(data)] = data
                else:
                    with pytest.raises(FlashViolation):
                        partition.program(block, offset, data)
        assert flash.operations - before == allowed
    assert flash.read(SMALL) == expected


def test_a_new_flash_is_erased_and_an_old_one_keeps_everything(tmp_path: Path) -> None:
    flash = Flash(tmp_path / "flash.bin")
    assert flash.new
    assert flash.read(Region(0, SIZE)) == b"\xff" * SIZE
    flash.partition().program(3, 5, b"kept")
    flash.clock_offset = 12.5
    flash.close()
    again = Flash(tmp_path / "flash.bin")
    assert not again.new
    assert again.partition().read(3, 5, 4) == b"kept"
    assert again.clock_offset == 12.5


def test_two_boards_cannot_use_one_flash(tmp_path: Path) -> None:
    first = Flash(tmp_path / "flash.bin")
    with pytest.raises(BadInput, match="in use by another board"):
        Flash(tmp_path / "flash.bin")
    assert first.operations == 0


def test_a_file_of_another_size_is_no_flash(tmp_path: Path) -> None:
    (tmp_path / "flash.bin").write_bytes(b"something else")
    with pytest.raises(BadInput, match="has 14"):
        Flash(tmp_path / "flash.bin")
    assert (tmp_path / "flash.bin").read_bytes() == b"something else"


def test_the_factory_formats_only_a_new_flash(tmp_path: Path) -> None:
    flash = open_flash(tmp_path / "flash.bin", None)
    assert flash.operations == 0
    files = mount(flash.partition())
    with files.open("kept", "wb") as file:
        file.write(b"97")
    flash.close()
    flash = open_flash(tmp_path / "flash.bin", None)
    files = mount(flash.partition())  # named: an open file of littlefs does not keep its file system alive
    with files.open("kept", "rb") as file:
        assert file.read() == b"97"


@pytest.mark.parametrize("torn", [False, True])
@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_cut_dies_inside_the_chosen_operation(tmp_path: Path, at: int, torn: bool) -> None:
    flash = Flash(tmp_path / "flash.bin")
    partition = flash.partition()
    partition.program(0, 0, b"\0" * BLOCK)

    def work() -> None:
        partition.program(1, 0, b"one!")
        partition.erase(0)
        partition.program(2, 0, b"three!")

    flash.cut_at(at, torn=torn)
    assert killed(work)
    assert flash.take_cut() and not flash.take_cut()
    assert flash.operations == 1 + at
    done, halves = at - 1, at if torn else 0
    assert partition.read(1, 0, 4) == (b"one!" if done >= 1 else b"on\xff\xff" if halves == 1 else b"\xff" * 4)
    expected = b"\xff" * BLOCK if done >= 2 else b"\xff" * 2048 + b"\0" * 2048 if halves == 2 else b"\0" * BLOCK
    assert partition.read(0, 0, BLOCK) == expected
    assert partition.read(2, 0, 6) == (b"thr\xff\xff\xff" if halves == 3 else b"\xff" * 6)


def test_a_disarmed_cut_does_not_fire(tmp_path: Path) -> None:
    flash = Flash(tmp_path / "flash.bin")
    flash.cut_at(1, torn=False)
    flash.disarm()
    flash.partition().program(0, 0, b"x")
    assert not flash.take_cut()
    with pytest.raises(BadInput):
        flash.cut_at(0, torn=False)


def test_every_cut_of_a_transaction_leaves_each_file_old_or_new(tmp_path: Path) -> None:
    """Journal replay and the killed process agree, at every operation, plain and torn; no file is ever in between."""
    flash = Flash(tmp_path / "flash.bin")
    format_file_system(flash)
    files = mount(flash.partition())
    for name in ("first", "second"):
        write(files, name, b"old" * 3000)
    files.unmount()
    start = flash.read(FILE_SYSTEM)
    journal = Journal(flash.partition())
    transaction(mount(journal))
    assert len(journal.operations) > 12
    outcomes = set()
    for at in range(1, len(journal.operations) + 1):
        for torn in (False, True):
            flash.write_in_factory(FILE_SYSTEM, start)
            flash.cut_at(at, torn=torn)
            assert killed(lambda: transaction(mount(flash.partition())))
            after = flash.read(FILE_SYSTEM)
            assert after == journal.replay(start, at, torn), (at, torn)
            outcomes.add(contents(mount(flash.partition())))
    old, new = b"old" * 3000, b"new" * 4000
    assert outcomes <= {(old, old), (new, old), (new, new)}
    assert (old, old) in outcomes and (new, old) in outcomes
    flash.disarm()
    flash.write_in_factory(FILE_SYSTEM, start)
    transaction(mount(flash.partition()))
    assert contents(mount(flash.partition())) == (new, new)


def test_misuse_of_the_flash_under_littlefs_ends_the_process(tmp_path: Path) -> None:
    """An exception would be swallowed by littlefs, and the operation would count as done."""
    flash = Flash(tmp_path / "flash.bin")
    format_file_system(flash)
    honest = flash.partition(fatal=True)

    class SkipsErase(LittlefsContext):
        def erase(self, cfg: object, block: int) -> int:
            return 0

    def work() -> None:
        sys.stderr = (tmp_path / "stderr").open("w", buffering=1)
        files = LittleFS(context=SkipsErase(honest), mount=False, block_size=BLOCK, block_count=honest.block_count)
        files.mount()
        for turn in range(200):
            write(files, "file", bytes([turn]) * 3000)
        os._exit(99)

    assert exit_status(work) == 1
    assert "FlashViolation" in (tmp_path / "stderr").read_text()


class Journal:
    """A block device that notes what is done to the partition under it."""

    def __init__(self, partition: Partition) -> None:
        self._partition = partition
        self.block_count = partition.block_count
        self.operations: list[tuple[int, bytes]] = []  # offset, bytes; an erase is a block of 0xFF

    def read(self, block: int, offset: int, size: int) -> bytes:
        return self._partition.read(block, offset, size)

    def program(self, block: int, offset: int, data: bytes) -> None:
        self._partition.program(block, offset, data)
        self.operations.append((block * BLOCK + offset, data))

    def erase(self, block: int) -> None:
        self._partition.erase(block)
        self.operations.append((block * BLOCK, b"\xff" * BLOCK))

    def replay(self, start: bytes, at: int, torn: bool) -> bytes:
        """The flash after a cut at operation ``at`` (from 1)."""
        result = bytearray(start)
        for number, (offset, data) in enumerate(self.operations[:at], 1):
            done = data if number < at else data[: len(data) // 2] if torn else b""
            result[offset : offset + len(done)] = done
        return bytes(result)


def mount(partition: Partition | Journal) -> LittleFS:
    files = LittleFS(context=LittlefsContext(partition), mount=False, block_size=BLOCK,
                     block_count=partition.block_count)
    files.mount()
    return files


def write(files: LittleFS, name: str, data: bytes) -> None:
    with files.open(name, "wb") as file:
        file.write(data)


def transaction(files: LittleFS) -> None:
    for name in ("first", "second"):
        write(files, name, b"new" * 4000)


def contents(files: LittleFS) -> tuple[bytes, bytes]:
    with files.open("first", "rb") as first, files.open("second", "rb") as second:
        return first.read(), second.read()


def exit_status(work: Callable[[], None]) -> int:
    """Of a forked process that does ``work``; negative: the signal that killed it. 98 if it came to the end."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        finally:
            os._exit(98)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def killed(work: Callable[[], None]) -> bool:
    return exit_status(work) == -signal.SIGKILL
