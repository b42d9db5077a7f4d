"""The service port: ASCII lines in, ``OK ...`` or ``ERR nn reason`` out. A key that comes in never goes out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from . import batch, keystore, link_setup, provisioning, results
from .activation import CODE_DIGITS
from .carrying import Carrying
from .loop import Flow
from .provisioning import Refused
from .results import Result
from .store import Store

if TYPE_CHECKING:
    from .network import Network
    from .serial_load import SerialLoad
    from .tamper import Tamper
    from .updates import Updates

LONGEST_LINE = 8192  # a certificate in base64 fits
_WHY = {
    results.NOT_CONNECTED: "no connection", results.NO_ANSWER: "no answer", results.INVALID: "no valid answer",
    results.SIGN_IN_FIRST: "no host is set",
}


class LineBuffer:
    """Bytes in any pieces -> lines. An over-long line is given as None; never holds more than one line. Pure."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._too_long = False

    def feed(self, data: bytes) -> list[str | None]:
        """The lines that are complete now, without CR LF; empty ones are left out."""
        lines: list[str | None] = []
        for byte in data:
            if byte in b"\r\n":
                if self._too_long:
                    lines.append(None)
                elif self._held:
                    lines.append(self._held.decode("ascii", "replace"))
                self._held.clear()
                self._too_long = False
            elif len(self._held) < LONGEST_LINE:
                self._held.append(byte)
            else:
                self._too_long = True
        return lines


class ActivationOrder(NamedTuple):
    """The engineer wants merchant ``number`` (from 0) activated; ``tell`` gets the answer line when that has ended."""

    number: int
    code: str
    store: Store
    tell: Callable[[str], None]

    def obeyed(self, activate: Callable[[int, str], Flow[Result]]) -> Flow[Result]:
        result = yield from activate(self.number, self.code)
        state = self.store.state
        if result.ok:
            check = keystore.check_value(bytes.fromhex(state.tmk), sm=state.dialect.sm)
            self.tell(f"OK TID={state.tid} MID={state.mid} KCV={check}")
        else:
            self.tell(f"ERR {result.code} {_WHY.get(result.code, 'the host says no')}")
        return result


