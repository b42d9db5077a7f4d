"""REC-09: no key and no card number in a backup."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator

from harness.checkers.finding import Finding, checker
from harness.checkers.reading import Reading
from harness.history.events import Key
from harness.history.update_events import BackupTaken

_BASE64 = re.compile(r"[0-9A-Za-z+/]{16,}={0,2}")
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2}){8,}")
_CARD_FIELDS = (2, 35, 36)


@checker("REC-09")
def no_secret_in_the_backup(reading: Reading) -> Iterator[Finding]:
    """Occasion: each backup. Decided by its text alone, and by what is in it as hexadecimal or base64. It passes with
    the swap that it was for (``recovery_swap``)."""
    for taken in reading.all(BackupTaken):
        found = _secret(reading, taken)
        if found:
            yield Finding.failed("REC-09", f"there is {found} in the backup", [taken])


def _secret(reading: Reading, taken: BackupTaken) -> str:
    """What of it must not be there, in words; "": nothing that is known."""
    contents = b"\n".join(_contents(taken))
    whole, digits = contents.upper(), contents.hex().upper()
    for pan in sorted(_card_numbers(reading, taken.t)):
        if pan.encode() in whole or pan in digits:  # packed, with whatever before and behind it
            return f"the card number {pan[:6]}...{pan[-4:]}"

    def holds(key: bytes | None) -> bool:
        return bool(key and (key.hex().upper().encode() in whole or key in contents))

    for master in reading.all(Key):
        if holds(bytes.fromhex(master.value)):
            return f"the master key of terminal {master.tid}"
    for working in reading.keyring.working:
        if holds(working.mak):
            return "a MAC key"
        if holds(working.pik):
            return "a PIN key"
        if holds(working.tdk):
            return "a track key"
    return ""


def _contents(taken: BackupTaken) -> Iterator[bytes]:
    """Its text, and what is written in it as hexadecimal or base64."""
    lines = taken.text.splitlines()
    yield taken.text.encode("utf-8", "replace")
    for line in lines:
        yield from (bytes.fromhex(run) for run in _HEX.findall(line))
    for run in _BASE64.findall("".join(line.removeprefix("data ") for line in lines if line.startswith("data "))):
        try:
            yield base64.b64decode(run + "=" * (-len(run) % 4))
        except binascii.Error:
            continue


def _card_numbers(reading: Reading, until: int) -> set[str]:
    """All that were on the wire before."""
    found = set()
    for e in reading.exchanges_between(0, until):
        for number in _CARD_FIELDS:
            pan = re.split("[D=]", e.sent.fields.get(number, ""))[0]
            if pan.isdigit() and 12 <= len(pan) <= 19:
                found.add(pan)
    return found
