"""The desk: a small live world for tool-calling agents, its tasks, users, checker and scripted agents.

`World(seed, preset)` answers calls; `record(...)` yields trajectories; `task_by_id(...)` brings a task back, to be
played live; `check(...)` judges an episode; `ScriptedUser` talks to any agent. `python -m curate.sandbox` writes files.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from curate.sandbox.checking import CheckResult, check
    from curate.sandbox.export import Summary, export
    from curate.sandbox.recording import play, record
    from curate.sandbox.skills import SKILLS, Skill
    from curate.sandbox.tasks import Task, task_by_id
    from curate.sandbox.users import STOP, ScriptedUser
    from curate.sandbox.world import World

__all__ = [
    "World",
    "Task",
    "task_by_id",
    "check",
    "CheckResult",
    "ScriptedUser",
    "STOP",
    "Skill",
    "SKILLS",
    "play",
    "record",
    "export",
    "Summary",
]

_HOMES = {
    "World": "world",
    "Task": "tasks",
    "task_by_id": "tasks",
    "check": "checking",
    "CheckResult": "checking",
    "ScriptedUser": "users",
    "STOP": "users",
    "Skill": "skills",
    "SKILLS": "skills",
    "play": "recording",
    "record": "recording",
    "export": "export",
    "Summary": "export",
}


def __getattr__(name: str) -> object:
    """Load an exported name from its module on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
