"""Which slot is started: MCUboot's direct-xip with revert (docs/firmware-update.md). Pure: a chip in, a choice out.

Each slot's last block is its trailer, from the slot's end: magic at -16 (the image may be started), image_ok at -24 (it
was confirmed), copy_done at -32 (it has been started on trial); a mark is the byte 01.

* no magic: not looked at.
* magic alone: **wanted**. If it passes its check and is newer than a confirmed one that does, it is marked copy_done
  and started on trial; otherwise it is erased.
* copy_done without image_ok: its trial ended without success. It is erased, the trailer last, so that after a cut the
  erasing goes on.
* image_ok: **confirmed**. Of these the highest version that passes its check is started. One that does not pass is
  passed over and stays.

:func:`choose` only reads, :func:`start` also does what the choice asks for. Both keep nothing: a
power-cut sweep calls them on thousands of contents in one process.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

from harness.emulator import rollback
from harness.emulator.image import Application, ImageRefused, check_fit, declared_size, header_version, read
from harness.emulator.nor import BLOCK, LARGEST_IMAGE, SLOT_A, SLOT_B, Nor, Region

Slot = Literal["A", "B"]
Returned = Literal["", "unconfirmed", "damaged", "signature", "model", "old"]
REGIONS: dict[Slot, Region] = {"A": SLOT_A, "B": SLOT_B}
OTHER: dict[Slot, Slot] = {"A": "B", "B": "A"}
MAGIC = bytes.fromhex("77C295F360D2EF7F3552500F2CB67980")
SET = b"\x01"
_BLANK_BLOCK = b"\xff" * BLOCK


class Trailer(NamedTuple):
    """``copy_done``: anything but erased counts, since only a start may write there; the others are there or not."""

    magic: bool
    image_ok: bool
    copy_done: bool


@dataclass(frozen=True)
class Choice:
    """What the boot loader does at a reset. ``slot`` None: nothing can be started, ``reasons`` say why.

    ``trial``: the image runs on trial. ``returned``: why it is this one and not the other, which was newer; "" it is
    the one to be expected. ``erase``: slots to be erased first. ``counter``: the lowest accepted, before this start.
    """

    slot: Slot | None
    application: Application | None
    trial: bool
    returned: Returned
    reasons: tuple[str, ...]
    erase: tuple[Slot, ...]
    counter: int


class Verifier:
    """The check of an image for one boot key and one model.

    With ``memo`` an image that passed is not taken apart again while its bytes are the same, compared one by one from
    the header to the end that header and TLV areas declare. That is sound because :func:`image.read` looks at no other
    bytes once these declare the same end, and its result depends on nothing else but the key and this Python. A refusal
    is never kept.
    """

    def __init__(self, key: bytes, model: str, *, memo: bool = False) -> None:
        self._key, self._model = key, model
        self._memo: list[tuple[bytes, Application]] | None = [] if memo else None

    def check(self, data: bytes) -> Application:
        """The application in ``data`` (a slot without its trailer). Raises :class:`ImageRefused`."""
        size = declared_size(data) if self._memo is not None else None
        if self._memo is None or size is None:
            return self._check(data)
        image = data[:size]
        for passed, application in self._memo:
            if passed == image:
                return application
        application = self._check(data)
        self._memo.append((image, application))
        return application

    def _check(self, data: bytes) -> Application:
        application = read(data, self._key)
        check_fit(application, self._model)
        return application


def image_region(slot: Slot) -> Region:
    """The slot without its trailer."""
    return Region(REGIONS[slot].offset, LARGEST_IMAGE)


def trailer_at(slot: Slot) -> int:
    """Offset of the trailer's block in the flash."""
    return REGIONS[slot].offset + LARGEST_IMAGE


def read_trailer(nor: Nor, slot: Slot) -> Trailer:
    """The marks of a slot."""
    end = nor.read(Region(trailer_at(slot) + BLOCK - 32, 32))
    return Trailer(magic=end[16:] == MAGIC, image_ok=end[8:9] == SET, copy_done=end[0:1] != b"\xff")


def mark_wanted(nor: Nor, slot: Slot) -> None:
    """The image is to be started on trial. One program."""
    nor.program(trailer_at(slot) + BLOCK - 16, MAGIC)


