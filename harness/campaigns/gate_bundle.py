"""The bundle of a blocked release: one file by which the finding comes back on another machine.

``bundle.zip``: bundle.json (:class:`Bundle`), README.md, the images, the inventory with its models and profiles, and as
evidence gate.json, run.json, verdicts.json and the logs and captures of the benches concerned.
"""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from ruamel.yaml import YAML

from harness import __version__
from harness.errors import BadInput
from harness.gate import GateRecord
from harness.lab import catalogue, stress
from harness.protocol.profile import Profile
from harness.stored_json import parsed
from harness.terminal.model import Model

FILE = "bundle.zip"
INDEX = "bundle.json"
VERSION = 1
EVIDENCE = ("history.jsonl", "wire.pcapng", "faults.pcapng", "wire.keys")
LARGEST = 2_000_000_000  # bytes unpacked; a bundle is no reason to fill a disk
_README = """\
# {decision}: {name} {version}

{reasons}

In a clone of hil97 {hil97}, with the command installed (see its README.md):

    hil97 gate --reproduce {file}

runs the tests that failed on the image in here, on emulated benches of the same inventory, and says whether the
requirements FAIL again: exit status 1 if they do. It needs neither the network nor this machine's files.

| | |
| --- | --- |
| images/ | the image, and the versions that it was updated from |
| lab/ | the inventory, its models, profiles and stress profiles |
| run/ | gate.json, run.json, verdicts.json; of each bench concerned its log and captures |
"""


class Bundle(BaseModel):
    """What is in the file. Paths are relative to it; ``from_images`` in the order in which they were named; ``tests``:
    ids, none where it was seen between tests only: then all are run; ``requirements``: those that FAILed; ``seed``: of
    the cases; ``quick``: the tests are some of suites/quick.txt, whose cases are others; ``by_update``: the benches'
    first units had old versions, and got the image by an update."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    version: Annotated[int, Field(ge=0, le=VERSION)] = VERSION
    hil97: str
    image: str
    from_images: list[str]
    lab: str
    tests: list[str]
    requirements: list[str]
    seed: str
    quick: bool = False
    by_update: bool = True


def write(folder: Path, record: GateRecord, info: dict[str, Any]) -> Path:
    """Make ``folder/bundle.zip`` of a gate's folder (replaced in one step)."""
    failed = [one for one in record.requirements if one.verdict == "FAIL"]
    tests = list(dict.fromkeys(test for one in failed for test in one.tests))
    image = _image_path(info)
    froms = {f"images/from-{one['version']}.img": Path(one["path"]) for one in info.get("from", {}).values()}
    bundle = Bundle(
        hil97=__version__, image=f"images/{record.image.name}-{record.image.version}.img", from_images=list(froms),
        lab="lab/lab.yaml", tests=tests, requirements=sorted({one.id for one in failed}), seed=record.seed,
        quick=record.quick,
    )
    path = folder / FILE
    half = path.with_name(f".{FILE}.new")
    with zipfile.ZipFile(half, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        archive.writestr(INDEX, json.dumps(bundle.model_dump(mode="json"), ensure_ascii=False, indent=1) + "\n")
        archive.writestr("README.md", _README.format(
            decision=record.decision, name=record.image.name, version=record.image.version, hil97=__version__,
            file=FILE, reasons="\n".join(f"* {line}" for line in record.reasons[:20]),
        ))
        archive.write(image, bundle.image)
        for name, source in froms.items():
            archive.write(source, name)
        for name, text in _inventory(Path(record.lab)).items():
            archive.writestr(f"lab/{name}", text)
        for name in ("gate.json", "run.json", "verdicts.json"):
            archive.write(folder / name, f"run/{name}")
        for source in _evidence(folder, tests):
            archive.write(source, f"run/{source.relative_to(folder).as_posix()}")
    return half.replace(path)


def unpack(path: Path, folder: Path) -> Bundle:
    """What ``path`` holds, into ``folder`` (made here). BadInput where it is no bundle, or holds or names files that
    lead out of it."""
    try:
        with zipfile.ZipFile(path) as archive:
            bundle = _index(archive, path)
            names = archive.infolist()
            for name in (*(one.filename for one in names), bundle.image, bundle.lab, *bundle.from_images):
                if name.startswith("/") or ".." in PurePosixPath(name).parts or "\\" in name:
                    raise BadInput(f"holds a name that leads out of it: {name!r}", where=str(path))
            if sum(one.file_size for one in names) > LARGEST:
                raise BadInput("is larger unpacked than a bundle may be", where=str(path))
            folder.mkdir(parents=True)
            archive.extractall(folder)
    except FileExistsError:
        raise BadInput("is there already", where=str(folder), remedy="choose another --run-name") from None
    except OSError as error:
        raise BadInput(f"can't be read: {error.strerror or error}", where=str(path)) from None
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise BadInput(f"is no bundle of a gate, or damaged: {error}", where=str(path)) from None
    missing = [name for name in (bundle.image, bundle.lab, *bundle.from_images) if not (folder / name).is_file()]
    if missing:
        shutil.rmtree(folder, ignore_errors=True)
        raise BadInput(f"lacks {missing[0]}", where=str(path))
    return bundle


def _index(archive: zipfile.ZipFile, path: Path) -> Bundle:
    try:
        data = archive.read(INDEX)
    except KeyError:
        raise BadInput(f"holds no {INDEX}: it is no bundle of a gate", where=str(path)) from None
    return parsed(Bundle, data, f"{path}, {INDEX}", newest=VERSION, key="version")


def _image_path(info: dict[str, Any]) -> Path:
    """The file that the benches booted: the run's own copy."""
    return Path(str(info["benches"][0]["firmware"]["path"]))


def _inventory(lab: Path) -> dict[str, str]:
    """The inventory without firmwares (the image takes their place), with the models and profiles that it names, and
    the stress profiles beside them."""
    yaml = YAML(typ="rt")
    loaded = yaml.load(lab.read_text(encoding="utf-8"))
    library = lab.resolve().parent / str(loaded.get("catalogue", "."))
    files = {
        f"{stress.FOLDER}/{source.name}": source.read_text(encoding="utf-8")
        for source in sorted((library / stress.FOLDER).glob("*.yaml"))
    }
    for bench in loaded["benches"]:
        bench.pop("firmware", None)
        for kind, key in ((Model, "model"), (Profile, "profile")):
            source = catalogue.path_of(library, kind, bench[key])
            if source is not None:
                files[f"{source.parent.name}/{source.name}"] = source.read_text(encoding="utf-8")
    loaded["catalogue"] = "."
    text = io.StringIO()
    yaml.dump(loaded, text)
    return files | {"lab.yaml": text.getvalue()}


def _evidence(folder: Path, tests: list[str]) -> list[Path]:
    """Logs and captures of the benches, of both runs, on which one of the tests ran."""
    found = []
    for log in sorted([*folder.glob("benches/*/history.jsonl"), *folder.glob("again/benches/*/history.jsonl")]):
        text = log.read_bytes()
        if any(json.dumps(test).encode() in text for test in tests):
            found += [log.parent / name for name in EVIDENCE if (log.parent / name).exists()]
    return found
