"""Words that give a thought away: speaking of what comes after the turn, or of the task of writing a thought."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

from curate.trajectory import ToolCall
from synth.names import tool_words

_END = re.compile(r"[.!?;\u3002](?=\s|$)| [\u2013\u2014-] |\n+")

_WORD = re.compile(r"\w+")

_SAYS = (
    r"(?:shows?|says?|reveals?|confirms?|proves?|makes?|settles?|tells|agrees?|accepts?|declines?|refuses?|rejects?"
    r"|replies|answers|admits?|insists|gives|takes|turns?|succeeds|fails|(?:is|was|gets|are) \w+ed)"
)
_MESSAGE = r"(?:messages?|turns?|repl(?:y|ies)|answers?|responses?|results?|observations?|outputs?|steps?)"
_CERTAIN = r"(?:that\b|an? (?:error|empty|match)|no\b|nothing|none|success|exactly|only|\d|the (?:error|right|same))"
_FORESIGHT = [
    re.compile(pattern)
    for pattern in (
        r"\bin (?:hindsight|retrospect)\b|\bwith hindsight\b",
        r"\b(?:as|what) (?:we|i|you)(?:'ll| will| shall| are about to| later| soon)\b[^.!?]{0,20}"
        r"\b(?:see|find|learn|discover)",
        r"\b(?:later(?: on)?|afterwards?|subsequently|eventually|ultimately|in the end)\b,?[^.!?]{0,30}?\b"
        + _SAYS.replace("s?", "s")
        + r"\b",
        r"\b(?:next|following|subsequent|later|coming|future) " + _MESSAGE + r"\b[^.!?]{0,30}?\b" + _SAYS + r"\b",
        r"\b(?:user|customer|they|he|she)(?:'ll| will| is going to| are going to) (?:\w+ )?"
        r"(?:reply|say|answer|respond|agree|accept|decline|refuse|reject|insist)\b",
        r"\b(?:user|customer|they|he|she) (?:then )?(?:ends? up|goes on to|will end up|eventually|ultimately)\b",
        r"\b(?:i|we) (?:already |now )?know (?:that )?(?:this|the|it|he|she|they)\b[^.!?]{0,40}"
        r"\b(?:will|succeeds|fails|works)\b",
        r"\bwill (?:\w+ )?(?:return|come back|show|reveal|give back|yield|respond)(?: with)? " + _CERTAIN,
        r"\bwill (?:turn out|prove)\b|\b(?:ends?|ended) up (?:failing|working|succeeding|being)\b"
        r"|\bproves? (?:me|us) right\b",
        r"\b(?:this|it) (?:will|is going to) (?:fail|succeed|work)\b",
    )
]
_CONDITIONAL = re.compile(r"\b(?:if|unless|otherwise|whether|until|once|should|might|may|could|would|first)\b")
_OUTCOME = (
    r"(?:returned|returns|came back|comes back|gave|gives|found|finds|showed|shows|confirmed|confirms|succeeded"
    r"|succeeds|failed|fails|worked|works|went through|goes through|was (?:successful|accepted|completed|done)"
    r"|is successful|reveal(?:s|ed)|produced|yielded)"
)
_THIS = re.compile(
    r"\b(?:this|the current|the present) (?:call|step|attempt|lookup|search|query|cancellation|booking|update"
    r"|change|refund|exchange|return|transfer)\b[^.!?,]{0,40}?\b" + _OUTCOME + r"\b"
    r"|\b(?:result|output|response|outcome) of this (?:call|step|attempt|lookup|search|query)\b[^.!?]{0,30}\b"
    + _OUTCOME
    + r"\b"
)
_ANY = re.compile(
    r"\b(?:result|output|response|search|lookup|call|tool|query|observation|database|system)s?\b[^.!?,]{0,30}?\b"
    + _OUTCOME + r"\b|\b(?:turns?|turned) out\b"
)  # fmt: skip
_AFTER = re.compile(r"[^.!?,;]{0,40}?\b(?<!\bi )(?<!\bwe )(?<!they )(?<!user )(?<!that )" + _OUTCOME + r"\b")

MAX_ASKED = 500
"""Characters of a call's arguments whose words are looked for behind the name of what it reads."""
_HAD = re.compile(
    r"\b(?:i (?:now )?have|i have (?:now )?(?:read|seen|got)|i see|stands? in|read in|listed in|given in|according to"
    r"|i found in|i know from)(?: that)? \Z"
)
_TELLS = re.compile(
    r"[^.!?;,]{0,12}\b(?:shows?|says?|lists?|reveals?|confirms?|came with|gave|i see|has|have|is|are)\b"
)

