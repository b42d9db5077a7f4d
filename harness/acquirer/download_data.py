"""What terminals download: parameters, CA keys, chip parameters, blacklist, as the values of a JSON file.

``harness/acquirer/downloads.json`` is the one shipped; its keys are synthetic.
"""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.errors import BadInput
from harness.given_file import whole

SHIPPED = Path(__file__).with_name("downloads.json")
MORE, LAST, NONE = b"2", b"3", b"1"  # first byte of a page of a list: more follow, the last one, nothing (left)

Hex = Annotated[str, Field(pattern=r"^([0-9A-Fa-f]{2})+$")]
Flag = Annotated[str, Field(pattern=r"^[01]$")]
Digit = Annotated[str, Field(pattern=r"^[0-9]$")]
TwoDigits = Annotated[str, Field(pattern=r"^[0-9]{2}$")]


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Parameters(_Data):
    """Terminal parameters; what is left out is not sent. ``merchant_name`` of up to 40 bytes in GBK; ``timeout`` in
    seconds; ``reversal_attempts`` the times a reversal is sent; ``tip_percent`` the most a tip may be of its sale."""

    application: TwoDigits | None = None
    timeout: TwoDigits | None = None
    dial_retries: Digit | None = None
    phones: list[Annotated[str, Field(max_length=14, pattern=r"^[0-9]*$")]] = Field(default=[], max_length=4)
    tips: Flag | None = None
    tip_percent: TwoDigits | None = None
    manual_entry: Flag | None = None
    auto_sign_off: Flag | None = None
    merchant_name: str | None = None
    reversal_attempts: Digit | None = None
    offline: Flag | None = None
    tmk_index: Digit | None = None
    switches: Annotated[str, Field(pattern=r"^[0-9A-Fa-f]{8}$")] | None = None
    offline_most: TwoDigits | None = None

    def f62(self) -> bytes:
        """Tags of two digits, each with a value of its length (parameter tables of LiaoYang_POS and Innoverex/pos)."""
        phones = {str(14 + place): f"{phone:<14}" for place, phone in enumerate(self.phones)}
        name = None if self.merchant_name is None else self.merchant_name.encode("gbk").ljust(40)
        values: dict[str, str | bytes | None] = {
            "11": self.application, "12": self.timeout, "13": self.dial_retries, **phones, "18": self.tips,
            "19": self.tip_percent, "20": self.manual_entry, "21": self.auto_sign_off, "22": name,
            "23": self.reversal_attempts, "24": self.offline, "25": self.tmk_index,
            "26": None if self.switches is None else bytes.fromhex(self.switches), "27": self.offline_most,
        }
        return b"".join(
            tag.encode() + (value.encode() if isinstance(value, str) else value)
            for tag, value in values.items() if value is not None
        )


class _Listed(_Data):
    """An entry of a list: its ``name``, how it is ``listed``, and ``whole``."""

    @property
    def name(self) -> bytes:
        raise NotImplementedError

    def listed(self) -> bytes:
        return self.name

    def whole(self) -> bytes:
        raise NotImplementedError


class CaKey(_Listed):
    """A certification authority's public key. ``expiry`` YYYYMMDD; the rest in hex."""

    rid: Annotated[str, Field(pattern=r"^[0-9A-F]{10}$")]
    index: Annotated[str, Field(pattern=r"^[0-9A-F]{2}$")]
    expiry: Annotated[str, Field(pattern=r"^[0-9]{8}$")]
    modulus: Hex
    exponent: Hex

    @property
    def name(self) -> bytes:
        """9F06 and 9F22, as the terminal asks for it."""
        return tlv("9F06", self.rid) + tlv("9F22", self.index)

    def listed(self) -> bytes:
        return self.name + tlv("DF05", self.expiry)

    def whole(self) -> bytes:
        """With hash and key algorithm (SHA-1, RSA), modulus, exponent, and the check sum over all that matters."""
        signed = bytes.fromhex(self.rid + self.index + self.modulus + self.exponent)
        check_sum = hashlib.sha1(signed, usedforsecurity=False).hexdigest()
        return self.listed() + tlv("DF06", "01") + tlv("DF07", "01") + tlv("DF02", self.modulus) + tlv(
            "DF04", self.exponent
        ) + tlv("DF03", check_sum)


