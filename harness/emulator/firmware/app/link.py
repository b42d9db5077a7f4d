"""The link that a message goes over: which host, in the clear, under TLS or in HTTP, for one message or for many."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple

from . import codec, link_http, texts
from .link_stream import Stream, connect
from .loop import Flow, Wait, now
from .records import State

if TYPE_CHECKING:
    import ssl

    from .network import Network

CONNECT_S = 20.0
FIRST_AGAIN_S = 300.0  # after a fall back: for so long the second host is the first to be tried
SHORTEST_NETWORK_S = 3.0  # the kernel's own timers (a lost SYN costs a second) do not scale

_Address = tuple[str, int]


def network_timeout(seconds: float, time_scale: float) -> float:
    """A time-out of the terminal's own time, in seconds of this machine."""
    return max(seconds / time_scale, SHORTEST_NETWORK_S)


class Way(NamedTuple):
    """What a connection depends on: it can be used again only while all of this is the same."""

    kind: str
    first: _Address
    second: _Address | None
    path: str
    ca: str
    certificate: str
    key: str

    @classmethod
    def of(cls, state: State) -> Way:
        second = (state.host2, state.port2) if state.host2 else None
        return cls(
            state.dialect.link, (state.host, state.port), second, state.dialect.http_path,
            state.tls_ca, state.tls_cert, state.tls_key,
        )


class Link:
    """A connection for one message. At the end of ``with`` it is closed, unless it stands and was ``answered`` well."""

    def __init__(self, links: Links, stream: Stream, way: Way, address: _Address) -> None:
        self._links, self.stream = links, stream
        self.way, self.address = way, address
        self.answered = False
        self._clean = True

    def __enter__(self) -> Link:
        self.answered = False
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.answered and self._clean and kind is None and self.way.kind == "tcp_standing":
            self._links.keep(self)
        else:
            self.stream.close()

    def send(self, frame: bytes, deadline: float) -> Flow[bool]:
        """False: some of it may have left, but not all."""
        if self.way.kind == "http":
            frame = link_http.request(frame, self.way.path, self.address)
        return (yield from self.stream.send(frame, deadline))

    def receive(self, deadline: float) -> Flow[bytes | None]:
        """The content of the first frame, empty where what comes is none; None where time-out, close or reset come
        before its end."""
        if self.way.kind == "http":
            return (yield from self._receive_http(deadline))
        held = b""
        while True:
            data = yield from self.stream.read(deadline)
            if data is None:
                return None
            held += data
            if len(held) >= codec.LENGTH_SIZE:
                length = int.from_bytes(held[: codec.LENGTH_SIZE], "big")
                if not codec.SMALLEST <= length <= codec.LARGEST:
                    return b""  # an answer that is none
                if len(held) >= codec.LENGTH_SIZE + length:
                    self._clean = len(held) == codec.LENGTH_SIZE + length
                    return held[codec.LENGTH_SIZE : codec.LENGTH_SIZE + length]

    def _receive_http(self, deadline: float) -> Flow[bytes | None]:
        response = link_http.Response()
        while not response.over:
            data = yield from self.stream.read(deadline)
            if data is None:
                return None
            response.feed(data)
        return response.content


class Links:
    """Opens links. Remembers the connection that stands, and for how long the second host is tried first.

    ``network``: what the terminal's own interface is about; None where it has none.
    """

    def __init__(self, time_scale: float, network: Network | None = None) -> None:
        self._time_scale, self._network = time_scale, network
        self._standing: Link | None = None
        self._second_until = 0.0
        self._tls: tuple[tuple[str, str, str], Any] | None = None

    def open(self, state: State) -> Flow[Link | str]:
        """A text: neither host can be reached (or neither passes the check of its certificate), and why; nothing was
        sent."""
        way = Way.of(state)
        hosts = [way.first] if way.second is None else [way.first, way.second]
        if way.second is None:
            self._second_until = 0.0  # one that is set later is tried second again
        if now() < self._second_until:
            hosts.reverse()
        standing, self._standing = self._standing, None
        if standing is not None:
            if standing.way == way and standing.address == hosts[0] and standing.stream.quiet:
                return standing
            standing.stream.close()
        why = "" if self._network is None else (yield from self._network.ready())
        if why:
            return why
        for address in hosts:
            stream = yield from self._reach(address, way)
            if isinstance(stream, str):
                why = why or stream
                continue
            if address != hosts[0]:
                fell_back = address == way.second
                self._second_until = now() + FIRST_AGAIN_S / self._time_scale if fell_back else 0.0
            return Link(self, stream, way, address)
        # a modem that has lost its network meanwhile is the better reason
        return self._network.trouble or why if self._network else why

    def keep(self, link: Link) -> None:
        """It stands, and is free for the next message."""
        self._standing = link

    def tend(self) -> Flow[None]:
        """For ever: lets go of a standing connection that the host has closed while nothing was under way."""
        while True:
            yield Wait(until=self._ended)
            if self._standing is not None:
                self._standing.stream.close()
                self._standing = None

    def _ended(self) -> bool:
        return self._standing is not None and not self._standing.stream.quiet

    def _reach(self, host: _Address, way: Way) -> Flow[Stream | str]:
        """A stream to the host, by address or by name; or why there is none."""
        name, port = host
        if name.replace(".", "").isdigit():
            stream = yield from self._connect(host, way)
            return stream or texts.NOT_CONNECTED
        if self._network is None:
            return texts.NAME_UNKNOWN
        addresses = yield from self._network.resolve(name)
        for address in addresses:
            stream = yield from self._connect((address, port), way)
            if stream is not None:
                return stream
        if not addresses:
            return texts.NAME_UNKNOWN
        self._network.forget(name)  # nobody answers there: perhaps the host has moved
        return texts.NOT_CONNECTED

    def _connect(self, address: _Address, way: Way) -> Flow[Stream | None]:
        deadline = now() + network_timeout(CONNECT_S, self._time_scale)
        if way.kind != "tls":
            return (yield from connect(address, deadline))
        from . import link_tls

        try:
            settings = self._tls_settings(way)
        except link_tls.Fault:
            return None
        stream = yield from connect(address, deadline)
        if stream is None:
            return None
        return (yield from link_tls.handshake(stream, settings, deadline))

    def _tls_settings(self, way: Way) -> ssl.SSLContext:
        """Made once for what is set; raises :class:`link_tls.Fault`."""
        from . import link_tls

        given = (way.ca, way.certificate, way.key)
        if self._tls is None or self._tls[0] != given:
            self._tls = given, link_tls.context(*given)
        settings: ssl.SSLContext = self._tls[1]
        return settings
