"""What a user's message says: what is asked for, in words that fit after "the user", and whether it is a yes."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from curate.env import READ_VERBS, WRITE_VERBS
from synth.replies import sentences
from synth.wording import clause, plain, quote

LONGEST = 80
"""Characters of a request taken over into a thought."""

_YES = re.compile(
    r"^\W*(?:yes|yeah|yep|yup|correct|confirm(?:ed)?|i confirm|absolutely|definitely|of course"
    r"|go ahead|proceed|please (?:do|proceed|go ahead|confirm)|sounds good|that (?:sounds|works)"
    r"|let's (?:do|go|proceed)|i(?:'d| would) like to (?:proceed|confirm|go ahead))\b",
    re.IGNORECASE,
)
_SOFT_YES = re.compile(
    r"^\W*(?:sure|ok(?:ay)?|right|perfect|great"
    r"|that(?:'s| is) (?:all )?(?:right|correct|fine|ok(?:ay)?|good|perfect|great|it|the one))\b",
    re.IGNORECASE,
)
"""A yes only where no question follows: "Great! Could you also ..." goes on to something else."""
_NO = re.compile(
    r"\b(?:no,|not|don't|do not|doesn't|didn't|isn't|wrong|instead|wait|rather|hold on|cancel that)\b", re.I
)
_THANKS = re.compile(r"\b(?:thanks|thank you|that's all|that is all|that will be all|goodbye|bye)\b", re.I)
_THANKS_CUES = ("thank", "that", "bye")
_ASKS_MORE = re.compile(
    r"\?|\b(?:(?:can|could|would|will) (?:you|we|i)\b|i(?:'d| would) (?:\w+ )?(?:like|love|prefer|appreciate it if)\b"
    r"|i (?:\w+ )?(?:want|need|wish|wonder)\b|also\b|please\b|let me know\b|let's\b|go ahead\b|proceed\b|instead\b"
    r"|(?:double[- ]?check|tell|show|send|give|help|explain|remind)(?: \w+)? me\b|double[- ]?check\b)",
    re.IGNORECASE,
)
"""Anything by which a message asks for more than a goodbye."""
_VERBS = "|".join(sorted((READ_VERBS | WRITE_VERBS) - {"have", "take", "keep", "get"}))
_ORDERS = re.compile(rf"^\W*(?:then |just |now |so |and |ok,? |okay,? )*(?:{_VERBS})\b", re.IGNORECASE)
"""A sentence that begins with a verb of doing: "Cancel it then"."""
_LEAD = r"(?:also |just |please |first |now |then |kindly |actually |still )*"
_WANTS = re.compile(
    rf"\b(?:I(?:'d| would) (?:also |really |just |still |rather )*(?:like|love|prefer)"
    rf"|(?<!would )(?<!do )(?<!should )(?<!will )(?<!if )I (?:also |just |really |still )*(?:want|need|wish|have)"
    rf"|I(?:'m| am) (?:looking|hoping|trying|calling|planning)|I was (?:hoping|looking|trying))"
    rf" to {_LEAD}(?P<wants>[a-z].+)",
    re.IGNORECASE,
)
_ASKS = re.compile(
    rf"\b(?:can|could|would|will) you {_LEAD}(?:help me (?:to )?(?!with\b))?(?P<asks>[a-z].+)", re.IGNORECASE
)
_HELP = re.compile(rf"\bhelp me (?:to )?(?!with\b){_LEAD}(?P<asks>[a-z].+)", re.IGNORECASE)
_MAY = re.compile(rf"\b(?:can|could|may) I {_LEAD}(?P<may>[a-z].+)", re.IGNORECASE)
_PLEASE = re.compile(rf"(?:^|[,;] |\band |\bso )please {_LEAD}(?P<asks>[a-z].+)", re.IGNORECASE)
_LIKES = re.compile(
    r"\bI(?:(?:'d| would) (?:like|love|prefer)| (?:also |just |still )?(?:want|need))"
    r" (?P<likes>(?:a|an|the|my|one|two|three) .+)",
    re.IGNORECASE,
)
_PATTERNS = ((" to ", _WANTS), (" you ", _ASKS), ("help me", _HELP), (" i ", _MAY), ("please ", _PLEASE), (" ", _LIKES))
"""(what a sentence must hold, pattern), in the order they are tried."""
_EMPTY = re.compile(
    r"^(?:(?:with|by|for|in|on|to|like|no|not|don't|never|\w+ any(?:thing|one|body)?)\b|\w+ (?:are|is|was|were)\b"
    r"|know\b.{0,8}$|proceed|go ahead|confirm|do (?:that|this|it|so)\b|that\b|it\b|be\b"
    r"|(?:because|since|so|and|out|as|if)\b|mention\b|ask\b.{0,14}$|help\b.{0,12}$|let\b|thank|say\b"
    r"|assist\b.{0,18}$|help (?:me|(?:me |them )?with (?:this|that|it|these|those|something|anything))\b.{0,12}$"
    r"|check that$)",
    re.IGNORECASE,
)
_SHIFT = {
    "i": "they", "i'm": "they're", "i've": "they've", "i'd": "they'd", "i'll": "they'll", "my": "their", "me": "them",
    "mine": "theirs", "myself": "themselves", "am": "are", "your": "our", "was": "was",
}  # fmt: skip
_SHIFTED = re.compile(r"\b(?:I was|I(?:'m|'ve|'d|'ll)|(?:I|my|me|mine|myself|am|your))\b(?!')", re.IGNORECASE)
_POINTING = re.compile(
    r"^(?!help them )\w+ (?:\w+ )?(?:it|this|that|them|these|those)\b(?! \w+ (?:is|are))"
    r"|\b(?:one|both|all|two|three|some|any|each|either|none) of (?:it|this|that|them|these|those)\b",
    re.IGNORECASE,
)
_OTHERS = re.compile(r"\b(?:they|them|their|theirs|themselves)\b", re.IGNORECASE)
_ONLY_IF = re.compile(r"\b(?:if|unless|only|except|without|provided|as long as|in case)\b", re.IGNORECASE)
"""A condition: words that leave it out would say something else."""
_UNDER = re.compile(rf"{_ONLY_IF.pattern}|\b(?:since|because|when|while|until|although|though)\b", re.IGNORECASE)
"""Words that put what follows under a condition or make it a ground for something else."""
_AND_SO = re.compile(
    r"(?:,? (?:so|but|because|since|and|though)|,) (?:I(?:'\w+)?|it(?:'s)?|he|she|they|there|we)\b.*", re.IGNORECASE
)
"""A second clause with a subject of its own, behind the request."""
_NEW_CLAUSE = re.compile(
    r", (?:because|since|so|but|which|as|due|though|(?:and )?(?:I|it|he|she|they|there|we|then|also))\b", re.IGNORECASE
)
"""A comma between clauses; any other may stand inside a list."""
_ASIDE = re.compile(r"^\W*(?:oh|ah|um+|uh|hm+|really|right|ok(?:ay)?)\b.{0,24}$", re.IGNORECASE)
_YOU = re.compile(r"\b(?:you|yours|you're|you've|us|we|our)\b", re.IGNORECASE)
_THEY = re.compile(r"\b(?:their|them)\b", re.IGNORECASE)
_NAMED = {"their": "the user's", "them": "the user"}
_BARE = re.compile(
    r"^(?:\w+, )?(?:can|could|would|will) you (?:please |also )?(?:help|assist)(?: me)?"
    r"(?: with (?:that|this|it))?(?: too)?\W*$",
    re.IGNORECASE,
)
_GIVES = re.compile(
    r"\bmy (?:full |user |order |reservation )?(?:name|e?mail|id|zip)\b.{0,30}(?: is|:)|@|'s my\b", re.IGNORECASE
)
_TELLS_LITTLE = re.compile(
    r"\b(?:don't|do not|can't|cannot) (?:\w+ )?(?:have|know|remember|recall)\b"
    r"|^\W*(?:it's about|there are|there's|i've been|don't worry"
    r"|(?:right, |well, )?this is (?:getting|not|the (?:second|third)))\b"
    r"|\b(?:mention|ask) something\b",
    re.IGNORECASE,
)
"""What a message may say before, or instead of, what it is about."""
_GREETING = re.compile(
    r"^\W*(?:hi|hello|hey|thanks|thank you|sure|yes|ok(?:ay)?|great|alright|good \w+)\b.{0,28}$", re.I
)


QUOTED = ("says", "question")
"""Forms of a request whose phrase is a quotation."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a user asked for.

    Attributes:
        form: "wants" (phrase follows "to"), "asks" (follows "asks me to"), "may" (follows "asks whether they can"),
            "likes" (a thing), "says" (a quotation), "question" (a quoted question).
        phrase: the words, with the user in the third person, or a quotation.
        others: whether the user spoke of "them" too, so that "their" need not be the user's.
        alone: whether the message asked for nothing else.
    """

    form: str
    phrase: str
    others: bool = False
    alone: bool = True


@dataclass(frozen=True, slots=True)
class UserWords:
    """One user message, read.

    Attributes:
        text: on one line.
        request: what it asks for or says, None if that is not clear.
        yes: whether it begins with a yes and takes nothing of it back.
        thanks: whether it thanks or takes leave, and asks for nothing.
    """

    text: str
    request: Request | None
    yes: bool
    thanks: bool


def read_user(text: str) -> UserWords:
    """Read a user's message; what is not understood is left out, not guessed."""
    recorded = text[:2000]
    text = plain(text.replace("\u2019", "'").replace("\n", " \n"))
    parts = [part.strip() for part in sentences(text)]
    found = [request for part in parts if (request := _request(part))]
    clear = [request for request in found if not _POINTING.search(request.phrase)]
    alone = len(found) == 1 and sum(_ASKS_MORE.search(part) is not None for part in parts) <= 1
    request = replace(clear[0], alone=alone) if clear else None
    return UserWords(text, request or _quoted(recorded), _agrees(text, parts), _only_thanks(text, parts))


