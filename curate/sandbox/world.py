"""The world of a desk: rows in an in-memory SQLite, tools that read and change them, and a fast way back to the start.

In go (tool, arguments), out come result texts; the same seed and the same calls give the same bytes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, ClassVar

import orjson
import xxhash

from curate.errors import UsageError
from curate.sandbox.mini import MINI, VOCABULARY
from curate.sandbox.shop import FULL
from curate.sandbox.spec import Preset, ToolFailure, ToolKind

PRESETS: Mapping[str, Preset] = {"full": FULL, "mini": MINI}

Row = dict[str, Any]
Change = dict[str, Any]


def preset_of(name: str) -> Preset:
    """Return the preset of that name.

    Raises:
        UsageError: there is none.
    """
    if name not in PRESETS:
        raise UsageError(f"preset {name!r} is not known; choose one of {', '.join(PRESETS)}")
    return PRESETS[name]


@lru_cache(maxsize=64)
def start_rows(seed: int, preset: str) -> tuple[dict[str, list[tuple[Any, ...]]], str]:
    """Build the rows of a start state and their hash.

    Returns:
        The rows by table (shared: do not change them) and the `initial_state_id`.
    """
    rows = preset_of(preset).build(seed)
    return rows, xxhash.xxh3_128_hexdigest(orjson.dumps([preset, rows]))


class World:
    """One live desk.

    Args:
        seed: chooses the start state.
        preset: `full` (a shop's service desk) or `mini` (closed vocabulary, one order per customer).
        noise: seeds what volatile and failing tools do; None means that no tool fails by itself.

    Raises:
        UsageError: the preset is not known.
    """

    vocabulary: ClassVar[tuple[str, ...]] = VOCABULARY

    def __init__(self, seed: int, preset: str = "full", noise: int | None = None) -> None:
        self.preset = preset_of(preset)
        self.seed = seed
        self.noise = noise
        self.counts: dict[str, int] = {}
        self._tools = self.preset.tools
        self.extra: dict[str, Any] = {}
        rows, self._initial_state_id = start_rows(seed, preset)
        self._db = sqlite3.connect(":memory:", isolation_level=None, cached_statements=256)
        self._by_key: dict[str, str] = {}
        self._queries: dict[tuple[str, ...], str] = {}
        self._load(rows)
        self._touched: dict[tuple[str, str], Row | None] = {}
        if self.preset.prepare:
            self.preset.prepare(self)

    def _load(self, rows: Mapping[str, Sequence[tuple[Any, ...]]]) -> None:
        for table, columns in self.preset.tables.items():
            names = ", ".join([f"{columns[0]} PRIMARY KEY", *columns[1:]])
            self._db.execute(f"CREATE TABLE {table} ({names}) WITHOUT ROWID")
            self._by_key[table] = f"SELECT * FROM {table} WHERE {columns[0]} = ?"
        for table, column in self.preset.indexes:
            self._db.execute(f"CREATE INDEX {table}_{column} ON {table} ({column})")
        self._db.execute("BEGIN")
        for table, values in rows.items():
            marks = ", ".join("?" * len(self.preset.tables[table]))
            self._db.executemany(f"INSERT INTO {table} VALUES ({marks})", values)
        self._db.execute("SAVEPOINT start")

    @property
    def tools(self) -> list[dict[str, Any]]:
        """The tools as OpenAI function schemas."""
        return tool_schemas(self.preset.name)

    @property
    def tool_kinds(self) -> dict[str, ToolKind]:
        """What each tool does to the world: the ground truth for tool classification."""
        return {name: tool.kind for name, tool in self._tools.items()}

    @property
    def initial_state_id(self) -> str:
        """Hash of the state's contents that every episode here starts from."""
        return self._initial_state_id

    def reset(self, noise: int | None = None) -> None:
        """Go back to the start state, with a new noise seed."""
        if self._touched:
            self._db.execute("ROLLBACK TO start")
            self._touched = {}
        self.counts = {}
        self.noise = noise

    def close(self) -> None:
        """Close the database; the world cannot be used after it."""
        self._db.close()

    def call(self, tool: str, arguments: Mapping[str, Any] | None) -> str:
        """Answer one tool call.

        Args:
            tool: the tool's name.
            arguments: parsed arguments; None where the agent's text was not a JSON object.

        Returns:
            JSON text or plain text; `Error: ...` for a call that failed. Nothing is raised.
        """
        known = self._tools.get(tool)
        if known is None:
            return "Error: unknown tool" if self.preset.name == "mini" else f"Error: there is no tool named {tool}"
        problem = known.problem(arguments)
        if problem or arguments is None:
            return "Error: invalid arguments" if self.preset.name == "mini" else f"Error: {problem}"
        try:
            result = known.handler(self, **arguments)
        except ToolFailure as failure:
            return f"Error: {failure}"
        return result if isinstance(result, str) else orjson.dumps(result).decode()

    def row(self, table: str, key: str) -> Row | None:
        """Return one row by its primary key, None if there is none."""
        found = self._db.execute(self._by_key[table], (key,)).fetchone()
        return None if found is None else dict(zip(self.preset.tables[table], found, strict=False))

    def rows(self, table: str, **wanted: object) -> list[Row]:
        """Return the rows whose columns have those values, ordered by primary key."""
        columns = self.preset.tables[table]
        sql = self._queries.get((table, *wanted))
        if sql is None:
            where = " AND ".join(f"{name} = ?" for name in wanted)
            sql = self._queries[(table, *wanted)] = f"SELECT * FROM {table} WHERE {where} ORDER BY {columns[0]}"
        found = self._db.execute(sql, tuple(wanted.values())).fetchall()
        return [dict(zip(columns, each, strict=False)) for each in found]

    def all_rows(self, table: str) -> list[Row]:
        """Return every row of a table, ordered by primary key."""
        columns = self.preset.tables[table]
        found = self._db.execute(f"SELECT * FROM {table} ORDER BY {columns[0]}")
        return [dict(zip(columns, each, strict=True)) for each in found]

    def insert(self, table: str, row: Row) -> None:
        """Add a row; missing columns are NULL."""
        columns = self.preset.tables[table]
        key = row[columns[0]]
        self._touched.setdefault((table, key), None)
        marks = ", ".join("?" * len(columns))
        self._db.execute(f"INSERT INTO {table} VALUES ({marks})", tuple(row.get(name) for name in columns))

    def update(self, table: str, key: str, **changes: object) -> None:
        """Set columns of the row with that primary key."""
        touched = (table, key)
        if touched not in self._touched:
            self._touched[touched] = self.row(table, key)
        names = ", ".join(f"{name} = ?" for name in changes)
        sql = f"UPDATE {table} SET {names} WHERE {self.preset.tables[table][0]} = ?"
        self._db.execute(sql, (*changes.values(), key))

    def count(self, what: str) -> int:
        """Count calls of one sort in this episode, starting at 0: what volatile and failing tools go by."""
        seen = self.counts.get(what, 0)
        self.counts[what] = seen + 1
        return seen

    def draw(self, *parts: object) -> int:
        """A 64-bit number fixed by the start state's seed and the parts: codes and dates that no agent can guess."""
        return xxhash.xxh3_64_intdigest(f"{self.seed}|{parts}".encode())

    def end_state(self) -> dict[str, Change | None]:
        """What differs from the start state.

        Returns:
            For each changed row, under `table/key`, the judged columns that changed (all of a new row);
            two episodes from one start reached the same state exactly if these are equal.
        """
        state: dict[str, Change | None] = {}
        for (table, key), before in sorted(self._touched.items()):
            now = self.row(table, key) or {}
            judged = {name: value for name, value in now.items() if name not in self.preset.unjudged}
            if before is not None:
                judged = {name: value for name, value in judged.items() if value != before[name]}
            if judged:
                state[f"{table}/{key}"] = judged
        return state

    def digest(self) -> str:
        """Hash of the start state and everything that has changed since."""
        return xxhash.xxh3_128_hexdigest(orjson.dumps([self._initial_state_id, self.end_state()]))


@lru_cache(maxsize=4)
def tool_schemas(preset: str) -> list[dict[str, Any]]:
    """The OpenAI function schemas of a preset (shared: do not change them)."""
    return [tool.schema() for tool in preset_of(preset).tools.values()]
