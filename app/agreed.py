"""What a reader may know of agreement: labels as ratings, by queue and unit, what is in dispute, and judges' scores."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import polars as pl

from app.labels.events import Target
from app.traces import TraceKey
from synth.agreement import Dispute, Figure, Ratings, disputes, krippendorff_alpha, raw_agreement
from synth.judge_agreement import judge_score

if TYPE_CHECKING:
    from app.labels.store import Annotator, LabelStore
    from app.library import Library
    from app.opened import Opened

Unit: TypeAlias = Literal["trajectory", "turn"]
GOOD, BAD = "good", "bad"
ORDER = (BAD, "unsure", GOOD)
"""Verdicts that have an order."""
_TARGET = ("trajectory_id", "content_hash", "message_index")


def may_look(opened: Opened, viewer: Annotator | None) -> bool:
    """Whether somebody sees any labels: who has signed in, and everyone on a read-only server."""
    return viewer is not None or opened.settings.server.read_only


@dataclass(frozen=True)
class Agreed:
    """Labels of one queue, or all, of whole trajectories or of turns, as far as somebody may see them.

    Attributes:
        labels: rows of `LabelStore.latest` that are labels.
        rulings: what leads have settled, the last of each target: verdict and who.
        verdicts: the schema's, in the order that ordinal figures need.
        tags: the schema's tags, and others that were given.
    """

    labels: pl.DataFrame
    rulings: Mapping[Target, tuple[str | None, str]]
    verdicts: tuple[str, ...]
    tags: tuple[str, ...]

    @classmethod
    def of(cls, store: LabelStore, viewer: Annotator | None, queue: str | None, unit: Unit) -> Agreed:
        """What the viewer may see; rulings count wherever they were given."""
        whole = pl.col("message_index").is_null()
        wanted = whole if unit == "trajectory" else ~whole
        found = store.latest(queue=queue, viewer=viewer).filter(wanted, pl.col("action") == "label")
        ruled = store.latest(viewer=viewer).filter(wanted, pl.col("action") == "adjudicate")
        rulings = {_target(row): (row["verdict"], row["annotator"]) for row in ruled.iter_rows(named=True)}
        given = found["tags"].explode().drop_nulls().unique().sort().to_list()
        tags = dict.fromkeys([*store.schema.tag_names(), *given])
        return cls(found, rulings, _ordered(store.schema.verdict_names()), tuple(tags))

    @cached_property
    def ratings(self) -> Ratings[Target]:
        """The verdicts."""
        rows = self.labels.filter(pl.col("verdict").is_not_null()).iter_rows(named=True)
        return Ratings.of([(_target(row), row["annotator"], row["verdict"]) for row in rows], self.verdicts)

    @property
    def ordinal(self) -> bool:
        """Whether the verdicts have an order."""
        return set(self.ratings.categories) <= set(ORDER)

    def tag_figures(self) -> Iterator[tuple[str, int, Figure, Figure]]:
        """Of each tag that was given: how often, and how far annotators agree on whether it is there."""
        said = [(_target(row), row["annotator"], row["tags"]) for row in self.labels.iter_rows(named=True)]
        for tag in self.tags:
            times = sum(tag in tags for _, _, tags in said)
            if times:
                ratings = Ratings.of([(target, who, "yes" if tag in tags else "no") for target, who, tags in said])
                yield tag, times, raw_agreement(ratings), krippendorff_alpha(ratings)

    def open_disputes(self, settled: bool) -> list[Dispute[Target]]:
        """Those that no lead has settled, or all."""
        return [each for each in disputes(self.ratings) if settled or each.item not in self.rulings]

    def said_of(self, targets: Collection[Target]) -> dict[Target, list[dict[str, Any]]]:
        """The labels of some targets, in the order in which they were given."""
        said: dict[Target, list[dict[str, Any]]] = {target: [] for target in targets}
        for row in self.labels.iter_rows(named=True):
            target = _target(row)
            if target in said:
                said[target].append(row)
        return said

    def final(self) -> dict[Target, str]:
        """The verdict of each target that has one: the ruling, else the majority's."""
        from synth.agreement import majority

        found = {}
        names = self.ratings.categories
        for target, counts in zip(self.ratings.items, self.ratings.counts.tolist(), strict=True):
            most = majority(dict(zip(names, counts, strict=True)))
            if most is not None:
                found[target] = most
        ruled = {target: verdict for target, (verdict, _) in self.rulings.items() if verdict is not None}
        return found | ruled