def _agrees(text: str, parts: list[str]) -> bool:
    first = parts[0] if parts else ""
    agrees = _YES.match(first) or ("?" not in text and _SOFT_YES.match(first))
    return bool(agrees) and not _NO.search(text[:160])


def _only_thanks(text: str, parts: list[str]) -> bool:
    lowered = text.lower()
    if not any(cue in lowered for cue in _THANKS_CUES) or not _THANKS.search(text) or _ASKS_MORE.search(text):
        return False
    return not any(_ORDERS.match(part) for part in parts)


def without_they(phrase: str) -> str:
    """A request's words for a sentence that has not named the user yet: "their flight" becomes "the user's flight"."""
    return _THEY.sub(lambda match: _NAMED[match[0].lower()], phrase, count=1)


def _request(part: str) -> Request | None:
    if not part.endswith("?") and "?" in part:
        part = part[: part.index("?")]
    lowered = part.lower()
    for cue, pattern in _PATTERNS:
        match = pattern.search(part) if cue in lowered else None
        if match is None:
            continue
        if _UNDER.search(part, 0, match.start()):
            return None
        form, words = next(iter(match.groupdict().items()))
        phrase = third_person(words)
        if phrase is not None and len(phrase) >= 8 and " " in phrase and not _EMPTY.match(phrase):
            return Request(form, phrase, bool(_OTHERS.search(words)))
    return None


