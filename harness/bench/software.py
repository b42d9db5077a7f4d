"""What is said about software between a terminal, its host and the bench: versions, and images as files."""

from __future__ import annotations

import struct
from pathlib import Path

from harness.errors import BadInput
from harness.history.update_events import FirmwareTold
from harness.protocol.frames import FrameError, decode

_TELLING = {"0820": "362", "0800": "397"}  # requests in which a terminal says what runs
_MTI = slice(26, 30)  # in the hex of a frame
_HEADER = struct.Struct("<IIHHIIBBHI")  # of an image: magic, ..., version
NO_VERSION = "0.0.0"


def version_told(t: int, frame: str) -> FirmwareTold | None:
    """What a request (hex) that reached the host at ``t`` says of the version that runs; None: nothing."""
    code = _TELLING.get(frame[_MTI])
    if code is None:
        return None
    try:
        request = decode(bytes.fromhex(frame))
        if request.network_code != code or 62 not in request:
            return None
        text = request.binary(62).decode("ascii", "replace")
    except (FrameError, BadInput, ValueError):
        return None
    if code == "362":
        text = dict(part.partition("=")[::2] for part in text.split(";")).get("FW", "")
    name, _, version = text.rpartition(" ")
    return FirmwareTold(t=t, via="host", name=name, version=version) if version else None


def version_of(image: Path) -> str:
    """What the header of an image says, unchecked: a host offers damaged ones too."""
    try:
        header = image.read_bytes()[: _HEADER.size]
    except OSError as error:
        raise BadInput(f"the image {image} can't be read: {error.strerror}") from error
    if len(header) < _HEADER.size:
        return NO_VERSION
    major, minor, revision, build = _HEADER.unpack(header)[6:10]
    return f"{major}.{minor}.{revision}" + (f"+{build}" if build else "")
