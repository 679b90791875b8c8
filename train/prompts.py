"""Where GRPO starts its rollouts: the user turns of recorded dialogues whose recorded reply calls a tool."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sized
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

import orjson
import pyarrow as pa

from curate.progress import track
from curate.trajectory import Message, Trajectory
from train.chat_format import TemplateRefuses
from train.settings import PromptSettings
from train.think_calls import without_think_calls
from train.tokens import Part, parts

if TYPE_CHECKING:
    from curate.folder import DatasetFolder

_FIELDS: list[pa.Field[Any]] = [pa.field("row", pa.large_binary()), pa.field("at", pa.int32())]
_STORED = pa.schema(_FIELDS)
_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class StoredPrompt:
    """A prompt as it was stored: the trajectory, the user turn, and the recorded steps behind it."""

    row: Trajectory
    part: Part
    reference: list[Message]


class Measure(Protocol):
    """Says how long a prompt is, and counts what is left out: `train.tokens.Renderer` is one."""

    counts: Counter[str]

    def prompt(self, part: Part) -> Sized:
        """Something as long as the prompt is in tokens."""
        ...


class PromptStore:
    """Prompts in an Arrow file that is mapped into memory; any of them is read when it is asked for.

    Args:
        path: of the file.
        drop_think_calls: as they were chosen with.
    """

    def __init__(self, path: Path, *, drop_think_calls: bool = False) -> None:
        self._drop = drop_think_calls
        with pa.memory_map(str(path)) as source:
            self._table = pa.ipc.open_file(source).read_all()

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def __getitem__(self, number: int) -> StoredPrompt:
        row: Trajectory = orjson.loads(self._table["row"][number].as_py())
        at = self._table["at"][number].as_py()
        part = next(each for each in parts(row, drop_think_calls=self._drop) if each.message_index == at)
        behind = row["messages"][at + 1 :]
        return StoredPrompt(row, part, [step for _, step in without_think_calls(behind)] if self._drop else behind)


def store_prompts(
    folder: DatasetFolder, splits: frozenset[str], settings: PromptSettings, measure: Measure, path: Path
) -> PromptStore:
    """Write the prompts of a folder; what is left out is counted in `measure.counts`."""
    rows = track(folder.rows("trajectories"), "choosing prompts", total=folder.manifest.rows("trajectories"))
    chosen = (cast(Trajectory, row) for row in rows if row["split"] in splits)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, _STORED) as writer:
        waiting: list[dict[str, Any]] = []
        for row in chosen:
            waiting += _prompts(row, settings, measure)
            if len(waiting) >= _AT_ONCE:
                writer.write_batch(pa.RecordBatch.from_pylist(waiting, schema=_STORED))
                waiting = []
        if waiting:
            writer.write_batch(pa.RecordBatch.from_pylist(waiting, schema=_STORED))
    return PromptStore(path, drop_think_calls=settings.drop_think_calls)


def _prompts(row: Trajectory, settings: PromptSettings, measure: Measure) -> Iterator[dict[str, Any]]:
    counts = measure.counts
    if row["reward"] is not None and row["reward"] < settings.min_reward:
        counts["below_min_reward"] += 1
        return
    messages = row["messages"]
    for part in parts(row, drop_think_calls=settings.drop_think_calls):
        if not settings.every_turn and not any(step.get("tool_calls") for step in part.steps):
            counts["reply_calls_no_tool"] += 1
            continue
        try:
            length = len(measure.prompt(part))
        except TemplateRefuses:
            counts["template_refuses"] += 1
            continue
        if length > settings.max_prompt:
            counts["prompt_too_long"] += 1
            continue
        counts["prompts"] += 1
        at = part.message_index
        end = next((index for index in range(at + 1, len(messages)) if messages[index]["role"] == "user"), None)
        yield {"row": orjson.dumps(row | {"messages": messages[:end], "thinking": [], "evidence": []}), "at": at}
