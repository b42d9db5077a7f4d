"""The anti-rollback counter in the protected region: append-only records over two blocks.

A record is the counter and its complement, u32 little endian each. One that is cut short fits no complement and is
passed over; the next one is written behind it. When a block is full the other is erased and goes on, while the full one
still holds the highest: so a cut at any operation leaves the counter as it was, or as it was to be. 0 is never written.
"""

from __future__ import annotations

import struct

from harness.emulator.nor import BLOCK, PROTECTED, Nor, Region

_RECORD = struct.Struct("<II")
_BLANK = b"\xff" * _RECORD.size
_BLOCKS = (Region(PROTECTED.offset, BLOCK), Region(PROTECTED.offset + BLOCK, BLOCK))


def lowest_accepted(nor: Nor) -> int:
    """The security counter below which an image is refused."""
    return max(_highest(nor.read(block)) for block in _BLOCKS)


def raise_to(nor: Nor, counter: int) -> None:
    """Keeps ``counter`` (u32) if it is higher than what is kept: one program, and before it an erase at times."""
    if counter <= lowest_accepted(nor):
        return
    contents = [nor.read(block) for block in _BLOCKS]
    used = 0 if _highest(contents[0]) >= _highest(contents[1]) else 1
    end = _end(contents[used])
    if end == BLOCK:
        used = 1 - used
        end = 0
        if _end(contents[used]):
            nor.erase(_BLOCKS[used].offset)
    nor.program(_BLOCKS[used].offset + end, _RECORD.pack(counter, counter ^ 0xFFFFFFFF))


def _highest(block: bytes) -> int:
    return max((counter for counter, complement in _RECORD.iter_unpack(block) if counter ^ complement == 0xFFFFFFFF),
               default=0)


def _end(block: bytes) -> int:
    """Behind the last record, whole or not."""
    end = BLOCK
    while end and block[end - _RECORD.size : end] == _BLANK:
        end -= _RECORD.size
    return end
