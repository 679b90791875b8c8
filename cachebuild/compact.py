"""Fewer and full shards, and withdrawn calls gone for good: `python -m cachebuild.compact CACHE`.

The answers stay the same. Withdrawn calls cannot be served again afterwards, so dropping them needs `--drop`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cachebuild.settings import CompactSettings
from curate.cli import out, parse, run

if TYPE_CHECKING:
    from curate.folder import DatasetFolder, FolderWriter
    from curate.manifest import Manifest


def main(argv: Sequence[str] | None = None) -> int:
    """Compact the cache and say what that did."""
    settings = parse(CompactSettings, "python -m cachebuild.compact", __doc__ or "", argv)

    def command() -> int:
        done = compact(settings)
        out(f"{settings.cache}: {done.entries:,} recorded calls, {done.before:,} shards before, {done.after:,} now")
        if done.dropped:
            out(f"dropped for good: {done.dropped:,} withdrawn calls")
        return 0

    return run(command)


@dataclass(frozen=True)
class Compacted:
    """What compacting did: shards of table `entries` before and after, recorded calls left and dropped."""

    before: int
    after: int
    entries: int
    dropped: int


def compact(settings: CompactSettings) -> Compacted:
    """Compact a cache folder in its place.

    Raises:
        UsageError: for a wrong path, or if calls are withdrawn and `drop` is not set.
        FolderError: if the cache does not match its manifest.
        UpToDate: if there is nothing to do.
    """
    from cachebuild.revision import open_cache, revising, withdrawn_rows
    from curate.errors import UpToDate, UsageError
    from curate.manifest import Manifest

    base = open_cache(settings.cache)
    with revising(base) as writer:
        withdrawn = withdrawn_rows(base)
        if withdrawn and not settings.drop:
            raise UsageError(
                f"{len(withdrawn):,} recorded calls of {base.path} are withdrawn; --drop removes them for good, "
                "or cachebuild.withdraw --undo brings them back"
            )
        if not withdrawn and _is_compact(base.manifest):
            raise UpToDate(f"{base.path} is compact: its shards are full and nothing is withdrawn")
        writer.settings.update(_recorded(base.manifest, withdrawn))
        for name in ("calibration", "tools"):
            _carry(base, name, writer)
        _write_entries(base, [row["position"] for row in withdrawn], writer)
        _count(base, withdrawn, writer)
    shards = Manifest.load(base.path).tables["entries"]
    entries = base.manifest.rows("entries") - len(withdrawn)
    return Compacted(len(base.manifest.tables["entries"]), len(shards), entries, len(withdrawn))


def _is_compact(manifest: Manifest) -> bool:
    return len(manifest.tables["entries"]) == 1 or manifest.settings.get("compacted") == manifest.rows("entries")


def _recorded(manifest: Manifest, withdrawn: list[dict[str, Any]]) -> dict[str, Any]:
    """The settings of the compact cache; what was dropped decides its bytes."""
    from cachebuild.revision import tombstones
    from curate.canonical import hash128

    given = {name: value for name, value in manifest.settings.items() if name not in ("parts", "withdrawn")}
    given["compacted"] = manifest.rows("entries") - len(withdrawn)
    if withdrawn:
        given["dropped"] = hash128(str(given.get("dropped", "")), tombstones(withdrawn))
    return given


def _carry(base: DatasetFolder, name: str, writer: FolderWriter) -> None:
    """A table as it is."""
    from cachebuild.schema import CALIBRATION, TOOL

    table = writer.table(name, {"calibration": CALIBRATION, "tools": TOOL}[name])
    for shard in base.manifest.tables[name]:
        table.adopt(base.path / shard.path, shard)


def _write_entries(base: DatasetFolder, withdrawn: list[int], writer: FolderWriter) -> None:
    """The served calls in their order; the first shards stay while they are full and nothing in them is dropped."""
    import numpy as np
    import pyarrow as pa

    from cachebuild.schema import ENTRY
    from cachebuild.served import kept
    from curate.folder import read_batches

    table, hidden, start = writer.table("entries", ENTRY), np.array(withdrawn, dtype=np.int64), 0
    # Of the shards that were written when it was last compacted, all but the last one are full.
    untouched = min([base.manifest.settings.get("compacted", 0), *withdrawn])
    for shard in base.manifest.tables["entries"]:
        path = base.path / shard.path
        if start + shard.rows < untouched:
            table.adopt(path, shard)
        else:
            for batch in kept(read_batches(path), hidden, start):
                table.write_table(pa.Table.from_batches([batch]))
        start += shard.rows


def _count(base: DatasetFolder, withdrawn: list[dict[str, Any]], writer: FolderWriter) -> None:
    from cachebuild.report import cache_report, history

    counts = dict(base.manifest.counts)
    if withdrawn:
        dropped = Counter(counts.get("dropped", {})) + Counter(row["reason"] for row in withdrawn)
        counts["dropped"] = dict(sorted(dropped.items()))
    writer.count(**counts)
    facts = {(row["env_id"], row["tool"]): row for row in base.rows("tools")}
    report = cache_report(counts, counts["left_out"], facts)
    history(report, counts, {})
    writer.add_report(report)


if __name__ == "__main__":
    raise SystemExit(main())
