"""Whether a corpus of thoughts was stamped out: common openings and near-duplicates, in memory that does not grow."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass

import xxhash

from synth.checks.index import runs_of
from synth.checks.settings import CheckSettings
from synth.checks.words import words_of

OPENING = 4
"""Words of an opening."""
OPENINGS = 20_000
"""Openings that are counted at a time; where there are more, the rarest lose their counts."""
SAMPLE = 20_000
"""Thoughts that are compared with each other."""
COMPARED = 2_000
"""Characters of a thought that are compared."""


@dataclass(frozen=True, slots=True)
class TemplatingResult:
    """How alike the thoughts of a corpus are.

    Attributes:
        thoughts: that were added.
        top_opening: the most common first four words.
        share: of the thoughts that begin with it.
        near_duplicate_share: of the compared thoughts that are near-duplicates of another one that stays.
        compared: thoughts in that comparison.
        warnings: sentences for the report, empty if all is well.
    """

    thoughts: int
    top_opening: str
    share: float
    near_duplicate_share: float
    compared: int
    warnings: tuple[str, ...]


class Templating:
    """Collects thoughts in any order, then says how alike they are.

    Thoughts to compare are sampled by the least hash of their 5-word runs, so near-duplicates come into the sample
    together; up to `SAMPLE` thoughts all are compared.
    """

    def __init__(self, settings: CheckSettings | None = None) -> None:
        self._settings = settings or CheckSettings()
        self._thoughts = 0
        self._openings: dict[str, int] = {}
        self._sample: list[tuple[int, str]] = []

    def add(self, thought: str) -> None:
        """Count one thought."""
        self._thoughts += 1
        text = thought[:COMPARED]
        words = words_of(text)
        self._count(" ".join(words[:OPENING]))
        entry = (-_least_hash(words), text)
        if len(self._sample) < SAMPLE:
            heapq.heappush(self._sample, entry)
        elif entry > self._sample[0]:
            heapq.heapreplace(self._sample, entry)

    def add_all(self, thoughts: Iterable[str]) -> None:
        """Count many."""
        for thought in thoughts:
            self.add(thought)

    def result(self) -> TemplatingResult:
        """What was found so far."""
        top, count = max(self._openings.items(), key=lambda pair: (pair[1], pair[0]), default=("", 0))
        share = count / self._thoughts if self._thoughts else 0.0
        alike = self._near_duplicates()
        warnings = []
        if share > self._settings.max_opening_share:
            most = self._settings.max_opening_share
            warnings.append(
                f"{share:.1%} of the thoughts begin with {top!r}; more than {most:.0%} reads like a template."
            )
        if alike > self._settings.max_near_duplicates:
            most = self._settings.max_near_duplicates
            warnings.append(f"{alike:.1%} of the thoughts are near-duplicates of others; at most {most:.0%} should be.")
        return TemplatingResult(self._thoughts, top, share, alike, len(self._sample), tuple(warnings))

    def _count(self, opening: str) -> None:
        """One more of an opening; a full table first loses its rarer half (lossy counting, Manku and Motwani 2002)."""
        openings = self._openings
        if opening not in openings and len(openings) >= OPENINGS:
            middle = sorted(openings.values())[OPENINGS // 2]
            self._openings = openings = {words: count for words, count in openings.items() if count > middle}
        openings[opening] = openings.get(opening, 0) + 1

    def _near_duplicates(self) -> float:
        if len(self._sample) < 2:
            return 0.0
        import pyarrow as pa

        from curate.minhash import signatures
        from curate.neardup import near_duplicates
        from curate.neardup_settings import NearDupSettings

        texts = sorted(text for _, text in self._sample)
        column = pa.array([" ".join(words_of(text)) for text in texts], pa.large_string())
        rows = pa.table(
            {
                "trajectory_id": [f"{at:032x}" for at in range(len(texts))],
                "reward": pa.array([0.0] * len(texts), pa.float32()),
                "size": pa.array([len(text) for text in texts], pa.int64()),
            }
        )
        settings = NearDupSettings(self._settings.near_duplicate)
        found = near_duplicates(signatures(column), lambda at: column.take(pa.array(at, pa.int64())), rows, settings)
        return len(found.removed) / len(texts)


def _least_hash(words: list[str]) -> int:
    """The least 64-bit hash of a thought's 5-word runs: equal for two of Jaccard J with probability J."""
    runs = [" ".join(run) for run in runs_of(words)] or [" ".join(words)]
    return min(xxhash.xxh3_64_intdigest(run.encode("utf-8", "replace")) for run in runs)
