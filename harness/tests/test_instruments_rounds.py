"""Who reads the instruments: nobody waits for one that hangs or is slow."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from harness.instruments.guard.rounds import Rounds, next_tick
from harness.tests.lab_helpers import eventually

TICK_S = 0.02


class Fake:
    """A station that counts. ``takes_s``: how long each reading takes; ``hangs``: clear while it hangs."""

    def __init__(self, takes_s: float = 0.0) -> None:
        self.read, self.alone, self.takes_s = 0, False, takes_s
        self.goes_on = threading.Event()
        self.goes_on.set()
        self._busy = threading.Lock()

    def sample(self) -> None:
        if self.alone or not self._busy.acquire(blocking=False):
            return
        try:
            time.sleep(self.takes_s)  # how slow it is, is what the test is about
            self.goes_on.wait(30)
            self.read += 1
        finally:
            self._busy.release()

    def leave_rounds(self) -> None:
        self.alone = True


@pytest.fixture
def ended() -> Iterator[list[Rounds]]:
    made: list[Rounds] = []
    yield made
    for one in made:
        one.end(wait_s=5)


def started(ended: list[Rounds], *stations: Fake) -> Rounds:
    rounds = Rounds(stations, period_s=TICK_S)
    ended.append(rounds)
    rounds.start()
    return rounds


def test_all_are_read_at_each_tick(ended: list[Rounds]) -> None:
    one, two = Fake(), Fake()
    rounds = started(ended, one, two)
    eventually(lambda: all(each.alone or each.read > 10 for each in (one, two)), "ten readings of each", 10)
    rounds.end(wait_s=5)
    assert one.alone or two.alone or abs(one.read - two.read) <= 1


def test_another_thread_goes_on_where_a_reading_hangs(ended: list[Rounds]) -> None:
    first, hanging, last = Fake(), Fake(), Fake()
    rounds = started(ended, first, hanging, last)
    eventually(lambda: last.read > 2, "the first readings", 10)
    hanging.goes_on.clear()
    eventually(lambda: not rounds_are_free(first), "the rounds to hang", 10)
    before = last.read

    def goes_on() -> bool:  # on a starved machine another may be taken for one that hangs: it is read by its own thread
        rounds.look()
        return all(one.alone or one.read > before + 5 for one in (first, last))

    eventually(goes_on, "the others to be read again", 10)
    hanging.goes_on.set()
    eventually(lambda: hanging.alone, "the one that hung to be left to its own thread", 10)
    threads = [one for one in threading.enumerate() if one.name == "rounds"]
    eventually(lambda: sum(one.is_alive() for one in threads) <= 1, "the thread that hung to end", 10)


def rounds_are_free(station: Fake) -> bool:
    """Whether it was read within five ticks."""
    before = station.read
    time.sleep(5 * TICK_S)  # the time over which it is looked at
    return station.read != before


def test_nobody_takes_over_while_nothing_hangs(ended: list[Rounds]) -> None:
    one = Fake()
    rounds = started(ended, one)

    def looked_at() -> bool:
        rounds.look()
        return one.alone or one.read > 20

    eventually(looked_at, "twenty readings", 10)
    assert one.alone or sum(thread.name == "rounds" for thread in threading.enumerate()) == 1


def test_the_slowest_leaves_where_a_round_takes_longer_than_a_tick(ended: list[Rounds]) -> None:
    """Six of 45 ms do not fit into 100 ms: they go until the rest fits."""
    quick, slow = Fake(), [Fake(takes_s=0.45 * TICK_S) for _ in range(4)]
    started(ended, quick, *slow)
    eventually(lambda: sum(one.alone for one in slow) >= 2, "two of them to leave", 10)
    before = quick.read
    eventually(lambda: quick.alone or quick.read > before + 20, "the quick one to be read on", 10)


def test_the_next_tick_is_the_same_for_all() -> None:
    ticks = {round(next_tick(1000.0)) for _ in range(50)}
    assert len(ticks) == 1 and next_tick(0.1) > time.monotonic() - 0.1
