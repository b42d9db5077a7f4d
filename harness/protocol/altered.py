"""Messages changed on purpose, and answers that nobody gave: what faults of the wire and a misbehaving acquirer share.

Pure. ``key`` is the session's MAC key, None where it is not known.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from harness.errors import BadInput
from harness.protocol import keys
from harness.protocol.codes import response_mti
from harness.protocol.frames import Frame, build, swap_tpdu

Mac = Literal["keep", "break", "recompute", "strip"]
ForgedMac = Literal["none", "wrong", "recompute"]

_COPIED = (2, 3, 4, 11, 25, 41, 42, 49)
_F60_DIGITS = 11  # what follows describes the terminal and stays out of answers
_NOBODYS = "97979797"  # an F64 where there is none that could be spoilt


def rewritten(
    frame: Frame, fields: Mapping[int, str | None], mac: Mac, key: bytes | None, algorithm: keys.Algorithm = "des"
) -> Frame:
    """With other ``fields`` (None: left out). ``mac``: F64 as it was, certainly wrong, right for what it is now, or
    none. Raises :class:`BadInput` where it can't be recomputed, or a value does not fit its field.
    """
    changed = frame.but(fields)
    match mac:
        case "keep":
            return changed
        case "strip":
            return changed.but({64: None})
        case "break":
            return _spoilt(changed, key, algorithm)
        case "recompute":
            return _sealed(changed, key, algorithm)


def forged(
    request: Frame, code: str, fields: Mapping[int, str | None], mac: ForgedMac, key: bytes | None,
    algorithm: keys.Algorithm = "des",
) -> Frame:
    """An answer to ``request`` that its acquirer never gave: MTI + 10, what an answer repeats, F39 = ``code``, and
    ``fields`` over all that. Raises :class:`BadInput` as :func:`rewritten` does.
    """
    said = {number: request.fields[number] for number in _COPIED if number in request}
    if 60 in request:
        said[60] = request.get(60)[:_F60_DIGITS]
    said[39] = code
    merged = {number: value for number, value in (said | dict(fields)).items() if value is not None}
    answer = build(
        response_mti(request.mti), merged, tpdu=swap_tpdu(request.tpdu), header=request.header, f48=request.f48
    )
    match mac:
        case "none":
            return answer
        case "wrong":
            return _spoilt(answer, key, algorithm)
        case "recompute":
            return _sealed(answer, key, algorithm)


def _sealed(frame: Frame, key: bytes | None, algorithm: keys.Algorithm) -> Frame:
    if key is None:
        raise BadInput(
            "the MAC can't be recomputed: the key of this session is not known", where="mac",
            remedy="The terminal must have signed in since the bench was opened.",
        )
    return keys.seal(frame, key, algorithm)


def _spoilt(frame: Frame, key: bytes | None, algorithm: keys.Algorithm) -> Frame:
    """F64 with every bit of the right one turned over (of the present one, where no key is known)."""
    right = keys.seal(frame, key, algorithm).get(64) if key is not None else frame.get(64, _NOBODYS)
    return frame.but({64: bytes(byte ^ 0xFF for byte in bytes.fromhex(right)).hex().upper()})
