"""Clauses on why a turn comes now: what the user asked for or confirmed, what failed, what changed since."""

from __future__ import annotations

import re
from typing import Any

from curate.env import name_words
from synth.names import field_words, listed, tool_words
from synth.replies import questions, seeks_yes, sentences, without_courtesies
from synth.requests import QUOTED, Request, without_they
from synth.story import Step, Story
from synth.teachers.findings import failure_text, learnt
from synth.value_forms import facts_in, leaves
from synth.wording import Voice, quote, shown

_HUMAN = re.compile(
    r"\b(?:human|(?:live|real|service) (?:agent|person)|an agent|representative|supervisor|manager|operator"
    r"|(?:speak|talk) (?:to|with) (?:a |some)?(?:person|one|body|someone|somebody))\b",
    re.IGNORECASE,
)
SHORT_ANSWER = 60
"""Characters of a quotation that may be no more than the answer to a question."""
_WISHES = re.compile(r"\b(?:want|like|need|prefer|please|rather|cancel|change|return)\b", re.IGNORECASE)
_NOT = re.compile(r"\b(?:not|no|never|without)\b|n't\b", re.IGNORECASE)

_PRONOUN = re.compile(r"\b(?:they|they'\w+|themselves|theirs)\b", re.IGNORECASE)

_ASKING = {
    "wants": (
        "the user wants to {p}",
        "the user would like to {p}",
        "the user hopes to {p}",
        "the user says they want to {p}",
        "the user's wish is to {p}",
        "the user tells me they want to {p}",
    ),
    "asks": (
        "the user asks me to {p}",
        "I have been asked to {p}",
        "the user would like me to {p}",
        "the user wants me to {p}",
        "the user's request is to {p}",
    ),
    "may": (
        "the user asks whether they can {p}",
        "the user's question is whether they can {p}",
        "the user wonders if they can {p}",
        "the user would like to know whether they can {p}",
    ),
    "likes": (
        "the user would like {p}",
        "the user wants {p}",
        "the user says they would like {p}",
    ),
    "says": (
        "the user says {p}",
        "the user writes {p}",
        "the user tells me {p}",
        "the user's words are {p}",
        "the user wrote {p}",
    ),
    "question": (
        "the user asks {p}",
        "the user's question is {p}",
        "I am asked {p}",
    ),
}


_EARLIER = {
    "wants": (
        "earlier the user wanted to {p}",
        "the user had told me they want to {p}",
        "the user had said they want to {p}",
    ),
    "asks": (
        "earlier the user asked me to {p}",
        "the user had asked me to {p}",
        "the user's earlier request was to {p}",
    ),
    "may": ("earlier the user asked whether they can {p}", "the user had asked whether they can {p}"),
    "likes": ("earlier the user wanted {p}", "the user had said they would like {p}"),
    "says": ("earlier the user said {p}", "the user had said {p}"),
    "question": ("earlier the user asked {p}", "the user had asked {p}"),
}
"""The same for a request that is some messages old, and may have been met or dropped since."""

_OPENING = {
    **_ASKING,
    "wants": (*_ASKING["wants"], "the user came here to {p}", "we are here because the user wants to {p}"),
    "asks": (*_ASKING["asks"], "the request is that I {p}"),
}
"""The same for the message that the conversation began with."""


def asked_for(story: Story, voice: Voice) -> str:
    """A clause with what the user asked for: in the last message if it says so, else before; "" if nothing is known."""
    said = story.user.request if story.user is not None else None
    if story.request is None:
        heard = story.user.text if story.user is not None else ""
        return _clause(_ASKING, Request("says", quote(heard)), voice) if len(heard) > 3 else ""
    # What has been done since the user asked may have met the request.
    old = story.request_age > 0 or story.wrote
    yes = story.user is not None and story.user.yes and seeks_yes(questions(without_courtesies(story.asked)))
    if old and not (story.wrote or yes) and said is not None and not _answers(said, story):
        return _clause(_ASKING, said, voice)
    first = _OPENING if story.first_request else _ASKING
    return _clause(_EARLIER if old else first, story.request, voice)


def _answers(said: Request, story: Story) -> bool:
    """Whether the user's words only answer what I had asked: they are few and ask for nothing."""
    if said.form != "says" or len(said.phrase) > SHORT_ANSWER or _WISHES.search(said.phrase):
        return False
    return bool(questions(without_courtesies(story.asked)))


