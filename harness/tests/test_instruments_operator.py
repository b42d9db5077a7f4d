"""A person in place of an instrument: asked, answered, in the history; and nobody there."""

from __future__ import annotations

import argparse
import json
import os
import pty
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.bench.instruments import open_instruments
from harness.cli import lab_answer as command
from harness.errors import BadInput, BenchError
from harness.history.instrument_events import InstrumentSet, InstrumentTrouble, OperatorAnswered
from harness.history.recorder import Recorder
from harness.instruments import desk, drivers
from harness.instruments.client import Instruments
from harness.instruments.contracts import InstrumentError, InstrumentRefused
from harness.instruments.desk import Declined, Desk
from harness.instruments.drivers.operator import OperatorInstrument
from harness.instruments.methods import CONTRACTS, methods
from harness.lab.instrument_entry import InstrumentEntry, Limit
from harness.tests.lab_helpers import eventually

OPERATORS = sorted(name for name in drivers.known() if name.startswith("operator-"))


class Person:
    """Answers whatever is asked at a folder, each time with the next of ``says`` (the last one for ever)."""

    def __init__(self, folder: Path, *says: str) -> None:
        self.says, self.asked, self.answered = list(says), list[str](), list[tuple[str, str, str]]()
        self._folder = folder
        self.desk = Desk(folder, self._asking, lambda i, p, a, s: self.answered.append((i, p, a)))

    def _asking(self, instrument: str, prompt: str, within_s: float) -> None:
        self.asked.append(prompt)
        if self.says:
            threading.Thread(target=self._answer, daemon=True).start()

    def _answer(self) -> None:
        for path, _told in desk.questions(self._folder):
            desk.answer(path, self.says.pop(0) if len(self.says) > 1 else self.says[0])