class ServicePort:
    """``busy``: a transaction is under way, nothing may be changed. ``order`` gives an order to the operator's flow,
    False: the terminal is in use; ``tell`` sends a line later.

    ``stores``: one for each merchant. Identity, key and counters are those of the one that ``MERCHANT n`` chose last
    (the first after power-on); host, links and parameters are the whole terminal's.
    """

    def __init__(
        self, stores: Sequence[Store], network: Network, *, model: str, firmware: str, serial_number: str,
        has_interface: bool, busy: Callable[[], bool], order: Callable[[ActivationOrder], bool],
        tell: Callable[[bytes], None], random: Callable[[int], bytes], updates: Updates, loads: SerialLoad,
        tamper: Tamper,
    ) -> None:
        self._order, self._tell, self._tamper = order, tell, tamper
        self._updates, self._loads = updates, loads
        self._stores, self._store, self._network, self._busy = stores, stores[0], network, busy
        self._has_interface = has_interface
        self._model, self._firmware, self._serial_number = model, firmware, serial_number
        self._lines = LineBuffer()
        self._carrying = Carrying(stores, model=model, serial_number=serial_number, random=random)

    def feed(self, data: bytes) -> bytes:
        """What is answered to these bytes."""
        answers = b"".join(map(_line, filter(None, map(self.answer, self._lines.feed(data)))))
        if self._loads.active:
            self._lines = LineBuffer()  # what stands behind LOAD is no command
        return answers

    def answer(self, line: str | None) -> str:
        """One line's answer, "" where it comes later; None stands for a line that was too long."""
        if line is None:
            return f"ERR 02 line longer than {LONGEST_LINE} characters"
        try:
            if line.startswith("RESTORE "):
                self._refuse_while_busy()
                self._tamper.refuse()
                return f"OK {self._carrying.restore(line.removeprefix('RESTORE '))}"
            if line.startswith("PARAM "):
                return self._parameter(line.removeprefix("PARAM "))
            return self._obey(line.split())
        except Refused as refused:
            return f"ERR {refused.number} {refused}"

    def _obey(self, words: list[str]) -> str:
        match words:
            case ["VERSION"]:
                return f"OK {self._model} {self._firmware}"
            case ["IDENTITY"]:
                return f"OK TID={self._store.state.tid} MID={self._store.state.mid} SN={self._serial_number}"
            case ["COUNTERS"]:
                return self._counters()
            case ["MERCHANT", number] if number in map(str, range(1, len(self._stores) + 1)):
                self._store = self._stores[int(number) - 1]
                return f"OK MERCHANT {number}"
            case ["MERCHANT", _]:
                raise Refused("03", f"there are merchants 1 to {len(self._stores)}")
            case ["SET", tid, mid] if tid.startswith("TID=") and mid.startswith("MID="):
                self._refuse_while_busy()
                provisioning.set_identity(self._store, tid[4:], mid[4:])
                return f"OK TID={self._store.state.tid} MID={self._store.state.mid}"
            case ["KEY", "TMK", key]:
                self._refuse_while_busy()
                self._tamper.refuse()
                return f"OK KCV={provisioning.load_tmk(self._store, key)}"
            case ["BACKUP", *what]:
                self._refuse_while_busy()
                return f"OK {self._carrying.back_up(what)}"
            case ["TAMPER", "RESET"]:
                self._refuse_while_busy()
                self._tamper.reset()
                return "OK TAMPER RESET"
            case ["ACTIVATE", code]:
                self._tamper.refuse()
                return self._activate(code)
            case ["HOST", address, port, tpdu]:
                self._refuse_while_busy()
                for store in self._stores:
                    provisioning.set_host(store, address, port, tpdu)
                return f"OK HOST {address} {int(port)} {tpdu}"
            case ["HOST2", link_setup.NONE]:
                self._refuse_while_busy()
                for store in self._stores:
                    link_setup.forget_second_host(store)
                return "OK HOST2 NONE"
            case ["HOST2", address, port]:
                self._refuse_while_busy()
                for store in self._stores:
                    link_setup.set_second_host(store, address, port)
                return f"OK HOST2 {address} {int(port)}"
            case ["NET?"]:
                return f"OK NET {self._network.report()}"
            case ["NET", *setting]:
                self._refuse_while_busy()
                from . import net_setup

                return f"OK {net_setup.obey(self._stores, setting, has_interface=self._has_interface)}"
            case ["LOAD", size]:
                return f"OK {self._loads.begin(size)}"
            case ["INSTALL"]:
                return f"OK INSTALL {self._updates.install()}"
            case ["UPDATE?"]:
                return f"OK {self._updates.status()}"
            case ["TLS", what, text]:
                self._refuse_while_busy()
                for store in self._stores:
                    link_setup.set_tls(store, what, text)
                return f"OK TLS {what}"
            case _:
                return "ERR 01 unknown command"

    def _parameter(self, setting: str) -> str:
        """``name=value`` sets (a value may end in a space), ``name?`` asks."""
        name, sets, value = setting.partition("=")
        if sets:
            self._refuse_while_busy()
            for store in self._stores:
                provisioning.set_parameter(store, name, value)
        elif name.endswith("?"):
            name = name[:-1]
        else:
            return "ERR 01 unknown command"
        return f"OK {name}={provisioning.parameter(self._store, name)}"

    def _activate(self, code: str) -> str:
        """Answered when the host has."""
        self._refuse_while_busy()
        if not (len(code) == CODE_DIGITS and code.isascii() and code.isdigit()):
            raise Refused("03", f"an activation code is {CODE_DIGITS} digits")
        number = next(n for n, store in enumerate(self._stores) if store is self._store)
        if not self._order(ActivationOrder(number, code, self._store, lambda line: self._tell(_line(line)))):
            raise Refused("90", "busy: the terminal is in use")
        return ""

    def _refuse_while_busy(self) -> None:
        if self._busy():
            raise Refused("90", "busy: a transaction is under way")

    def _counters(self) -> str:
        state, sums = self._store.state, batch.totals(self._store.state, self._store.log)
        reversal = state.reversal.trace if state.reversal else "none"
        return (
            f"OK batch={state.batch:06d} trace={state.trace:06d} sales={sums.debits}/{sums.debit_amount} "
            f"voids={sums.credits}/{sums.credit_amount} signed_in={int(state.signed_in)} reversal={reversal}"
        )


def _line(text: str) -> bytes:
    return text.encode("ascii") + b"\r\n"
