"""The thought before a text to the user: what the answer rests on, what is still missing, or why it is a no."""

from __future__ import annotations

import re

from curate.env import name_words, tool_kind
from synth.names import tool_words
from synth.replies import questions, refuses, reports_done, seeks_yes, without_courtesies
from synth.story import Story, Tool
from synth.teachers.findings import cited
from synth.teachers.missing import missing
from synth.teachers.reasons import asked_for, latest
from synth.teachers.refusals import refusal
from synth.wording import Voice, sentence

REFUSED_EARLY = 160
"""Characters in which a refusal shows itself; a later "only" or "cannot" is a remark."""
REPORTED_EARLY = 300
"""Characters in which a report of something done, or a softer refusal, shows itself."""
_OPEN = re.compile(r"\b(?:provide|specify|is (?:it|this) an?)\b", re.IGNORECASE)
"""A question that wants more than a yes."""
_AGREED = re.compile(r"\b(?:yes|proceed|go ahead|confirm|agree|do it)", re.IGNORECASE)
_HANDS_OVER = re.compile(
    r"\b(?:transfer|connect|hand)\w* you (?:over |through )?(?:to|with)\b|\bto a (?:human|colleague)\b", re.IGNORECASE
)
_GOES_ON = re.compile(r"\b(?:do that|go ahead|proceed)\?$", re.IGNORECASE)
"""A question about what was said just before it."""
_WHETHER = re.compile(r"\b(?:which|prefer|rather|would you like)\b", re.IGNORECASE)
"""A question that leaves a choice."""


def answer_thought(text: str, story: Story, tools: dict[str, Tool], voice: Voice) -> str:
    """The thought of a turn that speaks to the user without a call."""
    body = without_courtesies(text)
    asking = questions(body)
    if story.user is None:
        return voice.pick(("Nothing has been asked yet, so I open the conversation and offer help.",
                           "The conversation starts here; I greet the user and wait for a request."))  # fmt: skip
    if not asking and _parting(story):
        return _closing(story, voice)
    if _wrote(story) and reports_done(body[:REPORTED_EARLY]):
        parts = _report(body, story, voice)
    elif refuses(body[:REFUSED_EARLY]) and not any("confirm" in part for part in asking):
        parts = refusal(body, story, voice)
    elif seeks_yes(asking) and not any(_OPEN.search(part) for part in asking):
        parts = _before_change(body, " ".join(asking), story, tools, voice)
    elif asking and not _change_failed(story) and (lacking := missing(" ".join(asking), story, tools, voice)):
        parts = [latest(body, story, voice) if _failed(story) else asked_for(story, voice), lacking]
    elif refuses(body[:REPORTED_EARLY]):
        parts = refusal(body, story, voice)
    elif asking:
        parts = _choice(body, " ".join(asking), story, voice)
    else:
        parts = _report(body, story, voice)
    return " ".join(sentence(part) for part in parts if part)


def _parting(story: Story) -> bool:
    """Whether the user only thanks me: asks for nothing, and leaves no question of mine to be answered."""
    thanks = story.user is not None and story.user.thanks and not story.user.yes
    return thanks and bool(story.asked) and not story.turn_steps and not questions(without_courtesies(story.asked))


def _wrote(story: Story) -> bool:
    """Whether the last call of this turn was a write that succeeded."""
    last = story.last_step
    return last is not None and last.kind == "write" and not last.failed


def _failed(story: Story) -> bool:
    """Whether the last call of this turn failed."""
    return story.last_step is not None and story.last_step.failed


def _change_failed(story: Story) -> bool:
    """Whether the last call failed to change something: what is asked then is how to go on."""
    return story.last_step is not None and story.last_step.failed and story.last_step.kind == "write"


def _closing(story: Story, voice: Voice) -> str:
    last = story.steps[-1] if story.steps else None
    if last is not None and last.kind == "write" and not last.failed:
        action = tool_words(last.name).action
        first = voice.pick(
            (
                f"my last call, to {action}, went through and the user thanks me",
                f"the step to {action} has succeeded, and the user says thanks",
                f"I was able to {action}, and now the user thanks me without a new request",
            )
        )
    else:
        first = voice.pick(
            (
                "the user thanks me and asks for nothing more",
                "this is a thank-you from the user, with no new request in it",
                "the user says thanks and has no question for me",
            )
        )
    last_words = voice.pick(
        (
            "I reply in a friendly way and leave it at that",
            "a short, friendly answer is enough",
            "that takes no call, I just reply",
            "I answer politely, without another call",
        )
    )
    return f"{sentence(first)} {sentence(last_words)}"


