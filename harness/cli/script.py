"""The face of ``hil97 terminal run`` without a console: commands from stdin, screens and slips as text on stdout."""

from __future__ import annotations

import sys
import threading
import time
from collections import deque

from harness.cli.face import Face, Typed, introduced, told
from harness.errors import BadInput
from harness.i18n import _
from harness.terminal.alone import Alone
from harness.terminal.typed import HELP, Hands, Show, Wait


class Script(Face):
    """Lines are obeyed one after the other; a ``wait`` holds back those after it. The end of stdin is the end."""

    _new_slips = 0  # since the last one that was waited for

    def serve(self, terminal: Alone) -> int:
        """0, or 1 where a ``wait`` was in vain. BadInput names the line."""
        for label, where in introduced(terminal).items():
            _block(f"{label}: {where}")
        threading.Thread(target=self._read_lines, daemon=True).start()
        hands, held = Hands(terminal.panel), deque[Typed]()
        wait: Wait | None = None
        end = 0.0
        while True:
            if wait is not None and self._has_come(wait):
                wait = None
            if wait is None and held:
                line = held.popleft()
                if line.text is None:
                    return 0
                asked = _obeyed(hands, line)
                if asked == Show("quit"):
                    return 0
                if isinstance(asked, Wait):
                    wait, end = asked, time.monotonic() + asked.seconds
                elif asked is not None:
                    _block("screen", self.lines) if asked.what == "screen" else _block("help", HELP.splitlines())
                continue
            left = end - time.monotonic() if wait is not None else 1.0
            if left <= 0:
                assert wait is not None
                text = wait.text or _("a slip")
                words = _("waited {seconds:g} s in vain for {text}").format(seconds=wait.seconds, text=text)
                print(f"hil97: {words}", file=sys.stderr)
                return 1
            came = self._next(terminal, left)
            if isinstance(came, Typed):
                held.append(came)
            elif came is not None:
                self._show(came)

    def _has_come(self, wait: Wait) -> bool:
        if wait.text is not None:
            return self._shows(wait.text)
        came, self._new_slips = self._new_slips > 0, 0
        return came

    def _show(self, event: dict[str, object]) -> None:
        if event["ev"] == "screen":
            if self._read_screen(event):
                _block("screen", self.lines)
        elif event["ev"] == "paper":
            self._new_slips += 1
            _block("slip", self._read_slip(event))
        elif words := told(event):
            _block(words)

    def _read_lines(self) -> None:
        for number, raw in enumerate(sys.stdin.buffer, 1):
            self._came.put(Typed(raw.decode("utf-8", "replace").strip(), number))
        self._came.put(Typed(None))


def _obeyed(hands: Hands, line: Typed) -> Wait | Show | None:
    try:
        return hands.obey(line.text or "")
    except BadInput as error:
        raise BadInput(error.message, where=f"<stdin>:{line.number}", remedy=error.remedy) from error


def _block(title: str, lines: list[str] | None = None) -> None:
    """``== title``, its lines indented by two, so that no content looks like a title."""
    text = "\n".join([f"== {title}", *[f"  {line}" for line in lines or []]])
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding), flush=True)
