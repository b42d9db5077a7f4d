"""From a decision to the frame that says it: header and TPDU, the fields every answer has, the MAC.

Sources: facts on the response of each transaction (field tables of the public terminal applications) and the public
frames S01 (0810 declined: F11, F12, F13, F32, F37, F39, F41, F42, F60) and S07 (0810 approved: the same and F62).
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from harness.acquirer.clock import Moment
from harness.protocol import keys
from harness.protocol.codes import carries_mac, is_financial, response_mti
from harness.protocol.frames import Frame, MakesMac, build, swap_tpdu

APPROVED = "00"
ACQUIRER = "00010000"  # F32
ORGANISATION = "CUP"  # first three characters of F63
_NAMED = f"{ACQUIRER:<11}{ACQUIRER:<11}   "  # F44
_COPIED = (3, 4, 11, 25, 41, 42, 49)
_F60_DIGITS = 11  # F60.1 to F60.3: what follows describes the terminal and stays out of answers


class Answer(NamedTuple):
    """What the host wants to say. ``why`` goes to the journal, ``extra`` into the frame, over the usual fields;
    ``header_request`` is what the header asks the terminal to do (nibble 5), None: nothing."""

    code: str
    why: str
    extra: Mapping[int, str] = MappingProxyType({})
    header_request: str | None = None

    @property
    def approved(self) -> bool:
        return self.code == APPROVED


class Stamp(NamedTuple):
    """What the host puts on an answer: its clock, and a retrieval reference number (F37, 12 digits)."""

    moment: Moment
    rrn: str

    @property
    def date(self) -> str:
        """F13, MMDD."""
        return self.moment.date

    @property
    def day(self) -> str:
        """YYYYMMDD."""
        return self.moment.year + self.moment.date


def card_number(request: Frame) -> str:
    """The PAN of F2, or of track 2 (F35) up to its separator; "" where the request has neither."""
    fields = request.fields
    return fields.get(2) or fields.get(35, "").partition("D")[0]


def compose(
    request: Frame, answer: Answer, stamp: Stamp, header_request: str | None = None, mac: MakesMac | None = None
) -> Frame:
    """The answer's frame. ``header_request`` replaces header nibble 5, the processing request; ``mac`` makes F64, which
    there is none of without it."""
    asked, date = request.fields, stamp.date
    fields = {number: asked[number] for number in _COPIED if number in asked}
    fields |= {12: stamp.moment.time, 13: date, 32: ACQUIRER, 37: stamp.rrn, 39: answer.code}
    if 60 in asked:
        fields[60] = asked[60][:_F60_DIGITS]
    if is_financial(request.mti):
        fields[15] = date
        fields[44] = _NAMED
        fields[63] = ORGANISATION
        pan = card_number(request)
        if pan.isdigit() and request.mti != "0400":
            fields[2] = pan[:19]
    elif request.mti == "0500":
        fields[15] = date
    fields |= answer.extra
    header = request.header
    header_request = header_request or answer.header_request
    if header_request is not None:
        header = header[:5] + header_request + header[6:]
    mti, tpdu = response_mti(request.mti), swap_tpdu(request.tpdu)
    return build(mti, fields, tpdu=tpdu, header=header, f48=request.f48, mac=mac)


def sealing(request: Frame, mak: bytes | None, algorithm: keys.Algorithm, *, wanted: bool) -> MakesMac | None:
    """What makes the F64 of an answer, where it is wanted, the host has a key, and messages of this kind carry one (an
    answer is of its request's kind)."""
    if mak is None or not wanted or not carries_mac(request):
        return None
    return lambda covered: keys.f64(keys.mac(mak, covered, algorithm))


def spoil_mac(frame: Frame, mak: bytes | None, algorithm: keys.Algorithm) -> Frame:
    """With an F64 that is certainly wrong; also on a message that usually carries none."""
    right = "" if mak is None else keys.seal(frame, mak, algorithm).get(64)
    wrong = right
    while wrong == right or not wrong:
        wrong = secrets.token_hex(4).upper()
    return frame.but({64: wrong})


def foreign_trace(frame: Frame) -> Frame:
    """With the next trace number in F11, where it has one. An F64 does not fit any more."""
    trace = frame.get(11)
    return frame.but({11: f"{(int(trace) + 1) % 1_000_000:06d}"}) if trace else frame
