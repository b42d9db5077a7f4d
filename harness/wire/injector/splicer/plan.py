# SPDX-License-Identifier: GPL-2.0-only
"""What is to become of one message: made by the faults that strike it, one after the other. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from harness.wire.faults.base import Side
from harness.wire.injector.splicer.script import NEVER, Ending, Script, Sides, Step


@dataclass(frozen=True, slots=True)
class Message:
    """``frame``: the message with its length. ``raw``: the bytes of the stream that are it, whatever lies around it.

    ``head``: where the frame begins in ``raw``; None where it is not there to be read (TLS). ``wrap``: makes the bytes
    of the stream for another frame in its place; ``answer``: for one in the other direction.
    """

    sender: Side
    frame: bytes
    raw: bytes
    head: int | None
    wrap: Callable[[bytes], bytes]
    answer: Callable[[bytes], bytes]

    @property
    def direction(self) -> str:
        return "to_acquirer" if self.sender == "terminal" else "to_terminal"


@dataclass(frozen=True, slots=True)
class Cut:
    """Only the first ``keep`` bytes; then all (None), or the ending, ``wait`` ns later."""

    keep: int
    ending: Ending | None
    wait: int


@dataclass(slots=True)
class Plan:
    """``frame`` is delivered in the place of the message (b"": nothing), between ``before`` and ``after``; all three
    are frames. ``hold``: ns, or NEVER. ``pieces``: size and gap (ns) of each. ``forged``: an answer to it, and whether
    a later message is the true one, that is then swallowed. ``mute``: nothing of this direction arrives any more.
    """

    message: Message
    frame: bytes
    before: bytes = b""
    after: bytes = b""
    hold: int = 0
    pieces: list[tuple[int, int]] = field(default_factory=list)
    cut: Cut | None = None
    reset: Sides | None = None
    reset_after: bool = False
    forged: bytes = b""
    true_answer: Callable[[bytes], bool] | None = None
    mute: bool = False

    @property
    def changed(self) -> bool:
        return self.frame != self.message.frame

    @property
    def raw(self) -> bytes:
        """What is delivered in its place, as bytes of the stream."""
        if not self.changed:
            return self.message.raw
        return self.message.wrap(self.frame) if self.frame else b""

    @property
    def raw_before(self) -> bytes:
        return self.message.wrap(self.before) if self.before else b""

    @property
    def raw_after(self) -> bytes:
        return self.message.wrap(self.after) if self.after else b""

    @property
    def size(self) -> int:
        """Of what stands to be delivered now, in bytes of the stream."""
        return len(self.raw_before) + len(self.raw) + len(self.raw_after)

    def script(self, fault_ids: set[int], start: int, now: int) -> Script | None:
        """When its bytes go, which begin at the delivered offset ``start``; None: at once, all of them."""
        size = self.size
        if self.reset is not None and not self.reset_after:
            return Script(fault_ids, start, start + size, [], Ending("reset", 0, self.reset), now)
        if not self.hold and not self.pieces and self.cut is None and self.reset is None:
            return None
        keep = size if self.cut is None else min(size, self.cut.keep)
        steps, at = [], 0
        for piece, gap in self.pieces or [(keep, 0)]:
            if at >= keep:
                break
            at = min(keep, at + piece)
            steps.append(Step(gap, start + at))
        if at < keep or not steps:
            steps.append(Step(0, start + keep))
        steps[0] = Step(min(NEVER, steps[0].wait + self.hold), steps[0].limit)
        ending = None
        if self.cut is not None and self.cut.ending is None:
            steps.append(Step(self.cut.wait, start + size))
        elif self.cut is not None:
            ending = self.cut.ending
        elif self.reset is not None:
            ending = Ending("reset", 0, self.reset)
        return Script(fault_ids, start, start + size, steps, ending, now)
