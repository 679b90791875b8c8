"""What a set holds, in figures: `python -m curate.stats DIR`, and the same figures in every report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from curate.cli import out, parse, run
from curate.env import DEFAULT_RULES, EnvRules, env_rules
from curate.trajectory import SPLITS, Trajectory
from curate.turns import ending, result_failed, turn_kind

if TYPE_CHECKING:
    from curate.folder import DatasetFolder

TURN_KINDS = ("final", "analysis", "announce", "silent")
BYTES_PER_TOKEN = 4
"""Rough size of a token of English or JSON; figures made with it are named `_est`."""


@dataclass
class Summary:
    """Figures of a set, added up row by row."""

    trajectories: int = 0
    messages: int = 0
    calls: Counter[str] = field(default_factory=Counter)
    failed_calls: int = 0
    turns: Counter[str] = field(default_factory=Counter)
    thoughts: Counter[str] = field(default_factory=Counter)
    thinking_chars: int = 0
    untrained_turns: int = 0
    splits: Counter[str] = field(default_factory=Counter)
    endings: Counter[str] = field(default_factory=Counter)
    rewards: list[float] = field(default_factory=list)
    tasks: set[tuple[str, str]] = field(default_factory=set)
    groups: set[str] = field(default_factory=set)
    envs: set[str] = field(default_factory=set)
    calls_each: list[int] = field(default_factory=list)
    messages_each: list[int] = field(default_factory=list)

    def add(self, row: Trajectory, rules: Mapping[str, EnvRules]) -> None:
        """Take one row into account; `rules` by env say which results are failures."""
        rule = rules.get(row["env_id"], DEFAULT_RULES)
        self.trajectories += 1
        self.messages += len(row["messages"])
        self.messages_each.append(len(row["messages"]))
        before = self.calls.total()
        for message in row["messages"]:
            self.calls.update(call["name"] for call in message["tool_calls"])
            if message["role"] == "assistant":
                self.turns[turn_kind(message)] += 1
                self.thinking_chars += len(message["reasoning_content"] or "")
                self.untrained_turns += not message["train"]
            elif message["role"] == "tool":
                self.failed_calls += result_failed(message, rule)
        self.calls_each.append(self.calls.total() - before)
        self.thoughts.update(thought["origin"] for thought in row["thinking"])
        self.splits[row["split"] or "none"] += 1
        self.endings[ending(row["messages"], rule)] += 1
        if row["reward"] is not None:
            self.rewards.append(row["reward"])
        self.tasks.add((row["env_id"], row["task_id"]))
        self.groups.add(row["task_group"])
        self.envs.add(row["env_id"])

    def figures(self) -> dict[str, Any]:
        """The figures as plain values, in the order in which they are shown."""
        rows = max(self.trajectories, 1)
        return {
            "trajectories": self.trajectories,
            "envs": len(self.envs),
            "tasks": len(self.tasks),
            "task_groups": len(self.groups),
            "messages": self.messages,
            "distinct_tools": len(self.calls),
            "calls": self.calls.total(),
            "calls_per_trajectory": round(self.calls.total() / rows, 3),
            "failed_calls": self.failed_calls,
            "turns": {kind: self.turns[kind] for kind in TURN_KINDS},
            "untrained_turns": self.untrained_turns,
            "thoughts": dict(sorted(self.thoughts.items())),
            "thinking_tokens_per_trajectory_est": round(self.thinking_chars / BYTES_PER_TOKEN / rows, 1),
            "endings": dict(sorted(self.endings.items())),
            "mean_reward": round(sum(self.rewards) / len(self.rewards), 4) if self.rewards else None,
            "splits": {name: self.splits[name] for name in (*SPLITS, "none") if self.splits[name]},
        }


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


def summarise(folder: DatasetFolder, table: str = "trajectories") -> Summary:
    """Figures of one table of a folder; the env rules are those that the folder was curated with."""
    summary = Summary()
    rules = env_rules(folder.manifest.inherited("env_rules"))
    for row in folder.rows(table):
        if row["messages"] is not None:  # else a record of which no trajectory could be made
            summary.add(row, rules)  # type: ignore[arg-type]
    return summary


@dataclass(frozen=True)
class StatsSettings:
    """Settings of `curate.stats`.

    Attributes:
        folder: a dataset folder with trajectories.
        table: trajectories or rejects.
        json: print one JSON object.
    """

    folder: tyro.conf.Positional[Path]
    table: str = "trajectories"
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False


def main(argv: Sequence[str] | None = None) -> int:
    """Print what a dataset folder holds."""
    settings = parse(StatsSettings, "python -m curate.stats", "Figures of a dataset folder.", argv)

    def command() -> int:
        from curate.canonical import compact_json
        from curate.folder import DatasetFolder
        from curate.report import text_table

        figures = summarise(DatasetFolder.open(settings.folder), settings.table).figures()
        out(compact_json(figures) if settings.json else text_table(["figure", "value"], figure_rows(figures)))
        return 0

    return run(command)


if __name__ == "__main__":
    raise SystemExit(main())
