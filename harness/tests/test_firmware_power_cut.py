"""The supply cut at every program and erase of the flash, clean and torn: the terminal boots with the old or the new
state, whole, and its books and the host's agree again. Rules STA-04, MON-01, -03, -05, -06, -08."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from harness.emulator.firmware.app import batch
from harness.emulator.firmware.app.records import Record, State
from harness.emulator.firmware.app.store import Store, StoreDamaged
from harness.protocol.frames import Frame
from harness.protocol.nested import batch_records
from harness.terminal.cashier import TYPES
from harness.tests.firmware_bench import BLOCK, CHIP, MAGNETIC, MAK, TMK, Answer, Bench, FakeBoard, MemoryFlash, cuts

SCRIPT = "72129F1804000000978609842400000497979797"
Memory = tuple[State, tuple[Record, ...]]


@dataclass
class Books:
    """The host's ledger: approved and not reversed, by (batch, trace) -> amount; and what the batch upload brought."""

    entries: dict[tuple[str, str], int] = field(default_factory=dict)
    uploads: dict[str, int] = field(default_factory=dict)
    unbalanced: bool = False
    batch: int = 1
    silent_at: str = ""  # MTI of the request that is booked, and never answered
    script: bool = False  # approvals of chip transactions bring an issuer script
    notices: set[str] = field(default_factory=set)  # F61 of the script notices that came

    def __call__(self, request: Frame) -> Answer | None:
        key = (request.batch, request.get(11))
        match request.mti:
            case "0200":
                assert key not in self.entries, "a trace number was used twice"
                self.entries[key] = int(request.get(4)) * (-1 if request.message_type == "23" else 1)
            case "0400":
                self.entries.pop(key, None)
            case "0100" | "0220":
                repeated = self.entries.setdefault(key, int(request.get(4)))
                assert repeated == int(request.get(4)), "a stored transaction changed"
            case "0320" if request.network_code in ("203", "205"):
                self.uploads[request.get(11)] = int(request.get(4))
            case "0620":
                self.notices.add(request.get(61))
            case "0320" if request.network_code == "201":
                for record in batch_records(request):
                    self.uploads[record.trace] = record.amount
            case "0320":
                self.batch = int(request.batch) + 1
            case "0800":
                return Answer(fields={60: f"00{self.batch:06d}003"})
        if request.mti == self.silent_at:
            return Answer(act="close")
        if self.script and request.mti == "0200" and 55 in request:
            return Answer(fields={55: SCRIPT})
        if request.mti == "0500" and self.unbalanced:
            return Answer(fields={48: "0" * 30 + "2" + "0" * 31})
        return None

    def copy(self) -> Books:
        return Books(
            dict(self.entries), dict(self.uploads), self.unbalanced, self.batch, script=self.script,
            notices=set(self.notices),
        )


@dataclass(frozen=True)
class Cut:
    """The flash after a cut, and the host's books and requests as they were then."""

    memory: Memory
    content: bytes
    books: Books
    requests: int


class WatchedFlash(MemoryFlash):
    """Notes what the host had seen at each operation."""

    def __init__(self, content: bytes, look: Callable[[], tuple[Books, int]]) -> None:
        super().__init__(content)
        self._look = look
        self.seen: list[tuple[Books, int]] = []

    def _put(self, at: int, data: bytes) -> None:
        self.seen.append(self._look())
        super()._put(at, data)


def every_cut(
    books: Books, prepare: Callable[[Bench], object], act: Callable[[Bench], object], commits_before: int = 0
) -> list[Cut]:
    """Runs ``act`` once on a prepared terminal and gives the state of things at every possible cut in it.

    ``commits_before`` brings the metadata of the file system nearer to its next compaction.
    """
    with Bench() as bench:
        bench.host.script = books
        bench.ready()
        prepare(bench)
        bench.serve("PARAM auto_sign_in=0")
        for number in range(commits_before):
            bench.serve(f"PARAM timeout={30 + number % 2}")
        before = bytes(bench.flash.content)
        flash = WatchedFlash(before, lambda: (books.copy(), len(bench.host.requests)))
        bench.reboot(flash)
        assert flash.seen == []
        bench.host.requests.clear()
        act(bench)
        operations, seen, after = list(flash.operations), list(flash.seen), (books.copy(), len(bench.host.requests))
    found = []
    for done, content in cuts(before, operations):
        at_host = seen[done] if done < len(seen) else after
        found.append(Cut(boot(content), content, *at_host))
    assert len(found) == 2 * len(operations) + 1 > 4
    return found


