"""A disk that is full: said once, with its place, as the bench's ERROR; what was recorded is kept."""

from __future__ import annotations

import errno
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness import cli
from harness.bench.bench import Bench
from harness.bench.heartbeat import start_heartbeat
from harness.campaigns import finish
from harness.campaigns.keeper import BenchKeeper
from harness.campaigns.session import Session
from harness.errors import BenchError, writing
from harness.pytest_plugin import Refused

FULL = OSError(errno.ENOSPC, "No space left on device")


class FullLog:
    """A history that takes no more."""

    def __init__(self) -> None:
        self.asked = threading.Event()

    def append(self, _event: object) -> None:
        self.asked.set()
        raise BenchError("the log can't be written: No space left on device")


def test_what_is_written_names_its_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(OSError, match="No space left") as refused, writing(tmp_path / "verdicts.json"):
        raise OSError(FULL.errno, FULL.strerror)
    assert refused.value.filename == str(tmp_path / "verdicts.json")
    with pytest.raises(FileNotFoundError) as missing, writing(tmp_path):
        (tmp_path / "none").read_bytes()
    assert missing.value.filename == str(tmp_path / "none"), "whoever named a file already is left as it is"


def test_a_command_says_the_place_once(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def full(_args: object) -> int:
        raise OSError(FULL.errno, FULL.strerror, "results/verdicts.json")

    parser = SimpleNamespace(parse_args=lambda _arguments: SimpleNamespace(run=full))
    monkeypatch.setattr(cli, "build_parser", lambda: parser)
    assert cli.main(["--lang", "en", "judge", "results"]) == 3
    assert capsys.readouterr().err == "hil97: results/verdicts.json: No space left on device\n"


def test_the_end_of_a_run_that_can_t_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_given: object) -> int:
        raise FULL

    monkeypatch.setattr(finish, "finish", full)
    config: Any = SimpleNamespace(getoption=lambda _name: None)
    plan: Any = SimpleNamespace(folder=tmp_path)
    ended: Any = SimpleNamespace(exitstatus=0)
    Session(config, plan).pytest_sessionfinish(ended, 1)
    assert ended.exitstatus == 3
    said = capsys.readouterr().err
    assert said.startswith("hil97: the results of this run can't be written: No space left on device\n")
    assert f"hil97 judge {tmp_path}" in said


def test_the_end_of_a_killed_run_that_can_t_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(_folder: Path) -> None:
        raise FULL

    (tmp_path / "benches" / "one").mkdir(parents=True)
    (tmp_path / "benches" / "one" / "history.jsonl").touch()
    monkeypatch.setattr(finish, "merge_robot", full)
    assert finish.finish_killed(tmp_path) == 3
    assert "can't be written" in capsys.readouterr().err


def test_a_bench_closes_and_its_pulse_ends_where_the_log_takes_no_more(recwarn: pytest.WarningsRecorder) -> None:
    """Neither throws in a thread or over the closing of what else is open: the log tells that it was not closed."""
    log: Any = FullLog()
    bench: Any = SimpleNamespace(history=log)
    Bench._close_log(bench)
    assert log.asked.is_set()
    log.asked.clear()
    end = start_heartbeat("one", log, 0.0)
    assert log.asked.wait(10)
    end()
    assert not any(thread.name == "one heartbeat" for thread in threading.enumerate())
    assert [str(one.message) for one in recwarn] == []


def test_one_bench_that_does_not_close_keeps_no_other_open() -> None:
    closed: list[str] = []

    def opened(name: str, error: Exception | None) -> Any:
        def close() -> None:
            closed.append(name)
            if error is not None:
                raise error

        return SimpleNamespace(close=close), SimpleNamespace(release=lambda: closed.append(f"lease of {name}"))

    keeper = BenchKeeper(plan=None)  # type: ignore[arg-type]
    keeper._open = {"one": opened("one", BenchError("it is stuck")), "two": opened("two", BenchError("so is it"))}
    with pytest.raises(BenchError):
        keeper.close_all()
    assert sorted(closed) == ["lease of one", "lease of two", "one", "two"]


def test_pytest_ends_with_our_word_before_the_message() -> None:
    refused = Refused(BenchError("a run can't be begun here: No space left on device"), 3)
    assert (type(refused).__name__, refused.returncode) == ("hil97", 3)
    assert str(refused.msg).startswith("a run can't be begun here")
