"""Small hand-written inputs and folders for the tests of `curate`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from curate.__main__ import main
from curate.normalise import Input, normalise
from curate.readers.files import read_records
from curate.readers.raw import Format, RawRecord
from curate.readers.registry import LOOK_AT, detect
from curate.trajectory import Trajectory

Record = dict[str, Any]


def chat(number: int = 0, **facts: Any) -> Record:
    """One OpenAI chat record: a question, a call, its result, an answer; different for each number."""
    call = {
        "id": "c1",
        "type": "function",
        "function": {"name": "get_order", "arguments": f'{{"order_id": "#W{number}"}}'},
    }
    return {
        "messages": [
            {"role": "system", "content": "You help customers."},
            {"role": "user", "content": f"Where is order #W{number}?"},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {
                "role": "tool",
                "tool_call_id": "c1",
                "name": "get_order",
                "content": f'{{"status": "sent", "n": {number}}}',
            },
            {"role": "assistant", "content": f"Order #W{number} was sent."},
        ],
        "task_id": f"task-{number}",
        **facts,
    }


def write_lines(path: Path, records: Sequence[Any]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


@pytest.fixture
def make_chat() -> Callable[..., Record]:
    return chat


@pytest.fixture
def jsonl(tmp_path: Path) -> Callable[..., Path]:
    """Write records as JSON lines: `jsonl(records, "name.jsonl")`."""
    return lambda records, name="traces.jsonl": write_lines(tmp_path / name, records)


@pytest.fixture
def run() -> Callable[..., int]:
    """`python -m curate` in this process; the exit code, also where the command line is refused."""
    return exit_code(main)


@pytest.fixture
def command() -> Callable[..., int]:
    """Any command's main in this process: `command(show.main, folder, "--json")`."""
    return lambda entry, *args: exit_code(entry)(*args)


def exit_code(entry: Callable[[Sequence[str]], int]) -> Callable[..., int]:
    def call(*args: object) -> int:
        try:
            return entry([str(arg) for arg in args])
        except SystemExit as stop:
            return int(stop.code or 0)

    return call


@pytest.fixture(scope="session")
def small_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A curated folder: four rows kept, one reject of a filter, one of the reader. Read it, never change it."""
    root = tmp_path_factory.mktemp("small")
    records: list[Mapping[str, Any]] = [chat(number, reward=number % 2) for number in range(4)]
    talk = {"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]}
    source = write_lines(
        root / "traces.jsonl", [*records, talk, {"messages": [{"role": "wizard", "content": "\x1b[31m"}]}]
    )
    assert main([str(source), "--out", str(root / "out")]) == 0
    return root / "out"


@pytest.fixture(scope="session")
def real_three(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The three real files curated together, as the README does it. Read it, never change it."""
    out = tmp_path_factory.mktemp("real") / "out"
    assert main([*map(str, real_files(shared)), "--env", "airline", "retail", "retail", "--out", str(out)]) == 0
    return out


def real_files(shared: Path) -> list[Path]:
    names = ("tau_bench_airline_gpt4o", "tau_bench_retail_gpt4o", "tau_bench_retail_code_agent")
    return [shared / f"{name}.json.gz" for name in names]


@pytest.fixture(scope="session")
def three_inputs(shared: Path) -> list[Path]:
    return real_files(shared)


TRACES = Path(__file__).parent / "traces"
"""One small file a format, with the particulars that bite."""


def assembled(path: Path) -> tuple[Format, list[RawRecord]]:
    """The format of a file, and its records as the format wants them."""
    records = list(read_records(path))
    reader = detect(records[:LOOK_AT], path.name)[0]
    return reader, list(reader.assemble(iter(records)) if reader.assemble else records)


@pytest.fixture
def read_trace() -> Callable[[str], list[Trajectory]]:
    """The rows of a file of `traces/`, as the pipeline normalises them."""

    def read(name: str) -> list[Trajectory]:
        reader, records = assembled(TRACES / name)
        return [normalise(reader.convert(item.value), item.value, item.row, Input(name, "traces")) for item in records]

    return read


@pytest.fixture(scope="session")
def trace_records() -> Callable[[], list[tuple[str, Format, RawRecord]]]:
    """Every record of `traces/`, assembled: (file, its format, the record)."""
    files = [(path.name, *assembled(path)) for path in sorted(TRACES.iterdir())]
    found = [(name, reader, record) for name, reader, records in files for record in records]
    return lambda: found
