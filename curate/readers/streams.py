"""A file's bytes, unpacked by its last suffix (.gz, .zst); damage is raised only after all bytes before it."""

from __future__ import annotations

import gzip
import io
import zlib
from pathlib import Path
from typing import Any

import zstandard

CHUNK = 1 << 20
DAMAGE = (EOFError, zlib.error, gzip.BadGzipFile, zstandard.ZstdError)
"""What a damaged or cut-off compressed stream raises."""


def open_stream(path: Path) -> io.BufferedReader[Any]:
    """The unpacked bytes of a file, by its last suffix; raises one of `DAMAGE` where it is cut off."""
    if path.name.endswith(".gz"):
        return io.BufferedReader(_Gzip(path), CHUNK)
    if path.name.endswith(".zst"):
        return io.BufferedReader(_Zstd(path), CHUNK)
    return io.BufferedReader(path.open("rb", buffering=0), CHUNK)


class _Gzip(io.RawIOBase):
    """A .gz file that hands on all it could unpack before it raises; the library's reader would drop the last MB."""

    def __init__(self, path: Path) -> None:
        self._file = gzip.GzipFile(path)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._file.read1(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()


class _Zstd(io.RawIOBase):
    """A .zst file that raises where its last frame is cut off; the library's reader would just end."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self._decoder = zstandard.ZstdDecompressor().decompressobj()
        self._ready = b""
        self._ended = True

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready:
            chunk = self._decoder.unused_data if self._decoder.eof else b""
            if self._decoder.eof:
                self._decoder = zstandard.ZstdDecompressor().decompressobj()
            chunk = chunk or self._file.read(CHUNK)
            if not chunk:
                if not self._ended:
                    raise EOFError("the last frame is not complete")
                return 0
            self._ready = self._decoder.decompress(chunk)
            self._ended = self._decoder.eof
        size = min(len(buffer), len(self._ready))
        buffer[:size], self._ready = self._ready[:size], self._ready[size:]
        return size

    def close(self) -> None:
        self._file.close()
        super().close()
