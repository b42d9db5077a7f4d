"""The answers to sign-ins in a history: what brought each terminal the keys of its session."""

from __future__ import annotations

from collections.abc import Iterable

from harness.errors import BadInput
from harness.history.events import AnyEvent, WireFrame
from harness.protocol.frames import decode

_ANSWER = slice(26, 30)  # the MTI in the hex of a frame


def last_sign_ins(events: Iterable[AnyEvent]) -> dict[tuple[str, str], str]:
    """By terminal and merchant number (F41, F42): the last approved 0810 with keys (F62) that went to the terminal, in
    hex."""
    found: dict[tuple[str, str], str] = {}
    for event in events:
        if not isinstance(event, WireFrame) or event.direction != "to_terminal" or event.hex[_ANSWER] != "0810":
            continue
        try:
            frame = decode(bytes.fromhex(event.hex))
        except BadInput:
            continue
        if frame.get(39) == "00" and 62 in frame:
            found[frame.get(41), frame.get(42)] = event.hex
    return found
