"""A profile as the parameters that a terminal is set to: ``PARAM name=value`` on its service port.

What a terminal speaks out of the box is UnionPay, connected straight to the acquirer; only what differs is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from harness.protocol.profile import Profile

OUT_OF_THE_BOX: Mapping[str, str] = {
    "network": "unionpay",
    "not_registered": "97",
    "success": "00,10,11,A2,A4,A5,A6",
    "reversal_success": "00,12,25",
    "settlement_success": "00",
    "force_sign_in": "77,99,A0",
    "categories": "77:D,68:C",
    "decline_mac": "optional",
    "reversal_reason_mismatch": "06",
    "reversal_reason_fault": "96",
    "reversal_on_mismatch": "keep",
    "reversal_attempts": "0",
    "reversal_exhausted": "keep",
    "settlement_before_sign_in": "0",
    "void_carries_card": "0",
    "settlement_voids": "credit",
    "auto_sign_off": "0",
    "operator": "001",
    "batch_end_balanced": "207",
    "batch_end_unbalanced": "202",
    "parameter_download_code": "360",
    "sign_in_network_code": "003",
    "sm_key_digit": "3",
    "f60_digits": "13",
    "f48_encoding": "bcd",
    "entry_scan": "032",
    "offline_chip_mti": "0220",
    "cashier_lrc": "with_etx",
    "cashier_length": "bcd",
    "link": "tcp",
    "http_path": "/mjc/webtrans/VPB_lb",
}


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, list):
        return ",".join(value)
    return str(value)


_WRITTEN: Mapping[str, Callable[[Profile], str]] = {  # those that are not simply the profile's field of that name
    "categories": lambda profile: ",".join(f"{code}:{letter}" for code, letter in profile.categories.codes.items()),
    "reversal_reason_mismatch": lambda profile: profile.reversal_reason_mismatch[0],
}


def every_parameter(profile: Profile) -> dict[str, str]:
    """All of them, as the profile has them."""
    return {
        name: _WRITTEN[name](profile) if name in _WRITTEN else _text(getattr(profile, name)) for name in OUT_OF_THE_BOX
    }


def parameters(profile: Profile) -> dict[str, str]:
    """Those that a terminal fresh from the factory must be told."""
    return {name: text for name, text in every_parameter(profile).items() if text != OUT_OF_THE_BOX[name]}
