"""A real board process for the tests of the emulated hardware, with the probe (``emulator_app``) or another image."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from ruamel.yaml import YAML

import harness.emulator
from harness.instruments.panel import Event, Panel
from harness.instruments.screen import Screen, ScreenReading
from harness.terminal.model import Model

ROOT = Path(harness.emulator.__file__).parent.parent.parent
KEYS = ROOT / "harness" / "emulator" / "keys"
SIGNING_KEY, BOOT_KEY = KEYS / "TEST-ONLY-signing-key.pem", KEYS / "TEST-ONLY-boot-key.pem"
PROBE = ROOT / "harness" / "tests" / "emulator_app"


def model(name: str) -> Model:
    """A model of lab_config."""
    path = ROOT / "lab_config" / "models" / f"{name}.yaml"
    return Model.model_validate(YAML(typ="safe").load(path.read_text("utf-8")))


def board_arguments(folder: Path, image: Path | None, name: str = "HT-100") -> list[str]:
    """The command line of a board whose files are in ``folder``."""
    (folder / "model.json").write_text(json.dumps(model(name).model_dump(mode="json")), "utf-8")
    factory = [] if image is None else ["--image", str(image)]
    return [sys.executable, "-m", "harness.emulator", "--control", str(folder / "panel"), "--flash",
            str(folder / "flash.bin"), "--model", str(folder / "model.json"), "--boot-key", str(BOOT_KEY),
            "--serial-number", "SN97", *factory]


class Terminal:
    """A board process and a panel to it. ``events`` are all events so far, without pictures."""

    def __init__(self, folder: Path, image: Path | None, name: str = "HT-100") -> None:
        folder.mkdir(exist_ok=True)
        self.log = folder / "board.log"
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([*board_arguments(folder, image, name), "--parent", str(os.getpid())],
                                            stderr=log, stdout=log, env=environment)
        self.events: list[Event] = []
        self._changed = threading.Condition()
        self.control = folder / "panel"
        self.panel = Panel(self.control, on_event=self._take)
        self.screen = Screen(self.panel, model(name).screen)

    def _take(self, event: Event) -> None:
        with self._changed:
            self.events.append({key: value for key, value in event.items() if key != "bits"})
            self._changed.notify_all()

    def wait_event(self, matches: Callable[[Event], bool], since: int = 0, timeout: float = 10) -> Event:
        """The first event from number ``since`` on that matches."""
        with self._changed:
            found = self._changed.wait_for(lambda: next((e for e in self.events[since:] if matches(e)), None), timeout)
            assert found is not None, f"no such event within {timeout} s; there were {self.events[since:]}"
            return found

    def wait_power(self, state: str, reason: str, since: int = 0, timeout: float = 10) -> Event:
        return self.wait_event(lambda e: (e["ev"], e.get("state"), e.get("reason")) == ("power", state, reason), since,
                               timeout)

    def wait_lines(self, *wanted: str, timeout: float = 10) -> ScreenReading:
        """Waits until the screen shows these lines, exactly from the top."""
        reading = self.screen.wait(lambda seen: seen.lines[: len(wanted)] == list(wanted), timeout)
        assert reading is not None, f"waited for {wanted}, the screen says {self.screen.read().lines}"
        return reading

    def on(self) -> None:
        """Switches on and waits for the probe's first screen."""
        self.panel.request("power", state="on")
        self.wait_lines("欢迎使用")

    def key(self, key: str) -> None:
        self.panel.request("key", key=key)

    def cpu(self) -> int:
        """Process id of the CPU process."""
        return int(children(self.process.pid)[0])

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None,
    ) -> None:
        self.panel.close()
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(10)
        assert status == 0, f"the board ended with {status}:\n{self.log.read_text('utf-8')}"
        assert not self.control.exists()


def children(pid: int) -> list[int]:
    """Process ids of the children of a process."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()]


def eventually(what: Callable[[], Any], timeout: float = 10) -> Any:
    """Polls until ``what()`` is true; for states that nothing announces."""
    deadline = time.monotonic() + timeout
    while not (value := what()):
        assert time.monotonic() < deadline, f"not within {timeout} s"
        time.sleep(0.01)
    return value
