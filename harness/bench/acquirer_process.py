"""The acquirer of a bench: its process."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from harness.bench.plan import BenchPlan
from harness.bench.ready import HOST_PORT, TPDU
from harness.lab.process import Child, spawn

ACQUIRER_CONTROL = "acquirer.sock"  # in the scratch folder, where the profile is, too


def start_acquirer(plan: BenchPlan, scratch: Path, netns_fd: int, options: Sequence[str]) -> Child:
    """Raises BenchError where it can't be started. ``options``: how it is to be reached."""
    first, *others = plan.network.listening
    return spawn(
        [
            sys.executable, "-m", "harness.acquirer", "--control", str(scratch / ACQUIRER_CONTROL),
            "--db", str(plan.folder / "acquirer.sqlite"), "--listen", f"{first}:{HOST_PORT}",
            *(text for address in others for text in ("--also", f"{address}:{HOST_PORT}")),
            "--profile", str(scratch / "profile.json"), "--nii", TPDU[2:6], *options,
        ],
        netns_fd=netns_fd, log=plan.folder / "logs" / "acquirer.log", name="acquirer",
    )  # fmt: skip