@pytest.fixture
def nobody_told(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(OperatorInstrument, "_told", {})
    monkeypatch.setattr(OperatorInstrument, "_touched", set())
    yield
    desk.sit(None)


# -- the desk


def test_a_question_and_its_answer(tmp_path: Path) -> None:
    person = Person(tmp_path, "done 40.1 55")
    assert person.desk.ask("chamber", "warm it", lambda text: desk.numbers(text, 2), within_s=10) == [40.1, 55]
    assert person.answered == [("chamber", "warm it", "done 40.1 55")]
    assert not list(tmp_path.iterdir()) and not person.desk.is_asking()


def test_what_can_be_seen_of_a_question(tmp_path: Path) -> None:
    person = Person(tmp_path)
    asking = threading.Thread(target=lambda: person.desk.ask("esd", "fire", desk.done, within_s=20), daemon=True)
    asking.start()
    eventually(lambda: bool(list(desk.questions(tmp_path))), "the question")
    (path, told), = desk.questions(tmp_path)
    assert told["instrument"] == "esd" and told["prompt"] == "fire" and 15 < told["left_s"] <= 20
    assert path.stat().st_mode & 0o077 == 0, "nobody else's to answer"
    with pytest.raises(BadInput, match="answer `done`"):
        desk.answer(path, "perhaps")
    for rubbish in (b"", b"\xff\n", b"[]\n", b"{}\n", b"x" * 5000, b'{"answer"'):
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(str(path))
            line.sendall(rubbish)
    desk.answer(path, "done")
    asking.join(10)
    assert not asking.is_alive()
    with pytest.raises(BadInput, match="not asked any more"):
        desk.answer(path, "done")


def test_nobody_answers(tmp_path: Path) -> None:
    with pytest.raises(InstrumentError, match=r"nobody answered within 0\.2 s: fire") as told:
        Person(tmp_path).desk.ask("esd", "fire", desk.done, within_s=0.2)
    assert "hil97 lab answer" in told.value.remedy
    assert not list(tmp_path.iterdir())


def test_it_can_not_be_done(tmp_path: Path) -> None:
    with pytest.raises(InstrumentRefused, match="asked: fire; and answered: no, the gun is broken"):
        Person(tmp_path, "no, the gun is broken").desk.ask("esd", "fire", desk.done, within_s=10)


def test_a_question_that_is_withdrawn(tmp_path: Path) -> None:
    person, raised = Person(tmp_path), list[Exception]()

    def ask() -> None:
        try:
            person.desk.ask("esd", "fire", desk.done, within_s=30)
        except InstrumentError as error:
            raised.append(error)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    eventually(lambda: bool(list(desk.questions(tmp_path))), "the question")
    person.desk.withdraw("chamber")
    assert list(desk.questions(tmp_path)), "another one's"
    person.desk.withdraw("esd")
    asking.join(10)
    assert "no longer asked: fire" in str(raised[0])


def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(InstrumentError, match="the operator can't be asked: No such file"):
        Person(tmp_path / "gone").desk.ask("esd", "fire", desk.done, within_s=1)


@given(st.text())
def test_any_answer_is_understood_or_told_how(text: str) -> None:
    for read in (desk.done, lambda said: desk.numbers(said, 2)):
        try:
            read(text)
        except ValueError as error:
            assert str(error).startswith("answer `done`")
        except Declined:
            assert text.strip()[:1].casefold() in "nc不否"


@given(st.lists(st.floats(-1e6, 1e6).map(lambda x: round(x, 3)), max_size=4), st.sampled_from(desk.DONE))
def test_numbers_that_a_display_shows(values: list[float], word: str) -> None:
    text = " ".join([word.upper(), *map(str, values)])
    if len(values) > 2:
        with pytest.raises(ValueError, match="up to 2 numbers"):
            desk.numbers(text, 2)
    else:
        assert desk.numbers(text, 2) == values


# -- the drivers


def test_there_is_one_of_each_kind_that_does_something() -> None:
    kinds = {drivers.known()[name].kind for name in OPERATORS}
    assert kinds == set(CONTRACTS) - {"printer_sensor"}


@pytest.mark.usefixtures("nobody_told")
@pytest.mark.parametrize("name", OPERATORS)
def test_every_method_asks_or_is_remembered_and_the_safe_state_is_asked_for(name: str, tmp_path: Path) -> None:
    picture = tmp_path / "screen.png"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n")
    person = Person(tmp_path, f"done {picture}" if name == "operator-camera" else "done")
    desk.sit(person.desk)
    driver = drivers.known()[name]
    opened = driver("operator")
    opened.make_safe()
    assert opened.is_safe() and not person.asked, "nothing was touched, so nothing is asked"
    assert set(opened.read()) <= set(driver.quantities) and opened.identity()
    values: dict[type, object] = {float: 2.0, int: 1, bool: True, str: "visa"}
    for method in methods(driver.kind):
        arguments = methods(driver.kind)[method].arguments
        getattr(opened, method)(**{key: values[sort] for key, sort in arguments.items()})
        assert set(opened.read()) <= set(driver.quantities)
    assert person.asked
    opened.make_safe()
    assert driver("operator").is_safe()
    opened.close()


@pytest.mark.usefixtures("nobody_told")
def test_what_was_touched_is_remembered_beyond_a_driver_that_is_opened_again(tmp_path: Path) -> None:
    person = Person(tmp_path, "done 60")
    desk.sit(person.desk)
    chamber = drivers.known()["operator-chamber"]
    opened = chamber("operator")
    opened.set_climate(temperature_c=60, ramp_k_per_min=2)
    assert opened.read() == {"temperature_c": 60.0}
    assert "60 °C, no faster than 2 K/min" in person.asked[0]
    again = chamber("operator")
    assert not again.is_safe()
    again.make_safe()
    assert again.is_safe() and person.asked[1] == "stop the climate chamber" and again.read() == {}


@pytest.mark.usefixtures("nobody_told")
def test_an_esd_gun_is_off_again_when_it_was_fired(tmp_path: Path) -> None:
    person = Person(tmp_path, "done", "no, it is broken")
    desk.sit(person.desk)
    gun = drivers.known()["operator-esd"]("operator")
    with pytest.raises(InstrumentError, match="not armed"):
        gun.fire(count=10)
    gun.arm(level_kv=8)
    assert gun.ready() and not person.asked
    assert gun.read() == {"level_kv": 8.0, "armed": 1.0, "pulses": 0.0}  # who strikes with it counts from here
    gun.fire(count=10)
    assert person.asked == [
        "ESD gun (IEC 61000-4-2) at the terminal at 8 kV, 10 times; then switch it off and discharge it"
    ]
    assert gun.is_safe() and gun.read() == {"level_kv": 8.0, "armed": 1.0, "pulses": 10.0}
    with pytest.raises(InstrumentRefused, match="no, it is broken"):
        gun.fire(count=10)
    assert not gun.is_safe()


def test_an_address_that_is_none() -> None:
    with pytest.raises(InstrumentError, match="'TCPIP::x' is no address of an operator"):
        drivers.known()["operator-esd"]("TCPIP::x")


def test_nobody_can_be_asked_without_a_bench() -> None:
    desk.sit(None)
    gun = drivers.known()["operator-field"]("operator")
    with pytest.raises(InstrumentError, match="nobody can be asked here"):
        gun.radiate(False)


# -- through the guard, and the command


class Lab:
    """A bench with an ESD gun and a chamber that a person works."""

    def __init__(self, folder: Path, stack: ExitStack, answer_within_s: float) -> None:
        self.failures: list[str] = []
        self.history = stack.enter_context(Recorder(folder / "history.jsonl"))
        scratch = Path(os.environ["XDG_RUNTIME_DIR"], "hil97", "scratch-1")
        scratch.mkdir(parents=True)
        (scratch / "bench.json").write_text(json.dumps({"bench": "b-1"}), encoding="utf-8")
        options: dict[str, str | bool | int | float] = {"answer_within_s": answer_within_s}
        self.instruments: Instruments = open_instruments(
            bench="b-1", run="r", folder=folder, scratch=scratch, surroundings=None, seed=1, history=self.history,
            fail=self.failures.append, entries=[
                InstrumentEntry(name="gun", driver="operator-esd", address="operator", options=options),
                InstrumentEntry(
                    name="oven", driver="operator-chamber", address="operator", options=options,
                    limits={"temperature_c": Limit(low=-20, high=65), "humidity_pct": Limit(low=0, high=100)},
                ),
            ],
        )
        stack.callback(self.instruments.line.close)

    def answering(self, *text: str) -> threading.Thread:
        """Somebody at another console, who answers the next question."""
        before = len(self.asked())

        def answer() -> None:
            eventually(lambda: len(self.asked()) > before or self._shown(), "a question")
            command.answer(argparse.Namespace(bench="b-1", instrument=None, text=list(text)))

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        return thread

    def asked(self) -> list[OperatorAnswered]:
        return [one for one in self.history.events if isinstance(one, OperatorAnswered)]

    def _shown(self) -> bool:
        return any(list(desk.questions(folder)) for folder in command.folders_of("b-1"))


@pytest.fixture
def make_lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[float], Lab]]:
    with ExitStack() as stack:
        short = stack.enter_context(TemporaryDirectory(prefix="hil97-"))  # a socket's path has 107 bytes at most
        monkeypatch.setenv("XDG_RUNTIME_DIR", short)
        yield lambda answer_within_s: Lab(tmp_path, stack, answer_within_s)


