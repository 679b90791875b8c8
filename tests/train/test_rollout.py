import json

import pytest

from curate.errors import UsageError
from curate.readers.messages import message
from tests.train.rows import call, result, row_of, says
from train import acting
from train.chat_format import chat_format
from train.rollout import CacheAgentLoop, Generated, RolloutTask
from train.settings import RolloutSettings
from train.tokens import Renderer, parts

READ = '<tool_call>\n{"name": "get_order", "arguments": {"order_id": "W1"}}\n</tool_call>'
SETTINGS = RolloutSettings(min_first=0, answer_room=8, max_completion=600)


@pytest.fixture
def renderer(tokenizer):
    return Renderer(chat_format(tokenizer, "qwen3"))


class Script:
    """Says given texts turn by turn, each ended; "..." at the end of one stands for its being cut off."""

    def __init__(self, renderer, *turns):
        self.renderer = renderer
        self.turns = list(turns)
        self.asked = []

    def __call__(self, prompts, min_new, max_new):
        self.asked.append((prompts, min_new, max_new))
        texts = self.turns.pop(0)
        texts = [texts] * len(prompts) if isinstance(texts, str) else texts
        cut = [text.endswith("...") for text in texts]
        ends = [
            text.removesuffix("...") + ("" if short else "<|im_end|>") for text, short in zip(texts, cut, strict=True)
        ]
        found = [self.renderer.format.encode(text) for text in ends]
        return [Generated(ids[:most], [-1.0] * len(ids[:most])) for ids, most in zip(found, max_new, strict=True)]


@pytest.fixture
def run(renderer, cache_of, dialogue):
    """Run one rollout of a script from the first user turn of the dialogue."""

    def begin(*turns, settings=SETTINGS, row=dialogue, cache=None):
        script = Script(renderer, *turns)
        loop = CacheAgentLoop(renderer, cache or cache_of(dialogue), settings)
        (rollout,) = loop.run([RolloutTask(row, next(parts(row)))], script)
        return rollout

    return begin


def text(renderer, rollout, mask):
    ids = [token for token, said in zip(rollout.completion_ids, rollout.mask, strict=True) if said == mask]
    return renderer.format.tokenizer.decode(ids, skip_special_tokens=False)


def test_the_model_s_tokens_have_mask_1_and_results_mask_0(run, renderer):
    rollout = run(READ, "It is open.")
    assert (rollout.status, rollout.answer) == ("answered", "It is open.")
    assert text(renderer, rollout, 1) == f"{READ}<|im_end|>It is open.<|im_end|>"
    assert text(renderer, rollout, 0) == (
        '\n<|im_start|>user\n<tool_response>\n{"status": "open"}\n</tool_response><|im_end|>\n<|im_start|>assistant\n'
    )
    assert [said * -1.0 for said in rollout.mask] == rollout.logprobs
    lengths = [len(renderer.format.encode(f"{said}<|im_end|>")) for said in (READ, "It is open.")]
    assert (rollout.worst_tier, rollout.turn_lengths) == ("exact", lengths)


def test_a_rollout_that_says_what_was_recorded_has_the_ids_that_sft_trains(run, renderer, dialogue):
    (example, _) = renderer.examples(dialogue)
    turns = [
        renderer.format.tokenizer.decode(piece.ids[:-1], skip_special_tokens=False)
        for piece in example.pieces
        if piece.said
    ]
    rollout = run(*turns)
    assert rollout.prompt_ids + rollout.completion_ids == example.input_ids
    trained = [label != -100 for label in example.labels[len(rollout.prompt_ids) :]]
    assert trained == [bool(said) for said in rollout.mask]


def test_tokens_once_there_are_never_made_again(run, renderer, cache_of, dialogue):
    # "op" + "en" is another cutting of the same text; what the model said must stay as it said it.
    odd = [*renderer.format.encode("o"), *renderer.format.encode("p"), *renderer.format.encode(READ + "<|im_end|>")]
    said = iter([odd, renderer.format.encode("Open.<|im_end|>")])
    loop = CacheAgentLoop(renderer, cache_of(dialogue), SETTINGS)
    (rollout,) = loop.run(
        [RolloutTask(dialogue, next(parts(dialogue)))], lambda prompts, min_new, max_new: [Generated(next(said))]
    )
    assert rollout.completion_ids[: len(odd)] == odd and rollout.status == "answered" and rollout.logprobs is None


def test_parallel_calls_are_answered_in_their_order(run):
    other = READ.replace("W1", "W9")
    rollout = run(f"{READ}\n{other}", "Done.")
    assert [step["tier"] for step in rollout.evidence] == ["exact", "unavailable"]
    assert rollout.worst_tier == "unavailable" and rollout.min_p == 0.0
    assert rollout.messages[1]["content"] == '{"status": "open"}'
    assert "cache_unavailable" in rollout.messages[2]["content"]


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("<tool_call>\n{oops}\n</tool_call>", "malformed_call"),
        ('<tool_call>\n{"name": "fly", "arguments": {}}\n</tool_call>', "unknown_tool"),
        ('<tool_call>\n{"name": "get_order", "arguments": "W1"}\n</tool_call>', "malformed_call"),
    ],
)
def test_a_call_that_cannot_be_run_is_told_so_and_counted(run, said, kind):
    rollout = run(f"{said}\n{READ}", "It is open.")
    assert json.loads(rollout.messages[1]["content"])["error"]["type"] == kind
    assert (rollout.malformed, rollout.worst_tier, rollout.min_p) == (1, "unavailable", 0.0)
    assert rollout.messages[2]["content"] == '{"status": "open"}' and rollout.status == "answered"