def third_person(words: str) -> str | None:
    """The user's words about themselves as words about the user; None where they speak of "you" or "us".

    What is too long ends with a clause, unless a condition would be lost with the rest.
    """
    whole = words.strip().rstrip(".!?, ")
    words = clause(_AND_SO.sub("", whole), LONGEST)
    rest = whole[len(words) :]
    in_list = "," in (words[-1:], rest[:1]) and not _NEW_CLAUSE.match(f", {rest.lstrip(', ')}")
    if _ONLY_IF.search(rest) or in_list or (rest and _ONLY_IF.search(words)):
        return None
    words = re.sub(r",? (?:then|please|pls|thanks|thank you)$", "", words, flags=re.IGNORECASE).rstrip(".!?, ")
    cut_off = words.endswith(("…", " no", " nr")) or words.count('"') % 2 or words.count("(") != words.count(")")
    if cut_off or _YOU.search(words):
        return None
    return _SHIFTED.sub(_shift, words)


def _shift(match: re.Match[str]) -> str:
    word = match[0].lower()
    return "they were" if word == "i was" else _SHIFT[word]


def _quoted(text: str) -> Request | None:
    """The message's first question, else its first statement, in the user's own words."""
    parts = [part.strip() for part in sentences(text)]
    folded = [(part, part.replace("\u2019", "'")) for part in parts]
    dull = (_GREETING, _BARE, _ASIDE, _TELLS_LITTLE)
    telling = [part for part, text in folded if len(text) >= 18 and not any(p.search(text) for p in dull)]
    if not telling:
        return None
    asked = next((part for part in telling if part.endswith("?")), telling[0])
    if _GIVES.search(asked):
        return None
    quoted = quote(asked)
    return Request("question" if quoted.endswith("?”") else "says", quoted)
