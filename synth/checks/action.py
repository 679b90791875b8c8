"""Whether a thought leads to its turn's action: it speaks of the call that is made; before a text it announces none."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from curate.canonical import parse_arguments
from curate.env import READ_VERBS, WRITE_VERBS, EnvRules, name_words, tool_kind
from curate.normal_words import values_of
from curate.trajectory import ToolCall
from synth.checks.values import ThoughtText
from synth.checks.words import words_of
from synth.names import singular, tool_words

MAX_CALLS = 20
"""Calls of one turn that are looked at."""
FEW_TOOLS = 64
"""Tools up to which each name is looked for before the thought is taken apart."""
MAX_ARGUMENTS = 60
"""Argument values of one call that are looked for."""

_COMMON = frozenset(
    "user users agent agents get all id ids info details detail list data by name new the to of".split()
)
"""Words that a thought may hold whatever it leads to."""
_SYNONYMS = (
    "modify change update edit switch alter upgrade downgrade adjust replace",
    "cancel cancellation drop call-off",
    "return refund bring-back send-back",
    "exchange swap replace trade",
    "book reserve reservation",
    "transfer handoff escalate human",
    "send grant compensate certificate",
    "search find lookup look locate option options available availability",
    "calculate compute total sum add math amount figure price cost difference",
    "user customer client profile account identify identity authenticate verify",
    "order purchase",
    "flight flights seat",
    "reservation booking trip",
    "product item variant option",
    "payment pay charge card",
    "address ship shipping street",
    "baggage bag bags luggage suitcase",
    "passenger traveler traveller",
    "think thought consider",
)
_NAME = re.compile(r"[a-z][a-z0-9]*(?:[_\-.][a-z0-9]+)*")
_TO_USE = re.compile(
    r"(?:call|use|invoke|run|query|execute|try|calling|using|invoking|running|querying|executing|trying)(?: to)?"
    r"(?: the| a| an)?(?: tool| function| api)?[ `'\"\u201c]{1,3}\Z"
)
_ANNOUNCED = re.compile(
    r"\b(?:i'll|i will|i shall|i'm going to|i am going to|i'm|i am|let me|let's|i need to|i should|i must|now i|next i"
    r"|i now|i next|time to|i can now|then i|i)\b[^.!?;]{0,20}?\b(?:call|calling|use|using|invoke|invoking"
    r"|run|running|query|querying|execute|executing)\b (?:to )?(?:the |a |an )?([^.!?;]{0,60})"
)
_BACKWARD = re.compile(
    r"\b(?:earlier|already|before|previous(?:ly)?|last|so far|result|output|was|were|had|has|have|did|from|gave|given"
    r"|returned|showed|shows|shown|says|said|told|found|failed|called|used|tried|ran|lists|listed"
    r"|instead of|rather than)\b"
)
_MACHINERY = re.compile(r"\b(?:tool|function|api|database)\b")
_LATER = re.compile(r"\b(?:once|after|afterwards|when|before|until|if|unless|then|cannot|can't|not|no|without|later)\b")


def call_fit(thought: ThoughtText, calls: Sequence[ToolCall], tools: frozenset[str], rules: EnvRules) -> str | None:
    """What is wrong with a thought before calls: it speaks of none of them, or decides for another tool.

    Args:
        thought: the thought.
        calls: of its turn; thoughts before calls of think tools alone are free.
        tools: names of all tools.
        rules: of the env.
    """
    calls = [call for call in calls[:MAX_CALLS] if tool_kind(call["name"], rules)[0] != "pure" or _counts(call["name"])]
    if not calls:
        return None
    names = {call["name"].lower() for call in calls}
    if any(name in thought.lower for name in names):
        return None
    wrong = next((name for name in _decided_for(thought.lower, tools) if name not in names), None)
    if wrong is not None:
        return f"uses {wrong}, the turn calls {calls[0]['name']}"
    if any(_speaks_of(thought, call, rules) for call in calls):
        return None
    return f"says nothing of {calls[0]['name']}"


def text_fit(thought: ThoughtText, tools: frozenset[str]) -> str | None:
    """What is wrong with a thought before a text: it announces a call that the turn does not make."""
    text = thought.lower.replace("\u2019", "'")
    named = next(_decided_for(text, tools), None)
    if named is not None:
        return f"announces a call of {named}"
    for found in _ANNOUNCED.finditer(text):
        if _MACHINERY.search(found[1]) and not _later(text, found.start()):
            return found[0]
    return None


def _counts(name: str) -> bool:
    """Whether a tool without a world computes, which a thought can speak of; think tools do not."""
    return name_words(name)[-1:] != ("think",) and name_words(name)[-1:] != ("thinking",)


def _later(text: str, at: int) -> bool:
    """Whether what stands there is put off, or ruled out, by its own sentence."""
    start, end = _sentence(text, at)
    return _LATER.search(text, start, end) is not None


def _sentence(text: str, at: int) -> tuple[int, int]:
    """Where the sentence around a place begins and ends, at most 200 characters to either side."""
    start = max(text.rfind(mark, max(0, at - 200), at) for mark in (". ", "! ", "? ", "\n"))
    ends = [end for mark in (". ", "! ", "? ", "\n") if (end := text.find(mark, at, at + 200)) >= 0]
    return max(start, at - 200, 0), min(ends, default=at + 200)


def _decided_for(text: str, tools: frozenset[str]) -> Iterator[str]:
    """Names of tools that a thought (in lower case) decides to call: named, and not as something of the past.

    A name of one plain word ("think") counts only behind "call", "use" and the like.
    """
    if len(tools) <= FEW_TOOLS and not any(name in text for name in tools):
        return
    for found in _NAME.finditer(text):
        name = found[0]
        if name not in tools or (
            name.isalpha() and not _TO_USE.search(text, max(0, found.start() - 40), found.start())
        ):
            continue
        start, end = _sentence(text, found.start())
        if not (_BACKWARD.search(text, start, end) or _LATER.search(text, start, end)):
            yield name


def _speaks_of(thought: ThoughtText, call: ToolCall, rules: EnvRules) -> bool:
    said = _said_of(call["name"])
    if any(phrase in thought.lower for phrase in said.phrases):
        return True
    words = _stems(thought.words)
    own, acts, about = (not some.isdisjoint(words) for some in (said.verbs, said.acts, said.topics))
    if acts and (about or own or not said.topics):
        return True
    if tool_kind(call["name"], rules)[0] in ("read", "pure"):
        return about or _has_value(thought, call)
    if _other_acts(words, said.acts):
        return False
    return about or own or (acts and _has_value(thought, call))


def _other_acts(words: frozenset[str], verbs: frozenset[str]) -> bool:
    """Whether the thought decides for another change."""
    return not (words & _CHANGES - verbs).isdisjoint(words)


_CHANGES = frozenset("cancel modify exchange return refund book upgrade update transfer".split())


def _has_value(thought: ThoughtText, call: ToolCall) -> bool:
    arguments, _ = parse_arguments(call["arguments"])
    for value in values_of(arguments or {})[:MAX_ARGUMENTS]:
        words = words_of(value[:200])
        if words and len(value) > 2 and value.lower() not in _TRIVIAL and thought.word_set.issuperset(words):
            return True
    return False


@dataclass(frozen=True, slots=True)
class _Said:
    """How a tool's call may be spoken of.

    Attributes:
        phrases: plain words of the name, in a row.
        verbs: the name's own verbs.
        acts: these and others for the same.
        topics: words for what it is about.
    """

    phrases: tuple[str, ...]
    verbs: frozenset[str]
    acts: frozenset[str]
    topics: frozenset[str]


@lru_cache(maxsize=4096)
def _said_of(name: str) -> _Said:
    words = [singular(word) for word in name_words(name)]
    at = next((at for at, word in enumerate(words) if word in READ_VERBS | WRITE_VERBS), 0)
    verbs = frozenset(words[at : at + 1])
    topics = {word for word in words if word not in verbs and word not in _COMMON}
    topics = topics or {word for word in words if word not in verbs and word in ("user", "agent")}
    acts = _with_synonyms(verbs)
    plain = tool_words(name)
    things = (plain.thing,) if " " in plain.thing.removeprefix("the ") else ()
    return _Said(
        (plain.action.lower(), *things),
        verbs,
        acts if verbs.isdisjoint(READ_VERBS) else acts | _READING,
        _with_synonyms(topics),
    )


_TRIVIAL = ("yes", "none", "null", "true", "false", "all", "any")
_READING = frozenset(
    "look lookup check find search get retrieve pull fetch read see view show list open identify verify confirm learn "
    "load examine review inspect query locate".split()
)


def _with_synonyms(words: AbstractSet[str]) -> frozenset[str]:
    more = set(words)
    for group in _GROUPS:
        if not group.isdisjoint(words):
            more |= group
    return frozenset(more)


_GROUPS = [frozenset(singular(word) for word in group.split()) for group in _SYNONYMS]


def _stems(words: Sequence[str]) -> frozenset[str]:
    """Words as they are, in the singular, and without the endings of verbs."""
    stems: set[str] = set()
    for word in words:
        stems.add(word)
        stems.add(singular(word))
        for ending in ("ing", "ed", "es", "d", "lation", "ation"):
            if len(word) > len(ending) + 2 and word.endswith(ending):
                stem = word[: -len(ending)]
                stems.update((stem, f"{stem}e", stem[:-1] if stem[-1:] == stem[-2:-1] else stem))
    return frozenset(stems)


def tool_names(tools: Any) -> frozenset[str]:
    """The names of a row's tools in lower case; what is no list of tools has none."""
    names = set()
    for tool in tools if isinstance(tools, list) else ():
        inner = tool.get("function") if isinstance(tool, dict) else None
        name = (inner if isinstance(inner, dict) else tool if isinstance(tool, dict) else {}).get("name")
        if isinstance(name, str):
            names.add(name.lower())
    return frozenset(names)
