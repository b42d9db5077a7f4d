"""Every cut replayed: the terminal is started from the chip as it then was, by processes that are forked for a few cuts
each out of this one, which has everything loaded."""

from __future__ import annotations

import gc
import json
import os
import selectors
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Literal, NoReturn

from harness.campaigns.sweep.journal import Cut, Journal, Path
from harness.campaigns.sweep.starting import Starter
from harness.campaigns.sweep.unit import Unit
from harness.checkers.firmware_cut import remains
from harness.errors import BenchError

CHUNK = 48  # cuts of one process: what one start leaves in memory reaches no further
_WORKERS = 2

Outcome = Literal["old", "new", "neither"]


def judge(found: Unit, before: Unit, new: str, *, resets: bool = False) -> tuple[Outcome, str]:
    """``new``: the version that was being installed; ``resets``: it begins with nothing stored, by design."""
    if found.trouble:
        return "neither", f"does not stand idle: {found.trouble}"
    if found.version not in (before.version, new):
        return "neither", f"version {found.version or '?'} runs"
    if resets and found.version == new:
        left = remains(found.held)
        return ("neither", f"it resets by design; {', '.join(left)}") if left else ("new", "")
    lost = [f"{name} is {found.held.get(name, 'not told')!r}, was {value!r}"
            for name, value in before.held.items() if found.held.get(name) != value]
    if lost:
        return "neither", f"{found.version} runs; " + "; ".join(lost)
    return ("old" if found.version == before.version else "new"), ""


def replay(
    starter: Starter, journal: Journal, cuts: Sequence[Cut], *, workers: int = _WORKERS, chunk: int = CHUNK,
    told: Callable[[int], None] = lambda done: None,
) -> dict[Cut, Unit]:
    """What each cut leaves. ``told``: how many are done. Only in a process of one thread. Raises :class:`BenchError`
    where a process dies."""
    tasks = list(_chunks(journal, sorted(cuts), chunk))
    found: dict[Cut, Unit] = {}
    gc.collect()
    gc.freeze()
    with selectors.DefaultSelector() as selector:
        try:
            while tasks or selector.get_map():
                while tasks and len(selector.get_map()) < workers:
                    worker = _Worker(starter, *tasks.pop(0))
                    selector.register(worker.pipe, selectors.EVENT_READ, worker)
                for key, _ in selector.select():
                    worker = key.data
                    if worker.read():
                        selector.unregister(worker.pipe)
                        found.update(worker.end())
                        told(len(found))
        finally:
            for key in list(selector.get_map().values()):
                key.data.kill()
            gc.unfreeze()
    return found


def _chunks(journal: Journal, cuts: Sequence[Cut], size: int) -> Iterator[tuple[Path, list[Cut]]]:
    for number, path in enumerate(journal.paths):
        end = journal.paths[number + 1].first if number + 1 < len(journal.paths) else journal.operations + 1
        own = [cut for cut in cuts if path.first <= cut.number < end]
        for at in range(0, len(own), size):
            yield path, own[at : at + size]


class _Worker:
    """A forked process and what it has said. JSON lines: number, torn, unit."""

    def __init__(self, starter: Starter, path: Path, cuts: Sequence[Cut]) -> None:
        self._cuts, self._said = cuts, bytearray()
        self.pipe, write_end = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(self.pipe)
            _work(starter, path, cuts, write_end)
        os.close(write_end)

    def read(self) -> bool:
        """Takes what is there. True at its end."""
        data = os.read(self.pipe, 1 << 16)
        self._said += data
        return not data

    def end(self) -> dict[Cut, Unit]:
        os.close(self.pipe)
        _, status = os.waitpid(self._pid, 0)
        lines = [json.loads(line) for line in self._said.splitlines()]
        fault = next((line["fault"] for line in lines if "fault" in line), "")
        if status or fault or len(lines) != len(self._cuts):
            raise BenchError(f"a process of the sweep ended with status {status} at cut {self._cuts[0]} to "
                             f"{self._cuts[-1]}, after {len(lines)}: {fault}")
        return {cut: Unit(**line) for cut, line in zip(self._cuts, lines, strict=True)}

    def kill(self) -> None:
        os.kill(self._pid, 9)
        os.close(self.pipe)
        os.waitpid(self._pid, 0)


def _work(starter: Starter, path: Path, cuts: Sequence[Cut], pipe: int) -> NoReturn:
    status = 1
    try:
        starter.own_wires()
        with open(pipe, "w", encoding="utf-8") as told:
            try:
                for _, chip in path.moments(cuts):
                    found = asdict(starter.to_idle(chip))
                    del found["unknown"]
                    told.write(json.dumps(found) + "\n")
            except BaseException:
                told.write(json.dumps({"fault": traceback.format_exc()}) + "\n")
        status = 0
    finally:
        os._exit(status)
