"""A dataset folder of any size to open in the reader: dialogues of the desk, varied in length, words, ids and numbers.

`python benchmarks/app_corpus.py OUT --trajectories 100000 --seed 0` records a few thousand dialogues, curates them, and
joins and rewrites those in Arrow, a row group at a time. Every row differs; one in fifty is a reject with a reason.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

# As a script this folder stands first, and a file in it has the name of the package that it measures.
sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != Path(__file__).resolve().parent]
from curate.folder import FolderWriter, read_batches  # noqa: E402
from curate.manifest import Manifest  # noqa: E402
from curate.palette import TIER_COLORS  # noqa: E402
from curate.pipeline import curate  # noqa: E402
from curate.progress import track  # noqa: E402
from curate.sandbox.export import export  # noqa: E402
from curate.schema import EVIDENCE, MESSAGE, REJECT, THINKING, TRAJECTORY  # noqa: E402
from curate.settings import CurateSettings  # noqa: E402

BASE = 3_000
GROUP = 1_000
REJECTED = 0.02
SOURCES = ("desk", "night-shift", "spring-campaign", "partners")
REASONS = ("repeated_calls", "incomplete", "ungrounded_argument", "too_many_failures", "near_duplicate")
VOCABULARY = (
    "parcel window saddle lantern harbour voucher repair ticket weekend bridge colour pocket signal garden courier "
    "morning balance receipt workshop cable village ribbon copper basket thunder meadow pencil orchard silver anchor"
).split()


@dataclass
class Pool:
    """What rows are made from: the messages of recorded dialogues, and sentences."""

    table: pa.Table
    items: Any
    begins: np.ndarray[Any, Any]
    sentences: Any

    @classmethod
    def of(cls, table: pa.Table, rng: np.random.Generator) -> Pool:
        """Take apart the recorded dialogues."""
        messages: Any = table["messages"].combine_chunks()
        drawn = rng.integers(0, len(VOCABULARY), (20_000, 24))
        ends = rng.integers(4, 24, 20_000)
        said = (" ".join(VOCABULARY[at] for at in row[:end]) for row, end in zip(drawn.tolist(), ends, strict=True))
        sentences = pa.array([f"{text.capitalize()} {at}." for at, text in enumerate(said)])
        return cls(table, messages.values, messages.offsets.to_numpy(), sentences)

    def rows(self, count: int, rng: np.random.Generator) -> pa.Table:
        """Rows that no other call gives."""
        parts = 1 + (rng.random(count) < 0.2) + 2 * (rng.random(count) < 0.05)
        owner = np.repeat(np.arange(count), parts)
        base = rng.integers(0, len(self.table), len(owner))
        first = np.concatenate([[True], owner[1:] != owner[:-1]])
        begins = self.begins[base] + ~first  # the policy stands once
        lengths = self.begins[base + 1] - begins
        at = np.repeat(begins - np.concatenate([[0], np.cumsum(lengths)[:-1]]), lengths) + np.arange(lengths.sum())
        sizes = np.bincount(owner, lengths, minlength=count).astype(np.int64)
        items = self.items.take(pa.array(at))
        return self._table(items, np.concatenate([[0], np.cumsum(sizes)]), base[first], rng)

    def _table(self, items: Any, offsets: Any, base: Any, rng: np.random.Generator) -> pa.Table:
        count, roles = len(base), np.array(items.field("role").to_pylist())
        thought = (roles == "assistant") & np.repeat(rng.random(count) < 0.7, np.diff(offsets))
        tables = _digit_tables(count, rng)
        columns = {name: items.field(name) for name in (field.name for field in MESSAGE)}
        columns["content"] = _rewritten(self._spoken(columns["content"], roles, rng), offsets, tables)
        thoughts = [self._sentences(len(items), rng) for _ in range(3)]
        columns["reasoning_content"] = _where(thought, pc.binary_join_element_wise(*thoughts, " "))
        columns["tool_calls"] = _rewritten_calls(columns["tool_calls"], offsets, tables)
        given = self.table.take(pa.array(base))
        made = {
            "trajectory_id": _ids(count, rng),
            "content_hash": _ids(count, rng),
            "source": pa.array(rng.choice(SOURCES, count)),
            "source_row": pa.array(rng.integers(0, 10_000_000, count)),
            "trial": pa.array(rng.integers(0, 16, count), pa.int32()),
            "messages": _lists(offsets, pa.StructArray.from_arrays(list(columns.values()), fields=list(MESSAGE))),
            "reward": pa.array(rng.integers(0, 5, count) / 4, pa.float32()),
            "thinking": _thinking(thought, offsets, rng),
            "split": pa.array(rng.choice(["train", "validation", "test"], count, p=[0.9, 0.05, 0.05])),
            "evidence": _evidence(columns["tool_calls"], offsets, rng),
        }
        return pa.table([made.get(name, given[name]) for name in TRAJECTORY.names], schema=TRAJECTORY)

    def _spoken(self, content: Any, roles: Any, rng: np.random.Generator) -> Any:
        """User messages with a sentence of their own."""
        more = _where(roles == "user", self._sentences(len(roles), rng))
        return pc.if_else(pc.is_valid(more), pc.binary_join_element_wise(content, more, " "), content)

    def _sentences(self, count: int, rng: np.random.Generator) -> Any:
        return self.sentences.take(pa.array(rng.integers(0, len(self.sentences), count)))


def _digit_tables(count: int, rng: np.random.Generator) -> list[bytes]:
    """For each row another order of the digits 1 to 9: ids agree within a row, and no number begins with 0."""
    tables = np.tile(np.arange(256, dtype=np.uint8), (count, 1))
    tables[:, 49:58] = rng.permuted(np.tile(np.arange(49, 58, dtype=np.uint8), (count, 1)), axis=1)
    return [table.tobytes() for table in tables]


def _rewritten(texts: Any, offsets: Any, tables: list[bytes]) -> Any:
    """Texts with their digits exchanged, each row by its own table; `offsets` are the rows' first texts."""
    texts = pa.concat_arrays([texts])
    _, places, data = texts.buffers()
    begins = np.frombuffer(places, np.int32, len(texts) + 1, 4 * texts.offset)
    ends = begins[offsets]
    whole = memoryview(data)
    parts = [bytes(whole[a:b]).translate(table) for a, b, table in zip(ends[:-1], ends[1:], tables, strict=True)]
    moved = pa.array(begins - begins[0], pa.int32()).buffers()[1]
    mask = texts.is_valid()
    return pc.if_else(mask, pa.StringArray.from_buffers(len(texts), moved, pa.py_buffer(b"".join(parts))), None)


