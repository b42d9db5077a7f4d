"""Where a request is not written as the profile says: what a host that refuses it (format error, invalid) refuses.

One row for each point on which public sources disagree about the wire. A departure alone breaks no rule; it tells whose
fault it is that the host of that profile refused.
"""

from __future__ import annotations

from collections.abc import Callable

from harness.checkers.exchanges import FINANCIAL_REQUESTS, Exchange
from harness.protocol.profile import Profile

_PIN, _PLAIN_TRACK, _TYPED = 52, 35, 14
_PAYMENT_CODE = "A3"
_PIN_KEY_DIGIT = {"001": "0", "003": "6", "004": "6"}  # 60.3 of the sign-in -> F53 digit 2
_VOIDS = frozenset({"void", "completion_void"})


def _f60(profile: Profile, e: Exchange) -> str:
    digits = len(e.sent.get(60))
    wrong = e.mti in FINANCIAL_REQUESTS and digits != profile.f60_digits
    return f"F60 has {digits} digits, the profile says {profile.f60_digits}" if wrong else ""


def _f48(profile: Profile, e: Exchange) -> str:
    written = e.sent.f48
    wrong = e.mti in ("0500", "0320") and 48 in e.sent.fields and written != profile.f48_encoding
    return f"F48 is written in {written.upper()}, the profile says {profile.f48_encoding.upper()}" if wrong else ""


def _f53(profile: Profile, e: Exchange) -> str:
    if _PIN not in e.sent.fields or len(e.sent.get(53)) < 2:
        return ""
    expected = profile.sm_key_digit if profile.sm else _PIN_KEY_DIGIT[profile.sign_in_network_code]
    given = e.sent.get(53)[1]
    return f"F53 says that the PIN key is of kind {given}, the profile says {expected}" if given != expected else ""


def _entry(profile: Profile, e: Exchange) -> str:
    wrong = e.sent.get(59).startswith(_PAYMENT_CODE) and e.sent.get(22)[:3] != profile.entry_scan
    return f"F22 of a scanned code is {e.sent.get(22)[:3]}, the profile says {profile.entry_scan}" if wrong else ""


def _operator(profile: Profile, e: Exchange) -> str:
    given = e.sent.get(63)
    wrong = e.mti in ("0800", "0500") and given and given != profile.operator
    return f"F63 has operator {given!r}, the profile says {profile.operator!r}" if wrong else ""


def _offline_chip(profile: Profile, e: Exchange) -> str:
    wrong = e.transaction == "offline_chip_sale" and e.mti != profile.offline_chip_mti
    return f"an offline chip sale is sent as {e.mti}, the profile says {profile.offline_chip_mti}" if wrong else ""


def _void(profile: Profile, e: Exchange) -> str:
    if e.transaction not in _VOIDS or _TYPED in e.sent.fields or 59 in e.sent.fields:
        return ""  # a typed card, or a payment code, has no track at all
    if profile.void_carries_card and _PLAIN_TRACK not in e.sent.fields:
        return "a void has no card data, the profile asks for the card"
    if not profile.void_carries_card and _PLAIN_TRACK in e.sent.fields:
        return "a void has card data, the profile has none there"
    return ""


def _network_codes(profile: Profile, e: Exchange) -> str:
    table: dict[str, set[str]] = {
        "sign_in": {profile.sign_in_network_code},
        "parameter_download": {profile.parameter_download_code},
        "batch_end": {profile.batch_end_balanced, profile.batch_end_unbalanced},
    }
    allowed = table.get(e.transaction)
    if allowed is None or e.network_code in allowed:
        return ""
    return f"60.3 of a {e.transaction} is {e.network_code}, the profile says {' or '.join(sorted(allowed))}"


_ROWS: tuple[Callable[[Profile, Exchange], str], ...] = (
    _f60, _f48, _f53, _entry, _operator, _offline_chip, _void, _network_codes,
)  # fmt: skip


def departures(profile: Profile, exchange: Exchange) -> list[str]:
    """One sentence for each point in which the request is not in the profile's dialect."""
    return [said for row in _ROWS if (said := row(profile, exchange))]
