"""Questions to a name server and its answers (RFC 1035, section 4; RFC 2308 for how long a "no" counts). Pure.

Strict: what is not the answer to exactly that question is none.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

_HEADER = struct.Struct(">6H")
_RECORD = struct.Struct(">HHIH")
_A, _CNAME, _SOA, _IN = 1, 5, 6, 1
_RESPONSE, _OPCODE, _TRUNCATED, _RECURSE, _CODE = 0x8000, 0x7800, 0x0200, 0x0100, 0x000F
_OK, _NO_SUCH_NAME = 0, 3
_LONGEST_NAME, _LONGEST_LABEL = 253, 63
_POINTER = 0xC0
MOST_ADDRESSES = 4
_LONGEST_CHAIN = 8  # aliases that are followed
_MOST_RECORDS = 64
_LONGEST_TTL = 0x7FFFFFFF  # RFC 2181, section 8: what is above counts as 0


class NotOurs(Exception):
    """These bytes do not answer that question."""


class Unable(Exception):
    """The server's answer, and it says that it can't tell."""


class Answer(NamedTuple):
    """``addresses`` of the name, none where the server is sure that there are none; ``ttl``: for how many seconds."""

    addresses: tuple[str, ...]
    ttl: int


def is_name(text: str) -> bool:
    """A name of a host (RFC 1123, section 2.1): letters, digits and hyphens, and not all digits behind the last dot."""
    labels = text.split(".")
    fine = all(
        0 < len(label) <= _LONGEST_LABEL and label.isascii() and label.replace("-", "x").isalnum()
        and label[0] != "-" and label[-1] != "-"
        for label in labels
    )
    return fine and len(text) <= _LONGEST_NAME and not labels[-1].isdigit()


def question(number: int, name: str) -> bytes:
    """The question for the addresses of ``name``; ``number`` is its id."""
    labels = b"".join(bytes([len(label)]) + label.encode("ascii") for label in name.split("."))
    return _HEADER.pack(number, _RECURSE, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">HH", _A, _IN)


def parse(data: bytes, number: int, name: str) -> Answer:
    """What ``data`` says to the question of that id for that name. Raises :class:`NotOurs`, :class:`Unable`."""
    try:
        return _parse(data, number, name.lower())
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise NotOurs("cut short") from error


def _parse(data: bytes, number: int, name: str) -> Answer:
    found, flags, questions, answers, authorities, _ = _HEADER.unpack_from(data)
    if found != number or not flags & _RESPONSE or flags & _OPCODE or questions != 1:
        raise NotOurs("another id, or no answer to one question")
    asked, at = _name(data, _HEADER.size)
    if (asked, *struct.unpack_from(">HH", data, at)) != (name, _A, _IN):
        raise NotOurs("another question")
    code = flags & _CODE
    if code not in (_OK, _NO_SUCH_NAME):
        raise Unable(f"code {code}")
    if answers + authorities > _MOST_RECORDS:
        raise NotOurs("more records than an answer has")
    told, at = _records(data, at + 4, answers)
    addresses, ttl = _addresses(data, told, name)
    if addresses:
        return Answer(addresses, ttl)
    if flags & _TRUNCATED:
        raise Unable("cut short by the server")
    return Answer((), _negative_ttl(data, _records(data, at, authorities)[0]))


class _Record(NamedTuple):
    owner: str
    kind: int
    ttl: int
    at: int  # of its data
    size: int


def _records(data: bytes, at: int, count: int) -> tuple[list[_Record], int]:
    """That many records from ``at`` on, those of class IN; and where they end."""
    found = []
    for _ in range(count):
        owner, at = _name(data, at)
        kind, class_, ttl, size = _RECORD.unpack_from(data, at)
        at += _RECORD.size
        if at + size > len(data):
            raise NotOurs("cut short")
        if class_ == _IN:
            found.append(_Record(owner, kind, ttl if ttl <= _LONGEST_TTL else 0, at, size))
        at += size
    return found, at


def _addresses(data: bytes, records: list[_Record], name: str) -> tuple[tuple[str, ...], int]:
    """Those of ``name`` or of what it is an alias of, and the shortest time to live on the way."""
    ttls = []
    for _ in range(_LONGEST_CHAIN):
        own = [one for one in records if one.owner == name and one.kind == _A and one.size == 4]
        if own:
            ttls += [one.ttl for one in own]
            texts = [".".join(map(str, data[one.at : one.at + 4])) for one in own]
            return tuple(dict.fromkeys(texts))[:MOST_ADDRESSES], min(ttls)
        alias = next((one for one in records if one.owner == name and one.kind == _CNAME), None)
        if alias is None:
            break
        ttls.append(alias.ttl)
        name, _end = _name(data, alias.at)
    return (), 0


def _negative_ttl(data: bytes, authorities: list[_Record]) -> int:
    """The lesser of the SOA's own time and of its last field; 0 without one: then it is not to be kept."""
    for one in authorities:
        if one.kind == _SOA and one.size >= 4:
            return int(min(one.ttl, struct.unpack_from(">I", data, one.at + one.size - 4)[0]))
    return 0


def _name(data: bytes, at: int) -> tuple[str, int]:
    """The name at ``at``, in small letters, and where it ends. Pointers lead back only, so there is no loop."""
    labels: list[str] = []
    end, earliest = 0, at
    while True:
        size = data[at]
        if size & _POINTER == _POINTER:
            target = (size & ~_POINTER) << 8 | data[at + 1]
            if target >= earliest:
                raise NotOurs("a name that leads forward")
            end = end or at + 2
            at = earliest = target
        elif size & _POINTER:
            raise NotOurs("a label of an unknown sort")
        elif size == 0:
            return ".".join(labels), end or at + 1
        else:
            label = data[at + 1 : at + 1 + size]
            if len(label) < size or b"." in label:
                raise NotOurs("a label that is none")
            labels.append(label.decode("ascii").lower())
            at += 1 + size
            if sum(len(one) + 1 for one in labels) > _LONGEST_NAME + 1:
                raise NotOurs("a name too long")
