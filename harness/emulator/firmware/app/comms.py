"""The line to the host: one message at a time, and the judgement of what comes back.

A connection that did not bring a good answer is never used again: a late answer can't be taken for a later message's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from . import codec, crypto, texts
from .dialect import Dialect
from .link import Links, network_timeout
from .loop import Flow, Wait, now
from .messages import HEADER, Request
from .records import State
from .rules import Outcome, success_codes

if TYPE_CHECKING:
    from .network import Network

_COMPARED = (3, 4, 11, 25, 41, 42, 49)  # an answer repeats these of the request, where it has them
_MAC_SIZE = 8

Show = Callable[[str], None]


class Verdict(NamedTuple):
    """How a message ended. ``code`` (F39), ``fields`` and ``request`` (header) only of a valid answer.
    ``why`` there was no connection, for the operator."""

    outcome: Outcome
    code: str = ""
    fields: dict[int, str] = {}
    request: str = "0"
    why: str = ""


def encode(request: Request, mak: str, dialect: Dialect) -> bytes:
    """MTI to F64; the MAC is over all before F64."""
    form = dialect.f48_encoding
    if not request.carries_mac:
        return codec.encode(request.mti, request.fields, f48=form)
    body = codec.encode(request.mti, request.fields | {64: "0" * _MAC_SIZE}, f48=form)[:-_MAC_SIZE]
    return body + crypto.mac(bytes.fromhex(mak), body, sm=dialect.sm).encode()


def judge(request: Request, content: bytes, mak: str, dialect: Dialect) -> Verdict:
    """What the bytes of a frame (without its length) are to the request that is outstanding. Pure, takes any bytes."""
    try:
        answer = codec.parse(content, f48=dialect.f48_encoding)
        body = codec.body_of(content)
    except codec.CodecError:
        return Verdict(Outcome.NOT_OURS)
    code = answer.fields.get(39, "")
    if not (_answers(request, answer) and code.isascii() and code.isalnum()):
        return Verdict(Outcome.NOT_OURS)
    approved = code in success_codes(dialect, request.mti, request.financial)
    if 64 in answer.fields and mak and (request.carries_mac or request.mti not in ("0800", "0820")):
        good_mac = answer.fields[64] == crypto.mac(bytes.fromhex(mak), body[:-_MAC_SIZE], sm=dialect.sm)
    else:
        good_mac = not (request.carries_mac and (approved or dialect.decline_mac == "required"))
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

    def __init__(self, time_scale: float, network: Network | None = None) -> None:
        self._time_scale = time_scale
        self.links = Links(time_scale, network)
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
        if request.carries_mac and not state.mak:  # it was erased while the message was made
            return Verdict(Outcome.NOT_CONNECTED, why=texts.KEY_FAULT)
        frame = codec.frame(state.tpdu, HEADER, encode(request, state.mak, state.dialect))
        show(texts.CONNECTING)
        link = yield from self.links.open(state)
        if isinstance(link, str):
            return Verdict(Outcome.NOT_CONNECTED, why=link)
        with link:
            show(texts.SENDING)
            deadline = now() + network_timeout(state.timeout_s, self._time_scale)
            sent = yield from link.send(frame, deadline)
            if not sent:
                return Verdict(Outcome.NO_ANSWER)
            show(texts.WAITING)
            content = yield from link.receive(deadline)
            if content is None:
                return Verdict(Outcome.NO_ANSWER)
            verdict = judge(request, content, state.mak, state.dialect)
            link.answered = verdict.outcome in (Outcome.APPROVED, Outcome.DECLINED)
        return verdict
