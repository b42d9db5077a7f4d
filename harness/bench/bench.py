"""Puts the parts of one emulated bench together, and takes them apart.

What is opened is closed in the opposite order; every process dies with the worker, so nothing outlives a ``kill -9``.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection, Iterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from harness.acquirer.client import AcquirerClient
from harness.bench.acquirer_process import ACQUIRER_CONTROL, start_acquirer
from harness.bench.air import Air
from harness.bench.cable import Armed, Cable, FaultEvent, Injector
from harness.bench.content import ArmedAtHost
from harness.bench.door import Card, Door
from harness.bench.heartbeat import start_heartbeat
from harness.bench.host import Host
from harness.bench.lasting import Lasting
from harness.bench.plan import BenchPlan
from harness.bench.ready import HOST_PORT
from harness.bench.recovery import Recovery
from harness.bench.sign_ins import last_sign_ins
from harness.bench.units import Standing, Units
from harness.errors import BenchError
from harness.history.events import (
    AnyEvent,
    BenchFailed,
    Heartbeat,
    OperationInvoked,
    Power,
    RunClosed,
    TestPhase,
    WireFrame,
    WireLink,
)
from harness.history.instrument_events import InstrumentKind
from harness.history.recorder import Recorder
from harness.instruments.modem import Modem
from harness.lab.firmware_images import Image
from harness.lab.instrument_entry import OPERATOR
from harness.lab.process import Child
from harness.lab.scratch import scratch_folder
from harness.terminal.contracts import AGAIN_S, Completion
from harness.wire.faults import Fault
from harness.wire.faults.spoken import parse
from harness.wire.injector_client import InjectorClient
from harness.wire.tap_client import TapClient
from harness.wire.topology import BACKUP_ADDRESS, Topology

if TYPE_CHECKING:
    from harness.bench.stress import Stress
    from harness.instruments.client import Instruments

SESSION_KEYS = "wire.keys"  # beside wire.pcapng
FAULTS_CAPTURE = "faults.pcapng"
INJECTOR_CONTROL = "injector.sock"  # in the scratch folder
TAPPED_AS = {"tcp": "tcp", "tcp_standing": "tcp", "tls": "tls", "http": "http"}
MEASURING: tuple[InstrumentKind, ...] = ("chamber", "supply")  # what surrounds the terminal


class Bench:
    """An open bench. ``terminal``, ``host``, ``cable``, ``front`` are what a test drives; ``history`` is what it
    leaves."""

    def __init__(self, plan: BenchPlan) -> None:
        self.plan, self.name = plan, plan.bench
        self.model, self.profile = plan.model, plan.profile
        self._stack = contextlib.ExitStack()
        self._children: list[Child] = []
        self.provisioned = False
        # name and version on the unit as far as is known ("": it has to be asked), the last known, the slot it lies in
        self.runs = self.ran = plan.firmware.name, plan.firmware.version
        self.slot = "A"
        self.second_host = False  # whether a test told the terminal of one
        self._lasting = Lasting(plan.model.surroundings)
        self.failed: str = ""
        self.instruments: Instruments | None = None

    # -- opening ------------------------------------------------------------------------------------------------------

    def open(self) -> Bench:
        """Everything up to a running, unprovisioned terminal. Raises BenchError with what was already open closed
        again."""
        try:
            self._open()
        except BaseException:
            self.close()
            raise
        return self

    def _open(self) -> None:
        plan = self.plan
        plan.folder.mkdir(parents=True, exist_ok=True)
        self.history = Recorder(plan.folder / "history.jsonl", bench=plan.bench)
        self._stack.callback(self.history.close)
        self.history.add_listener(self._lasting.note)
        self.history.append(plan.opened())
        self._stack.callback(self._close_log)
        self._scratch = self._stack.enter_context(scratch_folder())
        (self._scratch / "profile.json").write_text(plan.profile.model_dump_json(), encoding="utf-8")
        (self._scratch / "model.json").write_text(plan.model.model_dump_json(), encoding="utf-8")
        lag_ms = plan.profile.limits.heartbeat_lag_ms
        self._stack.callback(start_heartbeat(self.name, self.history, lag_ms))
        topology = Topology.build(addressed=False)
        self._stack.callback(topology.close)
        self._topology = topology
        self.tap = TapClient.start(
            netns_fd=topology.wire_fd,
            pcapng=plan.folder / "wire.pcapng",
            log=plan.folder / "logs" / "tap.log",
            on_event=self.history.append,
            link=TAPPED_AS[plan.profile.link],
            keys=plan.folder / SESSION_KEYS,
        )
        self._stack.callback(self.tap.close)
        self._start_acquirer(topology)
        self.site = plan.network.start_site(topology.acquirer_fd, plan.folder / "logs" / "site.log")
        if self.site is not None:
            self._stack.callback(self.site.close)
        way = partial(Air, self._its_modem) if plan.model.modem else Cable
        self.cable = way(
            topology, self.history, start=self._start_injector, masters=self._masters, on_death=self.fail
        )
        self._stack.callback(self.cable.close)
        card = Card(self.name, plan.run, plan.scope, str(plan.folder))
        self._stack.callback(Door(self._scratch, card, self._injector_control).close)
        if plan.instruments:  # open and safe before there is anything that they could do something to
            from harness.bench.instruments import open_for

            self.instruments = open_for(plan, self._scratch, self.history, self.fail, self.cable)
            self._stack.callback(self.instruments.close)
        self.units = Units(plan, self._scratch, topology, self.history, self._attach)
        self._stand(self.units.new(plan.serial_number, "first unit of this bench", plan.comes_from))
        self._stack.callback(lambda: self._standing.close())
        self._stack.callback(self.cable.let_loose)

    def _start_acquirer(self, topology: Topology) -> None:
        child = start_acquirer(self.plan, self._scratch, topology.acquirer_fd, self._link_options())
        self._adopt(child)
        client = AcquirerClient.connect(self._scratch / ACQUIRER_CONTROL, child=child)
        self._stack.callback(client.close)
        (tid, mid), *further = self.plan.identities
        self.host = Host(
            client, self.history, mid=mid, tid=tid, bench=self.name, others=further,
            on_trouble=lambda what: self.fail(f"the acquirer had an internal error: {what}; see logs/acquirer.log"),
        )

    def _start_injector(self, on_event: Callable[[FaultEvent], object]) -> Injector:
        plan = self.plan
        return InjectorClient.start(
            netns_fd=self._topology.wire_fd, log=plan.folder / "logs" / "injector.log",
            pcapng=plan.folder / FAULTS_CAPTURE, link=TAPPED_AS[plan.profile.link],
            keys=plan.folder / SESSION_KEYS if plan.profile.link == "tls" else None,
            control=self._scratch / INJECTOR_CONTROL, on_event=on_event,
        )

    def _its_modem(self) -> Modem:
        return self.modem

    def _masters(self) -> list[dict[str, str]]:
        """With the sign-in that brought each terminal its keys of now: it may have passed before the injector was
        there."""
        self.tap.sync()
        signed_in = last_sign_ins(self.history.events)
        return [
            {"tid": one.tid, "mid": one.mid, "tmk": one.tmk, "sign_in": signed_in.get((one.tid, one.mid), "")}
            for one in self.host.merchants if one.tmk
        ]

    def _injector_control(self) -> Path:
        """For who knocks at the door."""
        self.cable.injector()
        return self._scratch / INJECTOR_CONTROL

    def arm(self, fault: Fault | str) -> Armed | ArmedAtHost:
        """Arms a fault (a value, or its words) where it can be done: on the cable; what changes the content of
        messages, at the acquirer where the link is TLS. Raises BadInput with the reason where neither can."""
        fault = parse(fault) if isinstance(fault, str) else fault
        if fault.changes_content and self.profile.link == "tls":
            return ArmedAtHost(self.host, self.history, fault)
        return self.cable.arm(fault)

    def _link_options(self) -> list[str]:
        """How the acquirer is to be reached; it makes the certificates that it needs."""
        if self.profile.link == "tls":
            return ["--tls", str(self.certificates), "--tls-keys", str(self.plan.folder / SESSION_KEYS)]
        return ["--http", self.profile.http_path] if self.profile.link == "http" else []

    @property
    def certificates(self) -> Path:
        """The folder with the acquirer's certificates and the test authority's, where the link is TLS."""
        return self._scratch / "tls"

    def _stand(self, standing: Standing) -> None:
        """This unit is the bench's from now on."""
        unit = standing.unit
        self._standing = standing
        self._children = [one for one in self._children if one.name != "terminal"] + [standing.child]
        self.runs = self.ran = unit.runs
        self.slot = unit.slot
        self.front, self.terminal = standing.front, standing.terminal
        self.power, self.hardware = self.front.supply, self.front.hardware
        self.modem: Modem = self.front.modem
        self.provisioned, self.second_host = unit.provisioned, unit.second_host

    @property
    def standing(self) -> list[AnyEvent]:
        """What a part of the history needs from before it."""
        return self._lasting.events

    @property
    def serial(self) -> str:
        """The serial number of the unit that stands there."""
        return self._standing.unit.serial

    @property
    def flash_file(self) -> Path:
        """The chip of the unit that stands here, byte by byte, and a page of registers. Not to be copied while it has
        power."""
        return self._standing.unit.flash

    def replace_unit(self, why: str, image: Image | None = None) -> None:
        """Take the unit away and put a new one there (emulated benches only); it must be provisioned again. ``image``:
        what its factory put on it, if not the bench's own firmware.

        The new unit brings an empty batch: what the old one held is lost with it, as its history says.
        """
        self._standing.close()
        self._stand(self.units.new(self.plan.serial_number, why, image))

    def put_unit(self, serial: str, why: str, *, new: bool = False) -> None:
        """Another unit, without power yet: the one with this serial number that was taken away before, with its memory
        as it was, or (there is none, or ``new``) one from its box. What stood there keeps its own memory (emulated
        benches only)."""
        if self.front.powered:
            since = self.history.seq
            self.power.off()
            self.history.wait_for(
                lambda e: isinstance(e, Power) and e.state == "off", 5.0, "the supply to be off", since=since
            )
        unit = self._standing.unit
        unit.provisioned, unit.second_host = self.provisioned, self.second_host
        unit.money_moved, unit.runs, unit.slot = self.terminal.money_moved, self.runs, self.slot
        self.units.put_beside(self._standing)
        kept = self.units.lies_beside(serial) and not new
        self._stand(self.units.again(serial, why) if kept else self.units.new(serial, why))

    def _attach(self, panel: Path | None) -> None:
        """This board stands amid the emulated instruments from now on; None: it is about to be taken away."""
        if self.instruments is None or not any(one.emulated for one in self.plan.instruments):
            return
        with contextlib.suppress(*(() if panel else (BenchError,))):  # of a guard that is gone the history tells
            self.instruments.attach(str(panel) if panel else None)

    def _adopt(self, child: Child) -> None:
        self._children.append(child)
        self._stack.callback(child.stop)

    # -- health -------------------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Raises BenchError when a process of the bench died; the history says so too."""
        for child in self._children:
            try:
                child.check()
            except BenchError as error:
                self.fail(str(error))
                raise
        self.tap.check()
        self.cable.check()
        if self.site is not None:
            self.site.check()
        if self.instruments is not None:
            self.instruments.line.check()

    def fail(self, what: str) -> None:
        """Record that the bench failed, once."""
        if self.failed:
            return
        self.failed = what
        self.history.append(BenchFailed(t=time.monotonic_ns(), what=what))

    def sync(self) -> None:
        """Until everything that has happened on the wire and at the host is in the history."""
        self.tap.sync()
        self.host.sync()

    # -- waiting for what happens -------------------------------------------------------------------------------------

    def await_frame(self, mti: str, *, deadline_s: float = 10.0) -> WireFrame:
        """The first frame of ``mti`` on the wire since the last thing that was done to the terminal."""
        done = (OperationInvoked, Power, WireLink, TestPhase)
        last = next((event for event in reversed(self.history.events) if isinstance(event, done)), None)
        since, after = (last.seq, last.t) if last is not None else (0, 0)
        # the tap may tell of an earlier frame only now: what counts is when it was on the wire
        found = self.history.wait_for(
            lambda e: isinstance(e, WireFrame) and e.hex[26:30] == mti and e.t > after,
            deadline_s,
            f"a frame {mti} on the wire",
            since=since,
        )
        assert isinstance(found, WireFrame)
        return found

    def use_second_host(self) -> None:
        """The terminal is told the acquirer's second address to fall back to, until the test's end. Raises BenchError
        when it refuses."""
        completion = self.terminal.set_second_host(BACKUP_ADDRESS, HOST_PORT)
        if not completion.ok:
            raise BenchError(f"the terminal took no second host: {completion.text}", bench=self.name)
        self.second_host = True

    def observe_terminal_time(self, seconds: float, what: str) -> None:
        """Leave the terminal alone for ``seconds`` of its own time and record what it does; ``what`` says what for."""
        until = time.monotonic_ns() + int(seconds / self.plan.time_scale * 1e9)
        self.history.wait_for(
            lambda e: isinstance(e, Heartbeat) and e.t >= until,
            seconds / self.plan.time_scale + 30,
            f"the bench's clock: {what}",
        )

    def measure_surroundings(self) -> None:
        """A reading of climate and supply, where instruments measure them: up to now it was so. Nobody is asked for
        one. Raises BenchError."""
        if self.instruments is None:
            return
        by_person = {entry.name for entry in self.plan.instruments if entry.address == OPERATOR}
        for kind in MEASURING:
            instrument = self.instruments.of_kind(kind)
            if instrument is not None and instrument.name not in by_person:
                instrument.read()

    def stress(
        self, profile: str, *, during: str | None = None, at_most: int | None = None, only: Collection[int] = (),
        seed: str = "hil97",
    ) -> Stress:
        """A stress profile of the catalogue, to be walked (:mod:`harness.bench.stress`); the options are those of
        :func:`harness.lab.stress.steps_for`. Raises BadInput where there is none of that name, BenchError where the
        bench has no instruments."""
        from harness.bench.stress import Stress
        from harness.lab.stress import load_named

        if self.plan.stress is None:
            raise BenchError("this bench was opened without a catalogue of stress profiles", bench=self.name)
        found = load_named(self.plan.stress, profile, self.model.surroundings)
        return Stress(self, found, during=during, at_most=at_most, only=only, seed=seed)

    def once_connected(self, action: Callable[[], Completion]) -> Completion:
        """Do ``action`` as a shop does whose cable was just put back: again while the terminal says it can't connect,
        for as long as the profile allows for recovery, at a person's pace. What comes then, is returned."""
        end = time.monotonic() + self.profile.limits.recovery_s
        while not (completion := action()).connected and time.monotonic() < end:
            time.sleep(AGAIN_S)  # a terminal that says no at once is not asked a thousand times a second
        return completion

    def start_recovery(self) -> Recovery:
        """The operator's action begins; ``done()`` on the first approved sale records how long it took (REC-10)."""
        return Recovery(self)

    def another_day(self) -> float:
        """A time (epoch seconds) that is plainly not now: 40 days on, at 09:37."""
        day = datetime.now().replace(hour=9, minute=37, second=0, microsecond=0) + timedelta(days=40)
        return day.timestamp()

    # -- closing ------------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Everything stopped and released; the history ends with run.closed."""
        self._stack.close()

    def _close_log(self) -> None:
        """A log that lacks its last line, on a full disk say, is judged as one that was not closed."""
        with contextlib.suppress(BenchError):
            self.history.append(RunClosed(t=time.monotonic_ns()))

    @contextlib.contextmanager
    def opened(self) -> Iterator[Bench]:
        """``with Bench(plan).opened() as bench:``"""
        self.open()
        try:
            yield self
        finally:
            self.close()
