"""The release gate: one image, updated from the versions that are out there, run, compared, decided about.

The run of the suites is an ordinary run (:mod:`harness.campaigns.launch`); what failed or stayed undecided in it is run
once more, as a run of its own in the folder ``again``. Decisions: :mod:`harness.campaigns.gate_decision`.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from harness import __version__, run_info, verdicts
from harness.campaigns import gate_bundle, gate_decision, gate_proof
from harness.campaigns.launch import Request
from harness.campaigns.launch import check as launch_check
from harness.campaigns.plan import check_from_images, open_lab
from harness.campaigns.selection import QUICK, quick_names_of, quick_promises
from harness.campaigns.selftest import GATED
from harness.errors import BadInput
from harness.gate import OF_STATUS, Again, GateRecord, Installed, LeftOut, Requirement, Times
from harness.history.events import Firmware
from harness.judge_run import judge_run, not_applicable
from harness.lab.firmware_images import Image, check_fits, existing, released, split, version_key
from harness.reports.gate import left_out as said
from harness.verdicts import RunVerdict

AGAIN = "again"
BAD_INPUT = 2
QUICK_WORKERS = 2  # its tests are on one group of benches, and each further worker takes its time to start
Launch = Callable[[Request, str], int]


@dataclass(frozen=True)
class Wanted:
    """What is to be decided about. ``image``: a file; ``from_versions`` as ``--from`` has them; ``baseline``: the
    folder of a run; ``workers`` as for a run."""

    image: Path
    from_versions: str
    lab: str
    results: str = "results"
    baseline: Path | None = None
    quick: bool = False
    workers: int | None = None
    seed: str | None = None
    language: str | None = None
    suites: Path = Path("suites")


def check(wanted: Wanted) -> Image:
    """The image. BadInput for whatever can be seen to be wrong before a bench is opened."""
    if not wanted.image.exists():
        raise BadInput("there is no such image", where=str(wanted.image),
                       remedy="build one: hil97 firmware build --help")
    image = existing(wanted.image)
    names = split(wanted.from_versions)
    if not names:
        raise BadInput(
            "no version to update from is named",
            remedy=f"--from {','.join(released())}, or images of versions of yours",
        )
    lab = open_lab(Path(wanted.lab), str(wanted.image.resolve()))
    for model in dict.fromkeys(entry.model.name for entry in lab.emulated):
        check_fits(wanted.image, model)
    check_from_images(lab, names, by_update=True)
    for name in names:
        version = name if name in released() else existing(Path(name)).version
        if version_key(version) >= version_key(image.version):
            raise BadInput(
                f"the image has version {image.version}, so nobody can update to it from {version}",
                where=str(wanted.image), remedy="give the image a higher version, or name lower ones with --from",
            )
    if wanted.baseline is not None:
        baseline_of(wanted.baseline)
    if not any(_suites(wanted.suites)):
        raise BadInput("there are no suites here", where=str(wanted.suites.absolute()),
                       remedy="start hil97 gate in the project's folder")
    missing = [name for name in GATED if not (wanted.suites / name).is_dir()]
    if missing and not wanted.quick:
        raise BadInput(f"there is no suite {', '.join(missing)} here, and a release is not decided without it",
                       where=str(wanted.suites.absolute()), remedy="start hil97 gate in the project's folder")
    return image


def baseline_of(folder: Path) -> RunVerdict:
    """The verdicts of a stored run. BadInput where it is none."""
    return verdicts.read(folder) if (folder / verdicts.FILE).exists() else judge_run(folder)


def request_of(wanted: Wanted) -> Request:
    """The run of a gate."""
    return Request(
        lab=wanted.lab, suites=_suites(wanted.suites), results=wanted.results,
        firmware=str(wanted.image.resolve()),
        workers=QUICK_WORKERS if wanted.quick and wanted.workers is None else wanted.workers,
        seed=wanted.seed, language=wanted.language, from_versions=wanted.from_versions, quick=wanted.quick,
        by_update=True,
    )


def gate(wanted: Wanted, name: str, *, launch: Launch, told: Callable[[str, int], None]) -> GateRecord | None:
    """Runs, runs again what did not pass, decides, writes ``gate.json`` and, where it is blocked, the bundle.

    ``told(what, count)`` is called before each run: "first" and "again" with the number of tests (0: not known).
    None where the run refused its input, and said so.
    """
    image, began, opened = check(wanted), time.monotonic(), _now()
    folder = Path(wanted.results, name)
    request = request_of(wanted)
    told("first", 0)
    first_status = launch(request, name)
    first_s = time.monotonic() - began
    if first_status == BAD_INPUT:
        return None
    first, info = _verdict_of(folder, name), _info(folder)
    ids = gate_decision.to_run_again(first, partial=wanted.quick) if _came_to_its_end(folder, first) else []
    again, again_statuses = None, []
    if ids:
        told(AGAIN, len(ids))
        workers = min(len(ids), QUICK_WORKERS if request.workers is None else request.workers)
        again_status = launch(
            replace(request, suites=ids, results=str(folder), workers=workers, firmware=_image_of(info)), AGAIN
        )
        again = _verdict_of(folder / AGAIN, AGAIN)
        again_statuses = [again_status, again.status]
    baseline = baseline_of(wanted.baseline) if wanted.baseline else None
    tests = gate_decision.run_again(first, again, partial=wanted.quick)
    found = gate_decision.requirements(
        first, again, baseline, partial=wanted.quick, promised=promised(wanted, info), untried=untried(wanted, info)
    )
    proof = gate_proof.installed(folder, info, _firmware(image))
    troubles = gate_proof.troubles(proof)
    status = gate_decision.status(
        [first_status, first.status], again_statuses, found, tests, first.reasons, partial=wanted.quick,
        troubles=troubles,
    )
    record = GateRecord(
        hil97=__version__, run=name, image=_firmware(image),
        from_versions=[Firmware(name=one["name"], version=one["version"], sha256=one["sha256"])
                       for one in info.get("from", {}).values()],
        came_by="update" if any(one.came_by == "update" for one in proof) else "factory", installed=proof,
        decision=OF_STATUS[status], status=status,
        reasons=reasons(found, first, tests, troubles) if status else [], quick=wanted.quick,
        seed=str(info.get("coverage", {}).get("seed", "")), lab=wanted.lab, requirements=found, tests=tests,
        comparison=(
            gate_decision.compare(found, first, tests, baseline, partial=wanted.quick) if baseline else None
        ),
        left_out=left_out(wanted, info, found, first, proof), again=AGAIN if again else None,
        bundle=gate_bundle.FILE if status == 1 and info.get("benches") else None,
        times=Times(opened=opened, closed=_now(), seconds=round(time.monotonic() - began, 1), first_s=round(first_s, 1),
                    again_s=round(time.monotonic() - began - first_s, 1) if ids else 0.0),
    )
    record.write(folder)
    if record.bundle:
        gate_bundle.write(folder, record, info)
    return record


def reproduce(
    bundle_path: Path, name: str, *, results: str, launch: Launch, workers: int | None = None,
    language: str | None = None,
) -> tuple[list[str], list[str], int] | None:
    """What a bundle tells of, run again: requirements that FAILed then, those of them that FAIL again, and the exit
    status of the run. None where the run refused its input, and said so. BadInput where it is no bundle."""
    folder = Path(results, f"{name}.bundle")
    bundle = gate_bundle.unpack(bundle_path, folder)
    request = Request(
        lab=str(folder / bundle.lab), suites=bundle.tests or _suites(Path("suites")), results=results,
        firmware=str((folder / bundle.image).resolve()), workers=workers, seed=bundle.seed or None, language=language,
        from_versions=",".join(str((folder / one).resolve()) for one in bundle.from_images) or None,
        quick=bundle.quick and bool(bundle.tests), by_update=bundle.by_update and bool(bundle.from_images),
    )
    try:
        launch_check(request)
    except BadInput:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    status = launch(request, name)
    if status == BAD_INPUT:
        return None
    verdict = _verdict_of(Path(results, name), name)
    failed = {one.id for group in verdict.groups for one in group.requirements if one.verdict == "FAIL"}
    return bundle.requirements, [rule for rule in bundle.requirements if rule in failed], status


def reasons(
    found: Sequence[Requirement], first: RunVerdict, tests: Sequence[Again], troubles: Sequence[str] = ()
) -> list[str]:
    """Why it is no release, gravest first, a line each."""
    order = ("FAIL", "ERROR", "FLAKY", "INCONCLUSIVE")
    bad = sorted((one for one in found if one.verdict in order), key=lambda one: order.index(one.verdict))
    lines = [f"{one.id} {one.verdict} on {one.on}: {one.reason}" for one in bad]
    lines += [f"{one.test} {'flaky' if one.flaky else one.again or one.first}" for one in tests
              if one.first not in gate_decision.GOOD and "FAIL" not in one.rules.values()]
    lines += troubles
    return lines or list(first.reasons) or ["the run was no success, and its verdicts do not say why"]


def left_out(
    wanted: Wanted, info: dict[str, Any], found: Sequence[Requirement], first: RunVerdict, proof: Sequence[Installed]
) -> LeftOut:
    """What this gate did not look at."""
    told = info.get("left_out", {})
    decided = {one.id for one in found}
    declared = {one.id for group in first.groups for one in group.requirements if one.declared}
    rules = {*told.get("requirements", []), *info.get("untried", []), *declared}
    gone = LeftOut(
        tests=told.get("tests", 0), of=told.get("of", 0), requirements=sorted(rules - decided),
        suites=[name for name in GATED if not (wanted.suites / name).is_dir()],
        factory=[one.log for one in proof if one.came_by == "factory"],
    )
    return gone.model_copy(update={"why": [line.en for line in said(gone, wanted.quick)]})


def promised(wanted: Wanted, info: dict[str, Any]) -> set[str]:
    """What those tests of a quick gate that ran are known to decide."""
    path = wanted.suites / QUICK.name
    if not (wanted.quick and path.is_file()):
        return set()
    known = quick_promises(path.read_text(encoding="utf-8"))
    names = {name for one in info.get("tests", []) for name in quick_names_of(str(one.get("test")))}
    return _asked(wanted, {rule for name in names for rule in known.get(name, ())})


def untried(wanted: Wanted, info: dict[str, Any]) -> set[str]:
    """What a whole gate has to decide, and can't with this inventory: no bench of it is for the tests, though some
    model of it is asked for the requirement."""
    if wanted.quick:
        return set()
    return _asked(wanted, info.get("untried", []))


def _asked(wanted: Wanted, rules: Iterable[str]) -> set[str]:
    """Those for which some model of the inventory is asked."""
    models = [entry.model for entry in open_lab(Path(wanted.lab)).benches]
    return {rule for rule in rules if any(rule not in not_applicable(model) for model in models)}


def _suites(root: Path) -> list[str]:
    return [str(root / name) for name in GATED if (root / name).is_dir()]


def _verdict_of(folder: Path, name: str) -> RunVerdict:
    """What a run left; where that is nothing, a verdict that says so."""
    try:
        return verdicts.read(folder)
    except BadInput as error:
        return RunVerdict(
            run=name, hil97=__version__, status=3, reasons=[str(error).splitlines()[0]], groups=[], tests=[], benches=[]
        )


def _came_to_its_end(folder: Path, run: RunVerdict) -> bool:
    """Whether every test that was planned ran, or could not for a reason that is told: a run that was broken off is not
    continued by running things again."""
    info = _info(folder)
    if not info:
        return False
    never = {str(test.get("test")) for test in info.get("tests", [])} - {test.test for test in run.tests}
    outside = [str(line) for line in info.get("outside", [])]
    return all(any(line.startswith(test) for line in outside) for test in never)


def _info(folder: Path) -> dict[str, Any]:
    """``run.json`` as checked; {} where it can't be read: judging has said so."""
    try:
        info = run_info.read(folder)
    except BadInput:
        return {}
    return info.model_dump(by_alias=True, exclude_unset=True) if info else {}


def _firmware(image: Image) -> Firmware:
    return Firmware(name=image.name, version=image.version, sha256=image.sha256)


def _image_of(info: dict[str, Any]) -> str:
    """The run's own copy of the image: what is run again is run on what was run first."""
    return str(info["benches"][0]["firmware"]["path"])


def _now() -> str:
    return datetime.now().astimezone().isoformat(timespec="seconds")
