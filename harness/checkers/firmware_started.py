"""When an image that was given was installed and started, and what was stored then. Shared by the FWU rules.

A transfer takes its time, and a shop sells meanwhile: what an installation has to wait for is what is stored when it is
to begin, not when the image began to come.
"""

from __future__ import annotations

from harness.checkers.reading import Reading
from harness.checkers.updates import Later, Update, held
from harness.history.events import Event, Power, Service

LOADED, INSTALL = "LOADED", "INSTALL"  # what a terminal says that has the whole image; the command that comes then


def starts(reading: Reading, update: Update) -> list[Power]:
    """Each time that the terminal came on between the beginning of the update and its first word on its version."""
    return [p for p in reading.between(Power, update.t, _end(update)) if p.state == "on"]


def told_to_install(reading: Reading, update: Update) -> list[Service]:
    """Each time that it was told so in a command of its own, after the image had come."""
    lines = reading.between(Service, update.operation.done, _end(update))
    return [line for line in lines if line.direction == "to_terminal" and line.text == INSTALL]


def loaded(reading: Reading, update: Update) -> bool:
    """The terminal has the image and has checked it; that is all that it said, and nothing was started."""
    done = update.operation.completed
    said = update.accepted and done is not None and done.detail.startswith(LOADED)
    return said and not starts(reading, update)


def only_loaded(reading: Reading, update: Update) -> bool:
    """:func:`loaded`, and nobody told it to install it."""
    return loaded(reading, update) and not told_to_install(reading, update)


def met(reading: Reading, update: Update) -> list[Event]:
    """What shows that the terminal was to install or to start what it had loaded: since then it may have been changed
    in its slot."""
    return [*starts(reading, update), *told_to_install(reading, update)] if update.accepted else []


def stored_then(reading: Reading, update: Update) -> list[Event]:
    """An event for each thing that was stored when it was installed or refused: what forbids an update that resets."""
    lost = None if update.kept else reading.power_lost_within(update.t, _end(update))
    moment = update.operation.done if lost is None else lost.t
    return held(reading, Later(moment, update.settled, update.until, update.unit))


def _end(update: Update) -> int:
    return update.told.t if update.told else update.until
