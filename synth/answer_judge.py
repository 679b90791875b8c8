"""R_answer without a model: does an answer hold what it must say? The offline judge of rollouts and of new data.

What must be said are the facts that the task names, else the values (numbers, codes, dates) of the reference answer;
without either, the words that both answers share. An answer that talks about how to answer is worth 0, as in the paper
(arXiv 2606.14179).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from curate.canonical import json_object
from curate.sandbox.checking import has_fact
from curate.trajectory import Trajectory
from synth.checks.words import words_of

# Talk about the answer instead of the answer: of a person's words none begins so.
_META = re.compile(
    r"(?:^|[.!?\n]\s*)(?:"
    r"(?:okay|ok|alright|so|now|hmm|wait|first)?[,.]?\s*(?:the user (?:is|wants|asks|asked|needs|said)"
    r"|i (?:should|need to|must|have to|will) (?:respond|answer|reply|(?:tell|inform) the user|explain to the user)"
    r"|let me (?:think|craft|draft|formulate|write) "
    r"|my (?:final )?(?:answer|response|reply) (?:should|will|must|is going to)"
    r"|(?:the|a) (?:final )?(?:answer|response|reply) (?:should|must) "
    r"|i(?:'ll| will| am going to|'m going to) (?:craft|draft|formulate|structure) (?:a|an|my|the)"
    r" (?:answer|response|reply)))",
    re.IGNORECASE,
)
_VALUE = re.compile(r"[^\W_]*\d[^\W_]*")


def is_meta_reasoning(answer: str) -> bool:
    """Whether an answer talks about how to answer instead of answering."""
    return _META.search(answer[:20_000]) is not None


def answer_score(answer: str, facts: Sequence[str] = (), reference: str = "") -> float:
    """How much of what must be said an answer says, 0 to 1.

    Args:
        answer: what the user is told.
        facts: what must be said; `a|b` means either (`curate.sandbox.checking.has_fact`).
        reference: a good answer; used where there are no facts.
    """
    if not answer.strip() or is_meta_reasoning(answer):
        return 0.0
    if facts:
        return sum(has_fact(answer, fact) for fact in facts) / len(facts)
    said, wanted = Counter(words_of(answer)), Counter(words_of(reference))
    if not wanted:
        return 1.0
    values = {word for word in wanted if _VALUE.fullmatch(word)}
    if values:
        return sum(word in said for word in values) / len(values)
    shared = (said & wanted).total()
    return 2 * shared / (said.total() + wanted.total())


def required_facts(row: Trajectory) -> tuple[str, ...]:
    """What the source says an answer must hold (`required_facts` of its metadata); empty where it says nothing."""
    facts = (json_object(row["metadata"]) or {}).get("required_facts")
    return tuple(fact for fact in facts if isinstance(fact, str)) if isinstance(facts, list) else ()
