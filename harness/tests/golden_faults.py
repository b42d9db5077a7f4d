"""Faults of the wire in the golden world: what the injector does to one answer, and what a good terminal makes of it.

A :class:`Strike` stands in for a reply: ``world.sale(500, cut(30))``. The host decides and answers as ever; what comes
at the terminal's port is what ``deliver`` makes of its answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from harness.errors import BadInput
from harness.protocol import frames, keys
from harness.protocol.codes import answers, carries_mac
from harness.protocol.frames import Frame
from harness.protocol.profile import Profile

Deliver = Callable[[bytes, bytes, bytes], bytes]  # (request, true answer, session key) -> what comes instead
End = Literal["", "close", "reset"]


@dataclass(frozen=True)
class Strike:
    """One strike on an answer. ``deliver`` None: the answer comes as it is. ``then``: how the connection ends by the
    injector's hand ("": the terminal waits until its time is over, or closes as ever). ``before``: what is delivered
    comes first, and the true answer after it. ``request_lost``: it strikes the request, which the host never gets.
    """

    fault: str
    what: str
    deliver: Deliver | None = None
    then: End = ""
    before: bool = False
    parameters: Mapping[str, Any] = field(default_factory=dict)
    request_lost: bool = False


def swallowed() -> Strike:
    return Strike("swallow", "swallowed", lambda request, answer, key: b"")


def cut(after_bytes: int, then: End = "close") -> Strike:
    """``after_bytes`` as the fault has it: negative, so many are missing."""
    return Strike(
        "cut", f"cut after {after_bytes} bytes", lambda request, answer, key: answer[:after_bytes], then,
        parameters={"after_bytes": after_bytes, "then": then or "heal"},
    )  # fmt: skip


def reset() -> Strike:
    return Strike("rst", "reset at both ends", lambda request, answer, key: b"", "reset")


def dribbled() -> Strike:
    return Strike("dribble", "in pieces of 1 byte")


def request_swallowed() -> Strike:
    return Strike("swallow", "the request was swallowed", lambda request, answer, key: b"", request_lost=True)


def damaged(at: int = 60) -> Strike:
    """One bit of the answer is turned over, and TCP can't tell."""

    def turn(request: bytes, answer: bytes, key: bytes) -> bytes:
        return answer[:at] + bytes([answer[at] ^ 0x01]) + answer[at + 1 :]

    return Strike("corrupt", f"1 bit at byte {at}", turn, parameters={"fix_checksum": True})


def rewritten(
    fields: Mapping[int, str | None] | None = None, *, mac: Literal["keep", "strip", "recompute", "break"] = "keep"
) -> Strike:
    """``fields``: number -> value, None takes it out."""

    def change(request: bytes, answer: bytes, key: bytes) -> bytes:
        frame = frames.decode(answer)
        kept = {n: v for n, v in {**frame.fields, **(fields or {})}.items() if v is not None}
        return sealed(frame, kept, key, mac)

    return Strike("rewrite", f"rewritten, mac {mac}", change, parameters={"fields": dict(fields or {}), "mac": mac})


def forged(code: str = "97", *, mac: Literal["none", "wrong", "recompute"] = "recompute", **extra: str) -> Strike:
    """An answer made of the request; the true one is swallowed. ``extra``: f62="..." and so on."""

    def make(request: bytes, answer: bytes, key: bytes) -> bytes:
        asked, true = frames.decode(request), frames.decode(answer)
        kept = {n: v for n, v in asked.fields.items() if n in (3, 4, 11, 25, 41, 42, 49, 60)}
        kept |= {39: code, 64: "0" * 8} | {int(name[1:]): value for name, value in extra.items()}
        manner = {"none": "strip", "wrong": "break", "recompute": "recompute"}[mac]
        if 64 not in true.fields:
            kept.pop(64)
        return sealed(true, dict(sorted(kept.items())), key, manner)

    return Strike("forge", f"a {code} was forged, mac {mac}", make, parameters={"code": code, "mac": mac})


def replayed(earlier: bytes, when: Literal["instead", "before"] = "instead") -> Strike:
    """An earlier answer comes instead of this one, or before it."""
    return Strike(
        "replay", f"an earlier message was replayed {when}", lambda request, answer, key: earlier,
        before=when == "before", parameters={"hex": earlier.hex().upper(), "when": when},
    )  # fmt: skip


def sealed(like: Frame, fields: Mapping[int, str], key: bytes, mac: str) -> bytes:
    """A frame with these fields; its F64 as ``mac`` says, where it has one."""
    if mac == "strip" or 64 not in fields:
        kept = {n: v for n, v in fields.items() if n != 64}
        return frames.build(like.mti, kept, tpdu=like.tpdu, header=like.header).raw
    built = frames.build(like.mti, fields, tpdu=like.tpdu, header=like.header)
    if mac == "recompute":
        return keys.seal(built, key).raw
    if mac == "break":
        right = keys.seal(built, key)
        return right.but({64: "".join("0123456789ABCDEF"[15 - int(c, 16)] for c in right.fields[64])}).raw
    return built.raw


def judged(asked: bytes, came: bytes, key: bytes | None, profile: Profile) -> tuple[str, str]:
    """What a good terminal makes of the bytes that came: F39 and "", or Z3 and the reason of the reversal."""
    try:
        request, answer = frames.decode(asked), frames.decode(came)
    except BadInput:
        return "Z3", profile.reversal_reason_mismatch[0]
    code = answer.get(39)
    if answers(request, answer) or not code:
        return "Z3", profile.reversal_reason_mismatch[0]
    if carries_mac(request) and key is not None:
        mac = keys.verify(answer, key)
        accepted = profile.reversal_success if request.mti == "0400" else profile.success
        if mac == "bad" or (mac == "absent" and (code in accepted or profile.decline_mac == "required")):
            return "Z3", profile.reversal_reason_bad_mac
    return code, ""
