"""What an operator's eyes wait for, and when they no longer do."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from harness.errors import TerminalTimeout
from harness.history.recorder import Recorder
from harness.terminal.front import Front, Seen

DEADLINE_S = 120.0


@pytest.fixture
def front(tmp_path: Path) -> Front:
    """Of a terminal that shows its idle screen; what happens is told by :meth:`Front._on_event`."""
    found = Front.__new__(Front)
    found._recorder, found._bench, found.evidence = Recorder(tmp_path / "history.jsonl"), "bench", tmp_path
    found._seen, found._changed = [Seen(0, 0, ("欢迎使用",), 0)], threading.Condition()
    found.powered, found._power_losses = True, 0
    return found


def power(front: Front, *states: str) -> None:
    for state in states:
        front._on_event({"ev": "power", "t": time.monotonic_ns(), "state": state, "reason": "cut"})


@pytest.mark.parametrize("states", [("off",), ("off", "on")])
def test_the_answer_to_a_key_is_not_waited_for_when_the_power_went(front: Front, states: tuple[str, ...]) -> None:
    """Not even where it is back already: it came from another start."""
    ended: list[BaseException] = []

    def wait() -> None:
        try:
            front.await_screen(lambda seen: seen.number > 0, DEADLINE_S, "the menu", answer=True)
        except TerminalTimeout as error:
            ended.append(error)

    waiting = threading.Thread(target=wait, daemon=True)
    with front._changed:  # the thread is in its wait as soon as it can have this
        waiting.start()
    while not front._changed._waiters:  # type: ignore[attr-defined]
        assert waiting.is_alive()
        time.sleep(0.001)
    power(front, *states)
    waiting.join(DEADLINE_S / 2)
    assert ended and "the menu: the terminal lost its power" in str(ended[0])


def test_what_is_no_answer_may_come_after_it(front: Front) -> None:
    def back() -> None:
        power(front, "off", "on")
        with front._changed:
            front._seen.append(Seen(1, 0, ("欢迎使用",), 0))
            front._changed.notify_all()

    threading.Thread(target=back).start()
    assert front.await_screen(lambda seen: seen.number == 1, DEADLINE_S, "the idle screen").number == 1
