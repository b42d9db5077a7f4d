"""The pytest door: ``pytest suites --lab FILE``, with or without ``-n``.

The controller makes the run's plan and, at the end, judges and writes the reports; workers lease benches and run tests.
An emulated lab lives in a user and network namespace of its own, which the controller enters before it has any thread.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.campaigns.choosing import declared_rules
from harness.pytest_collecting import (
    LABELS,
    PLAN,
    pytest_collection_modifyitems,
    pytest_generate_tests,
    recorded_in,
)

if TYPE_CHECKING:
    from harness.bench.bench import Bench
    from harness.campaigns.keeper import BenchKeeper

KEEPER = pytest.StashKey["BenchKeeper"]()
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
HOOKS = (pytest_collection_modifyitems, pytest_generate_tests)  # of this plugin too: pytest finds them by their names
DEFAULT_LAB = Path("lab_config/emulated.yaml")
DEFAULT_SEED = "hil97"


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


class Refused(pytest.exit.Exception):  # type: ignore[name-defined, misc]
    """Ends pytest before its first test with one message, as the command line says it, and that status."""

    def __init__(self, error: Exception, status: int) -> None:
        from harness.i18n import set_language
        from harness.i18n_errors import translated

        set_language(None)
        super().__init__(translated(error), status)


Refused.__name__ = "hil97"  # what pytest puts before the message


def _configure_controller(config: pytest.Config) -> None:
    from harness.campaigns.finish import write_placeholder
    from harness.campaigns.launch import outside_of
    from harness.campaigns.plan import RunPlan, check_startable, open_lab
    from harness.errors import BadInput, BenchError
    from harness.lab import rootless, stress
    from harness.lab.firmware_images import split

    results = Path(config.invocation_params.dir) / config.getoption("--results")
    try:
        path = Path(config.getoption("--lab") or config.rootpath / DEFAULT_LAB)
        lab = open_lab(path, config.getoption("--firmware"))
        config.stash[LABELS] = {entry.label: entry for entry in reversed(lab.emulated)}
        if config.option.collectonly:
            return
        check_startable(lab)
        stress.check_all(lab.emulated)
        if not rootless.already_inside():
            rootless.probe()
            os.environ.update(outside_of(lab))
            rootless.enter_in_place()
        _check_selection(config)
        if config.getoption("--cases") is not None:
            from harness.campaigns.cases import part_of

            part_of(config.getoption("--cases"))
        plan = RunPlan.make(
            lab, results, name=config.getoption("--run-name"), from_versions=split(config.getoption("--from")),
            by_update=config.getoption("--by-update"),
        )
        plan.write(
            config.invocation_params.args, seed=config.getoption("--seed"), part=config.getoption("--cases"),
            replay=config.getoption("--replay"),
        )
        write_placeholder(plan)
    except (BadInput, pytest.UsageError) as error:
        raise Refused(error, 2) from None  # not pytest's own status for this, 4, which says "undecided" here
    except OSError as error:
        told = BenchError(f"a run can't be begun here: {error.strerror}", evidence=error.filename or str(results),
                          remedy="make room on this disk, or name another folder with --results")
        raise Refused(told, 3) from None
    config.stash[PLAN] = plan
    from harness.campaigns.session import Session

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
    recorded = recorded_in(item)
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
