"""How the benchmarks print: a measured value, what it is compared with, and the ratio of the two, on one line."""

from __future__ import annotations


def against_limit(name: str, value: float, limit: float, unit: str) -> bool:
    """The ratio to a limit that must not be exceeded. True when it is not."""
    print(f"{name:44} {value:10.3f} {unit:3} limit {limit:8.3f} {unit:3} ratio {value / limit:6.2f}", flush=True)
    return value <= limit


def against_peer(name: str, value: float, peer: str, theirs: float, unit: str) -> None:
    """The ratio to what a named peer needs for the same, in the same run. Nothing is decided by it."""
    print(f"{name:44} {value:10.3f} {unit:3} {peer} {theirs:.3f} {unit}, ratio {value / theirs:.2f}", flush=True)


def at_least(name: str, value: float, least: float) -> bool:
    """A ratio that must reach a limit. True when it does."""
    print(f"{name:44} {value:10.3f}     at least {least:.3f}, ratio {least / value:6.2f}", flush=True)
    return value >= least


def no_more(name: str, value: float, peer: str, theirs: float, most: float, unit: str) -> bool:
    """The ratio to a named peer in the same run, which must not exceed ``most``. True when it does not."""
    ratio = value / theirs
    print(f"{name:44} {value:10.3f} {unit:3} {peer} {theirs:.3f} {unit}, ratio {ratio:.2f}, at most {most}", flush=True)
    return ratio <= most
