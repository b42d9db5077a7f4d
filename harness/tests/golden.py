"""Golden histories: a little world with a good terminal, an honest host and a clock, scripted by a test.

A history is told in the words of the rule it is about::

    world = World()
    with world.test("sale after 97", declares=["MON-01"]):
        world.sign_in()
        world.sale(1200)
        world.remove_terminal()
        world.sale(500)                  # the host answers 97: not registered
        world.register_terminal()
        world.settle()
    world.close()
    log = world.events

Without further words everything goes well. What goes wrong is said in three ways, each able to make *one* thing wrong:

* how the host answers and how its answer travels: a :class:`Reply` (``says("97")``, ``lost()``, ``late("97")``...), or
  just a code, as last argument of ``sign_in``, ``echo``, ``sale``, ``void``, ``settle``, ``send_reversal``;
* what the terminal remembers: :attr:`World.terminal` (:class:`harness.tests.golden_parts.TerminalMemory`) can be
  changed between two steps (``world.terminal.pending = None`` forgets the reversal that is due);
* what the instruments see: every method of :class:`harness.tests.golden_log.Log` (``screen``, ``slip``, ``journal``,
  ``till``, ``power``, ``link``, ``counters``, ``books``...) appends one event by hand.

Each verb returns an :class:`Outcome`. ``world.quiet = True`` leaves out screens (a terminal without an eye on it).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from harness.history.events import Firmware, RunClosed, RunOpened
from harness.protocol.profile import Profile
from harness.terminal.cards import CARDS
from harness.tests.golden_faults import Strike
from harness.tests.golden_kinds import EveryKind
from harness.tests.golden_log import PowerReason
from harness.tests.golden_parts import (
    MID,
    TID,
    Outcome,
    Reply,
    dropped,
    flawed,
    host_closes,
    late,
    lost,
    model_data,
    profile_data,
    refused,
    reply_of,
    says,
    unreachable,
    withheld,
)
from harness.tests.golden_terminal import Via
from harness.tests.golden_wire import F55, Fields

__all__ = [
    "MID", "TID", "Outcome", "Reply", "World",
    "dropped", "flawed", "host_closes", "late", "lost", "refused", "says", "unreachable", "withheld",
]  # fmt: skip


class World(EveryKind):
    """One bench from the opening of its log on. Further keywords change the profile (``accepts_old_batch=False``)."""

    def __init__(
        self,
        model: str = "HT-100",
        *,
        bench: str = "bench-1",
        registered: bool = True,
        time_scale: float = 1.0,
        physical_like: bool = False,
        declaration: dict[str, Any] | None = None,
        **profile_changes: Any,
    ) -> None:
        super().__init__(Profile.model_validate({**profile_data(), **profile_changes}))
        self.declaration = {**model_data(model), **(declaration or {})}
        opened = RunOpened(
            t=0, hil97="0.1.0", run="golden", bench=bench, group=model, model=model,
            firmware=Firmware(name="golden", version="1.0.0", sha256="00" * 32),
            profile=self.profile.model_dump(mode="json"), declaration=self.declaration, physical=False,
            physical_like=physical_like, time_scale=time_scale, wall="2025-06-01T04:00:00Z",
        )  # fmt: skip
        self.append(opened)
        self.replaced("97000001", "first unit of this bench")
        self.key(MID, TID, self.host.keys.tmk.hex().upper())
        self.changed("merchant_registered", MID)
        if registered:
            self.register_terminal()
        self.power("on")
        self.idle()

    def close(self) -> None:
        self.append(RunClosed(t=0))

    # -- the back office -------------------------------------------------------------------------------------------

    def register_terminal(self, *, new_tmk: bool = False) -> None:
        """A new row: at the first sign-in the batch starts at 000001. With a new TMK the terminal can't sign in."""
        if new_tmk:
            self.host.keys = self.host.keys.next()
            self.key(MID, TID, self.host.keys.tmk.hex().upper())
        self.host.registered, self.host.signed_in, self.host.batch = True, False, "000001"
        self.changed("terminal_registered", MID, TID, tmk_kcv=self.host.keys.tmk_kcv, batch="000001")

    def remove_terminal(self) -> None:
        self.host.registered = False
        self.changed("terminal_removed", MID, TID)

    def leave_registration(self, state: Literal["pending", "rejected"]) -> None:
        """The registration is under review or was refused: no row for the switch."""
        self.host.registered = False
        self.changed(f"terminal_{state}", MID, TID)

    def set_host_batch(self, batch: str) -> None:
        self.host.batch = batch
        self.changed("batch_set", MID, TID, batch=batch)

    def set_host_clock(self, seconds_ahead: float) -> None:
        """The host's clock goes this far ahead of the world's."""
        self.host.clock_ahead = seconds_ahead
        self.changed("clock_set", MID, TID, epoch=str(int(self.host.now(self.t).timestamp())))

    def ledger(self) -> None:
        """The bench reads the host's books."""
        self.books(MID, TID, self.host.ledger)

    # -- what is done to the terminal ------------------------------------------------------------------------------

    def sign_in(self, reply: Reply | Strike | str | None = None, *, via: Via = "keypad") -> Outcome:
        with self._operation("sign_in", via) as operation:
            return self._finish(operation, self._sign_in(reply_of(reply)))

    def background_sign_in(self, reply: Reply | Strike | str | None = None) -> Outcome:
        """Nobody asked for it: no operation, no result on the screen."""
        outcome = self._sign_in(reply_of(reply))
        self.idle()
        return outcome

    def echo(self, reply: Reply | Strike | str | None = None, *, via: Via = "keypad") -> Outcome:
        with self._operation("echo", via) as operation:
            fields: Fields = {60: f"00{self.terminal.batch}301"}
            return self._finish(operation, self._exchange(self._request("0820", fields), reply_of(reply)))

    def sale(
        self, amount: int, reply: Reply | Strike | str | None = None, *, via: Via = "keypad", entry: str = "magnetic"
    ) -> Outcome:
        with self._operation("sale", via, amount=str(amount), entry=entry, pin="no") as operation:
            card = CARDS[entry]
            fields: Fields = {
                3: "000000", 4: f"{amount:012d}", 22: "022" if entry == "magnetic" else "052", 25: "00",
                35: card.track2, 49: "156", 60: f"22{self.terminal.batch}00050",
            }  # fmt: skip
            if entry == "chip":
                fields |= {23: card.psn, 55: F55}
            return self._financial(operation, "sale", fields, amount, card.pan, None, reply_of(reply))

    def void(self, trace: str, reply: Reply | Strike | str | None = None, *, via: Via = "keypad") -> Outcome:
        original = next(s for s in self.terminal.log if s.trace == trace)
        with self._operation("void", via, trace=trace) as operation:
            fields: Fields = {
                3: "200000", 4: f"{original.amount:012d}", 22: "022", 25: "00", 35: CARDS["magnetic"].track2,
                37: original.rrn, 49: "156", 60: f"23{self.terminal.batch}00050",
                61: f"{original.batch}{original.trace}",
            }  # fmt: skip
            return self._financial(operation, "void", fields, original.amount, original.pan, trace, reply_of(reply))

    def settle(
        self,
        reply: Reply | Strike | str | None = None,
        *,
        via: Via = "keypad",
        unbalanced: bool = False,
        resume: bool = False,
        upload: Sequence[Reply | Strike | str | None] = (),
    ) -> Outcome:
        """Settlement. ``unbalanced``: the host says that totals differ, whatever they are. ``resume``: goes on with the
        upload that was cut, without another 0500. ``upload``: how the 1st, 2nd... request of the batch upload that
        follows is answered (well, where it says nothing)."""
        with self._operation("settle", via) as operation:
            outcome = self._settle(reply_of(reply), unbalanced, resume, [reply_of(r) for r in upload])
            return self._finish(operation, outcome)

    def reprint(self) -> None:
        with self._operation("reprint", "keypad") as operation:
            if self.terminal.log:
                self._print(self.terminal.log[-1])
            self.complete(operation, "ok")

    def acknowledge(self) -> None:
        """One key from idle."""
        operation = self.invoke("acknowledge")
        self.idle()
        self.complete(operation, "ok")

    def load_tmk(self) -> None:
        operation = self.invoke("load_tmk", "service")
        self.terminal.keys, self.terminal.signed_in = self.host.keys, False
        self.service("to_terminal", "KEY TMK ***")
        self.service("from_terminal", f"OK KCV={self.host.keys.tmk_kcv}")
        self.complete(operation, "ok")

    def read_counters(self) -> None:
        log, pending = self.terminal.log, self.terminal.pending
        operation = self.invoke("read_counters", "service")
        sums = {k: [s.amount for s in log if s.kind == k] for k in ("sale", "void")}
        self.counters(
            batch=self.terminal.batch, trace=f"{self.terminal.trace:06d}",
            sales=f"{len(sums['sale'])}/{sum(sums['sale'])}", voids=f"{len(sums['void'])}/{sum(sums['void'])}",
            signed_in=str(int(self.terminal.signed_in)), reversal=pending.trace if pending else "none",
        )  # fmt: skip
        self.complete(operation, "ok")

    def reboot(self, reason: PowerReason = "operator") -> None:
        self.power("off", reason)
        if not self.quiet:
            self.screen()
        self.wait(0.5)
        self.power("on", reason)
        self.idle()

    def unplug(self) -> None:
        self.link("down")

    def plug(self) -> None:
        self.link("up")
