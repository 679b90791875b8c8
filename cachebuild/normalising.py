"""How far an equal normalised text makes an equal call: counted by the way in which the arguments differ.

A tool that takes an email in any case may refuse a null, and an id in another case is mostly no id at all.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from math import prod
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from cachebuild.ids import is_id_field

if TYPE_CHECKING:
    import polars as pl

Way: TypeAlias = Literal["case", "id_case", "blank", "empty"]
WAYS: tuple[Way, ...] = get_args(Way)
"""Letters of a text, or of an id, in another case; blanks around a text; a member that is null, empty or left out."""

PRIOR: Mapping[Way, float] = {"case": 0.4, "id_case": 0.05, "blank": 0.2, "empty": 0.3}
"""Share of right answers to assume of a way of which an env has no pairs.

From the live desk, which takes emails and postcodes in any case and nothing else, and from tau-bench's tools, which
compare names, emails and zips in any case, ids as they are, and leave out what is None.
"""
PRIOR_PAIRS = 2.0
MOST_KEYS = 8
"""Exact keys of one normalised key that are compared with each other at most."""

Counts: TypeAlias = Mapping[Way, tuple[int, int]]
"""Way -> (pairs that differ in it alone, those of them with equal results)."""


def ways(asked: Mapping[str, Any], recorded: Mapping[str, Any], id_fields: tuple[str, ...] = ()) -> frozenset[Way]:
    """In which ways arguments of equal normalised text differ."""
    return frozenset(_ways(dict(asked), dict(recorded), False, id_fields))


def _ways(one: Any, two: Any, is_id: bool, id_fields: tuple[str, ...]) -> Iterator[Way]:
    if isinstance(one, str) and isinstance(two, str):
        if one.strip() != two.strip():
            yield "id_case" if is_id else "case"
        if one != two and (one.strip() != one or two.strip() != two):
            yield "blank"
    elif isinstance(one, dict) and isinstance(two, dict):
        for name in one.keys() | two.keys():
            if name in one and name in two:
                yield from _ways(one[name], two[name], is_id_field(name, id_fields), id_fields)
            else:
                yield "empty"
    elif isinstance(one, list) and isinstance(two, list):
        for each, other in zip(one, two, strict=False):
            yield from _ways(each, other, is_id, id_fields)
    elif one != two:
        yield "empty"


@dataclass(frozen=True, slots=True)
class Normalising:
    """What p a normalised hit of one tool has.

    Attributes:
        tool: what was counted for it.
        env: what was counted for all tools of its env.
        id_fields: further names of id fields.
    """

    tool: Counts = field(default_factory=dict)
    env: Counts = field(default_factory=dict)
    id_fields: tuple[str, ...] = ()

    def p(self, asked: Mapping[str, Any], recorded: Mapping[str, Any]) -> float:
        """The product over the ways in which the arguments differ; few pairs are drawn to the env's, these to PRIOR."""
        return prod(self._p(way) for way in sorted(ways(asked, recorded, self.id_fields)))

    def _p(self, way: Way) -> float:
        return _drawn(self.tool.get(way, (0, 0)), _drawn(self.env.get(way, (0, 0)), PRIOR[way]))


def _drawn(counted: tuple[int, int], prior: float) -> float:
    pairs, same = counted
    return (same + prior * PRIOR_PAIRS) / (pairs + PRIOR_PAIRS)


def count_ways(
    entries: pl.LazyFrame, id_fields: Mapping[str, tuple[str, ...]]
) -> dict[tuple[str, str], dict[Way, tuple[int, int]]]:
    """(env, tool) -> way -> pairs of recorded calls that differ in that way alone, and those with equal results.

    Args:
        entries: columns env_id, tool, key, normalised_key, canonical_arguments, result_hash.
        id_fields: env -> further names of id fields.
    """
    pairs: dict[tuple[str, str], Counter[Way]] = {}
    same: dict[tuple[str, str], Counter[Way]] = {}
    for place, one, two in _pairs(entries):
        asked, recorded = (json.loads(text) for text, _ in (one, two))
        found = ways(asked, recorded, id_fields.get(place[0], ()))
        if len(found) == 1:
            (way,) = found
            pairs.setdefault(place, Counter())[way] += 1
            same.setdefault(place, Counter())[way] += one[1] == two[1]
    return {
        place: {way: (counted[way], same[place][way]) for way in sorted(counted)} for place, counted in pairs.items()
    }


_Call: TypeAlias = tuple[str, str]
"""Canonical arguments and the commonest result's hash."""


def _pairs(entries: pl.LazyFrame) -> Iterator[tuple[tuple[str, str], _Call, _Call]]:
    """((env, tool), one call, another) of every normalised key that stands for several exact keys."""
    import polars as pl

    by = ["env_id", "tool", "normalised_key"]
    several = entries.group_by(by).agg(keys=pl.col("key").n_unique()).filter(pl.col("keys") > 1).select(by)
    modal = (
        entries.join(several, on=by, how="semi")
        .group_by(*by, "key")
        .agg(pl.col("canonical_arguments").first(), result=pl.col("result_hash").mode().min())
        .sort(*by, "key")
        .group_by(by, maintain_order=True)
        .agg(pl.col("canonical_arguments", "result").head(MOST_KEYS))
        .collect()
    )
    for env_id, tool, _, texts, results in modal.iter_rows():
        for one, two in combinations(zip(texts, results, strict=True), 2):
            yield (env_id, tool), one, two


def way_rows(counted: Mapping[Way, tuple[int, int]]) -> list[dict[str, Any]]:
    """The column `normalised` of table `tools`."""
    return [{"way": way, "pairs": pairs, "same": same} for way, (pairs, same) in counted.items()]


def read_ways(rows: Iterable[Mapping[str, Any]]) -> dict[Way, tuple[int, int]]:
    """The same, read back."""
    return {row["way"]: (row["pairs"], row["same"]) for row in rows}


def of_env(tools: Iterable[Counts]) -> dict[Way, tuple[int, int]]:
    """The counts of all tools of an env together."""
    total: dict[Way, tuple[int, int]] = {}
    for counts in tools:
        for way, (pairs, same) in counts.items():
            known = total.get(way, (0, 0))
            total[way] = (known[0] + pairs, known[1] + same)
    return total