def _rewritten_calls(calls: Any, offsets: Any, tables: list[bytes]) -> Any:
    calls = pa.concat_arrays([calls])
    inner, begins = calls.values, calls.offsets.to_numpy()
    names = [field.name for field in inner.type]
    fields = [inner.field(name) for name in names]
    fields[names.index("arguments")] = _rewritten(inner.field("arguments"), begins[offsets], tables)
    return _lists(begins, pa.StructArray.from_arrays(fields, fields=list(inner.type)))


def _lists(offsets: Any, values: Any) -> Any:
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values)


def _where(mask: Any, texts: Any) -> Any:
    return pc.if_else(pa.array(mask), texts, pa.scalar(None, pa.string()))


def _ids(count: int, rng: np.random.Generator) -> Any:
    drawn = rng.bytes(16 * count).hex()
    return pa.array([drawn[at : at + 32] for at in range(0, 32 * count, 32)])


def _thinking(thought: Any, offsets: Any, rng: np.random.Generator) -> Any:
    at = np.flatnonzero(thought)
    row = np.searchsorted(offsets, at, side="right") - 1
    count = len(at)
    flagged = rng.random(count) < 0.05
    codes = pa.array(rng.choice(["names_unseen", "too_long", "echoes_answer"], int(flagged.sum())))
    columns = [
        pa.array(at - offsets[row], pa.int32()),
        pa.array(rng.choice(["final", "silent", "announce"], count)),
        pa.array(rng.choice(["teacher", "recorded", "wrapped"], count, p=[0.8, 0.1, 0.1])),
        pa.array(["offline"] * count),
        pa.array(["1"] * count),
        _lists(np.concatenate([[0], np.cumsum(flagged)]), codes),
        pa.nulls(count, pa.string()),
    ]
    begins = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=len(offsets) - 1))])
    return _lists(begins, pa.StructArray.from_arrays(columns, fields=list(THINKING)))


