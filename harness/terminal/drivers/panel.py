"""Driver of the emulated models: an operator's hands and eyes, a till, and a service engineer, by their dialogs.

Everything goes through the front panel and the two serial lines, as with a physical terminal; nothing here knows that
the terminal is emulated. What each transaction is asked for stands in tables (``terminal/orders.py``, ``dialogs.py``).
"""

from __future__ import annotations

from harness.errors import BadInput
from harness.protocol.transactions import KINDS
from harness.terminal.cards import Card
from harness.terminal.contracts import Completion, Order, Via
from harness.terminal.drivers import dialogs
from harness.terminal.drivers.panel_firmware import PanelFirmware
from harness.terminal.drivers.panel_hands import ALERT, MANAGE, MENU, STEP_S
from harness.terminal.drivers.panel_install import PanelInstall
from harness.terminal.drivers.panel_operation import (
    ENDED,
    PROGRESS,
    TAMPERED,
    PanelOperation,
    code_of,
    completion_of,
)
from harness.terminal.model import Function
from harness.terminal.orders import check


class PanelTerminal(PanelFirmware, PanelInstall):
    """One terminal in an operator's hands."""

    # -- operations ---------------------------------------------------------------------------------------------------

    def begin(self, order: Order) -> PanelOperation:
        """Bring the order to the terminal and answer what it asks for, until it is at work or has said no."""
        check(order)
        self._refuse_what_is_not_offered(order)
        operation = self._invoke(order.name, order.via, dialogs.arguments(order))
        self.money_moved = self.money_moved or order.name in KINDS
        with operation.guarded():
            steps = dialogs.steps(order, signature=self.model.signature_pad)
            operation.dialog = dialogs.Dialog(self.front, steps, order.card)
            if order.via == "cashier":
                operation.echo = self._till().command(order.name, dialogs.tags(order))
                if order.card is None:
                    return operation
                wanted = (*operation.dialog.prompts, *PROGRESS, *ENDED)
                seen = self._look_for(wanted, "the first question", after=operation.start)
            else:
                function: Function = order.name  # type: ignore[assignment]  # check() knows it
                wanted = (*operation.dialog.prompts, *PROGRESS)
                seen = self._open(function, operation, wanted, f"the begin of {order.name}")
            self._converse(operation, seen)
        return operation

    def perform(self, order: Order) -> Completion:
        return self.begin(order).wait()

    def _refuse_what_is_not_offered(self, order: Order) -> None:
        if order.name != "reprint" and order.name not in self.model.transactions:
            raise BadInput(f"the model {self.model.name} has no {order.name}")
        if order.card is not None and order.card.entry not in self.model.entry:
            raise BadInput(f"the model {self.model.name} does not take {order.card.entry} cards")

    def select_merchant(self, number: int) -> Completion:
        """The merchant (from 1) whose transactions follow, on a model with several identities."""
        operation = self._invoke("select_merchant", "keypad", {"number": str(number)})
        with operation.guarded():
            seen = self._open("select_merchant", operation, (dialogs.ASK_MERCHANT,), "the request for the merchant")
            if dialogs.ASK_MERCHANT in seen.text:
                before = self.front.press(str(number))
                seen = self._look_for(ENDED, "the merchant that was selected", after=before)
            completion = completion_of(seen)
            self.to_idle()
            return operation.complete(completion)
        raise AssertionError("guarded() re-raises")

    # -- the commonest by their names ---------------------------------------------------------------------------------

    def begin_sale(self, amount: int, *, card: Card, pin: bool = False, via: Via = "keypad") -> PanelOperation:
        return self.begin(Order("sale", amount, card, pin, via=via))

    def begin_void(self, trace: str, *, via: Via = "keypad") -> PanelOperation:
        return self.begin(Order("void", trace=trace, via=via))

    def begin_settlement(self, *, via: Via = "keypad") -> PanelOperation:
        return self.begin(Order("settle", via=via))

    def begin_sign_in(self, *, via: Via = "keypad") -> PanelOperation:
        return self.begin(Order("sign_in", via=via))

    def begin_echo(self, *, via: Via = "keypad") -> PanelOperation:
        return self.begin(Order("echo", via=via))

    def sale(self, amount: int, *, card: Card, pin: bool = False, via: Via = "keypad") -> Completion:
        return self.begin_sale(amount, card=card, pin=pin, via=via).wait()

    def void(self, trace: str, *, via: Via = "keypad") -> Completion:
        return self.begin_void(trace, via=via).wait()

    def settle(self, *, via: Via = "keypad") -> Completion:
        return self.begin_settlement(via=via).wait()

    def sign_in(self, *, via: Via = "keypad") -> Completion:
        return self.begin_sign_in(via=via).wait()

    def echo(self, *, via: Via = "keypad") -> Completion:
        return self.begin_echo(via=via).wait()

    def reprint(self, *, via: Via = "keypad") -> Completion:
        return self.perform(Order("reprint", via=via))

    # -- an operator who looks around ---------------------------------------------------------------------------------

    def acknowledge(self) -> Completion:
        """One key, as an operator who comes to an idle terminal; an alert that it brings is read and dismissed."""
        operation = self._invoke("acknowledge", "keypad")
        with operation.guarded():
            _, seen = self._from_idle("FUNC", (MENU, ALERT, TAMPERED), "what the terminal has to say")
            code = code_of(seen)
            self.front.press("CANCEL")
            self.await_idle(STEP_S)
            return operation.complete(Completion("ok", code, seen.text))
        raise AssertionError("guarded() re-raises")

    def open_menu(self) -> Completion:
        """The management menu opened and left again: the terminal is operable."""
        operation = self._invoke("menu", "keypad")
        with operation.guarded():
            seen = self._open("manage", operation, (MANAGE,), "the management menu")
            self.to_idle()
            return operation.complete(Completion("ok") if MANAGE in seen.text else completion_of(seen))
        raise AssertionError("guarded() re-raises")

    # -- provisioning -------------------------------------------------------------------------------------------------

    def address_merchant(self, number: int) -> Completion:
        """The merchant (from 1) whose key and identity are loaded next, on a model with several: wherever that is
        done."""
        if self.service is not None:
            completion = self._served(f"MERCHANT {number}")
            if not (completion.ok and self._keys_by_operator):
                return completion
        return self.select_merchant(number)

    def load_tmk(self, key: str) -> Completion:
        """The terminal master key (32 hex digits): by the service port, or typed by the operator where there is
        none."""
        if not self._keys_by_operator and self.service is not None:
            operation = self._invoke("load_tmk", "service")
            with operation.guarded():
                return operation.complete(self._served(f"KEY TMK {key}"))
        operation = self._invoke("load_tmk", "operator")
        with operation.guarded():
            self._open("manage", operation, (MANAGE,), "the management menu")
            self._step_by_key("2", "请输入主密钥", "the request for the master key")
            self.front.type(key.upper())
            before = self.front.press("ENTER")
            seen = self._look_for(ENDED, "the result of loading the key", after=before)
            self.to_idle()
            return operation.complete(completion_of(seen))
        raise AssertionError("guarded() re-raises")

    def reset_tamper(self) -> Completion:
        """After the case was opened and is closed again: the engineer has seen to it. Keys are to be loaded anew."""
        return self._served("TAMPER RESET")

    def set_identity(self, tid: str, mid: str, *, via: Via = "service") -> Completion:
        operation = self._invoke("set_identity", via, {"tid": tid, "mid": mid})
        with operation.guarded():
            if via == "service":
                return operation.complete(self._served(f"SET TID={tid} MID={mid}"))
            self._open("manage", operation, (MANAGE,), "the management menu")
            before = self.front.press("1")
            seen = self._look_for(("请输入终端号", *ENDED), "the request for the terminal number", after=before)
            if "请输入终端号" in seen.text:
                self.front.type(tid)
                before = self.front.press("ENTER")
                seen = self._look_for(("请输入商户号", *ENDED), "the request for the merchant number", after=before)
            if "请输入商户号" in seen.text:
                self.front.type(mid)
                before = self.front.press("ENTER")
                seen = self._look_for(ENDED, "the result of setting the identity", after=before)
            completion = completion_of(seen)
            self.to_idle()
            return operation.complete(completion)
        raise AssertionError("guarded() re-raises")

    def set_host(self, address: str, port: int, tpdu: str) -> Completion:
        operation = self._invoke("set_host", "service", {"address": address, "port": str(port)})
        with operation.guarded():
            return operation.complete(self._served(f"HOST {address} {port} {tpdu}"))
        raise AssertionError("guarded() re-raises")

    def set_network(self, setting: str) -> Completion:
        """How its interface gets its address: the words behind ``NET`` (docs/terminal.md)."""
        return self._served(f"NET {setting}")

    def read_identity(self) -> str:
        """TID, MID and serial number, as it has them."""
        return self._served("IDENTITY").text

    def read_network(self) -> str:
        """What it says of its address, its router and its name servers."""
        return self._served("NET?").text

    def set_second_host(self, address: str = "", port: int = 0) -> Completion:
        """The address to fall back to; "": none."""
        return self._served(f"HOST2 {address} {port}" if address else "HOST2 NONE")

    def set_tls(self, what: str, payload: str) -> Completion:
        """``what`` CA, CERT or KEY; ``payload`` base64 of DER, or NONE."""
        return self._served(f"TLS {what} {payload}")

    def set_parameter(self, name: str, value: str) -> Completion:
        return self._served(f"PARAM {name}={value}")

    def read_counters(self) -> dict[str, str]:
        """The service counters; they are recorded."""
        return self._port().counters()

