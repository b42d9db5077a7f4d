"""What is downloaded for the terminal as a whole: CA keys, the parameters of chip applications, the card blacklist.

Each is a table of the :class:`Store`, replaced as one when its download is complete. What a host sends is checked here
before it counts. BER-TLV in hex; tags as the public terminal applications have them (LiaoYang_POS, Innoverex/pos).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from . import tlv
from .store import Store, StoreDamaged

_CA_KEYS, _APPLICATIONS, _BLACKLIST = "capk", "aid", "blacklist"
RID, KEY_INDEX, KEY_EXPIRY, AID = "9F06", "9F22", "DF05", "9F06"
_MODULUS, _EXPONENT, _CHECKSUM = "DF02", "DF04", "DF03"
_FLOOR_LIMIT, _OFFLINE_LIMIT = "9F1B", "9F7B"
MORE_FOLLOW = "2"  # first character of an answer to a list; 1 and 3: the end


class TableFault(Exception):
    """What the host sent can't be used. Says why."""


@dataclass(frozen=True)
class CaKey:
    """A certification authority's public key; ``rid``, ``index``, ``modulus``, ``exponent`` in hex, ``expiry`` as it
    came."""

    rid: str
    index: str
    expiry: str
    modulus: str
    exponent: str


@dataclass(frozen=True)
class Application:
    """A chip application that the terminal accepts: all that came, tag -> value in hex."""

    aid: str
    objects: dict[str, str] = field(default_factory=dict)

    @property
    def floor_limit(self) -> int:
        """9F1B, in cents: an amount that reaches it goes online. 0 where none came."""
        return int(self.objects.get(_FLOOR_LIMIT) or "0", 16)

    @property
    def offline_limit(self) -> int | None:
        """9F7B, in cents: the most of one purchase with electronic cash. None: none came."""
        digits = self.objects.get(_OFFLINE_LIMIT, "")
        return int(digits) if digits else None


def check(store: Store) -> None:
    """Every table can be read. Raises :class:`StoreDamaged`: a changed one is for the repair shop, not for a sale."""
    try:
        ca_keys(store), applications(store), blacklist(store)
    except (TypeError, ValueError, AttributeError) as error:
        raise StoreDamaged(f"a table: {error}") from error


# -- what is stored ----------------------------------------------------------------------------------------------------


def ca_keys(store: Store) -> list[CaKey]:
    return [CaKey(**row) for row in store.table(_CA_KEYS) or ()]


def applications(store: Store) -> list[Application]:
    return [Application(**row) for row in store.table(_APPLICATIONS) or ()]


def application_of(store: Store, aid: str) -> Application | None:
    """The parameters for a card's application: the longest stored AID that it begins with (partial selection)."""
    fitting = [one for one in applications(store) if aid.upper().startswith(one.aid)]
    return max(fitting, key=lambda one: len(one.aid), default=None)


def above_offline_limit(store: Store, aid: str, amount: int) -> bool:
    """Whether a purchase of this amount may not be approved by the card alone."""
    found = application_of(store, aid)
    return found is not None and found.offline_limit is not None and amount > found.offline_limit


def blacklist(store: Store) -> list[str]:
    """Beginnings of card numbers."""
    return list(store.table(_BLACKLIST) or ())


def blacklisted(store: Store, pan: str) -> bool:
    """Whether this card is to be refused without asking anybody."""
    return bool(pan) and any(pan.startswith(beginning) for beginning in blacklist(store))


def put_ca_keys(store: Store, keys: list[CaKey]) -> None:
    store.put_table(_CA_KEYS, [asdict(key) for key in keys])


def put_applications(store: Store, found: list[Application]) -> None:
    store.put_table(_APPLICATIONS, [asdict(one) for one in found])


def put_blacklist(store: Store, beginnings: list[str]) -> None:
    store.put_table(_BLACKLIST, beginnings)


# -- what the host sends -----------------------------------------------------------------------------------------------


def parse(data: bytes) -> list[tuple[str, str]]:
    """A row of BER-TLV objects as (tag, value) in hex. Raises :class:`TableFault` where it is damaged."""
    found = tlv.read(data.hex())
    if "".join(tlv.write({tag: value}) for tag, value in found) != data.hex().upper():
        raise TableFault("damaged data objects")
    return found


def entries(data: bytes) -> list[dict[str, str]]:
    """A list as the host sends it: each entry begins with 9F06."""
    rows: list[dict[str, str]] = []
    for tag, value in parse(data):
        if tag == AID:
            rows.append({})
        if not rows or tag in rows[-1]:
            raise TableFault(f"{tag} stands where an entry begins with {AID}")
        rows[-1][tag] = value
    return rows


def ca_key(data: bytes, asked: Mapping[str, str]) -> CaKey:
    """The key that was asked for; its check sum (SHA-1 over RID, index, modulus, exponent) must fit."""
    found = dict(parse(data))
    if any(found.get(tag) != asked[tag] for tag in (RID, KEY_INDEX)):
        raise TableFault("another key than the one that was asked for")
    if not (found.get(_MODULUS) and found.get(_EXPONENT)):
        raise TableFault("a key without modulus or exponent")
    signed = bytes.fromhex(found[RID] + found[KEY_INDEX] + found[_MODULUS] + found[_EXPONENT])
    if found.get(_CHECKSUM) != hashlib.sha1(signed, usedforsecurity=False).hexdigest().upper():
        raise TableFault(f"the check sum of key {found[RID]}/{found[KEY_INDEX]} is wrong")
    return CaKey(found[RID], found[KEY_INDEX], found.get(KEY_EXPIRY, ""), found[_MODULUS], found[_EXPONENT])


def application(data: bytes, asked: Mapping[str, str]) -> Application:
    """The parameters of the application that was asked for."""
    found = dict(parse(data))
    if found.get(AID) != asked[AID]:
        raise TableFault("another application than the one that was asked for")
    digits = found.get(_OFFLINE_LIMIT, "0" * 12)
    if len(found.get(_FLOOR_LIMIT, "00000000")) != 8 or len(digits) != 12 or not digits.isdigit():
        raise TableFault(f"the limits of {asked[AID]} are none")
    return Application(asked[AID], found)


def card_beginnings(text: str) -> list[str]:
    """A block of the blacklist: two digits with the length, that many digits, and so on."""
    found, at = [], 0
    while at < len(text):
        size = text[at : at + 2]
        digits = text[at + 2 : at + 2 + int(size)] if size.isascii() and size.isdigit() and len(size) == 2 else ""
        if not digits or len(digits) != int(size) or not (digits.isascii() and digits.isdigit()):
            raise TableFault(f"no card number at character {at} of the blacklist")
        found.append(digits)
        at += 2 + len(digits)
    return found
