"""Images for a firmware test that only who can sign them can make: sound ones, and ones that a terminal must refuse."""

from __future__ import annotations

from collections.abc import Mapping

FLAWS: Mapping[str, str] = {
    "corrupt": "a bit in the middle is changed, the hash no longer fits",
    "truncated": "the end is missing",
    "oversized": "longer than a slot",
    "empty": "no bytes at all",
    "wrong_model": "made for another model, and signed",
    "unsigned": "without a signature",
    "foreign_key": "signed with a key that the terminal does not know",
    "older_counter": "its security counter is below the terminal's",
    "older_version": "its version is not above the one that runs",
    "wrong_data_format": "it can't take over what is stored: its data format is older than the terminal's",
    "self_test": "sound to look at; its self-test fails at the first start",
    "hangs": "sound to look at; it hangs at the first start, before it is confirmed",
    "crashes": "sound to look at; it ends with an error at the first start, before it is confirmed",
}
TURNED_BACK = ("self_test", "hangs", "crashes")  # these may be installed; the terminal has to come back by itself
