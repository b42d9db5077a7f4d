"""BER-TLV, as chip data is written. Values are hex, tags upper-case hex. Pure."""

from __future__ import annotations

from collections.abc import Mapping


def write(objects: Mapping[str, str]) -> str:
    """Tag -> value as one list, in the order given; lengths in their shortest form."""
    return "".join(f"{tag}{_length(len(value) // 2)}{value}" for tag, value in objects.items()).upper()


def read(data: str) -> list[tuple[str, str]]:
    """The objects of a list; it ends where the list is damaged. Zero bytes between objects are skipped."""
    raw, at = bytes.fromhex(data), 0
    found = []
    while at < len(raw):
        if raw[at] == 0:
            at += 1
            continue
        end_of_tag = at + 1
        if raw[at] & 0x1F == 0x1F:
            while end_of_tag < len(raw) and raw[end_of_tag] & 0x80:
                end_of_tag += 1
            end_of_tag += 1
        if end_of_tag >= len(raw):
            break
        length, start = raw[end_of_tag], end_of_tag + 1
        if length & 0x80:
            size = length & 0x7F
            length, start = int.from_bytes(raw[start : start + size], "big"), start + size
        if start + length > len(raw):
            break
        found.append((raw[at:end_of_tag].hex().upper(), raw[start : start + length].hex().upper()))
        at = start + length
    return found


def keep(data: str, tags: frozenset[str]) -> str:
    """The objects of a list whose tag is in ``tags``."""
    return "".join(write({tag: value}) for tag, value in read(data) if tag in tags)


def _length(size: int) -> str:
    if size < 0x80:
        return f"{size:02X}"
    digits = f"{size:X}"
    digits = digits.rjust(len(digits) + len(digits) % 2, "0")
    return f"{0x80 | len(digits) // 2:02X}{digits}"
