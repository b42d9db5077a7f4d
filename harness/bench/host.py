"""The acquirer as a bench uses it: its back office, its misbehaviour, its books - each change recorded in the
history."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from harness.acquirer.client import AcquirerClient
from harness.acquirer.download_books import Kind
from harness.bench.software import version_of, version_told
from harness.errors import BenchError
from harness.history.events import HostArmed, HostChanged, HostJournal, HostLedger, Key, LedgerEntry
from harness.history.recorder import Recorder


class Host:
    """A merchant and its terminal at the simulated acquirer.

    ``mid`` (F42, 15 characters) and ``tid`` (F41, 8 characters) are those that the bench registers. ``others``: (TID,
    MID) of the further merchants that share the unit; each is as this one, by :meth:`for_merchant`, while misbehaviour
    and clock are the whole host's.
    """

    def __init__(
        self, client: AcquirerClient, recorder: Recorder, *, mid: str, tid: str, bench: str,
        others: Sequence[tuple[str, str]] = (), listens: bool = True,
        on_trouble: Callable[[str], object] = lambda what: None,
    ) -> None:
        """``listens``: it records the acquirer's journal, which one of them does. ``on_trouble`` gets the acquirer's
        internal errors, in words."""
        self._client, self._recorder, self._bench, self._on_trouble = client, recorder, bench, on_trouble
        self.mid, self.tid = mid, tid
        self.tmk = ""
        self.terminal_registered = False
        self.merchant_registered = False
        self.suspended = self.merchant_suspended = False
        self.bound = ""  # the serial number of the one unit that may be this terminal, "" any
        self.merchants: tuple[Host, ...] = (
            self, *(Host(client, recorder, mid=m, tid=t, bench=bench, listens=False) for t, m in others)
        )
        if listens:
            client.on_event(self._on_event)

    def stranger(self, mid: str, tid: str) -> Host:
        """Another merchant of the same acquirer, with a terminal of its own: neither is this bench's."""
        return Host(self._client, self._recorder, mid=mid, tid=tid, bench=self._bench, listens=False)

    def for_merchant(self, number: int) -> Host:
        """The merchant with this number, from 1."""
        return self.merchants[number - 1]

    def _on_event(self, event: dict[str, Any]) -> None:
        if event["ev"] == "journal":
            row = event["hex"].upper()
            told = version_told(event["t"], row)
            if told is not None:
                self._recorder.append(told)
            self._recorder.append(
                HostJournal(
                    t=event["t"],
                    jid=event["jid"],
                    connection=event["connection"],
                    direction=event["direction"],
                    hex=row,
                    note=event.get("note", ""),
                    rule_id=event.get("rule_id"),
                )
            )

        elif event["ev"] == "activated":
            self._activated(event)

        elif event["ev"] == "trouble":
            self._on_trouble(event["what"])

    def _activated(self, event: dict[str, Any]) -> None:
        """A unit has become one of these terminals by its code: registered, with a key that the bench learns here."""
        for host in self.merchants:
            if (host.mid, host.tid) == (event["mid"], event["tid"]):
                host.terminal_registered, host.suspended = True, False
                host._know(event["tmk"], event["t"])
                host._changed(
                    "terminal_registered", event["t"], tmk_kcv=event["kcv"], by="activation", serial=host.bound
                )

    def _ask(self, op: str, **arguments: Any) -> dict[str, Any]:
        reply = self._client.request({"op": op, **arguments})
        if not reply.get("ok"):
            raise BenchError(f"the acquirer refused {op}: {reply.get('error')}", bench=self._bench)
        return reply

    def _changed(self, change: Any, t: int | None = None, /, **detail: str) -> None:
        terminal_less = change.startswith(("merchant", "clock"))
        self._recorder.append(
            HostChanged(
                t=t or time.monotonic_ns(), change=change, mid=self.mid, tid="" if terminal_less else self.tid,
                detail=detail,
            )
        )

    # -- registration -------------------------------------------------------------------------------------------------

    def register_merchant(self) -> None:
        self._ask("register_merchant", mid=self.mid, name="测试商户")
        self.merchant_registered = True
        self._changed("merchant_registered")

    def remove_merchant(self) -> None:
        self.merchant_registered = False
        self._changed("merchant_removed")
        self._ask("remove_merchant", mid=self.mid)

    def register(self, *, new_tmk: bool = False, write_off: bool = False, serial: str = "") -> str:
        """Register the terminal; the row is new, so its first sign-in gets batch 000001. Returns the TMK (hex).

        ``write_off``: for a new unit, whose predecessor's open batches nobody will settle any more. ``serial``: the
        unit that it is bound to, any other gets 97 at sign-in.
        """
        if not self.merchant_registered:
            self.register_merchant()
        keep = {} if new_tmk or not self.tmk else {"tmk": self.tmk}
        if serial:
            keep, self.bound = {**keep, "serial": serial}, serial
        reply = self._ask("register_terminal", mid=self.mid, tid=self.tid, write_off=write_off, **keep)
        self.terminal_registered, self.suspended = True, False
        self._know(reply["tmk"])
        bound = {"serial": self.bound} if self.bound else {}
        self._changed("terminal_registered", tmk_kcv=reply["kcv"], new_tmk="yes" if new_tmk else "no", **bound)
        return self.tmk

    def offer_activation(self, serial: str, *, valid_s: int = 3600) -> str:
        """This unit may become the terminal, which is not registered until then: the code of 12 digits."""
        self.terminal_registered, self.bound = False, serial
        self._changed("activation_offered", serial=serial)
        return str(self._ask("offer_activation", mid=self.mid, tid=self.tid, serial=serial, valid_s=valid_s)["code"])

    def swap_unit(self, serial: str) -> str:
        """This unit takes the other's place once it is activated; until then both get 97. The code of 12 digits."""
        self.terminal_registered, self.bound = False, serial
        self._changed("unit_swapped", serial=serial)
        return str(self._ask("swap_unit", mid=self.mid, tid=self.tid, serial=serial)["code"])

    def deregister(self) -> None:
        """The terminal's row is deleted: from now on 97."""
        self.terminal_registered, self.bound = False, ""
        self._changed("terminal_removed")
        self._ask("remove_terminal", mid=self.mid, tid=self.tid)

    def set_state(self, state: str) -> None:
        """ "pending" or "rejected": an application without a row for the switch."""
        self.terminal_registered = False
        self._changed("terminal_pending" if state == "pending" else "terminal_rejected")
        self._ask("set_terminal_state", mid=self.mid, tid=self.tid, state=state)

    def suspend(self) -> None:
        self.suspended = True
        self._changed("terminal_suspended")
        self._ask("suspend_terminal", mid=self.mid, tid=self.tid)

    def restore(self) -> None:
        self._ask("restore_terminal", mid=self.mid, tid=self.tid)
        self.suspended = False
        self._changed("terminal_restored")

    def suspend_merchant(self) -> None:
        """The merchant, not its terminal: 03."""
        self.merchant_suspended = True
        self._changed("merchant_suspended")
        self._ask("suspend_merchant", mid=self.mid)

    def restore_merchant(self) -> None:
        """Does nothing where it is not suspended."""
        if self.merchant_suspended:
            self._ask("restore_merchant", mid=self.mid)
            self.merchant_suspended = False
            self._changed("merchant_restored")

    def sign_out(self, state: str = "signed_off") -> None:
        """The centre considers the terminal signed off: 77 on its next request. ``state``: maintenance, or closed
        (58)."""
        self._ask("sign_out", mid=self.mid, tid=self.tid, state=state)
        self._changed("signed_out", state=state)

    def issue_tmk(self) -> str:
        """A new terminal master key for the same registration."""
        reply = self._ask("issue_tmk", mid=self.mid, tid=self.tid)
        self._know(reply["tmk"])
        self._changed("tmk_issued", tmk_kcv=reply["kcv"])
        return self.tmk

    def set_batch(self, batch: str) -> None:
        self._ask("set_batch", mid=self.mid, tid=self.tid, batch=batch)
        self._changed("batch_set", batch=batch)

    def set_clock(self, epoch: float | None) -> None:
        """The host's clock (seconds since 1970, local time of its frames), or None for the machine's own."""
        self._ask("set_clock", epoch=epoch)
        if epoch is None:
            self._changed("clock_cleared")
        else:
            self._changed("clock_set", epoch=str(epoch))

    # -- downloads ----------------------------------------------------------------------------------------------------

    def demand_download(self, kind: Kind) -> None:
        """The host asks for it in the header (nibble 5) from this terminal's next sign-in on, until it is done."""
        self._ask("demand_download", mid=self.mid, tid=self.tid, kind=kind)
        self._changed("download_demanded", kind=kind)

    def replace_downloads(self, kind: Kind, value: Any) -> None:
        """Other data for every terminal (docs/acquirer.md); each is asked to come for it."""
        self._ask("set_downloads", kind=kind, value=value)
        self._changed("downloads_replaced", kind=kind)

    def offer_software(self, image: Path | None, *, version: str = "") -> None:
        """This image is there for every terminal that asks; None: none is. ``version``: what the host says it is, where
        that is not what stands in the image."""
        if image is None:
            self._ask("offer_software", path=None)
            self._changed("software_withdrawn")
            return
        version = version or version_of(image)
        self._ask("offer_software", path=str(image.absolute()), version=version)
        self._changed("software_offered", version=version)

    def downloads_due(self) -> list[str]:
        """What this terminal has yet to come for."""
        return list(self._ask("downloads", mid=self.mid, tid=self.tid)["due"])

    def terminal_status(self) -> dict[str, str]:
        """What this terminal last said of itself; {} before it did."""
        return dict(self._ask("downloads", mid=self.mid, tid=self.tid)["status"] or {})

    def _know(self, tmk: str, t: int = 0) -> None:
        """The host has had this key since ``t`` (now), whenever the bench is told of it."""
        if tmk.upper() != self.tmk:
            self.tmk = tmk.upper()
            self._recorder.append(Key(t=t or time.monotonic_ns(), mid=self.mid, tid=self.tid, value=self.tmk))

    # -- misbehaviour -------------------------------------------------------------------------------------------------

    def misbehave(self, mti: str, action: str, *, count: int = 1, **parameters: Any) -> int:
        """For the next ``count`` requests of ``mti`` do ``action`` (docs/acquirer.md). Returns the rule's id."""
        rule = {"mti": mti, "action": action, "count": count, **parameters}
        rule_id = int(self._ask("misbehave", rule=rule)["rule_id"])
        self._recorder.append(HostArmed(t=time.monotonic_ns(), rule_id=rule_id, rule=rule))
        return rule_id

    def answer(self, mti: str, code: str, *, count: int = 1, **parameters: Any) -> int:
        """Answer the next ``count`` requests of ``mti`` with ``code`` instead of deciding."""
        return self.misbehave(mti, "answer", count=count, code=code, **parameters)

    def behave(self, rule_id: int = 0) -> None:
        """Forget every misbehaviour, or that rule."""
        self._ask("clear_misbehaviour", **({"rule_id": rule_id} if rule_id else {}))
        self._recorder.append(HostArmed(t=time.monotonic_ns(), rule_id=rule_id, rule={}))

    # -- books --------------------------------------------------------------------------------------------------------

    def read_ledger(self) -> list[LedgerEntry]:
        """What the host has booked for this terminal; recorded."""
        entries = [
            LedgerEntry.model_validate(entry) for entry in self._ask("ledger", mid=self.mid, tid=self.tid)["entries"]
        ]
        self._recorder.append(HostLedger(t=time.monotonic_ns(), mid=self.mid, tid=self.tid, entries=entries))
        return entries

    def look_up(self, mid: str, tid: str) -> dict[str, Any]:
        """What the back office's screen shows of an identity (docs/acquirer.md). Nothing is recorded."""
        reply = self._ask("look_up", mid=mid, tid=tid)
        return {key: value for key, value in reply.items() if key not in ("re", "ok")}

    def sync(self) -> None:
        """Until every journal row so far is in the history."""
        self._ask("sync")
