"""The messages of many trajectories as flat columns, and what an index tells of them, a value a trajectory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curate.env import EnvRules
from curate.turns import result_failed, turn_kind

FIRST_CHARACTERS = 120
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class FlatMessages:
    """Columns of all messages and of all their calls, with where each trajectory's and message's part begins.

    Attributes:
        rows: shape (trajectories + 1,), first message of each trajectory.
        fields: columns of the messages, by name.
        calls: shape (messages + 1,), first call of each message.
        called: columns of the calls, by name.
    """

    rows: Ints
    fields: dict[str, pa.Array[Any]]
    calls: Ints
    called: dict[str, pa.Array[Any]]

    @classmethod
    def of(cls, messages: pa.ChunkedArray[Any]) -> FlatMessages:
        """Take apart a column of messages; any of their fields may be missing."""
        rows, fields = taken_apart(messages)
        nested = fields.pop("tool_calls", None)
        if nested is None:
            return cls(rows, fields, np.zeros(rows[-1] + 1, np.int64), {})
        calls, called = taken_apart(nested)
        return cls(rows, fields, calls, called)

    def columns(self, rules: Sequence[EnvRules]) -> dict[str, list[Any]]:
        """Counts and words of each trajectory.

        Args:
            rules: of each trajectory's env.
        """
        roles = self.fields["role"].to_pylist()
        thoughts = _lengths(self.fields["reasoning_content"])
        texts, names = self.fields["content"].to_pylist(), self.called["name"].to_pylist()
        found: dict[str, list[Any]] = {name: [] for name in ("turns", "tools", "turn_kinds", "thinking", "first_words")}
        for first, end in pairwise(self.rows.tolist()):
            turns = [at for at in range(first, end) if roles[at] == "assistant"]
            found["turns"].append(len(turns))
            found["thinking"].append(sum(thoughts[at] > 0 for at in turns))
            found["tools"].append(sorted({name for name in names[self.calls[first] : self.calls[end]] if name}))
            found["turn_kinds"].append(sorted({self._kind(at, texts[at]) for at in turns}))
            found["first_words"].append(_first_words(texts[at] for at in range(first, end) if roles[at] == "user"))
        found["messages"] = np.diff(self.rows).tolist()
        found["calls"] = np.diff(self.calls[self.rows]).tolist()
        found["characters"] = self._characters().tolist()
        found["failed_calls"] = self._failed(roles, texts, rules)
        return found

    def _kind(self, at: int, text: str | None) -> str:
        called = range(self.calls[at], self.calls[at + 1])
        message: Any = {"content": text, "tool_calls": called}
        return turn_kind(message)

    def _characters(self) -> Ints:
        """Of contents, thoughts and arguments, a number a trajectory."""
        written = sum(_lengths(self.fields[name]) for name in ("content", "content_json", "reasoning_content"))
        begins = self.calls[self.rows]
        return _sums(np.asarray(written), self.rows) + _sums(_lengths(self.called["arguments"]), begins)

    def _failed(self, roles: Sequence[Any], texts: Sequence[str | None], rules: Sequence[EnvRules]) -> list[int]:
        errors = self.fields["is_error"].to_pylist()
        counts = []
        for (first, end), rule in zip(pairwise(self.rows.tolist()), rules, strict=True):
            results: Iterator[Any] = (
                {"is_error": errors[at], "content": texts[at]} for at in range(first, end) if roles[at] == "tool"
            )
            counts.append(sum(result_failed(result, rule) for result in results))
        return counts


def taken_apart(lists: pa.ChunkedArray[Any] | pa.Array[Any]) -> tuple[Ints, dict[str, pa.Array[Any]]]:
    """Where each list begins, and the fields of all items; a null is an empty list."""
    whole: Any = lists.combine_chunks() if isinstance(lists, pa.ChunkedArray) else lists
    lengths = pc.list_value_length(whole).fill_null(0).to_numpy(zero_copy_only=False)
    begins = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    items = whole.flatten()
    return begins, dict(zip([field.name for field in items.type], items.flatten(), strict=True))


def _lengths(texts: Any) -> Ints:
    return np.asarray(pc.utf8_length(texts).fill_null(0).to_numpy(zero_copy_only=False), np.int64)


def _sums(values: Ints, begins: Ints) -> Ints:
    total = np.concatenate([[0], np.cumsum(values)])
    return np.asarray(np.diff(total[begins]))


def _first_words(texts: Iterator[str | None]) -> str:
    for text in texts:
        if text and text.strip():
            return " ".join(text[: 8 * FIRST_CHARACTERS].split())[:FIRST_CHARACTERS]
    return ""
