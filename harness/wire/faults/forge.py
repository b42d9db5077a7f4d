"""An answer that the acquirer never gave: made of the request, delivered in its place or before it."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from harness.wire.faults.base import Fields, MessageFault


class Forge(MessageFault):
    """The moment is the *request*. As soon as it passed, an answer to it is made (its MTI + 10; F2, F3, F4, F11, F25,
    F41, F42, F49, F60 as in the request; ``fields`` over them) and delivered. ``code``: its F39. ``then``: what becomes
    of the true one.

    ``mac``: none, wrong, or recomputed under the session's key (which needs a key that the bench knows).
    """

    changes_content: ClassVar[bool] = True
    fault: Literal["forge"] = "forge"
    code: str = Field(default="97", pattern=r"^[0-9A-Z]{2}$")
    fields: Fields = {}
    mac: Literal["none", "wrong", "recompute"] = "wrong"
    then: Literal["swallow", "deliver"] = "swallow"
