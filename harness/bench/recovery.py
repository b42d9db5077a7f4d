"""How long it takes from the operator's action until the terminal sells again."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from harness.history.events import Measurement

if TYPE_CHECKING:
    from harness.bench.bench import Bench


class Recovery:
    """Time from the operator's action to the first approved sale, as a measurement ``recovery_s``."""

    def __init__(self, bench: Bench) -> None:
        self._bench, self._began = bench, time.monotonic()

    def done(self) -> None:
        """Now it is approved."""
        seconds = round(time.monotonic() - self._began, 3)
        self._bench.history.append(
            Measurement(
                t=time.monotonic_ns(),
                name="recovery_s",
                value=seconds,
                unit="s",
                low=0.0,
                high=self._bench.profile.limits.recovery_s,
            )
        )
