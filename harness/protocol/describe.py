"""A frame for people and for JSON: every field that has an inner structure, taken apart. Never raises."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from harness.protocol import codes
from harness.protocol.frames import Frame, FrameError
from harness.protocol.nested import (
    F60,
    SEQUENCE_NO,
    HostTexts,
    Original,
    batch_end_count,
    batch_records,
    key_block,
    serial_number,
    settlement_totals,
)
from harness.protocol.tlv import NAMES, read_ber, read_text_tlv

_DEPTH = 3  # of templates in templates; hostile data may nest without end
_ENTRY = {
    "01": "manual", "02": "magnetic stripe", "03": "scanned code", "05": "chip", "07": "contactless chip",
    "95": "chip, no card data check", "96": "contactless, online", "98": "contactless",
}  # fmt: skip
_ENTRY_PIN = {"1": "PIN present", "2": "no PIN"}
_PIN_FORMAT = {"0": "no PIN", "1": "PIN block without PAN", "2": "PIN block with PAN"}
_ALGORITHM = {"0": "single DES", "6": "two-key triple DES", "3": "SM4", "4": "SM4"}
_TERMINAL_INFORMATION = {"01": "device type", "02": "serial number", "03": "random factor",
                         "04": "serial number ciphertext", "05": "application version"}  # fmt: skip


def nested(frame: Frame) -> dict[str, Any]:
    """Field number (as text) -> its parts, for the fields of ``frame`` that have parts. JSON-ready.

    A field whose content has another shape gives ``{"problem": "..."}``.
    """
    result: dict[str, Any] = {}
    for number, reader in _READERS.items():
        if number not in frame:
            continue
        try:
            content = reader(frame)
        except FrameError as error:
            content = {"problem": error.problem}
        if content:
            result[str(number)] = content
    return result


def header_meaning(frame: Frame) -> dict[str, str]:
    """The header nibbles in words."""
    header = frame.header
    return {
        "application_class": f"{header[:2]} {codes.APPLICATION_CLASSES.get(header[:2], 'unknown')}",
        "software_version": header[2:4],
        "terminal_status": f"{header[4]} {'normal' if header[4] == '0' else 'test' if header[4] == '1' else 'unknown'}",
        "processing_request": f"{header[5]} {codes.PROCESSING.get(header[5], 'unknown')}",
        "sub_version": header[6:],
    }


def tpdu_meaning(frame: Frame) -> dict[str, str]:
    """The TPDU's parts."""
    return {"id": frame.tpdu[:2], "destination": frame.tpdu[2:6], "source": frame.tpdu[6:]}


def _f22(frame: Frame) -> dict[str, Any]:
    value = frame.get(22)
    return {
        "entry": f"{value[:2]} {_ENTRY.get(value[:2], 'unknown')}",
        "pin": f"{value[2:]} {_ENTRY_PIN.get(value[2:], 'unknown')}",
    }


def _f39(frame: Frame) -> dict[str, Any]:
    if frame.mti != "0400":
        return {}
    return {"reversal_reason": codes.REVERSAL_REASONS.get(frame.get(39), "unknown")}


def _f48(frame: Frame) -> dict[str, Any]:
    name = codes.transaction_name(frame)
    if name == "settlement":
        home, foreign = settlement_totals(frame)
        return {"home": asdict(home), "foreign": asdict(foreign)}
    if name == "batch_upload":
        return {"records": [asdict(record) for record in batch_records(frame)]}
    if name == "batch_end":
        return {"count": batch_end_count(frame)}
    return {}


def _f53(frame: Frame) -> dict[str, Any]:
    value = frame.get(53)
    return {
        "pin_format": f"{value[0]} {_PIN_FORMAT.get(value[0], 'unknown')}",
        "algorithm": f"{value[1]} {_ALGORITHM.get(value[1], 'unknown')}",
        "track_encrypted": value[2],
    }


def _f55(frame: Frame) -> dict[str, Any]:
    return {"elements": _elements(frame.binary(55))}


def _elements(data: bytes, depth: int = 0) -> list[dict[str, Any]]:
    result: list[dict[str, Any]] = []
    for element in read_ber(data):
        name, value = NAMES.get(element.tag, ""), element.value.hex().upper()
        result.append({"tag": element.tag, "name": name, "value": value})
        if element.constructed and depth < _DEPTH:
            result[-1]["parts"] = _elements(element.value, depth + 1)
    return result


def _f59(frame: Frame) -> dict[str, Any]:
    items: list[dict[str, Any]] = []
    for tag, value in read_text_tlv(frame.get(59)):
        items.append({"tag": tag, "value": value})
        if tag == "A2":
            items[-1]["parts"] = [
                {"tag": part, "name": _TERMINAL_INFORMATION.get(part, ""), "value": content}
                for part, content in read_text_tlv(value)
            ]
    return {"items": items}


def _f60(frame: Frame) -> dict[str, Any]:
    return {name: value for name, value in asdict(F60.of(frame)).items() if value}


def _f61(frame: Frame) -> dict[str, Any]:
    return {name: value for name, value in asdict(Original.of(frame)).items() if value}


def _f62(frame: Frame) -> dict[str, Any]:
    if codes.transaction_name(frame) != "sign_in":
        return {}
    if frame.is_response:
        return {name: value.hex().upper() for name, value in asdict(key_block(frame)).items() if value}
    return {"serial_number": serial_number(frame)} if frame.binary(62).startswith(SEQUENCE_NO) else {}


def _f63(frame: Frame) -> dict[str, Any]:
    if not frame.is_response:
        return {"operator": frame.text(63)}
    return {name: value for name, value in asdict(HostTexts.of(frame)).items() if value}


_READERS: dict[int, Callable[[Frame], dict[str, Any]]] = {
    22: _f22, 39: _f39, 48: _f48, 53: _f53, 55: _f55, 59: _f59, 60: _f60, 61: _f61, 62: _f62, 63: _f63,
}  # fmt: skip
