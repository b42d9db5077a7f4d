"""The format of what is stored, and how one format becomes another. docs/firmware-update.md says the rules.

File ``format`` holds the number of the format that is valid; without it that is 1, whose files lie at the root. A newer
format lies in a folder of its own (``d2``), for all merchants and tables at once. Before the version that wrote it is
confirmed its number stands in ``format.next``, which nobody but that version looks at: whoever finds it otherwise
removes it, and what it speaks of, before anything of the valid format may change.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from . import layout, texts
from .files import Files, FilesFault
from .store import StoreDamaged

FORMAT, FOLDER = layout.FORMAT, layout.FOLDER  # of this version
_VALID, _NEXT = "format", "format.next"
Work = Callable[[Files, int, Callable[[], None]], None]

# Writes this version's folder (made, empty) out of what is stored in that older format, which it leaves as it is:
# (files, number of merchants, to be called now and then to feed the watchdog).
FROM: Mapping[int, Work] = {}


class FormatUnknown(StoreDamaged):
    """What is stored is of a newer version, or of one that can't be taken over: nothing of it is touched."""

    def __init__(self, stored: int) -> None:
        self.told = (f"{texts.STORED_FORMAT}{stored}",)
        super().__init__(f"data format {stored} is stored, this version has {FORMAT}")


def prepare(files: Files, merchants: int, *, trial: bool, feed: Callable[[], None]) -> None:
    """Afterwards what is stored can be used in this version's format. What is older is still there, and valid until
    :func:`finish`. Raises :class:`StoreDamaged`."""
    try:
        stored = _number(files, _VALID) or 1
        if stored == FORMAT:
            return
        if stored not in FROM:
            raise FormatUnknown(stored)
        if not trial and _number(files, _NEXT) == FORMAT:
            return  # confirmed, then the power went
        _forget_next(files)
        files.make_folder(FOLDER)
        FROM[stored](files, merchants, feed)
        files.write_checked(_NEXT, json.dumps(FORMAT).encode())
    except (FilesFault, TypeError, KeyError, ValueError, AttributeError) as error:
        raise StoreDamaged(f"{type(error).__name__}: {error}") from error


def finish(files: Files, feed: Callable[[], None]) -> None:
    """This version stays: its format is the valid one from here on, and everything of another goes."""
    try:
        if _number(files, _NEXT) == FORMAT:
            files.rename(_NEXT, _VALID)
        _forget_next(files)
        if FOLDER:
            for name in files.names():
                if name != _VALID:
                    files.remove(name)
                    feed()
    except (FilesFault, TypeError, ValueError) as error:
        raise StoreDamaged(f"{type(error).__name__}: {error}") from error


def _forget_next(files: Files) -> None:
    """Removes what a version wrote that was not confirmed, and what it had not finished."""
    if files.read(_NEXT) is not None:
        files.remove(_NEXT)
    valid = _number(files, _VALID) or 1
    for folder in files.folders():
        if folder != f"d{valid}":
            files.remove_folder(folder)


def _number(files: Files, name: str) -> int | None:
    data = files.read_checked(name)
    return None if data is None else int(json.loads(data))
