"""Who may use the host: merchants, terminals, their sign state and keys.

A terminal is known by (MID, TID). Each :meth:`Registry.register_terminal` makes a new row: it counts one registration
up, the sign state is initial, and the first sign-in will force batch 000001 (as a published acquirer host, posp-core,
does). Working keys live beside the row: whether they outlive it is the profile's ``keys_outlive_registration``.
"""

from __future__ import annotations

import secrets
import sqlite3
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

from harness.acquirer.store import Store
from harness.errors import BadInput

MerchantState = Literal["active", "suspended"]
TerminalState = Literal["active", "suspended", "pending", "rejected", "removed"]

HAS_ROW: tuple[TerminalState, ...] = ("active", "suspended")  # in the other states the switch finds no row
FIRST_BATCH = 1
LAST_BATCH = 999_999


class SignState(IntEnum):
    """Sign-in states of the surveyed host; 1 may transact, 0, 2 and 3 get 77, 4 gets 58."""

    INITIAL = 0
    SIGNED_IN = 1
    SIGNED_OFF = 2
    MAINTENANCE = 3
    CLOSED = 4


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
class Keys:
    """Clear test keys: TMK 16 bytes, PIK 16, MAK 8; the working keys are None before the first sign-in."""

    tmk: bytes
    pik: bytes | None
    mak: bytes | None


def new_key(size: int) -> bytes:
    """A random DES key of 8 or 16 bytes with odd parity, its halves different."""
    while True:
        key = bytes(byte & 0xFE | (bin(byte >> 1).count("1") + 1) % 2 for byte in secrets.token_bytes(size))
        if size == 8 or key[:8] != key[8:]:
            return key


def next_batch(batch: int) -> int:
    """999999 is followed by 1."""
    return FIRST_BATCH if batch >= LAST_BATCH else batch + 1


