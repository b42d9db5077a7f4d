"""Who may use the host: merchants, terminals, their sign state and keys.

A terminal is known by (MID, TID). Each :meth:`Registry.register_terminal` makes a new row: it counts one registration
up, the sign state is initial, and the first sign-in will force batch 000001 (as a published acquirer host, posp-core,
does). Working keys live beside the row: whether they outlive it is the profile's ``keys_outlive_registration``.

This is what the switch sees, and the one place that changes it: the control channel (:mod:`harness.acquirer.office`) is
the short way in, applications and activation (:mod:`harness.acquirer.registration`) the long one.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from itertools import accumulate
from typing import Literal

from harness.acquirer.store import Store
from harness.errors import BadInput

MerchantState = Literal["active", "suspended", "closed"]
TerminalState = Literal["active", "suspended", "pending", "rejected", "approved", "removed", "unbound", "dormant"]
Gone = Literal["removed", "unbound", "dormant"]

HAS_ROW: tuple[TerminalState, ...] = ("active", "suspended")  # in the other states the switch finds no row
UNDER_REVIEW: tuple[TerminalState, ...] = ("pending", "rejected", "approved")
SEEN_EVERY_S = 600  # how exact it is kept when a terminal was seen last
_ODD = bytes(byte & 0xFE | (byte >> 1).bit_count() % 2 ^ 1 for byte in range(256))  # each byte with odd parity
FIRST_BATCH = 1
LAST_BATCH = 999_999


class SignState(IntEnum):
    """Sign-in states of the surveyed host; 1 may transact, 0, 2 and 3 get 77, 4 gets 58."""

    INITIAL = 0
    SIGNED_IN = 1
    SIGNED_OFF = 2
    MAINTENANCE = 3
    CLOSED = 4


SignedOut = Literal["signed_off", "maintenance", "closed"]
SIGNED_OUT: Mapping[SignedOut, SignState] = {
    "signed_off": SignState.SIGNED_OFF, "maintenance": SignState.MAINTENANCE, "closed": SignState.CLOSED,
}


@dataclass(frozen=True)
class Merchant:
    mid: str
    name: str
    state: MerchantState


@dataclass(frozen=True)
class Terminal:
    """A terminal's row. ``batch`` is the number the host expects; ``ever_signed_in`` is per registration."""

    mid: str
    tid: str
    registration: int
    state: TerminalState
    sign_state: SignState
    batch: int
    ever_signed_in: bool


@dataclass(frozen=True)
class Binding:
    """The unit that belongs to a terminal number: its serial number (TUSN), device type, and the five elements."""

    mid: str
    tid: str
    serial_number: str
    device_type: str
    elements: Mapping[str, str]
    began: int  # seconds since 1970


@dataclass(frozen=True)
class Keys:
    """Clear test keys: TMK 16 bytes; PIK, MAK and TDK as the profile has them, None before the first sign-in (TDK: also
    where the sign-in brings none)."""

    tmk: bytes
    pik: bytes | None
    mak: bytes | None
    tdk: bytes | None = None


def new_key(size: int) -> bytes:
    """A random DES key of 8 or 16 bytes with odd parity, its halves different."""
    return new_keys(size)[0]


def new_keys(*sizes: int) -> list[bytes]:
    """Several such keys at once."""
    while True:
        random, ends = secrets.token_bytes(sum(sizes)).translate(_ODD), list(accumulate(sizes))
        keys = [random[end - size : end] for size, end in zip(sizes, ends, strict=True)]
        if all(len(key) == 8 or key[:8] != key[8:] for key in keys):
            return keys


def next_batch(batch: int) -> int:
    """999999 is followed by 1."""
    return FIRST_BATCH if batch >= LAST_BATCH else batch + 1


