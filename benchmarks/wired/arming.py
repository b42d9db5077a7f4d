"""How long it takes until a fault is in force, asked from the worker's side: request, kernel, reply."""

from __future__ import annotations

import statistics
import time

from ratio import against_limit

from harness.wire.faults import Match
from harness.wire.faults.drop import Drop
from harness.wire.injector_client import InjectorClient
from harness.wire.topology import Topology
from wired import Options

ARM_LIMIT_MS = 1.0


def measure(options: Options) -> list[bool]:
    fine = []
    fault = Drop(match=Match(port=9797))
    for divert in options.diverts:
        arm, heal = [], []
        with Topology.build() as topology:
            injector = InjectorClient.start(
                netns_fd=topology.wire_fd, log=options.folder / "injector.log", divert=divert
            )
            for _ in range(20 + 40 * options.rounds):
                began = time.perf_counter()
                number = injector.arm(fault)
                armed = time.perf_counter()
                injector.heal(number)
                arm.append(armed - began)
                heal.append(time.perf_counter() - armed)
            injector.close()
        fine.append(against_limit(f"{divert}: arm", statistics.median(arm[20:]) * 1000, ARM_LIMIT_MS, "ms"))
        fine.append(against_limit(f"{divert}: heal", statistics.median(heal[20:]) * 1000, ARM_LIMIT_MS, "ms"))
    return fine
