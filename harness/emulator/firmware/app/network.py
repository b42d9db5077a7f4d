"""The terminal's way into the network: what its interface is set to, whether there is a connection, and if not why.

A board without an interface of its own (a terminal that lives in the network of its host machine) has nothing to set:
there the way is always open.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from . import texts
from .hardware import Board
from .link import network_timeout
from .loop import Flow, Signal, Wait, now
from .records import State

if TYPE_CHECKING:
    from .dhcp import Client
    from .dns import Resolver
    from .interface import Interface
    from .modem import Modem

READY_S = 20.0  # how long a message waits for an address
AGAIN_S = 10.0  # after the kernel refused something about the interface
NONE, DHCP, STATIC = "", "dhcp", "static"


class Setting(NamedTuple):
    """As the service engineer set it. ``mode`` NONE: it gets no address."""

    mode: str
    address: str = ""
    router: str = ""

    @classmethod
    def of(cls, state: State) -> Setting:
        return cls(state.network, state.address, state.router) if state.network == STATIC else cls(state.network)


class Network:
    """``settings`` gives the terminal's state. ``modem``: what the interface is behind, on a model that has one."""

    def __init__(self, board: Board, settings: Callable[[], State], modem: Modem | None = None) -> None:
        self._name, self._time_scale, self._settings = board.ethernet, board.time_scale, settings
        self._modem = modem
        self._interface: Interface | None = None
        self._client: Client | None = None
        self._resolver: Resolver | None = None
        self._applied: Setting | None = None

    @property
    def servers(self) -> tuple[str, ...]:
        """Name servers: those that were set, else those that came with the address."""
        own = self._settings().dns
        if own:
            return tuple(own.split(","))
        lease = self._client.lease if self._client else None
        return lease.dns if lease else ()

    def resolve(self, name: str) -> Flow[tuple[str, ...]]:
        """The addresses of a host; none: there are none, or nobody could tell."""
        if self._resolver is None:
            from .dns import Resolver

            self._resolver = Resolver(self._time_scale)
        return (yield from self._resolver.resolve(name, self.servers))

    def forget(self, name: str) -> None:
        """Nobody answers where that name leads: it is to be asked for again."""
        if self._resolver is not None:
            self._resolver.forget(name)

    def run(self) -> Flow[None]:
        """For ever: keeps the interface as it is set, whenever that changes."""
        while self._name:
            setting = Setting.of(self._settings())
            flow = self._follow(setting)
            signal: Signal | None = None
            while not self._changed(setting):
                wait = next(flow) if signal is None else flow.send(signal)
                signal = yield self._or_changed(wait, setting)
            flow.close()
            self._client, self._applied = None, None

    def ready(self) -> Flow[str]:
        """Waits a while for an address, if there is none. "" or why there is none, for the operator."""
        if not self._up():
            if self._modem is not None:
                self._modem.hurry()
            if self._client is not None:
                self._client.hurry()
            yield Wait(until=self._up, deadline=now() + network_timeout(READY_S, self._time_scale))
        return "" if self._up() else self.trouble or texts.NETWORK_DOWN

    def report(self) -> str:
        """What ``NET?`` answers."""
        state = self._settings()
        dns = ",".join(self.servers) or "none"
        if self._name and state.network == STATIC:
            told = f"STATIC {state.address} router={state.router or 'none'}"
        elif self._name and state.network == DHCP:
            told = f"DHCP {self._of_lease()}"
        else:
            told = "NONE"
        known = ",".join(self._resolver.known(state.host)) if self._resolver else ""
        parts = [told, f"dns={dns}", f"host={known}" if known else "", self._modem.report if self._modem else ""]
        return " ".join(filter(None, parts))

    def _of_lease(self) -> str:
        client = self._client
        if client is None or client.lease is None:
            return client.state if client else "INIT"
        lease, left = client.lease, client.left_s()
        ends = "never" if left is None else f"{left:.0f}"
        return f"{client.state} {lease.address}/{lease.prefix} router={lease.router or 'none'} lease={ends}"

    @property
    def trouble(self) -> str:
        """What is wrong with the modem, for the operator; ""."""
        return self._modem.trouble if self._modem is not None else ""

    def _up(self) -> bool:
        if self.trouble:
            return False
        if not self._name:
            return True
        if self._applied is None or self._applied.mode == NONE:
            return False
        return self._client is None or self._client.lease is not None

    def _changed(self, setting: Setting) -> bool:
        return Setting.of(self._settings()) != setting

    def _or_changed(self, wait: Wait, setting: Setting) -> Wait:
        until = wait.until
        return wait._replace(until=lambda: self._changed(setting) or (until is not None and until()))

    def _follow(self, setting: Setting) -> Flow[None]:
        """For ever, or until it is closed."""
        while True:
            try:
                if self._interface is None:
                    from .interface import Interface

                    self._interface = Interface(self._name)
                    self._interface.up()
                if setting.mode == DHCP:
                    from .dhcp import Client

                    self._client = Client(self._interface, self._time_scale)
                elif setting.mode == STATIC:
                    address, _, prefix = setting.address.partition("/")
                    self._interface.set(address, int(prefix), setting.router)
                else:
                    self._interface.clear()
                self._applied = setting
                if self._client is not None:
                    yield from self._client.run()
                yield Wait(until=lambda: False)
            except OSError:
                self._applied, self._client = None, None
                if self._interface is not None:
                    self._interface.close()
                    self._interface = None
                yield Wait(deadline=now() + network_timeout(AGAIN_S, self._time_scale))