def boot(content: bytes) -> Memory:
    store = Store(MemoryFlash(content))
    return store.state, tuple(store.log)


def distinct(found: list[Cut]) -> list[Memory]:
    """The states found, in order; each state is found in one run of cuts, or something was torn."""
    states: list[Memory] = []
    for cut in found:
        if not states or states[-1] != cut.memory:
            assert cut.memory not in states, "a state came back"
            states.append(cut.memory)
    return states


def resume(cut: Cut, act: Callable[[Bench], object]) -> tuple[Bench, Books]:
    """Power on again after the cut, with the host as it was then, and do ``act``; ends idle, nothing pending."""
    books = cut.books.copy()
    bench = Bench(flash=MemoryFlash(cut.content))
    bench.host.script = books
    assert bench.shows("欢迎使用")()
    assert bench.serve(f"HOST 127.0.0.1 {bench.host.port} 6000030000").startswith("OK")
    bench.sign_in()
    bench.run(lambda: bench.state.reversal is None)
    act(bench)
    return bench, books


def delivered(bench: Bench) -> None:
    """Another sale: what is stored goes out before it."""
    assert bench.sale(1)["DF07"] == "00"
    assert bench.state.undelivered == () and bench.state.script is None


def agree(bench: Bench, books: Books) -> None:
    """Approved-and-not-reversed at the host is what the terminal has booked."""
    booked = {(f"{r.batch:06d}", f"{r.trace:06d}"): r.amount * (-1 if r.kind == "void" else 1) for r in bench.log}
    assert books.entries == booked


def nothing(bench: Bench) -> None:
    """No further cause."""


@pytest.mark.parametrize("silent", [False, True], ids=["answered", "unanswered"])
@pytest.mark.parametrize("commits_before", range(8))
def test_a_sale(silent: bool, commits_before: int) -> None:
    books = Books()

    def act(bench: Bench) -> None:
        books.silent_at = "0200" if silent else ""
        assert bench.sale(9700)["DF07"] == ("Z2" if silent else "00")

    found = every_cut(books, lambda bench: bench.sale(100), act, commits_before)
    states = distinct(found)
    assert len(states) == (2 if silent else 3)  # before; reversal and next trace; booked and no reversal
    for cut in found:
        state, log = cut.memory
        due = state.reversal is not None and state.reversal.trace == "000003"
        booked = [record.trace for record in log] == [2, 3]
        assert not (due and booked) and (booked == (state.last is not None and state.last.trace == 3))
        assert state.trace == (4 if due or booked else 3)
        if cut.requests:
            assert due or booked, "the host has the sale, and the terminal has forgotten it"
        assert (state.mak, state.tmk, state.signed_in, state.batch) == (MAK.hex(), TMK.hex(), True, 1)
    for cut in found:
        bench, after = resume(cut, lambda bench: bench.sale(300))
        with bench:
            agree(bench, after)
            slip = bench.board.slips[-1] if bench.board.slips else []
            assert bench.till("06")["DF07"] == "00" and bench.board.slips[-1][: len(slip)] == slip


def test_a_void() -> None:
    found = every_cut(Books(), lambda bench: bench.sale(100), lambda bench: bench.void("000002"))
    assert len(distinct(found)) == 3
    for cut in found:
        bench, books = resume(cut, nothing)
        with bench:
            agree(bench, books)
            told = bench.void("000002")["DF07"]
            assert told == ("Z7" if len(cut.memory[1]) == 2 else "00")
            agree(bench, books)


def test_the_delivery_of_a_reversal() -> None:
    books = Books()

    def prepare(bench: Bench) -> None:
        books.silent_at = "0200"
        bench.sale(9700)
        books.silent_at = ""

    found = every_cut(books, prepare, lambda bench: bench.sale(100))
    assert len(distinct(found)) == 4  # due; delivered; the next sale's own; booked
    for cut in found:
        bench, after = resume(cut, nothing)
        with bench:
            agree(bench, after)


def test_a_reversal_that_97_refuses() -> None:
    books = Books()

    def prepare(bench: Bench) -> None:
        books.silent_at = "0200"
        bench.sale(9700)
        bench.host.script = lambda request: Answer("97")

    found = every_cut(books, prepare, lambda bench: bench.sale(100))
    attempts = [memory[0].reversal.attempts if memory[0].reversal else -1 for memory in distinct(found)]
    assert attempts == [0, 1]


