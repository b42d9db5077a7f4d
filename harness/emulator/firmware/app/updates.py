"""Other software for this terminal: what lies in the slot that does not run, whether it may be installed, why not.

An image comes by the service port (``serial_load``) or from the host (``tms``), one sender at a time. What is received
is written to the spare slot at once, each block erased as it is reached. The rest is the boot loader's: it says what
the slot holds (:class:`.hardware.Boot`) and starts it on trial.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from . import rules, texts
from .hardware import Boot
from .loop import Flow, Wait
from .provisioning import Refused
from .store import Store

SERVICE, NETWORK = "service", "network"
DAMAGED, SIGNATURE, MODEL, BROKEN_OFF, TOO_OLD, DATA_FORMAT = "70", "71", "72", "73", "74", "75"
NO_ROOM, NOTHING, RETURNED, STORED, REVERSAL, BUSY = "76", "77", "78", "85", "86", "90"
UNTIL_SETTLED = (STORED, REVERSAL)
LATER = frozenset({BROKEN_OFF, *UNTIL_SETTLED, BUSY})  # no fault of the image: worth another attempt
REFUSED_AS: Mapping[str, str] = {  # by the boot loader
    "empty": DAMAGED, "damaged": DAMAGED, "signature": SIGNATURE, "model": MODEL, "old": TOO_OLD,
}
RETURNED_BECAUSE: Mapping[str, str] = {**REFUSED_AS, "unconfirmed": RETURNED}
COMMIT_BLOCKS = 8  # of the flash: so much of a download from the host is at most fetched again after a power cut
_TABLE = "update"


@dataclass(frozen=True)
class Progress:
    """What the spare slot holds, and how the last attempt ended. ``received`` bytes of ``size`` are there, of an image
    with that ``sha256`` where the host told it; ``loaded``: all of them, and they were found good; ``installing``: the
    boot loader is being asked for it; ``wanted``: it is to be, as soon as nobody uses the terminal and, where it
    resets, nothing is stored. ``last``: a reason, "" none."""

    sha256: str = ""
    version: str = ""
    size: int = 0
    received: int = 0
    loaded: bool = False
    wanted: bool = False
    installing: bool = False
    last: str = ""


class Updates:
    """``store`` keeps the progress, ``stores`` are what an image must not lose. ``running``: name and version, as in
    ``reference 1.0.0``. ``data_format``: of what is stored. ``idle``: nobody uses the terminal, nothing is on the line.
    ``tell`` shows lines while nobody uses it, none: no longer; with ``stays`` until a key.
    """

    def __init__(
        self, boot: Boot, stores: Sequence[Store], *, running: str, data_format: int, idle: Callable[[], bool],
        tell: Callable[..., None], reboot: Callable[[], None],
    ) -> None:
        self._boot, self._stores, self._idle, self._tell, self._reboot = boot, stores, idle, tell, reboot
        self.running, self._data_format = running, data_format
        self._version = running.rpartition(" ")[2]
        self._spare = boot.spare
        self.sender = ""  # SERVICE or NETWORK while an image is coming
        self._shown = -1
        self.restart_due = False
        self.progress = self._read()

    # -- an image comes ------------------------------------------------------------------------------------------------

    @property
    def room(self) -> int:
        """Bytes of the largest image."""
        return self._spare.block_count * self._spare.block_size

    def refuse_while_busy(self) -> None:
        if self.sender or self._boot.trial:
            raise Refused(BUSY, "busy: another transfer" if self.sender else "busy: this version is on trial")
        if not self._idle():
            raise Refused(BUSY, "busy: a transaction is under way")

    def begin(self, sender: str, size: int, *, sha256: str = "", version: str = "") -> int:
        """An image of so many bytes is about to come; the bytes of it that are there already. ``version``: what it is
        said to be. Raises :class:`.provisioning.Refused`."""
        if self.sender or self._boot.trial:
            raise Refused(BUSY, "busy: another transfer" if self.sender else "busy: this version is on trial")
        if not size:
            raise self.failed(DAMAGED, "an image of no bytes")
        if version and not newer(version, self._version):
            raise self.failed(TOO_OLD, f"version {version} is not above what runs")
        if size > self.room:
            raise self.failed(NO_ROOM, f"{size} bytes, a slot has {self.room}")
        self.sender, self._shown = sender, -1
        there = self.progress
        if not (sha256 and (there.sha256, there.size) == (sha256, size)):
            self._put(replace(Progress(last=there.last), sha256=sha256, size=size, version=version))
        self._show()
        return self.progress.received

    def write(self, data: bytes) -> None:
        """The next bytes of it. What came from the host is counted in the flash now and then."""
        size, at = self._spare.block_size, self.progress.received
        while data:
            block, offset = divmod(at, size)
            if not offset:
                self._spare.erase(block)
            part, data = data[: size - offset], data[size - offset :]
            self._spare.program(block, offset, part)
            at += len(part)
            self.progress = replace(self.progress, received=at)
            if self.progress.sha256 and not at % (COMMIT_BLOCKS * size):
                self._put(self.progress)
        self._show()

    def sha256_of_received(self) -> str:
        """Of what lies in the slot now, hex."""
        size, left = self._spare.block_size, self.progress.received
        found = hashlib.sha256()
        for block in range(-(-left // size)):
            found.update(self._spare.read(block, 0, min(size, left - block * size)))
        return found.hexdigest()

    def forget(self) -> None:
        """What was received is of no use."""
        self._put(Progress(last=self.progress.last))

    def pause(self) -> None:
        """The host's image goes on later, from where it is."""
        self.sender = ""
        self._tell()

    def finish(self) -> str:
        """All of it came: what it is, "reference 1.1.0". Raises :class:`.provisioning.Refused`; then the slot is never
        started."""
        self.sender = ""
        try:
            found = self._checked()
        except Refused as refused:
            raise self.failed(refused.number, str(refused)) from refused
        self._put(replace(self.progress, loaded=True, version=str(found["version"]), last=""))
        self._tell()
        return f"{found['name']} {found['version']}"

    def failed(self, number: str, why: str) -> Refused:
        """The attempt ended so: remembered and shown. What was received is forgotten, unless the image may come again.
        Returns what may be raised."""
        self.sender = ""
        there = self.progress if number in LATER and (self.progress.sha256 or self.progress.loaded) else Progress()
        self._put(replace(there, wanted=there.wanted and number in UNTIL_SETTLED, last=number))
        self._tell(texts.UPDATE, texts.UPDATE_FAILED, texts.update_reason(number), stays=True)
        return Refused(number, why)

    # -- it is installed -----------------------------------------------------------------------------------------------

    def install(self) -> str:
        """Checks again and asks the boot loader for it; the version. It starts when the terminal does, for which the
        caller sees :attr:`restart_due`. Raises :class:`.provisioning.Refused`."""
        self.refuse_while_busy()
        if not self.progress.loaded:
            raise self.failed(NOTHING, "nothing is loaded")
        try:
            found = self._checked()
            self.refuse_loss(found)
        except Refused as refused:
            raise self.failed(refused.number, str(refused)) from refused
        self._put(replace(self.progress, installing=True, last=""))
        self._boot.request_trial()
        self.restart_due = True
        return str(found["version"])

    def want(self) -> None:
        """What is loaded is to be installed by itself, but not before :meth:`pause`: its sender is not done yet."""
        self.sender = NETWORK
        self._put(replace(self.progress, wanted=True))

    def unwant(self) -> None:
        """It stays loaded."""
        self._put(replace(self.progress, wanted=False))

    def run(self) -> Flow[None]:
        """For ever: installs what is wanted when nobody uses the terminal."""
        while True:
            yield Wait(until=self._is_due)
            with contextlib.suppress(Refused):
                self.install()
                self.restart()

    def _is_due(self) -> bool:
        return self.progress.wanted and self._idle() and not self.sender and not self._held_back()

    def _held_back(self) -> bool:
        """It was refused because something is stored, and that still is."""
        try:
            if self.progress.last in UNTIL_SETTLED:
                self._refuse_while_stored()
        except Refused:
            return True
        return False

    def restart(self) -> None:
        """What was installed is started."""
        if self.restart_due:
            self._reboot()

    def refuse_loss(self, found: Mapping[str, Any] | None = None) -> None:
        """An image that begins with nothing stored is not for a terminal that has something. Raises
        :class:`.provisioning.Refused`."""
        if (found or self._checked())["resets"]:
            self._refuse_while_stored()

    def _refuse_while_stored(self) -> None:
        numbers = {rules.identity_refusal(store.state, store.log) for store in self._stores}
        if STORED in numbers or any(store.state.signatures for store in self._stores):
            raise Refused(STORED, "transactions stored, and this version begins with nothing")
        if REVERSAL in numbers:
            raise Refused(REVERSAL, "reversal pending, and this version begins with nothing")

    def status(self) -> str:
        """What ``UPDATE?`` tells."""
        there = self.progress
        state = "trial" if self._boot.trial else "loaded" if there.loaded else "loading" if self.sender else "none"
        return (
            f"UPDATE state={state} version={there.version or '-'} received={there.received}/{there.size} "
            f"last={there.last or '-'}"
        )

    # -- what is behind it ---------------------------------------------------------------------------------------------

    def _checked(self) -> Mapping[str, Any]:
        """What the boot loader finds in the slot, where it may be run here. Raises :class:`.provisioning.Refused`."""
        found = self._boot.check_spare()
        if found["refused"]:
            raise Refused(REFUSED_AS.get(str(found["refused"]), DAMAGED), str(found["reason"]))
        if int(found["size"]) > self.progress.size:  # what lay in the slot before makes it whole
            raise Refused(DAMAGED, f"cut short: {self.progress.size} bytes of {found['size']}")
        if int(found["data_format"]) < self._data_format:
            raise Refused(DATA_FORMAT, f"its data format is {found['data_format']}, what is stored has "
                                       f"{self._data_format}")
        if not newer(str(found["version"]), self._version):
            raise Refused(TOO_OLD, f"version {found['version']} is not above {self._version}")
        return found

    def tell_how_it_ended(self) -> None:
        """An installation, which is known at the next start."""
        there = self.progress
        if self._boot.returned:
            after = Progress(last=RETURNED_BECAUSE.get(self._boot.returned, RETURNED))
            if after != there:  # the boot loader may say it at every start
                self._put(after)
                self._tell(texts.UPDATE, texts.UPDATE_FAILED, texts.update_reason(after.last), stays=True)
        elif there.installing and there.version == self._version:
            self._put(Progress())
        elif there.installing:  # the power went before the boot loader was asked
            self._put(replace(there, installing=False))

    def _show(self) -> None:
        there = self.progress
        percent = there.received * 100 // there.size
        if percent != self._shown:
            self._shown = percent
            self._tell(texts.UPDATE, f"{texts.RECEIVED} {percent}%")

    def _read(self) -> Progress:
        """What was last put; what can't be read is none: it costs a transfer, nothing else."""
        try:
            return Progress(**(self._stores[0].table(_TABLE) or {}))
        except (TypeError, ValueError):
            return Progress()

    def _put(self, progress: Progress) -> None:
        if progress != self._read():
            self._stores[0].put_table(_TABLE, asdict(progress))
        self.progress = progress


def newer(version: str, than: str) -> bool:
    """1.10.0 is above 1.9.5; what is no version is above nothing."""
    return _parts(version) > _parts(than)


def _parts(version: str) -> tuple[int, ...]:
    numbers = version.replace("+", ".").split(".")
    return tuple(int(n) for n in numbers) if all(n.isascii() and n.isdigit() for n in numbers) else ()
