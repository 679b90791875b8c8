"""Plain words from identifiers: `get_order_details` becomes "the order details", `user_id` becomes "user id"."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from curate.env import READ_VERBS, WRITE_VERBS, name_words
from synth.wording import plain

_PREPOSITIONS = frozenset("by for with from in to of at on into about as via using".split())
_NO_ARTICLE = frozenset("all any each every my your our some".split())
_LOOKING = frozenset("search query browse look check".split())
_FIGURING = ("calculate", "compute")
_OTHER_VERBS = frozenset(
    "calculate compute think convert translate generate call ask answer wait parse load save".split()
)
_VERB_PHRASES = {"search": "search for", "query": "query", "look": "look up", "lookup": "look up", "login": "log in to"}
_GENERIC = frozenset("id ids number code name value type new old list data key item the of to in".split())


@dataclass(frozen=True, slots=True)
class ToolWords:
    """A tool's name in plain words.

    Attributes:
        verb: first known verb of the name, "" if it has none.
        action: infinitive phrase, e.g. "cancel the pending order".
        thing: what it is about, with its article, e.g. "the order details"; "" if the name does not say.
        place: how its result is spoken of, e.g. "my search for direct flights".
    """

    verb: str
    action: str
    thing: str
    place: str


@lru_cache(maxsize=4096)
def tool_words(name: str) -> ToolWords:
    """The plain words of a tool's name; a name without a known verb is used as it stands."""
    words = name_words(name)
    verbs = READ_VERBS | WRITE_VERBS | _OTHER_VERBS
    at = next((i for i, word in enumerate(words) if word in verbs), None)
    if at is None:
        said = plain(name) or "this tool"
        return ToolWords("", f"use {said}", "", f"what {said} gave")
    verb = words[at]
    rest = words[at + 1 :] or (words[:at] if at == len(words) - 1 else ())
    cut = next((i for i, word in enumerate(rest) if word in _PREPOSITIONS), len(rest))
    head, tail = list(rest[:cut]), list(rest[cut:])
    spoken = _VERB_PHRASES.get(verb, verb)
    if not head:
        place = "my calculation" if verb in _FIGURING else f"what {plain(name)} gave"
        return ToolWords(verb, " ".join([spoken, *tail]), "", place)
    if verb in _LOOKING and not head[-1].endswith("s"):
        head[-1] += "s"
    article = [] if verb in _LOOKING or head[0] in _NO_ARTICLE else ["the"]
    thing = " ".join([*article, *head])
    kept_tail = [] if tail[:1] == ["by"] else tail
    looked = "my search for" if verb in _LOOKING else "the list of"
    record = f"{thing} record" if len(head) == 1 and singular(head[0]) == head[0] else thing
    place = record if article else f"{looked} {thing}"
    return ToolWords(verb, " ".join([spoken, thing, *kept_tail]), thing, place)


@lru_cache(maxsize=4096)
def field_words(name: str) -> str:
    """A field's name as words: `payment_method_id` -> "payment method id"."""
    return " ".join(name_words(name)) or plain(name)


@lru_cache(maxsize=16384)
def topic_words(name: str) -> frozenset[str]:
    """The words of an identifier that say what it is about, in the singular, without generic ones such as "id"."""
    return frozenset(singular(word) for word in name_words(name) if word not in _GENERIC and not word.isdigit())


def singular(word: str) -> str:
    """A rough singular, enough to see that `reservations` and `reservation_id` speak of the same."""
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if (len(word) > 3 or word == "ids") and word.endswith("s") and not word.endswith(("ss", "us")):
        return word[:-1]
    return word


def listed(parts: list[str], joint: str = "and") -> str:
    """Parts as an English list: "a", "a and b", "a, b and c"."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} {joint} {parts[-1]}" if parts else ""
