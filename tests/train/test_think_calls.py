import pytest

from curate.__main__ import main as curate
from curate.folder import DatasetFolder
from curate.pairing import pair_calls
from curate.readers.messages import message
from curate.turns import is_think_tool, recorded_thought
from tests.train.rows import build_tokenizer, call, result, row_of, says, write_folder
from train.chat_format import chat_format
from train.prompts import store_prompts
from train.recorded import recorded_dialogue
from train.rollout import CacheAgentLoop, Generated, RolloutTask
from train.settings import PromptSettings, RolloutSettings, TokenSettings
from train.sft import main as sft
from train.think_calls import without_think_calls
from train.tokens import Renderer, parts

THINK = call("think", {"thought": "It must be W1."}, "t")
READ = call("get_order", {"order_id": "W1"}, "r")
WROTE_DOWN = result("", "t", "think")


@pytest.fixture
def renderer():
    return Renderer(chat_format(build_tokenizer(), "qwen3"), TokenSettings(max_length=1_000_000, drop_think_calls=True))


@pytest.fixture(scope="module", params=["airline", "retail"])
def recorded(request, shared, tmp_path_factory):
    """Rows of a real file in which the think tool is called."""
    out = tmp_path_factory.mktemp(request.param) / "curated"
    path = shared / f"tau_bench_{request.param}_gpt4o.json.gz"
    assert curate([str(path), "--env", request.param, "--out", str(out)]) == 0
    rows = DatasetFolder.open(out).rows("trajectories")
    return [
        row
        for row in rows
        if any(is_think_tool(call["name"]) for each in row["messages"] for call in each["tool_calls"])
    ]


def test_a_thought_becomes_one_turn_with_what_it_leads_to():
    first, second = says(None, THINK, thought="First."), says(None, READ, thought="Then.")
    kept = without_think_calls([message("user", "Where?"), first, WROTE_DOWN, second, result("open", "r")])
    assert [at for at, _ in kept] == [0, 3, 4]
    assert kept[1][1]["reasoning_content"] == "First.\n\nIt must be W1.\n\nThen."
    assert kept[1][1]["tool_calls"] == [READ] and kept[1][1]["train"]


def test_a_think_call_beside_another_goes_alone():
    turn = says("One moment.", THINK, READ, thought="It must be W1.")
    ((_, kept), (_, answer)) = without_think_calls([turn, WROTE_DOWN, result("open", "r")])
    assert kept == turn | {"tool_calls": [READ]} and answer["content"] == "open"


def test_a_chain_of_thoughts_and_a_text_beside_one_are_kept_in_order():
    other = call("think", {"thought": "No, W2."}, "u")
    turns = [says("Let me see.", THINK), WROTE_DOWN, says(None, other), result("", "u", "think"), says("Here.", READ)]
    ((at, kept),) = without_think_calls(turns)
    assert (at, kept["reasoning_content"], kept["content"]) == (4, "It must be W1.\n\nNo, W2.", "Let me see.\n\nHere.")


@pytest.mark.parametrize("trained", [(True, False), (False, True)])
def test_a_turn_that_is_not_trained_is_not_trained_as_part_of_another(trained):
    ((_, kept),) = without_think_calls([says(None, THINK, train=trained[0]), says("Hi.", train=trained[1])])
    assert not kept["train"]


def test_a_thought_that_leads_nowhere_stays_and_is_not_trained():
    kept = without_think_calls([message("user", "Hm."), says(None, THINK), WROTE_DOWN, message("user", "So?")])
    assert [each["role"] for _, each in kept] == ["user", "assistant", "user"]
    assert kept[1][1]["reasoning_content"] == "It must be W1." and not kept[1][1]["train"]


def test_rows_without_think_calls_stay_as_they_are(dialogue):
    assert without_think_calls(dialogue["messages"]) == list(enumerate(dialogue["messages"]))


def test_no_thought_of_a_real_file_is_lost_and_no_other_call_or_result(recorded):
    assert len(recorded) > 5
    for row in recorded:
        kept = [each for _, each in without_think_calls(row["messages"])]
        thoughts = "\n".join(each["reasoning_content"] or "" for each in kept)
        for turn in row["messages"]:
            assert (recorded_thought(turn) or "") in thoughts
        calls = [(pair.call, pair.result_index is not None) for pair in pair_calls(row["messages"])]
        wanted = [pair for pair in calls if not is_think_tool(pair[0]["name"])]
        assert [(pair.call, pair.result_index is not None) for pair in pair_calls(kept)] == wanted


