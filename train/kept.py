"""Finished pieces of a long run, each durable before the next counts: a run that is stopped goes on behind them.

A piece is one line, `NUMBER<tab>JSON`, in segments that are only appended to.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

from curate.atomic import write_file
from curate.errors import UsageError
from synth.journal.segment import SegmentWriter, cut_torn_tail, read_line, segment_numbers, segment_path, whole_lines

RUN = "run.json"


class Kept:
    """The pieces of one run, by number.

    Args:
        folder: where they stand, which no other run writes to.
        identity: of the run.
        discard: drop what a run with another identity left.

    Raises:
        UsageError: if the folder holds pieces of another run.
    """

    def __init__(self, folder: Path, identity: str, *, discard: bool = False) -> None:
        self._folder = folder
        self._places: dict[int, tuple[Path, int]] = {}
        self._writer = SegmentWriter(folder)
        self._claim(identity, discard)
        for number in segment_numbers(folder):
            path = segment_path(folder, number)
            cut_torn_tail(path)
            for at, line in whole_lines(path, 0):
                self._places[int(line.partition(b"\t")[0])] = path, at

    def __contains__(self, number: int) -> bool:
        return number in self._places

    def __len__(self) -> int:
        return len(self._places)

    def add(self, number: int, rows: Sequence[Any]) -> None:
        """Keep a piece; it is durable when this returns."""
        segment, at = self._writer.append(b"%d\t%s\n" % (number, orjson.dumps(rows)))
        self._places[number] = segment_path(self._folder, segment), at

    def rows(self) -> Iterator[Any]:
        """The rows of all pieces, in the order of their numbers."""
        handles: dict[Path, int] = {}
        try:
            for number in sorted(self._places):
                path, at = self._places[number]
                if path not in handles:
                    handles[path] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
                yield from orjson.loads(read_line(handles[path], at).partition(b"\t")[2])
        finally:
            for handle in handles.values():
                os.close(handle)

    def close(self) -> None:
        """Close the open segment."""
        self._writer.close()

    def _claim(self, identity: str, discard: bool) -> None:
        known, found = self._folder / RUN, segment_numbers(self._folder)
        if found and (not known.exists() or json.loads(known.read_bytes()).get("identity") != identity):
            if not discard:
                raise UsageError(
                    f"{self._folder} holds what a run with other settings or inputs has done; give those again, use "
                    "--overwrite to drop it, or choose another --out"
                )
            for number in found:
                segment_path(self._folder, number).unlink()
        write_file(known, json.dumps({"identity": identity}).encode())
