"""The network's dialect that the terminal is set up for: what codes mean, what it does about them, how it writes.

Out of the box it speaks as a terminal that is connected straight to UnionPay; ``PARAM name=value`` on the service port
changes one point at a time. Each name, with what it may be, is a row of ``_PARAMETERS``. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple

Codes = tuple[str, ...]  # F39 values, in the order given


@dataclass(frozen=True)
class Dialect:
    """``categories``: what to do after a code, as pairs (code, letter): B retryable, C not, D the operator must act,
    E system fault. ``reversal_attempts`` 0: no limit. ``operator`` is F63 of requests, three characters.

    ``sm_key_digit`` is F53 digit 2 under SM4 keys, ``f60_digits`` those of a financial request.
    """

    network: str = "unionpay"
    # what codes mean
    not_registered: Codes = ("97",)
    success: Codes = ("00", "10", "11", "A2", "A4", "A5", "A6")
    reversal_success: Codes = ("00", "12", "25")
    settlement_success: Codes = ("00",)
    force_sign_in: Codes = ("77", "99", "A0")
    categories: tuple[tuple[str, str], ...] = (("77", "D"), ("68", "C"))
    # what the terminal does
    decline_mac: str = "optional"
    reversal_reason_mismatch: str = "06"
    reversal_reason_fault: str = "96"
    reversal_on_mismatch: str = "keep"
    reversal_attempts: int = 0
    reversal_exhausted: str = "keep"
    settlement_before_sign_in: bool = False
    void_carries_card: bool = False
    settlement_voids: str = "credit"
    auto_sign_off: bool = False
    operator: str = "001"
    # how it is written
    batch_end_balanced: str = "207"
    batch_end_unbalanced: str = "202"
    parameter_download_code: str = "360"
    sign_in_network_code: str = "003"
    sm_key_digit: str = "3"
    f60_digits: int = 13
    f48_encoding: str = "bcd"
    entry_scan: str = "032"
    offline_chip_mti: str = "0220"
    cashier_lrc: str = "with_etx"
    cashier_length: str = "bcd"
    # the link
    link: str = "tcp"
    http_path: str = "/mjc/webtrans/VPB_lb"

    @property
    def sm(self) -> bool:
        """The keys are SM4 keys."""
        return self.sign_in_network_code in ("005", "006")

    def category(self, code: str) -> str:
        """The letter of a code; "C" where none is given."""
        return dict(self.categories).get(code, "C")


class _Kind(NamedTuple):
    """How a parameter is written: ``read`` raises ValueError for a text that is none; ``allowed`` says what is."""

    allowed: str
    read: Callable[[str], Any]
    write: Callable[[Any], str] = str


def _matching(pattern: str, allowed: str) -> _Kind:
    def read(text: str) -> str:
        if not re.fullmatch(pattern, text, re.ASCII):
            raise ValueError
        return text

    return _Kind(allowed, read)


def _one_of(*values: str) -> _Kind:
    return _matching("|".join(map(re.escape, values)), " or ".join(values))


def _read_codes(text: str) -> Codes:
    codes = tuple(text.split(",")) if text else ()
    if not all(re.fullmatch("[0-9A-Z]{2}", code, re.ASCII) for code in codes) or len(set(codes)) < len(codes):
        raise ValueError
    return codes


def _read_categories(text: str) -> tuple[tuple[str, str], ...]:
    rows = text.split(",") if text else []
    if not all(re.fullmatch("[0-9A-Z]{2}:[A-E]", row, re.ASCII) for row in rows):
        raise ValueError
    return tuple((row[:2], row[3:]) for row in rows)


def _number(low: int, high: int) -> _Kind:
    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) <= 6 and low <= int(text) <= high):
            raise ValueError
        return int(text)

    return _Kind(f"{low} to {high}", read)


def _width(*widths: int) -> _Kind:
    kind = _one_of(*map(str, widths))
    return _Kind(kind.allowed, lambda text: int(kind.read(text)))


_CODES = _Kind("codes of two characters with commas between", _read_codes, ",".join)
_CODE = _matching("[0-9A-Z]{2}", "a code of two characters")
_CATEGORIES = _Kind(
    "CODE:LETTER with commas between, letters A to E", _read_categories, lambda rows: ",".join(map(":".join, rows))
)
_FLAG = _Kind("0 or 1", lambda text: _one_of("0", "1").read(text) == "1", lambda value: "1" if value else "0")
_NETWORK_CODE = _matching("[0-9]{3}", "three digits")

_PARAMETERS: Mapping[str, _Kind] = {
    "network": _one_of("unionpay", "aunz", "gicc"),
    **dict.fromkeys(("not_registered", "success", "reversal_success", "settlement_success", "force_sign_in"), _CODES),
    "categories": _CATEGORIES,
    "decline_mac": _one_of("optional", "required"),
    "reversal_reason_mismatch": _CODE,
    "reversal_reason_fault": _CODE,
    "reversal_on_mismatch": _one_of("keep", "delete"),
    "reversal_attempts": _number(0, 99),
    "reversal_exhausted": _one_of("keep", "delete_recorded"),
    "settlement_before_sign_in": _FLAG,
    "void_carries_card": _FLAG,
    "settlement_voids": _one_of("credit", "net"),
    "auto_sign_off": _FLAG,
    "operator": _matching("[0-9]{2}[0-9 ]", "two digits and a digit or a space"),
    "batch_end_balanced": _NETWORK_CODE,
    "batch_end_unbalanced": _NETWORK_CODE,
    "parameter_download_code": _one_of("360", "364"),
    "sign_in_network_code": _one_of("001", "003", "004", "005", "006"),
    "sm_key_digit": _one_of("3", "4"),
    "f60_digits": _width(8, 11, 13, 14),
    "f48_encoding": _one_of("bcd", "ascii"),
    "entry_scan": _one_of("032", "031"),
    "offline_chip_mti": _one_of("0220", "0200"),
    "cashier_lrc": _one_of("with_etx", "without_etx"),
    "cashier_length": _one_of("bcd", "binary"),
    "link": _one_of("tcp", "tcp_standing", "tls", "http"),
    "http_path": _matching(r"/[!-~]{0,199}", "a path that begins with /, of at most 200 printable characters"),
}
NAMES = frozenset(_PARAMETERS)
assert set(_PARAMETERS) == {field.name for field in fields(Dialect)}


def with_parameter(dialect: Dialect, name: str, value: str) -> Dialect:
    """The dialect with one point changed. Raises ValueError that names what is allowed."""
    kind = _PARAMETERS.get(name)
    if kind is None:
        raise ValueError(f"there is no parameter {name}; allowed: {', '.join(sorted(NAMES))}")
    try:
        read = kind.read(value)
    except ValueError:
        raise ValueError(f"{name} is {kind.allowed}") from None
    return replace(dialect, **{name: read})


def parameter(dialect: Dialect, name: str) -> str:
    """The inverse: what ``name`` is set to, as it would be written. KeyError where there is none of that name."""
    return _PARAMETERS[name].write(getattr(dialect, name))


def changed(dialect: Dialect) -> dict[str, str]:
    """Every parameter that is not as it was out of the box, as it is written."""
    default = Dialect()
    texts = {name: parameter(dialect, name) for name in _PARAMETERS}
    return {name: text for name, text in texts.items() if text != parameter(default, name)}


def from_changed(values: Mapping[str, str]) -> Dialect:
    """The inverse of :func:`changed`. Raises ValueError."""
    dialect = Dialect()
    for name, value in values.items():
        dialect = with_parameter(dialect, name, value)
    return dialect