def test_parts_name_the_messages_of_the_row(recorded):
    for row in recorded:
        plain = {part.message_index: part for part in parts(row)}
        for part in parts(row, drop_think_calls=True):
            assert row["messages"][part.message_index]["content"] == part.history[-1]["content"]
            assert len(part.steps) <= len(plain[part.message_index].steps)


class _Recorded:
    """Answers calls with what was recorded."""

    def __init__(self, part):
        self._results = iter([step["content"] for step in part.steps if step["role"] == "tool"])

    def session(self, *_, **__):
        return self

    def turn(self, calls):
        from cachebuild.answer import Answer

        return [Answer(next(self._results), "exact", 1.0, "recorded") for _ in calls]


def test_a_rollout_that_says_what_was_recorded_has_the_ids_that_sft_trains(recorded, renderer):
    compared = 0
    for row in recorded[:6]:
        for part in renderer.parts(row):
            pieces = renderer.pieces(part)
            if not any("tool_calls" in step for step in part.steps) or not _turns_alternate(pieces):
                continue
            turns = [piece.ids for piece in pieces if piece.said]
            limits = RolloutSettings(max_turns=len(turns), min_first=0, max_completion=10**6, max_result=10**6)
            loop = CacheAgentLoop(renderer, _Recorded(part), limits)
            (rollout,) = loop.run([RolloutTask(row, part)], lambda *_, left=turns: [Generated(left.pop(0))])
            assert rollout.prompt_ids == pieces[0].ids
            assert rollout.completion_ids == [token for piece in pieces[1:] for token in piece.ids]
            assert rollout.mask == [int(piece.said) for piece in pieces[1:] for _ in piece.ids]
            compared += 1
    assert compared >= 6


def _turns_alternate(pieces):
    return [piece.said for piece in pieces] == [bool(at % 2) for at in range(len(pieces))] and pieces[-1].said


def test_prompts_and_what_they_are_compared_with_go_without_think_calls(tmp_path, renderer):
    rows = [
        row_of(message("user", "A?"), says(None, THINK), WROTE_DOWN, says("B."), trajectory_id="only a thought"),
        row_of(message("user", "A?"), says(None, THINK), WROTE_DOWN, says(None, READ), result("open", "r"), says("B.")),
    ]
    folder = DatasetFolder.open(write_folder(tmp_path / "data", rows))

    def chosen(name, **given):
        settings = PromptSettings(max_prompt=10_000, **given)
        return store_prompts(folder, frozenset({"train"}), settings, renderer, tmp_path / name)

    assert len(chosen("plain")) == 2
    store = chosen("dropped", drop_think_calls=True)
    stored = store[0]
    assert len(store) == 1 and [step["role"] for step in stored.reference] == ["assistant", "tool", "assistant"]
    assert [each["name"] for step in stored.reference for each in step["tool_calls"]] == ["get_order"]
    assert stored.part.steps[0]["reasoning_content"] == "It must be W1."


def test_sft_shows_examples_without_think_calls(tmp_path, model, capsys):
    row = row_of(
        message("user", "A?"), says(None, THINK), WROTE_DOWN, says(None, READ), result("open", "r"), says("B.")
    )
    data = write_folder(tmp_path / "data", [row])
    assert sft([str(data), "--model", str(model), "--dry-run", "--drop-think-calls"]) == 0
    told = capsys.readouterr().out
    assert '⟦<think>\nIt must be W1.\n</think>\n\n<tool_call>\n{"name": "get_order"' in told and '"think"' not in told


@pytest.mark.parametrize("drop", [False, True])
def test_an_evaluated_turn_is_prompted_as_sft_and_grpo_prompt_it(recorded, drop):
    compared = 0
    for row in recorded:
        for part in parts(row, drop_think_calls=drop):
            at, messages = part.message_index, row["messages"]
            end = next((place for place in range(at + 1, len(messages)) if messages[place]["role"] == "user"), None)
            end = len(messages) if end is None else end
            dialogue = recorded_dialogue(row, at, end, 0, 0, answered=True, drop_think_calls=drop)
            task = dialogue.task(kept=False)
            assert (task.part.history, task.part.tools) == (part.history, part.tools)
            compared += 1
    assert compared > 10