class Registry:
    """The back office's tables. Every change is the caller's transaction. Rows that were read are kept in memory."""

    def __init__(self, store: Store, *, keys_outlive_registration: bool, seconds: Callable[[], int]) -> None:
        """``seconds``: the host's clock, since 1970."""
        self._store, self._db, self.seconds = store, store.db, seconds
        self._keys_outlive = keys_outlive_registration
        self._merchants: dict[str, Merchant] = {}
        self._terminals: dict[tuple[str, str], Terminal] = {}
        self._keys: dict[tuple[str, str], Keys] = {}
        self._seen: dict[tuple[str, str], int] = {}
        store.keeps_rows(self._forget)

    def _forget(self) -> None:
        for kept in (self._merchants, self._terminals, self._keys, self._seen):
            kept.clear()

    def _changed(self, mid: str, tid: str) -> None:
        """The terminal's row or its keys are not what they were."""
        self._terminals.pop((mid, tid), None)
        self._keys.pop((mid, tid), None)

    # -- merchants ----------------------------------------------------------------------------------------------------

    def merchant(self, mid: str) -> Merchant | None:
        known = self._merchants.get(mid)
        if known is None:
            row = self._db.execute("SELECT * FROM merchants WHERE mid = ?", (mid,)).fetchone()
            if row is None:
                return None
            known = self._merchants[mid] = Merchant(row["mid"], row["name"], row["state"])
        return known

    def register_merchant(self, mid: str, name: str) -> None:
        """Makes the merchant, active; an existing one gets the name and is active again."""
        self._merchants.pop(mid, None)
        self._db.execute("INSERT OR REPLACE INTO merchants VALUES (?, ?, 'active')", (mid, name))

    def set_merchant_state(self, mid: str, state: MerchantState) -> None:
        self._merchants.pop(mid, None)
        if not self._db.execute("UPDATE merchants SET state = ? WHERE mid = ?", (state, mid)).rowcount:
            raise _no_merchant(mid)

    def remove_merchant(self, mid: str) -> None:
        """Deletes the merchant's row alone: its terminals stay, and work again once it is registered again."""
        self._merchants.pop(mid, None)
        if not self._db.execute("DELETE FROM merchants WHERE mid = ?", (mid,)).rowcount:
            raise _no_merchant(mid)

    # -- terminals ----------------------------------------------------------------------------------------------------

    def terminal(self, mid: str, tid: str) -> Terminal | None:
        """The row as the switch sees it: None also where registration is pending, rejected or removed."""
        found = self.application(mid, tid)
        return found if found is not None and found.state in HAS_ROW else None

    def application(self, mid: str, tid: str) -> Terminal | None:
        """The row as the back office sees it, whatever its state."""
        known = self._terminals.get((mid, tid))
        if known is None:
            row = self._db.execute("SELECT * FROM terminals WHERE mid = ? AND tid = ?", (mid, tid)).fetchone()
            if row is None:
                return None
            known = self._terminals[mid, tid] = _terminal(row)
        return known

    def applications(self, mid: str | None = None) -> list[Terminal]:
        """All rows as the back office sees them, of one merchant or (None) of all, in their order."""
        rows = self._db.execute("SELECT * FROM terminals WHERE ? IN (mid, '') ORDER BY mid, tid", (mid or "",))
        return [_terminal(row) for row in rows]

    def with_tid(self, tid: str) -> list[Terminal]:
        """The rows of all merchants with this terminal number, whatever their state."""
        return [_terminal(row) for row in self._db.execute("SELECT * FROM terminals WHERE tid = ?", (tid,))]

    def register_terminal(self, mid: str, tid: str, tmk: bytes | None = None) -> bytes:
        """A new row, also where there was one. Returns the TMK (a new random one when none is given)."""
        if self.merchant(mid) is None:
            raise BadInput(f"merchant {mid} is not registered", remedy="register_merchant first")
        before = self.application(mid, tid)
        if tmk is None:
            tmk = new_key(16)
        self._db.execute(
            "INSERT OR REPLACE INTO terminals VALUES (?, ?, ?, 'active', ?, ?, 0)",
            (mid, tid, 1 if before is None else before.registration + 1, SignState.INITIAL, FIRST_BATCH),
        )
        self._changed(mid, tid)
        self._saw(mid, tid, self.seconds())
        self._db.execute("INSERT OR IGNORE INTO keys VALUES (?, ?, ?, NULL, NULL, NULL)", (mid, tid, tmk))
        self._db.execute("UPDATE keys SET tmk = ? WHERE mid = ? AND tid = ?", (tmk, mid, tid))
        if not self._keys_outlive:
            self._drop_working_keys(mid, tid)
        return tmk

    def remove_terminal(self, mid: str, tid: str, becoming: Gone = "removed") -> None:
        """No row from now on, and no unit bound. Its number of registrations and its books stay known to the back
        office."""
        self._existing(mid, tid, *HAS_ROW, *UNDER_REVIEW)
        self._set_state(mid, tid, becoming)
        self.unbind(mid, tid)
        if not self._keys_outlive:
            self._drop_working_keys(mid, tid)

    def suspend_terminal(self, mid: str, tid: str) -> None:
        self._existing(mid, tid, *HAS_ROW)
        self._set_state(mid, tid, "suspended")

    def restore_terminal(self, mid: str, tid: str) -> None:
        """Active again after suspended, pending or rejected: the same row, with its sign state, keys and batch."""
        self._existing(mid, tid, *HAS_ROW, *UNDER_REVIEW)
        if self.keys(mid, tid, even_removed=True) is None:
            raise BadInput(f"terminal {tid} of merchant {mid} never had a TMK", remedy="register_terminal makes one")
        self._set_state(mid, tid, "active")

    def set_application_state(self, mid: str, tid: str, state: Literal["pending", "rejected", "approved"]) -> None:
        """Registration under review, refused, or approved and not activated: no row for the switch. Makes the
        application where there is none."""
        if self.application(mid, tid) is None:
            self._db.execute(
                "INSERT INTO terminals VALUES (?, ?, 0, ?, ?, ?, 0)", (mid, tid, state, SignState.INITIAL, FIRST_BATCH)
            )
        self._set_state(mid, tid, state)

    def issue_tmk(self, mid: str, tid: str) -> bytes:
        """A new TMK for an existing row. Working keys and sign state hold until the next sign-in."""
        self._existing(mid, tid, *HAS_ROW)
        tmk = new_key(16)
        self._changed(mid, tid)
        self._db.execute("UPDATE keys SET tmk = ? WHERE mid = ? AND tid = ?", (tmk, mid, tid))
        return tmk

    def set_batch(self, mid: str, tid: str, batch: int) -> None:
        """The batch number that the host expects from now on, and gives at the next sign-in, the first one too."""
        self._existing(mid, tid, *HAS_ROW)
        if not FIRST_BATCH <= batch <= LAST_BATCH:
            raise BadInput(f"batch {batch} is not in {FIRST_BATCH}..{LAST_BATCH}")
        self._changed(mid, tid)
        self._db.execute(
            "UPDATE terminals SET batch = ?, ever_signed_in = 1 WHERE mid = ? AND tid = ?", (batch, mid, tid)
        )

    def set_sign_state(self, mid: str, tid: str, state: SignState) -> None:
        self._existing(mid, tid, *HAS_ROW)
        self._changed(mid, tid)
        self._db.execute("UPDATE terminals SET sign_state = ? WHERE mid = ? AND tid = ?", (state, mid, tid))

    def sign_in(self, terminal: Terminal, pik: bytes, mak: bytes, tdk: bytes | None = None) -> int:
        """Signed in with these working keys. Returns the batch: 1 at its first sign-in, else the stored."""
        batch = terminal.batch if terminal.ever_signed_in else FIRST_BATCH
        where = (terminal.mid, terminal.tid)
        if not (terminal.ever_signed_in and terminal.sign_state is SignState.SIGNED_IN):
            self._db.execute(
                "UPDATE terminals SET sign_state = ?, batch = ?, ever_signed_in = 1 WHERE mid = ? AND tid = ?",
                (SignState.SIGNED_IN, batch, *where),
            )
            self._terminals[where] = Terminal(
                *where, terminal.registration, terminal.state, SignState.SIGNED_IN, batch, ever_signed_in=True
            )
        self._db.execute(
            "UPDATE keys SET pik = ?, mak = ?, tdk = nullif(?, x'') WHERE mid = ? AND tid = ?",
            (bytearray(pik), bytearray(mak), bytearray(tdk or b""), *where),
        )
        known = self._keys.get(where)
        if known is not None:
            self._keys[where] = Keys(known.tmk, pik, mak, tdk)
        return batch

    def saw(self, terminal: Terminal, at: int) -> None:
        """It sent something, ``at`` this second of the host's clock. Written down at most every :data:`SEEN_EVERY_S`: a
        message costs no write of its own."""
        last = self._seen.get((terminal.mid, terminal.tid))
        if last is None or not last <= at < last + SEEN_EVERY_S:
            self._saw(terminal.mid, terminal.tid, at)

    def last_seen(self, mid: str, tid: str) -> int | None:
        """When it last sent something or was registered: seconds since 1970 on the host's clock. None: never."""
        row = self._db.execute("SELECT at FROM seen WHERE mid = ? AND tid = ?", (mid, tid)).fetchone()
        return None if row is None else int(row["at"])

    def unseen_since(self, at: int) -> list[Terminal]:
        """Terminals with a row that were not seen after ``at``."""
        rows = self._db.execute(
            "SELECT terminals.* FROM terminals JOIN seen USING (mid, tid) WHERE at <= ? AND state IN (?, ?)"
            " ORDER BY mid, tid", (at, *HAS_ROW),
        )
        return [_terminal(row) for row in rows]

    def _saw(self, mid: str, tid: str, at: int) -> None:
        self._db.execute("INSERT OR REPLACE INTO seen VALUES (?, ?, ?)", (mid, tid, at))
        self._seen[mid, tid] = at

    # -- units --------------------------------------------------------------------------------------------------------

    def bind(
        self, mid: str, tid: str, serial_number: str, device_type: str = "02", elements: Mapping[str, str] | None = None
    ) -> None:
        """This unit, and no other, is the terminal from now on; the one before is unbound. Raises :class:`BadInput`
        when the unit belongs to another terminal."""
        other = self.binding_of(serial_number)
        if other is not None and (other.mid, other.tid) != (mid, tid):
            raise BadInput(
                f"unit {serial_number} is bound to terminal {other.tid} of merchant {other.mid}",
                remedy="A serial number belongs to one terminal: unbind it there first.",
            )
        self.unbind(mid, tid)
        self._db.execute(
            "INSERT INTO bindings (mid, tid, serial_number, device_type, elements, began) VALUES (?, ?, ?, ?, ?, ?)",
            (mid, tid, serial_number, device_type, json.dumps(elements or {}, ensure_ascii=False), self.seconds()),
        )

    def unbind(self, mid: str, tid: str) -> None:
        """Ends the terminal's binding, where there is one."""
        self._db.execute(
            "UPDATE bindings SET ended = ? WHERE mid = ? AND tid = ? AND ended IS NULL", (self.seconds(), mid, tid)
        )

    def binding(self, mid: str, tid: str) -> Binding | None:
        """The binding in force, or None."""
        return _binding(self._db.execute(
            "SELECT * FROM bindings WHERE mid = ? AND tid = ? AND ended IS NULL", (mid, tid)
        ).fetchone())

    def binding_of(self, serial_number: str) -> Binding | None:
        """The binding in force of this unit, or None."""
        return _binding(self._db.execute(
            "SELECT * FROM bindings WHERE serial_number = ? AND ended IS NULL", (serial_number,)
        ).fetchone())

    # -- keys ---------------------------------------------------------------------------------------------------------

    def keys(self, mid: str, tid: str, *, even_removed: bool = False) -> Keys | None:
        """The keys the host would use for this terminal. None: never had any, or by profile gone with the row."""
        if not (even_removed or self._keys_outlive) and self.terminal(mid, tid) is None:
            return None
        known = self._keys.get((mid, tid))
        if known is None:
            row = self._db.execute("SELECT * FROM keys WHERE mid = ? AND tid = ?", (mid, tid)).fetchone()
            if row is None:
                return None
            known = self._keys[mid, tid] = Keys(row["tmk"], row["pik"], row["mak"], row["tdk"])
        return known

    def delete_working_keys(self, mid: str, tid: str) -> None:
        """No MAK, no PIK: financial requests get A0 until the next sign-in."""
        self._existing(mid, tid, *HAS_ROW)
        self._drop_working_keys(mid, tid)

    def _drop_working_keys(self, mid: str, tid: str) -> None:
        self._changed(mid, tid)
        self._db.execute("UPDATE keys SET pik = NULL, mak = NULL, tdk = NULL WHERE mid = ? AND tid = ?", (mid, tid))

    def _set_state(self, mid: str, tid: str, state: TerminalState) -> None:
        self._changed(mid, tid)
        self._db.execute("UPDATE terminals SET state = ? WHERE mid = ? AND tid = ?", (state, mid, tid))

    def _existing(self, mid: str, tid: str, *states: TerminalState) -> Terminal:
        found = self.application(mid, tid)
        if found is None or found.state not in states:
            is_now = "was never registered" if found is None else f"is {found.state}"
            raise BadInput(
                f"terminal {tid} of merchant {mid} {is_now}; this needs one that is {' or '.join(states)}",
                remedy="register_terminal makes a new row",
            )
        return found


def _no_merchant(mid: str) -> BadInput:
    return BadInput(f"merchant {mid} is not registered", remedy="register_merchant first")


def _binding(row: sqlite3.Row | None) -> Binding | None:
    return None if row is None else Binding(
        row["mid"], row["tid"], row["serial_number"], row["device_type"], json.loads(row["elements"]), row["began"]
    )


def _terminal(row: sqlite3.Row) -> Terminal:
    return Terminal(
        row["mid"], row["tid"], row["registration"], row["state"], SignState(row["sign_state"]), row["batch"],
        bool(row["ever_signed_in"]),
    )