def test_a_test_asks_and_goes_on_when_it_is_answered(make_lab: Callable[[float], Lab]) -> None:
    lab = make_lab(30.0)
    instruments = lab.instruments
    instruments.begin_test("t", 60)
    instruments.esd.arm(level_kv=4)
    somebody = lab.answering("done", "ten discharges")
    instruments.esd.fire(count=10)
    somebody.join(10)
    (told,) = lab.asked()
    assert told.instrument == "gun" and told.answer == "done ten discharges" and told.seconds > 0
    assert "at 4 kV, 10 times" in told.prompt
    fired = [one for one in lab.history.events if isinstance(one, InstrumentSet)][-1]
    assert (fired.instrument, fired.method) == ("gun", "fire")
    lab.answering("done", "40.2").join(0)
    instruments.chamber.set_climate(temperature_c=40)
    assert instruments.chamber.read() == {"temperature_c": 40.2}
    lab.answering("done")
    instruments.end_test()
    assert lab.asked()[-1].prompt == "stop the climate chamber"
    assert not lab.failures


def test_nobody_there_is_the_benchs_failure(make_lab: Callable[[float], Lab]) -> None:
    lab = make_lab(0.3)
    lab.instruments.begin_test("t", 60)
    lab.instruments.esd.arm(level_kv=4)
    with pytest.raises(BenchError, match=r"instrument gun: fire: nobody answered within 0\.3 s: ESD gun") as told:
        lab.instruments.esd.fire()
    assert told.value.bench == "b-1" and "hil97 lab answer" in told.value.remedy
    assert lab.failures and any(isinstance(one, InstrumentTrouble) for one in lab.history.events)


def test_the_command_shows_and_refuses(make_lab: Callable[[float], Lab], capsys: pytest.CaptureFixture[str]) -> None:
    lab = make_lab(20.0)
    ask = argparse.Namespace(bench="b-1", instrument=None, text=[])
    assert command.answer(ask) == 0
    assert capsys.readouterr().out == "nothing is asked at bench b-1\n"
    with pytest.raises(BadInput, match="nothing is asked at bench b-1"):
        command.answer(argparse.Namespace(bench="b-1", instrument=None, text=["done"]))
    lab.instruments.esd.arm(level_kv=4)
    firing = threading.Thread(target=lambda: lab.instruments.esd.fire(), daemon=True)
    firing.start()
    eventually(lab._shown, "a question")
    assert command.answer(ask) == 0
    assert capsys.readouterr().out.startswith("gun: ESD gun (IEC 61000-4-2) at the terminal at 4 kV, 1 times;")
    with pytest.raises(BadInput, match="answer `done`"):
        command.answer(argparse.Namespace(bench="b-1", instrument=None, text=["what?"]))
    with pytest.raises(BadInput, match="nothing is asked"):
        command.answer(argparse.Namespace(bench="b-1", instrument="oven", text=["done"]))
    assert command.answer(argparse.Namespace(bench="b-1", instrument="gun", text=["done"])) == 0
    firing.join(10)
    for text in [], ["done"]:
        with pytest.raises(BadInput, match="no bench b-7 is open on this machine; open: b-1") as told:
            command.answer(argparse.Namespace(bench="b-7", instrument=None, text=text))
        assert "inventory" in told.value.remedy
    assert not firing.is_alive()


def test_a_question_is_shown_on_the_terminal_of_the_run() -> None:
    program = (
        "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
        "from harness.instruments.guard_line import ask_at_the_terminal\n"
        "ask_at_the_terminal('b-1', 'gun', 'fire it', 300)"
    )
    terminal, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=theirs, stdout=subprocess.DEVNULL, start_new_session=True
    ) as run:
        assert run.wait(30) == 0
    os.close(theirs)
    shown = os.read(terminal, 4096)
    os.close(terminal)
    assert b"bench b-1, instrument gun: fire it\r\n  answer within 300 s, in a console: hil97 lab answer b-1" in shown
