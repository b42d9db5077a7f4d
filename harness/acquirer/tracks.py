"""Enciphered tracks: F35 and F36 of a terminal that signed in with F60.3 = 004 and says so in F53 (third digit 1).

The rule is that of a published Newland terminal application: 8 bytes of the packed track under the track key.
"""

from __future__ import annotations

import re

from harness.acquirer.answers import Answer
from harness.protocol import keys
from harness.protocol.frames import Frame

_TRACK_2 = re.compile(r"[0-9]{13,19}D[0-9]{7,}")
_ENCIPHERED = "1"  # F53, third digit


def enciphered(frame: Frame) -> bool:
    """Whether a request says that its tracks are."""
    return frame.get(53)[2:3] == _ENCIPHERED


def clear_track(frame: Frame, tdk: bytes | None, number: int = 35) -> str:
    """The track as the card has it ("": the request has none). Raises :class:`KeyMaterialError` where it is
    enciphered and nobody knows the key."""
    track = frame.get(number)
    if not track or not enciphered(frame):
        return track
    if tdk is None:
        raise keys.KeyMaterialError("the tracks are enciphered, and no track key is known for this terminal")
    return keys.decrypt_track(tdk, track)


def refusal(frame: Frame, tdk: bytes | None) -> Answer | None:
    """A7 (security processing failed) where an enciphered track 2 does not come out as the track of the card in F2.
    None: it does, or there is no track."""
    try:
        track = clear_track(frame, tdk)
    except keys.KeyMaterialError as error:
        return Answer("A7", str(error))
    if track and not _TRACK_2.fullmatch(track):
        return Answer("A7", "F35 deciphered with the track key is no track")
    if track and 2 in frame and track.partition("D")[0] != frame.get(2):
        return Answer("A7", "F35 deciphered with the track key is the track of another card than F2")
    return None