def mark_confirmed(nor: Nor, slot: Slot) -> None:
    """image_ok. One program."""
    nor.program(trailer_at(slot) + BLOCK - 24, SET)


def factory_slot(image: bytes) -> bytes:
    """A whole slot with a confirmed image."""
    trailer = SET + b"\xff" * 7 + MAGIC
    return image.ljust(SLOT_A.size - len(trailer), b"\xff") + trailer


def choose(nor: Nor, verifier: Verifier) -> Choice:
    """What is to be started. Only reads."""
    counter = rollback.lowest_accepted(nor)
    slots = [_look(nor, slot, verifier, counter) for slot in REGIONS]
    _refuse_what_is_not_newer(*slots)
    started = max((one for one in slots if one.application is not None), key=_Seen.rank, default=None)
    lost = [one.lost for one in slots if one.lost and started and (one.useless or one.header > started.header)]
    return Choice(
        slot=started.slot if started else None,
        application=started.application if started else None,
        trial=started is not None and not started.trailer.image_ok,
        returned=lost[0] if lost else "",
        reasons=tuple(f"{one.slot}: {one.reason}" for one in slots if one.application is None),
        erase=tuple(one.slot for one in slots if one.useless),
        counter=counter,
    )


def start(nor: Nor, verifier: Verifier) -> Choice:
    """The choice, and everything that the boot loader does to the flash before it starts it."""
    choice = choose(nor, verifier)
    for slot in choice.erase:
        erase(nor, slot)
    if choice.slot is not None and choice.trial:
        nor.program(trailer_at(choice.slot) + BLOCK - 32, SET)
    elif choice.application is not None:
        rollback.raise_to(nor, choice.application.counter)
    return choice


def erase(nor: Nor, slot: Slot) -> None:
    """All blocks that are not blank, the trailer last."""
    for at in _written(nor, REGIONS[slot]):
        nor.erase(at)


def _written(nor: Nor, region: Region) -> Iterator[int]:
    content = nor.read(region)
    for at in range(0, region.size, BLOCK):
        if content[at : at + BLOCK] != _BLANK_BLOCK:
            yield region.offset + at


@dataclass
class _Seen:
    """One slot as it is found. ``lost``: why it can't run. ``useless``: it never will. ``header``: its version as the
    header says, unchecked."""

    slot: Slot
    trailer: Trailer
    header: tuple[int, ...] = ()
    application: Application | None = None
    reason: str = ""
    lost: Returned = ""
    useless: bool = False

    def rank(self) -> tuple[tuple[int, ...], bool, bool]:
        """The highest version; of equal ones what is confirmed, then slot A."""
        assert self.application is not None
        return self.application.order, self.trailer.image_ok, self.slot == "A"

    def refuse(self, reason: str, kind: Returned) -> None:
        """It does not run; one that was never confirmed never will."""
        self.application, self.reason, self.lost, self.useless = None, reason, kind, not self.trailer.image_ok


def _look(nor: Nor, slot: Slot, verifier: Verifier, counter: int) -> _Seen:
    seen = _Seen(slot, read_trailer(nor, slot))
    if not seen.trailer.magic:
        blank = next(_written(nor, REGIONS[slot]), None) is None
        seen.reason = "the slot is empty" if blank else "nothing in it is to be started"
    elif seen.trailer.copy_done and not seen.trailer.image_ok:
        seen.refuse("was not confirmed", "unconfirmed")
    else:
        data = nor.read(image_region(slot))
        seen.header = header_version(data)
        try:
            seen.application = verifier.check(data)
            if seen.application.counter < counter:
                raise ImageRefused(f"security counter {seen.application.counter} is below {counter}", 0, "old")
        except ImageRefused as refusal:
            seen.refuse(refusal.reason, "damaged" if refusal.kind == "empty" else refusal.kind)
    return seen


def _refuse_what_is_not_newer(first: _Seen, second: _Seen) -> None:
    """An image that is wanted, next to a confirmed one of the same or a higher version, would never be started."""
    for one, other in ((first, second), (second, first)):
        if (one.application and other.application and not one.trailer.image_ok and other.trailer.image_ok
                and one.application.order <= other.application.order):
            one.refuse(f"version {one.application.version} is not above {other.application.version}", "old")
            return
