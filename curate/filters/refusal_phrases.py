"""The standard refusals of the major languages, as chat models word them.

`ANYWHERE` names the model or its makers' rules and counts wherever it stands; `OPENING` is the canned sentence, which
counts only where it opens a short turn. Each phrase has gates: lower-case texts of which one must stand in the turn.
"""

# ruff: noqa: RUF001 - letters of other scripts are meant here
from __future__ import annotations

import re

Phrase = tuple[tuple[str, ...], re.Pattern[str]]


def _phrase(gates: str, *pattern: str) -> Phrase:
    return tuple(gates.split("|")), re.compile("".join(pattern), re.IGNORECASE)


_NO = r"(?:can(?:no|')t|can not|won't|will not|am not able|am unable|'m not able|'m unable|do(?:n't| not)|must decline)"
_MODEL = r"(?:ai(?: language)?(?: model| assistant)?|artificial intelligence|(?:large )?language model)"
_KIND = r"(?:(?:kind|type|sort) of )?(?:requests?|content|topics?|questions?)"
_THAT = rf"(?:that|this|it|your request|(?:that|this|such|these|those|the) {_KIND})"
_SORRY = r"(?:(?:i'm |i am )?(?:(?:very|really|so|truly) )?sorry|unfortunately|i apologi[sz]e|my apologies)"
_HERE = r"[^.!?\n]{0,120}?"

ANYWHERE: tuple[Phrase, ...] = (
    _phrase("an ai|language model|artificial int", rf"\bas an? {_MODEL}\b{_HERE}\b{_NO}\b"),
    _phrase("an ai|language model|artificial int", rf"\bi(?:'m| am) (?:just |only )?an? {_MODEL}\b{_HERE}\b{_NO}\b"),
    _phrase(
        "programming|guidelines|my training",
        r"\b(?:against|violates?|outside|not allowed by|contrary to) my (?:own |core )?",
        r"(?:programming|(?:ethical |safety |content |usage )?guidelines|training)\b",
    ),
    _phrase(
        "programming|guidelines|my training",
        r"\bmy (?:programming|(?:ethical |safety |content )?guidelines|training) ",
        r"(?:do(?:es)?n't|do(?:es)? not|prevents?|prohibits?)\b",
    ),
    _phrase(
        "harmful|illegal|unethical|explicit",
        rf"\bi {_NO}(?: be able to)? (?:provide|assist|help|engage|create|generate|produce|support|participate)\b",
        rf"{_HERE}\b(?:harmful|illegal|unethical|sexually explicit)\b",
    ),
    _phrase(
        "decline",
        r"\bi(?: must| have to|'ll have to) (?:respectfully |politely )?decline ",
        r"(?:to (?:assist|help|answer|provide|engage)|(?:your|this) request)\b",
    ),
    _phrase(
        "als ki|als eine ki|künstliche|sprachmodell",
        r"\bals (?:eine? )?(?:ki\b|künstliche intelligenz)",
        _HERE,
        r"\b(?:nicht|kein)",
    ),
    _phrase("sprachmodell", r"\bals (?:ein )?(?:großes )?(?:ki-)?sprachmodell", _HERE, r"\b(?:nicht|kein)"),
    _phrase(
        "en tant qu",
        r"\ben tant qu(?:e |')(?:une? )?",
        r"(?:ia\b|intelligence artificielle|assistant (?:ia|virtuel)|modèle (?:de langage|d'ia))",
        _HERE,
        r"\b(?:ne|n')",
    ),
    _phrase(
        "como ",
        r"\bcomo (?:una? )?(?:ia\b|modelo de lenguaje|inteligencia artificial|asistente de ia)",
        _HERE,
        r"\bno\b",
    ),
    _phrase(
        "como ",
        r"\bcomo (?:uma? )?(?:ia\b|modelo de linguagem|inteligência artificial|assistente de ia)",
        _HERE,
        r"\bnão\b",
    ),
    _phrase(
        "come |in quanto ",
        r"\b(?:come|in quanto) (?:un(?:a |o |'| )?)?",
        r"(?:ia\b|modello linguistico|intelligenza artificiale|assistente ia)",
        _HERE,
        r"\bnon\b",
    ),
    _phrase(
        "als ", r"\bals (?:een )?(?:ai\b|ai-(?:assistent|model)|(?:groot |ai-)?taalmodel)", _HERE, r"\b(?:niet|geen)\b"
    ),
    _phrase("jako ", r"\bjako (?:model językowy|sztuczna inteligencja|ai\b)", _HERE, r"\bnie\b"),
    _phrase("olarak", r"\b(?:yapay zek[aâ]|dil modeli)(?: (?:dil )?(?:modeli|asistanı))? olarak"),
    _phrase("là ", r"\blà (?:một )?(?:ai\b|mô hình ngôn ngữ|trí tuệ nhân tạo)", _HERE, r"\bkhông\b"),
    _phrase("sebagai ", r"\bsebagai (?:sebuah )?(?:ai\b|model bahasa|kecerdasan buatan)", _HERE, r"\btidak\b"),
    _phrase(
        "作为|作為",
        r"作[为為](?:一[个個名款])?\s?(?:ai|人工智[能慧]|(?:大型?)?[语語]言模型)",
        r"[^。!?\uff01\uff1f\n]{0,60}(?:无法|無法|不能|没有|沒有)",
    ),
    _phrase(
        "として",
        r"(?:ai|人工知能|言語モデル)(?:言語モデル|アシスタント)?として[^。\n]{0,60}(?:できません|できかねます|ありません|いたしかねます)",
    ),
    _phrase(
        "로서|때문에",
        r"(?:ai|인공지능|언어 ?모델)(?: ?(?:언어 ?모델|어시스턴트|비서))?(?:로서|이기 때문에)",
        r"[^.\n]{0,60}(?:없습니다|않습니다|못합니다)",
    ),
    _phrase("как ", r"\bкак (?:большая )?(?:ии\b|языковая модель|искусственный интеллект)", _HERE, r"\bне\b"),
    _phrase("كنموذج|كذكاء|بصفتي", r"(?:كنموذج لغ|كذكاء اصطناعي|بصفتي (?:نموذج|ذكاء|مساعد))[^.\n]{0,80}لا "),
    _phrase(
        "के रूप में",
        r"(?:एआई|ai|भाषा मॉडल|कृत्रिम बुद्धिमत्ता)(?: (?:भाषा मॉडल|सहायक|मॉडल))? के रूप में",
        r"[^।\n]{0,80}(?:नहीं|असमर्थ)",
    ),
)

