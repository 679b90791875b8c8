"""Read one trajectory at the terminal, or list a folder's: `python -m curate.show DIR [ID]`."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from curate.cli import out, parse, run
from curate.errors import UsageError
from curate.trajectory import Message, Thinking, Trajectory

if TYPE_CHECKING:
    from curate.folder import DatasetFolder

WIDTH = 100


@dataclass(frozen=True)
class ShowSettings:
    """Settings of `curate.show`.

    Attributes:
        folder: a dataset folder with trajectories.
        trajectory: an id or the start of one (source:row for a reject without id); without it, they are listed.
        table: trajectories or rejects.
        limit: how many are listed.
        chars: texts are cut after so many characters; 0 shows them whole.
        json: print the row as JSON.
    """

    folder: tyro.conf.Positional[Path]
    trajectory: tyro.conf.Positional[str] = ""
    table: str = "trajectories"
    limit: int = 20
    chars: int = 600
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False


def find(folder: DatasetFolder, start: str, table: str = "trajectories") -> Trajectory:
    """The one row whose id starts with `start`.

    Raises:
        UsageError: if no row's id does, or several do.
    """
    names = (_name(row) for row in folder.rows(table, ["trajectory_id", "source", "source_row"]))
    wanted = [name for name in names if name.startswith(start)]
    exact = [name for name in wanted if name == start]
    if len(exact or wanted) != 1:
        said = "no trajectory" if not wanted else f"{len(wanted)} trajectories"
        raise UsageError(f"{folder.path} has {said} whose id starts with {start!r} in table {table}")
    chosen = (exact or wanted)[0]
    found: Trajectory = next(row for row in folder.rows(table) if _name(row) == chosen)  # type: ignore[assignment]
    return found


def _name(row: Mapping[str, Any]) -> str:
    """What a row is called at the terminal; records of which no trajectory could be made have no id."""
    return row["trajectory_id"] or f"{row['source']}:{row['source_row']}"


def render(row: Trajectory, chars: int = 600) -> Iterator[str]:
    """The lines of one trajectory for a person to read."""
    facts = [f"{key} {row[key]}" for key in ("source", "source_row", "env_id", "task_id", "trial", "reward", "split")]
    yield f"{_name(row)}  {', '.join(facts)}"
    if "reject_reason" in row:
        reject: Any = row
        yield f"rejected by {reject['reject_step']}: {reject['reject_reason']} ({reject['reject_detail']})"
        if reject["raw"]:
            yield from _block(reject["raw"].decode(errors="replace"), chars, "    ")
    thoughts = {thought["message_index"]: thought for thought in row["thinking"] or []}
    for index, message in enumerate(row["messages"] or []):
        yield ""
        yield from render_message(index, message, thoughts.get(index), chars)


def render_message(index: int, message: Message, thought: Thinking | None, chars: int = 600) -> Iterator[str]:
    """The lines of one message: role, thinking with its origin, text, calls."""
    marks = [message["pair_status"] or "", "" if message["train"] or message["role"] != "assistant" else "not trained"]
    name = f" {message['name']}" if message["name"] else ""
    yield f"[{index}] {message['role']}{name} {' '.join(mark for mark in marks if mark)}".rstrip()
    if message["reasoning_content"] or thought:
        origin = f"{thought['origin']}, {thought['kind']}" if thought else "thinking"
        text = message["reasoning_content"] or f"none: {', '.join(thought['checks_failed'] if thought else [])}"
        yield from _block(f"({origin}) {text}", chars, "  ~ ")
    if shown := message["content"] or message["content_json"]:
        yield from _block(shown, chars, "    ")
    for call in message["tool_calls"]:
        yield from _block(f"{call['name']}({call['arguments']})", chars, "  > ")


def _block(text: str, chars: int, indent: str) -> Iterator[str]:
    cut = text if not chars or len(text) <= chars else f"{text[:chars]} ... ({len(text) - chars:,} more characters)"
    for line in cut.splitlines() or [""]:
        yield from textwrap.wrap(line, WIDTH, initial_indent=indent, subsequent_indent=indent) or [indent.rstrip()]


def _list(folder: DatasetFolder, settings: ShowSettings) -> None:
    from curate.report import text_table

    rejects = settings.table == "rejects"
    headers = ["id", "source", "row", "task", "reward", "split"] + (["step", "reason", "detail"] if rejects else [])
    rows: list[list[Any]] = []
    columns = ["trajectory_id", "source", "source_row", "task_id", "reward", "split"]
    columns += ["reject_step", "reject_reason", "reject_detail"] if rejects else []
    for row in folder.rows(settings.table, columns):
        if len(rows) == settings.limit:
            break
        cells = [_name(row), *(row[column] for column in columns[1:])]
        rows.append([(cell or "")[:80] if isinstance(cell, str) else cell for cell in cells])
    out(text_table(headers, rows))
    total = folder.manifest.rows(settings.table)
    out(f"{len(rows):,} of {total:,}; give an id, or its start, to read one")


def main(argv: Sequence[str] | None = None) -> int:
    """Show one trajectory, or the list."""
    settings = parse(ShowSettings, "python -m curate.show", __doc__ or "", argv)

    def command() -> int:
        from curate.canonical import compact_json
        from curate.folder import DatasetFolder

        folder = DatasetFolder.open(settings.folder)
        if not settings.trajectory:
            _list(folder, settings)
            return 0
        row: Any = find(folder, settings.trajectory, settings.table)
        if settings.json:
            raw = row.pop("raw", None)
            out(compact_json(row | ({"raw": raw.decode(errors="replace")} if raw else {})))
        else:
            for line in render(row, settings.chars):
                out(line)
        return 0

    return run(command)


if __name__ == "__main__":
    raise SystemExit(main())
