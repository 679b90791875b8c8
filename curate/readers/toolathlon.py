"""Toolathlon: OpenAI chat with its outcome, as `{pass, messages, failure}` or in the published columns of JSON text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from curate.errors import RecordError
from curate.readers.messages import openai_messages
from curate.readers.raw import RawTrajectory, described, json_column, read_tools, take_facts

_PUBLISHED = ("config", "task_status", "key_stats", "agent_cost")
_RUN = re.compile(r"_(\d{1,6})\Z")


class Toolathlon:
    """One task a record; the outcome is `pass`, or `task_status.evaluation` in the published files."""

    name = "toolathlon"
    assemble = None

    def matches(self, record: Mapping[str, Any]) -> float:
        """Sure by the outcome beside messages."""
        if "messages" not in record:
            return 0.0
        if {"task_status", "task_name"} <= record.keys() or "modelname_run" in record:
            return 0.97
        return 0.95 if isinstance(record.get("pass"), (bool, type(None))) and "pass" in record else 0.0

    def convert(self, record: Mapping[str, Any]) -> RawTrajectory:
        """Read one record; `tool_calls` beside the messages are the tools on offer."""
        raw = openai_messages(json_column(record, "messages", list))
        offered = json_column(record, "tool_calls", dict)
        tools = offered.get("tools") if isinstance(offered, Mapping) else offered
        raw.tools = read_tools(tools or record.get("tools"))
        whole = {**record, **described(record, _PUBLISHED)}
        passed = _passed(whole)
        if "reward" not in whole and passed is not None:
            whole["reward"] = float(passed)
        run = whole.get("modelname_run")
        number = _RUN.search(run) if isinstance(run, str) else None
        if "trial" not in whole and number is not None:
            whole["trial"] = int(number[1])
        if "task_id" not in whole and whole.get("task_name") is not None:
            whole["task_id"] = whole["task_name"]
        return take_facts(whole, raw, {"messages", "tool_calls", "tools"})


def _passed(record: Mapping[str, Any]) -> bool | None:
    status = record.get("task_status")
    passed = record.get("pass", status.get("evaluation") if isinstance(status, Mapping) else None)
    if passed is not None and not isinstance(passed, bool):
        raise RecordError("wrong_type", f"the outcome is {type(passed).__name__}, not a boolean")
    return passed
