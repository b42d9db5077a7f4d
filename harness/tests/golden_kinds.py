"""The verbs of the golden world beyond sale and void: every kind of transaction and way to present a card, what is
accepted offline, follow-ups, downloads, and a second merchant. Mixed into :class:`harness.tests.golden.World`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from harness.checkers.tables import OWN
from harness.history.events import AnyEvent, WireFrame
from harness.protocol.codes import transaction_name
from harness.protocol.frames import Frame, build, decode
from harness.protocol.keys import seal
from harness.protocol.transactions import KINDS
from harness.terminal.cards import CARDS
from harness.tests.golden_faults import Strike
from harness.tests.golden_parts import MID, TID, Host, Outcome, Reply, Stored, TerminalMemory, reply_of
from harness.tests.golden_terminal import GoodTerminal, Via
from harness.tests.golden_wire import F55, MID_2, TID_2, Fields

Wire = list[AnyEvent]


def rewritten(events: Wire, last: int, mak: bytes, change: Callable[[Frame], Mapping[int, str | None]]) -> None:
    """The ``last`` frames of the wire (2: a request and its answer) with other fields (None: without one), in place;
    what has a MAC gets the right one."""
    for index in [i for i, e in enumerate(events) if isinstance(e, WireFrame)][-last:]:
        event = events[index]
        assert isinstance(event, WireFrame)
        frame = decode(bytes.fromhex(event.hex))
        fields = {n: v for n, v in {**frame.fields, **change(frame)}.items() if v is not None}
        built = build(frame.mti, fields, tpdu=frame.tpdu, header=frame.header)
        sealed = seal(built, mak) if 64 in fields else built
        events[index] = event.model_copy(update={"hex": sealed.raw.hex().upper()})


ENTRIES = {"manual": "012", "magnetic": "022", "chip": "052", "contactless": "072", "wechat": "032", "alipay": "032"}
# operation -> (MTI, 60.3) of its requests
DOWNLOADS = {
    "parameter_download": [("0800", "360")],
    "status_upload": [("0820", "362")],
    "capk_update": [("0820", "372"), ("0800", "370"), ("0800", "371")],
    "ic_parameter_update": [("0820", "382"), ("0800", "380"), ("0800", "381")],
    "blacklist_update": [("0800", "390"), ("0800", "391")],
    "software_update": [("0800", "397")],
}


class EveryKind(GoodTerminal):
    """What :class:`World` inherits."""

    def perform(
        self, name: str, amount: int = 1000, reply: Reply | Strike | str | None = None, *, card: str = "magnetic",
        original: str = "", via: Via = "keypad",
    ) -> Outcome:  # fmt: skip
        """A financial transaction of any kind. ``card``: a name of ``harness.terminal.cards``. ``original``: trace of
        what it names (of a pre-authorisation too: this host gives that as F38)."""
        if KINDS[name].stored:
            return self._accept_offline(name, amount, card, original)
        args = {"amount": str(amount), "entry": card, **({"trace": original} if original else {})}
        with self._operation(name, via, **args) as operation:
            return self._financial(
                operation, name, self._fields(name, amount, card, original), amount, CARDS[card].pan, original or None,
                reply_of(reply),
            )

    def _fields(self, name: str, amount: int, card: str, original: str) -> Fields:
        row, presented = KINDS[name], CARDS[card]
        chip = card in ("chip", "contactless")
        message_type = "27" if name == "refund" and chip else row.message_type
        fields: Fields = {
            3: row.processing, 4: f"{amount:012d}", 22: ENTRIES[card], 25: row.condition, 49: "156",
            60: f"{message_type}{self.terminal.batch}00050",
        }  # fmt: skip
        if presented.code:
            fields[59] = f"A3{len(presented.code):03d}{presented.code}"
        elif card == "manual":
            fields |= {2: presented.pan, 14: presented.expiry}
        else:
            fields |= {35: presented.track2}
        if chip:
            fields |= {23: presented.psn, 55: F55}
        if row.names == "trace":
            fields = {n: v for n, v in fields.items() if n not in (14, 23, 35, 55)}
            fields |= {22: "012", 61: f"{self.terminal.batch}{original}"}
            if presented.pan:
                fields[2] = presented.pan
            fields |= {37: f"500100{original}"} if not row.stored else {}
        elif row.names == "receipt":
            fields |= {37: f"500100{original}", 61: "0000000000000601", 63: "000"}
        elif row.names == "authorisation":
            fields |= {38: original, 61: "0000000000000601"}
        return fields

    def _accept_offline(self, name: str, amount: int, card: str, original: str) -> Outcome:
        terminal = self.terminal
        with self._operation(name, "keypad", amount=str(amount), entry=card) as operation:
            if name == "offline_chip_sale":
                self.chip(1, "TC")
            fields = {**self._fields(name, amount, card, original), 11: terminal.next_trace()}
            stored = Stored(terminal.batch, fields[11], name, amount, CARDS[card].pan, "", original or None, fields)
            terminal.log.append(stored)
            terminal.offline.append(stored)
            self._print(stored)
            return self._finish(operation, Outcome("00", fields))

    def sign_off(self, reply: Reply | Strike | str | None = None) -> Outcome:
        with self._operation("sign_off", "keypad") as operation:
            fields: Fields = {11: self.terminal.next_trace(), 60: f"00{self.terminal.batch}002"}
            outcome = self._exchange(self._request("0820", fields), reply_of(reply))
            if outcome.code == "00":
                self.terminal.signed_in = False
            return self._finish(operation, outcome)

    def download(self, name: str, reply: Reply | Strike | str | None = None, *, by_itself: bool = False) -> Outcome:
        """Parameters, CA keys... ``reply`` is the answer to the first request."""
        if by_itself:
            return self._download(name, reply_of(reply))
        with self._operation(name, "keypad") as operation:
            return self._finish(operation, self._download(name, reply_of(reply)))

    def _download(self, name: str, reply: Reply) -> Outcome:
        outcome = Outcome("00", {})
        for mti, code in DOWNLOADS[name]:
            fields: Fields = {11: self.terminal.next_trace(), 60: f"00{self.terminal.batch}{code}"}
            assert transaction_name(build(mti, fields)) in OWN[name]
            outcome = self._exchange(self._request(mti, fields), reply)
            if outcome.code != "00":
                break
            reply = Reply()
        return outcome

    # -- follow-ups ------------------------------------------------------------------------------------------------

    def owe_script_notice(self) -> None:
        """The last approved request brought issuer scripts; their result is due."""
        last = self.terminal.log[-1]
        kept = {n: v for n, v in last.fields.items() if n in (3, 4, 22, 23, 25, 49, 55)}
        self.terminal.script = {
            **kept, 37: last.rrn, 60: f"{last.fields[60][:8]}951", 61: f"{last.batch}{last.trace}0601",
        }  # fmt: skip

    def upload_signature(self, reply: Reply | Strike | str | None = None) -> Outcome:
        """Of the last approved transaction, by itself."""
        last = self.terminal.log[-1]
        fields: Fields = {
            4: f"{last.amount:012d}", 11: last.trace, 37: last.rrn, 60: f"07{last.batch}800", 62: "00" * 16,
        }  # fmt: skip
        return self._exchange(self._request("0820", fields), reply_of(reply))

    # -- a second merchant -----------------------------------------------------------------------------------------

    _others: dict[str, tuple[str, str, TerminalMemory, Host]]

    def share(self) -> None:
        """A second merchant is set up on the terminal, and registered. The first is still the one that is chosen."""
        host = Host(self.profile)
        host.registered = True
        self.key(MID_2, TID_2, host.keys.tmk.hex().upper())
        self.changed("merchant_registered", MID_2)
        self.changed("terminal_registered", MID_2, TID_2, batch="000001")
        self._others = {
            "1": (MID, TID, self.terminal, self.host), "2": (MID_2, TID_2, TerminalMemory(keys=host.keys), host),
        }  # fmt: skip

    def select(self, number: str) -> None:
        """Another merchant is chosen at the terminal."""
        operation = self.invoke("select_merchant", number=number)
        self.mid, self.tid, self.terminal, self.host = self._others[number]
        self.display(f"商户:{self.mid}")
        self.complete(operation, "ok")
        self.idle()
