"""One update, run once on a chip in memory: the old image takes the new one by its service port, and installs it."""

from __future__ import annotations

from binascii import crc_hqx
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path as File

from harness.campaigns.sweep import Stage
from harness.campaigns.sweep.journal import Journal, Path, Step
from harness.campaigns.sweep.starting import Starter
from harness.campaigns.sweep.unit import Unit
from harness.emulator.in_process import End, MemoryBoard, read_service
from harness.emulator.journal import JournalledNor
from harness.emulator.slots import read_trailer
from harness.errors import BadInput

_BLOCK = 1024
_TURNS = 200_000  # of the application's loop in a transfer; one takes some 3,000


@dataclass(frozen=True)
class Recording:
    """``before``: what the unit held when the update began; ``after``: when it had ended, undisturbed."""

    journal: Journal
    before: Unit
    after: Unit


def record(starter: Starter, content: bytes, image: File) -> Recording:
    """The update of a unit whose chip has ``content`` to ``image``. Raises :class:`BadInput` where it does not come to
    its end: such an update can't be swept."""
    data = image.read_bytes()
    chip = JournalledNor(content)
    before = starter.to_idle(chip)
    if before.trouble:
        raise BadInput(f"the unit does not start before the update: {before.trouble}")
    starter.ask_what_it_knows(before)
    before = starter.to_idle(chip)
    chip.journal.clear()
    start = chip.content
    marks: list[int] = []
    end = _install(starter, chip, data, on_loaded=lambda: marks.append(len(chip.journal)))
    if end.how != "reset":
        raise BadInput(f"the terminal does not take the image: {end.detail or end.how}", where=str(image))
    installed = len(chip.journal)
    after = starter.to_idle(chip)
    if after.trouble or after.version == before.version:
        why = after.trouble or f"{after.version} runs afterwards"
        raise BadInput(f"the update does not come to its end: {why}", where=str(image))
    starter.to_idle(chip)  # what the boot loader keeps of a confirmed image it writes at the next start
    steps = tuple(_staged(chip, start, marks[0], installed))
    paths = [Path(start, steps, 1)]
    for at in _trials(steps):
        paths.append(_way_back(starter, paths[0], at, first=paths[-1].first + len(paths[-1].steps)))
    return Recording(Journal(tuple(paths)), before, after)


def _staged(chip: JournalledNor, start: bytes, loaded: int, installed: int) -> Iterator[Step]:
    """Which step belongs where. The mark of a confirmed slot divides migration from confirmation."""
    watched = JournalledNor(start)
    confirmed = sum(read_trailer(watched, slot).image_ok for slot in ("A", "B"))
    stage: Stage = "transfer"
    for number, operation in enumerate(chip.journal):
        watched.apply([operation])
        if number < installed:
            stage = "transfer" if number < loaded else "commit"
            if stage == "transfer":
                confirmed = sum(read_trailer(watched, slot).image_ok for slot in ("A", "B"))
        elif number == installed:
            stage = "trial"
        elif stage != "confirmation":
            now = sum(read_trailer(watched, slot).image_ok for slot in ("A", "B"))
            stage = "confirmation" if now > confirmed else "migration"
        yield Step(stage, operation)


def _trials(steps: tuple[Step, ...]) -> list[int]:
    """How many steps are done where a trial ends without success: just begun, and just before it is confirmed."""
    begun = [number for number, step in enumerate(steps, 1) if step.stage == "trial"]
    last = [number for number, step in enumerate(steps, 1) if step.stage in ("trial", "migration")]
    return sorted({begun[-1], last[-1]}) if begun else []


def _way_back(starter: Starter, update: Path, done: int, first: int) -> Path:
    """The return to the old version, from a trial of which ``done`` steps of the update are done."""
    chip = JournalledNor(update.start)
    chip.apply(step.operation for step in update.steps[:done])
    start = chip.content
    starter.to_idle(chip)
    return Path(start, tuple(Step("return", operation) for operation in chip.journal), first)


def _install(starter: Starter, chip: JournalledNor, data: bytes, on_loaded: Callable[[], None]) -> End:
    """Runs the terminal until it resets with the new image."""
    script = _script(data, on_loaded)
    next(script)
    turns, said = 0, ""

    def outside(board: MemoryBoard) -> bool:
        nonlocal turns, said
        turns += 1
        if turns > _TURNS:
            said = "it takes too long"
            return True
        try:
            reply = script.send(read_service(board.ends))
        except StopIteration as stopped:
            said = str(stopped.value)
            return True
        if reply:
            board.ends.service.send(reply)
        return False

    end = starter.computer.power_on(chip, outside)
    return End(end.how, said or end.detail)


def _script(data: bytes, on_loaded: Callable[[], None]) -> Generator[bytes, bytes, str]:
    """What an engineer's program sends: bytes of the terminal in, bytes to it out. Ends with what the terminal refused;
    where it refuses nothing the terminal resets before."""
    held = yield b""
    line, held = yield from _answer(f"LOAD {len(data)}", held)
    if not line.startswith("OK "):
        return line
    while b"C" not in held:
        held += yield b""
    for block in _blocks(data):
        answer = yield block
        while not answer:
            answer = yield b""
        if answer[:1] != b"\x06":
            return f"a block was answered {answer.hex()}"
    held = yield b"\x04"
    while b"\x06" not in held:
        held += yield b""
    line, held = yield from _line(held.partition(b"\x06")[2])
    if not line.startswith("OK "):
        return line
    on_loaded()
    line, held = yield from _answer("INSTALL", held)
    while line.startswith("OK "):
        yield b""
    return line


def _blocks(data: bytes) -> Iterator[bytes]:
    """XMODEM-1K with CRC."""
    for number, at in enumerate(range(0, len(data), _BLOCK), 1):
        block = data[at : at + _BLOCK].ljust(_BLOCK, b"\x1a")
        yield bytes([0x02, number & 0xFF, ~number & 0xFF]) + block + crc_hqx(block, 0).to_bytes(2, "big")


def _answer(command: str, held: bytes) -> Generator[bytes, bytes, tuple[str, bytes]]:
    held += yield command.encode() + b"\r\n"
    return (yield from _line(held))


def _line(held: bytes) -> Generator[bytes, bytes, tuple[str, bytes]]:
    while b"\r\n" not in held:
        held += yield b""
    line, _, rest = held.partition(b"\r\n")
    return line.decode("ascii", "replace"), rest
