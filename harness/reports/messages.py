"""Frames as messages for people: what they are called, and their fields decoded, explained and masked."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.errors import BadInput
from harness.protocol import codes, describe, frames
from harness.protocol.frames import Frame
from harness.protocol.spec import FIELDS
from harness.reports import mask, words
from harness.reports.bilingual import Both, _, same


@dataclass(frozen=True)
class FieldLine:
    """One line of the decoded message. ``label`` "F39"; ``parts`` (name, value) of what stands inside."""

    label: str
    name: Both
    value: str
    meaning: str = ""
    parts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Message:
    """A decoded frame. ``code`` is F39 of a response; ``title`` e.g. "0210 sale" (both languages)."""

    mti: str
    title: Both
    code: str
    trace: str
    amount: str
    lines: tuple[FieldLine, ...]


@functools.lru_cache(maxsize=4096)
def decode(hex_frame: str) -> Frame | None:
    """The frame, or None where the bytes are none."""
    try:
        return frames.decode(bytes.fromhex(hex_frame))
    except BadInput:
        return None


def title(frame: Frame) -> Both:
    """ "0200 sale"."""
    name = words.named(words.TRANSACTIONS, codes.transaction_name(frame))
    return Both(f"{frame.mti} {name.en}", f"{frame.mti} {name.zh}")


def code_of(frame: Frame) -> str:
    """F39 of a response; "" for a request (a reversal's F39 is its reason)."""
    return frame.get(39) if frame.is_response else ""


def message(frame: Frame, texts: Mapping[str, list[str]]) -> Message:
    """``texts``: the profile's text for each response code."""
    amount = words.cents(frame.get(4)) if 4 in frame else ""
    return Message(
        frame.mti, title(frame), code_of(frame), frame.get(11), amount, tuple(_lines(frame, texts)),
    )


def _lines(frame: Frame, texts: Mapping[str, list[str]]) -> list[FieldLine]:
    taken_apart = describe.nested(frame)
    lines = [
        FieldLine("TPDU", same("TPDU"), frame.tpdu),
        FieldLine("HDR", _("header"), frame.header, _header(frame)),
    ]
    for number in frame.fields:
        parts = tuple(_parts(number, taken_apart.get(str(number), {})))
        meaning = _meaning(frame, number, texts)
        lines.append(FieldLine(f"F{number}", _(FIELDS[number].name), mask.field(frame, number), meaning, parts))
    return lines


def _header(frame: Frame) -> str:
    wanted = frame.processing_request
    return codes.PROCESSING.get(wanted, "") if wanted != "0" else ""


def _meaning(frame: Frame, number: int, texts: Mapping[str, list[str]]) -> str:
    if number == 4:
        return words.cents(frame.get(4))
    if number == 39 and frame.is_response:
        return next(iter(texts.get(frame.get(39), [])), "")
    return ""


def _parts(number: int, content: Mapping[str, Any]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for name, value in content.items():
        shown = mask.nested(number, name, value)
        if shown is None or shown == "":
            continue
        label = name.replace("_", " ")
        if isinstance(shown, dict):
            found.append((label, _flat(shown)))
        elif isinstance(shown, list):
            found += [(_item_name(label, item), _flat(item)) for item in shown]
        else:
            found.append((label, str(shown)))
    return found


def _item_name(label: str, item: Mapping[str, Any]) -> str:
    return f"{item['tag']} {item.get('name', '')}".strip() if "tag" in item else label


def _flat(item: Mapping[str, Any]) -> str:
    if set(item) <= {"tag", "name", "value", "parts"}:
        inner = "; ".join(f"{p['tag']} {p['name']} {p['value']}" for p in item.get("parts", []))
        return inner or str(item.get("value", ""))
    return ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in item.items())
