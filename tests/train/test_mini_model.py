import pytest

from tests.train.rows import call, result, row_of, says
from train.chat_format import chat_format
from train.mini.model import build_model, build_tokenizer
from train.tokens import Renderer


@pytest.fixture
def rows():
    from curate.readers.messages import message

    return [
        row_of(
            message("system", "A policy."),
            message("user", "CANCEL c24 i21 stove"),
            says(None, call("find", '{"customer_id":"c24"}'), thought="The user says “CANCEL c24 i21 stove”. I look."),
            result('{"customer_id":"c24","order_id":"o19"}', name="find"),
            says("refused", thought="I can answer."),
        )
    ]


def test_every_entity_is_one_token_and_texts_come_back(rows):
    tokenizer = build_tokenizer(rows)
    text = 'CANCEL c24 i21 stove{"customer_id":"c24","order_id":"o19"}refused'
    ids = tokenizer.encode(text, add_special_tokens=False)
    assert tokenizer.decode(ids, skip_special_tokens=False) == text
    for entity in ("c31", "o00", "p07", "r15", "cancelled", "CHANGE"):
        assert len(tokenizer.encode(entity, add_special_tokens=False)) == 1


def test_the_rows_own_words_are_all_known(rows):
    tokenizer = build_tokenizer(rows)
    renderer = Renderer(chat_format(tokenizer))
    (example,) = renderer.examples(rows[0])
    assert tokenizer.unk_token_id not in example.input_ids
    text = tokenizer.decode(example.input_ids, skip_special_tokens=False)
    assert "A policy." not in text and text.endswith("</think>refused<end>")


def test_the_model_is_small_and_the_same_again(rows):
    tokenizer = build_tokenizer(rows)
    one, two = build_model(tokenizer, 1), build_model(tokenizer, 1)
    assert sum(weight.numel() for weight in one.parameters()) < 400_000
    assert all((a == b).all() for a, b in zip(one.parameters(), two.parameters(), strict=True))
