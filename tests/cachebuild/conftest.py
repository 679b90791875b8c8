"""Small trajectories, dataset folders and caches for the tests of this room."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from curate.canonical import hash128, parse_arguments
from curate.folder import FolderWriter, Manifest
from curate.schema import REJECT, TRAJECTORY
from curate.trajectory import Message, Trajectory, trajectory_of


def message(role: str, content: str | None = None, **given) -> Message:
    empty = dict.fromkeys(Message.__annotations__)
    return Message(**(empty | {"role": role, "content": content, "tool_calls": [], "train": False} | given))


def dialogue(*turns) -> list[Message]:
    """Messages of turns: a text is the user's, a list of (tool, arguments, result) an assistant turn with results.

    A result of None leaves the call unanswered; arguments may be a text or a mapping.
    """
    messages = []
    for turn in turns:
        if isinstance(turn, str):
            messages.append(message("user", turn))
            continue
        calls, results = [], []
        for number, (tool, arguments, result) in enumerate(turn):
            text = arguments if isinstance(arguments, str) else json.dumps(arguments)
            call_id = f"call_{len(messages)}_{number}"
            status = parse_arguments(text)[1]
            calls.append({"id": call_id, "name": tool, "arguments": text, "args_status": status})
            if result is not None:
                results.append(message("tool", result, tool_call_id=call_id, name=tool))
        messages += [message("assistant", None, tool_calls=calls), *results]
    return messages


def trajectory(name: str, *turns, **given) -> Trajectory:
    place = {"source": "made", "env_id": "shop", "task_id": "t1", "task_group": "g1"}
    return trajectory_of(**{"trajectory_id": hash128(name), "messages": dialogue(*turns)} | place | given)


@pytest.fixture(scope="session")
def make():
    """`trajectory` for tests: make(name, *turns, **columns)."""
    return trajectory


@pytest.fixture(scope="session")
def talk():
    """`dialogue` for tests: the messages of some turns."""
    return dialogue


@pytest.fixture
def write_folder(tmp_path):
    """Write rows as a curated folder: write_folder(rows, rejects=[(row, reason)], env_rules={...}, name=...)."""

    def write(rows, rejects=(), env_rules=None, name="curated", kind="curated") -> Path:
        settings = {
            "env_rules": env_rules or {},
            "split": {"train_share": 1.0, "validation_share": 0.0, "test_share": 0.0},
        }
        with FolderWriter(tmp_path / name, Manifest(kind, "test", settings, [])) as writer:
            writer.table("trajectories", TRAJECTORY).write(rows)
            found = [
                {**row, "reject_step": "filter", "reject_reason": reason, "reject_detail": ""}
                for row, reason in rejects
            ]
            writer.table("rejects", REJECT).write(found)
        return tmp_path / name

    return write


@pytest.fixture
def compiled(write_folder, tmp_path):
    """Compile rows and open the cache: compiled(rows, env_rules=..., settings=LookupSettings(...))."""

    def build(rows, env_rules=None, settings=None):
        from cachebuild import ToolCache
        from cachebuild.compile import compile_cache
        from cachebuild.settings import CompileSettings

        count = len(list(tmp_path.iterdir()))
        folder = write_folder(rows, env_rules=env_rules, name=f"in{count}")
        compile_cache(CompileSettings(folder, tmp_path / f"cache{count}", splits=("all",)))
        return ToolCache.open(tmp_path / f"cache{count}", settings)

    return build
