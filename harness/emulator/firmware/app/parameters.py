"""Terminal parameters as the host sends them: F62 of the answer to a parameter download. Pure.

F62 is a row of two ASCII digits (the tag) and a value whose length the tag decides. Tags and lengths: parameter tables
of CaoEnXin/LiaoYang_POS and Innoverex/pos.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

LENGTHS: Mapping[str, int] = {
    "11": 2, "12": 2, "13": 1, "14": 14, "15": 14, "16": 14, "17": 14, "18": 1, "19": 2, "20": 1, "21": 1, "22": 40,
    "23": 1, "24": 1, "25": 1, "26": 4, "27": 2,
}  # bytes of the value behind each tag
_SWITCHES = "26"  # the one binary value


class ParameterFault(Exception):
    """This F62 is no parameter block. Names the tag."""


@dataclass(frozen=True)
class Parameters:
    """What the host may switch. ``tip_percent``: the most a tip may be of its sale, 0 no limit; ``offline_most``: the
    most stored offline transactions, 0 no limit; ``switches``: 8 hex digits as they came."""

    merchant_name: str = ""
    application: str = ""
    tips: bool = True
    tip_percent: int = 0
    manual_entry: bool = True
    offline: bool = True
    offline_most: int = 0
    switches: str = ""


def values(f62: bytes) -> dict[str, str]:
    """Tag -> value: text, and hex for the switches. Raises :class:`ParameterFault`; an empty block is one."""
    found: dict[str, str] = {}
    at = 0
    while at < len(f62):
        tag = f62[at : at + 2].decode("latin-1")
        size = LENGTHS.get(tag)
        value = f62[at + 2 : at + 2 + (size or 0)]
        if size is None or len(value) < size or tag in found:
            raise ParameterFault(f"tag {tag!r} at byte {at} is unknown, cut short or there twice")
        found[tag] = value.hex().upper() if tag == _SWITCHES else value.decode("gbk", "replace").strip()
        at += 2 + size
    if not found:
        raise ParameterFault("the parameter block is empty")
    for tag in ("12", "13", "18", "19", "20", "21", "23", "24", "27"):
        if not found.get(tag, "0").isascii() or not found.get(tag, "0").isdigit():
            raise ParameterFault(f"tag {tag} is {found[tag]!r}, no number")
    return found


def applied(before: Parameters, found: Mapping[str, str]) -> Parameters:
    """The parameters after a download; what the host did not send stays."""

    def flag(tag: str, now: bool) -> bool:
        return found[tag] != "0" if tag in found else now

    return Parameters(
        merchant_name=found.get("22", before.merchant_name),
        application=found.get("11", before.application),
        tips=flag("18", before.tips),
        tip_percent=int(found.get("19", before.tip_percent)),
        manual_entry=flag("20", before.manual_entry),
        offline=flag("24", before.offline),
        offline_most=int(found.get("27", before.offline_most)),
        switches=found.get("26", before.switches),
    )
