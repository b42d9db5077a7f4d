"""A pulse in the history: how late this process is, and that time went on where nothing happened."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from harness.errors import BenchError
from harness.history.events import Heartbeat
from harness.history.recorder import Recorder

TICK_S = 0.25


def start_heartbeat(bench: str, history: Recorder, allowed_lag_ms: float) -> Callable[[], None]:
    """An event a second, and at once where the process was later than half of what is allowed. Returns what ends it."""
    stop = threading.Event()

    def beat() -> None:
        due = time.monotonic() + TICK_S
        quiet = 0
        while not stop.wait(max(0.0, due - time.monotonic())):
            lag = (time.monotonic() - due) * 1000
            quiet += 1
            if lag > allowed_lag_ms / 2 or quiet * TICK_S >= 1.0:
                try:
                    history.append(Heartbeat(t=time.monotonic_ns(), lag_ms=round(lag, 1)))
                except BenchError:
                    return  # a log that takes no more (a full disk, say) tells whoever drives the bench
                quiet = 0
            due = max(due + TICK_S, time.monotonic())

    thread = threading.Thread(target=beat, name=f"{bench} heartbeat", daemon=True)
    thread.start()

    def end() -> None:
        stop.set()
        thread.join(1.0)

    return end
