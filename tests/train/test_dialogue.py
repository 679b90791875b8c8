import pytest

from curate.pairing import pair_calls
from curate.readers.messages import message
from tests.train.rows import call, result, row_of, says
from train.chat_format import chat_format
from train.dialogue import Case, Dialogue, open_part, play
from train.rollout import CacheAgentLoop, Generated, Rollout
from train.settings import RolloutSettings
from train.speakers import NoSessions
from train.tokens import Renderer


class Talker:
    """A user with fixed lines; the last one ends the dialogue."""

    def __init__(self, *lines):
        self.lines = list(lines)
        self.heard = []

    def hear(self, answer):
        self.heard.append(answer)
        return self.lines.pop(0), not self.lines


class Desk:
    ended = False

    def turn(self, calls):
        return []


def case(name="t1", trial=0):
    row = row_of(message("system", "Be brief."), message("user", f"Hello from {name}"))
    return Case(name, "", "chat", trial, row, [])


def answered(text, thought=None, *before):
    return Rollout(
        [1], messages=[*before, says(text, thought=thought)], status="answered", answer=text, turn_lengths=[3]
    )


def replies(seen):
    """A model that answers with how many messages it was given."""

    def run(tasks):
        seen.append([task.part.history[-1]["content"] for task in tasks])
        return [answered(f"answer {len(task.part.history)}", thought="Hm.") for task in tasks]

    return run


def test_all_dialogues_take_their_user_turns_together_until_each_user_is_done():
    users = [Talker("more", "bye"), Talker("bye")]
    dialogues = [Dialogue(case(f"t{n}"), Desk(), user) for n, user in enumerate(users)]
    seen = []
    play(dialogues, replies(seen), kept=False, most=9)
    assert seen == [["Hello from t0", "Hello from t1"], ["more"]]
    assert [each.status for each in dialogues] == ["user_done", "user_done"]
    assert users[0].heard == ["answer 2", "answer 4"] and dialogues[0].answer == "answer 2\nanswer 4"
    assert [each["content"] for each in dialogues[0].messages] == ["answer 2", "more", "answer 4", "bye"]


def test_a_dialogue_ends_at_its_limit_of_user_turns():
    talker = Talker(*"abcdef")
    (dialogue,) = dialogues = [Dialogue(case(), Desk(), talker)]
    play(dialogues, replies([]), kept=False, most=3)
    assert dialogue.status == "user_turn_limit" and dialogue.rollouts == 3


def test_a_terminal_tool_ends_it_behind_the_answer():
    desk = Desk()
    desk.ended = True
    (dialogue,) = dialogues = [Dialogue(case(), desk, Talker("no"))]
    play(dialogues, replies([]), kept=False, most=3)
    assert dialogue.status == "handed_over" and dialogue.answer == "answer 2"


def test_without_a_user_one_answer_is_all():
    (dialogue,) = dialogues = [Dialogue(case(), None)]
    play(dialogues, replies([]), kept=False, most=3)
    assert dialogue.status == "answered" and dialogue.rollouts == 1


@pytest.mark.parametrize("status", ["truncated", "unclosed_thinking", "turn_limit", "out_of_room", "crashed"])
def test_a_turn_without_an_answer_ends_it(status):
    (dialogue,) = dialogues = [Dialogue(case(), Desk(), Talker("no"))]
    play(dialogues, lambda tasks: [Rollout([], status=status, error="x")], kept=False, most=3)
    assert dialogue.status == status and dialogue.error == "x" and not dialogue.answers


def test_a_crash_ends_its_own_dialogue_alone():
    class Broken(Talker):
        def hear(self, answer):
            raise ZeroDivisionError("no words")

    dialogues = [Dialogue(case("t0"), Desk(), Broken()), Dialogue(case("t1"), Desk(), Talker("bye"))]
    play(dialogues, replies([]), kept=False, most=3)
    assert [each.status for each in dialogues] == ["crashed", "user_done"]
    assert dialogues[0].error == "ZeroDivisionError: no words"


def test_text_that_no_file_can_hold_ends_its_own_dialogue_alone():
    dialogues = [Dialogue(case(f"t{n}"), Desk(), Talker("bye")) for n in range(2)]
    play(dialogues, lambda tasks: [answered("half a \ud800"), answered("whole")], kept=False, most=3)
    assert [each.status for each in dialogues] == ["crashed", "user_done"]
    assert not dialogues[0].messages and not dialogues[0].answers


def test_earlier_thoughts_are_kept_or_dropped():
    row = row_of(message("user", "a"), says("b", thought="I think."), message("user", "c"))
    told = [open_part(row, kept=kept).history[1].get("reasoning_content") for kept in (True, False)]
    assert told == ["I think.", None]
    assert open_part(row, kept=True).message_index == 2


def test_calls_of_later_turns_have_ids_of_their_own_and_their_evidence():
    def run(tasks):
        made = says(None, call("get_order", {"order_id": "W1"}, "call_0_0"))
        evidence = {"message_index": 0, "call_index": 0, "tier": "exact", "p": 1.0}
        turn = answered("done", None, made, result("{}", "call_0_0"))
        turn.evidence = [evidence]
        return [turn for _ in tasks]

    (dialogue,) = dialogues = [Dialogue(case(), Desk(), Talker("more", "bye"))]
    play(dialogues, run, kept=False, most=5)
    pairs = pair_calls(dialogue.messages)
    assert [pair.call["id"] for pair in pairs] == ["call_0_0", "turn_1_call_0_0"]
    assert [(pair.message_index, pair.result_index) for pair in pairs] == [(0, 1), (4, 5)]
    assert [step["message_index"] for step in dialogue.evidence] == [0, 4]


@pytest.mark.parametrize("kept", [False, True])
def test_a_second_user_turn_is_prompted_with_what_was_said_with_or_without_thoughts(tokenizer, kept):
    form = chat_format(tokenizer, "qwen3", whole_dialogues=kept)
    prompts = []

    def generate(given, min_new, max_new):
        prompts.append([tokenizer.decode(ids, skip_special_tokens=False) for ids in given])
        text = "<think>\nI know.\n</think>\n\nAll is well.<|im_end|>"
        return [Generated(form.encode(text)) for _ in given]

    loop = CacheAgentLoop(Renderer(form), NoSessions(), RolloutSettings(min_first=0))
    (dialogue,) = dialogues = [Dialogue(case(), Desk(), Talker("And now?", "bye"))]
    play(dialogues, lambda tasks: loop.run(tasks, generate), kept=kept, most=5)
    assert dialogue.status == "user_done" and dialogue.turns == 2
    (first,), (second,) = prompts
    assert ("I know." in second) is kept and "All is well.<|im_end|>\n<|im_start|>user\nAnd now?" in second
    said = "<think>\nI know.\n</think>\n\nAll is well.<|im_end|>"
    assert second.startswith(first + said) is kept
