"""For tests of whole commands: a lab of its own in a temporary folder, its processes, and what they leave."""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import harness
from harness.lab.lease import lease
from harness.tests.lab_helpers import eventually

ROOT = Path(harness.__file__).resolve().parents[1]
TAG = "HIL97_TEST_TAG"
DEADLINE_S = 150.0
_TAKE_TERMINAL = (
    "import fcntl, os, signal, sys, termios; signal.signal(signal.SIGINT, signal.SIG_DFL); "
    "fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
)
_BENCH = """\
  - name: {name}
    kind: emulated
    model: {model}
    profile: unionpay-direct
    time_scale: 20
"""


@dataclass
class SystemLab:
    """``folder`` holds inventory and results; ``runtime`` the leases and scratch folders of these processes only."""

    folder: Path
    runtime: Path
    benches: dict[str, str] = field(default_factory=lambda: {"left": "HT-100", "right": "HT-200"})
    tag: str = field(default_factory=lambda: uuid.uuid4().hex)

    def __post_init__(self) -> None:
        benches = "".join(_BENCH.format(name=name, model=model) for name, model in self.benches.items())
        self.inventory.write_text(f"catalogue: {ROOT / 'lab_config'}\nbenches:\n{benches}", encoding="utf-8")

    @property
    def inventory(self) -> Path:
        return self.folder / "lab.yaml"

    @property
    def results(self) -> Path:
        return self.folder / "results"

    @property
    def environment(self) -> dict[str, str]:
        """Ours without what pytest put there, and with a tag by which the processes are found again."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "HIL97_LANG"))}
        python = os.pathsep.join(filter(None, [str(ROOT), kept.get("PYTHONPATH", "")]))
        return kept | {TAG: self.tag, "XDG_RUNTIME_DIR": str(self.runtime), "PYTHONPATH": python, "LANG": "C.UTF-8"}

    # -- commands -----------------------------------------------------------------------------------------------------

    def start(
        self, *command: str, cwd: Path = ROOT, terminal: int | None = None, more: Mapping[str, str] | None = None
    ) -> subprocess.Popen[str]:
        """A Python module with arguments, in a session of its own, output and errors together.

        ``terminal``: a pty that becomes the session's, so that its keys make signals. ``more``: to the environment.
        """
        started_in = [] if terminal is None else [sys.executable, "-c", _TAKE_TERMINAL]
        return subprocess.Popen(
            [*started_in, sys.executable, "-m", *command],
            cwd=cwd,
            env=self.environment | dict(more or {}),
            stdin=subprocess.DEVNULL if terminal is None else terminal,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, *command: str, cwd: Path = ROOT, more: Mapping[str, str] | None = None) -> Ended:
        """The same, to its end."""
        return ended(self.start(*command, cwd=cwd, more=more))

    def hil97(self, *arguments: str) -> Ended:
        return self.run("harness.cli", *arguments)

    def arguments(self, *more: str, name: str = "run") -> list[str]:
        """Of ``hil97 run`` in this lab."""
        return ["run", "--lab", str(self.inventory), "--results", str(self.results), "--run-name", name, *more]

    # -- what is there ------------------------------------------------------------------------------------------------

    def processes(self) -> dict[int, str]:
        """Process id -> command line of whatever was started here and lives."""
        found = {}
        for process in Path("/proc").iterdir():
            if not process.name.isdigit():
                continue
            with contextlib.suppress(OSError):
                if f"{TAG}={self.tag}".encode() in (process / "environ").read_bytes().split(b"\0"):
                    found[int(process.name)] = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        return found

    def one(self, pattern: str) -> int:
        """The process id of one of them, by its command line."""
        return next(pid for pid, command in self.processes().items() if re.search(pattern, command))

    def parent_of(self, pattern: str) -> int:
        """The process that started that one."""
        status = Path(f"/proc/{self.one(pattern)}/status").read_text()
        return int(re.findall(r"^PPid:\t(\d+)", status, re.MULTILINE)[0])

    def holdings(self) -> Holdings:
        """What the kernel keeps for them now."""
        spaces, terminals = set(), set()
        ours = _namespace(Path("/proc/self"))
        for pid in self.processes():
            spaces.add(_namespace(Path(f"/proc/{pid}")))
            with contextlib.suppress(OSError):
                for descriptor in Path(f"/proc/{pid}/fd").iterdir():
                    with contextlib.suppress(OSError):
                        terminals.add(str(descriptor.readlink()))
        ptys = {(path, _made(path)) for path in terminals if re.fullmatch(r"/dev/pts/\d+", path)}
        return Holdings(frozenset(spaces - {ours, ""}), frozenset(ptys), time.clock_gettime(time.CLOCK_BOOTTIME))

    def history(self, name: str = "run") -> list[dict[str, object]]:
        """All events of all benches of a run so far, whole lines only."""
        events = []
        for path in sorted((self.results / name / "benches").glob("*/history.jsonl")):
            for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
                if line.endswith("\n"):
                    events.append(json.loads(line))
        return events

    def evidence(self, name: str = "run") -> str:
        """What stands in the histories about tests that did not pass, and the ends of the logs: a failure
        that came once on a machine far away can't be asked again."""
        told = []
        events = self.history(name)
        unwell = {event["test"] for event in events if event["kind"] == "test.closed" and event["outcome"] != "passed"}
        for event in events:
            if event["span"] in unwell and event["kind"] not in ("key", "heartbeat"):
                about = {key: value for key, value in event.items() if key not in ("seq", "span", "image", "fields")}
                told.append(json.dumps(about, ensure_ascii=False)[:400])
        for log in sorted((self.results / name / "benches").glob("*/logs/*.log")):
            lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-20:]
            told += [f"{log.parent.parent.name}/{log.name}: {line}" for line in lines]
        return "\n".join(told)

    def await_test_under_way(self, process: subprocess.Popen[str], name: str = "run") -> None:
        """Until a test of the run is in its body on every bench. Fails with the output when the run ended before."""

        def under_way() -> bool:
            if process.poll() is not None:
                raise AssertionError(f"ended too early with {process.returncode}:\n{process.communicate()[0]}")
            bodies = 0
            for path in (self.results / name / "benches").glob("*/history.jsonl"):
                bodies += b'"phase":"body"' in path.read_bytes()
            return bodies == len(self.benches)

        eventually(under_way, "a test on each bench", DEADLINE_S)

    def assert_nothing_left(self, held: Holdings, *, scratch: bool = True) -> None:
        """No process, namespace, pty or lease of theirs; with ``scratch`` no folder of an open bench either."""
        eventually(lambda: not self.processes(), f"all processes gone; {self.processes()}")
        eventually(lambda: not held.namespaces & _namespaces_of(held.when), "their network namespaces gone")
        eventually(lambda: not any(_made(path) == made for path, made in held.terminals), "their ptys gone")
        for bench in self.benches if (self.runtime / "hil97").exists() else ():
            lease(bench, scope=str(self.inventory.resolve()), folder=self.runtime / "hil97").release()
        if scratch:
            assert not list((self.runtime / "hil97").glob("scratch-*"))

    def end(self) -> None:
        """Whatever a failed test left."""
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@dataclass(frozen=True)
class Holdings:
    """Network namespaces; ptys as path and moment of making; and when that was, in seconds since boot.

    The kernel gives the numbers of both again at once, to whoever asks: the tests beside this one do.
    """

    namespaces: frozenset[str]
    terminals: frozenset[tuple[str, int]]
    when: float


