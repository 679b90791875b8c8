"""From a dataset folder to the examples of SFT: an Arrow file of token ids and labels, and one example to look at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import cast

import pyarrow as pa

from curate.folder import DatasetFolder
from curate.progress import track
from curate.trajectory import Trajectory
from train.tokens import Example, Renderer

EXAMPLE = pa.schema(
    [
        pa.field("input_ids", pa.list_(pa.int32()), nullable=False),
        pa.field("labels", pa.list_(pa.int32()), nullable=False),
    ]
)
COLUMNS = ("trajectory_id", "messages", "tools", "split")
_AT_ONCE = 64


def chosen(folder: DatasetFolder, splits: Iterable[str]) -> Iterator[Trajectory]:
    """The trajectories of some splits."""
    wanted = frozenset(splits)
    for row in folder.rows("trajectories", COLUMNS):
        if row["split"] in wanted:
            yield cast(Trajectory, row)


def write_examples(folder: DatasetFolder, splits: Iterable[str], renderer: Renderer, path: Path) -> int:
    """Write the examples as an Arrow stream, which `datasets` maps into memory; returns how many there are."""
    count = 0
    rows = track(chosen(folder, splits), "rendering", total=folder.manifest.rows("trajectories"))
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, EXAMPLE) as writer:
        for some in _batches(example for row in rows for example in renderer.examples(row)):
            columns = {"input_ids": [one.input_ids for one in some], "labels": [one.labels for one in some]}
            writer.write_batch(pa.RecordBatch.from_pydict(columns, schema=EXAMPLE))
            count += len(some)
    return count


def _batches(examples: Iterator[Example]) -> Iterator[list[Example]]:
    some: list[Example] = []
    for example in examples:
        some.append(example)
        if len(some) == _AT_ONCE:
            yield some
            some = []
    if some:
        yield some


def marked(renderer: Renderer, example: Example, mark: tuple[str, str] = ("⟦", "⟧")) -> str:
    """The text of an example, what is trained between marks."""
    parts = []
    for piece in example.pieces:
        text = renderer.format.tokenizer.decode(piece.ids, skip_special_tokens=False)
        parts.append(f"{mark[0]}{text}{mark[1]}" if piece.trained else text)
    return "".join(parts)
