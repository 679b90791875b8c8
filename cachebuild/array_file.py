"""Named arrays in one read-only file, memory-mapped: processes that read one file share its pages.

Layout: prefix, arrays, header. One checksum guards all of it; it is checked at open, because compiled loops read the
arrays without looking.
"""

from __future__ import annotations

import json
import mmap
import os
from collections.abc import Mapping
from pathlib import Path
from struct import Struct
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_64

from cachebuild.hash_file import Damaged

LAYOUT_VERSION = 1
_MAGIC = b"crlarray"
_PREFIX = Struct(
    "<8sQQQQ"
)  # magic, version, size of the file, where the header begins, checksum of all behind this and of that place
_HEADER_AT = Struct("<Q")
_ALIGN = 64


def write_arrays(handle: BinaryIO, arrays: Mapping[str, NDArray[Any]], info: Mapping[str, Any]) -> None:
    """Write into an empty file; the caller makes it durable and gives it its name."""
    checked, at = xxh3_64(), _PREFIX.size
    handle.write(bytes(_PREFIX.size))

    def add(data: bytes | memoryview) -> None:
        nonlocal at
        handle.write(data)
        checked.update(data)
        at += len(data)

    sections = {}
    for name, array in arrays.items():
        add(bytes(-at % _ALIGN))
        sections[name] = [at, list(array.shape), array.dtype.descr]
        add(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    header = at
    add(json.dumps({"info": dict(info), "arrays": sections}).encode())
    checked.update(_HEADER_AT.pack(header))
    handle.seek(0)
    handle.write(_PREFIX.pack(_MAGIC, LAYOUT_VERSION, at, header, checked.intdigest()))
    handle.flush()


class ArrayFile:
    """An open file.

    Attributes:
        info: what its writer said of it.
        arrays: by name, read-only.
    """

    def __init__(self, path: Path) -> None:
        with path.open("rb") as handle:
            if os.fstat(handle.fileno()).st_size < _PREFIX.size:
                raise Damaged(f"{path} is cut off")
            content = mmap.mmap(handle.fileno(), 0, prot=mmap.PROT_READ)
        magic, version, size, at, check = _PREFIX.unpack(content[: _PREFIX.size])
        if magic != _MAGIC or version != LAYOUT_VERSION:
            raise Damaged(f"{path} is of another layout")
        checked = xxh3_64(memoryview(content)[_PREFIX.size :])
        checked.update(_HEADER_AT.pack(at))
        if size != len(content) or checked.intdigest() != check:
            raise Damaged(f"{path} is damaged")
        header = json.loads(content[at:])
        self.info: dict[str, Any] = header["info"]
        self.arrays = {name: _array(content, *section) for name, section in header["arrays"].items()}


def _array(content: mmap.mmap, at: int, shape: list[int], described: list[list[str]]) -> NDArray[Any]:
    plain = len(described) == 1 and not described[0][0]
    kind = np.dtype(described[0][1] if plain else [(name, kind) for name, kind in described])
    return np.frombuffer(content, kind, int(np.prod(shape)), at).reshape(shape)
