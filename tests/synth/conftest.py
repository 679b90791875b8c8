from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from curate.canonical import parse_arguments
from curate.folder import DatasetFolder, FolderWriter
from curate.manifest import Manifest
from curate.pairing import mark_pairs
from curate.pipeline import curate
from curate.schema import TRAJECTORY
from curate.settings import CurateSettings, InputSettings
from curate.trajectory import Message, Trajectory, rehash

FILES = {
    "tau_bench_airline_gpt4o": "airline",
    "tau_bench_retail_gpt4o": "retail",
    "tau_bench_retail_code_agent": "retail",
}


def _message(role: str, content: str | None = None, *calls: tuple[str, str], **more: Any) -> Message:
    """A message; calls are (name, arguments as text)."""
    made = Message(
        role=role,
        content=content,
        content_json=None,
        reasoning_content=None,
        tool_calls=[
            {"id": f"c{at}", "name": name, "arguments": text, "args_status": parse_arguments(text)[1]}
            for at, (name, text) in enumerate(calls)
        ],
        tool_call_id="c0" if role == "tool" else None,
        name=None,
        is_error=None,
        requestor="assistant" if calls or role == "tool" else None,
        pair_status=None,
        train=role == "assistant",
    )
    made.update(more)  # type: ignore[typeddict-item]
    return made


def _trajectory(*messages: Message, tools: str = "[]", **more: Any) -> Trajectory:
    mark_pairs(messages)
    row = Trajectory(
        trajectory_id="t" * 32,
        content_hash="",
        source="s",
        source_row=0,
        license=None,
        env_id="env",
        initial_state_id=None,
        task_id="1",
        trial=0,
        task_group="g",
        messages=list(messages),
        tools=tools,
        tools_inferred=False,
        reward=None,
        thinking=[],
        split="train",
        weight=1.0,
        evidence=[],
        parent=None,
        metadata="{}",
    )
    row.update(more)  # type: ignore[typeddict-item]
    return rehash(row)


@pytest.fixture(scope="session")
def message() -> Callable[..., Message]:
    """Builds a message: role, content, calls as (name, arguments text), further keys."""
    return _message


@pytest.fixture(scope="session")
def trajectory() -> Callable[..., Trajectory]:
    """Builds a row from messages."""
    return _trajectory


@pytest.fixture
def write_curated(tmp_path: Path) -> Callable[..., Path]:
    def write(rows: list[Trajectory], name: str = "curated", kind: str = "curated") -> Path:
        with FolderWriter(tmp_path / name, Manifest(kind, "test", {}, [])) as writer:
            writer.table("trajectories", TRAJECTORY).write(rows)
        return tmp_path / name

    return write


@pytest.fixture(scope="session")
def real_folders(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The three tau-bench files, curated."""
    root = tmp_path_factory.mktemp("curated")
    for stem, env in FILES.items():
        curate(CurateSettings(inputs=(shared / f"{stem}.json.gz",), out=root / stem, input=InputSettings(env=(env,))))
    return {stem: root / stem for stem in FILES}


@pytest.fixture(scope="session")
def real_rows(real_folders: dict[str, Path]) -> Iterator[dict[str, list[Trajectory]]]:
    """Their rows; tests must copy what they change."""
    yield {
        stem: list(DatasetFolder.open(path).rows("trajectories"))  # type: ignore[arg-type]
        for stem, path in real_folders.items()
    }