def _evidence(calls: Any, offsets: Any, rng: np.random.Generator) -> Any:
    begins = calls.offsets.to_numpy()
    message = np.repeat(np.arange(len(calls)), np.diff(begins))
    row = np.searchsorted(offsets, message, side="right") - 1
    count = len(message)
    tiers = rng.choice(list(TIER_COLORS), count, p=[0.8, 0.06, 0.05, 0.04, 0.04, 0.01])
    columns = [
        pa.array(message - offsets[row], pa.int32()),
        pa.array(np.arange(count) - begins[message], pa.int32()),
        pa.array(tiers),
        pa.array(np.where(tiers == "exact", 1.0, rng.random(count)), pa.float32()),
        _ids(count, rng),
        pa.array(rng.integers(0, 20, count), pa.int32()),
        pa.nulls(count, pa.string()),
        pa.nulls(count, pa.float32()),
    ]
    return _lists(begins[offsets], pa.StructArray.from_arrays(columns, fields=list(EVIDENCE)))


def _rejects(rows: pa.Table, rng: np.random.Generator) -> pa.Table:
    count = len(rows)
    more = [pa.array(["filter"] * count), pa.array(rng.choice(REASONS, count))]
    more += [pa.array(["made for a benchmark"] * count), pa.nulls(count, pa.binary())]
    return pa.table([*rows.columns, *more], schema=REJECT)


def recorded(folder: Path, seed: int, episodes: int) -> pa.Table:
    """Dialogues of the desk, curated."""
    path, out = folder / "desk.jsonl", folder / "curated"
    export(path, episodes, seed)
    curate(CurateSettings(inputs=(path,), out=out))
    shards = sorted(out.glob("trajectories-*.parquet"))
    return pa.Table.from_batches([batch for shard in shards for batch in read_batches(shard)], TRAJECTORY)


def make(out: Path, trajectories: int, seed: int, episodes: int = BASE) -> None:
    """Write the folder."""
    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory(dir=out.parent) as work:
        pool = Pool.of(recorded(Path(work), seed, episodes), rng)
    settings = {"trajectories": trajectories, "seed": seed, "episodes": episodes}
    with FolderWriter(out, Manifest("curated", "benchmarks.app_corpus", settings, [])) as writer:
        kept, rejects = writer.table("trajectories", TRAJECTORY), writer.table("rejects", REJECT)
        turned_away = round(trajectories * REJECTED)
        for table, count in ((kept, trajectories), (rejects, turned_away)):
            for start in track(range(0, count, GROUP), f"{table.name} made", unit="row group"):
                rows = pool.rows(min(GROUP, count - start), rng)
                table.write_table(rows if table is kept else _rejects(rows, rng))
        writer.count(trajectories=trajectories, rejects=turned_away)


def main() -> None:
    """Make the folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--trajectories", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--episodes", type=int, default=BASE, help="recorded dialogues that the rows are made from")
    given = parser.parse_args()
    make(given.out, given.trajectories, given.seed, given.episodes)


if __name__ == "__main__":
    main()
