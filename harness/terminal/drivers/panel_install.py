"""A unit's way into service and out of it at an emulated terminal: activation by a code, backup, restore."""

from __future__ import annotations

import time
from pathlib import Path

from harness.history.update_events import BackupTaken
from harness.terminal.contracts import Completion, Via
from harness.terminal.drivers.panel_hands import MANAGE, PATIENCE_S, PanelHands
from harness.terminal.drivers.panel_operation import ENDED, PROGRESS, PanelOperation

ASK_CODE, ACTIVATE_KEY = "请输入激活码", "4"
BACKUPS = "backups"  # in the bench's folder


class PanelInstall(PanelHands):
    """Implements ``harness.terminal.contracts.Activates`` and ``BacksUp``."""

    # -- activation ---------------------------------------------------------------------------------------------------

    def begin_activation(self, code: str, *, via: Via = "keypad") -> PanelOperation:
        """By the keypad: the code is typed, the terminal is at work."""
        operation = self._invoke("activate", via)
        with operation.guarded():
            self._open("manage", operation, (MANAGE,), "the management menu")
            self._step_by_key(ACTIVATE_KEY, ASK_CODE, "the request for the activation code")
            self.front.type(code)
            operation.start = self.front.press("ENTER")
            seen = self._look_for((*PROGRESS, *ENDED), "the begin of the activation", after=operation.start)
            if any(text in seen.text for text in ENDED):
                operation.start = seen.number - 1
        return operation

    def activate(self, code: str, *, via: Via = "keypad") -> Completion:
        """By the service port the answer comes when the host has answered, and the screen shows it too."""
        if via != "service":
            return self.begin_activation(code, via=via).wait()
        operation = self._invoke("activate", via)
        with operation.guarded():
            self.to_idle()
            told = self._served(f"ACTIVATE {code}", self._answer_s)
            self.front.press("CANCEL")  # its result, which may not have been read yet: the next key is not for that
            return operation.complete(told)
        raise AssertionError("guarded() re-raises")

    # -- backup and restore -------------------------------------------------------------------------------------------

    def back_up(self, key: str) -> str:
        """The text, which stands in the bench's folder too; "" where the terminal refuses."""
        operation = self._invoke("back_up", "service")
        with operation.guarded():
            told = self._served(f"BACKUP {key}", patience_s=PATIENCE_S)
            if not told.ok:
                operation.complete(told)
                return ""
            count = int(told.text.split()[-1])
            text = "\n".join(self._served(f"BACKUP LINE {number}").text for number in range(1, count + 1)) + "\n"
            name = f"{BACKUPS}/backup-{operation.number}.txt"
            self._keep(name, text)
            self._recorder.append(BackupTaken(t=time.monotonic_ns(), op=operation.number, file=name, text=text))
            operation.complete(told)
            return text
        raise AssertionError("guarded() re-raises")

    def _keep(self, name: str, text: str) -> None:
        path: Path = self.front.evidence / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="ascii")

    def cancel_backup(self) -> Completion:
        """The unit keeps its batch: the backup is restored nowhere."""
        return self._served("BACKUP CANCEL")

    def restore(self, backup: str, key: str) -> Completion:
        """Into a unit that has nothing stored."""
        operation = self._invoke("restore", "service")
        with operation.guarded():
            told = self._served(f"RESTORE {key}")
            for line in backup.splitlines():
                if not told.ok:
                    break
                told = self._served(f"RESTORE LINE {line}")
            if told.ok:
                told = self._served("RESTORE END")
            self.money_moved = self.money_moved or told.ok
            return operation.complete(told)
        raise AssertionError("guarded() re-raises")
