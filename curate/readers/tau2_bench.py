"""tau2-bench: `{info, tasks, simulations[]}`, or one simulation a file; both sides of a dialogue may call tools."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from curate.errors import RecordError
from curate.readers.messages import objects, openai_messages
from curate.readers.raw import RawRecord, RawTrajectory, take_facts


class Tau2Bench:
    """Results files, assembled to `{**simulation, "task": ..., "run": ...}`, `run` being what matters of `info`."""

    name = "tau2_bench"

    def matches(self, record: Mapping[str, Any]) -> float:
        """Sure by `simulations` beside `tasks` or `info`, or by what only a simulation says of its end."""
        if isinstance(record.get("simulations"), list):
            return 0.97 if "tasks" in record or "info" in record else 0.5
        known = {"task_id", "messages", "reward_info", "termination_reason"}
        return 0.97 if known <= record.keys() else 0.0

    def assemble(self, records: Iterator[RawRecord]) -> Iterator[RawRecord]:
        """One record a simulation; a results file is held whole, as the one record that it is."""
        row = 0
        for record in records:
            for value in _simulations(record.value) if record.problem is None else [None]:
                if value is None:
                    yield RawRecord(row, record.value, record.problem, record.detail, record.raw)
                else:
                    yield RawRecord(row, value)
                row += 1

    def convert(self, record: Mapping[str, Any]) -> RawTrajectory:
        """Read one simulation."""
        items = _flat(objects(record.get("messages"), "messages"))
        raw = openai_messages([_renamed(item, f"messages[{index}]") for index, item in enumerate(items)])
        for item, read in zip(items, raw.messages, strict=True):
            if read["role"] == "assistant" and read["reasoning_content"] is None:
                read["reasoning_content"] = _raw_thinking(item.get("raw_data"))
        task, run, reward = (_object(record, key) for key in ("task", "run", "reward_info"))
        world = _object(run, "environment_info")
        raw.tools = _tools(world.get("tool_defs"))
        reward_given = {"reward": reward.get("reward")} if "reward" not in record else {}
        take_facts({**record, **reward_given}, raw, {"messages"})
        raw.task_statement = task.get("user_scenario") or None
        domain = world.get("domain_name")
        if raw.env_id is None and isinstance(domain, str) and domain:
            raw.env_id = f"tau2_{domain}"
        return raw


def _simulations(value: Any) -> Iterator[Any]:
    """The simulations of a results file, each with its task and run; None stands for the record itself."""
    if not isinstance(value, Mapping) or not isinstance(value.get("simulations"), list):
        yield None
        return
    listed = value.get("tasks")
    tasks = [task for task in listed if isinstance(task, Mapping)] if isinstance(listed, list) else []
    by_id = {str(task.get("id")): task for task in tasks}
    info = value.get("info")
    run = {key: item for key, item in info.items() if key != "user_info"} if isinstance(info, Mapping) else {}
    user = _object(info, "user_info") if isinstance(info, Mapping) else {}
    # The guidelines of the simulated user are long and the same in every run.
    run["user_info"] = {key: item for key, item in user.items() if key != "global_simulation_guidelines"}
    for simulation in value["simulations"]:
        if isinstance(simulation, Mapping):
            task = by_id.get(str(simulation.get("task_id")))
            yield {**simulation, **({"task": task} if task else {}), "run": run}
        else:
            yield [simulation]  # no object: the reject shows it


def _object(value: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = value.get(key)
    return found if isinstance(found, Mapping) else {}


def _flat(items: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The messages with those that bundle several results undone."""
    flat: list[Mapping[str, Any]] = []
    for index, item in enumerate(items):
        if item.get("role") == "tool" and "tool_messages" in item:
            flat += objects(item["tool_messages"], f"messages[{index}].tool_messages")
        else:
            flat.append(item)
    return flat


def _renamed(item: Mapping[str, Any], place: str) -> Mapping[str, Any]:
    """A result with its id and error under OpenAI's names; calls already look like bare functions."""
    if item.get("role") != "tool":
        return item
    error = item.get("error")
    if error is not None and not isinstance(error, bool):
        raise RecordError("wrong_type", f"{place}.error is {type(error).__name__}, not a boolean")
    rest = {key: value for key, value in item.items() if key not in ("id", "error")}
    return {**rest, "tool_call_id": item.get("id"), "is_error": error}


def _raw_thinking(data: Any) -> str | None:
    """The thinking in a provider's own message, which `raw_data` keeps."""
    if not isinstance(data, Mapping):
        return None
    choices = data.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else data
    reply = choice.get("message", choice) if isinstance(choice, Mapping) else None
    thought = reply.get("reasoning_content") if isinstance(reply, Mapping) else None
    return thought if isinstance(thought, str) and thought.strip() else None


def _tools(value: Any) -> list[dict[str, Any]] | None:
    """Schemas from the signatures that some runs record: name -> {name, doc, params}."""
    if not isinstance(value, Mapping) or not value:
        return None
    signatures = [item for item in value.values() if isinstance(item, Mapping) and isinstance(item.get("name"), str)]
    if len(signatures) != len(value):
        return None
    return [
        {
            "type": "function",
            "function": {
                "name": item["name"],
                "description": item.get("doc") or "",
                "parameters": item.get("params") or {"type": "object", "properties": {}},
            },
        }
        for item in signatures
    ]
