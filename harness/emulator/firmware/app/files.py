"""The file system of the flash: littlefs, whole files, and files behind a checksum."""

from __future__ import annotations

import zlib

from littlefs import LittleFS, LittleFSError, UserContext, lfs
from littlefs.lfs import LFSConfig, LFSFileFlag

from . import texts
from .hardware import BlockDevice

_READ, _REPLACE, _MODIFY = (  # littlefs: rdonly; wronly creat trunc; rdwr creat
    LFSFileFlag(0x001), LFSFileFlag(0x002 | 0x100 | 0x400), LFSFileFlag(0x003 | 0x100)
)
_NEW = ".new"  # behind the name of a file that is about to be created
_IS_FOLDER = 2  # littlefs: LFS_TYPE_DIR

FilesFault = LittleFSError  # what every method may raise


class FileChanged(ValueError):
    """A file is not what was written: somebody else wrote in it, or the flash forgot. ``told``: for the operator."""

    def __init__(self, name: str) -> None:
        super().__init__(f"checksum of {name}")
        self.told = (f"{texts.FILE_CHANGED}{name}",)


class _Context(UserContext):
    """littlefs' callbacks on the board's flash."""

    def __init__(self, flash: BlockDevice) -> None:
        self._flash = flash  # the base class's buffer is not wanted

    def read(self, cfg: LFSConfig, block: int, off: int, size: int) -> bytearray:
        return bytearray(self._flash.read(block, off, size))

    def prog(self, cfg: LFSConfig, block: int, off: int, data: bytes) -> int:
        self._flash.program(block, off, bytes(data))
        return 0

    def erase(self, cfg: LFSConfig, block: int) -> int:
        self._flash.erase(block)
        return 0

    def sync(self, cfg: LFSConfig) -> int:
        return 0


class Files:
    """Mounts when it is made. A name may have a folder before it: ``d2/1.commit``. Raises :data:`FilesFault`."""

    def __init__(self, flash: BlockDevice) -> None:
        self._fs = LittleFS(
            context=_Context(flash), mount=False, block_size=flash.block_size, block_count=flash.block_count,
            read_size=16, prog_size=16, cache_size=1024, lookahead_size=32, block_cycles=500,
        )
        self._fs.mount()

    # -- names ---------------------------------------------------------------------------------------------------------

    def names(self, folder: str = "/") -> list[str]:
        """The files in a folder, without it; none where there is no such folder."""
        return [entry for entry, is_folder in self._entries(folder) if not is_folder]

    def folders(self) -> list[str]:
        """Those at the root: there are none deeper."""
        return [entry for entry, is_folder in self._entries("/") if is_folder]

    def make_folder(self, folder: str) -> None:
        """Where it is there already, nothing happens."""
        if folder not in self.folders():
            self._fs.mkdir(folder)

    def remove_folder(self, folder: str) -> None:
        """With what is in it; not as one, but for the folder itself, which goes last."""
        for name in self.names(folder):
            self.remove(f"{folder}/{name}")
        self._fs.rmdir(folder)

    def remove(self, name: str) -> None:
        self._fs.remove(name)

    def rename(self, old: str, new: str) -> None:
        """One atomic change; what was called ``new`` is replaced."""
        self._fs.rename(old, new)

    def _entries(self, folder: str) -> list[tuple[str, bool]]:
        try:
            return [(entry.name, entry.type == _IS_FOLDER) for entry in self._fs.scandir(folder)]
        except LittleFSError as error:
            if error.code == LittleFSError.Error.LFS_ERR_NOENT:
                return []
            raise

    # -- content -------------------------------------------------------------------------------------------------------

    def read(self, name: str) -> bytes | None:
        """None: there is no such file."""
        size = self._size(name)
        if size is None:
            return None
        file = lfs.file_open(self._fs.fs, name, _READ)
        data = bytes(lfs.file_read(self._fs.fs, file, size))
        lfs.file_close(self._fs.fs, file)
        return data

    def write(self, name: str, data: bytes) -> None:
        """One atomic replacement of what is there; where nothing is, a power cut may leave an empty file."""
        file = lfs.file_open(self._fs.fs, name, _REPLACE)
        lfs.file_write(self._fs.fs, file, data)
        lfs.file_close(self._fs.fs, file)

    def append(self, name: str, at: int, data: bytes) -> None:
        """Behind the first ``at`` bytes; what a power cut left there is overwritten."""
        file = lfs.file_open(self._fs.fs, name, _MODIFY)
        if lfs.file_size(self._fs.fs, file) > at:
            lfs.file_truncate(self._fs.fs, file, at)
        lfs.file_seek(self._fs.fs, file, at, 0)
        lfs.file_write(self._fs.fs, file, data)
        lfs.file_close(self._fs.fs, file)

    def read_checked(self, name: str) -> bytes | None:
        """What :meth:`write_checked` wrote; None: there is no such file. Raises :class:`FileChanged`."""
        raw = self.read(name)
        if raw is None:
            return None
        checksum, _, data = raw.partition(b"\n")
        if checksum != b"%08x" % zlib.crc32(data):
            raise FileChanged(name)
        return data

    def write_checked(self, name: str, data: bytes) -> None:
        """One atomic replacement or creation, behind a checksum. littlefs makes a new file before it fills it: where
        there is none yet it is filled under another name."""
        if self._size(name) is None:
            self.write_new(name + _NEW, data)
            self.rename(name + _NEW, name)
        else:
            self.write_new(name, data)

    def write_new(self, name: str, data: bytes) -> None:
        """As :meth:`write`, behind a checksum: for a file that nobody looks at yet."""
        self.write(name, b"%08x\n" % zlib.crc32(data) + data)

    def _size(self, name: str) -> int | None:
        """In bytes; None: there is no such file."""
        try:
            return int(lfs.stat(self._fs.fs, name).size)
        except LittleFSError as error:
            if error.code == LittleFSError.Error.LFS_ERR_NOENT:
                return None
            raise
