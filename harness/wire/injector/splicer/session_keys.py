# SPDX-License-Identifier: GPL-2.0-only
"""MAC keys of the terminals' sessions, learned from sign-ins as they pass: for who has the master keys. Pure.

The client gives each terminal's master key; the F62 of an approved 0810 opens under it. The keys of the last sign-ins
are kept, and the MAK is used under which the message's own F64, where it has one, is right: a key of another session
would make a MAC that is wrong by accident.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.errors import BadInput
from harness.protocol import frames, keys
from harness.protocol.frames import Frame
from harness.protocol.keys import Algorithm

_KEPT = 4
_SIGN_IN = ("001", "003", "004", "005", "006")


@dataclass(frozen=True, slots=True)
class Master:
    """``tmk``: 8 or 16 bytes. ``sign_in``: the answer to its last sign-in, where that passed before; or b""."""

    tid: str
    mid: str
    tmk: bytes
    sign_in: bytes = b""


def read_masters(values: Sequence[Mapping[str, str]]) -> list[Master]:
    """From ``{"tid", "mid", "tmk", "sign_in"}``, the last two in hex. Raises :class:`BadInput`."""
    masters = []
    for one in values:
        try:
            tmk, sign_in = bytes.fromhex(one["tmk"]), bytes.fromhex(one.get("sign_in", ""))
            tid, mid = one["tid"], one["mid"]
            if not isinstance(tid, str) or not isinstance(mid, str):
                raise TypeError("tid and mid are text")
            masters.append(Master(tid, mid, tmk, sign_in))
        except (KeyError, ValueError, TypeError) as error:
            raise BadInput(
                f"no master key: {error!r}", where="masters",
                remedy='They are [{"tid": ..., "mid": ..., "tmk": hex, "sign_in": hex of the last 0810, if any}, ...].',
            ) from error
        if len(tmk) not in (8, 16):
            raise BadInput(f"a master key has 8 or 16 bytes, that of {one['tid']} has {len(tmk)}", where="masters")
    return masters


class SessionKeys:
    def __init__(self) -> None:
        self._masters: dict[tuple[str, str], bytes] = {}
        self._macs: dict[tuple[str, str], list[tuple[bytes, Algorithm]]] = {}  # the newest first
        self._answers: dict[tuple[str, str], list[Frame]] = {}

    def give(self, masters: Iterable[Master]) -> None:
        """Adds master keys; a sign-in that passed before is opened now."""
        for master in masters:
            who = master.tid, master.mid
            self._masters[who] = master.tmk
            self.learn(master.sign_in)
            self._open(who)

    @property
    def any(self) -> bool:
        """Whether there can ever be a session's key."""
        return bool(self._masters)

    def learn(self, data: bytes) -> None:
        """A message that passed to the terminal; most are no sign-in."""
        if data[13:15] != b"\x08\x10":
            return
        try:
            frame = frames.decode(data)
        except BadInput:
            return
        if frame.network_code in _SIGN_IN and frame.get(39) == "00" and 62 in frame:
            who = frame.get(41), frame.get(42)
            answers = self._answers.setdefault(who, [])
            if frame not in answers:  # one that is given may be known, and be no longer the newest
                answers.insert(0, frame)
                del answers[_KEPT:]
                self._open(who)

    def seal(self, frame: Frame, *, like: Frame) -> Frame:
        """``frame`` with the F64 of its terminal's session. Raises :class:`BadInput` where that can't be made."""
        who = like.get(41), like.get(42)
        found = self._macs.get(who, [])
        if not found:
            missing = "no sign-in of it has passed" if who in self._masters else "its master key is not known"
            raise BadInput(
                f"the MAC can't be recomputed: the session's key of terminal {who[0]} at {who[1]}: {missing}",
                where="mac", remedy="Give its master key and sign in through the injector, or say another `mac`.",
            )
        for mak, algorithm in found:
            if keys.verify(like, mak, algorithm) != "bad":
                return keys.seal(frame, mak, algorithm)
        raise BadInput(
            f"the MAC can't be recomputed: that of the {like.mti} is not right under the keys of the last sign-ins of "
            f"terminal {who[0]}", where="mac", remedy="Sign in again through the injector.",
        )

    def _open(self, who: tuple[str, str]) -> None:
        tmk = self._masters.get(who)
        self._macs[who] = []
        if tmk is None:
            return
        for frame in self._answers.get(who, []):
            try:
                opened = keys.working_keys(frame.binary(62), frame.network_code, tmk)
            except BadInput:
                continue
            if opened.mak_ok:
                self._macs[who].append((opened.mak, opened.algorithm))
