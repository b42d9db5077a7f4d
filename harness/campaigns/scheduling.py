"""Which worker runs which test: one bench a worker, equal benches share the load.

A test's node id ends in ``@<bench group's label>]``. A worker stays with one label while tests of it are left, then
helps another one that still has a bench free. (pytest-xdist's ``loadgroup`` would do half of this; with pytest 9.2 it
silently does not.)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest
from xdist.scheduler import LoadScheduling
from xdist.workermanage import WorkerController


def label_of(nodeid: str) -> str | None:
    """ "suites/x.py::test_y[a-@HT-100]" -> "HT-100"; None where the test needs no bench."""
    head, at, label = nodeid.rpartition("@")
    return label.removesuffix("]") if at and head.endswith(("[", "-")) else None


class GroupScheduling(LoadScheduling):  # type: ignore[misc]
    """``capacity``: label -> how many benches there are of it."""

    def __init__(self, config: pytest.Config, log: Any, capacity: Mapping[str, int]) -> None:
        super().__init__(config, log)
        self.collection: list[str] | None = None
        self._capacity = dict(capacity)
        self._label: dict[WorkerController, str | None] = {}

    def schedule(self) -> None:
        """Hand out the first tests, or, when called again, whatever is left."""
        if self.collection is None:
            if not self._check_nodes_have_same_collection():
                return
            self.collection = next(iter(self.node2collection.values()))
            self.pending[:] = range(len(self.collection))
        for node in self.nodes:
            self.check_schedule(node)

    def check_schedule(self, node: WorkerController, duration: float = 0) -> None:
        """Keep two tests at the worker: it starts one only when it knows the next."""
        if node.shutting_down or self.collection is None:
            return
        while len(self.node2pending[node]) < 2:
            index = self._next(node)
            if index is None:
                node.shutdown()
                return
            self.pending.remove(index)
            self.node2pending[node].append(index)
            node.send_runtest_some([index])

    def remove_node(self, node: WorkerController) -> str | None:
        self._label.pop(node, None)
        crashed: str | None = super().remove_node(node)
        return crashed

    def _next(self, node: WorkerController) -> int | None:
        assert self.collection is not None
        waiting: dict[str | None, list[int]] = {}
        for index in self.pending:
            waiting.setdefault(label_of(self.collection[index]), []).append(index)
        if not waiting:
            return None
        mine = self._label.get(node)
        if node in self._label and mine in waiting:
            return waiting[mine][0]
        busy = Counter(label for other, label in self._label.items() if other is not node)
        free = [label for label in waiting if label is None or busy[label] < self._capacity.get(label, 1)]
        if not free:
            return None
        label = max(free, key=lambda one: len(waiting[one]) / (busy[one] + 1))
        self._label[node] = label
        return waiting[label][0]