def _before_change(body: str, asking: str, story: Story, tools: dict[str, Tool], voice: Voice) -> list[str]:
    deed = _likely_write(asking, story, tools)
    what = f"I {deed}" if deed else "I change anything"
    if _HANDS_OVER.search(asking) or (_GOES_ON.search(asking) and _HANDS_OVER.search(body)):
        must = voice.pick(
            ("whether this goes to a human is the user's decision, so I ask",
             "I offer a human and wait for the user's word",
             "I ask whether the user wants to be transferred")
        )  # fmt: skip
    elif _failed(story):
        must = voice.pick(_ANOTHER_WAY)
    elif story.user is not None and _AGREED.search(story.user.text):
        must = voice.pick(
            (f"I want to be sure of the details, so I ask before {what}",
             f"before {what} I check with the user that the details are right",
             f"I would rather ask one time too many before {what}")
        )  # fmt: skip
    elif story.must_confirm and voice.number(2):
        must = voice.pick(
            (f"my instructions ask for the user's confirmation, so before {what} I lay out the details",
             f"before {what} I need an explicit yes, as my instructions demand",
             f"a change needs the user's confirmation under my instructions, so I ask before {what}")
        )  # fmt: skip
    else:
        must = voice.pick(
            (f"before {what} the user should see the details and say yes",
             f"I want a clear yes from the user before {what}",
             f"this is the moment to ask, before {what}",
             f"I put the details to the user before {what}",
             f"it is the user's decision, so I stop and ask before {what}")
        )  # fmt: skip
    context = latest(body, story, voice) or asked_for(story, voice)
    facts = cited(body, context, story.last_step, story, voice)
    return [context, facts, must]


_ANOTHER_WAY = (
    "what I tried did not work, so I ask before I try another way",
    "before I try another way I want to hear from the user",
    "I do not try another way without the user's word",
)
"""Why the user is asked after an error."""


def _likely_write(body: str, story: Story, tools: dict[str, Tool]) -> str:
    """What the text proposes, if the name of one writing tool fits it best; "" if that is not clear."""
    text, best = body.lower(), list[tuple[int, str]]()
    for name in tools:
        verb = tool_words(name).verb
        if verb and verb[:5] in text and tool_kind(name, story.rules)[0] == "write":
            words = name_words(name)
            hits = sum([word[:5] in text for word in words])
            if hits >= 2 and hits >= 0.75 * len(words):
                best.append((hits, name))
    best.sort(key=lambda entry: (-entry[0], entry[1]))
    if not best or (len(best) > 1 and best[0][0] == best[1][0]):
        return ""
    return tool_words(best[0][1]).action


def _choice(body: str, asking: str, story: Story, voice: Voice) -> list[str]:
    context = latest(body, story, voice) or asked_for(story, voice)
    facts = cited(body, context, story.last_step, story, voice)
    options: tuple[str, ...] = _CHOOSES if _WHETHER.search(asking) else _TELLS_AND_ASKS if facts else _ASKS
    if re.search(r"\breason\b", asking) and not story.index.mentioned("user", "reason"):
        options = _ASKS_REASON
    return [context, facts, voice.pick(options)]


def _report(body: str, story: Story, voice: Voice) -> list[str]:
    given = latest(body, story, voice)
    asked = "" if _wrote(story) and not _wanted(story) else asked_for(story, voice)
    facts, last = cited(body, given, story.last_step, story, voice), story.last_step
    order = voice.number(3)
    options: tuple[str, ...]
    if last is not None and last.failed:
        options = _AFTER_FAILURE
    elif _wrote(story) and reports_done(body):
        options = _AFTER_CHANGE
    else:
        told = facts and not (order == 0 and given)
        options = _WITH_FACTS if told else _NOW_ANSWER if given else _AT_ONCE
    end = voice.pick(options)
    if order == 0 and given:
        return [asked, given, end]
    return [given or asked, facts, end] if order == 1 else [asked, given, facts, end]


def _wanted(story: Story) -> bool:
    """Whether the known request is the one that the last call, a change, has met."""
    last, request = story.last_step, story.request
    verb = tool_words(last.name).verb if last is not None else ""
    return request is not None and (story.request_age == 0 or (bool(verb) and verb[:5] in request.phrase.lower()))


_CHOOSES = (
    "I cannot decide this for the user, so I ask",
    "the choice is the user's, so I ask",
    "I leave this decision to the user",
)
_TELLS_AND_ASKS = (
    "I tell the user what I found and ask how to go on",
    "the user should know this before anything else is done, so I share it and ask",
    "how to go on from there is for the user to say",
)
_ASKS_REASON = (
    "the reason has to come from the user, so I ask for it",
    "only the user knows the reason, so I have to ask",
)
_ASKS = (
    "I need the user's answer to go on",
    "I would rather ask than guess",
    "I lack something that only the user can tell me",
)
"""How a question ends: one with a choice, one with facts of a result beside it, any other."""
_AFTER_FAILURE = ("the user should know about this", "I tell the user about it", "I have to say so to the user")
_AFTER_CHANGE = (
    "the user should know that it is done",
    "I can report it as done",
    "so I tell the user what has changed",
    "I say so to the user",
)
_WITH_FACTS = (
    "I can answer with this",
    "so I pass this on to the user",
    "this goes into my answer",
    "I answer on that ground",
)
_NOW_ANSWER = ("that is enough for an answer", "with this I can answer the user", "I can tell the user now")
_AT_ONCE = (
    "I reply to this in words, without a call",
    "my reply takes no call",
    "I answer right away, without another call",
    "this gets a reply rather than a call",
)
"""How a report ends: after an error, after a change, with facts of a result in it, after a result, after no call."""
