"""tau2-bench, Toolathlon and SWE-agent."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from curate.errors import RecordError
from curate.readers.raw import RawRecord, RawTrajectory
from curate.readers.swe_agent import SWEAgent
from curate.readers.tau2_bench import Tau2Bench
from curate.readers.toolathlon import Toolathlon
from curate.trajectory import Trajectory

Read = Callable[[str], list[Trajectory]]


# --- tau2-bench


def test_one_row_a_simulation(read_trace: Read) -> None:
    rows = read_trace("tau2_bench.json")
    assert [(row["source_row"], row["trial"], row["reward"]) for row in rows] == [(0, 0, 0.0), (1, 1, 1.0)]
    assert {row["task_id"] for row in rows} == {"[mobile_data_issue]airplane_mode_on[PERSONA:None]"}
    assert len({row["task_group"] for row in rows}) == 1
    assert {row["env_id"] for row in rows} == {"tau2_telecom"}
    assert len({row["trajectory_id"] for row in rows}) == 2


def test_the_user_may_call_tools_and_is_never_trained_on(read_trace: Read) -> None:
    messages = read_trace("tau2_bench.json")[0]["messages"]
    calls = [
        (item["role"], item["requestor"], item["train"], item["tool_calls"][0]["name"])
        for item in messages
        if item["tool_calls"]
    ]
    assert calls == [
        ("assistant", "assistant", True, "get_customer"),
        ("user", "user", False, "toggle_airplane_mode"),
    ]
    assert [item["requestor"] for item in messages if item["role"] == "tool"] == ["assistant", "assistant", "user"]


def test_results_carry_their_error_and_bundles_are_undone(read_trace: Read) -> None:
    results = [item for item in read_trace("tau2_bench.json")[0]["messages"] if item["role"] == "tool"]
    assert [(item["tool_call_id"], item["is_error"], item["pair_status"]) for item in results] == [
        ("call_1", False, "id"),
        ("call_2", True, "id"),
        ("call_3", False, "id"),
    ]
    assert results[0]["content"] == '{"customer_id": "C1001"}'


def test_arguments_that_are_objects_are_dumped_once(read_trace: Read) -> None:
    turn = read_trace("tau2_bench.json")[0]["messages"][2]
    assert [call["arguments"] for call in turn["tool_calls"]] == [
        '{"phone":"555-123-2002"}',
        '{"line_id":"L1002","full":true}',
    ]


def test_the_providers_own_thinking_is_recorded_thinking(read_trace: Read) -> None:
    row = read_trace("tau2_bench.json")[0]
    assert row["messages"][2]["reasoning_content"] == "First see who is calling."
    assert [(item["message_index"], item["origin"]) for item in row["thinking"]] == [(2, "recorded")]


def test_what_matters_of_the_run_goes_along(read_trace: Read) -> None:
    metadata = json.loads(read_trace("tau2_bench.json")[1]["metadata"])
    assert metadata["termination_reason"] == "user_stop"
    assert metadata["reward_info"]["db_check"] == {"db_match": True}
    assert metadata["run"]["environment_info"]["policy"] == "# Telecom policy"
    assert metadata["run"]["user_info"] == {
        "implementation": "user_simulator",
        "llm": "gpt-4.1",
        "llm_args": {"temperature": 0.0},
    }
    assert metadata["task"]["user_scenario"]["instructions"]["reason_for_call"] == "No mobile data"
    assert metadata["message_extras"]["0"]["turn_idx"] == 0


def assembled(*values: Any) -> list[RawRecord]:
    return list(Tau2Bench().assemble(RawRecord(row, value) for row, value in enumerate(values)))


def test_odd_results_files() -> None:
    assert assembled({"simulations": [], "tasks": []}) == []
    found = assembled({"simulations": [3, {"task_id": 1}], "tasks": 5, "info": 6}, {"task_id": "lone"}, 4)
    assert [record.row for record in found] == [0, 1, 2, 3]
    assert [record.value for record in found] == [[3], {"task_id": 1, "run": {"user_info": {}}}, {"task_id": "lone"}, 4]


def test_tool_signatures_become_schemas() -> None:
    world = {"domain_name": "mock", "tool_defs": {"f": {"name": "f", "doc": "does", "params": {"type": "object"}}}}
    raw = Tau2Bench().convert({"messages": [], "run": {"environment_info": world}})
    assert raw.tools == [
        {"type": "function", "function": {"name": "f", "description": "does", "parameters": {"type": "object"}}}
    ]


def test_a_wrong_error_flag() -> None:
    with pytest.raises(RecordError, match=r"messages\[0\].error"):
        Tau2Bench().convert({"messages": [{"role": "tool", "id": "c", "error": "yes"}]})


# --- Toolathlon


def test_the_published_columns(read_trace: Read) -> None:
    row = read_trace("toolathlon.jsonl")[0]
    assert (row["task_id"], row["trial"], row["reward"]) == ("train-ticket-plan", 2, 1.0)
    assert [call["name"] for item in row["messages"] for call in item["tool_calls"]] == [
        "filesystem-read_file",
        "filesystem-read_file",
        "local-claim_done",
    ]
    assert [item["pair_status"] for item in row["messages"] if item["role"] == "tool"] == ["id", "id", "id"]
    assert [tool["function"]["name"] for tool in json.loads(row["tools"])] == [
        "filesystem-read_file",
        "local-claim_done",
    ]
    metadata = json.loads(row["metadata"])
    assert metadata["config"]["needed_local_tools"] == ["claim_done"]
    assert metadata["modelname_run"] == "gpt-5-high_2"


def test_pass_is_the_reward(read_trace: Read) -> None:
    row = read_trace("toolathlon.jsonl")[1]
    assert row["reward"] == 0.0
    assert json.loads(row["metadata"]) == {"pass": False, "failure": "wrong file"}
    assert Toolathlon().convert({"pass": None, "messages": []}).reward is None
    with pytest.raises(RecordError, match="outcome is str"):
        Toolathlon().convert({"pass": "yes", "messages": []})


def test_a_result_of_a_megabyte() -> None:
    big = "x" * 1_000_000
    messages = [{"role": "tool", "tool_call_id": "c", "content": big}]
    assert Toolathlon().convert({"pass": True, "messages": messages}).messages[0]["content"] == big


# --- SWE-agent


def swe(**record: Any) -> RawTrajectory:
    return SWEAgent().convert(record)


def test_a_traj_file(read_trace: Read) -> None:
    row = read_trace("swe_agent.traj")[0]
    assert [item["role"] for item in row["messages"]] == [
        *("system", "user", "user", "assistant", "tool", "assistant", "tool", "assistant"),
    ]
    first, seen, second, _, last = row["messages"][3:]
    assert first["tool_calls"] == [
        {"id": None, "name": "bash", "arguments": '{"command":"ls -F\\n"}', "args_status": "json"}
    ]
    assert (first["reasoning_content"], first["content"]) == ("Let me look at the files first.", None)
    assert (seen["content"], seen["pair_status"]) == ("AUTHORS.rst\nsetup.py\n", "order")
    assert second["tool_calls"][0] == {
        "id": "toolu_9",
        "name": "str_replace_editor",
        "arguments": '{"command":"view", "path":"/repo/fields.py"}',
        "args_status": "json",
    }
    assert (second["reasoning_content"], second["content"]) == ("Probably a cast.", "I open the file.")
    assert (last["content"], last["tool_calls"]) == ("Exited", [])


def test_the_reply_as_recorded_is_kept_beside_the_thought(read_trace: Read) -> None:
    row = read_trace("swe_agent.traj")[0]
    thought = row["thinking"][0]
    assert (thought["message_index"], thought["origin"]) == (3, "recorded")
    assert thought["original"] == "Let me look at the files first.\n\n```\nls -F\n```"


def test_what_was_shown_again_and_again_is_not_kept(read_trace: Read) -> None:
    metadata = json.loads(read_trace("swe_agent.traj")[0]["metadata"])
    assert metadata["info"]["exit_status"] == "submitted"
    assert metadata["message_extras"]["3"] == {"execution_time": 0.4, "state": {"working_dir": "/repo"}}
    assert metadata["message_extras"]["1"]["is_demo"] is True
    assert "trajectory" not in metadata


def test_the_task_is_the_issue_not_the_demonstration(read_trace: Read) -> None:
    traj, history = read_trace("swe_agent.traj")[0], read_trace("swe_agent_history.json")[0]
    assert traj["task_group"] == history["task_group"]
    other = swe(history=[{"role": "user", "content": "demo"}, {"role": "user", "content": "another issue"}])
    assert other.task_statement == "another issue"
    assert other.task_id != traj["task_id"]


@pytest.mark.parametrize("name", ["swe_agent_history.json", "swe_agent_nebius.jsonl"])
def test_histories(read_trace: Read, name: str) -> None:
    *_, first, seen, last = read_trace(name)[0]["messages"]
    assert first["tool_calls"][0]["arguments"] == '{"command":"ls -F\\n"}'
    assert first["reasoning_content"] in ("I look.", "First ls.")
    assert (seen["role"], seen["pair_status"]) == ("tool", "order")
    assert seen["content"].startswith("setup.py")
    assert (last["role"], last["tool_calls"]) == ("assistant", [])


def test_nebius_outcome(read_trace: Read) -> None:
    row = read_trace("swe_agent_nebius.jsonl")[0]
    assert (row["task_id"], row["reward"]) == ("marshmallow-code__marshmallow-1359", 1.0)
    assert row["messages"][0]["content"] == "SETTING: a shell"
    assert json.loads(row["metadata"])["generated_patch"] == "diff"


def test_records_without_a_step() -> None:
    for record in ({}, {"trajectory": []}, {"history": []}):
        with pytest.raises(RecordError, match="neither trajectory nor history"):
            swe(**record)
    with pytest.raises(RecordError, match=r"trajectory\[0\].action is int"):
        swe(trajectory=[{"action": 3, "observation": ""}])
