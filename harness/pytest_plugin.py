"""The pytest door: ``pytest suites --lab FILE``, with or without ``-n``.

The controller makes the run's plan and, at the end, judges and writes the reports; workers lease benches and run tests.
An emulated lab lives in a user and network namespace of its own, which the controller enters before it has any thread.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.campaigns.choosing import CASES, choose, declared_rules, drop_without_image, parameters, quick_names
from harness.campaigns.selection import Only

if TYPE_CHECKING:
    from harness.bench.bench import Bench
    from harness.campaigns.cases import AnyCase
    from harness.campaigns.keeper import BenchKeeper
    from harness.campaigns.plan import RunPlan  # noqa: F401 - in the quoted type below
    from harness.campaigns.recorded import Recorded
    from harness.lab.inventory import BenchEntry

PLAN = pytest.StashKey["RunPlan"]()
KEEPER = pytest.StashKey["BenchKeeper"]()
LABELS = pytest.StashKey[dict[str, Any]]()
MARKERS = (
    "declares(*requirements): requirements that this test must decide; an undecided one is no success",
    "physical: also runs on physical and physical-like benches",
    "needs(**declared): only on models that declare it: identities=2 (so many or more), entry='scan' (among others);"
    " network='dhcp' and resolve='name': only on benches that are so; instruments=True: that have instruments",
    'needs_image(*names): only where it can be made: "successor", "resets", a flaw, or an argument that names one',
    "long: takes long; is started early",
    "nightly: takes too long for every run; only with --nightly",
    "oldest: of the versions from which updates begin (from_version) only the first, where --from names none",
)
DEFAULT_LAB = Path("lab_config/emulated.yaml")
DEFAULT_SEED = "hil97"
OF_THE_BENCH = ("network", "resolve")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("hil97", "hil97: payment terminals and response code 97")
    group.addoption("--lab", metavar="FILE", help=f"inventory of benches (default for suites: {DEFAULT_LAB})")
    group.addoption("--firmware", metavar="WHAT", help="boot this on every emulated bench: a defect, image or source")
    group.addoption(
        "--from", metavar="V[,V...]", dest="from_versions",
        help="versions (released, or image files) from which tests of firmware updates begin",
    )
    group.addoption("--by-update", action="store_true", help="each bench's first unit has one of these, and is updated")
    group.addoption("--results", metavar="DIR", default="results", help="where runs are kept (default: results)")
    group.addoption("--run-name", metavar="NAME", help="name of this run (default: date and time)")
    group.addoption(
        "--seed", metavar="NAME", default=DEFAULT_SEED,
        help=f"which pairwise set of transaction cases, or the order of all of them (default: {DEFAULT_SEED})",
    )
    group.addoption(
        "--cases", metavar="FROM:COUNT",
        help="these of all transaction cases, counted from 0, instead of a pairwise set",
    )
    group.addoption("--replay", metavar="RUN", help="the folder of a stored run: its tests are driven again")
    group.addoption("--replay-test", metavar="ID", help="only this one of them")
    group.addoption(
        "--only", metavar="WORD,...",
        help="only tests that declare one of these requirements, the most promising first; of the transaction cases, "
        "where transactions are named too, those of these",
    )
    group.addoption("--quick", action="store_true", help="only the tests of suites/quick.txt")
    group.addoption("--nightly", action="store_true", help="the tests for the night too")
    group.addoption("--stop-at", metavar="ID", help="end the run with the first test in which this requirement FAILs")


def is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


def wants_lab(config: pytest.Config) -> bool:
    """Suites are asked for, by --lab or by a path below suites/."""
    if config.getoption("--lab"):
        return True
    suites = config.rootpath / "suites"
    paths = (Path(config.invocation_params.dir, str(argument).split("::")[0]).resolve() for argument in config.args)
    return any(path.is_relative_to(suites) for path in paths)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)
    if is_worker(config):
        _configure_worker(config)
    elif wants_lab(config):
        _configure_controller(config)


def _configure_controller(config: pytest.Config) -> None:
    from harness.campaigns.launch import outside_of
    from harness.campaigns.plan import RunPlan, check_startable, open_lab
    from harness.errors import BadInput
    from harness.i18n import set_language
    from harness.i18n_errors import translated
    from harness.lab import rootless
    from harness.lab.firmware_images import split

    try:
        path = Path(config.getoption("--lab") or config.rootpath / DEFAULT_LAB)
        lab = open_lab(path, config.getoption("--firmware"))
        config.stash[LABELS] = {entry.label: entry for entry in reversed(lab.emulated)}
        if config.option.collectonly:
            return
        check_startable(lab)
        if not rootless.already_inside():
            rootless.probe()
            os.environ.update(outside_of(lab))
            rootless.enter_in_place()
        _check_selection(config)
        if config.getoption("--cases") is not None:
            part_of(config.getoption("--cases"))
        results = Path(config.invocation_params.dir) / config.getoption("--results")
        plan = RunPlan.make(
            lab, results, name=config.getoption("--run-name"), from_versions=split(config.getoption("--from")),
            by_update=config.getoption("--by-update"),
        )
        plan.write(
            config.invocation_params.args, seed=config.getoption("--seed"), part=config.getoption("--cases"),
            replay=config.getoption("--replay"),
        )
    except (BadInput, pytest.UsageError) as error:
        set_language(None)
        pytest.exit(translated(error), returncode=2)  # not pytest's own status for this, 4, which says "undecided" here
    config.stash[PLAN] = plan
    from harness.campaigns.finish import write_placeholder
    from harness.campaigns.session import Session

    write_placeholder(plan)
    config.pluginmanager.register(Session(config, plan), "hil97-session")


def _check_selection(config: pytest.Config) -> None:
    """-k and -m are read by the workers, of which each would die of a bad one: here it is said once. UsageError."""
    config.pluginmanager.get_plugin("mark").pytest_collection_modifyitems(items=[], config=config)  # type: ignore[union-attr]


def _configure_worker(config: pytest.Config) -> None:
    """Workers die with their controller, lab or not, and what they started dies with them."""
    from harness.lab.kernel import die_with_parent

    die_with_parent(signal.SIGKILL)
    if os.getppid() != config.workerinput["hil97_controller"]:  # type: ignore[attr-defined]
        sys.exit("the controller is gone")
    packed = config.workerinput.get("hil97")  # type: ignore[attr-defined]
    if packed is None:
        return
    from harness.campaigns.plan import RunPlan

    plan = RunPlan.unpacked(packed)
    config.stash[PLAN] = plan
    config.stash[LABELS] = dict(plan.labels())


class XdistHooks:
    """Only where pytest-xdist is loaded."""

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        node.workerinput["hil97_controller"] = os.getpid()
        plan = node.config.stash.get(PLAN, None)
        if plan is not None:
            node.workerinput["hil97"] = plan.packed()

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> Any:
        plan = config.stash.get(PLAN, None)
        if plan is None:
            return None
        from harness.campaigns.scheduling import GroupScheduling

        return GroupScheduling(config, log, {label: len(plan.benches_of(label)) for label in plan.labels()})


def pytest_plugin_registered(plugin: object, manager: pytest.PytestPluginManager) -> None:
    if not manager.has_plugin("hil97-xdist"):
        manager.register(XdistHooks(), "hil97-xdist")


# -- collection -------------------------------------------------------------------------------------------------------


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
    from harness.campaigns.cases import KINDS

    seed, part = config.getoption("--seed"), config.getoption("--cases")
    if config.getoption("--quick"):
        listed, kind = quick_names(config), KINDS[asked]
        return [one for one in kind.whole(entries, seed, 0, kind.how_many(entries)) if str(one) in listed]
    if part is None:
        return KINDS[asked].pairwise(entries, seed)
    return KINDS[asked].whole(entries, seed, *part_of(part))


def part_of(text: str) -> tuple[int, int]:
    """ "500:100" -> the first, and how many. Raises pytest.UsageError."""
    start, colon, count = text.partition(":")
    if not (colon and start.isascii() and start.isdigit() and count.isascii() and count.isdigit() and int(count)):
        raise pytest.UsageError(f"--cases is {text!r}, expected two numbers such as 500:100")
    return int(start), int(count)


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
    recorded = _recorded_in(item)
    if recorded is None:
        return {}
    import shlex

    run = shlex.quote(item.config.getoption("--replay"))
    return {"rerun": f"hil97 replay {run} --test {shlex.quote(recorded.test)}"}


def _recorded_in(item: pytest.Item) -> Recorded | None:
    return parameters(item).get("recorded")  # type: ignore[return-value]


# -- running ----------------------------------------------------------------------------------------------------------


def keeper_of(config: pytest.Config) -> BenchKeeper:
    """The benches this process holds."""
    from harness.campaigns.keeper import BenchKeeper

    if KEEPER not in config.stash:
        config.stash[KEEPER] = BenchKeeper(config.stash[PLAN])
    return config.stash[KEEPER]


def open_span(request: pytest.FixtureRequest) -> Bench:
    """The bench of this test's group, made ready in the test's span. What goes wrong is in the history before it is
    raised."""
    from harness.campaigns.span import TestSpan

    opened = keeper_of(request.config).bench(request.param)
    item = request.node
    recorded = _recorded_in(item)
    title = recorded.title if recorded else (item.function.__doc__ or item.name).strip().splitlines()[0]
    span = TestSpan(opened, item.nodeid, title, declared_rules(item), deadline_s=_deadline_of(item))
    try:
        span.begin()
    except BaseException as error:
        span.end(error)
        raise
    item.hil97_span = span
    return opened


def _deadline_of(item: pytest.Item) -> float:
    """Seconds that pytest-timeout gives the test, and a little more: it should act first. Else a default."""
    from harness.campaigns.span import DEADLINE_S

    mark = item.get_closest_marker("timeout")
    given = (mark.kwargs.get("timeout") or next(iter(mark.args), None)) if mark is not None else None
    if given is None and item.config.pluginmanager.has_plugin("timeout"):
        given = item.config.getoption("timeout", None) or item.config.getini("timeout")
    return float(given) + 2.0 if given and float(given) > 0 else DEADLINE_S


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """After the body: conclude, judge, and fail the test on what the judge found."""
    span = getattr(item, "hil97_span", None)
    if span is None:
        return (yield)
    error: BaseException | None = None
    result: object = None
    try:
        result = yield
    except BaseException as raised:
        error = raised
    from harness.campaigns.session import BENCH_FAILED, FAILED

    judged = span.end(error)
    item.user_properties += [(FAILED, finding.rule) for finding in judged.findings]
    item.user_properties += [(BENCH_FAILED, judged.message)] if judged.outcome == "error" else []
    if isinstance(error, KeyboardInterrupt | SystemExit):
        raise error
    if judged.findings:
        pytest.fail(judged.message, pytrace=False)
    if error is not None:
        raise error
    if judged.outcome != "passed":
        pytest.fail(judged.message, pytrace=False)
    return result


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    config = session.config
    if KEEPER in config.stash:
        config.stash[KEEPER].close_all()
