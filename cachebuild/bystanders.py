"""Which writes leave a read unchanged although something ties them together: counted on the recorded calls.

A write is tied to a read by an owner or by what a result shows, and still need not change it: another order of the same
customer, another thing paid from the same card. Equal reads before and behind such a write tell.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cachebuild.ids import id_values
from cachebuild.state import without_writes, writers
from curate.canonical import parse_json

if TYPE_CHECKING:
    import polars as pl

UNCHANGED_AT = 0.8
"""How likely it must be that a read stays as it was for a tied write to count as a bystander."""
PRIOR_UNCHANGED, PRIOR_READS = 0.5, 2.0
"""Three reads, all unchanged, reach the bar; one changed needs eight others."""


@dataclass(frozen=True, slots=True)
class Seen:
    """Equal reads of one tool without and behind writes of another: how many were compared, how many were equal."""

    reads: int = 0
    unchanged: int = 0

    @property
    def p(self) -> float:
        """How likely the next one is unchanged."""
        return (self.unchanged + PRIOR_UNCHANGED * PRIOR_READS) / (self.reads + PRIOR_READS)


def bystanders(seen: Mapping[str, Seen]) -> dict[str, float]:
    """Writing tool -> p, of those that a tool's reads may be taken to be unmoved by."""
    return {tool: found.p for tool, found in seen.items() if found.p >= UNCHANGED_AT}


def count_unchanged(
    entries: pl.LazyFrame, id_fields: Mapping[str, tuple[str, ...]]
) -> dict[tuple[str, str], dict[str, Seen]]:
    """(env, reading tool) -> writing tool -> what was seen, of writes without an id of the read's.

    Args:
        entries: columns env_id, initial_state_id, task_id, tool, kind, canonical_arguments, state, result_hash.
        id_fields: env -> further names of id fields.
    """
    counted: dict[tuple[str, str], dict[str, Seen]] = {}
    for env_id, tool, arguments, states in _in_several_states(entries):
        found = counted.setdefault((env_id, tool), {})
        for state in states:
            ids = id_values(parse_json(arguments), id_fields.get(env_id, ()))
            for writer in writers(state):
                before = without_writes(state, {writer}, ids, id_fields.get(env_id, ()))
                if before != state and before in states:
                    seen = found.get(writer, Seen())
                    found[writer] = Seen(seen.reads + 1, seen.unchanged + (states[before] == states[state]))
    return {place: dict(sorted(found.items())) for place, found in counted.items() if found}


def _in_several_states(entries: pl.LazyFrame) -> Iterator[tuple[str, str, str, dict[str, str]]]:
    """(env, tool, arguments, state -> commonest result) of equal reads of one start that differ in the state."""
    import polars as pl

    by = ["env_id", "initial_state_id", "tool", "canonical_arguments"]
    reads = entries.filter(pl.col("kind") == "read")
    several = reads.group_by(by).agg(states=pl.col("state").n_unique()).filter(pl.col("states") > 1).select(by)
    found = (
        reads.join(several, on=by, how="semi", nulls_equal=True)
        .group_by(*by, "state")
        .agg(result=pl.col("result_hash").mode().min())
        .sort(*by, "state")
        .group_by(by, maintain_order=True)
        .agg("state", "result")
        .collect()
    )
    for env_id, _, tool, arguments, states, results in found.iter_rows():
        yield env_id, tool, arguments, dict(zip(states, results, strict=True))


def seen_rows(counted: Mapping[str, Seen]) -> list[dict[str, Any]]:
    """The column `behind` of table `tools`."""
    return [{"tool": tool, "reads": seen.reads, "unchanged": seen.unchanged} for tool, seen in counted.items()]


def read_seen(rows: Iterable[Mapping[str, Any]]) -> dict[str, Seen]:
    """The same, read back."""
    return {row["tool"]: Seen(row["reads"], row["unchanged"]) for row in rows}
