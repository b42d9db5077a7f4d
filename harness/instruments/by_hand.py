"""The instruments of an inventory without a run: asked who they are, or brought to their safe state.

For ``hil97 lab check --open`` and ``hil97 lab safe``. Real ones only: the emulated ones live with a run.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from harness.instruments import drivers
from harness.instruments.contracts import InstrumentError
from harness.instruments.described import check_identity, driver_options
from harness.instruments.quantities import impossible
from harness.lab.instrument_entry import EMULATED, OPERATOR, InstrumentEntry
from harness.lab.inventory import BenchEntry
from harness.terminal.surroundings import Surroundings

AGAIN_S, SETTLES_S = 1.0, 2.0
R = TypeVar("R")
One = tuple[BenchEntry, InstrumentEntry]


def real(benches: Iterable[BenchEntry]) -> list[One]:
    """Those that can be reached when no run is on."""
    return [(bench, one) for bench in benches for one in bench.instruments if one.address not in (EMULATED, OPERATOR)]


def by_operator(benches: Iterable[BenchEntry]) -> list[tuple[BenchEntry, InstrumentEntry, str]]:
    """Those that a person stands for, and their safe state in words."""
    return [
        (bench, one, drivers.known()[one.driver].safe)
        for bench in benches for one in bench.instruments if one.address == OPERATOR
    ]


def each(ones: list[One], do: Callable[[InstrumentEntry, Surroundings | None], R]) -> list[tuple[One, R | str]]:
    """``do`` with all of them at the same time: what it returns, or the message that it failed with."""

    def one_of_them(one: One) -> R | str:
        bench, entry = one
        try:
            return do(entry, bench.model.surroundings)
        except InstrumentError as error:
            return f"bench {bench.name}: instrument {entry.name}: {error}"
        except Exception as error:  # a driver's own
            return f"bench {bench.name}: instrument {entry.name}: its driver failed: {error!r}"

    if not ones:
        return []
    with ThreadPoolExecutor(len(ones)) as pool:
        return list(zip(ones, pool.map(one_of_them, ones), strict=True))


def opened(one: InstrumentEntry, around: Surroundings | None) -> Any:
    """Its driver, and it is the one that the inventory has there. Raises InstrumentError."""
    driver_class = drivers.known()[one.driver]
    driver = driver_class(one.address, **driver_options(one, driver_class, around))
    try:
        check_identity(one.address, one.identity, driver.identity())
    except BaseException:
        driver.close()
        raise
    return driver


def asked(one: InstrumentEntry, around: Surroundings | None) -> tuple[str, dict[str, float]]:
    """Who it is and what it reads now. Raises InstrumentError."""
    driver = opened(one, around)
    try:
        values = dict(driver.read())
        wrong = impossible(values)
        if wrong:
            raise InstrumentError(wrong, remedy="look at its sensor and its cables; compare with another instrument")
        return driver.identity(), values
    finally:
        driver.close()


def made_safe(one: InstrumentEntry, around: Surroundings | None, within_s: float) -> tuple[str, dict[str, float]]:
    """Told and read back; tried again for ``within_s`` seconds. Raises the last InstrumentError."""
    end = time.monotonic() + within_s
    while True:
        try:
            driver = opened(one, around)
            try:
                return _told(driver)
            finally:
                driver.close()
        except InstrumentError:
            if time.monotonic() + AGAIN_S > end:
                raise
            time.sleep(AGAIN_S)  # at a pace that a device which starts again can bear


def _told(driver: Any) -> tuple[str, dict[str, float]]:
    driver.make_safe()
    end = time.monotonic() + SETTLES_S
    while not driver.is_safe():
        if time.monotonic() > end:
            # what to do next is said once for all of them: see `hil97 lab safe`
            raise InstrumentError(f"it was told, and is not in its safe state ({driver.safe}) {SETTLES_S:g} s later")
        time.sleep(0.05)  # it only shows when asked
    return driver.identity(), {}