class ChipParameters(_Listed):
    """A chip application. ``objects``: tag -> value in hex, in the order in which they are sent."""

    aid: Annotated[str, Field(pattern=r"^([0-9A-F]{2}){5,16}$")]
    objects: dict[Annotated[str, Field(pattern=r"^([0-9A-F]{2}){1,2}$")], Hex]

    @property
    def name(self) -> bytes:
        return tlv("9F06", self.aid)

    def whole(self) -> bytes:
        return self.name + b"".join(tlv(tag, value) for tag, value in self.objects.items())


class DownloadData(_Data):
    """``page``: entries on a page of a list, cards in a block of the blacklist."""

    parameters: Parameters
    ca_keys: Annotated[list[CaKey], Field(max_length=99)]
    ic_parameters: Annotated[list[ChipParameters], Field(max_length=99)]
    blacklist: list[Annotated[str, Field(pattern=r"^[0-9]{4,19}$")]]
    page: Annotated[int, Field(ge=1, le=40)] = 10


def tlv(tag: str, value: str) -> bytes:
    """A BER-TLV object; tag and value in hex."""
    size = len(value) // 2
    length = f"{size:02X}" if size < 0x80 else f"81{size:02X}" if size < 0x100 else f"82{size:04X}"
    return bytes.fromhex(tag + length + value)


def read_downloads(path: Path) -> DownloadData:
    """The data of a file. Raises :class:`BadInput` with the place in it."""
    try:
        document = json.loads(whole(path).decode())
    except (OSError, ValueError, RecursionError) as error:
        raise BadInput(f"not a readable file of downloads: {error}", where=str(path)) from error
    return parse(document, str(path))


def parse(document: Any, where: str) -> DownloadData:
    """Plain values as data; what a frame has no room for is refused too."""
    try:
        data = DownloadData.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "it"
        raise BadInput(f"{place} can't be used: {first['msg']}", where=where) from error
    _check_names(data, where)
    parts = [data.parameters.f62(), *(b"1" + row.whole() for row in (*data.ca_keys, *data.ic_parameters))]
    parts += [page for kind in ("ca_keys", "ic_parameters", "blacklist") for page in pages(data, kind)]
    if max(map(len, parts)) > 999:
        raise BadInput("a page or an entry has more than the 999 bytes of F62", where=where, remedy="smaller pages")
    return data


def _check_names(data: DownloadData, where: str) -> None:
    for what, names in (
        ("CA key", [key.name for key in data.ca_keys]), ("chip application", [one.name for one in data.ic_parameters]),
    ):
        if len(set(names)) < len(names):
            raise BadInput(f"this {what} is there twice", where=where)
    name = data.parameters.merchant_name
    if name is not None:
        try:
            size = len(name.encode("gbk"))
        except UnicodeEncodeError as error:
            raise BadInput(f"parameters.merchant_name: {name!r} can't be written in GBK", where=where) from error
        if size > 40:
            raise BadInput(f"parameters.merchant_name has {size} bytes in GBK, 40 fit", where=where)


@cache
def shipped() -> DownloadData:
    """The data that comes with the program."""
    return read_downloads(SHIPPED)


def pages(data: DownloadData, kind: str) -> list[bytes]:
    """The pages of a list, each with its first byte."""
    if kind == "blacklist":
        entries = [f"{len(digits):02d}{digits}".encode() for digits in data.blacklist]
    else:
        entries = [row.listed() for row in getattr(data, kind)]
    parts = [b"".join(entries[at : at + data.page]) for at in range(0, len(entries), data.page)]
    return [(MORE if number < len(parts) else LAST) + part for number, part in enumerate(parts, 1)] or [NONE]
