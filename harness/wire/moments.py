"""Protocol moments: when a fault is to strike, said in words and held as a value. Pure.

    connecting                          a connection of the terminal is being made, until it is established
    0200                                any message 0200 (``any 0410`` says the same)
    response to 0200                    0210
    second 0800, 3rd 0200               the n-th one since the fault was armed
    0210 with F39=97 and F4=000000001000
    0200 of 60.1=22                     by message type (60.1) or network code (60.3)
    after 0200                          as soon as that message has passed

Fields are compared as ``harness.protocol.frames.decode`` gives them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, model_validator

from harness.errors import BadInput
from harness.protocol import frames
from harness.protocol.spec import OFFSET_MTI

CONNECTING = "connecting"
_ORDINALS = {"first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5}
_FORM = (
    "connecting, or [after] [first|second|3rd...|any] [response to] MTI [of 60.1=NN|60.3=NNN] [with Fn=value [and ...]]"
)
_GRAMMAR = re.compile(
    r"(?P<after>after\s+)?(?:(?P<nth>any|an?|the|first|second|third|fourth|fifth|[1-9]\d*(?:st|nd|rd|th))\s+)?"
    r"(?P<response>response\s+to\s+)?(?:(?P<mti>0[1-8][0-9]0)|(?P<connecting>connecting|connection))"
    r"(?:\s+of\s+(?P<kind>60\.[13])\s*=\s*(?P<number>\d{2,3}))?(?:\s+with\s+(?P<fields>.+))?",
    re.IGNORECASE,
)


class Moment(BaseModel):
    """``mti``: of the message itself, "" for ``connecting``. ``nth`` counts from 1 since the fault was armed; None:
    any. ``fields``: number -> exact value. ``message_type``: 60.1, ``network_code``: 60.3. ``after``: when it has
    passed.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    mti: str = Field(default="", pattern=r"^(0[1-8][0-9]0)?$")
    nth: int | None = Field(default=None, ge=1)
    fields: Mapping[int, str] = {}
    message_type: str | None = Field(default=None, pattern=r"^\d{2}$")
    network_code: str | None = Field(default=None, pattern=r"^\d{3}$")
    after: bool = False

    @model_validator(mode="after")
    def _sensible(self) -> Moment:
        if not self.mti and (self.fields or self.message_type or self.network_code):
            raise ValueError("a connection has no fields")
        return self

    @property
    def connecting(self) -> bool:
        return not self.mti

    @property
    def direction(self) -> Literal["to_acquirer", "to_terminal"]:
        """Which way the message goes: an even hundred and ten is a request (0200), one more ten its answer (0210)."""
        return "to_terminal" if self.mti[2:3] == "1" or self.mti[2:3] == "3" else "to_acquirer"

    def fits(self, frame: bytes) -> bool:
        """Whether a whole frame (with its length) is such a message, ``nth`` left aside. False for bytes that are
        none.
        """
        if self.connecting or frame[OFFSET_MTI : OFFSET_MTI + 2].hex() != self.mti:
            return False
        try:
            message = frames.decode(frame)
        except BadInput:
            return False
        code = message.get(60) or ""
        if self.message_type is not None and code[:2] != self.message_type:
            return False
        if self.network_code is not None and code[8:11] != self.network_code:
            return False
        return all(message.get(number) == value for number, value in self.fields.items())

    def __str__(self) -> str:
        parts = ["after"] if self.after else []
        if self.nth is not None:
            parts.append(_ordinal(self.nth))
        parts.append(self.mti or CONNECTING)
        if self.message_type is not None:
            parts.append(f"of 60.1={self.message_type}")
        elif self.network_code is not None:
            parts.append(f"of 60.3={self.network_code}")
        if self.fields:
            parts.append("with " + " and ".join(f"F{number}={value}" for number, value in sorted(self.fields.items())))
        return " ".join(parts)


def parse_moment(text: str) -> Moment:
    """The value of a moment in words. Raises :class:`BadInput` with the form that is understood."""
    found = _GRAMMAR.fullmatch(" ".join(text.split()))
    if found is None:
        raise BadInput(f"no protocol moment: {text!r}", where="moment", remedy=f"It is written {_FORM}.")
    nth = (found["nth"] or "any").lower()
    number = _ORDINALS.get(nth) or (int(nth[:-2]) if nth[0].isdigit() else None)
    mti = found["mti"] or ""
    if found["response"] and mti:
        if mti[2] in "13":
            raise BadInput(f"{mti} is a response itself", where="moment", remedy=f"Say {mti!r} without `response to`.")
        mti = f"{int(mti) + 10:04d}"
    kind = {"60.1": "message_type", "60.3": "network_code"}.get(found["kind"] or "")
    values: dict[str, Any] = {kind: found["number"]} if kind else {}
    try:
        return Moment(mti=mti, nth=number, fields=_fields(found["fields"] or ""), after=bool(found["after"]), **values)
    except ValueError as error:
        raise BadInput(f"no protocol moment: {text!r}", where="moment", remedy=f"It is written {_FORM}.") from error


def _fields(text: str) -> dict[int, str]:
    fields: dict[int, str] = {}
    for part in filter(None, (one.strip() for one in re.split(r"\s+and\s+", text))):
        found = re.fullmatch(r"F([1-9]|[1-5]\d|6[0-4])\s*=\s*(\S+)", part)
        if found is None:
            raise BadInput(f"no condition on a field: {part!r}", where="moment", remedy="For instance F39=97.")
        fields[int(found[1])] = found[2]
    return fields


def _ordinal(number: int) -> str:
    words = {value: word for word, value in _ORDINALS.items()}
    return words.get(number, f"{number}th")


def _read(value: object) -> object:
    return parse_moment(value) if isinstance(value, str) else value


SpokenMoment = Annotated[Moment, BeforeValidator(_read), PlainSerializer(str, return_type=str, when_used="json")]
"""A field of a value: takes words or a :class:`Moment`, is written in words."""
