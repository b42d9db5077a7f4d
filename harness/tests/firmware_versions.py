"""The shipped versions of the reference in this process, side by side: each is a package of its own, out of its source.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from functools import cache
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from harness.emulator.shipped import version_sources
from harness.emulator.source import Source, load_source
from harness.tests.firmware_bench import Bench, MemoryFlash
from harness.tests.firmware_boot import FakeBoot

VERSIONS = list(version_sources())
PAIRS = [(old, new) for old in VERSIONS for new in VERSIONS if VERSIONS.index(old) < VERSIONS.index(new)]


class _Finder(MetaPathFinder, Loader):
    """Imports package ``name`` from the texts of a source."""

    def __init__(self, name: str, source: Source) -> None:
        self._texts = {_module(name, path): text for path, (text, _origin) in source.files.items()}
        self._name = name

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        if fullname not in self._texts:
            return None
        return ModuleSpec(fullname, self, is_package=fullname == self._name, origin="firmware source")

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self._texts[module.__name__], module.__name__, "exec"), module.__dict__)


@cache
def source(version: str) -> Source:
    return load_source(version_sources()[version])


@cache
def main_of(version: str) -> Any:
    """The module ``main`` of a version."""
    name = f"app_{version.replace('.', '_')}"
    sys.meta_path.append(_Finder(name, source(version)))
    return importlib.import_module(f"{name}.main")


def module(version: str, name: str) -> Any:
    """Another of its modules."""
    return importlib.import_module(main_of(version).__package__ + f".{name}")


class OnTrial(FakeBoot):
    """The boot loader's services to a version on trial. ``confirmed_after``: how many operations of ``flash`` (the
    file system's) there were when it confirmed itself, None: it has not."""

    def __init__(self, flash: MemoryFlash) -> None:
        super().__init__(trial=True)
        self.flash = flash
        self.confirmed_after: int | None = None

    def confirm(self) -> None:
        assert self.trial, "confirmed twice"
        super().confirm()
        self.confirmed_after = len(self.flash.operations)


def update(bench: Bench, version: str) -> OnTrial:
    """The first start of another version, on trial."""
    flash = MemoryFlash(bytes(bench.flash.content))
    boot = OnTrial(flash)
    bench.reboot(flash, application=main_of(version), boot=boot)
    return boot


def memory(bench: Bench) -> list[dict[str, Any]]:
    """What each merchant has, state and batch, as plain values that no version writes otherwise: without where it lies,
    and with the parameters as they are set."""
    found = []
    for merchant in bench.terminal._operator._merchants if bench.terminal._operator else ():
        store = merchant.store
        records = sys.modules[type(store.state).__module__]
        values = records.to_json(store.state)
        dialect = sys.modules[type(store.state.dialect).__module__]
        values["dialect"] = {
            name: dialect.parameter(store.state.dialect, name) for name in sorted(dialect.NAMES - {"operator_number"})
        }
        values["log"] = [dataclass_values(record) for record in store.log]
        del values["generation"], values["log_bytes"]
        found.append(values)
    return found


def dataclass_values(record: Any) -> dict[str, Any]:
    return {name: getattr(record, name) for name in record.__dataclass_fields__}


def _module(package: str, path: str) -> str:
    return package + path.removesuffix(".py").removesuffix("/__init__").removeprefix("app").replace("/", ".")
