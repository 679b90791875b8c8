"""What a user's message says: what is asked for, in words that fit after "the user", and whether it is a yes."""

from __future__ import annotations

import re
from dataclasses import dataclass

from synth.replies import sentences
from synth.wording import clause, plain, quote

LONGEST = 80
"""Characters of a request taken over into a thought."""

_YES = re.compile(
    r"^\W*(?:yes|yeah|yep|yup|sure|ok(?:ay)?|correct|right|confirm(?:ed)?|i confirm|absolutely|definitely|of course"
    r"|go ahead|proceed|please (?:do|proceed|go ahead|confirm)|sounds good|that(?:'s| is| sounds| works)"
    r"|let's (?:do|go|proceed)|perfect|great|i(?:'d| would) like to (?:proceed|confirm|go ahead))\b",
    re.IGNORECASE,
)
_NO = re.compile(
    r"\b(?:no,|not|don't|do not|doesn't|didn't|isn't|wrong|instead|wait|rather|hold on|cancel that)\b", re.I
)
_THANKS = re.compile(r"\b(?:thanks|thank you|that's all|that is all|that will be all|goodbye|bye)\b", re.I)
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
_LIKES = re.compile(r"\bI(?:'d| would) (?:like|love|prefer) (?P<likes>(?:a|an|the|my|one|two|three) .+)", re.IGNORECASE)
_PATTERNS = ((" to ", _WANTS), (" you ", _ASKS), ("help me", _HELP), (" i ", _MAY), ("please ", _PLEASE), (" ", _LIKES))
"""(what a sentence must hold, pattern), in the order they are tried."""
_EMPTY = re.compile(
    r"^(?:(?:with|by|for|in|on|to)\b|\w+ (?:are|is|was|were)\b"
    r"|know\b.{0,8}$|proceed|go ahead|confirm|do (?:that|this|it|so)\b|that\b|it\b|be\b"
    r"|mention\b|ask\b.{0,14}$|help\b.{0,12}$|let\b|thank|say\b"
    r"|assist\b.{0,18}$|help (?:me|(?:me |them )?with (?:this|that|it|these|those))\b.{0,12}$|check that$)",
    re.IGNORECASE,
)
_SHIFT = {
    "i": "they", "i'm": "they're", "i've": "they've", "i'd": "they'd", "i'll": "they'll", "my": "their", "me": "them",
    "mine": "theirs", "myself": "themselves", "am": "are", "your": "our", "was": "was",
}  # fmt: skip
_SHIFTED = re.compile(r"\b(?:I was|I(?:'m|'ve|'d|'ll)|(?:I|my|me|mine|myself|am|your))\b(?!')", re.IGNORECASE)
_POINTING = re.compile(
    r"^(?!help them )\w+ (?:\w+ )?(?:it|this|that|them|these|those)\b(?! \w+ (?:is|are))", re.IGNORECASE
)
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
_GREETING = re.compile(
    r"^\W*(?:hi|hello|hey|thanks|thank you|sure|yes|ok(?:ay)?|great|alright|good \w+)\b.{0,28}$", re.I
)


@dataclass(frozen=True, slots=True)
class Request:
    """What a user asked for.

    Attributes:
        form: "wants" (phrase follows "to"), "asks" (follows "asks me to"), "may" (follows "asks whether they can"),
            "likes" (a thing), "says" (a quotation).
        phrase: the words, with the user in the third person, or a quotation.
    """

    form: str
    phrase: str


@dataclass(frozen=True, slots=True)
class UserWords:
    """One user message, read."""

    text: str
    request: Request | None
    yes: bool
    thanks: bool


def read_user(text: str) -> UserWords:
    """Read a user's message; what is not understood is left out, not guessed."""
    text = plain(text.replace("\u2019", "'").replace("\n", " \n"))
    parts = [part.strip() for part in sentences(text)]
    yes = bool(parts and _YES.match(parts[0])) and not _NO.search(text[:160])
    found = [request for part in parts if (request := _request(part))]
    clear = [request for request in found if not _POINTING.search(request.phrase)]
    request = clear[0] if clear else None
    return UserWords(text, request or _quoted(parts), yes, bool(_THANKS.search(text)))


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
        form, words = next(iter(match.groupdict().items()))
        phrase = third_person(words)
        if phrase is not None and len(phrase) >= 8 and not _EMPTY.match(phrase):
            return Request(form, phrase)
    return None


def third_person(words: str) -> str | None:
    """The user's words about themselves as words about the user; None where they speak of "you" or "us"."""
    words = clause(words.strip().rstrip(".!?, "), LONGEST)
    words = re.sub(r",? (?:please|thanks|thank you)$", "", words, flags=re.IGNORECASE).rstrip(".!?, ")
    if _YOU.search(words) or words.endswith("…") or words.count('"') % 2 or words.count("(") != words.count(")"):
        return None
    return _SHIFTED.sub(_shift, words)


def _shift(match: re.Match[str]) -> str:
    word = match[0].lower()
    return "they were" if word == "i was" else _SHIFT[word]


def _quoted(parts: list[str]) -> Request | None:
    telling = [part for part in parts if len(part) >= 18 and not _GREETING.match(part) and not _BARE.search(part)]
    if not telling:
        return None
    asked = next((part for part in telling if part.endswith("?")), telling[0])
    return None if _GIVES.search(asked) else Request("says", quote(asked))
