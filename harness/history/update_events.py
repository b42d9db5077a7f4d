"""Events about the terminal's software and what outlives it: images, versions, power cuts in an update, backups."""

from __future__ import annotations

from typing import Literal

from harness.history.base import Event, Firmware

Route = Literal["service", "network"]
CHANGED = ("changed_before_install", "changed_before_start")  # sound when it was given, changed in its slot since


class ImageOffered(Event):
    """An image is about to be given to the terminal. What stands here the bench knows of the file, not of the terminal.

    ``flaw``: why a terminal must refuse it, or turn back from it ("self_test", "hangs", "crashes"): a name of
    :data:`harness.lab.image_set.FLAWS`, or of :data:`CHANGED` where the bench changes it on the flash afterwards; ""
    where it is sound. ``resets``: by design it begins with nothing stored. ``op``: the operation ``load_firmware`` that
    gives it; the event may stand before or behind its ``operation.invoked``.
    """

    kind: Literal["image.offered"] = "image.offered"
    op: int
    via: Route
    firmware: Firmware
    size: int
    models: list[str]
    data_format: int
    counter: int
    resets: bool = False
    flaw: str = ""


class FirmwareTold(Event):
    """The terminal said which version runs: on the service port, or to the host in a status upload."""

    kind: Literal["firmware.told"] = "firmware.told"
    via: Literal["service", "host", "screen"]
    name: str
    version: str


class UpdateCut(Event):
    """The power was cut in an update, and what the unit was after it had power again.

    ``old``, ``new``: the version before, and that which was being installed. ``operation`` (from 1) of ``operations``
    programs and erases of the whole update, ``torn``: in its middle. ``stage``: what the terminal was at. ``how``:
    replayed on a copy of the flash with the same boot loader and image, or cold, by a board that was switched off and
    on. ``runs``: the version that came up, "" none. ``before``, ``after``: what the unit holds (tid, mid, tmk_kcv,
    batch, trace, sales, voids, reversal, parameters; of further merchants with "2." before the name). ``resets``: the
    new version begins with nothing stored, by design.
    """

    kind: Literal["update.cut"] = "update.cut"
    old: Firmware
    new: Firmware
    operation: int
    operations: int
    torn: bool
    stage: Literal["transfer", "commit", "trial", "migration", "confirmation", "return"]
    how: Literal["replayed", "cold"]
    runs: str
    before: dict[str, str]
    after: dict[str, str]
    resets: bool = False
    detail: str = ""


class StoredChanged(Event):
    """The bench changed what the unit has stored, with the case open: ``was`` is ``now`` wherever it stood, ``places``
    of them. ``what``: what it is."""

    kind: Literal["stored.changed"] = "stored.changed"
    what: Literal["tid", "mid", "parameter"]
    was: str
    now: str
    places: int


class BackupTaken(Event):
    """What a unit gave for its successor, as text. ``file``: relative to the bench's folder."""

    kind: Literal["backup.taken"] = "backup.taken"
    op: int
    file: str
    text: str