# Words without one of which none of the patterns can match; most thoughts have none, and that is told at once.
_FORESEEING = frozenset(
    "hindsight retrospect will well youll theyll ill itll userll later soon next following subsequent coming future "
    "afterward afterwards subsequently eventually ultimately end ends ended goes succeeds fails works prove "
    "proves".split()
)
_REPORTING = frozenset(
    "returned returns came comes gave gives found finds showed shows confirmed confirms succeeded succeeds failed "
    "fails worked works went goes successful accepted completed done reveals revealed produced yielded turns "
    "turned".split()
)

_THOUGHT = r"(?:thought|thoughts|thinking|reasoning|rationale|chain[- ]of[- ]thought|justification|inner monologue)"
_META = [
    re.compile(pattern)
    for pattern in (
        r"\b(?:as|i am|i'm|being) an? (?:ai|artificial intelligence|(?:large )?language model|llm)\b",
        r"\b(?:write|writing|generate|produce|provide|give|craft|come up with|here is|here's|here are) "
        r"(?:a|an|the|my|this|some) (?:\w+ ){0,2}?" + _THOUGHT + r"\b",
        _THOUGHT
        + r" (?:that leads?|leading|for (?:this|the) (?:turn|step|action|call)|trace|should|must|below|above)\b",
        r"\bthe (?:assistant|model|agent)(?:'s)? (?:\w+ )?(?:action|turn|call|response|reply|message|decides|chose"
        r"|calls|does next|says next|output)\b",
        r"\b(?:recorded|given|provided|target|expected|shown|gold|reference|annotated|actual) "
        r"(?:\w+ )?(?:action|turn|call|step|response|reply|tool call|output|trajectory)\b",
        r"\b(?:action|turn|call|step|response)s? (?:is what (?:has|is) )?to be (?:explained|justified)\b",
        r"\b(?:action|turn|call|step|response)s? (?:that |which )?(?:i|we) (?:must|have to|need to|should|am to) "
        r"(?:explain|justify)\b",
        r"^\W*(?:" + _THOUGHT + r"|analysis|explanation|answer)\s*:",
        r"^\W*(?:sure|certainly|of course|absolutely|okay|ok)[,!.] (?:here|i'll|i will|let me|this is)\b",
        r"\bwants? me to (?:write|generate|explain|produce) (?:a|the|my|this) (?:\w+ )?" + _THOUGHT,
    )
]
_META_TRIGGERS = frozenset(
    "ai artificial language llm write writing generate produce provide give craft come here heres thought thoughts "
    "thinking reasoning rationale chain justification monologue assistant assistants model models agent agents "
    "recorded given provided target expected shown gold reference annotated actual explained justified explain justify "
    "analysis explanation answer sure certainly course absolutely okay ok".split()
)
_META_SUBJECTS = frozenset(
    "ground trajectory trajectories transcript transcripts annotate annotated annotation annotations annotator "
    "annotators dataset datasets data training few prompt hidden teacher".split()
)
_META_WORDS = re.compile(
    r"\b(?:ground[- ]truth|trajector(?:y|ies)|transcripts?|annotat(?:e|ed|ions?|ors?)|data ?sets?"
    r"|training (?:data|example|sample)s?|few-shot|prompt|hidden|teacher)\b"
)


@dataclass(frozen=True, slots=True)
class Before:
    """What a turn may look back on.

    Attributes:
        names: of the tools that the turn calls; empty where it calls none.
        called: names of the tools with a result before the turn.
        fresh: calls of the turn that read and were not made in the same way before.
    """

    names: tuple[str, ...]
    called: Collection[str]
    fresh: Sequence[ToolCall] = ()


