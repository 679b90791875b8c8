import json
import re
import socket

import pytest

from curate.errors import UsageError
from curate.readers.messages import message
from synth.asking.asker import RunStopped
from tests.curate.recording_proxy.stub_model import Answer, running_model
from tests.synth.stub_teacher import Stub
from tests.train.rows import TOOLS, call, result, row_of, says
from train.rollout import RolloutTask
from train.served import ServedLoop
from train.served_settings import ServerSettings
from train.settings import RolloutSettings
from train.tokens import parts

LIMITS = RolloutSettings(min_first=0, answer_room=8, max_completion=600)


def calls(*arguments, name="get_order", **given):
    made = [
        {"id": f"s{at}", "type": "function", "function": {"name": name, "arguments": each}}
        for at, each in enumerate(arguments)
    ]
    return Answer({"role": "assistant", "content": None, "tool_calls": made} | given, finish_reason="tool_calls")


def text(content, finish="stop", **given):
    return Answer({"role": "assistant", "content": content} | given, finish_reason=finish)


READ = calls('{"order_id": "W1"}')


@pytest.fixture
def model():
    with running_model() as stub:
        yield stub


@pytest.fixture
def run(model, cache_of, dialogue):
    """Run one rollout against scripted answers; an exception among them drops the connection."""

    def begin(*answers, settings=LIMITS, row=dialogue, part=None, **server):
        script = list(answers)

        def answer(body):
            given = script.pop(0)
            if isinstance(given, Exception):
                raise given
            return given

        model.answer = answer
        place = ServerSettings(model.url, "tiny", **server)
        loop = ServedLoop(place, cache_of(dialogue), settings, environ={})
        (rollout,) = loop.run([RolloutTask(row, part or next(parts(row)))])
        return rollout

    return begin


def sent(model, at=-1):
    return json.loads(model.seen[at][2])


def test_calls_are_answered_by_the_cache_and_the_dialogue_goes_on(run, model):
    rollout = run(READ, text("It is open."))
    assert (rollout.status, rollout.answer, rollout.worst_tier) == ("answered", "It is open.", "exact")
    assert (rollout.prompt_ids, rollout.completion_ids, rollout.mask) == ([], [], [])
    assert rollout.turn_lengths == [5, 5]
    assert [each["role"] for each in rollout.messages] == ["assistant", "tool", "assistant"]
    first, second = sent(model, 0), sent(model, 1)
    assert first["tools"] == TOOLS and first["model"] == "tiny" and first["max_tokens"] == 600
    assert [each["role"] for each in first["messages"]] == ["system", "user"]
    assert second["messages"][:2] == first["messages"] and second["max_tokens"] == 595
    turn, told = second["messages"][2:]
    assert json.loads(turn["tool_calls"][0]["function"]["arguments"]) == {"order_id": "W1"}
    assert told["content"] == '{"status": "open"}' and told["tool_call_id"] == turn["tool_calls"][0]["id"]


def test_parallel_calls_are_answered_in_their_order(run):
    rollout = run(calls('{"order_id": "W1"}', '{"order_id": "W9"}'), text("Done."))
    assert [step["tier"] for step in rollout.evidence] == ["exact", "unavailable"]
    assert rollout.messages[1]["content"] == '{"status": "open"}'
    assert "cache_unavailable" in rollout.messages[2]["content"] and rollout.min_p == 0.0


@pytest.mark.parametrize(
    ("thought", "field"),
    [
        ({"reasoning_content": "I look."}, "reasoning_content"),
        ({"reasoning": "I look."}, "reasoning"),
        ({"content": "<think>\nI look.\n</think>\n\n"}, "content"),
        ({"content": "I look.\n</think>\n\n"}, "content"),
    ],
)
def test_thinking_is_read_in_every_form_and_goes_back_in_the_same(run, model, thought, field):
    rollout = run(calls('{"order_id": "W1"}', **thought), text("<think>\nGood.\n</think>\n\nIt is open."))
    assert [rollout.messages[at]["reasoning_content"] for at in (0, 2)] == ["I look.", "Good."]
    assert (rollout.answer, rollout.messages[0]["content"]) == ("It is open.", None)
    assert "I look." in sent(model)["messages"][2][field]


def test_thinking_without_an_end_is_no_answer(run):
    assert run(text("<think>\nhm, open")).status == "unclosed_thinking"


