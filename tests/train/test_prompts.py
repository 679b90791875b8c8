import pytest

from curate.folder import DatasetFolder
from curate.readers.messages import message
from tests.train.rows import asked_orders, call, result, row_of, says, write_folder
from train.chat_format import chat_format
from train.prompts import store_prompts
from train.settings import PromptSettings
from train.tokens import Renderer

STRICT = (
    "{% for m in messages %}{% if m.content == 'no' %}{{ raise_exception('no') }}{% endif %}"
    "<|im_start|>{{ m.role }}\n{{ m.content }}"
    "{% for c in m.tool_calls or [] %}<tool_call>{{ c.function | tojson }}</tool_call>{% endfor %}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@pytest.fixture
def chosen(tmp_path, tokenizer):
    """Choose the prompts of rows: chosen(rows, **settings) -> (store, counts)."""

    def build(rows, **given):
        tokenizer.chat_template = STRICT
        renderer = Renderer(chat_format(tokenizer, "own"))
        folder = DatasetFolder.open(write_folder(tmp_path / "data", rows))
        settings = PromptSettings(**{"max_prompt": 10_000} | given)
        return store_prompts(folder, frozenset({"train"}), settings, renderer, tmp_path / "prompts"), renderer.counts

    return build


def test_a_prompt_that_the_template_refuses_is_counted(chosen):
    refused = row_of(message("user", "no"), says(None, call("get_order", {"order_id": "W9"})), result("{}"), says("x"))
    store, counts = chosen([*asked_orders(2), refused])
    assert len(store) == 2 and counts["prompts"] == 2 and counts["template_refuses"] == 1


def test_a_stored_prompt_holds_nothing_behind_its_own_reply(chosen):
    first, second = asked_orders(2)
    both = first | {"messages": [*first["messages"], *second["messages"]]}
    store, _ = chosen([both])
    assert [len(store[number].row["messages"]) for number in range(2)] == [4, 8]
    assert store[0].part.history == [{"role": "user", "content": "Where is W0?"}]
    assert [step["content"] for step in store[1].reference][-1] == "It is open."
    assert store[1].part.message_index == 4


def test_what_does_not_fit_is_left_out_and_counted(chosen):
    low = asked_orders(1)[0] | {"reward": 0.5, "trajectory_id": "low"}
    store, counts = chosen([*asked_orders(2), low], max_prompt=3)
    assert len(store) == 0 and counts["prompt_too_long"] == 2 and counts["below_min_reward"] == 1
