"""Software from the host: what is there (397), block after block (398), the end (399).

The messages are those of any download. What was received stays, whatever they are answered: the next attempt goes on
where this one broke off, as long as the image on offer is the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from . import results, texts
from .comms import Show, Verdict
from .loop import Flow
from .provisioning import Refused
from .results import Result
from .updates import BROKEN_OFF, BUSY, NETWORK, Updates

if TYPE_CHECKING:
    from .downloads import Ask

OFFER, BLOCK, END = "397", "398", "399"
BLOCK_SIZE = 960  # F62 has 999 bytes at most
_SHA256_DIGITS, _SIZE_DIGITS = 64, 8


class SoftwareFault(Exception):
    """What the host sent can't be used. Says why."""


class Offer(NamedTuple):
    """The image that the host has."""

    size: int
    sha256: str
    version: str


class Software:
    """``ask`` sends one message of a download. ``in_use``: whether somebody uses the terminal now."""

    def __init__(self, updates: Updates, ask: Ask, *, in_use: Callable[[], bool]) -> None:
        self._updates, self._ask, self._in_use = updates, ask, in_use

    def update(self, show: Show) -> Flow[Result]:
        """Fetches what is there, if it is not what runs, and has it installed as soon as nothing is under way.

        By itself it gives way to whoever uses the terminal, and goes on at the next attempt.
        """
        unattended = not self._in_use()
        running = self._updates.running.encode("ascii", "replace")
        offer = offered(_f62((yield from self._ask("0800", OFFER, show, running))))
        if offer is None or offer.version == self._updates.running.rpartition(" ")[2]:
            return results.done(texts.NO_UPDATE)
        refused: Refused | None = None
        try:
            complete = yield from self._fetch(offer, show, lambda: unattended and self._in_use())
            if not complete:
                return results.local(results.BUSY, texts.BUSY)
            self._judge(offer)
        except Refused as reason:
            refused = reason
        if refused is not None and refused.number in (BUSY, BROKEN_OFF):
            return of_refusal(refused)
        told = f"{refused.number if refused else results.OK}{offer.version}".encode("ascii", "replace")
        if refused is not None:
            yield from self._ask("0800", END, show, told)
            return of_refusal(refused)
        yield from self._take(told, show)
        return results.done(texts.UPDATE_DONE, offer.version)

    def _take(self, told: bytes, show: Show) -> Flow[None]:
        """Tells the host that it is taken. It is wanted before that, since a host that was told asks no more, and the
        power may go before its answer is here. Without its yes it is not."""
        updates = self._updates
        updates.want()
        try:
            yield from self._ask("0800", END, show, told)
        except Exception:
            updates.unwant()
            raise
        finally:
            updates.pause()

    def _fetch(self, offer: Offer, show: Show, gives_way: Callable[[], bool]) -> Flow[bool]:
        """Every block that is missing; False: not all of them, somebody wants to use the terminal."""
        updates = self._updates
        at = updates.begin(NETWORK, offer.size, sha256=offer.sha256, version=offer.version)
        try:
            while at < offer.size:
                if gives_way():
                    return False
                wanted = min(BLOCK_SIZE, offer.size - at)
                show(f"{texts.RECEIVED} {at * 100 // offer.size}%")
                verdict = yield from self._ask("0800", BLOCK, show, f"{at:08d}{wanted:03d}".encode())
                updates.write(block(_f62(verdict), at, wanted))
                at += wanted
        finally:
            updates.pause()
        return True

    def _judge(self, offer: Offer) -> None:
        """What came is what was offered, and may be installed. Raises :class:`.provisioning.Refused`."""
        updates = self._updates
        if updates.sha256_of_received() != offer.sha256:
            updates.forget()
            raise updates.failed(BROKEN_OFF, "what came is not what was offered")
        updates.finish()
        try:
            updates.refuse_loss()
        except Refused as refused:
            raise updates.failed(refused.number, str(refused)) from refused


def of_refusal(refused: Refused) -> Result:
    """Why there is no update, for the operator and the till."""
    code = results.BUSY if refused.number == BUSY else results.NOT_ALLOWED
    return results.local(code, texts.UPDATE_FAILED, texts.update_reason(refused.number))


def offered(f62: bytes) -> Offer | None:
    """F62 of the answer to 397; None: nothing is offered. Raises :class:`SoftwareFault`."""
    text = f62.decode("latin-1")
    if text == "0":
        return None
    size, sha256 = text[1 : 1 + _SIZE_DIGITS], text[1 + _SIZE_DIGITS : 1 + _SIZE_DIGITS + _SHA256_DIGITS]
    version = text[1 + _SIZE_DIGITS + _SHA256_DIGITS :]
    sound = text[:1] == "1" and len(size) == _SIZE_DIGITS and size.isascii() and size.isdigit()
    if not (sound and len(sha256) == _SHA256_DIGITS and _is_hex(sha256) and 0 < len(version) <= 40):
        raise SoftwareFault("no offer of software")
    if not (version.isascii() and version.isprintable()):
        raise SoftwareFault("the version on offer is none")
    return Offer(int(size), sha256.lower(), version)


def block(f62: bytes, at: int, wanted: int) -> bytes:
    """The bytes in F62 of the answer to 398. Raises :class:`SoftwareFault`."""
    if f62[:9] != b"1%08d" % at or len(f62) != 9 + wanted:
        raise SoftwareFault(f"no block of {wanted} bytes at {at}")
    return f62[9:]


def _is_hex(text: str) -> bool:
    return all(c in "0123456789abcdefABCDEF" for c in text)


def _f62(verdict: Verdict) -> bytes:
    return bytes.fromhex(verdict.fields.get(62, ""))
