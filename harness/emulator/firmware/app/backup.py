"""A unit's identity, settings and unsettled batch as text for its successor, and the way back.

    HIL97-BACKUP 1
    model HT-100
    unit HT97000001
    key 66E94B                                          check value of the engineer's key
    merchant 1 TID=.. MID=.. batch=000001 trace=000012 records=2 undelivered=0 reversal=000011
    record 1 000010 sale 1000 622700******0001          merchant, trace, kind, cents, card masked
    data <base64, as many lines as it needs>            nonce, then all of it under AES in counter mode
    end <HMAC-SHA-256 of all lines before>

No key is in it. A unit that was backed up has handed its batch over: it takes no money and delivers nothing any more,
or the same transactions would be sent by two units. What is restored becomes valid with one file.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import zlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from . import provisioning
from .provisioning import Refused
from .records import Record, State, from_json, record_from_json, to_json
from .store import Store, StoreDamaged

TITLE = "HIL97-BACKUP 1"
MOST_LINES, LARGEST = 4096, 600_000  # of a text, and bytes of what it holds: both fit the memory beside what is there
_DATA_LINE = 1024
_NONCE = 16
_RESTORING = "restoring"  # table of the store: what was taken over, until every merchant has it
_NOT_CARRIED: dict[str, Any] = {  # keys stay; the files are the new unit's own
    "tmk": "", "pik": "", "mak": "", "tdk": "", "tls_key": "", "signed_in": False, "handed_over": False, "note": "",
    "generation": 0, "log_bytes": 0,
}


class Carried(NamedTuple):
    """What one merchant had."""

    state: State
    log: list[Record]


def take(
    stores: Sequence[Store], key: bytes, *, model: str, serial_number: str, random: Callable[[int], bytes]
) -> list[str]:
    """The lines of a backup. From now on the unit has handed over. Raises :class:`Refused`."""
    if not any(store.state.tid for store in stores):
        raise Refused("77", "nothing to back up: no identity is set")
    content = [{"state": to_json(replace(s.state, **_NOT_CARRIED)), "log": list(map(asdict, s.log))} for s in stores]
    lines = [TITLE, f"model {model}", f"unit {serial_number}", f"key {_check_value(key)}"]
    for number, store in enumerate(stores, 1):
        lines += _described(number, store)
    nonce = random(_NONCE)
    data = base64.b64encode(nonce + _crypt(key, nonce, _packed(content))).decode()
    lines += [f"data {data[at : at + _DATA_LINE]}" for at in range(0, len(data), _DATA_LINE)]
    for store in stores:
        store.commit(handed_over=True)
    return [*lines, f"end {_seal(key, lines)}"]


def cancel(stores: Sequence[Store]) -> None:
    """The engineer answers for it that the backup will be restored nowhere: the unit works again."""
    for store in stores:
        if store.state.handed_over:
            store.commit(handed_over=False)


def restore(stores: Sequence[Store], lines: Sequence[str], key: bytes, *, model: str) -> list[Carried]:
    """Takes over what a backup holds: all of it, or nothing. Raises :class:`Refused`."""
    for store in stores:
        provisioning.refuse_identity_change(store)
    carried = opened(lines, key, model=model, merchants=len(stores))
    for store, one in zip(stores, carried, strict=True):
        _refuse_what_is_past(store.state, one.state)
    packed = _packed([{"state": to_json(one.state), "log": list(map(asdict, one.log))} for one in carried])
    stores[0].put_table(_RESTORING, base64.b64encode(packed).decode())
    finish(stores)
    return carried


def _refuse_what_is_past(state: State, carried: State) -> None:
    """A unit that has sold under the number of the backup has had that batch, or is ahead of it: it would be settled
    once more."""
    if state.last is not None and (state.tid, state.mid) == (carried.tid, carried.mid):
        raise Refused("87", "this unit has sold under that number itself")


def finish(stores: Sequence[Store]) -> None:
    """Gives each merchant what was taken over, also after a power cut in its middle. Raises :class:`StoreDamaged`."""
    try:
        text = stores[0].table(_RESTORING)
        if text is None:
            return
        content = _unpacked(base64.b64decode(text))
    except (ValueError, TypeError, KeyError) as error:
        raise StoreDamaged(f"what was to be restored: {error}") from error
    for store, one in zip(stores, content, strict=True):
        store.replace(one.state, one.log)
    stores[0].put_table(_RESTORING, None)


def opened(lines: Sequence[str], key: bytes, *, model: str, merchants: int) -> list[Carried]:
    """What is in a backup. Raises :class:`Refused`: 70 damaged, 71 another key, 72 another model, 75 another data
    format."""
    said: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(" ")
        said[name] = said.get(name, "") + value  # data go over several lines
    if not lines or lines[0] != TITLE:
        raise Refused("70", "the backup is damaged")
    if said.get("key") != _check_value(key):
        raise Refused("71", "the backup was made with another key")
    if not hmac.compare_digest(lines[-1].encode(), f"end {_seal(key, lines[:-1])}".encode()):
        raise Refused("70", "the backup is damaged")
    if said.get("model") != model:
        raise Refused("72", f"the backup is of another model, {said.get('model')}")
    try:
        data = base64.b64decode(said.get("data", ""), validate=True)
        content = _unpacked(_crypt(key, data[:_NONCE], data[_NONCE:]))
    except (ValueError, zlib.error) as error:
        raise Refused("70", "the backup is damaged") from error
    except (TypeError, KeyError) as error:
        raise Refused("75", "the backup is of another data format") from error
    if len(content) != merchants:
        raise Refused("72", f"the backup is of {len(content)} merchants, here are {merchants}")
    return content


def key_of(text: str) -> bytes:
    """The engineer's key: 32 hex digits. Raises :class:`Refused`."""
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != 16 or len(text) != 32:
        raise Refused("03", "the key is 32 hex digits")
    return key