def test_a_call_that_was_cut_off_is_never_run(run):
    rollout = run(f"{READ}...")
    assert (rollout.status, rollout.evidence, rollout.answer) == ("truncated", [], "")
    assert set(rollout.mask) == {1}


def test_thinking_without_an_end_is_no_answer(run):
    rollout = run("<think>\nhm, open")
    assert (rollout.status, rollout.answer) == ("unclosed_thinking", "")


def test_the_last_turn_may_not_call(run):
    rollout = run(READ, READ, settings=RolloutSettings(max_turns=2, min_first=0, answer_room=0))
    assert (rollout.status, len(rollout.evidence)) == ("turn_limit", 1)
    assert rollout.mask[-1] == 1


def test_room_is_kept_for_the_answer(run, renderer):
    room = len(renderer.format.encode(f"{READ}<|im_end|>")) + 60
    rollout = run(READ, settings=RolloutSettings(max_completion=room, answer_room=50, min_first=0))
    assert (rollout.status, rollout.evidence) == ("out_of_room", [])
    assert rollout.mask[-1] == 1 and len(rollout.completion_ids) <= room


def test_only_the_first_turn_has_a_least_length(renderer, cache_of, dialogue):
    script = Script(renderer, READ + " and now some more words", "It is open.")
    settings = RolloutSettings(min_first=20, max_completion=600, answer_room=8)
    (rollout,) = CacheAgentLoop(renderer, cache_of(dialogue), settings).run(
        [RolloutTask(dialogue, next(parts(dialogue)))], script
    )
    assert [min_new for _, min_new, _ in script.asked] == [20, 0]
    assert rollout.min_bound  # it spoke on behind its call


def test_a_long_result_is_cut_with_a_mark(run, dialogue):
    dialogue["messages"][3] = result("open " * 2_000)
    rollout = run(READ, "Ok.", settings=RolloutSettings(max_result=50, min_first=0, max_completion=600))
    assert rollout.cut_results == 1 and rollout.status == "answered"
    assert rollout.messages[1]["content"].endswith("more characters]")


def test_rollouts_take_their_turns_together_and_end_apart(renderer, cache_of, dialogue):
    script = Script(renderer, [READ, "No idea."], "It is open.")
    task = RolloutTask(dialogue, next(parts(dialogue)))
    one, two = CacheAgentLoop(renderer, cache_of(dialogue), SETTINGS).run([task, task], script)
    assert (one.answer, two.answer) == ("It is open.", "No idea.")
    assert [len(prompts) for prompts, _, _ in script.asked] == [2, 1]
    assert two.worst_tier is None and two.min_p == 1.0


def test_outcomes_are_shared_or_vary_by_seed(renderer, cache_of, dialogue):
    told = [
        row_of(
            *dialogue["messages"][:2],
            says(None, call("get_order", {"order_id": "W1"})),
            result(f"s{n}"),
            trajectory_id=str(n),
        )
        for n in range(8)
    ]
    loop = CacheAgentLoop(renderer, cache_of(*told), SETTINGS)
    part = next(parts(dialogue))

    def results(seeds):
        script = Script(renderer, READ, "Ok.")
        return [
            each.messages[1]["content"]
            for each in loop.run([RolloutTask(dialogue, part, seed) for seed in seeds], script)
        ]

    assert len(set(results([3] * 8))) == 1 and len(set(results(range(8)))) > 2


def test_the_history_s_writes_count(renderer, cache_of):
    cancel = says(None, call("cancel_order", {"order_id": "W1"}))
    read = says(None, call("get_order", {"order_id": "W1"}, "r"))
    tools = json.dumps([{"type": "function", "function": {"name": name}} for name in ("get_order", "cancel_order")])
    row = row_of(
        *(message("user", "Read it."), read, result("open", "r"), says("Open.")),
        *(message("user", "Cancel it."), cancel, result("ok", name="cancel_order"), says("Done.")),
        *(message("user", "And now?"), read, result("cancelled", "r"), says("Cancelled.")),
        tools=tools,
    )
    loop = CacheAgentLoop(renderer, cache_of(row), SETTINGS)
    found = [
        loop.run([RolloutTask(row, part)], Script(renderer, READ, "Ok."))[0].messages[1]["content"]
        for part in parts(row)
    ]
    assert found == ["open", "open", "cancelled"]


def test_a_crash_in_one_rollout_is_data(renderer, cache_of, dialogue, monkeypatch):
    script = Script(renderer, [READ, READ.replace("W1", "W2")], "It is open.")
    task, cut = RolloutTask(dialogue, next(parts(dialogue))), acting.cut

    def fails(text, most, length):
        if "cache_unavailable" in text:
            raise OSError("boom")
        return cut(text, most, length)

    monkeypatch.setattr(acting, "cut", fails)
    one, two = CacheAgentLoop(renderer, cache_of(dialogue), SETTINGS).run([task, task], script)
    assert (one.status, two.status, two.error) == ("answered", "crashed", "OSError: boom")
    assert len(two.mask) == len(two.completion_ids) > 0


def test_limits_that_hold_nothing_are_refused(renderer, cache_of, dialogue):
    with pytest.raises(UsageError, match="--min-first"):
        RolloutSettings(max_turn=100).check()
    with pytest.raises(UsageError, match="--answer-room"):
        RolloutSettings(min_first=0, max_completion=256).check()