OPENING: tuple[Phrase, ...] = (
    _phrase(
        "n't |cannot|can not|will not|not able|unable|do not|must decline",
        rf"(?:{_SORRY}[,.;!]?\s?)?(?:but\s)?i(?:\s?{_NO}|'m afraid i {_NO})(?:\sto)?\s",
        r"(?:(?:assist|help|comply|engage)(?: you)? with|(?:fulfill?|complete|do|answer|provide|discuss))",
        rf" {_THAT}\s*(?:[.!]|$)",
    ),
    _phrase(
        "nicht ",
        r"(?:es tut mir leid|tut mir leid|entschuldigung|leider)?[,.]?\s?(?:aber )?(?:ich )?kann (?:ich )?",
        r"(?:(?:ihnen|dir|euch) )?(?:leider )?(?:dabei|damit|hierbei|(?:bei )?dieser (?:anfrage|bitte)) (?:leider )?",
        r"nicht (?:weiter)?(?:helfen|behilflich sein|unterstützen|nachkommen)\s*[.!]",
    ),
    _phrase(
        "je ne ",
        r"(?:(?:je suis )?(?:vraiment )?désolée?|malheureusement)?[,.]?\s?(?:mais )?",
        r"je ne (?:peux (?:malheureusement )?pas|suis pas en mesure de) (?:vous |t')?",
        r"(?:aider|assister|répondre|accéder)",
        r"(?: (?:avec|à|sur|pour|dans))? (?:cela|ça|ce sujet|cette demande|votre demande)\s*[.!]",
    ),
    _phrase(
        "no puedo",
        r"(?:lo siento|lo lamento|disculpa|lamentablemente)?[,.]?\s?(?:pero )?",
        r"no puedo (?:ayudar|asistir)(?:te|le|los|les)?",
        r" (?:con|en) (?:eso|esto|ello|(?:esa|esta|tu|su) (?:solicitud|petición))\s*[.!]",
    ),
    _phrase(
        "não posso",
        r"(?:desculpe|sinto muito|lamento|infelizmente)?[,.]?\s?(?:mas )?não posso ",
        r"(?:(?:te |lhe |o )?ajudar(?:-lo|-te|-lhe)?|atender) (?:com |a )?",
        r"(?:isso|nisso|(?:essa|esta|sua) solicitação|(?:esse|este) pedido)\s*[.!]",
    ),
    _phrase(
        "non posso",
        r"(?:mi dispiace|scusa|purtroppo)?[,.]?\s?(?:ma )?non posso (?:aiutar|assister)(?:ti|la|e)",
        r" (?:con|in) (?:questo|questa richiesta|ciò)\s*[.!]",
    ),
    _phrase(
        "无法|無法|不能",
        r"(?:(?:非常|很|十分)?(?:抱歉|对不起|對不起|遗憾|遺憾)[,\uff0c。!\uff01]?\s?)?(?:但)?",
        r"我(?:无法|無法|不能)(?:为您|為您|向您|给您)?",
        r"(?:提供|协助|協助|帮助|幫助|满足|滿足|回答|处理|處理|完成)(?:您|你)?(?:的|这个|這個|该|該|此|这类|這類|这样的|這樣的)?",
        r"(?:请求|請求|要求|问题|問題|内容|內容|帮助|幫助)?\s*[。.!\uff01]",
    ),
    _phrase(
        "ません|かねます",
        r"(?:申し訳(?:ありません|ございません)が?|すみませんが?|恐れ入りますが)[、,。]?\s?",
        r"(?:その|この|そのような|このような)?",
        r"(?:ご要望|リクエスト|ご依頼|ご?質問|内容)?(?:には|に|は|について)?(?:お(?:答え|応え|手伝い)|対応|回答|ご?協力|支援)",
        r"(?:は|する(?:こと)?[はが]?)?(?:できません|できかねます|いたしかねます)",
    ),
    _phrase(
        "수 없습니다",
        r"(?:죄송(?:합니다|하지만|합니다만)|미안하지만)[,.]?\s?(?:저는 )?",
        r"(?:그|이|해당|그러한|이러한)?\s?(?:요청|질문|부분|내용)?",
        r"(?:은|을|에|에는|에 대해(?:서는)?)?\s?(?:도와드릴|도움을 드릴|응답할|답변드릴|응할|처리할) 수 없습니다",
    ),
    _phrase(
        "не могу",
        r"(?:извините|простите|к сожалению|мне жаль)?[,.]?\s?(?:но )?",
        r"я не могу (?:вам |тебе )?(?:помочь|выполнить|ответить на)",
        r" (?:(?:вам |тебе )?(?:с|в) )?",
        r"(?:этим|этом|этой просьбой|(?:этот|данный|ваш) (?:запрос|вопрос)|эту просьбу)\s*[.!]",
    ),
    _phrase(
        "لا يمكنني|لا أستطيع",
        r"(?:عذر[ًا]{1,2}|آسف|أعتذر|للأسف)?[،,.]?\s?(?:ولكن |لكن )?",
        r"(?:لا يمكنني|لا أستطيع) (?:مساعدتك|المساعدة|تلبية)",
        r"(?: في| ب)? ?(?:ذلك|هذا الطلب|هذا|طلبك)\s*[.!]",
    ),
)

GATES = tuple(dict.fromkeys(gate for gates, _ in (*ANYWHERE, *OPENING) for gate in gates))
"""Where a turn holds none of these, no phrase need be tried."""
