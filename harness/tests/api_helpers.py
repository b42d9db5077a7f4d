"""For the tests of the management API and ``hil97 acquirer serve``: the command as a process, a client of its API."""

from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

import harness
from harness.tests.acquirer_terminal import Line

ROOT = Path(harness.__file__).parents[1]
TOKEN = "a-token-for-tests-0123456789"
READING = "may-only-look-0123456789"
_READY_S = 30.0


class Serve:
    """``hil97 acquirer serve`` with what it printed so far."""

    def __init__(self, folder: Path, *options: str, files: int | None = None) -> None:
        self.log = folder / "serve.log"
        self.database = folder / "books.sqlite"
        command = [
            sys.executable, "-m", "harness.cli", "--lang", "en", "acquirer", "serve", "--listen", "127.0.0.1:0",
            "--api", "127.0.0.1:0", "--db", str(self.database), *options,
        ]
        environment = {
            **os.environ, "PYTHONPATH": str(ROOT), "HIL97_API_TOKEN": TOKEN, "HIL97_API_READ_TOKEN": READING,
            "COLUMNS": "200",
        }
        with self.log.open("ab") as out:
            self._before = out.tell()
            self.process = subprocess.Popen(command, stdout=out, stderr=out, env=environment, cwd=folder,
                                            preexec_fn=None if files is None else lambda: _limited_to(files))
        self.port = int(self.said(r"terminals: 127\.0\.0\.1:(\d+)")[1])
        self.url = self.said(r"management API: (http://\S+)/v1/docs")[1] if "off" not in options else ""

    def text(self) -> str:
        return self.log.read_bytes()[self._before :].decode()

    def said(self, pattern: str, deadline_s: float = _READY_S) -> re.Match[str]:
        """Waits until it has printed this."""
        deadline = time.monotonic() + deadline_s
        while True:
            found = re.search(pattern, self.text())
            if found:
                return found
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"{pattern!r} was not printed:\n{self.text()}")
            time.sleep(0.02)

    def exchange(self, raw: bytes) -> bytes | None:
        """A message on a connection of its own."""
        with Line(("127.0.0.1", self.port)) as line:
            return line(raw)

    def client(self, token: str | None = TOKEN) -> httpx.Client:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return httpx.Client(base_url=f"{self.url}/v1", headers=headers, timeout=20, trust_env=False)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Exit status after a signal."""
        self.process.send_signal(number)
        return self.process.wait(20)


def _limited_to(files: int) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))


@contextmanager
def serving(folder: Path, *options: str, files: int | None = None) -> Iterator[Serve]:
    """``files``: how many it may have open."""
    serve = Serve(folder, *options, files=files)
    try:
        yield serve
    finally:
        if serve.process.poll() is None:
            serve.process.kill()
            serve.process.wait(20)


def done(answer: httpx.Response, status: int = 200) -> Any:
    """The answer's document; fails with the refusal's text where the status is another."""
    assert answer.status_code == status, f"{answer.status_code}: {answer.text}"
    return answer.json()
