"""Evaluation tasks out of a benchmark's file, whatever its shape: what the user is to say, and the gold calls.

A file is JSON, JSONL or Parquet (.gz, .zst): trajectories in any format we read, task files of tau-bench and tau2,
BFCL and ACEBench questions, or records of anything else.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate.errors import InputError, RecordError, UsageError
from curate.readers.paths import default_source, kind_of
from curate.readers.registry import LOOK_AT, detect

if TYPE_CHECKING:
    from curate.readers.files import RawRecord
    from curate.readers.raw import Format

STATEMENTS = frozenset(
    "question questions instruction instructions prompt task query goal problem user_scenario user_query ticket".split()
)
"""Fields that state a task; everything below them is taken."""
GOLD_CALLS = frozenset("actions gold_calls expected_calls expected_actions reference_calls".split())
"""Fields that list the calls a task asks for, each with `arguments` or `kwargs`."""
TASK_IDS = ("task_id", "id", "uuid", "question_id")
TASK_LISTS = ("tasks", "data", "examples", "instances")
"""Fields of a file's single object that may hold its tasks."""
# Schemas of tools and states of worlds are no part of what is asked, and every task of a benchmark has the same.
_NOT_ASKED = frozenset(
    "function functions tools available_tools parameters initial_state initial_config involved_classes".split()
)
_TRAJECTORIES = frozenset("traj trajectory messages conversations conversation history simulations".split())
_SPEAKER = re.compile(r"^(user|system|assistant|agent): ", re.MULTILINE)


@dataclass
class BenchmarkTask:
    """One task.

    Attributes:
        task_id: within the benchmark; `row N` where the record has none.
        statements: texts that state the task, each by itself.
        messages: what the user says, message by message, where the task is a dialogue.
        calls: arguments of the gold calls.
        task_group: that trajectories have which record this statement as their task.
    """

    task_id: str
    statements: list[str] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    calls: list[Any] = field(default_factory=list)
    task_group: str | None = None


@dataclass(frozen=True)
class BenchmarkFile:
    """One file as named on the command line, with the dotted path of a field if one was given."""

    name: str
    path: Path
    field: str | None


