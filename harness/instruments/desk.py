"""Where the person at the bench is asked: the guard's side, and that of whoever answers.

A question is a Unix socket in the bench's scratch folder, there as long as it is open: ``operator-N.sock``. Who
connects gets one line of JSON, ``{"instrument", "prompt", "left_s"}``, and may send ``{"answer": "..."}``; the reply is
``{"ok": true}``, or ``{"ok": false, "error": "..."}`` where the answer can't be used, and the question stays.
``hil97 lab answer`` is such a client.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from harness.errors import BadInput
from harness.instruments.contracts import InstrumentError, InstrumentRefused

T = TypeVar("T")
DONE = ("done", "yes", "ok", "y", "完成", "好", "是")
NOT_DONE = ("no", "n", "cannot", "不", "否", "不能")
_SOCKETS = "operator-*.sock"
_LONGEST = 4096  # bytes of an answer
_ANSWERED_S = 10.0
_numbers = itertools.count(1)


class Declined(Exception):
    """The person says that it can't be done, and why."""


@dataclass(frozen=True)
class _Answer(Generic[T]):
    text: str
    value: T | Declined


@dataclass(frozen=True)
class Desk:
    """One a guard. ``asking`` is told of each question (instrument, prompt, seconds), ``answered`` of each answer
    (instrument, prompt, answer, seconds). ``names``: driver -> what the inventory calls that instrument."""

    folder: Path
    asking: Callable[[str, str, float], None]
    answered: Callable[[str, str, str, float], None]
    names: Mapping[str, str] = field(default_factory=dict)
    withdrawn: set[str] = field(default_factory=set)  # drivers whose question is no more to be answered
    open: dict[Path, str] = field(default_factory=dict)  # questions, each with its driver

    def is_asking(self, driver: str = "") -> bool:
        """Whether a question is open, of that driver ("": of any)."""
        return driver in list(self.open.values()) if driver else bool(self.open)

    def is_gone(self) -> bool:
        """Whether nobody can be asked any more: the folder was taken away, as a dead run's is by the next one."""
        return not self.folder.is_dir()

    def withdraw(self, driver: str) -> None:
        """The question that is open there, if any, ends without an answer."""
        self.withdrawn.add(driver)
        for path, told in questions(self.folder):
            if told["instrument"] == self.names.get(driver, driver):
                with contextlib.suppress(OSError, BadInput, ValueError):
                    _say(path, {"withdraw": True})

    @contextlib.contextmanager
    def _counted(self, path: Path, driver: str) -> Iterator[None]:
        self.open[path] = driver
        try:
            yield
        finally:
            del self.open[path]

    def ask(self, driver: str, prompt: str, read: Callable[[str], T], *, within_s: float) -> T:
        """The answer as ``read`` takes it; ``read`` raises ValueError for one that can't be used, with what to answer
        instead, and :class:`Declined`. Raises :class:`InstrumentError` where nobody answers in time, or can't do it."""
        self.withdrawn.discard(driver)
        instrument = self.names.get(driver, driver)
        begun = time.monotonic()
        path = self.folder / f"operator-{next(_numbers)}.sock"
        with _listening(path) as listener, self._counted(path, driver):
            self.asking(instrument, prompt, within_s)
            answer = _next_answer(listener, instrument, prompt, within_s, read)
        if answer is not None:
            self.answered(instrument, prompt, answer.text, time.monotonic() - begun)
            if isinstance(answer.value, Declined):
                raise InstrumentRefused(
                    f"the operator was asked: {prompt}; and answered: {answer.text}",
                    remedy="put it right, or take this step out of what is run here",
                )
            return answer.value
        if driver in self.withdrawn:
            raise InstrumentError(f"the operator is no longer asked: {prompt}", remedy=_ANSWER)
        raise InstrumentError(f"nobody answered within {within_s:g} s: {prompt}", remedy=_ANSWER)


_ANSWER = "somebody has to be at the bench, and answer with `hil97 lab answer`; or run without these tests"


def done(text: str) -> str:
    """What was remarked beside "done"."""
    word, _, remark = text.strip().partition(" ")
    if word.rstrip(".,!:。，").casefold() in DONE:
        return remark.strip()
    if says_no(text):
        raise Declined
    raise ValueError("answer `done`, with what there is to remark, or `no` and why")


def says_no(text: str) -> bool:
    """It was not done."""
    word = text.strip().partition(" ")[0]
    return word.rstrip(".,!:。，").casefold() in NOT_DONE


