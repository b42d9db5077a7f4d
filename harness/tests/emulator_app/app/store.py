"""The counter that survives power-off, on littlefs: two files that are written one after the other."""

from typing import Any

from littlefs import LittleFS


class Store:
    """Whole files by name."""

    def __init__(self, flash: Any) -> None:
        self._fs = LittleFS(context=flash.littlefs_context(), mount=False, block_size=flash.block_size,
                            block_count=flash.block_count)
        self._fs.mount()

    def read(self, name: str) -> bytes:
        try:
            with self._fs.open(name, "rb") as file:
                content: bytes = file.read()
                return content
        except FileNotFoundError:
            return b""

    def write(self, name: str, data: bytes) -> None:
        with self._fs.open(name, "wb") as file:
            file.write(data)
