"""What every fault has: a name, parameters, a match, how often it strikes, and a seed.

A fault is a value and knows nothing of packets; what it does to them is in the injector, in a file of the same name.
"""

from __future__ import annotations

import ipaddress
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from harness.errors import BadInput
from harness.protocol import frames
from harness.protocol.spec import FIELDS
from harness.wire.moments import SpokenMoment

Direction = Literal["to_acquirer", "to_terminal", "both"]
Side = Literal["terminal", "acquirer"]
"""An end of the wire."""

Level = Literal["message", "packet", "service"]
"""What a fault acts on: whole messages of a TCP stream, packets, or the answers of a service (DNS, DHCP)."""


def _ipv4(text: str) -> str:
    return str(ipaddress.IPv4Address(text))


def _hex_frame(text: str) -> str:
    return bytes.fromhex(text).hex().upper()


def _writable(fields: dict[int, str | None]) -> dict[int, str | None]:
    for number, value in fields.items():
        if number not in FIELDS:
            raise ValueError(f"there is no field {number}")
        if value is None or number == 48:  # which is written in one of two ways, as the message says
            continue
        try:
            frames.build("0200", {number: value})
        except BadInput as error:
            raise ValueError(error.message) from error
    return fields


Ipv4 = Annotated[str, AfterValidator(_ipv4)]
HexBytes = Annotated[str, AfterValidator(_hex_frame)]
Fields = Annotated[dict[int, str | None], AfterValidator(_writable)]
"""Number of a field -> its new value as in ``harness.protocol.frames``, or None to leave it out."""
Seconds = Annotated[float, Field(ge=0, le=3600)]
Milliseconds = Annotated[float, Field(ge=0, le=600_000)]
Percent = Annotated[float, Field(ge=0, le=100)]


class Value(BaseModel):
    """Frozen, and no key that nobody knows."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Match(Value):
    """Which packets are meant. ``address`` and ``port`` are the *peer's* (the terminal's partner's); None: any.

    ``moment``: for a fault on messages, the message that is struck; for one on packets, those that carry that message
    (``connecting``: those of the handshake), or with ``after`` all from then on.
    """

    direction: Direction = "both"
    address: Ipv4 | None = None
    port: int | None = Field(default=None, ge=1, le=65535)
    moment: SpokenMoment | None = None


class Fault(Value):
    """The base. A fault's file gives ``fault`` its name as a Literal, says its ``level``, and adds its parameters.

    It strikes at most ``count`` matches (None: until healed), each with ``percent`` probability, drawn from ``seed``;
    ``only`` names the matches (1, 2, ...) that are struck instead, which is how a recorded run is replayed. ``for_s``:
    heals by itself that many seconds after its first strike (or after being armed, where ``moment`` is None).
    """

    level: ClassVar[Level] = "packet"
    known_as: ClassVar[tuple[str, ...]] = ()
    """Names under which other tools have it."""
    changes_content: ClassVar[bool] = False
    """Whether it needs to read and write what is in the stream: refused under TLS."""

    fault: str
    match: Match = Match()
    count: int | None = Field(default=None, ge=1)
    percent: Percent = 100.0
    seed: str = Field(default="hil97", min_length=1)
    only: tuple[int, ...] | None = None
    for_s: Seconds | None = None

    @classmethod
    def called(cls) -> str:
        """The name in inventories, histories and on the command line."""
        return str(cls.model_fields["fault"].default)

    @property
    def title(self) -> str:
        """In one line for people: name, parameters that are not the default, moment."""
        plain = type(self).model_fields
        told = [
            f"{name}={value}"
            for name, value in self
            if name not in ("fault", "match") and value != plain[name].default
        ]
        where = [str(self.match.moment)] if self.match.moment else []
        where += [self.match.direction] if self.match.direction != "both" else []
        return " ".join([self.fault, *told, *(["at", *where] if where else [])])


class MessageFault(Fault):
    """Acts on one message of a TCP stream and keeps the connection valid. Its moment is the message; without one, it is
    whatever message of the direction comes next."""

    level: ClassVar[Level] = "message"
    count: int | None = Field(default=1, ge=1)

    @model_validator(mode="after")
    def _acts_on_a_message(self) -> MessageFault:
        moment = self.match.moment
        if moment is not None and (moment.connecting or moment.after):
            raise ValueError(f"{self.fault} acts on a message: its moment can't be `{moment}`")
        return self