def hindsight(text: str, words: frozenset[str], before: Before) -> Iterator[str]:
    """The clauses of a thought (in lower case) that speak of what comes after its turn.

    Args:
        text: the thought.
        words: its words.
        before: what may be looked back on.

    Of results that stand before the turn anything may be said. A turn that calls a tool cannot know what that call
    gives, unless the same tool was called before.
    """
    text = text.replace("\u2019", "'")
    patterns: list[re.Pattern[str]] = []
    if not words.isdisjoint(_FORESEEING) or "s going to" in text or "are going to" in text:
        patterns += _FORESIGHT
    reporting = not words.isdisjoint(_REPORTING)
    if reporting and before.names:
        patterns.append(_THIS)
    if reporting and not before.called:
        patterns.append(_ANY)
    for pattern in patterns:
        for found in pattern.finditer(text):
            if not _CONDITIONAL.search(text, *_sentence(text, found)):
                yield found[0]
    if reporting:
        yield from _of_calls(text, before)
    yield from _held(text, before.fresh)


def _held(text: str, calls: Sequence[ToolCall]) -> Iterator[str]:
    """Where a thought speaks of what a call asks for as if it was there: "I now have the order details for W1"."""
    for call in calls:
        thing = tool_words(call["name"]).thing.lower()
        at = text.find(thing) if " " in thing.removeprefix("the ") else -1
        while at >= 0:
            end = at + len(thing)
            value = _asked(text, end, call)
            had = value and (_HAD.search(text, max(0, at - 24), at) or _TELLS.match(text, value.end()))
            if value and had and not _CONDITIONAL.search(text, *_sentence(text, value)):
                yield text[max(0, at - 24) : value.end()]
            at = text.find(thing, end)


def _asked(text: str, at: int, call: ToolCall) -> re.Match[str] | None:
    """The first of the next few words that the call asks for."""
    asked = set(_WORD.findall(call["arguments"][:MAX_ASKED].lower()))
    for number, word in enumerate(_WORD.finditer(text, at, at + 80)):
        if number == 4 or (number == 0 and word[0] not in ("for", "of", "on", "about")):
            return None
        if len(word[0]) > 3 and word[0] in asked:
            return word
    return None


def _sentence(text: str, found: re.Match[str]) -> tuple[int, int]:
    """Where the sentence, or the clause, around a match begins and ends, at most 200 characters to either side."""
    near = max(0, found.start() - 200)
    start = max((end.end() for end in _END.finditer(text, near, found.start())), default=near)
    end = _END.search(text, found.end(), found.end() + 200)
    return start, end.start() if end else found.end() + 200


def _of_calls(text: str, before: Before) -> Iterator[str]:
    """Words about the outcome of a called tool, right behind its name or its plain words."""
    for name in before.names:
        if name in before.called:
            continue
        plain = tool_words(name).action.lower()
        known = plain in (tool_words(called).action.lower() for called in before.called)
        for said in (name.lower(),) if known else (name.lower(), plain):
            at = text.find(said)
            while at >= 0:
                found = _AFTER.match(text, at + len(said))
                if found and not _CONDITIONAL.search(text, *_sentence(text, found)):
                    yield said + found[0]
                at = text.find(said, at + len(said))


def meta_talk(text: str, words: frozenset[str], visible: Callable[[str], bool]) -> Iterator[str]:
    """The places of a thought (in lower case) that speak of models, data or of writing a thought.

    Args:
        text: the thought.
        words: its words.
        visible: whether the dialogue itself uses a word; a prompt or a teacher may be what it is about.
    """
    if not words.isdisjoint(_META_TRIGGERS):
        text = text.replace("\u2019", "'")
        for pattern in _META:
            found = pattern.search(text)
            if found:
                yield found[0]
    if words.isdisjoint(_META_SUBJECTS):
        return
    for found in _META_WORDS.finditer(text):
        if not all(map(visible, _WORD.findall(found[0]))):
            yield found[0]