def test_calls_that_a_server_left_in_the_text_are_read_there(run):
    said = '<tool_call>\n{"name": "get_order", "arguments": {"order_id": "W1"}}\n</tool_call>'
    rollout = run(text(f"<think>\nI look.\n</think>\n\n{said}"), text("It is open."))
    assert (rollout.status, rollout.worst_tier) == ("answered", "exact")


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (calls("{oops", '{"order_id": "W1"}'), "malformed_call"),
        (calls('"W1"', '{"order_id": "W1"}'), "malformed_call"),
        (calls("{}", name="fly"), "unknown_tool"),
        (calls("{}", name=""), "malformed_call"),
        (text("<tool_call>\n{oops}\n</tool_call>"), "malformed_call"),
    ],
)
def test_a_call_that_cannot_be_run_is_told_so_and_counted(run, model, answer, kind):
    rollout = run(answer, text("Sorry."))
    assert json.loads(rollout.messages[1]["content"])["error"]["type"] == kind
    assert (rollout.malformed, rollout.worst_tier, rollout.status) == (1, "unavailable", "answered")
    for made in sent(model)["messages"][2]["tool_calls"]:  # servers decode it for their template
        assert isinstance(json.loads(made["function"]["arguments"]), dict)


def test_a_call_that_was_cut_off_is_never_run(run):
    cut = calls('{"order_id": "W1"}')
    cut.finish_reason = "length"
    rollout = run(cut)
    assert (rollout.status, rollout.evidence, rollout.answer) == ("truncated", [], "")


def test_the_last_turn_may_not_call(run):
    rollout = run(READ, READ, settings=RolloutSettings(max_turns=2, min_first=0, answer_room=0))
    assert (rollout.status, len(rollout.evidence)) == ("turn_limit", 1)


def test_the_tokens_that_the_server_counts_are_limited(run, model):
    rollout = run(READ, READ, settings=RolloutSettings(max_completion=12, answer_room=4, min_first=0))
    assert (rollout.status, rollout.turn_lengths, len(rollout.evidence)) == ("out_of_room", [5, 5], 1)
    assert [sent(model, at)["max_tokens"] for at in (0, 1)] == [12, 7]


def test_a_long_result_is_cut_with_a_mark(run, dialogue):
    dialogue["messages"][3] = result("open " * 2_000)
    rollout = run(READ, text("Ok."), settings=RolloutSettings(max_result=50, min_first=0))
    assert rollout.cut_results == 1 and len(rollout.messages[1]["content"]) <= 200
    assert rollout.messages[1]["content"].endswith("more characters]")


def test_what_may_pass_is_tried_again(run, model):
    busy = Answer(status=429, headers={"retry-after": "0.01"})
    rollout = run(busy, Answer(status=500), ConnectionError(), READ, text("It is open."))
    assert (rollout.status, len(model.seen)) == ("answered", 5)


def test_a_turn_that_fails_for_good_is_a_crashed_rollout(run, model):
    rollout = run(READ, Answer(status=500), Answer(status=500), max_tries=2)
    assert (rollout.status, len(rollout.messages)) == ("crashed", 2)
    assert rollout.error.startswith("Refused: server_error after 2 tries") and len(model.seen) == 3


def test_a_dialogue_that_the_server_refuses_is_not_asked_again(run, model):
    rollout = run(Answer(status=400))
    assert (rollout.status, rollout.error, len(model.seen)) == ("crashed", "Refused: bad_request: 400 no", 1)


def test_results_that_do_not_fit_the_model_s_context_end_the_rollout(run):
    full = Answer(status=400, error="This model's maximum context length is 64 tokens.")
    rollout = run(READ, full)
    assert (rollout.status, rollout.evidence, rollout.error) == ("out_of_room", [], None)
    assert [each["role"] for each in rollout.messages] == ["assistant"]


def test_a_prompt_that_does_not_fit_is_told_with_a_remedy(run):
    rollout = run(Answer(status=400, error="This model's maximum context length is 64 tokens."))
    assert rollout.status == "crashed" and "--max-turn" in rollout.error