def _clause(patterns: dict[str, tuple[str, ...]], request: Request, voice: Voice) -> str:
    form, phrase = request.form, request.phrase
    options = patterns[form]
    if form in QUOTED:
        return voice.pick(options).replace("{p}", phrase)
    if request.others or _PRONOUN.search(phrase):
        options = tuple(option for option in options if "user" in option)
    pattern = voice.pick(options)
    return pattern.replace("{p}", phrase if "user" in pattern else without_they(phrase))


def confirmed(story: Story, name: str, about: Any) -> bool:
    """Whether the user's last message is a yes to a question that spoke of this call, by its words or its id."""
    if story.user is None or not story.user.yes or not seeks_yes(questions(without_courtesies(story.asked))):
        return False
    asked, said = story.asked.lower(), str(about).lower()
    if said in asked:
        return True
    # Another id of the same form was asked about: the yes was not for this one.
    if any(c.isdigit() for c in said) and _form(said) in map(_form, facts_in(story.asked)):
        return False
    return any(word[:5] in asked for word in name_words(name) if len(word) > 3)


def _form(value: str) -> str:
    """An id with its letters and digits made equal: `o-58640` and `o-58604` have one form."""
    return re.sub(r"[a-z]", "a", re.sub(r"\d", "0", value.lower().lstrip("#")))


def go_ahead(story: Story, voice: Voice) -> str:
    """A clause on the user's yes: that there was one, not that every detail of the call was in the question."""
    return voice.pick(
        (
            "the user has answered my question with a yes",
            "the user said yes to my question",
            "I have the user's yes",
            "the user agreed when I asked",
            "my question for confirmation got a yes",
            "the user confirmed when I asked",
        )
    )


def wants_human(story: Story) -> bool:
    """Whether the user asked for a person, or said yes to the offer of one."""
    if story.user is None:
        return False
    if any(_HUMAN.search(part) and not _NOT.search(part) for part in sentences(story.user.text)):
        return True
    return story.user.yes and any(_HUMAN.search(part) for part in questions(story.asked))


def failed_before(step: Step, voice: Voice) -> str:
    """A clause on a call that has just failed."""
    error, action = failure_text(step), tool_words(step.name).action
    return voice.pick(
        (
            f"my attempt to {action} failed with {error}",
            f"the last call, meant to {action}, was refused: {error}",
            f"trying to {action} only got me {error}",
            f"{error} is the error I got when I tried to {action}",
            f"that did not work, the error being {error}",
            f"I could not {action}; the error says {error}",
        )
    )


def latest(body: str, story: Story, voice: Voice) -> str:
    """A clause on the last call of this turn, whether it failed or gave something that the reply may rest on."""
    last = story.last_step
    if last is None:
        return ""
    return failed_before(last, voice) if last.failed else learnt(last, story, voice, body)


def changed_since(old: dict[str, Any], new: dict[str, Any], voice: Voice) -> str:
    """What is different from the failed call of the same tool, as a clause that follows "so"."""
    before, after = dict(leaves(old)), dict(leaves(new))
    changed = [path for path, value in after.items() if path in before and before[path] != value]
    added = [path for path in after if path not in before]
    dropped = [path for path in before if path not in after]
    if not (changed or added or dropped):
        return voice.pick(("I try the same call once more", "I repeat the call as it was"))
    if len(changed) == 1 and not added and not dropped:
        field = field_words(_name(changed[0]))
        was, now = shown(before[changed[0]]), shown(after[changed[0]])
        return voice.pick(
            (
                f"I try again with {field} {now} instead of {was}",
                f"this time {field} is {now}, not {was}",
                f"I replace {field} {was} by {now}",
            )
        )
    fields = list(dict.fromkeys(field_words(_name(path)) for path in (changed or added or dropped)))
    verb = "change" if changed else "add" if added else "leave out"
    if len(fields) > 3:
        return voice.pick((f"I {verb} several of the details and try again", "I try again with different details"))
    return voice.pick(
        (f"I {verb} the {listed(fields)} and try again", f"for the next try I {verb} the {listed(fields)}")
    )


def _name(path: tuple[str | int, ...]) -> str:
    return next((step for step in reversed(path) if isinstance(step, str)), "value")
