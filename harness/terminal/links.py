"""The two serial lines of a terminal as the bench uses them: the cashier link and the service port, both recorded."""

from __future__ import annotations

import contextlib
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping

from harness.errors import TerminalTimeout
from harness.history.events import Cashier, Counters, Service
from harness.history.recorder import Recorder
from harness.terminal.cashier import PLAIN, TYPES, Framing, Message, Receiver, encode
from harness.terminal.serial_line import RawLine, SerialLine


class CashierLink:
    """The till: sends one command at a time and waits for its answer."""

    def __init__(self, url: str, recorder: Recorder, *, bench: str, framing: Framing = PLAIN) -> None:
        self._recorder, self._bench, self._framing = recorder, bench, framing
        self._receiver = Receiver(framing)
        self._messages: list[Message] = []
        self._changed = threading.Condition()
        self._line = SerialLine(url, 9600, self._on_bytes, bench=bench, what="cashier link")

    def _on_bytes(self, data: bytes) -> None:
        now = time.monotonic_ns()
        for message in self._receiver.feed(data):
            self._recorder.append(
                Cashier(t=now, direction="from_terminal", hex=message.raw.hex().upper(), fields=message.fields)
            )
            with self._changed:
                self._messages.append(message)
                self._changed.notify_all()

    def command(self, kind: str, tags: Mapping[str, str]) -> str:
        """Send a command with what its ``tags`` say (tag -> text); returns its echo number (DF04), by which the answer
        is known. Waits for the ACK (5 s)."""
        echo = f"{secrets.randbelow(10_000):04d}"
        fields = {"DF01": "00", "DF02": TYPES[kind], "DF04": echo, **tags}
        raw = encode(fields, self._framing)
        with self._changed:
            start = len(self._messages)
        self._recorder.append(
            Cashier(t=time.monotonic_ns(), direction="to_terminal", hex=raw.hex().upper(), fields=fields)
        )
        self._line.write(raw)
        self._await(lambda m: m.kind in ("ack", "nak"), start, 5.0, f"the acknowledgement of cashier command {kind}")
        return echo

    def answer(self, echo: str, deadline_s: float) -> dict[str, str]:
        """The answer (DF01 = 02) that carries our echo number."""
        wanted = self._await(
            lambda m: m.fields.get("DF01") == "02" and m.fields.get("DF04") == echo,
            0,
            deadline_s,
            "the result on the cashier link",
        )
        with self._changed:
            self._messages.clear()
        return wanted.fields

    def send_raw(self, data: bytes) -> None:
        """Bytes as they are (wild input)."""
        self._recorder.append(Cashier(t=time.monotonic_ns(), direction="to_terminal", hex=data.hex().upper()))
        self._line.write(data)

    def _await(self, wanted: Callable[[Message], bool], start: int, deadline_s: float, what: str) -> Message:
        end = time.monotonic() + deadline_s
        with self._recorder.waiting(), self._changed:
            at = start
            while True:
                while at < len(self._messages):
                    if wanted(self._messages[at]):
                        return self._messages[at]
                    at += 1
                self._line.check()
                left = end - time.monotonic()
                if left <= 0:
                    last = self._messages[-1] if self._messages else None
                    seen = f"{last.kind} {last.raw.hex()} {last.problem}" if last else "nothing"
                    raise TerminalTimeout(what, deadline_s, bench=self._bench, seen=seen)
                self._changed.wait(min(left, 0.5))

    def close(self) -> None:
        self._line.close()


def _without_control(text: str) -> str:
    """An answer, without what a receiver of blocks said right before it."""
    found = re.search(r"(OK|ERR) .*", text)
    return "".join(character for character in (found.group() if found else text) if character.isprintable())


_SECRET = re.compile(
    r"(?i)((?:TLS\s+KEY|KEY\s+\w+|^(?:BACKUP|RESTORE)(?=\s+[0-9A-F]{32}$))\s+)[0-9A-Z+/=]+"
)