def test_a_settlement_with_batch_upload() -> None:
    def prepare(bench: Bench) -> None:
        for number in range(10):
            bench.sale(100 + number)

    found = every_cut(Books(unbalanced=True), prepare, lambda bench: bench.settle())
    progress = [memory[0].settlement.uploaded if memory[0].settlement else None for memory in distinct(found)]
    assert progress == [None, None, 0, 0, 8, 8, 10, 10, None]  # twice: trace number, acknowledgement
    complete = {f"{number:06d}": 98 + number for number in range(2, 12)}
    for cut in found:
        state, log = cut.memory
        assert (len(log), state.batch) in ((10, 1), (0, 2))
        bench, books = resume(cut, lambda bench: bench.settle() if bench.log else None)
        with bench:
            assert books.uploads == complete
            assert bench.log == [] and bench.state.batch == 2 and bench.state.settlement is None


def test_an_offline_sale_and_its_delivery() -> None:
    def act(bench: Bench) -> None:
        assert bench.order(TYPES["offline_sale"], MAGNETIC, DF03=f"{9700:012d}")["DF07"] == "00"
        assert bench.sale(100)["DF07"] == "00"

    found = every_cut(Books(), nothing, act)
    assert len(distinct(found)) == 5  # before; stored; delivered; the sale's reversal; booked
    for cut in found:
        state, log = cut.memory
        stored = [record.trace for record in log if record.kind == "offline_sale"]
        assert stored in ([], [2]) and set(state.undelivered) <= set(stored)
        if ("000001", "000002") in cut.books.entries:
            assert stored, "the host has what the terminal has forgotten"
        bench, books = resume(cut, delivered)
        with bench:
            agree(bench, books)


def test_an_adjustment_of_a_stored_sale() -> None:
    def prepare(bench: Bench) -> None:
        bench.order(TYPES["offline_sale"], MAGNETIC, DF03=f"{9700:012d}")

    def act(bench: Bench) -> None:
        bench.order(TYPES["offline_adjust"], DF08="000002", DF03=f"{5000:012d}")

    found = every_cut(Books(), prepare, act)
    assert [memory[0].undelivered for memory in distinct(found)] == [(2,), (2, 3)]
    for cut in found:
        bench, books = resume(cut, delivered)
        with bench:
            agree(bench, books)
            totals = batch.totals(bench.state, bench.log)
            assert totals.debit_amount == 1 + (5000 if len(cut.memory[1]) == 2 else 9700)


@pytest.mark.parametrize("silent", [False, True], ids=["answered", "unanswered"])
def test_a_completion(silent: bool) -> None:
    books = Books()

    def act(bench: Bench) -> None:
        books.silent_at = "0200" if silent else ""
        bench.order(TYPES["completion"], MAGNETIC, "", DF17="970970", DF16="1123", DF03=f"{5000:012d}")

    found = every_cut(books, nothing, act)
    assert len(distinct(found)) == (2 if silent else 3)
    for cut in found:
        bench, after = resume(cut, nothing)
        with bench:
            agree(bench, after)


def test_a_chip_sale_with_a_script_and_its_notice() -> None:
    def act(bench: Bench) -> None:
        assert bench.sale(9700, CHIP)["DF07"] == "00"
        bench.board.put_event({"remove": True})
        assert bench.sale(100)["DF07"] == "00"

    found = every_cut(Books(script=True), nothing, act)
    for cut in found:
        state, log = cut.memory
        booked = [record.trace for record in log if record.by_chip]
        noticed = bool(cut.books.notices)
        assert not booked or state.script is not None or noticed, "a script result was lost"
        bench, books = resume(cut, delivered)
        with bench:
            agree(bench, books)
            assert len(books.notices) == (1 if booked else 0)
            assert len({record.trace for record in bench.log}) == len(bench.log)


@pytest.mark.parametrize("unbalanced", [False, True], ids=["balanced", "unbalanced"])
def test_a_settlement_with_chip_uploads(unbalanced: bool) -> None:
    def prepare(bench: Bench) -> None:
        bench.sale(100)
        for amount in (200, 300):
            bench.sale(amount, CHIP)
            bench.board.put_event({"remove": True})

    found = every_cut(Books(unbalanced=unbalanced), prepare, lambda bench: bench.settle())
    complete = {"000003": 200, "000004": 300} | ({"000002": 100} if unbalanced else {})
    for cut in found:
        bench, books = resume(cut, lambda bench: bench.settle() if bench.log else None)
        with bench:
            assert books.uploads == complete
            assert bench.log == [] and bench.state.batch == 2 and bench.state.settlement is None


