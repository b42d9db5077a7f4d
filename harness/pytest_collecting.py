"""What of the suites is run, and how often: parameters of tests, and the choice among them. A part of the pytest door.

Every test that needs a bench is run once on each group of equal benches that is for its suite, and once for each case,
version or recorded test that it asks for.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.campaigns.choosing import CASES, choose, declared_rules, drop_without_image, parameters, quick_names
from harness.campaigns.selection import Only

if TYPE_CHECKING:
    from harness.campaigns.cases import AnyCase
    from harness.campaigns.plan import RunPlan  # noqa: F401 - in the quoted type below
    from harness.campaigns.recorded import Recorded
    from harness.lab.inventory import BenchEntry

PLAN = pytest.StashKey["RunPlan"]()
LABELS = pytest.StashKey[dict[str, Any]]()
OF_THE_BENCH = ("network", "resolve")


@pytest.hookimpl(trylast=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every test that needs a bench runs once on each group of equal benches that is for its suite; one that also needs
    a ``case`` (or another name of :data:`CASES`), once for each case of that group."""
    if "bench" not in metafunc.fixturenames:
        return
    if "recorded" in metafunc.fixturenames:
        _generate_recorded(metafunc)
        return
    labels = metafunc.config.stash.get(LABELS, None)
    if labels is None:
        why = "this test needs a bench, and no lab was given: pytest suites --lab lab_config/emulated.yaml"
        pytest.fail(why, pytrace=False)
    marked = any(mark.name == "physical" for mark in metafunc.definition.iter_markers())
    file = Path(str(metafunc.definition.path))
    wanted = [
        label for label, entry in labels.items()
        if entry.runs(file) and (marked or not entry.physical_like) and _has(entry, metafunc.definition)
    ]
    asked = next((name for name in CASES if name in metafunc.fixturenames), None)
    if "from_version" in metafunc.fixturenames:
        oldest = any(metafunc.definition.iter_markers("oldest")) and not metafunc.config.getoption("--from")
        few = slice(1) if oldest else slice(None)
        pairs = [(label, old) for label in wanted for old in _from_versions(metafunc.config, labels[label])[few]]
        ids = [f"{old}-@{label}" for label, old in pairs]
        metafunc.parametrize(("bench", "from_version"), pairs, ids=ids, indirect=["bench"])
        return
    if asked is None:
        metafunc.parametrize("bench", wanted, ids=[f"@{label}" for label in wanted], indirect=True)
        return
    cases = cases_of(metafunc.config, [labels[label] for label in wanted], asked)
    profiles = {label: labels[label].profile for label in wanted}
    only = Only.of(metafunc.config.getoption("--only"))
    if only is not None:
        cases = [one for one in cases if only.has_case(one.transaction, one.declares(profiles[one.label]))]
    marks = [pytest.mark.declares(*case.declares(profiles[case.label])) for case in cases]
    metafunc.parametrize(
        ("bench", asked),
        [pytest.param(case.label, case, marks=mark) for case, mark in zip(cases, marks, strict=True)],
        ids=[f"{case}-@{case.label}" for case in cases],
        indirect=["bench"],
    )


def _from_versions(config: pytest.Config, entry: BenchEntry) -> Sequence[str]:
    """From which versions the bench's firmware is updated. Where nothing is run, nothing is known of its image."""
    from harness.lab.firmware_images import released

    plan = config.stash.get(PLAN, None)
    return tuple(released()) if plan is None else plan.from_versions(entry.firmware)


def _generate_recorded(metafunc: pytest.Metafunc) -> None:
    """Once for each recorded test, on the group of benches on which it ran."""
    from harness.campaigns.recorded import recorded

    run = metafunc.config.getoption("--replay")
    if run is None:
        pytest.fail("this test plays recorded ones: hil97 replay RUN", pytrace=False)
    tests = [
        one for one in recorded(Path(run), metafunc.config.getoption("--replay-test"))
        if one.label in metafunc.config.stash.get(LABELS, {})
    ]
    metafunc.parametrize(
        ("bench", "recorded"),
        [pytest.param(one.label, one, marks=pytest.mark.declares(*one.declares)) for one in tests],
        ids=[f"{one}-@{one.label}" for one in tests],
        indirect=["bench"],
    )


def _has(entry: BenchEntry, test: pytest.Item) -> bool:
    """Whether the model declares what the test's ``needs`` markers ask for, and the bench is what they ask for."""
    for mark in test.iter_markers("needs"):
        for name, wanted in mark.kwargs.items():
            if name == "instruments":
                if bool(entry.instruments) != wanted:
                    return False
                continue
            if name in OF_THE_BENCH:
                if getattr(entry, name) != wanted:
                    return False
                continue
            declared = getattr(entry.model, name)
            if isinstance(wanted, bool):
                fits = declared is wanted
            else:
                fits = wanted in declared if isinstance(declared, list) else declared >= wanted
            if not fits:
                return False
    return True


def cases_of(config: pytest.Config, entries: Sequence[BenchEntry], asked: str = "case") -> Sequence[AnyCase]:
    """The cases of this run that a test asks for by that name: pairwise by the seed, or with ``--cases`` a part of
    all."""
    from harness.campaigns.cases import KINDS, part_of

    seed, part = config.getoption("--seed"), config.getoption("--cases")
    if config.getoption("--quick"):
        listed, kind = quick_names(config), KINDS[asked]
        return [one for one in kind.whole(entries, seed, 0, kind.how_many(entries)) if str(one) in listed]
    if part is None:
        return KINDS[asked].pairwise(entries, seed)
    return KINDS[asked].whole(entries, seed, *part_of(part))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--nightly"):
        gone = [item for item in items if item.get_closest_marker("nightly")]
        config.hook.pytest_deselected(items=gone)
        items[:] = [item for item in items if not item.get_closest_marker("nightly")]
    plan = config.stash.get(PLAN, None)
    unmade = drop_without_image(config, items, plan) if plan else []
    every = list(items)
    choose(config, items, {label: len(plan.benches_of(label)) for label in plan.labels()} if plan else {})
    items.sort(key=lambda item: item.get_closest_marker("long") is None)
    if plan is None or plan.declared():
        return
    from harness.campaigns.scheduling import label_of

    declared: dict[str, set[str]] = {}
    tests = []
    for item in items:
        entry = plan.labels().get(label_of(item.nodeid) or "")
        if entry is not None:
            declared.setdefault(entry.group, set()).update(declared_rules(item))
            tests.append({"test": item.nodeid, "group": entry.group, "declares": declared_rules(item)} | _again(item))
    left = {rule for item in every if "@" in item.nodeid for rule in declared_rules(item)}
    nobody = [*unmade, *(item for item in every if _has_no_bench(item))]
    nowhere = {rule for item in nobody for rule in declared_rules(item)} - left
    plan.declare(
        declared, tests, left_out=(len(every) - len(items), len(every), sorted(left)), untried=sorted(nowhere)
    )


def _has_no_bench(item: pytest.Item) -> bool:
    """It asks for a bench, and none of this inventory is for it."""
    return "@" not in item.nodeid and "bench" in getattr(item, "fixturenames", ())


def _again(item: pytest.Item) -> dict[str, str]:
    """The line that does a replayed test once more; of any other the page knows it by itself."""
    recorded = recorded_in(item)
    if recorded is None:
        return {}
    import shlex

    run = shlex.quote(item.config.getoption("--replay"))
    return {"rerun": f"hil97 replay {run} --test {shlex.quote(recorded.test)}"}


def recorded_in(item: pytest.Item) -> Recorded | None:
    return parameters(item).get("recorded")  # type: ignore[return-value]
