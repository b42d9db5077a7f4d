"""A flash in memory for the tests of the reference firmware. It keeps every operation, so any power cut can be made."""

from __future__ import annotations

from littlefs import LittleFS, UserContext

BLOCK, BLOCKS = 4096, 256


class MemoryFlash:
    """NOR in memory: program clears bits, erase sets a block to FF; every operation is kept for :func:`cuts`."""

    block_size: int = BLOCK
    block_count: int = BLOCKS

    def __init__(self, content: bytes | None = None) -> None:
        self.content = bytearray(content if content is not None else b"\xff" * BLOCK * BLOCKS)
        self.operations: list[tuple[int, bytes]] = []  # offset, what stands there afterwards
        if content is None:
            _format(self)

    def read(self, block: int, offset: int, size: int) -> bytes:
        return bytes(self.content[block * BLOCK + offset : block * BLOCK + offset + size])

    def program(self, block: int, offset: int, data: bytes) -> None:
        old = self.read(block, offset, len(data))
        assert all(new & ~was & 0xFF == 0 for new, was in zip(data, old, strict=True)), "programs 0 to 1"
        self._put(block * BLOCK + offset, data)

    def erase(self, block: int) -> None:
        self._put(block * BLOCK, b"\xff" * BLOCK)

    def _put(self, at: int, data: bytes) -> None:
        self.content[at : at + len(data)] = data
        self.operations.append((at, bytes(data)))


class _Context(UserContext):
    def __init__(self, flash: MemoryFlash) -> None:
        self._flash = flash

    def read(self, cfg: object, block: int, off: int, size: int) -> bytearray:
        return bytearray(self._flash.read(block, off, size))

    def prog(self, cfg: object, block: int, off: int, data: bytes) -> int:
        self._flash.program(block, off, bytes(data))
        return 0

    def erase(self, cfg: object, block: int) -> int:
        self._flash.erase(block)
        return 0

    def sync(self, cfg: object) -> int:
        return 0


def _format(flash: MemoryFlash) -> None:
    LittleFS(context=_Context(flash), mount=False, block_size=BLOCK, block_count=BLOCKS).format()
    flash.operations.clear()


def cuts(before: bytes, operations: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """(operations done, content) of the flash for a power cut at each operation: before it, and with it half done."""
    found, content = [(0, before)], bytearray(before)
    for done, (at, data) in enumerate(operations):
        half = data[: len(data) // 2]
        torn = bytearray(content)
        torn[at : at + len(half)] = half
        found.append((done, bytes(torn)))
        content[at : at + len(data)] = data
        found.append((done + 1, bytes(content)))
    return found