@dataclass(frozen=True)
class Ended:
    """A command that ended: its exit status, and what it said."""

    status: int
    text: str

    def refused(self) -> str:
        """What it said, which is one message about bad input and no traceback."""
        assert self.status == 2, (self.status, self.text)
        assert "Traceback" not in self.text and "INTERNALERROR" not in self.text, self.text
        return self.text


def ended(process: subprocess.Popen[str], *, within: float = DEADLINE_S) -> Ended:
    """Its end, for which we wait. Past the deadline it is killed and the test fails."""
    try:
        text, _ = process.communicate(timeout=within)
    except subprocess.TimeoutExpired:
        process.kill()
        text, _ = process.communicate()
        raise AssertionError(f"not ended within {within} s:\n{text}") from None
    return Ended(process.returncode, text)


@contextlib.contextmanager
def closing(lab: SystemLab) -> Iterator[SystemLab]:
    try:
        yield lab
    finally:
        lab.end()


def unchanged(folder: Path, action: Callable[[], object]) -> None:
    """``action`` creates, changes and removes nothing below ``folder``."""
    before = _listing(folder)
    action()
    assert _listing(folder) == before


def _listing(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path): (path.lstat().st_mode, path.read_bytes() if path.is_file() else b"")
        for path in sorted(folder.rglob("*"))
    }


def _namespace(process: Path) -> str:
    try:
        return str((process / "ns" / "net").readlink())
    except OSError:
        return ""


def _made(terminal: str) -> int:
    """When that pty was made, in nanoseconds; 0 where there is none."""
    try:
        return Path(terminal).stat().st_ctime_ns
    except OSError:
        return 0


def _namespaces_of(moment: float) -> set[str]:
    """The network namespaces of all processes that were born before ``moment`` (seconds since boot)."""
    processes = (process for process in Path("/proc").iterdir() if process.name.isdigit())
    return {_namespace(process) for process in processes if _born(process) <= moment}


def _born(process: Path) -> float:
    """Seconds since boot; never, where it is gone."""
    try:
        fields = (process / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return math.inf
    return int(fields[19]) / os.sysconf("SC_CLK_TCK")
