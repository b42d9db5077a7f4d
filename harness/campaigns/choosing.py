"""Which of the collected tests stay: the options --only and --quick on pytest's items."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.campaigns.scheduling import label_of
from harness.campaigns.selection import QUICK, Only, quick_names_of, quick_tests

if TYPE_CHECKING:
    from harness.campaigns.plan import RunPlan
    from harness.lab.vendor_images import VendorImages

CASES = ("case", "trouble", "attack")  # by which a test asks for one (harness.campaigns.cases)


def choose(config: pytest.Config, items: list[pytest.Item], benches: Mapping[str, int]) -> None:
    """Takes out of ``items`` what the options do not want. ``benches``: how many each group has, by its label."""
    only = Only.of(config.getoption("--only"))
    if only is not None:
        _keep(config, items, only)
    if config.getoption("--quick"):
        _quick(config, items, benches)


def drop_without_image(config: pytest.Config, items: list[pytest.Item], plan: RunPlan) -> list[pytest.Item]:
    """Takes out of ``items``, and returns, those that need an image (marker ``needs_image``) which the vendor of their
    bench's terminal has not made, or that begins with nothing stored where no released version above the bench's does:
    before anything is run, for no bench can make it."""
    from harness.lab.firmware_images import resets_above
    from harness.lab.vendor_images import VendorImages

    sets: dict[str, VendorImages] = {}
    gone = []
    for item in items:
        entry = plan.labels().get(label_of(item.nodeid) or "")
        if entry is None:
            continue
        if not entry.images:
            if "resets" in _images_of(item) and not resets_above(plan.version_of(entry)):
                gone.append(item)
            continue
        made = sets.get(entry.label)
        if made is None:
            made = sets[entry.label] = VendorImages(Path(entry.images), plan.version_of(entry))
        if any(not _made(made, name) for name in _images_of(item)):
            gone.append(item)
    config.hook.pytest_deselected(items=gone)
    items[:] = [item for item in items if item not in gone]
    return gone


def _images_of(item: pytest.Item) -> list[str]:
    """"successor", "resets" or a flaw, of each image; the name of an argument stands for its value."""
    given = parameters(item)
    return [str(given.get(name, name)) for mark in item.iter_markers("needs_image") for name in mark.args]


def _made(images: VendorImages, name: str) -> bool:
    if name == "resets":
        return any(one.resets for one in images.releases)
    return (images.successor() if name == "successor" else images.flawed(name)) is not None


def declared_rules(item: pytest.Item) -> list[str]:
    """All requirements that the test's markers declare."""
    return sorted({str(rule) for mark in item.iter_markers("declares") for rule in mark.args})


def _keep(config: pytest.Config, items: list[pytest.Item], only: Only) -> None:
    """``--only``: the other tests go; cases were chosen as they were made."""
    cases = {id(item): any(name in CASES for name in parameters(item)) for item in items}
    gone = [item for item in items if not cases[id(item)] and not only.has_test(declared_rules(item))]
    config.hook.pytest_deselected(items=gone)
    left = {id(item) for item in items} - {id(item) for item in gone}
    items[:] = sorted(
        (item for item in items if id(item) in left),
        key=lambda item: only.order(cases[id(item)], declared_rules(item)),
    )


def _quick(config: pytest.Config, items: list[pytest.Item], benches: Mapping[str, int]) -> None:
    """``--quick``: the listed tests, each on the group with the most benches that has the most of them."""
    listed = _listed(config)
    by_label: dict[str, dict[str, list[pytest.Item]]] = {}
    for item in items:
        label = label_of(item.nodeid)
        name = next((one for one in quick_names_of(item.nodeid) if one in listed), None)
        if label is not None and name is not None and item.get_closest_marker("long") is None:
            by_label.setdefault(label, {}).setdefault(name, []).append(item)
    kept: dict[str, list[pytest.Item]] = {}
    for label in sorted(by_label, key=lambda one: (benches.get(one, 1), len(by_label[one])), reverse=True):
        kept = by_label[label] | kept
    ids = {id(item) for found in kept.values() for item in found}
    config.hook.pytest_deselected(items=[item for item in items if id(item) not in ids])
    items[:] = [item for item in items if id(item) in ids]


def _listed(config: pytest.Config) -> set[str]:
    path = config.rootpath / QUICK
    if not path.is_file():
        raise pytest.UsageError(f"there is no list of quick tests: {path}")
    return set(quick_tests(path.read_text(encoding="utf-8")))


def quick_names(config: pytest.Config) -> set[str]:
    """What stands in brackets in the list: the names of cases among them."""
    return {test.partition("[")[2].removesuffix("]") for test in _listed(config)}


def parameters(item: pytest.Item) -> dict[str, object]:
    """Its arguments by name."""
    call = getattr(item, "callspec", None)
    return {} if call is None else dict(call.params)
