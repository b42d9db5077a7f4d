"""Fields of a message are changed on the way."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import model_validator

from harness.wire.faults.base import Fields, MessageFault


class Rewrite(MessageFault):
    """``fields``: number -> new value as in ``harness.protocol.frames``, or None to take the field out.

    ``mac``: keep F64 as it was (wrong, where anything before it changed), break it, recompute it under the session's
    key, or strip it. Recomputing needs a key that the bench knows.
    """

    changes_content: ClassVar[bool] = True
    fault: Literal["rewrite"] = "rewrite"
    fields: Fields = {}
    mac: Literal["keep", "break", "recompute", "strip"] = "keep"

    @model_validator(mode="after")
    def _changes_something(self) -> Rewrite:
        if 64 in self.fields:
            raise ValueError("F64 is set by `mac`")
        if not self.fields and self.mac in ("keep", "recompute"):
            raise ValueError("nothing would be changed: give `fields`, or mac=break or strip")
        return self
