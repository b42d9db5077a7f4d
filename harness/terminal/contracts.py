"""What a terminal can be asked for. A driver implements the parts that its model declares; nothing else is asked of it.

Amounts are in cents; ``trace`` is F11, six digits; keys are hex. Every call records an operation (invoked, completed)
in the history. A call returns a :class:`Completion` when the terminal said something, and raises
:class:`harness.errors.TerminalTimeout` when it said nothing readable before the deadline (its operation is then
completed as ``unknown``).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from harness.history.update_events import Route
from harness.terminal.cards import Card

NOT_CONNECTED = (
    "连接失败", "网络未就绪", "域名解析失败", "未插SIM卡", "无信号", "网络注册失败", "数据连接失败", "通讯模块故障",
)
"""What the emulated models show where nothing could be sent."""

BUSY, AGAIN_S = "90", 0.25
"""What a terminal says on its service port while it is at work, and after how long (real time) a person tries again."""

Via = Literal["keypad", "cashier", "service", "operator"]


@dataclass(frozen=True)
class Completion:
    """How an operation ended, as the terminal told it: ``ok`` approved or done, ``fail`` it said no, ``unknown``.

    ``code`` is a response code ("97") or a local result ("Z2"); ``text`` what it said; ``trace`` F11, ``reference``
    F37, ``authorisation`` F38 where it told them.
    """

    outcome: Literal["ok", "fail", "unknown"]
    code: str | None = None
    text: str = ""
    trace: str = ""
    reference: str = ""
    authorisation: str = ""

    @property
    def ok(self) -> bool:
        return self.outcome == "ok"

    @property
    def connected(self) -> bool:
        """False where the terminal said that it could not connect, so nothing was sent and one may try again."""
        return self.code != "Z1" and not any(reason in self.text for reason in NOT_CONNECTED)


@dataclass(frozen=True)
class Order:
    """What somebody wants of the terminal. ``name``: a name of ``harness.terminal.model.Transaction``.

    ``amount`` in cents (of an adjustment: the new amount), ``tip`` in cents; ``card`` where the transaction takes one,
    ``pin`` whether its PIN is typed; ``trace`` (6 digits), ``reference`` (12), ``date`` (MMDD) and ``authorisation``
    (6) of the original where the transaction names one. ``harness.terminal.orders.NEEDS`` says which of them it needs.
    """

    name: str
    amount: int | None = None
    card: Card | None = None
    pin: bool = False
    trace: str = ""
    reference: str = ""
    date: str = ""
    authorisation: str = ""
    tip: int | None = None
    via: Via = "keypad"


class Operation(Protocol):
    """Something under way at the terminal."""

    def wait(self, deadline_s: float | None = None) -> Completion:
        """Until the terminal says how it ended; default deadline: the terminal's own time-outs and a margin."""


class Operates(Protocol):
    """A cashier's and an operator's work. ``begin_*`` returns once the request is on its way to be sent."""

    def begin(self, order: Order) -> Operation: ...
    def perform(self, order: Order) -> Completion: ...
    def select_merchant(self, number: int) -> Completion: ...
    def begin_sale(self, amount: int, *, card: Card, pin: bool = False, via: Via = "keypad") -> Operation: ...
    def begin_void(self, trace: str, *, via: Via = "keypad") -> Operation: ...
    def begin_settlement(self, *, via: Via = "keypad") -> Operation: ...
    def begin_sign_in(self, *, via: Via = "keypad") -> Operation: ...
    def begin_echo(self, *, via: Via = "keypad") -> Operation: ...
    def reprint(self, *, via: Via = "keypad") -> Completion: ...
    def acknowledge(self) -> Completion: ...
    def open_menu(self) -> Completion: ...
    def to_idle(self, deadline_s: float = 10.0) -> None: ...
    def await_idle(self, deadline_s: float) -> None: ...


class Provisions(Protocol):
    """Making a unit known to itself: keys, identity, host."""

    def address_merchant(self, number: int) -> Completion: ...
    def load_tmk(self, key: str) -> Completion: ...
    def reset_tamper(self) -> Completion: ...
    def set_identity(self, tid: str, mid: str, *, via: Via = "service") -> Completion: ...
    def set_host(self, address: str, port: int, tpdu: str) -> Completion: ...
    def set_network(self, setting: str) -> Completion: ...
    def set_second_host(self, address: str = "", port: int = 0) -> Completion: ...
    def set_tls(self, what: str, payload: str) -> Completion: ...
    def set_parameter(self, name: str, value: str) -> Completion: ...


class TellsCounters(Protocol):
    """What the terminal says of itself on the service port (not on a physical-like bench)."""

    def read_counters(self) -> dict[str, str]: ...
    def read_identity(self) -> str: ...
    def read_network(self) -> str: ...


class LoadsFirmware(Protocol):
    """Giving a terminal other software. ``image`` is a file that the terminal itself has to judge.

    ``begin_load_firmware`` returns once the transfer is under way; its ``wait`` returns when the terminal has said that
    it installs the image (ok) or that it does not (fail, ``text``: its reason; the old version runs on). By the network
    the host has to offer the image first (``bench.host.offer_software``). After ok the terminal restarts:
    ``await_updated`` is there when it stands idle again, whatever version it then runs. ``read_version`` asks for that,
    gives (name, version) and records ``firmware.told``.
    """

    def begin_load_firmware(self, image: Path, *, via: Route = "service") -> Operation: ...
    def load_firmware(self, image: Path, *, via: Route = "service") -> Completion: ...
    def await_updated(self, deadline_s: float = 60.0) -> None: ...
    def read_version(self) -> tuple[str, str]: ...


class BacksUp(Protocol):
    """A unit's identity and unsettled batch for its successor, enciphered where they name a card. ``key``: 32 hex
    digits that the engineer chooses; it is in no backup."""

    def back_up(self, key: str) -> str: ...
    def restore(self, backup: str, key: str) -> Completion: ...


class Activates(Protocol):
    """Getting number and master key from the acquirer against an activation code."""

    def activate(self, code: str, *, via: Via = "keypad") -> Completion: ...


class Terminal(Operates, Provisions, TellsCounters, Protocol):
    """All of it."""
