"""Network management beside sign-in: sign-off, parameters, status, CA keys, chip parameters, blacklist, software.

Each is a flow that ends in a :class:`Result`. A download counts when it is complete: what was there before is replaced
as one, then the host is told the end. An answer that says no, 97 included, changes nothing that is stored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from . import comms, messages, parameters, results, tables, texts
from .comms import Show, Verdict
from .loop import Flow
from .messages import Request
from .parameters import ParameterFault
from .records import State
from .results import Result
from .rules import Outcome
from .store import Store
from .tables import TableFault
from .tms import Software, SoftwareFault
from .updates import Updates

SIGN_OFF, STATUS = "002", "362"
CA_KEY_LIST, CA_KEY_GET, CA_KEY_END = "372", "370", "371"
CHIP_LIST, CHIP_GET, CHIP_END = "382", "380", "381"
BLACKLIST_GET, BLACKLIST_END = "390", "391"
MOST_PAGES = 99  # of a list: a host that never says "end" is not followed for ever

ASKED_BY_HEADER: Mapping[str, str] = {  # processing request -> what answers it; a sign-in (3) is no download
    "1": "parameter_download", "2": "status_upload", "4": "capk_update", "5": "ic_parameter_update",
    "6": "software_update", "7": "blacklist_update",
}

Send = Callable[[Request, Show], Flow[Verdict]]
Ask = Callable[[str, str, Show, bytes], Flow[Verdict]]  # MTI, 60.3, show, F62


class _Refused(Exception):
    """The host said no, or nothing that can be used."""

    def __init__(self, result: Result) -> None:
        self.result = result
        super().__init__(result.text)


class Downloads:
    """``send`` puts a message with a trace number on the line, which the flow has taken. ``about``: model, firmware and
    serial number, for the status. ``updates``: the terminal's software; ``in_use``: whether somebody uses it now."""

    def __init__(
        self, store: Store, line: comms.Line, send: Send, *, about: tuple[str, str, str], updates: Updates,
        in_use: Callable[[], bool],
    ) -> None:
        self._store, self._line, self._send, self._about = store, line, send, about
        self._software = Software(updates, self._ask_alone, in_use=in_use)
        self.flows: Mapping[str, Callable[[Show], Flow[Result]]] = {
            "sign_off": self.sign_off, "parameter_download": self.parameter_download,
            "status_upload": self.status_upload, "capk_update": self.capk_update,
            "ic_parameter_update": self.ic_parameter_update, "blacklist_update": self.blacklist_update,
            "software_update": self.software_update,
        }

    def sign_off(self, show: Show) -> Flow[Result]:
        """0820 with 60.3 = 002: approved, nobody is signed in any more."""
        return (yield from self._carry_out(self._sign_off, texts.SIGN_OFF_DONE, show))

    def parameter_download(self, show: Show) -> Flow[Result]:
        """0800 with 60.3 of the dialect: F62 into the parameters, in one commit."""
        return (yield from self._carry_out(self._parameters, texts.PARAMETERS_DONE, show))

    def status_upload(self, show: Show) -> Flow[Result]:
        """0820 with 60.3 = 362: what runs here and what is stored."""
        return (yield from self._carry_out(self._status, texts.STATUS_DONE, show))

    def capk_update(self, show: Show) -> Flow[Result]:
        """0820 372 until the list is whole, 0800 370 for each key, 0800 371."""
        return (yield from self._carry_out(self._ca_keys, texts.CA_KEYS_DONE, show))

    def ic_parameter_update(self, show: Show) -> Flow[Result]:
        """0820 382 until the list is whole, 0800 380 for each application, 0800 381."""
        return (yield from self._carry_out(self._applications, texts.CHIP_PARAMETERS_DONE, show))

    def blacklist_update(self, show: Show) -> Flow[Result]:
        """0800 390 for block after block, 0800 391."""
        return (yield from self._carry_out(self._blacklist, texts.BLACKLIST_DONE, show))

    def software_update(self, show: Show) -> Flow[Result]:
        """0800 397, 398 for each block, 399. The line is taken message by message."""
        if not self._state.complete:
            return results.local(results.SIGN_IN_FIRST, texts.NOT_SET_UP)
        return (yield from self._result_of(self._software.update(show)))

    # -- each one ------------------------------------------------------------------------------------------------------

    def _sign_off(self, show: Show) -> Flow[None]:
        yield from self._ask("0820", SIGN_OFF, show)
        self._store.commit(signed_in=False)

    def _parameters(self, show: Show) -> Flow[None]:
        verdict = yield from self._ask("0800", self._state.dialect.parameter_download_code, show)
        found = parameters.values(_f62(verdict))
        state = self._state
        signs_off, attempts = found.get("21"), found.get("23")
        self._store.commit(
            parameters=parameters.applied(state.parameters, found),
            timeout_s=int(found.get("12", "0")) or state.timeout_s,
            dialect=replace(
                state.dialect,
                auto_sign_off=state.dialect.auto_sign_off if signs_off is None else signs_off != "0",
                reversal_attempts=state.dialect.reversal_attempts if attempts is None else int(attempts),
            ),
        )

    def _status(self, show: Show) -> Flow[None]:
        model, firmware, serial_number = self._about
        state = self._state
        words = {
            "MODEL": model, "FW": firmware, "SN": serial_number, "BATCH": f"{state.batch:06d}",
            "STORED": str(len(self._store.log)), "REVERSAL": "0" if state.reversal is None else "1",
            "CAPK": str(len(tables.ca_keys(self._store))), "AID": str(len(tables.applications(self._store))),
            "BLACKLIST": str(len(tables.blacklist(self._store))),
        }
        text = ";".join(f"{name}={value}" for name, value in words.items())
        yield from self._ask("0820", STATUS, show, text.encode("ascii", "replace"))

    def _ca_keys(self, show: Show) -> Flow[None]:
        keys = []
        for asked in (yield from self._list(CA_KEY_LIST, show)):
            if tables.KEY_INDEX not in asked:
                raise TableFault("a key without an index")
            wanted = _object(tables.RID, asked[tables.RID]) + _object(tables.KEY_INDEX, asked[tables.KEY_INDEX])
            verdict = yield from self._ask("0800", CA_KEY_GET, show, wanted)
            keys.append(tables.ca_key(_found(verdict), asked))
        tables.put_ca_keys(self._store, keys)
        yield from self._ask("0800", CA_KEY_END, show)

    def _applications(self, show: Show) -> Flow[None]:
        applications = []
        for asked in (yield from self._list(CHIP_LIST, show)):
            verdict = yield from self._ask("0800", CHIP_GET, show, _object(tables.AID, asked[tables.AID]))
            applications.append(tables.application(_found(verdict), asked))
        tables.put_applications(self._store, applications)
        yield from self._ask("0800", CHIP_END, show)

    def _blacklist(self, show: Show) -> Flow[None]:
        beginnings: list[str] = []
        for block in range(1, MOST_PAGES + 1):
            verdict = yield from self._ask("0800", BLACKLIST_GET, show, f"{block:03d}".encode())
            page, goes_on = _page(verdict)
            beginnings += tables.card_beginnings(page.decode("latin-1"))
            if not goes_on:
                break
        else:
            raise TableFault("a list without an end")
        tables.put_blacklist(self._store, beginnings)
        yield from self._ask("0800", BLACKLIST_END, show)

    def _list(self, network_code: str, show: Show) -> Flow[list[dict[str, str]]]:
        """Every page of a list; F62 of the request says how many entries are known."""
        rows: list[dict[str, str]] = []
        for _ in range(MOST_PAGES):
            if len(rows) > 99:
                break
            verdict = yield from self._ask("0820", network_code, show, f"1{len(rows):02d}".encode())
            page, goes_on = _page(verdict)
            more = tables.entries(page)
            rows += more
            if not goes_on:
                return rows
            if not more:
                break
        raise TableFault("a list without an end")

    # -- all of them ---------------------------------------------------------------------------------------------------

    @property
    def _state(self) -> State:
        return self._store.state

    def _carry_out(self, work: Callable[[Show], Flow[None]], done: str, show: Show) -> Flow[Result]:
        if not self._state.complete:
            return results.local(results.SIGN_IN_FIRST, texts.NOT_SET_UP)
        yield from self._line.take(show)
        try:
            return (yield from self._result_of(_done(work(show), done)))
        finally:
            self._line.release()

    @staticmethod
    def _result_of(work: Flow[Result]) -> Flow[Result]:
        """How it ended, also where the host said no, or nothing that can be used."""
        try:
            return (yield from work)
        except _Refused as refused:
            return refused.result
        except (TableFault, ParameterFault, SoftwareFault):
            return results.local(results.INVALID, texts.NO_VALID_ANSWER)

    def _ask_alone(self, mti: str, network_code: str, show: Show, f62: bytes) -> Flow[Verdict]:
        """As :meth:`_ask`, by one who has not taken the line."""
        yield from self._line.take(show)
        try:
            return (yield from self._ask(mti, network_code, show, f62))
        finally:
            self._line.release()

    def _ask(self, mti: str, network_code: str, show: Show, f62: bytes = b"") -> Flow[Verdict]:
        """One message; its approval, or :class:`_Refused`."""
        state = self._state
        fields = messages.network(state, messages.NO_TRANSACTION, network_code)
        fields |= {11: f"{state.trace:06d}", 63: state.dialect.operator}
        if f62:
            fields[62] = f62.hex().upper()
        verdict = yield from self._send(Request(mti, fields), show)
        if verdict.outcome is not Outcome.APPROVED:
            raise _Refused(results.of_failure(verdict.outcome, verdict.code, state.dialect, verdict.why))
        return verdict


def _done(work: Flow[None], text: str) -> Flow[Result]:
    yield from work
    return results.done(text)


def _f62(verdict: Verdict) -> bytes:
    return bytes.fromhex(verdict.fields.get(62, ""))


def _page(verdict: Verdict) -> tuple[bytes, bool]:
    """What stands on a page of a list, and whether another follows."""
    data = _f62(verdict)
    if data[:1] not in (b"1", b"2", b"3"):
        raise TableFault("a page begins with 1, 2 or 3")
    return data[1:], data[:1] == tables.MORE_FOLLOW.encode()


def _found(verdict: Verdict) -> bytes:
    """What was asked for; the answer begins with 1 where the host has it."""
    data = _f62(verdict)
    if data[:1] != b"1" or len(data) < 2:
        raise TableFault("the host has not what its list named")
    return data[1:]


def _object(tag: str, value: str) -> bytes:
    return bytes.fromhex(f"{tag}{len(value) // 2:02X}{value}")
