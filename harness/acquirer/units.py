"""Which unit speaks: the serial number in a sign-in request against the one that is bound to the terminal number.

Source: 银发〔2021〕259号 (a serial number belongs to one terminal number). A sign-in request may carry it in F62,
``Sequence No`` with a vendor certificate (4 characters) before the number (``yangyongzhen/Easy8583Ans`` README).
"""

from __future__ import annotations

from harness.acquirer.registry import Registry
from harness.protocol.frames import Frame, FrameError
from harness.protocol.nested import SEQUENCE_NO, serial_number

_CERTIFICATE = 4


def foreign_unit(registry: Registry, frame: Frame) -> str:
    """Why the sender is not the bound unit; "": it is, or no unit is bound, or the request does not say which it is.

    The bound number may be with or without the vendor's certificate.
    """
    if frame.mti != "0800" or 62 not in frame or not frame.binary(62).startswith(SEQUENCE_NO):
        return ""
    binding = registry.binding(frame.get(42), frame.get(41))
    if binding is None:
        return ""
    try:
        said = serial_number(frame)
    except FrameError as error:
        return f"unit unknown: {error}; {binding.serial_number} is bound to this terminal"
    if binding.serial_number in (said, said[_CERTIFICATE:]):
        return ""
    return f"unit {said} is not {binding.serial_number}, which is bound to this terminal"
