"""The reference firmware in this process against the real acquirer in this process: the host's port is a socket, behind
it decides :class:`harness.acquirer.host.Host`.
"""

from __future__ import annotations

from typing import Any, Self

from harness.emulator.firmware.app.store import Store
from harness.protocol.frames import Frame, decode
from harness.protocol.profile import Profile
from harness.terminal.dialect import parameters
from harness.tests.acquirer_terminal import InProcess, profile
from harness.tests.firmware_bench import Answer, Bench, Host, MemoryFlash

MIDS, TIDS = ("898111100000001", "898111100000002"), ("97000001", "97020001")


class AcquirerHost(Host):
    """Answers as the acquirer does; ``script`` may say otherwise, by code and fields, as in :class:`Host`."""

    def __init__(self, acquirer: InProcess) -> None:
        super().__init__()
        self.acquirer = acquirer

    def compose(self, request: Frame, answer: Answer) -> Frame:
        if answer != Answer():
            return super().compose(request, answer)
        raw = self.acquirer.exchange(request.raw)
        assert raw is not None
        return decode(raw)


class AcquirerBench(Bench):
    """A terminal provisioned for the acquirer, with as many merchants as its model has. Not signed in."""

    def __init__(self, *, merchants: int = 1, time_scale: float = 1.0, with_profile: Profile | None = None) -> None:
        self.acquirer = InProcess(with_profile or profile())
        super().__init__(model="HT-200" if merchants > 1 else "HT-100", time_scale=time_scale)
        self.host.close()
        self.host = AcquirerHost(self.acquirer)
        for name, value in parameters(self.acquirer.host.profile).items():
            assert self.serve(f"PARAM {name}={value}").startswith("OK "), name
        for number in range(1, merchants + 1):
            mid, tid = MIDS[number - 1], TIDS[number - 1]
            self.acquirer.do("register_merchant", mid=mid, name="test")
            tmk = self.acquirer.do("register_terminal", mid=mid, tid=tid)["tmk"]
            if merchants > 1:
                assert self.serve(f"MERCHANT {number}") == f"OK MERCHANT {number}"
            for line in (f"KEY TMK {tmk}", f"SET TID={tid} MID={mid}", f"HOST 127.0.0.1 {self.host.port} 6000030000"):
                assert self.serve(line).startswith("OK "), line

        if merchants > 1:
            assert self.serve("MERCHANT 1") == "OK MERCHANT 1"

    def __enter__(self) -> Self:
        return self

    def office(self, op: str, merchant: int = 1, **arguments: Any) -> dict[str, Any]:
        """An operation of the back office on a merchant's terminal."""
        return self.acquirer.do(op, mid=MIDS[merchant - 1], tid=TIDS[merchant - 1], **arguments)

    def select(self, number: int) -> None:
        """At the keypad: this merchant works from now on."""
        self.key("CANCEL", "FUNC")
        self.run(self.shows("功能菜单"))
        self.key("8")
        self.run(self.shows("请选择商户"))
        self.key(str(number))
        self.run(self.shows("设置成功", TIDS[number - 1]))
        self.key("CANCEL")

    def store(self, merchant: int = 1) -> Store:
        """What a merchant has in the flash now."""
        return Store(MemoryFlash(bytes(self.flash.content))).of_merchant(merchant)

    def codes(self) -> list[str]:
        """F60.3 of the network messages so far."""
        return [frame.network_code for frame in self.host.requests if frame.mti[:2] == "08"]