def _described(number: int, store: Store) -> list[str]:
    """For people: what a batch holds, no card number whole."""
    state = store.state
    reversal = state.reversal.trace if state.reversal else "none"
    return [
        f"merchant {number} TID={state.tid} MID={state.mid} batch={state.batch:06d} trace={state.trace:06d} "
        f"records={len(store.log)} undelivered={len(state.undelivered)} reversal={reversal}",
        *(f"record {number} {one.trace:06d} {one.kind} {one.amount} {_masked(one.pan or one.code)}"
          for one in store.log),
    ]


def _masked(pan: str) -> str:
    return pan[:6] + "*" * max(0, len(pan) - 10) + pan[-4:] if len(pan) > 10 else "*" * len(pan)


def _packed(content: list[dict[str, Any]]) -> bytes:
    data = json.dumps(content, separators=(",", ":")).encode()
    if len(data) > LARGEST:
        raise Refused("76", "the batch is too large: settle it")
    return zlib.compress(data)


def _unpacked(data: bytes) -> list[Carried]:
    inflate = zlib.decompressobj()
    plain = inflate.decompress(data, LARGEST)
    if not inflate.eof:
        raise ValueError("more than fits")
    return [
        Carried(from_json(one["state"]), list(map(record_from_json, one["log"]))) for one in json.loads(plain)
    ]


def _seal(key: bytes, lines: Sequence[str]) -> str:
    return hmac.new(_derived(key, b"seal"), "\n".join(lines).encode(), hashlib.sha256).hexdigest().upper()


def _crypt(key: bytes, nonce: bytes, data: bytes) -> bytes:
    """Either way."""
    return Cipher(algorithms.AES(_derived(key, b"data")[:16]), modes.CTR(nonce)).encryptor().update(data)


def _derived(key: bytes, purpose: bytes) -> bytes:
    return hmac.new(key, purpose, hashlib.sha256).digest()


def _check_value(key: bytes) -> str:
    return Cipher(algorithms.AES(key), modes.ECB()).encryptor().update(bytes(16))[:3].hex().upper()
