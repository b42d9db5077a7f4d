"""The line to the host: one connection a message, and the judgement of what comes back.

One message at a time, over a connection of its own: a late answer can never be taken for the answer to a later message.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from typing import NamedTuple

from . import codec, crypto, texts
from .loop import READABLE, TIMEOUT, WRITABLE, Flow, Wait, now
from .messages import HEADER, Request
from .records import State
from .rules import NETWORK_SUCCESS, REVERSAL_SUCCESS, SUCCESS, Outcome

CONNECT_S = 20.0
SHORTEST_NETWORK_S = 3.0  # the kernel's own timers (a lost SYN costs a second) do not scale
_COMPARED = (3, 4, 11, 25, 41, 42, 49)  # an answer repeats these of the request, where it has them
_MAC_SIZE = 8

Show = Callable[[str], None]


class Verdict(NamedTuple):
    """How a message ended. ``code`` (F39), ``fields`` and ``request`` (header) only of a valid answer."""

    outcome: Outcome
    code: str = ""
    fields: dict[int, str] = {}
    request: str = "0"


def network_timeout(seconds: float, time_scale: float) -> float:
    """A time-out of the terminal's own time, in seconds of this machine."""
    return max(seconds / time_scale, SHORTEST_NETWORK_S)


def encode(request: Request, mak: str) -> bytes:
    """MTI to F64; the MAC is over all before F64."""
    if not request.financial:
        return codec.encode(request.mti, request.fields)
    body = codec.encode(request.mti, request.fields | {64: "0" * _MAC_SIZE})[:-_MAC_SIZE]
    return body + crypto.mac(bytes.fromhex(mak), body).encode()


def success_codes(request: Request) -> frozenset[str]:
    if request.mti == "0400":
        return REVERSAL_SUCCESS
    return SUCCESS if request.financial else NETWORK_SUCCESS


def judge(request: Request, content: bytes, mak: str) -> Verdict:
    """What the bytes of a frame (without its length) are to the request that is outstanding. Pure, takes any bytes."""
    try:
        answer = codec.parse(content)
        body = codec.body_of(content)
    except codec.CodecError:
        return Verdict(Outcome.NOT_OURS)
    code = answer.fields.get(39, "")
    if not (_answers(request, answer) and code.isascii() and code.isalnum()):
        return Verdict(Outcome.NOT_OURS)
    approved = code in success_codes(request)
    if 64 in answer.fields and mak and request.mti not in ("0800", "0820"):
        good_mac = answer.fields[64] == crypto.mac(bytes.fromhex(mak), body[:-_MAC_SIZE])
    else:
        good_mac = not (approved and request.financial)
    if not good_mac:
        return Verdict(Outcome.BAD_MAC)
    return Verdict(Outcome.APPROVED if approved else Outcome.DECLINED, code, answer.fields, answer.request)


def _answers(request: Request, answer: codec.Message) -> bool:
    """Whether this is the answer to that: MTI + 10, and what it repeats of the request is equal."""
    if answer.mti != f"{int(request.mti) + 10:04d}":
        return False
    return all(answer.fields.get(n, request.fields[n]) == request.fields[n] for n in _COMPARED if n in request.fields)


class Line:
    """Sends requests and waits for their answers. ``busy`` is taken for the whole of a transaction."""

    def __init__(self, time_scale: float) -> None:
        self._time_scale = time_scale
        self.busy = False

    def take(self, show: Show) -> Flow[None]:
        """Waits until nobody else is online."""
        while self.busy:
            show(texts.WAIT_PLEASE)
            yield Wait(until=lambda: not self.busy)
        self.busy = True

    def release(self) -> None:
        self.busy = False

    def exchange(self, state: State, request: Request, show: Show) -> Flow[Verdict]:
        """Connects, sends, receives, judges. ``show`` gets the text of each step before it begins."""
        frame = codec.frame(state.tpdu, HEADER, encode(request, state.mak))
        show(texts.CONNECTING)
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        with sock:
            connected = yield from self._connect(sock, state)
            if not connected:
                return Verdict(Outcome.NOT_CONNECTED)
            show(texts.SENDING)
            deadline = now() + network_timeout(state.timeout_s, self._time_scale)
            sent = yield from _send(sock, frame, deadline)
            if not sent:
                return Verdict(Outcome.NO_ANSWER)
            show(texts.WAITING)
            content = yield from _receive(sock, deadline)
        if content is None:
            return Verdict(Outcome.NO_ANSWER)
        return judge(request, content, state.mak)

    def _connect(self, sock: socket.socket, state: State) -> Flow[bool]:
        deadline = now() + network_timeout(CONNECT_S, self._time_scale)
        error = sock.connect_ex((state.host, state.port))
        if error == errno.EINPROGRESS:
            signal = yield Wait(sock=sock, mask=WRITABLE, deadline=deadline)
            if signal.kind == TIMEOUT:
                return False
            error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        return error == 0


def _send(sock: socket.socket, data: bytes, deadline: float) -> Flow[bool]:
    """False: some of it may have left, but not all."""
    while data:
        try:
            data = data[sock.send(data) :]
        except BlockingIOError:
            signal = yield Wait(sock=sock, mask=WRITABLE, deadline=deadline)
            if signal.kind == TIMEOUT:
                return False
        except OSError:
            return False
    return True


def _receive(sock: socket.socket, deadline: float) -> Flow[bytes | None]:
    """The content of the first frame; None where time-out, close or reset come before its end."""
    held = b""
    while True:
        signal = yield Wait(sock=sock, mask=READABLE, deadline=deadline)
        if signal.kind == TIMEOUT:
            return None
        try:
            data = sock.recv(65536)
        except BlockingIOError:
            continue
        except OSError:
            return None
        if not data:
            return None
        held += data
        if len(held) >= codec.LENGTH_SIZE:
            length = int.from_bytes(held[: codec.LENGTH_SIZE], "big")
            if not codec.SMALLEST <= length <= codec.LARGEST:
                return b""  # an answer that is none
            if len(held) >= codec.LENGTH_SIZE + length:
                return held[codec.LENGTH_SIZE : codec.LENGTH_SIZE + length]