def benchmark_files(specs: Sequence[str]) -> list[BenchmarkFile]:
    """The files behind `FILE` or `FILE:field.path`, each with a name of its own.

    Raises:
        UsageError: for a missing or unknown kind of file, or two benchmarks that cannot be told apart.
    """
    found = [_benchmark_file(spec) for spec in specs]
    names = [_name(given) for given in found]
    if len(set(names)) < len(names):  # tau2 calls the file of each domain tasks.json
        names = [f"{given.path.absolute().parent.name}/{name}" for given, name in zip(found, names, strict=True)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(f"two benchmarks have the name {twice[0]!r}; rename one file, or leave one out")
    return [BenchmarkFile(name, given.path, given.field) for name, given in zip(names, found, strict=True)]


def _benchmark_file(spec: str) -> BenchmarkFile:
    path, place = Path(spec), None
    if not path.exists() and ":" in spec:
        start, _, place = spec.rpartition(":")
        path = Path(start)
        if not all(place.split(".")):
            raise UsageError(f"--benchmark {spec}: after the colon a field is named, e.g. info.task.instruction")
    kind_of(path)
    return BenchmarkFile("", path, place)


def _name(given: BenchmarkFile) -> str:
    return default_source(given.path) + (f":{given.field}" if given.field else "")


def read_tasks(given: BenchmarkFile, skipped: list[str]) -> Iterator[BenchmarkTask]:
    """The tasks of one file in order; what is wrong with a record that cannot be read is added to `skipped`.

    Raises:
        InputError: for a file that cannot be read to its end: half a benchmark would let the other half through.
    """
    from curate.readers.files import read_records

    stream = read_records(given.path)
    first = list(itertools.islice(stream, LOOK_AT))
    reader = None if given.field else _reader(first)
    for record in itertools.chain(first, stream):
        if record.problem is not None:
            skipped.append(f"record {record.row}: {record.problem}: {record.detail}")
            continue
        for number, value in enumerate(_tasks_within(record.value)):
            name = f"row {record.row}" if value is record.value else f"row {record.row}.{number}"
            try:
                yield _task(value, name, reader, given.field)
            except RecordError as error:
                skipped.append(f"record {record.row}: {error}")


def _reader(records: Sequence[RawRecord]) -> Format | None:
    """The format of the file's trajectories; None if it holds none."""
    try:
        return detect(records, "")[0]
    except InputError:
        return None


def _tasks_within(value: Any) -> list[Any]:
    """A record is one task, or an object that lists tasks."""
    if isinstance(value, Mapping) and not _TRAJECTORIES & value.keys() - {"simulations"}:
        for key in TASK_LISTS:
            items = value.get(key)
            if isinstance(items, list) and items and all(isinstance(item, Mapping) for item in items):
                return items
    return [value]


def _task(value: Any, name: str, reader: Format | None, place: str | None) -> BenchmarkTask:
    task = BenchmarkTask(_task_id(value) or name)
    if place is not None:
        task.statements = _strings(_at(value, place.split(".")))
        return task
    if not isinstance(value, Mapping):
        task.statements = _strings(value)
        return task
    _walk(value, task)
    if reader is not None and reader.matches(value) > 0:
        _take_trajectory(value, reader, task)
    else:
        task.task_group = _group_of({key: item for key, item in value.items() if key not in TASK_IDS})
    if not (task.statements or task.messages or task.calls):
        task.statements = _strings({key: item for key, item in value.items() if key not in TASK_IDS})
    return task


def _take_trajectory(value: Mapping[str, Any], reader: Format, task: BenchmarkTask) -> None:
    """What the user said, and the recorded calls unless the record lists gold ones: a recorded agent may be wrong."""
    from curate.canonical import parse_arguments

    raw = reader.convert(value)
    messages = raw.messages
    task.task_group = None if raw.task_statement is None else _group_of(raw.task_statement)
    task.messages += [message["content"] or "" for message in messages if message["role"] == "user"]
    if not task.calls:
        texts = [call["arguments"] for message in messages for call in message["tool_calls"]]
        task.calls = [text if (parsed := parse_arguments(text)[0]) is None else parsed for text in texts]


def _group_of(statement: Any) -> str | None:
    """The group of the trajectories that record this statement; see `normalise`."""
    from curate.canonical import canonical_json, hash128

    try:
        return "task:" + hash128(canonical_json(statement))[:16]
    except (ValueError, TypeError):
        return None


def _walk(value: Mapping[str, Any], task: BenchmarkTask, stated: bool = False) -> None:
    """Collect statements and gold calls from an object; `stated` says that it stands below a statement."""
    if isinstance(value.get("role"), str) and "content" in value:
        if value["role"] in ("user", "human"):
            task.messages += _strings(value["content"])
        return
    for key, item in value.items():
        if key in GOLD_CALLS and isinstance(item, list):
            task.calls += [_arguments(call) for call in item if isinstance(call, Mapping)]
        elif key in _NOT_ASKED or key in _TRAJECTORIES:
            continue
        else:
            _walk_item(item, task, stated or key in STATEMENTS)


def _walk_item(item: Any, task: BenchmarkTask, stated: bool) -> None:
    if isinstance(item, Mapping):
        _walk(item, task, stated)
    elif isinstance(item, (list, tuple)):
        for inner in item:
            _walk_item(inner, task, stated)
    elif stated and isinstance(item, str):
        said = _said_by_user(item)
        if said is None:
            task.statements.append(item)
        else:
            task.messages += said


def _arguments(call: Mapping[str, Any]) -> Any:
    function = call.get("function")
    holder = function if isinstance(function, Mapping) else call
    return next((holder[key] for key in ("arguments", "kwargs", "parameters") if key in holder), None)


def _said_by_user(text: str) -> list[str] | None:
    """The user's part of a dialogue in one text, as ACEBench writes it: lines of `user: ...` and `system: ...`."""
    parts = _SPEAKER.split(text)
    if parts[0].strip() or len(parts) == 1:
        return None
    return [said for speaker, said in zip(parts[1::2], parts[2::2], strict=True) if speaker == "user"]


def _strings(value: Any) -> list[str]:
    """The texts in a value, in order; no recursion, so depth costs no stack."""
    found: list[str] = []
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, str):
            found.append(item)
        elif isinstance(item, Mapping):
            stack.extend(reversed(list(item.values())))
        elif isinstance(item, (list, tuple)):
            stack.extend(reversed(item))
    return found


def _at(value: Any, keys: Sequence[str]) -> Any:
    """What stands at a dotted path; a list on the way is followed into each of its elements."""
    if not keys:
        return value
    if isinstance(value, (list, tuple)):
        return [_at(item, keys) for item in value]
    return _at(value.get(keys[0]), keys[1:]) if isinstance(value, Mapping) else None


def _task_id(value: Any) -> str | None:
    if isinstance(value, Mapping):
        for key in TASK_IDS:
            if isinstance(value.get(key), (str, int)) and value[key] != "":
                return str(value[key])
    return None