@dataclass(frozen=True)
class Seen:
    """Where a target can be read, and how it begins."""

    key: TraceKey
    first_words: str


def places(library: Library, targets: Sequence[Target]) -> dict[Target, Seen]:
    """Where targets stand in the opened folders, with the content that was labelled; the first folder's."""
    ids = [target.trajectory_id for target in targets]
    rows = library.frame.filter(pl.col("trajectory_id").is_in(ids)).select(
        "trajectory_id", "content_hash", pl.col("folder").cast(pl.String), "trace", "first_words"
    )
    found: dict[tuple[str, str], Seen] = {}
    for row_id, content, folder, trace, words in rows.iter_rows():
        found.setdefault((row_id, content), Seen(TraceKey(folder, trace), words or ""))
    held = {target: found.get((target.trajectory_id, target.content_hash)) for target in targets}
    return {target: seen for target, seen in held.items() if seen is not None}


@dataclass(frozen=True)
class Judged:
    """Answers that both a judge and people have judged.

    Attributes:
        judge: its name.
        scores: 0 to 1.
        good: what people say, in the same order.
    """

    judge: str
    scores: tuple[float, ...]
    good: tuple[bool, ...]


def judged_answers(library: Library, final: Mapping[Target, str]) -> list[Judged]:
    """The judges of opened rollouts beside people's verdicts good and bad, by name.

    Args:
        library: the opened folders.
        final: verdicts of whole trajectories.
    """
    people = {(target.trajectory_id, target.content_hash): said for target, said in final.items()}
    people = {key: said for key, said in people.items() if said in (GOOD, BAD)}
    wanted = tuple(sorted({row_id for row_id, _ in people}))
    found: dict[str, dict[tuple[str, str], float]] = {}
    for folder in library.folders:
        if folder.manifest is None or "trajectories" not in folder.manifest.tables or not wanted:
            continue
        shards = tuple(folder.path / shard.path for shard in folder.manifest.tables["trajectories"])
        for key, name, score in _scores(shards, wanted):
            if key in people:
                found.setdefault(name, {})[key] = score
    return [
        Judged(name, tuple(scores.values()), tuple(people[key] == GOOD for key in scores))
        for name, scores in sorted(found.items())
    ]


@lru_cache(maxsize=32)
def _scores(shards: tuple[Path, ...], wanted: tuple[str, ...]) -> list[tuple[tuple[str, str], str, float]]:
    """(trajectory_id and content_hash, judge, score) of the wanted rows that a judge has scored."""
    if not shards:
        return []
    rows = pl.scan_parquet(list(shards)).select("trajectory_id", "content_hash", "metadata")
    found = []
    for row_id, content, metadata in rows.filter(pl.col("trajectory_id").is_in(wanted)).collect().iter_rows():
        scored = judge_score(metadata)
        if scored is not None:
            found.append(((row_id, content), *scored))
    return found


def _ordered(verdicts: tuple[str, ...]) -> tuple[str, ...]:
    """Verdicts that have an order in that order, any others as the schema has them."""
    return tuple(name for name in ORDER if name in verdicts) if set(verdicts) <= set(ORDER) else verdicts


def _target(row: Mapping[str, Any]) -> Target:
    return Target(*(row[name] for name in _TARGET))


def told_key(target: Target) -> str:
    """A target as a widget's key."""
    return json.dumps([target.trajectory_id, target.content_hash, target.message_index])
