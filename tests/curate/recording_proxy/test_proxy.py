"""What agents and their owners notice of the recorder: everything passes, and what passed can be curated."""

from __future__ import annotations

import concurrent.futures
import http.client
import json
import threading
from pathlib import Path
from urllib.parse import urlsplit

import openai
import pytest

from curate.__main__ import main as curate
from curate.folder import DatasetFolder
from tests.curate.recording_proxy.recorded_agent import TOOLS, ask, run_agent, start, step, weather
from tests.curate.recording_proxy.stub_model import Answer


def send(url, method, path, body=None, headers=None):
    """(status, headers, body) of one raw request."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
    try:
        connection.request(method, path, body, headers or {})
        reply = connection.getresponse()
        return reply.status, reply.getheaders(), reply.read()
    finally:
        connection.close()


def said(messages):
    """Role, text and calls of messages, without what clients add or drop."""
    return [
        (
            message["role"],
            message.get("content"),
            [(call["id"], call["function"]["name"], call["function"]["arguments"]) for call in calls],
        )
        for message in messages
        for calls in [message.get("tool_calls") or []]
    ]


@pytest.mark.parametrize("stream", [False, True])
def test_an_agent_becomes_one_trajectory(record, model, stream):
    recording = record()
    model.answer = weather(model, reasoning_content="Let me see.")
    with recording.client() as client:
        messages = run_agent(client, "Oslo", stream=stream, temperature=0.5)
    printed = recording.stop()
    (found,) = recording.records()
    assert said(found["messages"]) == said(messages)
    replies = [message for message in found["messages"] if message["role"] == "assistant"]
    assert [reply["reasoning_content"] for reply in replies] == ["Let me see."] * 3
    assert found["tools"] == TOOLS
    facts = found["metadata"]
    assert facts["models"] == ["weather", "stub-1"]
    assert facts["requests"] == len(facts["request_ids"]) == 3
    assert facts["usage"] == {"prompt_tokens": 30, "completion_tokens": 15, "total_tokens": 45}
    assert facts["sampling"] == {"temperature": 0.5}
    assert facts["upstream"] == f"127.0.0.1:{model.port}"
    assert facts["finish_reason"] == "stop"
    assert facts["started"] < facts["finished"]
    assert not facts.keys() & {"incomplete", "parent", "replaced_replies", "choices"}
    assert printed == "requests 3; recorded 3; open trajectories 0; written 1; errors 0; not recorded 0\n"
    assert [path.name for path in sorted(recording.out.parent.iterdir())] == ["rec.jsonl", "rec.log"]


def test_what_was_recorded_can_be_curated(record, tmp_path: Path):
    recording = record()
    cities = ["Oslo", "Rome", "Lima"]
    for trial, city in enumerate(cities):
        headers = {"x-cacherl-task": city, "x-cacherl-trial": str(trial), "x-cacherl-env": "weather"}
        with recording.client(default_headers=headers) as client:
            run_agent(client, city, stream=trial == 1)
    recording.stop()
    assert curate([str(recording.out), "--out", str(tmp_path / "curated")]) == 0
    rows = list(DatasetFolder.open(tmp_path / "curated").rows("trajectories"))
    assert {(row["task_id"], row["trial"], row["env_id"]) for row in rows} == {
        (city, trial, "weather") for trial, city in enumerate(cities)
    }
    for row in rows:
        calls = [call for message in row["messages"] for call in message["tool_calls"]]
        assert [call["name"] for call in calls] == ["get_celsius", "to_fahrenheit"]
        assert json.loads(calls[0]["arguments"]) == {"city": row["task_id"]}
        results = [message for message in row["messages"] if message["role"] == "tool"]
        assert [result["tool_call_id"] for result in results] == [call["id"] for call in calls]
        assert {result["pair_status"] for result in results} == {"id"}
        assert json.loads(results[0]["content"]) == {"celsius": 4}
        assert not row["tools_inferred"]


@pytest.mark.parametrize(
    ("method", "path", "body", "headers"),
    [
        ("GET", "/v1/models?limit=2&x=%2F", None, {"X-Own": "1"}),
        ("HEAD", "/v1/chat/completions", None, {}),
        ("POST", "/v1/embeddings", b"\x00\xff" * 700_000, {"Content-Type": "application/octet-stream"}),
        ("POST", "/v1/responses", b"{}", {}),
        ("POST", "/v1/chat/completions", b'{"messages": [{"role": "user", "content": "hi Rome"}]}', {}),
    ],
)
def test_status_headers_and_bytes_are_the_upstreams(record, model, method, path, body, headers):
    recording = record()
    model.completion = lambda answer: {"choices": [{"index": 0, "message": answer.message}]}
    model.answer = lambda body: Answer(headers={"X-Request-Id": "r1"}, compress=True)
    direct, through = (send(url, method, path, body, headers) for url in (model.url, recording.url))
    volatile = {"Date", "Connection"}
    assert through[0] == direct[0]
    assert [pair for pair in through[1] if pair[0] not in volatile] == [
        pair for pair in direct[1] if pair[0] not in volatile
    ]
    assert through[2] == direct[2]
    (path_direct, headers_direct, body_direct), (path_through, headers_through, body_through) = (
        model.seen or [(None, {}, None)] * 2
    )
    assert (path_through, body_through) == (path_direct, body_direct)
    assert {**headers_through, "Host": ""} == {**headers_direct, "Host": ""}


def test_a_stream_is_passed_on_as_it_comes(record, model):
    recording = record()
    gate = threading.Event()
    model.answer = lambda body: Answer({"role": "assistant", "content": "one two three"}, gate=gate)
    with recording.client() as client:
        chunks = iter(client.chat.completions.create(model="m", messages=start("Rome"), stream=True))
        assert next(chunks).choices[0].delta.role == "assistant"
        gate.set()  # the model says nothing more before this
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "one two three"
    recording.stop()
    assert recording.records()[0]["messages"][-1]["content"] == "one two three"


def test_the_models_errors_pass_and_its_retries_are_one_trajectory(record, model):
    recording = record()
    answers = iter([Answer(status=429, headers={"Retry-After": "0"}), Answer(status=500), None, None, None])
    follow = weather(model)
    model.answer = lambda body: next(answers) or follow(body)
    with recording.client(max_retries=2) as client:
        messages = run_agent(client, "Rome")
    with pytest.raises(openai.BadRequestError), recording.client() as client:
        model.answer = lambda body: Answer(status=400)
        client.chat.completions.create(model="m", messages=start("Rome"))
    assert "errors 3 (400 1, 429 1, 500 1)" in recording.stop()
    (found,) = recording.records()
    assert said(found["messages"]) == said(messages)


def test_an_upstream_that_is_away_is_a_502_that_clients_understand(record, model):
    recording = record()
    model.close()
    with recording.client() as client, pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(model="m", messages=start("Rome"))
    assert caught.value.status_code == 502
    assert caught.value.body["message"] == "the connection to the upstream was refused or lost"
    assert "errors 1 (connection 1)" in recording.stop()
    assert recording.records() == []


@pytest.mark.parametrize("cut_after", [4, 9])
def test_a_stream_that_breaks_off_is_incomplete_until_it_is_asked_again(record, model, cut_after):
    recording = record()
    whole = {"role": "assistant", "content": "The whole of the answer."}
    model.answer = lambda body: Answer(whole, cut_after=cut_after)
    with recording.client() as client:
        with pytest.raises(openai.APIConnectionError):
            ask(client, start("Lima"), stream=True)
        with pytest.raises(openai.APIConnectionError):
            ask(client, start("Rome"), stream=True)
        model.answer = lambda body: Answer(whole)
        ask(client, start("Rome"), stream=True)
    assert "incomplete replies 2; errors 2 (upstream cut 2)" in recording.stop()
    lima, rome = recording.records()
    assert lima["metadata"]["incomplete"] is True
    assert lima["messages"][-1]["content"] == whole["content"][: 3 * (cut_after - 1)]
    assert rome["messages"][-1] == whole
    assert rome["metadata"]["replaced_replies"] == 1
    assert "incomplete" not in rome["metadata"]


def test_a_client_that_leaves_ends_the_models_work(record, model):
    recording = record()
    model.answer = lambda body: Answer({"role": "assistant", "content": "long " * 9}, gate=threading.Event())
    with recording.client() as client:
        stream = client.chat.completions.create(model="m", messages=start("Rome"), stream=True)
        next(iter(stream))
        stream.close()
        assert model.left.wait(20)
    assert "client left 1" in recording.stop()


def test_equal_agents_at_once_stay_apart(record, model):
    recording = record()
    with recording.client() as client, concurrent.futures.ThreadPoolExecutor(8) as pool:
        runs = list(pool.map(lambda number: run_agent(client, "Rome", stream=number % 2 == 0), range(24)))
    recording.stop()
    found = recording.records()
    assert sorted(str(said(row["messages"])) for row in found) == sorted(str(said(run)) for run in runs)
    assert not any("parent" in row["metadata"] for row in found)


def test_an_edited_or_shortened_history_is_a_new_trajectory_that_names_its_parent(record):
    recording = record()
    with recording.client() as client:
        messages = start("Rome")
        step(client, messages)
        edited = [{"role": "system", "content": "Be brief."}, *messages[1:]]
        step(client, edited)
        shortened = [messages[1], *messages[2:]]
        step(client, shortened)
        step(client, messages)
    recording.stop()
    rows = {len(row["messages"]): row for row in recording.records()}
    first = next(row for row in recording.records() if row["messages"][0]["content"] == "You tell the weather.")
    others = [row for row in recording.records() if row is not first and row != first]
    assert len(rows) and len(others) == 2
    assert "parent" not in first["metadata"]
    expected = {"recording_id": first["metadata"]["recording_id"], "message_index": 2}
    assert [row["metadata"]["parent"] for row in others] == [expected] * 2


def test_of_several_choices_the_one_that_is_gone_on_with_counts(record, model):
    recording = record()
    texts = [{"role": "assistant", "content": text} for text in ("a", "b", "c")]
    model.answer = lambda body: Answer(texts[0], others=texts[1:])
    with recording.client() as client:
        messages = [*start("Rome"), texts[1], {"role": "user", "content": "and then?"}]
        ask(client, messages[:2], n=3)
        ask(client, messages, n=3)
    recording.stop()
    (row,) = recording.records()
    assert [message["content"] for message in row["messages"][2:]] == ["b", "and then?", "a"]
    assert row["metadata"]["choices"] == 3


def test_headers_name_the_task_and_do_not_reach_the_model(record, model):
    recording = record()
    names = {"x-cacherl-task": "t1", "x-cacherl-trial": "2", "x-cacherl-env": "e"}
    with recording.client() as client:
        messages = start("Rome")
        while step(client, messages, extra_headers=names):
            pass
        messages.append({"role": "user", "content": "thanks"})
        step(client, messages, extra_headers=names | {"x-cacherl-end": "1"})
    (row,) = recording.wait_for(1)
    assert (row["task_id"], row["trial"], row["env_id"]) == ("t1", 2, "e")
    assert not any("cacherl" in name.lower() for _, headers, _ in model.seen for name in headers)


def test_the_same_history_under_another_trial_ends_the_first(record):
    recording = record()
    with recording.client() as client:
        messages = start("Rome")
        step(client, messages, extra_headers={"x-cacherl-task": "t", "x-cacherl-trial": "0"})
        step(client, messages, extra_headers={"x-cacherl-task": "t", "x-cacherl-trial": "1"})
        (first,) = recording.wait_for(1)
    recording.stop()
    second = recording.records()[1]
    assert (first["trial"], second["trial"]) == (0, 1)
    assert second["metadata"]["parent"]["recording_id"] == first["metadata"]["recording_id"]


def test_a_wrong_trial_is_told_at_once(record):
    recording = record()
    with recording.client() as client, pytest.raises(openai.BadRequestError, match="x-cacherl-trial must be a count"):
        step(client, start("Rome"), extra_headers={"x-cacherl-trial": "first"})


def test_a_reward_ends_the_trajectories_of_its_task(record):
    recording = record()

    def reward(**body):
        status, _, text = send(recording.url, "POST", "/cacherl/reward", json.dumps(body))
        return status, json.loads(text)

    with recording.client() as client:
        for trial in (0, 1):
            headers = {"x-cacherl-task": "t1", "x-cacherl-trial": str(trial)}
            messages = start("Rome")
            while step(client, messages, stream=True, extra_headers=headers):
                pass
    assert reward(task_id="t1", trial=1, reward=0.5) == (200, {"trajectories": 1})
    (row,) = recording.records()
    assert (row["trial"], row["reward"]) == (1, 0.5)
    assert reward(task_id="t1", trial=1, reward=0.5)[0] == 404
    assert reward(task_id="t1") == (200, {"trajectories": 1})
    assert "reward" not in recording.records()[1]
    assert reward(task_id=3, reward=1)[0] == 400
    assert reward(task_id="t1", reward="1")[0] == 400
    assert send(recording.url, "POST", "/cacherl/reward", "[")[0] == 400


def test_idle_trajectories_are_written_while_others_run(record):
    recording = record("--idle-seconds", 0.5)
    with recording.client() as client:
        run_agent(client, "Rome")
        assert recording.wait_for(1)[0]["metadata"]["requests"] == 3


def test_what_is_no_chat_is_passed_and_counted(record, model):
    recording = record()
    model.answer = lambda body: Answer({"role": "assistant", "content": None})
    for body in (b'{"messages": []}', b'{"messages": [{"role": "user", "content": "hi"}]}', b'{"messages": 1}'):
        assert send(recording.url, "POST", "/v1/chat/completions", body)[0] == 200
    assert "not recorded 3 (empty_reply 1, wrong_type 2)" in recording.stop()
    assert recording.records() == []
