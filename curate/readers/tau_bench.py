"""tau-bench: `{task_id, trial, reward, info, traj}`, `traj` being OpenAI chat without tool schemas.

Code-writing agents record Python-literal arguments and neither call ids nor, on failures, tool names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from curate.readers.messages import openai_messages
from curate.readers.raw import RawTrajectory, take_facts


class TauBench:
    """Records with a `traj`; the task statement is `info.task`."""

    name = "tau_bench"
    assemble = None

    def matches(self, record: Mapping[str, Any]) -> float:
        """Sure if there is a `traj` beside a `task_id`."""
        return 0.95 if isinstance(record.get("traj"), list) and "task_id" in record else 0.0

    def convert(self, record: Mapping[str, Any]) -> RawTrajectory:
        """Read one record."""
        raw = openai_messages(record.get("traj"))
        info = record.get("info")
        if isinstance(info, Mapping):
            raw.task_statement = info.get("task")
        return take_facts(record, raw, {"traj"})
