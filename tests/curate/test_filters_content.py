# ruff: noqa: RUF001 - letters of other scripts are meant here
from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.errors import UsageError
from curate.filters import ContentSettings, Context, FilterSettings, QualitySettings, first_failure, view_of
from curate.filters.languages import language_of
from curate.filters.privacy import privacy_counts
from curate.filters.quality import score
from curate.normalise import Input, normalise
from curate.readers.openai_chat import OpenAIChat
from curate.readers.tau_bench import TauBench
from curate.trajectory import Trajectory

USER = {"role": "user", "content": "Where is my order 1?"}
CALL = {"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "get_order", "arguments": '{"id": "1"}'}}]}
RESULT = {"role": "tool", "tool_call_id": "c", "content": "sent"}


def row(*messages: dict[str, Any], **facts: Any) -> Trajectory:
    record = {"messages": list(messages), **facts}
    return normalise(OpenAIChat().convert(record), record, 0, Input("x.jsonl", "x"))


def saying(text: str, user: str = "Where is my order 1?", **facts: Any) -> Trajectory:
    """A dialogue whose last turn says `text`."""
    return row({"role": "user", "content": user}, CALL, RESULT, {"role": "assistant", "content": text}, **facts)


def failure(trajectory: Trajectory, quality: QualitySettings | None = None, **content: Any) -> tuple[str, str] | None:
    settings = FilterSettings(content=ContentSettings(**content), quality=quality or QualitySettings())
    return first_failure(trajectory, Context(settings))


def reason(trajectory: Trajectory, quality: QualitySettings | None = None, **content: Any) -> str | None:
    found = failure(trajectory, quality, **content)
    return found and found[0]


REFUSALS = [
    "I'm sorry, but I can't assist with that.",
    "I\u2019m sorry, but I can\u2019t assist with that request.",
    "Sorry, I cannot help with that.",
    "I'm sorry, but I am unable to fulfill this request. Is there anything else?",
    "I cannot comply with your request.",
    "I can't help you with that.",
    "As an AI language model, I don't have access to real-time data.",
    "I understand, but as an AI, I cannot make purchases for you.",
    "I'm just an AI assistant and cannot place orders.",
    "That would go against my programming.",
    "My guidelines prevent me from doing this.",
    "I cannot provide instructions for illegal activities.",
    "I must respectfully decline to answer.",
    "Es tut mir leid, aber ich kann dabei nicht helfen.",
    "Als KI-Sprachmodell kann ich keine Bestellungen aufgeben.",
    "Je suis désolé, mais je ne peux pas vous aider avec cette demande.",
    "En tant qu'IA, je ne peux pas accéder à vos données.",
    "Lo siento, pero no puedo ayudarte con eso.",
    "Como modelo de lenguaje, no tengo acceso a internet.",
    "Desculpe, mas não posso ajudar com isso.",
    "Como um modelo de linguagem, não tenho acesso a isso.",
    "Mi dispiace, ma non posso aiutarti con questa richiesta.",
    "In quanto intelligenza artificiale, non posso farlo.",
    "Als AI-taalmodel kan ik dit niet doen.",
    "Jako model językowy nie mogę tego zrobić.",
    "Bir yapay zeka dil modeli olarak bunu yapamam.",
    "Là một mô hình ngôn ngữ, tôi không thể làm điều đó.",
    "Sebagai model bahasa, saya tidak dapat melakukannya.",
    "很抱歉，我无法满足您的请求。",
    "作为一个人工智能语言模型，我无法访问互联网。",
    "申し訳ありませんが、そのリクエストにはお応えできません。",
    "AI言語モデルとして、個人的な意見を述べることはできません。",
    "죄송하지만 그 요청은 도와드릴 수 없습니다.",
    "AI 언어 모델로서 저는 그 일을 할 수 없습니다.",
    "К сожалению, я не могу помочь с этим.",
    "Как языковая модель, я не могу этого сделать.",
    "عذرًا، لا يمكنني مساعدتك في ذلك.",
    "एक एआई भाषा मॉडल के रूप में, मैं यह नहीं कर सकता।",
]

BUSINESSLIKE = [
    "I'm sorry, but I cannot cancel this order because it was delivered.",
    "I cannot assist with canceling a passenger from an existing reservation. You may need to contact a human agent.",
    "Unfortunately, I cannot assist with this request since basic economy flights cannot be modified.",
    "I cannot assist with that until you confirm your user id.",
    "You have three passengers, and no names can be changed. Unfortunately, I cannot assist with this request.",
    "Given the strict policy guidelines, I am unable to process a refund.",
    "I cannot assist in splitting the payment for an order. However, I can help you modify it.",
    "I am transferring you to a human agent, as I cannot do this myself.",
    "I'm an AI assistant for Acme. How can I help?",
    "As an airline agent, I cannot change the policy.",
    "Ich kann diese Bestellung leider nicht stornieren, da sie schon verschickt wurde.",
    "Je ne peux pas annuler cette commande, car elle est déjà livrée.",
    "No puedo cancelar este pedido porque ya fue enviado.",
    "抱歉，我无法取消该订单，因为它已经发货了。",
    "The certificate cannot be used for that.",
]


@pytest.mark.parametrize("text", REFUSALS)
def test_a_models_refusal_is_turned_away(text: str) -> None:
    found = failure(saying(text))
    assert found is not None
    assert found[0] == "refusal"
    assert found[1].startswith("message 3: ")
    assert reason(saying(text), max_refusals=1) is None


@pytest.mark.parametrize("text", BUSINESSLIKE)
def test_an_agents_no_is_none(text: str) -> None:
    assert reason(saying(text)) is None


def test_what_users_and_results_say_is_no_refusal() -> None:
    talk = row(
        {"role": "user", "content": "As an AI, I cannot wait."},
        CALL,
        {**RESULT, "content": "I can't assist with that."},
        {"role": "assistant", "content": "It was sent."},
    )
    assert reason(talk) is None


LEAKS = [
    "<think>The user wants</think>It was sent.",
    "so I answer.</think>\n\nIt was sent.",
    "<thinking>hm</thinking> Sent.",
    "<reasoning>because</reasoning> Sent.",
    "<scratchpad>\n1. look\n</scratchpad> Sent.",
    "[THINK]hm[/THINK] Sent.",
    "Thought: I should look.\nIt was sent.",
    "Thought: look\nAction: get_order\nAction Input: {}",
    "Sure.\nAction: get_order(id=1)",
    "<|channel|>analysis<|message|>The user wants",
    '<tool_call>{"name": "get_order"}</tool_call>',
    "It was sent.<|im_end|>",
    "<|im_start|>assistant\nSent.",
    "<\uff5ctool\u2581calls\u2581begin\uff5c>get_order",
    "<Function_Call>get_order</Function_Call>",
]

CLEAN = [
    "I thought: it was sent.",
    "Details of the action:\n- Action: cancel the order\n- Reason: no longer needed",
    "Use `<think>` tags to show thinking.",
    "```xml\n<reasoning>text</reasoning>\n```",
    "if a < b and c > d, see [1] or <b>this</b>",
    "Action: cancel order W1",
    "Food for thought: buy less.",
    "The <thinker> element",
]


@pytest.mark.parametrize("text", LEAKS)
def test_leaked_thinking_is_turned_away(text: str) -> None:
    before = row(USER, {"role": "assistant", "content": text, "tool_calls": CALL["tool_calls"]}, RESULT)
    trajectory = {**before, "messages": [*before["messages"], *saying("Sent.")["messages"][3:]]}
    trajectory["messages"][1]["content"] = text  # as it would stand after a reader that does not split it
    found = failure(trajectory)  # type: ignore[arg-type]
    assert found is not None
    assert found[0] == "leaked_thinking"
    assert found[1].startswith("message 1: ")
    assert reason(trajectory, max_leaked_turns=1) is None  # type: ignore[arg-type]


@pytest.mark.parametrize("text", CLEAN)
def test_plain_text_is_no_leak(text: str) -> None:
    assert reason(saying(text)) is None


ENGLISH = "I would like to know where my order is and when it will be delivered to my house, please."
GERMAN = "Ich möchte gerne wissen, wo meine Bestellung ist und wann sie bei mir zu Hause ankommt, bitte."
TEXTS = {
    "en": ENGLISH,
    "de": GERMAN,
    "fr": "Je voudrais savoir où se trouve ma commande et quand elle sera livrée chez moi, s'il vous plaît.",
    "es": "Me gustaría saber dónde está mi pedido y cuándo llegará a mi casa, por favor, muchas gracias.",
    "ru": "Я хотел бы узнать, где мой заказ и когда он будет доставлен ко мне домой, пожалуйста.",
    "uk": "Я хотів би дізнатися, де моє замовлення і коли його доставлять до мене додому, будь ласка.",
    "zh": "我想知道我的订单在哪里，什么时候可以送到我家，请帮我查一下，谢谢。",
    "ja": "私の注文がどこにあるのか、いつ自宅に届くのかを知りたいのですが、教えていただけますか。",
    "ko": "제 주문이 어디에 있는지 그리고 언제 집에 도착하는지 알고 싶습니다. 확인해 주시기 바랍니다.",
    "ar": "أود أن أعرف أين طلبي ومتى سيتم توصيله إلى منزلي من فضلك وشكرا جزيلا لكم على المساعدة.",
    "hi": "मैं जानना चाहता हूँ कि मेरा ऑर्डर कहाँ है और यह मेरे घर कब पहुँचेगा, कृपया बताइए।",
    "el": "Θα ήθελα να μάθω πού βρίσκεται η παραγγελία μου και πότε θα παραδοθεί στο σπίτι μου.",
    "th": "ฉันอยากทราบว่าคำสั่งซื้อของฉันอยู่ที่ไหนและจะส่งถึงบ้านเมื่อไหร่ช่วยตรวจสอบให้หน่อย",
}


@pytest.mark.parametrize("code", TEXTS)
def test_language_of_a_text(code: str) -> None:
    assert language_of(TEXTS[code]) == code


@pytest.mark.parametrize(
    "text",
    ["", "OK", "W123 #4 {}", "https://host.example/ein/langer/pfad/ohne/ende/der/nichts/sagt", "user_id_4711 " * 20],
)
def test_what_tells_no_language_is_not_judged(text: str) -> None:
    assert language_of(text) is None


def test_languages_are_looked_at_only_when_asked() -> None:
    german = saying(GERMAN, user=GERMAN)
    assert reason(german) is None
    assert reason(german, languages=("de", "en")) is None
    assert failure(german, languages=("en",)) == ("language", "the user writes de, asked for en")
    assert failure(saying(GERMAN, user=ENGLISH), languages=("en",)) == (
        "language",
        "the assistant writes de, asked for en",
    )
    assert reason(saying("ok", user="ok"), languages=("en",)) is None


def test_unknown_languages_and_a_missing_package_stop_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    FilterSettings(content=ContentSettings(languages=("en", "de"))).check()
    with pytest.raises(UsageError, match="english"):
        FilterSettings(content=ContentSettings(languages=("english",))).check()
    monkeypatch.setattr("curate.filters.languages.find_spec", lambda name: None)
    with pytest.raises(UsageError, match="pip install py3langid"):
        FilterSettings(content=ContentSettings(languages=("en",))).check()


def test_no_language_package_is_loaded_without_the_flag() -> None:
    script = (
        "import sys\n"
        "from curate.filters import FilterSettings, first_failure, Context\n"
        "FilterSettings().check()\n"
        "assert 'py3langid' not in sys.modules and 'numpy' not in sys.modules, 'loaded'\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=Path(__file__).parents[2])


TOUCAN = {
    "question_quality_assessment": json.dumps(
        {"question_quality": {"reasoning": "clear", "score": 4}, "verifiable": {"score": 2}, "overall_score": 3.5}
    ),
    "response_quality_assessment": {
        "completeness": {"reasoning": "most", "score": 5},
        "desired_tools_used_percentage": 0.5,
        "order_correctness": False,
        "note": "4.5",
    },
}


@pytest.mark.parametrize(
    ("bound", "expected"),
    [
        ("question_quality_assessment.question_quality=4", None),
        ("question_quality_assessment.question_quality.score=4", None),
        ("question_quality_assessment.question_quality=4.5", "low_quality"),
        ("question_quality_assessment.overall_score=4", "low_quality"),
        ("response_quality_assessment.completeness=5", None),
        ("response_quality_assessment.desired_tools_used_percentage=1.0", "low_quality"),
        ("response_quality_assessment.order_correctness=1", "low_quality"),
        ("response_quality_assessment.note=4", None),
        ("response_quality_assessment.missing=4", None),
        ("missing.path=1", None),
    ],
)
def test_scores_of_the_source(bound: str, expected: str | None) -> None:
    trajectory = {**saying("Sent."), "metadata": json.dumps(TOUCAN)}
    assert reason(trajectory, QualitySettings(min_quality=(bound,))) == expected  # type: ignore[arg-type]


def test_a_missing_score_is_fine_unless_required() -> None:
    bounds = ("question_quality_assessment.question_quality=4",)
    assert reason(saying("Sent."), QualitySettings(bounds)) is None
    assert failure(saying("Sent."), QualitySettings(bounds, require_quality=True)) == (
        "low_quality",
        "no score question_quality_assessment.question_quality",
    )


@pytest.mark.parametrize("bound", ["", "a", "a=", "=3", "a=x", "a=nan", "a=inf", "a..b=3", ".a=3"])
def test_a_bound_that_is_none_stops_at_once(bound: str) -> None:
    with pytest.raises(UsageError, match="PATH=VALUE"):
        QualitySettings(min_quality=(bound,)).check()


def test_requiring_scores_without_naming_one_stops_at_once() -> None:
    with pytest.raises(UsageError, match="--require-quality"):
        QualitySettings(require_quality=True).check()


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_scores_of_anything_are_numbers_or_none(metadata: Any) -> None:
    found = score(metadata, "a.b")
    assert found is None or isinstance(found, float)


KEY = "ghp_" + "k7QzMjAdTdlzC5T4uUhf7kvmB9wX2eR6yN1s"


@pytest.mark.parametrize("place", ["content", "arguments", "metadata", "system", "tools"])
def test_a_secret_anywhere_is_turned_away_and_never_shown(place: str) -> None:
    trajectory = saying(f"Use {KEY}." if place == "content" else "Sent.")
    if place == "arguments":
        trajectory["messages"][1]["tool_calls"][0]["arguments"] = json.dumps({"id": "1", "auth": KEY})
    elif place == "metadata":
        trajectory["metadata"] = json.dumps({"env": KEY})
    elif place == "system":
        trajectory["messages"].insert(0, {**trajectory["messages"][0], "role": "system", "content": f"Key: {KEY}"})
    elif place == "tools":
        tools = [{"type": "function", "function": {"name": "get_order", "description": KEY, "parameters": {}}}]
        trajectory["tools"], trajectory["tools_inferred"] = json.dumps(tools), False
    for _ in range(2):  # what rows share is looked at once, and found each time
        found = failure(trajectory)
        assert found is not None
        assert found[0] == "secret"
        assert "github ghp_... (40 characters)" in found[1]
        assert KEY not in found[1]
    assert reason(trajectory, keep_secrets=True) is None
    assert privacy_counts(view_of(trajectory, {})) == {"github": 1}


def test_personal_data_is_counted_and_never_turned_away() -> None:
    trajectory = saying("I wrote to mia.li@example.org and call (415) 555-2671.", user="I am mia.li@example.org")
    assert reason(trajectory) is None
    assert privacy_counts(view_of(trajectory, {})) == {"email": 2, "phone": 1}


@pytest.mark.parametrize(
    "text",
    [
        "<" * 1_000_000,
        "<think " * 150_000,
        "`" * 1_000_000,
        "thought " * 120_000,
        " " * 1_000_000 + "Thought",
        "as an ai " * 110_000,
    ],
)
def test_a_hostile_megabyte_comes_to_an_end(text: str) -> None:
    failure(saying(text, user=text), languages=("en",), max_ungrounded=0)


@pytest.mark.parametrize("name", ["tau_bench_airline_gpt4o", "tau_bench_retail_gpt4o", "tau_bench_retail_code_agent"])
def test_agents_of_real_files_neither_refuse_nor_leak_nor_hold_secrets(shared: Path, name: str) -> None:
    records = json.loads(gzip.decompress((shared / f"{name}.json.gz").read_bytes()))
    for index, record in enumerate(records):
        trajectory = normalise(TauBench().convert(record), record, index, Input("x", "x"))
        assert reason(trajectory, languages=("en",)) not in ("refusal", "leaked_thinking", "secret", "language")
