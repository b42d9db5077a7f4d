"""Frames decoded, and decoded and encoded again, per second: ours against bare pyiso8583, in the same run.

    python benchmarks/frames.py [--rounds N] [--seconds S] [--json]

Both take the same frames with the same specification; bare pyiso8583 gets them without their outer length, and gives
two dictionaries. Limit: decode and encode together at least 0.7 of it. Seconds are of CPU, and rounds alternate: both
see the same machine. The medians are compared. Splitting a stream and verifying a MAC are measured beside them.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import iso8583

from harness.protocol.frames import build, decode, encode
from harness.protocol.keys import seal, verify
from harness.protocol.spec import SPEC
from harness.protocol.stream import FrameSplitter

MAK = bytes.fromhex("7A131F01F458BCDC")
HEAD = {41: "10000001", 42: "898000000000001"}
SALE = {
    2: "6225880012345678", 3: "000000", 4: "000000012300", 11: "000007", 14: "2712", 22: "021", 25: "00", 26: "12",
    35: "6225880012345678D27122010000000000", 49: "156", 52: "ACF46E73838A82F9", 53: "2600000000000000",
    60: "22000001000", **HEAD,
}  # fmt: skip
ANSWER = {
    2: "6225880012345678", 3: "000000", 4: "000000012300", 11: "000007", 12: "164447", 13: "1009", 25: "00",
    32: "00096500", 37: "000000000007", 39: "97", 49: "156", 60: "22000001000", **HEAD,
}  # fmt: skip
SIGN_IN = {
    11: "000001", 12: "164447", 13: "1009", 32: "00096500", 37: "000000000001", 39: "00", 60: "00000001003",
    62: "77264C5EBA2E461248D2A773277A79EA12922DDEC0DF5A74CE24FDB00000000000000000DCF475D3", **HEAD,
}  # fmt: skip
LIMIT = 0.7  # decode and encode, of bare pyiso8583
ECHO = {60: "00000001301", **HEAD}


def per_second(work: Callable[[], int], seconds: float) -> float:
    """How many things a second of CPU ``work`` does; it returns how many it did."""
    done, start = 0, time.process_time()
    while (elapsed := time.process_time() - start) < seconds:
        done += work()
    return done / elapsed


def main() -> int:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description="frames per second against bare pyiso8583")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.3, help="of each measurement in each round")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()

    sealed = [seal(build("0200", SALE), MAK), seal(build("0210", ANSWER), MAK)]
    raws = [frame.raw for frame in [*sealed, build("0810", SIGN_IN), build("0820", ECHO)]]
    bare = [raw[2:] for raw in raws]
    stream = b"".join(raws) * 25

    def ours_work() -> int:
        for raw in raws:
            decode(raw)
        return len(raws)

    def bare_work() -> int:
        for body in bare:
            iso8583.decode(body, SPEC)
        return len(bare)

    def ours_both() -> int:
        for raw in raws:
            encode(decode(raw))
        return len(raws)

    def bare_both() -> int:
        for body in bare:
            document, _encoded = iso8583.decode(body, SPEC)
            iso8583.encode(document, SPEC)
        return len(bare)

    def split_work() -> int:
        return len(FrameSplitter().feed(stream))

    def verify_work() -> int:
        return sum(verify(frame, MAK) == "ok" for frame in sealed)

    assert all(encode(decode(raw)) == raw for raw in raws)
    works = {
        "hil97 decode": ours_work, "pyiso8583 decode": bare_work, "hil97 both": ours_both, "pyiso8583 both": bare_both,
        "split": split_work, "verify MAC": verify_work,
    }  # fmt: skip
    rates: dict[str, list[float]] = {name: [] for name in works}
    for number in range(args.rounds):
        names = list(works) if number % 2 == 0 else list(reversed(works))
        for name in names:
            rates[name].append(per_second(works[name], args.seconds))
    medians = {name: statistics.median(values) for name, values in rates.items()}
    ratio = medians["hil97 decode"] / medians["pyiso8583 decode"]
    both = medians["hil97 both"] / medians["pyiso8583 both"]
    if args.json:
        found = {"frames_per_second": medians, "ratio": ratio, "ratio_both": both, "rounds": args.rounds}
        print(json.dumps(found, indent=2))
        return 0
    for name, rate in medians.items():
        low, high = min(rates[name]), max(rates[name])
        print(f"{name:18}{rate:>10,.0f} frames/s   ({low:,.0f} to {high:,.0f} in {args.rounds} rounds)")
    print(f"hil97 decodes at {ratio:.2f} times the rate of bare pyiso8583")
    print(f"decode and encode together: {both:.2f} times (limit: at least {LIMIT})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
