"""What a set holds, in figures: `python -m curate.stats DIR`, and the same figures in every report."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import tyro

from curate.cli import out, parse, run
from curate.trajectory import SPLITS, Trajectory

if TYPE_CHECKING:
    import polars as pl

    from curate.folder import DatasetFolder
    from curate.tokens import TokenCounter

TURN_KINDS = ("final", "analysis", "announce", "silent")
_ROW_COLUMNS = ("env_id", "task_id", "task_group", "split", "reward")
_LENGTHS = ("messages", "calls", "tokens")
_BATCH_ROWS = 256


class Summary:
    """Figures of a set, added up batch by batch.

    Args:
        estimated: whether tokens are estimated by size; the figures' names say so.
    """

    def __init__(self, *, estimated: bool = True) -> None:
        self._suffix = "_est" if estimated else ""
        self._batches: list[pl.DataFrame] = []
        self._offered: dict[tuple[str, str], frozenset[str]] = {}

    def add(self, rows: pl.DataFrame) -> None:
        """Take rows into account.

        Args:
            rows: columns `env_id`, `task_id`, `task_group`, `split`, `reward`, `tools` (schemas, a JSON text) and
                `facts` (of type `curate.facts.FACTS`).
        """
        for env_id, tools in rows.select("env_id", "tools").unique().iter_rows():
            if (env_id, tools) not in self._offered:
                self._offered[(env_id, tools)] = _tool_names(tools)
        self._batches.append(rows.select(*_ROW_COLUMNS, "facts").unnest("facts"))

    @cached_property
    def frame(self) -> pl.DataFrame:
        """One row a trajectory, its facts beside its ids; asked for when all rows are added."""
        import polars as pl

        return pl.concat(self._batches).with_columns(calls=pl.col("called").list.len().cast(pl.Int64))

    @cached_property
    def calls(self) -> dict[str, int]:
        """Tool -> calls of it, commonest first."""
        return _counts(self.frame["called"].explode(empty_as_null=False, keep_nulls=False))

    def figures(self) -> dict[str, Any]:
        """The figures as plain values, in the order in which they are shown."""
        if not self._batches:
            return {"trajectories": 0}
        frame, est = self.frame, self._suffix
        rows = max(frame.height, 1)
        thinking = int(frame["thinking_tokens"].sum())
        turns = {kind: int(frame[kind].sum()) for kind in TURN_KINDS}
        splits = _counts(frame["split"].fill_null("none"))
        rewards = frame["reward"].drop_nulls()
        return {
            "trajectories": frame.height,
            "envs": frame["env_id"].n_unique(),
            "tasks": frame.select("env_id", "task_id").n_unique(),
            "task_groups": frame["task_group"].n_unique(),
            "messages": frame["messages"].sum(),
            "distinct_tools": len(self.calls),
            **self._coverage(),
            "calls": frame["calls"].sum(),
            "calls_per_trajectory": round(int(frame["calls"].sum()) / rows, 3),
            "failed_calls": frame["failed_calls"].sum(),
            "turns": turns,
            "untrained_turns": frame["untrained_turns"].sum(),
            "thoughts": dict(sorted(_counts(frame["thoughts"].explode(empty_as_null=False, keep_nulls=False)).items())),
            f"thinking_tokens_per_trajectory{est}": round(thinking / rows, 1),
            f"thinking_tokens_per_turn{est}": round(
                int(frame["thinking_tokens"].sum()) / max(sum(turns.values()), 1), 1
            ),
            f"tokens{est}": frame["tokens"].sum(),
            **{f"{name}_spread{est if name == 'tokens' else ''}": _spread(frame[name]) for name in _LENGTHS},
            "secrets_and_personal_data": self._personal(),
            "endings": dict(sorted(_counts(frame["ending"]).items())),
            "mean_reward": _mean(rewards),
            "splits": {name: splits[name] for name in (*SPLITS, "none") if name in splits},
        }

    def _personal(self) -> dict[str, int]:
        """Kind of secret or personal data -> occurrences."""
        import polars as pl

        found = self.frame.select(pl.col("personal").explode(empty_as_null=False, keep_nulls=False)).unnest("personal")
        return dict(sorted(found.group_by("kind").agg(pl.col("count").sum()).iter_rows()))

    def _coverage(self) -> dict[str, Any]:
        """How many of the tools that are on offer are ever called; tools of two envs are two tools."""
        called = set(self.frame.select("env_id", "called").explode("called").drop_nulls().unique().iter_rows())
        offered = {(env_id, name) for (env_id, _), names in self._offered.items() for name in names}
        share = round(len(offered & called) / len(offered), 4) if offered else None
        return {"offered_tools": len(offered), "offered_tools_called": share}


def _counts(values: pl.Series) -> dict[str, int]:
    """Value -> how often, commonest first, then by name."""
    return dict(sorted(values.value_counts().iter_rows(), key=lambda item: (-item[1], item[0])))


def _mean(values: pl.Series) -> float | None:
    return round(sum(values.to_list()) / len(values), 4) if len(values) else None


def _spread(values: pl.Series) -> dict[str, int]:
    """Median, 95th percentile and maximum."""
    if values.is_empty():
        return {}
    quantiles = (("median", 0.5), ("p95", 0.95), ("max", 1.0))
    return {name: int(values.quantile(at, "nearest") or 0) for name, at in quantiles}


def _tool_names(tools: str | None) -> frozenset[str]:
    import orjson

    return frozenset(tool["function"]["name"] for tool in orjson.loads(tools or "[]"))


def figure_rows(figures: Mapping[str, Any]) -> list[tuple[str, str | int | float | None]]:
    """(name, value) rows for a table; nested figures become one line each."""
    rows: list[tuple[str, str | int | float | None]] = []
    for name, value in figures.items():
        if isinstance(value, Mapping):
            text = ", ".join(f"{key} {count:,}" for key, count in value.items()) or "-"
            rows.append((name.replace("_", " "), text))
        else:
            rows.append((name.replace("_", " "), value))
    return rows


def summarise(folder: DatasetFolder, table: str = "trajectories", tokenizer: str | None = None) -> Summary:
    """Figures of one table of a folder; the env rules are those that the folder was curated with.

    Args:
        folder: with trajectories.
        table: trajectories or rejects.
        tokenizer: as of `curate.tokens.TokenCounter.of`.
    """
    import polars as pl
    import pyarrow as pa

    from curate.facts import FACTS
    from curate.schema import TRAJECTORY
    from curate.tokens import TokenCounter

    counter = TokenCounter.of(tokenizer)
    summary = Summary(estimated=counter.estimated)
    rows = _with_facts(folder, table, counter)
    schema = pa.schema([*(TRAJECTORY.field(name) for name in (*_ROW_COLUMNS, "tools")), pa.field("facts", FACTS)])
    while batch := list(itertools.islice(rows, _BATCH_ROWS)):
        summary.add(pl.DataFrame(pa.Table.from_pylist(batch, schema=schema)))
    return summary


def _with_facts(folder: DatasetFolder, table: str, counter: TokenCounter) -> Iterator[dict[str, Any]]:
    from curate.env import env_rules
    from curate.facts import facts_of
    from curate.filters import view_of
    from curate.tokens import count_tokens

    rules = env_rules(folder.manifest.inherited("env_rules"))
    for batch in folder.batches(table):
        # A record of which no trajectory could be made has no messages.
        rows = [cast(Trajectory, row) for row in batch.to_pylist() if row["messages"] is not None]
        for row, tokens in zip(rows, count_tokens(rows, counter), strict=True):
            facts = facts_of(view_of(row, rules), tokens)
            yield {**{name: row[name] for name in (*_ROW_COLUMNS, "tools")}, "facts": facts}  # type: ignore[literal-required]


@dataclass(frozen=True)
class StatsSettings:
    """Settings of `curate.stats`.

    Attributes:
        folder: a dataset folder with trajectories.
        table: trajectories or rejects.
        tokenizer: counts the tokens: a tokenizer.json, a folder with one, or a Hub ID; default bytes / 4.
        json: print one JSON object.
    """

    folder: tyro.conf.Positional[Path]
    table: str = "trajectories"
    tokenizer: str | None = None
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False


def main(argv: Sequence[str] | None = None) -> int:
    """Print what a dataset folder holds."""
    settings = parse(StatsSettings, "python -m curate.stats", "Figures of a dataset folder.", argv)

    def command() -> int:
        from curate.canonical import compact_json
        from curate.folder import DatasetFolder
        from curate.report import text_table

        figures = summarise(DatasetFolder.open(settings.folder), settings.table, settings.tokenizer).figures()
        out(compact_json(figures) if settings.json else text_table(["figure", "value"], figure_rows(figures)))
        return 0

    return run(command)


if __name__ == "__main__":
    raise SystemExit(main())
