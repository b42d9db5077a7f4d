"""The CI jobs in docs/gate.md: they are YAML of that system's form, and the commands in them are ours."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

import harness
from harness.cli import build_parser
from harness.emulator.shipped import TEST_KEY, firmware_sources
from harness.lab.firmware_images import released, split, version_key

ROOT = Path(harness.__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "gate.md"
BLOCKS = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
GITHUB, GITLAB = (YAML(typ="safe").load(text) for text in BLOCKS)


def commands(tree: Any) -> Iterator[str]:
    """Every line of a script in it."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            if key in ("run", "script", "before_script"):
                for one in [value] if isinstance(value, str) else value:
                    yield from one.splitlines()
            else:
                yield from commands(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from commands(value)


def test_there_is_a_job_for_two_systems() -> None:
    steps = GITHUB["jobs"]["gate"]["steps"]
    assert all("uses" in step or "run" in step for step in steps)
    assert GITHUB["jobs"]["gate"]["runs-on"].startswith("ubuntu")
    jobs = {name: job for name, job in GITLAB.items() if isinstance(job, dict) and not name.startswith(".")}
    assert len(jobs) == 2 and all("script" in job and job["extends"] in GITLAB for job in jobs.values())


def jobs() -> dict[str, list[str]]:
    """The lines of each job's scripts, in the order in which they are run."""
    found = {f"github {name}": list(commands(job)) for name, job in GITHUB["jobs"].items()}
    for name, job in GITLAB.items():
        if isinstance(job, dict) and "script" in job:
            found[f"gitlab {name}"] = [*GITLAB[job["extends"]]["before_script"], *job["script"]]
    return found


@pytest.mark.parametrize("job", jobs())
def test_the_image_is_built_before_it_is_gated(job: str) -> None:
    folders, built, gated = set(), {}, 0
    for line in jobs()[job]:
        words = shlex.split(line)
        folders |= {Path(word) for word in words[1:]} if words[0] == "mkdir" else set()
        if words[0] != "hil97":
            continue
        args = build_parser().parse_args(words[1:])
        if args.command == "firmware":
            assert args.output.parent in folders, "the builder makes no folder"
            assert ROOT / args.key == TEST_KEY, "the benches believe no other"
            assert str(args.source) in firmware_sources() or (ROOT / args.source).is_dir()
            built[str(args.output)] = args.version
        else:
            gated += 1
            assert set(args.images) <= set(built), "no earlier step makes it"
            (version,) = {built[image] for image in args.images}
            assert all(version_key(old) < version_key(version) for old in split(args.from_versions))
    assert gated


@pytest.mark.parametrize("system", [GITHUB, GITLAB], ids=["github", "gitlab"])
def test_the_commands_in_it_exist(system: Any) -> None:
    ours = [shlex.split(line) for line in commands(system) if re.match("hil97 .* gate ", line)]
    assert len(ours) == 2
    for words in ours:
        args = build_parser().parse_args(words[1:])
        assert args.command == "gate"
        assert set(split(args.from_versions)) <= set(released())
        kept = f"results/{args.run_name}"
        assert kept in str(system), "what the job keeps is where the run goes"
    assert sorted(build_parser().parse_args(words[1:]).quick for words in ours) == [False, True]


def test_every_command_line_of_the_page_is_ours() -> None:
    lines = re.findall(r"^    (hil97 .*?)(?:  +.*)?$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(lines) > 6
    for line in lines:
        build_parser().parse_args(shlex.split(line)[1:])
