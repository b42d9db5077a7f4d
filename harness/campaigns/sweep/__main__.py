"""A sweep in a process of its own: it forks, and whoever wants one may have threads.

The job comes as JSON on stdin, its report goes to a file; progress to stdout: what, done, of how many, separated by
spaces. Exit status 2: bad input, 3: a process failed; one message on stderr.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from harness.campaigns.sweep.run import Job, sweep
from harness.campaigns.sweep.stored import write
from harness.errors import BadInput, BenchError
from harness.lab.process import settle_in
from harness.terminal.model import Model


def to_json(job: Job, report: Path) -> str:
    """What this program takes."""
    values: dict[str, Any] = {name: str(value) if isinstance(value, Path) else value
                              for name, value in vars(job).items() if name != "model"}
    return json.dumps({"job": values, "model": job.model.model_dump(mode="json"), "report": str(report)})


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m harness.campaigns.sweep")
    parser.add_argument("--netns-fd", type=int)
    parser.add_argument("--parent", type=int)
    args = parser.parse_args()
    settle_in(args.netns_fd, args.parent)
    asked = json.load(sys.stdin)
    values: dict[str, Any] = asked["job"] | {"stages": tuple(asked["job"]["stages"])}
    values |= {name: Path(values[name]) for name in ("boot_key", "new", "old", "flash") if values[name]}
    job = Job(**values, model=Model.model_validate(asked["model"]))
    try:
        write(sweep(job, lambda what, done, total: print(what, done, total, flush=True)), Path(asked["report"]))
    except BadInput as error:
        print(error, file=sys.stderr)
        return 2
    except BenchError as error:
        print(error, file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