def test_the_history_goes_as_it_was(run, model, dialogue):
    *_, last = parts(dialogue)
    run(text("Bye."), part=last)
    told = sent(model)["messages"]
    assert [each["role"] for each in told] == ["system", "user", "assistant", "tool", "assistant", "user"]
    assert told[2]["tool_calls"][0]["function"]["arguments"] == '{"order_id":"W1"}'
    assert "reasoning_content" not in told[2]


def test_many_rollouts_end_in_their_order_and_one_crash_is_its_own(model, cache_of):
    rows = [
        row_of(
            message("user", f"Where is W{n}?"),
            says(None, call("get_order", {"order_id": f"W{n}"})),
            result(f"s{n}"),
            says("Done."),
            trajectory_id=str(n),
        )
        for n in range(40)
    ]

    def answer(body):
        asked = re.search(r"W\d+", body["messages"][0]["content"])[0]
        if asked == "W7":
            return Answer(status=400)
        if body["messages"][-1]["role"] == "tool":
            return text(f"{asked}: {body['messages'][-1]['content']}")
        return calls(json.dumps({"order_id": asked}))

    model.answer = answer
    loop = ServedLoop(ServerSettings(model.url, "tiny", concurrency=8), cache_of(*rows), LIMITS, environ={})
    rollouts = loop.run([RolloutTask(row, next(parts(row))) for row in rows])
    assert [each.answer for each in rollouts] == ["" if n == 7 else f"W{n}: s{n}" for n in range(40)]
    assert [each.status for each in rollouts].count("crashed") == 1


@pytest.mark.parametrize(("fault", "words"), [("401", "bad_key"), ("404", "does not exist"), ("quota", "quota")])
def test_what_no_request_can_pass_stops_at_once(tmp_path, cache_of, dialogue, fault, words):
    with Stub(tmp_path, faults=[{"every": 1, "fault": fault}]) as stub:
        place = ServerSettings(stub.url, "tiny", concurrency=2)
        loop = ServedLoop(place, cache_of(dialogue), LIMITS, environ={"OPENAI_API_KEY": "sk-test-0123456789abcdef"})
        with pytest.raises(RunStopped, match=words) as caught:
            loop.run([RolloutTask(dialogue, next(parts(dialogue)))] * 50)
        assert len(str(caught.value).splitlines()) == 1 and len(stub.requests()) <= 10


def test_a_server_that_refuses_every_dialogue_stops_the_run(model, cache_of, dialogue):
    model.answer = lambda body: Answer(status=400, error="tools need a parser")
    loop = ServedLoop(ServerSettings(model.url, "tiny", concurrency=2), cache_of(dialogue), LIMITS, environ={})
    with pytest.raises(RunStopped, match=r"no turn for \d+ dialogues in a row; .*tools need a parser"):
        loop.run([RolloutTask(dialogue, next(parts(dialogue)))] * 200)
    assert len(model.seen) < 60


def test_a_server_that_is_not_there_crashes_no_rollout(cache_of, dialogue, capsys):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        place = ServerSettings(f"http://127.0.0.1:{free.getsockname()[1]}/v1", "tiny", max_tries=1, give_up_s=0.5)
        loop = ServedLoop(place, cache_of(dialogue), LIMITS, environ={})
        with pytest.raises(RunStopped, match="no request has succeeded"):
            loop.run([RolloutTask(dialogue, next(parts(dialogue)))] * 20)
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize("place", [("http://127.0.0.1:1/v1", None), (None, "m"), ("nowhere", "m"), (None, None)])
def test_half_an_address_is_refused(cache_of, dialogue, place):
    with pytest.raises(UsageError, match="--base-url"):
        ServedLoop(ServerSettings(*place), cache_of(dialogue), LIMITS)


def test_the_key_comes_from_the_variable_that_is_named(model, cache_of, dialogue):
    place, key = ServerSettings(model.url, "tiny", api_key_env="MY_KEY"), "sk-test-0123456789abcdef"
    with pytest.raises(UsageError, match="MY_KEY"):
        ServedLoop(place, (cache := cache_of(dialogue)), LIMITS, environ={})
    model.answer = lambda body: text("Hello.")
    ServedLoop(place, cache, LIMITS, environ={"MY_KEY": key}).run([RolloutTask(dialogue, next(parts(dialogue)))])
    assert {name.lower(): value for name, value in model.seen[0][1].items()}["authorization"] == f"Bearer {key}"
