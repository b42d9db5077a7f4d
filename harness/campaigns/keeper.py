"""The benches that a worker holds: leased when a test first needs one, kept open for the next, closed at the end."""

from __future__ import annotations

import contextlib

from harness.bench.bench import Bench
from harness.campaigns.plan import RunPlan
from harness.lab.lease import Lease, lease_any


class BenchKeeper:
    """Opens benches of a run's plan by the label of their group."""

    def __init__(self, plan: RunPlan) -> None:
        self._plan = plan
        self._open: dict[str, tuple[Bench, Lease]] = {}

    def bench(self, label: str) -> Bench:
        """An open bench of that group. Raises BadInput when all are busy, BenchError when it can't be opened."""
        if label in self._open and self._open[label][0].failed:
            self.close(label)
        if label not in self._open:
            names = self._plan.benches_of(label)
            scope = self._plan.labels()[label].scope
            lease = lease_any(names, deadline_s=60.0, run=self._plan.run, scope=scope)
            try:
                bench = Bench(self._plan.bench_plan(lease.bench)).open()
            except BaseException:
                lease.release()
                raise
            self._open[label] = (bench, lease)
        return self._open[label][0]

    def close(self, label: str) -> None:
        bench, lease = self._open.pop(label)
        with contextlib.ExitStack() as stack:
            stack.callback(lease.release)
            stack.callback(bench.close)

    def close_all(self) -> None:
        """Every one, whatever becomes of another."""
        with contextlib.ExitStack() as stack:
            for label in self._open:
                stack.callback(self.close, label)
