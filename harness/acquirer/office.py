"""The back office: every operation of the control channel, as a function from a request to a reply. No sockets here.

Requests and replies are JSON objects; docs/acquirer.md lists them. Wrong requests raise :class:`BadInput`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.acquirer.cases import kcv_text
from harness.acquirer.download_books import KINDS, Kind
from harness.acquirer.host import Host
from harness.acquirer.ledger import Entry
from harness.acquirer.misbehaviour import parse_rule
from harness.acquirer.registry import SIGNED_OUT, SignState
from harness.errors import BadInput
from harness.protocol.keys import algorithm_of

Request = Mapping[str, Any]
Reply = dict[str, Any]

_MID = re.compile(r"[ -~]{15}")
_TID = re.compile(r"[ -~]{8}")
_SERIAL = re.compile(r"[0-9A-Za-z]{4,50}")
_TMK = re.compile(r"[0-9A-Fa-f]{32}")
_BATCH = re.compile(r"[0-9]{1,6}")
_VALID_S = 72 * 3600
_SIGN_STATES = dict.fromkeys(SignState, "signed_out") | {
    SignState.SIGNED_IN: "signed_in", SignState.CLOSED: "closed",
}  # fmt: skip


class Office:
    """``carry_out({"op": ..., ...})``: one operation, one database transaction."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._operations: Mapping[str, Callable[[Request], Reply]] = {
            "register_merchant": self._register_merchant,
            "suspend_merchant": self._suspend_merchant,
            "restore_merchant": self._restore_merchant,
            "remove_merchant": self._remove_merchant,
            "register_terminal": self._register_terminal,
            "remove_terminal": self._remove_terminal,
            "suspend_terminal": self._suspend_terminal,
            "restore_terminal": self._restore_terminal,
            "set_terminal_state": self._set_terminal_state,
            "offer_activation": self._offer_activation,
            "swap_unit": self._swap_unit,
            "sign_out": self._sign_out,
            "issue_tmk": self._issue_tmk,
            "set_batch": self._set_batch,
            "terminal": self._terminal,
            "set_downloads": self._set_downloads,
            "demand_download": self._demand_download,
            "offer_software": self._offer_software,
            "downloads": self._downloads,
            "misbehave": self._misbehave,
            "clear_misbehaviour": self._clear_misbehaviour,
            "look_up": self._look_up,
            "ledger": self._ledger,
            "reconciliation": self._reconciliation,
            "follow_ups": self._follow_ups,
            "set_clock": self._set_clock,
            "journal": self._journal,
        }

    def carry_out(self, request: Request) -> Reply:
        """The reply's own keys. Raises :class:`BadInput`; nothing is changed then."""
        operation = self._operations.get(str(request.get("op")))
        if operation is None:
            known = ", ".join((*self._operations, "sync", "status", "shut_down"))
            raise BadInput(f"there is no operation {request.get('op')!r}", remedy=f"Known: {known}")
        with self._host.store.transaction():
            return operation(request)

    # -- merchants ----------------------------------------------------------------------------------------------------

    def _register_merchant(self, request: Request) -> Reply:
        name = request.get("name", "")
        if not isinstance(name, str) or not name.isprintable():
            raise BadInput(f"name is {name!r}, expected printable text")
        self._host.registry.register_merchant(_mid(request), name)
        return {}

    def _suspend_merchant(self, request: Request) -> Reply:
        self._host.registry.set_merchant_state(_mid(request), "suspended")
        return {}

    def _restore_merchant(self, request: Request) -> Reply:
        self._host.registry.set_merchant_state(_mid(request), "active")
        return {}

    def _remove_merchant(self, request: Request) -> Reply:
        self._host.registry.remove_merchant(_mid(request))
        return {}

    # -- terminals ----------------------------------------------------------------------------------------------------

    def _register_terminal(self, request: Request) -> Reply:
        mid, tid, tmk = _mid(request), _tid(request), _text(request, "tmk", _TMK, required=False)
        serial = _text(request, "serial", _SERIAL, required=False)
        write_off = request.get("write_off", False)
        if not isinstance(write_off, bool):
            raise BadInput(f"write_off is {write_off!r}, expected true or false")
        key = self._host.registry.register_terminal(mid, tid, None if tmk is None else bytes.fromhex(tmk))
        if write_off:
            self._host.ledger.write_off(mid, tid)
        if serial is not None:
            self._host.registry.bind(mid, tid, serial)
        return self.key_reply(key)

    def key_reply(self, tmk: bytes) -> Reply:
        """A TMK and its check value, as terminals show it."""
        algorithm = algorithm_of(self._host.profile.sign_in_network_code)
        return {"tmk": tmk.hex().upper(), "kcv": kcv_text(tmk, algorithm)}

    def _remove_terminal(self, request: Request) -> Reply:
        self._host.registry.remove_terminal(_mid(request), _tid(request))
        return {}

    def _suspend_terminal(self, request: Request) -> Reply:
        self._host.registry.suspend_terminal(_mid(request), _tid(request))
        return {}

    def _restore_terminal(self, request: Request) -> Reply:
        self._host.registry.restore_terminal(_mid(request), _tid(request))
        return {}

    def _set_terminal_state(self, request: Request) -> Reply:
        state = request.get("state")
        if state not in ("pending", "rejected"):
            raise BadInput(
                f"state is {state!r}, expected pending or rejected",
                remedy="suspend_terminal, restore_terminal, register_terminal and remove_terminal make the others.",
            )
        self._host.registry.set_application_state(_mid(request), _tid(request), state)
        return {}

    def _offer_activation(self, request: Request) -> Reply:
        """The unit may become this terminal, against a code; without documents."""
        offered = self._host.activation.terminals.offer(
            _mid(request), _tid(request), _text(request, "serial", _SERIAL) or "", _seconds(request)
        )
        return {"code": offered.code, "expires": offered.expires}

    def _swap_unit(self, request: Request) -> Reply:
        """Another unit takes this one's place, once it is activated."""
        write_off = request.get("write_off", False)
        if not isinstance(write_off, bool):
            raise BadInput(f"write_off is {write_off!r}, expected true or false")
        offered = self._host.activation.terminals.swap(
            _mid(request), _tid(request), _text(request, "serial", _SERIAL) or "", "02", _seconds(request),
            write_off=write_off,
        )
        return {"code": offered.code, "expires": offered.expires}

    def _sign_out(self, request: Request) -> Reply:
        asked = request.get("state", "signed_off")
        for name, state in SIGNED_OUT.items():
            if asked == name:
                self._host.registry.set_sign_state(_mid(request), _tid(request), state)
                return {}
        raise BadInput(f"state is {asked!r}, expected one of {', '.join(SIGNED_OUT)}")

    def _issue_tmk(self, request: Request) -> Reply:
        return self.key_reply(self._host.registry.issue_tmk(_mid(request), _tid(request)))

    def _set_batch(self, request: Request) -> Reply:
        self._host.registry.set_batch(_mid(request), _tid(request), _batch(request))
        return {}

    def _terminal(self, request: Request) -> Reply:
        row = self._host.registry.application(_mid(request), _tid(request))
        if row is None:
            return {"terminal": None}
        return {
            "terminal": {
                "state": row.state, "sign_state": row.sign_state.value, "batch": f"{row.batch:06d}",
                "registration": row.registration,
            }
        }

    def _look_up(self, request: Request) -> Reply:
        """What somebody at the back office's screen sees of an identity: the merchant, the terminal, its unit."""
        registry, mid, tid = self._host.registry, _mid(request), _tid(request)
        merchant, row, binding = registry.merchant(mid), registry.application(mid, tid), registry.binding(mid, tid)
        return {
            "merchant": "missing" if merchant is None else merchant.state,
            "terminal": "missing" if row is None else row.state,
            "sign_state": "" if row is None else _SIGN_STATES[row.sign_state],
            "bound": "" if binding is None else binding.serial_number,
            "elsewhere": sorted(one.mid for one in registry.with_tid(tid) if one.mid != mid),
            "others": sorted(one.tid for one in registry.applications(mid) if one.tid != tid),
        }

    # -- downloads ----------------------------------------------------------------------------------------------------

    def _set_downloads(self, request: Request) -> Reply:
        """Other data for everybody: each terminal is asked to come for it."""
        self._host.downloads.replace(_kind(request), request.get("value"))
        return {}

    def _demand_download(self, request: Request) -> Reply:
        """One terminal is asked to come for it."""
        self._host.downloads.demand(_mid(request), _tid(request), _kind(request))
        return {}

    def _offer_software(self, request: Request) -> Reply:
        """The image in the file ``path`` is there for whoever asks; null: none is."""
        path, version = request.get("path"), request.get("version")
        if path is None:
            self._host.downloads.offer_software(None)
            return {}
        if not isinstance(path, str) or not isinstance(version, str):
            raise BadInput("path and version are text", where="offer_software")
        try:
            image = Path(path).read_bytes()
        except (OSError, ValueError) as error:
            raise BadInput(f"the image {path} can't be read: {error}", where="offer_software") from error
        self._host.downloads.offer_software(image, version)
        return {"size": len(image)}

    def _downloads(self, request: Request) -> Reply:
        where = _mid(request), _tid(request)
        return {"due": self._host.downloads.due(*where), "status": self._host.downloads.status(*where)}

    # -- misbehaviour, books, clock, journal --------------------------------------------------------------------------

    def _misbehave(self, request: Request) -> Reply:
        rule = request.get("rule")
        if not isinstance(rule, dict):
            raise BadInput(f"rule is {rule!r}, expected an object")
        return {"rule_id": self._host.misbehaviour.arm(parse_rule(rule))}

    def _clear_misbehaviour(self, request: Request) -> Reply:
        rule_id = request.get("rule_id")
        if rule_id is not None and (not isinstance(rule_id, int) or isinstance(rule_id, bool)):
            raise BadInput(f"rule_id is {rule_id!r}, expected a rule's number, or none for all")
        self._host.misbehaviour.clear(rule_id)
        return {}

    def _ledger(self, request: Request) -> Reply:
        return {"entries": [_ledger_entry(entry) for entry in self._host.ledger.entries(_mid(request), _tid(request))]}

    def _reconciliation(self, request: Request) -> Reply:
        batch = _batch(request)
        batch_id = self._host.ledger.latest_batch(_mid(request), _tid(request), batch)
        if batch_id is None:
            raise BadInput(f"the host has no batch {batch:06d} of this terminal")
        return asdict(self._host.uploads.reconcile(batch_id, net=self._host.profile.settlement_voids == "net"))

    def _follow_ups(self, request: Request) -> Reply:
        found = self._host.uploads.follow_ups(_mid(request), _tid(request))
        return {"follow_ups": [{**asdict(one), "batch": f"{one.batch:06d}"} for one in found]}

    def _set_clock(self, request: Request) -> Reply:
        epoch = request.get("epoch")
        if epoch is not None and (not isinstance(epoch, int | float) or isinstance(epoch, bool)):
            raise BadInput(f"epoch is {epoch!r}, expected seconds since 1970 or null")
        self._host.clock.set(epoch)
        return {}

    def _journal(self, request: Request) -> Reply:
        since = request.get("since", 0)
        if not isinstance(since, int) or isinstance(since, bool) or not 0 <= since < 1 << 63:
            raise BadInput(f"since is {since!r}, expected a journal number or 0")
        return {"rows": [row.as_event() for row in self._host.journal.since(since)]}


