"""Camera by HTTP: any that gives its picture as PNG at a path, as the emulated one does at ``/snapshot.png``.

    instruments:
      camera: {driver: http-camera, address: "http://10.1.2.7:8080", identity: EMU-CAMERA}

``path`` (``/snapshot.png``): of the picture. A camera without ``/v1/info`` (docs/instruments-emulated.md) needs a
driver of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from harness.history.instrument_events import InstrumentKind, Quantity
from harness.instruments.drivers._arm import HttpDevice
from harness.instruments.transport import troubles
from harness.instruments.transport.http import TIMEOUT_S

_PNG = b"\x89PNG\r\n\x1a\n"
_END = b"IEND\xaeB`\x82"


class HttpCamera(HttpDevice):
    kind: ClassVar[InstrumentKind] = "camera"
    name: ClassVar[str] = "http-camera"
    tried: ClassVar[bool] = True
    quantities: ClassVar[Mapping[str, Quantity]] = {}
    safe: ClassVar[str] = "always"

    def __init__(self, address: str, *, timeout_s: float = TIMEOUT_S, path: str = "/snapshot.png") -> None:
        self._path = path
        super().__init__(address, timeout_s=timeout_s)

    def read(self) -> Mapping[str, float]:
        return {}

    def snapshot(self) -> bytes:
        picture = self._line.fetch(self._path)
        if not picture.startswith(_PNG) or not picture.endswith(_END):
            said = picture[:40].decode("latin-1")
            raise troubles.garbage(self._line.address, f"GET {self._path}", said, "PNG picture")
        return picture

    def make_safe(self) -> None: ...

    def is_safe(self) -> bool:
        return True