class Registry:
    """The back office's tables. Every change is the caller's transaction."""

    def __init__(self, store: Store, *, keys_outlive_registration: bool) -> None:
        self._store, self._db = store, store.db
        self._keys_outlive = keys_outlive_registration

    # -- merchants ----------------------------------------------------------------------------------------------------

    def merchant(self, mid: str) -> Merchant | None:
        row = self._db.execute("SELECT * FROM merchants WHERE mid = ?", (mid,)).fetchone()
        return None if row is None else Merchant(row["mid"], row["name"], row["state"])

    def register_merchant(self, mid: str, name: str) -> None:
        """Makes the merchant, active; an existing one gets the name and is active again."""
        self._db.execute("INSERT OR REPLACE INTO merchants VALUES (?, ?, 'active')", (mid, name))

    def set_merchant_state(self, mid: str, state: MerchantState) -> None:
        if not self._db.execute("UPDATE merchants SET state = ? WHERE mid = ?", (state, mid)).rowcount:
            raise _no_merchant(mid)

    def remove_merchant(self, mid: str) -> None:
        """Deletes the merchant's row alone: its terminals stay, and work again once it is registered again."""
        if not self._db.execute("DELETE FROM merchants WHERE mid = ?", (mid,)).rowcount:
            raise _no_merchant(mid)

    # -- terminals ----------------------------------------------------------------------------------------------------

    def terminal(self, mid: str, tid: str) -> Terminal | None:
        """The row as the switch sees it: None also where registration is pending, rejected or removed."""
        found = self.application(mid, tid)
        return found if found is not None and found.state in HAS_ROW else None

    def application(self, mid: str, tid: str) -> Terminal | None:
        """The row as the back office sees it, whatever its state."""
        row = self._db.execute("SELECT * FROM terminals WHERE mid = ? AND tid = ?", (mid, tid)).fetchone()
        return None if row is None else _terminal(row)

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
        self._db.execute("INSERT OR IGNORE INTO keys VALUES (?, ?, ?, NULL, NULL)", (mid, tid, tmk))
        self._db.execute("UPDATE keys SET tmk = ? WHERE mid = ? AND tid = ?", (tmk, mid, tid))
        if not self._keys_outlive:
            self._drop_working_keys(mid, tid)
        return tmk

    def remove_terminal(self, mid: str, tid: str) -> None:
        """No row from now on. Its number of registrations and its books stay known to the back office."""
        self._existing(mid, tid, *HAS_ROW, "pending", "rejected")
        self._set_state(mid, tid, "removed")
        if not self._keys_outlive:
            self._drop_working_keys(mid, tid)

    def suspend_terminal(self, mid: str, tid: str) -> None:
        self._existing(mid, tid, *HAS_ROW)
        self._set_state(mid, tid, "suspended")

    def restore_terminal(self, mid: str, tid: str) -> None:
        """Active again after suspended, pending or rejected: the same row, with its sign state, keys and batch."""
        self._existing(mid, tid, *HAS_ROW, "pending", "rejected")
        if self.keys(mid, tid, even_removed=True) is None:
            raise BadInput(f"terminal {tid} of merchant {mid} never had a TMK", remedy="register_terminal makes one")
        self._set_state(mid, tid, "active")

    def set_application_state(self, mid: str, tid: str, state: Literal["pending", "rejected"]) -> None:
        """Registration under review or refused: no row for the switch. Makes the application where there is none."""
        if self.application(mid, tid) is None:
            self._db.execute(
                "INSERT INTO terminals VALUES (?, ?, 0, ?, ?, ?, 0)", (mid, tid, state, SignState.INITIAL, FIRST_BATCH)
            )
        self._set_state(mid, tid, state)

    def issue_tmk(self, mid: str, tid: str) -> bytes:
        """A new TMK for an existing row. Working keys and sign state hold until the next sign-in."""
        self._existing(mid, tid, *HAS_ROW)
        tmk = new_key(16)
        self._db.execute("UPDATE keys SET tmk = ? WHERE mid = ? AND tid = ?", (tmk, mid, tid))
        return tmk

    def set_batch(self, mid: str, tid: str, batch: int) -> None:
        """The batch number that the host expects from now on, and gives at the next sign-in, the first one too."""
        self._existing(mid, tid, *HAS_ROW)
        if not FIRST_BATCH <= batch <= LAST_BATCH:
            raise BadInput(f"batch {batch} is not in {FIRST_BATCH}..{LAST_BATCH}")
        self._db.execute(
            "UPDATE terminals SET batch = ?, ever_signed_in = 1 WHERE mid = ? AND tid = ?", (batch, mid, tid)
        )

    def set_sign_state(self, mid: str, tid: str, state: SignState) -> None:
        self._existing(mid, tid, *HAS_ROW)
        self._db.execute("UPDATE terminals SET sign_state = ? WHERE mid = ? AND tid = ?", (state, mid, tid))

    def sign_in(self, terminal: Terminal, pik: bytes, mak: bytes) -> int:
        """Signed in with these working keys. Returns the batch: 1 at its first sign-in, else the stored."""
        batch = terminal.batch if terminal.ever_signed_in else FIRST_BATCH
        where = (terminal.mid, terminal.tid)
        self._db.execute(
            "UPDATE terminals SET sign_state = ?, batch = ?, ever_signed_in = 1 WHERE mid = ? AND tid = ?",
            (SignState.SIGNED_IN, batch, *where),
        )
        self._db.execute("UPDATE keys SET pik = ?, mak = ? WHERE mid = ? AND tid = ?", (pik, mak, *where))
        return batch

    # -- keys ---------------------------------------------------------------------------------------------------------

    def keys(self, mid: str, tid: str, *, even_removed: bool = False) -> Keys | None:
        """The keys the host would use for this terminal. None: never had any, or by profile gone with the row."""
        if not (even_removed or self._keys_outlive) and self.terminal(mid, tid) is None:
            return None
        row = self._db.execute("SELECT * FROM keys WHERE mid = ? AND tid = ?", (mid, tid)).fetchone()
        return None if row is None else Keys(row["tmk"], row["pik"], row["mak"])

    def _drop_working_keys(self, mid: str, tid: str) -> None:
        self._db.execute("UPDATE keys SET pik = NULL, mak = NULL WHERE mid = ? AND tid = ?", (mid, tid))

    def _set_state(self, mid: str, tid: str, state: TerminalState) -> None:
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


def _terminal(row: sqlite3.Row) -> Terminal:
    return Terminal(
        row["mid"], row["tid"], row["registration"], row["state"], SignState(row["sign_state"]), row["batch"],
        bool(row["ever_signed_in"]),
    )