def _ledger_entry(entry: Entry) -> dict[str, Any]:
    """As :class:`harness.history.events.LedgerEntry` has it."""
    return {
        "batch": f"{entry.batch:06d}", "trace": entry.trace, "kind": entry.kind, "amount": entry.amount,
        "rrn": entry.rrn, "date": entry.date, "state": entry.state, "reversals": entry.reversals,
    }


def _mid(request: Request) -> str:
    return _text(request, "mid", _MID) or ""


def _tid(request: Request) -> str:
    return _text(request, "tid", _TID) or ""


def _seconds(request: Request) -> int:
    """How long an activation code is good: 72 hours unless it says otherwise."""
    value = request.get("valid_s", _VALID_S)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise BadInput(f"valid_s is {value!r}, expected a number of seconds")
    return value


def _kind(request: Request) -> Kind:
    kind = request.get("kind")
    for known in KINDS:
        if kind == known:
            return known
    raise BadInput(f"kind is {kind!r}, expected one of {', '.join(KINDS)}")


def _batch(request: Request) -> int:
    value = request.get("batch")
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return int(_text({"batch": value}, "batch", _BATCH) or "0")


def _text(request: Request, key: str, pattern: re.Pattern[str], *, required: bool = True) -> str | None:
    value = request.get(key)
    if value is None and not required:
        return None
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise BadInput(f"{key} is {value!r}, expected text that fits {pattern.pattern}")
    return value
