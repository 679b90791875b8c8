from __future__ import annotations

import pytest

from synth.names import field_words, listed, singular, tool_words
from synth.wording import Voice, clause, cut, plain, quote, sentence, shown


@pytest.mark.parametrize(
    ("name", "action", "thing"),
    [
        ("get_order_details", "get the order details", "the order details"),
        ("find_user_id_by_email", "find the user id", "the user id"),
        ("search_direct_flight", "search for direct flights", "direct flights"),
        ("list_all_airports", "list all airports", "all airports"),
        ("transfer_to_human_agents", "transfer to human agents", ""),
        ("fs-readFile", "read the file", "the file"),
        ("weather", "use weather", ""),
        ("<|im_start|>", "start the im", "the im"),
        ("<|x|>", "use this tool", ""),
    ],
)
def test_tool_names_in_words(name: str, action: str, thing: str) -> None:
    words = tool_words(name)
    assert (words.action, words.thing) == (action, thing)


def test_small_words() -> None:
    assert field_words("paymentMethod_id") == "payment method id"
    assert [singular(word) for word in ("orders", "ids", "entries", "address", "status")] == [
        "order", "id", "entry", "address", "status"]  # fmt: skip
    assert [listed(parts) for parts in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == ["", "a", "a and b", "a, b and c"]


def test_quoted_text_is_short_one_line_and_without_markup() -> None:
    assert quote("a <think>b</think>\nc") == "“a … b … c”"
    assert len(quote("word " * 100)) <= 62
    assert plain("\x1b[2Jhi\u202e there") == "[2Jhi there"
    assert cut("one two three", 8) == "one two…"
    assert clause("cancel the order for my wife, because it is late", 34) == "cancel the order for my wife"


@pytest.mark.parametrize(
    "text", ["(350 - 122) * 2 + 1", 'say "yes" {now}', "**bold** a|b `c` #3", "a < b", "it\u2019s so"]
)
def test_a_quotation_is_word_for_word(text: str) -> None:
    assert quote(text) == f"“{text}”"
    assert shown(text) == f"“{text}”"


def test_an_ellipsis_stands_for_what_a_quotation_leaves_out() -> None:
    assert quote("keep “this” here") == "“keep … this … here”"
    assert quote("x\x00y") == "“x…y”"
    assert shown("a*b_1") == "“a*b_1”"


def test_a_clause_leaves_no_word_dangling() -> None:
    text = "double-check the system or see if there is any further information on the delay"
    assert clause(text, 50) == "double-check the system or see if there is any…"


def test_a_long_hostile_text_is_quoted_in_no_time() -> None:
    for text in ("<" * 1_000_000, "<a " * 300_000, " " * 1_000_000, "“" * 1_000_000):
        assert len(quote(text)) <= 63


def test_values_and_sentences() -> None:
    assert [shown(value) for value in ("HAT1", "JFK", "economy", "two words", True, 5.0, "")] == [
        "HAT1", "JFK", "“economy”", "“two words”", "true", "5.0", "nothing"]  # fmt: skip
    assert sentence("the user agreed") == "The user agreed."
    assert sentence("mia_li_1 is the user id") == "mia_li_1 is the user id."
    assert sentence("I read “Really?”") == "I read “Really?”"


def test_one_voice_repeats_itself_and_two_differ() -> None:
    options = [str(number) for number in range(50)]
    first = [Voice("ab" * 16).pick(options) for _ in range(2)]
    assert first[0] == first[1]
    voice, other = Voice("ab" * 16), Voice("cd" * 16)
    assert [voice.pick(options) for _ in range(60)] != [other.pick(options) for _ in range(60)]
