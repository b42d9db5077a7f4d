"""Events about the terminal's software and what outlives it: images, versions, power cuts in an update, backups."""

from __future__ import annotations

from typing import Literal

from harness.history.base import Event, Firmware

Route = Literal["service", "network"]


class ImageOffered(Event):
    """An image is about to be given to the terminal. What stands here the bench knows of the file, not of the terminal.

    ``flaw``: why a terminal must refuse it, or turn back from it ("self_test", "hangs", "crashes"): a name of
    :data:`harness.lab.image_set.FLAWS`; "" where it is sound. ``resets``: by design it begins with nothing stored.
    ``op``: the operation ``load_firmware`` that gives it.
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
    batch, trace, sales, voids, reversal, parameters; of further merchants with "2." before the name).
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
    detail: str = ""


class BackupTaken(Event):
    """What a unit gave for its successor, as text. ``file``: relative to the bench's folder."""

    kind: Literal["backup.taken"] = "backup.taken"
    op: int
    file: str
    text: str
