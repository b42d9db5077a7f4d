"""What a gate's benches really ran: was it the image, and did they get it by the update that they were to get it by?

A verdict says on which firmware a bench was opened; what its units then ran stands in its history, in the terminal's
own words.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from harness.checkers.reading import END, Reading
from harness.checkers.updates import updates
from harness.errors import BadInput
from harness.gate import Installed
from harness.history import reader
from harness.history.events import Firmware, RunOpened, TestOpened, UnitReplaced

HISTORIES = "benches/*/history.jsonl"


def installed(folder: Path, info: Mapping[str, Any], image: Firmware) -> list[Installed]:
    """Of each log of a run in which a test was begun: how its first unit came to ``image``. ``info``: run.json."""
    real = {str(one.get("bench")) for one in info.get("benches", []) if one.get("physical_like")}
    found = []
    for path in sorted(folder.glob(HISTORIES)):
        try:
            events = reader.read(path)
        except BadInput:
            continue  # judging has said so
        if any(isinstance(event, TestOpened) for event in events):
            header = next((event for event in events if isinstance(event, RunOpened)), None)
            by_update = header is None or header.bench not in real
            found.append(of_log(Reading.of(events), path.parent.name, image, by_update=by_update))
    return found


def of_log(reading: Reading, log: str, image: Firmware, *, by_update: bool) -> Installed:
    """How the first unit in that log came to ``image``. ``by_update``: so it was to."""
    header = reading.header
    first, second, *_rest = [*reading.all(UnitReplaced)[:2], None, None]
    until = second.t if second is not None else END
    given = [one for one in updates(reading) if one.t < until and one.offered.firmware.sha256 == image.sha256]
    taken = by_update and any(one.taken for one in given)
    trouble = ""
    if header.firmware.sha256 != image.sha256:
        other = header.firmware
        trouble = f"it was opened with another image: {other.name} {other.version}, sha256 {other.sha256[:12]}"
    elif by_update and not given:
        trouble = "its first unit was never given the image; what ran had it from the factory"
    elif by_update and not taken:
        trouble = f"{given[0].name} did not end with the image running; what ran had it from the factory"
    before = first.firmware if first is not None and first.firmware is not None else header.firmware
    return Installed(log=log, came_by="update" if taken else "factory", before=before.version, trouble=trouble)


def troubles(found: Iterable[Installed]) -> list[str]:
    """A line for each bench that did not get the image as it was to."""
    return [f"{one.log}: {one.trouble}" for one in found if one.trouble]