def numbers(text: str, at_most: int) -> list[float]:
    """As :func:`done`, where the remark is numbers: what a display shows."""
    words = done(text).replace(",", " ").split()
    try:
        found = [float(word) for word in words]
    except ValueError:
        found = []
    if len(found) != len(words) or len(found) > at_most or not all(abs(one) < 1e9 for one in found):
        raise ValueError(f"answer `done` and up to {at_most} numbers, or `no` and why")
    return found


def questions(folder: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Those that are open: socket and what it says."""
    for path in sorted(folder.glob(_SOCKETS)):
        with contextlib.suppress(OSError, ValueError), socket.socket(socket.AF_UNIX) as line:
            line.settimeout(_ANSWERED_S)
            line.connect(str(path))
            told = json.loads(line.makefile("rb").readline())
            yield path, {key: told[key] for key in ("instrument", "prompt", "left_s")}


def answer(path: Path, text: str) -> None:
    """Answers the question at ``path``. Raises :class:`BadInput` where it can't be used, or is not asked any more."""
    try:
        reply = _say(path, {"answer": text})
    except (OSError, ValueError) as error:
        raise BadInput("this is not asked any more", where=str(path)) from error
    if not reply.get("ok"):
        raise BadInput(str(reply.get("error")))


def _say(path: Path, request: dict[str, Any]) -> dict[str, Any]:
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(_ANSWERED_S)
        line.connect(str(path))
        lines = line.makefile("rb")
        lines.readline()
        line.sendall(json.dumps(request).encode() + b"\n")
        reply: dict[str, Any] = json.loads(lines.readline())
    return reply


@contextlib.contextmanager
def _listening(path: Path) -> Iterator[socket.socket]:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        hidden = path.with_suffix(".new")  # seen under its name only once it listens
        listener.bind(str(hidden))
        hidden.chmod(0o600)
        listener.listen()
        listener.setblocking(False)
        hidden.rename(path)
        yield listener
    except OSError as error:
        raise InstrumentError(
            f"the operator can't be asked: {error.strerror}", remedy=f"can files be made in {path.parent}?"
        ) from error
    finally:
        listener.close()
        path.unlink(missing_ok=True)


def _next_answer(
    listener: socket.socket, instrument: str, prompt: str, within_s: float, read: Callable[[str], T]
) -> _Answer[T] | None:
    """The first answer that can be used; None when the time is up or the question was withdrawn."""
    until = time.monotonic() + within_s
    with selectors.DefaultSelector() as selector, contextlib.ExitStack() as clients:
        selector.register(listener, selectors.EVENT_READ)
        held: dict[socket.socket, bytes] = {}
        while (left_s := until - time.monotonic()) > 0:
            for key, _ in selector.select(left_s):
                line = key.fileobj
                assert isinstance(line, socket.socket)
                if line is listener:
                    client, _ = listener.accept()
                    clients.enter_context(client)
                    held[client] = b""
                    selector.register(client, selectors.EVENT_READ)
                    _send(client, {"instrument": instrument, "prompt": prompt, "left_s": round(left_s, 1)})
                    continue
                said = _received(line, held)
                if said is None:
                    selector.unregister(line)
                    continue
                if said == {}:
                    continue
                if "withdraw" in said:
                    _send(line, {"ok": True})
                    return None
                text = str(said.get("answer", ""))
                try:
                    value: T | Declined = read(text)
                except Declined as declined:
                    value = declined
                except ValueError as error:
                    _send(line, {"ok": False, "error": str(error)})
                    continue
                _send(line, {"ok": True})
                return _Answer(text, value)
    return None


def _received(line: socket.socket, held: dict[socket.socket, bytes]) -> dict[str, Any] | None:
    """A request; {} where it has not come whole; None: the end, or what is none."""
    try:
        data = line.recv(_LONGEST)
    except OSError:
        return None
    held[line] += data
    if not data or len(held[line]) > _LONGEST:
        return None
    if b"\n" not in held[line]:
        return {}
    whole, _, held[line] = held[line].partition(b"\n")
    try:
        said = json.loads(whole)
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) and ("answer" in said or "withdraw" in said) else None


def _send(line: socket.socket, message: dict[str, Any]) -> None:
    with contextlib.suppress(OSError):
        line.sendall(json.dumps(message, ensure_ascii=False).encode() + b"\n")


_lock = threading.Lock()
_here: list[Desk] = []


def sit(desk: Desk | None) -> None:
    """From now on operators are asked there (one desk a process); None: nowhere."""
    with _lock:
        _here[:] = [] if desk is None else [desk]


def here() -> Desk:
    """Raises :class:`InstrumentError` where nobody can be asked in this process."""
    with _lock:
        if not _here:
            raise InstrumentError("nobody can be asked here", remedy="an operator is asked while a bench is open")
        return _here[0]