class ServicePort:
    """The service engineer's line: one command, one answer line."""

    def __init__(self, url: str, recorder: Recorder, *, bench: str) -> None:
        self._recorder, self._bench = recorder, bench
        self._held = b""
        self._raw: RawLine | None = None
        self._unsettled = False
        self._lines: list[str] = []
        self._changed = threading.Condition()
        self._line = SerialLine(url, 115200, self._on_bytes, bench=bench, what="service port")

    def _on_bytes(self, data: bytes) -> None:
        with self._changed:
            if self._raw is not None:
                self._raw.take(data)
                return
            self._held += data
            *lines, self._held = self._held.split(b"\r\n")
            self._held = self._held[-4096:]
            among_blocks = self._unsettled
        for raw in lines:
            text = raw.decode("ascii", errors="replace")
            self._take_line(_without_control(text) if among_blocks else text)

    def _take_line(self, text: str) -> None:
        self._recorder.append(Service(t=time.monotonic_ns(), direction="from_terminal", text=text))
        with self._changed:
            self._lines.append(text)
            self._changed.notify_all()

    def ask(self, command: str, deadline_s: float = 5.0, *, powered: Callable[[], bool] = lambda: True) -> str:
        """Send a line, return the answer line ("OK ..." or "ERR nn reason"). None comes once it is not ``powered``."""
        if self._unsettled:
            self._settle(deadline_s)
        with self._changed:
            self._lines.clear()
        shown = _SECRET.sub(r"\1***", command)
        self._recorder.append(Service(t=time.monotonic_ns(), direction="to_terminal", text=shown))
        self._line.write(command.encode("ascii") + b"\r\n")
        return self.next_line(f"the answer to {shown!r} on the service port", deadline_s, powered=powered)

    def next_line(self, what: str, deadline_s: float, *, powered: Callable[[], bool] = lambda: True) -> str:
        """The next line that the terminal says."""
        end = time.monotonic() + deadline_s
        with self._recorder.waiting(), self._changed:
            while not self._lines:
                self._line.check()
                left = end - time.monotonic()
                if left <= 0 or not powered():
                    raise TerminalTimeout(what, deadline_s - left, bench=self._bench)
                self._changed.wait(min(left, 0.5))
            return self._lines.pop(0)

    @contextlib.contextmanager
    def raw(self) -> Iterator[RawLine]:
        """Until it ends, the line's bytes as they are, unrecorded; what then is left is read as a line again."""
        with self._changed:
            self._lines.clear()
            self._raw = RawLine(self._line)
            self._raw.take(self._held)
            self._held = b""
        try:
            yield self._raw
        finally:
            with self._changed:
                self._held, self._raw = self._raw.rest(), None
            self._on_bytes(b"")

    def note(self, what: str) -> None:
        """One line of the history about what went over the line raw."""
        self._recorder.append(Service(t=time.monotonic_ns(), direction="to_terminal", text=what))

    def unsettle(self) -> None:
        """Bytes that are no command may lie at the terminal."""
        self._unsettled = True

    def settled(self) -> None:
        """The terminal has answered to all of it."""
        self._unsettled = False

    def _settle(self, deadline_s: float) -> None:
        """An empty line ends what lies there; then the terminal answers again what is asked."""
        self._line.write(b"\r\nVERSION\r\n")
        end = time.monotonic() + deadline_s
        while not self.next_line("an answer on the service port", max(0.0, end - time.monotonic())).startswith("OK "):
            pass
        self._unsettled = False

    def counters(self) -> dict[str, str]:
        """COUNTERS, parsed and recorded."""
        answer = self.ask("COUNTERS")
        values = dict(part.split("=", 1) for part in answer.split()[1:] if "=" in part)
        self._recorder.append(Counters(t=time.monotonic_ns(), values=values))
        return values

    def close(self) -> None:
        self._line.close()
