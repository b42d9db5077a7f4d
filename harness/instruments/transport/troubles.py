"""What can go wrong with an instrument at the other end of a line, said once for all transports.

Each function gives the error to raise. ``where`` is the address as in the inventory, ``what`` the command or query.
"""

from __future__ import annotations

import errno
import os

from harness.instruments.contracts import InstrumentError, InstrumentRefused

_REFUSED = "is it switched on, is its remote control enabled, is the address in the inventory right?"
CABLE = "check its cable and switch, and the address in the inventory"
ADDRESS = "correct `address` in the inventory: docs/instruments.md"
_DROPPED = "was it switched off or restarted? Some take one caller only: end the other program that talks to it"
_SLOW = "look at its front panel: busy, local, an error? If it is only slow, raise `timeout_s` of its options"
_GARBAGE = "is it the kind of instrument that the driver is for? Over a serial line: are speed and parity right?"
_LONGEST = 60


def shortened(text: str) -> str:
    """For a message: one line, not too long, nothing that a console would obey."""
    plain = "".join(c if c.isprintable() else "?" for c in text.strip())
    return plain if len(plain) <= _LONGEST else plain[: _LONGEST - 3] + "..."


def refused(where: str) -> InstrumentError:
    """Nobody listens."""
    return InstrumentError(f"{where} refuses the connection", remedy=_REFUSED)


def unreachable(where: str, error: BaseException) -> InstrumentError:
    """No way there; ``error`` says why. A refusal, where that is what it says."""
    number = getattr(error, "errno", None)
    if number == errno.ECONNREFUSED or isinstance(error, ConnectionRefusedError):
        return refused(where)
    if isinstance(error, TimeoutError) or number == errno.ETIMEDOUT:
        return no_connection(where)
    reason = os.strerror(number) if isinstance(number, int) and number > 0 else str(error)
    return InstrumentError(f"{where} can't be reached: {reason}", remedy=CABLE)


def no_connection(where: str) -> InstrumentError:
    """It does not even take the connection, in time."""
    return InstrumentError(f"{where} does not take the connection in time", remedy=CABLE)


def slow(where: str, what: str, seconds: float, said: str = "") -> InstrumentError:
    """No answer in time; ``said``: what it had to say of that itself."""
    text = f"{where} did not answer {what!r} within {seconds:g} s"
    return InstrumentError(f"{text}; it says: {shortened(said)}" if said else text, remedy=_SLOW)


def dropped(where: str, what: str) -> InstrumentError:
    """The connection ended while (or before) it was asked."""
    return InstrumentError(f"{where} dropped the connection at {what!r}", remedy=_DROPPED)


def garbage(where: str, what: str, answer: str, wanted: str) -> InstrumentError:
    """The answer is none to that question."""
    return InstrumentError(
        f"{where} answered {what!r} with {shortened(answer)!r}, which is no {wanted}", remedy=_GARBAGE
    )


def unasked(where: str, answer: str) -> InstrumentError:
    """It said something that nobody asked for: the next answer might be to another question."""
    return InstrumentError(f"{where} said {shortened(answer)!r} without being asked", remedy=_GARBAGE)


def said_no(where: str, what: str, reason: str) -> InstrumentRefused:
    """It understood and declined, or did not understand."""
    return InstrumentRefused(
        f"{where} refused {what!r}: {shortened(reason)}",
        remedy="see the instrument's manual for this error; is the driver the one for this instrument?",
    )


def other_identity(where: str, wanted: str, answered: str) -> InstrumentError:
    """Somebody else answers there."""
    return InstrumentError(
        f"{where} is another instrument than expected: it is {shortened(answered)!r}, expected {shortened(wanted)!r}",
        remedy="are two cables or addresses swapped? Else correct `identity` in the inventory",
    )


def no_reading(where: str, what: str, answer: str) -> InstrumentError:
    """It answers with SCPI's number for "not a number" or "infinite"."""
    return InstrumentError(
        f"{where} has no reading for {what!r}: it answered {shortened(answer)}",
        remedy="is its sensor broken or unplugged? Its own display should show the same",
    )


def missing_library(package: str) -> InstrumentError:
    """A driver whose library is not installed."""
    return InstrumentError(
        f"this driver needs the Python package {package}, which is not installed", remedy=f"pip install {package}"
    )
