"""Clauses on why a turn comes now: what the user asked for or confirmed, what failed, what changed since."""

from __future__ import annotations

import re
from typing import Any

from synth.names import field_words, listed, tool_words
from synth.provenance import leaves
from synth.replies import asks_go_ahead
from synth.requests import Request, without_they
from synth.story import Step, Story
from synth.teachers.findings import failure_text
from synth.wording import Voice, quote, shown

_HUMAN = re.compile(r"\b(?:human|agent|representative|person|supervisor|manager|operator)\b", re.IGNORECASE)

_PRONOUN = re.compile(r"\b(?:they|they'\w+|themselves|theirs)\b", re.IGNORECASE)

_ASKING = {
    "wants": (
        "the user wants to {p}",
        "the user would like to {p}",
        "what the user wants is to {p}",
        "the user hopes to {p}",
        "the request is to {p}",
        "the goal on the user's side is to {p}",
        "the user came here to {p}",
        "we are here because the user wants to {p}",
    ),
    "asks": (
        "the user asks me to {p}",
        "I have been asked to {p}",
        "the user would like me to {p}",
        "my task now is to {p}",
        "the request is that I {p}",
        "the user's request is to {p}",
    ),
    "may": (
        "the user asks whether they can {p}",
        "the open question is whether the user can {p}",
        "the user wonders if they can {p}",
        "I have to find out whether the user can {p}",
    ),
    "likes": (
        "the user would like {p}",
        "the user is asking for {p}",
        "what the user wants is {p}",
        "the wish here is {p}",
    ),
    "says": (
        "the user says {p}",
        "the user writes {p}",
        "{p} is what the user tells me",
        "the user's words are {p}",
        "I read {p} from the user",
    ),
    "question": (
        "the user asks {p}",
        "the question is {p}",
        "{p} is what the user wants to know",
        "I am asked {p}",
        "the user's question is {p}",
    ),
}


_EARLIER = {
    "wants": (
        "earlier the user wanted to {p}",
        "the user came with the wish to {p}",
        "the user had said they want to {p}",
    ),
    "asks": (
        "earlier the user asked me to {p}",
        "the user had asked me to {p}",
        "the user's earlier request was to {p}",
    ),
    "may": ("earlier the user asked whether they can {p}", "the user had asked whether they can {p}"),
    "likes": ("earlier the user asked for {p}", "the user had said they would like {p}"),
    "says": ("earlier the user said {p}", "the user had said {p}"),
    "question": ("earlier the user asked {p}", "the user had asked {p}"),
}
"""The same for a request that is some messages old, and may have been met or dropped since."""


def asked_for(story: Story, voice: Voice) -> str:
    """A clause with what the user asked for: in the last message if it says so, else before; "" if nothing is known."""
    said = story.user.request if story.user is not None else None
    if story.request is None:
        heard = story.user.text if story.user is not None else ""
        return _clause(_ASKING, Request("says", quote(heard)), voice) if len(heard) > 3 else ""
    old = story.request_age > 0
    if old and said is not None and not (story.user and story.user.yes) and voice.number(3):
        return _clause(_ASKING, said, voice)
    return _clause(_EARLIER if old else _ASKING, story.request, voice)


def _clause(patterns: dict[str, tuple[str, ...]], request: Request, voice: Voice) -> str:
    form, phrase = request.form, request.phrase
    if form == "says" and phrase.endswith("?”"):
        form = "question"
    options = patterns[form]
    if _PRONOUN.search(phrase):
        options = tuple(option for option in options if "user" in option)
    pattern = voice.pick(options)
    return pattern.replace("{p}", phrase if "user" in pattern else without_they(phrase))


def confirmed(story: Story) -> bool:
    """Whether the user's last message is a yes to a question for a go-ahead."""
    return story.user is not None and story.user.yes and asks_go_ahead(story.asked)


def go_ahead(story: Story, voice: Voice) -> str:
    """A clause on the user's yes."""
    return voice.pick(
        (
            "the user has confirmed",
            "the user said yes to what I laid out",
            "I have the user's go-ahead",
            "the user agreed to the details I gave",
            "my question for confirmation got a yes",
            "with a clear yes from the user nothing holds this up",
            "the user has approved it",
        )
    )


def wants_human(story: Story) -> bool:
    """Whether the user asked for a person, or said yes to one."""
    if story.user is None:
        return False
    return bool(_HUMAN.search(story.user.text)) or (story.user.yes and bool(_HUMAN.search(story.asked)))


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