def test_a_sign_in_with_new_keys_and_batch() -> None:
    def act(bench: Bench) -> None:
        books.batch = 41
        assert bench.sign_in()["DF07"] == "00"

    def forget(bench: Bench) -> None:
        bench.serve(f"KEY TMK {TMK.hex()}")

    books = Books()
    found = every_cut(books, forget, act)
    for cut in found:
        state = cut.memory[0]
        assert (state.signed_in, state.mak, state.batch) in ((False, "", 1), (True, MAK.hex(), 41))
    assert len(distinct(found)) == 3


def test_a_sign_in_that_97_refuses() -> None:
    def act(bench: Bench) -> None:
        bench.host.script = lambda request: Answer("97")
        assert bench.sign_in()["DF07"] == "97"

    found = every_cut(Books(), lambda bench: bench.sale(100), act)
    assert [memory[0].signed_in for memory in distinct(found)] == [True, True, False]
    for cut in found:
        state, log = cut.memory
        assert (state.mak, state.tmk, len(log), state.batch) == (MAK.hex(), TMK.hex(), 1, 1)


def test_loading_a_key_and_an_identity() -> None:
    def act(bench: Bench) -> None:
        bench.serve("KEY TMK " + "1F" * 8 + "E0" * 8)
        bench.serve("SET TID=97000009 MID=898970000000009")

    identities = {(m[0].tmk, m[0].tid, m[0].mid, m[0].signed_in) for m in distinct(every_cut(Books(), nothing, act))}
    assert len(identities) == 3
    for _, tid, mid, signed_in in identities:
        assert (tid[-1], signed_in) == (mid[-1], signed_in) and (signed_in is False or tid == "97000001")


@pytest.mark.parametrize("what", [
    lambda store: store.commit(tid="97000001"), lambda store: store.put_table("capk", []),
    lambda store: store.of_merchant(2).commit(tid="97000002"),
], ids=["state", "table", "second merchant"])
def test_the_first_commit_of_a_new_terminal(what: Callable[[Store], None]) -> None:
    """littlefs creates a file empty, before anything is written to it."""
    def all_of(store: Store) -> tuple[str, str, object]:
        return store.state.tid, store.of_merchant(2).state.tid, store.table("capk")

    flash = MemoryFlash()
    before, store = bytes(flash.content), Store(flash)
    blank = all_of(store)
    what(store)
    found = [all_of(Store(MemoryFlash(content))) for _, content in cuts(before, flash.operations)]
    assert set(map(repr, found)) == {repr(blank), repr(all_of(store))} and len(found) > 4


def test_two_thousand_commits_keep_the_file_system_whole() -> None:
    flash = MemoryFlash()
    store = Store(flash)
    for number in range(2000):
        store.commit(trace=number + 1, note="97" if number % 3 else "")
        if number % 200 == 0:
            assert Store(MemoryFlash(bytes(flash.content))).state == store.state


@pytest.mark.parametrize("damage", ["blank", "state"])
def test_a_memory_that_can_not_be_read_is_reported_and_never_formatted(damage: str) -> None:
    with Bench() as bench:
        bench.ready()
        bench.sale()
        content = bytearray(bench.flash.content)
    if damage == "blank":
        content = bytearray(b"\xff" * len(content))
    else:
        state = content.rindex(b'{"tid"')
        blocks = [at for at in range(len(content)) if content.startswith(b'{"tid"', at)]
        for at in blocks:
            content[at] ^= 0xFF
        assert state // BLOCK >= 2
    flash = MemoryFlash(bytes(content))
    with pytest.raises(StoreDamaged):
        Store(flash)
    board = FakeBoard(flash)
    from harness.emulator.firmware.app.main import Terminal
    terminal = Terminal(board)
    for key in ("ENTER", "FUNC"):
        board.put_event({"key": key})
    for _ in range(5):
        terminal.turn(0.001)
    assert board.screens[-1][1:] == ["存储故障,请送修", *(["数据被改:state"] if damage == "state" else [])]
    assert bytes(flash.content) == bytes(content)
    board.close()
