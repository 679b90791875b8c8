"""Whether a thought leads to its turn's action: it speaks of the call that is made; before a text it announces none."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

from curate.canonical import parse_arguments
from curate.env import READ_VERBS, WRITE_VERBS, EnvRules, name_words, tool_kind
from curate.normal_words import values_of
from curate.trajectory import ToolCall
from synth.checks.values import ThoughtText
from synth.checks.words import words_of
from synth.names import singular

MAX_CALLS = 20
"""Calls of one turn that are looked at."""
MAX_ARGUMENTS = 60
"""Argument values of one call that are looked for."""

_COMMON = frozenset(
    "user users agent agents get all id ids info details detail list data by name new the to of".split()
)
"""Words that a thought may hold whatever it leads to."""
_SYNONYMS = (
    "modify change update edit switch alter upgrade downgrade set correct adjust replace move",
    "cancel cancellation drop call-off",
    "return refund bring-back send-back",
    "exchange swap replace trade",
    "book reserve reservation",
    "transfer hand handoff escalate human pass forward",
    "send issue give grant compensate certificate",
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
_USE = re.compile(
    r"\b(?:call|calling|use|using|invoke|invoking|run|running|query|querying|execute|executing|try|trying)"
    r" (?:the |a |an )?(?:tool |function |api )?[`'\"\u201c]?([a-z][a-z0-9]{0,40}(?:[_\-.][a-z0-9]{1,40}){1,12})"
)
_ANNOUNCED = re.compile(
    r"\b(?:i'll|i will|i shall|i'm going to|i am going to|i'm|i am|let me|let's|i need to|i should|i must|now i|next i"
    r"|i now|i next|time to|i can now|i go ahead and|then i)\b[^.!?;]{0,20}?\b(?:call|calling|use|using|invoke|invoking"
    r"|run|running|query|querying|execute|executing)\b (?:to )?(?:the |a |an )?([^.!?;]{0,60})"
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
    wrong = next((name for name in _used(thought) if name in tools and name not in names), None)
    if wrong is not None:
        return f"uses {wrong}, the turn calls {calls[0]['name']}"
    if any(_speaks_of(thought, call, rules) for call in calls):
        return None
    return f"says nothing of {calls[0]['name']}"


def text_fit(thought: ThoughtText, tools: frozenset[str]) -> str | None:
    """What is wrong with a thought before a text: it announces a call that the turn does not make."""
    text = thought.lower.replace("\u2019", "'")
    for found in _USE.finditer(text):
        if found[1] in tools and not _later(text, found.start()):
            return found[0]
    for found in _ANNOUNCED.finditer(text):
        if _MACHINERY.search(found[1]) and not _later(text, found.start()):
            return found[0]
    return None


def _counts(name: str) -> bool:
    """Whether a tool without a world computes, which a thought can speak of; think tools do not."""
    return name_words(name)[-1:] != ("think",) and name_words(name)[-1:] != ("thinking",)


def _later(text: str, at: int) -> bool:
    """Whether what stands there is put off, or ruled out, by its own sentence."""
    start = max(text.rfind(mark, max(0, at - 200), at) for mark in ".!?\n")
    return _LATER.search(text, max(start, at - 200, 0), at + 80) is not None


def _used(thought: ThoughtText) -> Iterator[str]:
    for found in _USE.finditer(thought.lower):
        yield found[1]


def _speaks_of(thought: ThoughtText, call: ToolCall, rules: EnvRules) -> bool:
    verbs, topics = _said_of(call["name"])
    words = _stems(thought.words)
    acts = not verbs.isdisjoint(words)
    about = not topics.isdisjoint(words)
    if acts and (about or not topics):
        return True
    writes = tool_kind(call["name"], rules)[0] in ("write", "terminal") and bool(verbs)
    if _has_value(thought, call):
        return acts or not writes or not (_other_acts(words, verbs) and not about)
    return about if not writes else acts


def _other_acts(words: frozenset[str], verbs: frozenset[str]) -> bool:
    """Whether the thought decides for another change."""
    return not (words & _CHANGES - verbs).isdisjoint(words)


_CHANGES = frozenset("cancel modify exchange return refund book upgrade update transfer".split())


def _has_value(thought: ThoughtText, call: ToolCall) -> bool:
    arguments, _ = parse_arguments(call["arguments"])
    for value in values_of(arguments or {})[:MAX_ARGUMENTS]:
        words = words_of(value[:200])
        if words and (len(value) > 2 or value.isdigit()) and thought.word_set.issuperset(words):
            return True
    return False


@lru_cache(maxsize=4096)
def _said_of(name: str) -> tuple[frozenset[str], frozenset[str]]:
    """(words for what a tool does, words for what it does it with), in the singular, with their synonyms."""
    words = [singular(word) for word in name_words(name)]
    verbs = {word for word in words if word in READ_VERBS | WRITE_VERBS}
    if not verbs and words:
        verbs = {words[0]}
    reading = not verbs.isdisjoint(READ_VERBS)
    topics = {word for word in words if word not in verbs and word not in _COMMON}
    topics = topics or {word for word in words if word not in verbs and word in ("user", "agent")}
    more = _with_synonyms(verbs)
    return (more | _READING if reading else more), _with_synonyms(topics)


_READING = frozenset(
    "look lookup check find search get retrieve pull fetch read see view show list open identify verify confirm turn "
    "go learn know load examine review inspect query next need locate figure last".split()
)


def _with_synonyms(words: set[str]) -> frozenset[str]:
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
