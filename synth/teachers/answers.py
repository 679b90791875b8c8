"""The thought before a text to the user: what the answer rests on, what is still missing, or why it is a no."""

from __future__ import annotations

import re

from curate.env import name_words, tool_kind
from synth.names import field_words, listed, tool_words, topic_words
from synth.replies import asks_go_ahead, questions, refuses, reports_done, sentences, without_courtesies
from synth.story import Story, Tool, content_words
from synth.teachers.findings import cited, learnt, thing_of
from synth.teachers.reasons import asked_for, failed_before
from synth.wording import Voice, quote, sentence

POLICY_QUOTE = 64
"""Longest quotation of a system message's sentence."""
MIN_SHARED = 4
"""Content words that a refusal and a sentence of the policy must share before one is the other's ground."""

REFUSED_EARLY = 160
"""Characters in which a refusal shows itself; a later "only" or "cannot" is a remark."""
_DECIDES = re.compile(r"^(?!.*\bwhich\b).*(?:\?|\bconfirm)", re.IGNORECASE | re.DOTALL)
"""A question of yes or no, or a plea to confirm; "which" asks for something else."""

REPORTED_EARLY = 300
"""Characters in which a report of something done, or a softer refusal, shows itself."""
MIN_COVERED = 0.4
"""Share of the policy sentence's content words that the refusal must take up."""


def answer_thought(text: str, story: Story, tools: dict[str, Tool], voice: Voice) -> str:
    """The thought of a turn that speaks to the user without a call."""
    body = without_courtesies(text)
    asking = questions(body)
    if story.user is None:
        return voice.pick(("Nothing has been asked yet, so I open the conversation and offer help.",
                           "The conversation starts here; I greet the user and wait for a request."))  # fmt: skip
    if not asking and not story.turn_steps and story.user.thanks:
        return _closing(story, voice)
    if _wrote(story) and reports_done(body[:REPORTED_EARLY]):
        parts = _report(body, story, voice)
    elif refuses(body[:REFUSED_EARLY]) and not any("confirm" in part for part in asking):
        parts = _refusal(body, story, voice)
    elif any(asks_go_ahead(part) and _DECIDES.search(part) for part in asking):
        parts = _before_change(body, " ".join(asking), story, tools, voice)
    elif asking and (missing := _missing(" ".join(asking), story, tools, voice)):
        parts = [_asked(story, voice), missing]
    elif refuses(body[:REPORTED_EARLY]):
        parts = _refusal(body, story, voice)
    elif asking:
        parts = _choice(body, story, voice)
    else:
        parts = _report(body, story, voice)
    return " ".join(sentence(part) for part in parts if part)


def _wrote(story: Story) -> bool:
    """Whether the last call of this turn was a write that succeeded."""
    last = story.turn_steps[-1] if story.turn_steps else None
    return last is not None and last.kind == "write" and not last.failed


def _asked(story: Story, voice: Voice) -> str:
    return asked_for(story, voice)


def _latest(story: Story, voice: Voice) -> str:
    """A clause on the last call of this turn, whether it failed or gave something."""
    if not story.turn_steps:
        return ""
    last = story.turn_steps[-1]
    return failed_before(last, voice) if last.failed else learnt(last, story, voice)


def _closing(story: Story, voice: Voice) -> str:
    done = [step for step in story.steps if step.kind == "write" and not step.failed]
    if done:
        action = tool_words(done[-1].name).action
        first = voice.pick(
            (
                f"my call to {action} went through and the user only thanks me for it",
                f"there is nothing left to do after the step to {action}, and the user says thanks",
                f"the user is content, and the call to {action} was the last open point",
            )
        )
    else:
        first = voice.pick(
            (
                "the user thanks me and raises no new point",
                "with a thank-you from the user and no new request there is nothing to look up",
                "the user seems content with what I said and asks for nothing more",
            )
        )
    last = voice.pick(
        (
            "I close politely",
            "a short, friendly goodbye is enough",
            "no further call is needed, I just reply",
            "I only have to round this off",
        )
    )
    return f"{sentence(first)} {sentence(last)}"


def _before_change(body: str, asking: str, story: Story, tools: dict[str, Tool], voice: Voice) -> list[str]:
    deed = _likely_write(asking, story, tools)
    what = f"I {deed}" if deed else "I change anything"
    if story.must_confirm and voice.number(2):
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
             f"the user has not said yes to these details yet, so I ask before {what}",
             f"it is the user's decision, so I stop and ask before {what}")
        )  # fmt: skip
    context = _latest(story, voice) or _asked(story, voice)
    facts = cited(body, context, story, voice)
    return [context, facts, must] if voice.number(2) else [must, cited(body, must, story, voice) or context]


def _likely_write(body: str, story: Story, tools: dict[str, Tool]) -> str:
    """What the text proposes, if the name of one writing tool fits it best; "" if that is not clear."""
    text, best = body.lower(), list[tuple[int, str]]()
    for name in tools:
        if tool_kind(name, story.rules)[0] == "write":
            words = name_words(name)
            verb = tool_words(name).verb
            hits = sum(word[:5] in text for word in words)
            if verb and verb[:5] in text and hits >= 2 and hits >= 0.75 * len(words):
                best.append((hits, name))
    best.sort(key=lambda entry: (-entry[0], entry[1]))
    if not best or (len(best) > 1 and best[0][0] == best[1][0]):
        return ""
    return tool_words(best[0][1]).action


def _missing(asking: str, story: Story, tools: dict[str, Tool], voice: Voice) -> str:
    """A clause on the parameters that the text asks for, that a tool needs and that nobody has given; "" if none."""
    wanted = _wanted(asking, story, tools)
    if not wanted:
        return ""
    which = _which_of(wanted, story, voice)
    if which:
        return which
    fields = listed(list(wanted)[:4])
    names = set(wanted.values())
    need = tool_words(names.pop()).action if len(names) == 1 else "look anything up"
    return voice.pick(
        (
            f"I cannot {need} without the {fields}, which I do not have yet, so I have to ask",
            f"to {need} I need the {fields}, and only the user can tell me",
            f"nobody has told me the {fields} so far, and without it I cannot {need}",
            f"the {fields} is what I lack; I need it to {need}",
            f"I have no {fields} to {need} with, so asking comes first",
        )
        if " and " not in fields
        else (
            f"I cannot {need} without the {fields}, which I do not have yet, so I have to ask",
            f"to {need} I need the {fields}, and only the user can tell me those",
            f"nobody has told me the {fields} so far, and without them I cannot {need}",
            f"the {fields} are what I lack; I need them to {need}",
        )
    )


def _wanted(asking: str, story: Story, tools: dict[str, Tool]) -> dict[str, str]:
    """Field in words -> tool that requires it, for the fields that a question names and that are not known yet."""
    text = f" {' '.join(re.findall(r'[a-z0-9]+', asking.lower()))} "
    heard = story.user.text.lower() if story.user else ""
    known = {field for step in story.steps for field in step.arguments}
    known |= {field for step in story.steps if isinstance(step.value, dict) for field in step.value}
    wanted: dict[str, str] = {}
    for name, tool in sorted(tools.items(), key=lambda entry: tool_kind(entry[0], story.rules)[0] != "read"):
        fields = [
            words
            for field in tool.required
            if field not in known
            and ((words := field_words(field)) not in heard)
            and (f" {words} " in text or f" {words}s " in text)
        ]
        # A writing tool's fields are everyday words ("insurance"): one of them alone says little.
        if tool_kind(name, story.rules)[0] == "read" or (len(fields) > 1 and tool_words(name).verb[:5] in text):
            for words in fields:
                wanted.setdefault(words, name)
    return wanted


def _which_of(wanted: dict[str, str], story: Story, voice: Voice) -> str:
    """A clause where an earlier result lists what is asked for, and only the choice is open; else ""."""
    for step in reversed(story.steps):
        entries = step.value if isinstance(step.value, dict) else {}
        for field, item in entries.items():
            if isinstance(item, list) and len(item) > 1 and any(topic_words(field) & topic_words(w) for w in wanted):
                some = f"{len(item)} {field_words(field)}"
                return voice.pick(
                    (
                        f"there are {some} in {thing_of(step)}, and I cannot tell which one is meant",
                        f"with {some} in {thing_of(step)} the user has to say which one it is",
                        f"I know of {some}, so the user has to pick the right one",
                    )
                )
    return ""


def _refusal(body: str, story: Story, voice: Voice) -> list[str]:
    context = _latest(story, voice)
    refusing = " ".join(part for part in sentences(body) if refuses(part))
    stems = content_words(refusing)
    shared = [(len(stems & words), words, line) for line, words in story.policy]
    count, words, line = max(shared, key=lambda entry: entry[0], default=(0, frozenset[str](), ""))
    if count >= MIN_SHARED and count >= MIN_COVERED * len(words):
        says = quote(line, POLICY_QUOTE)
        rule = voice.pick(
            (
                f"my instructions say {says}",
                f"the rule I have to follow is {says}",
                f"there is a rule for this: {says}",
                f"I am bound by {says}",
            )
        )
        end = voice.pick(("so I have to tell the user where the limit is", "that leaves no room for a plain yes",
                          "I explain this openly", "I had better say so and name what is left"))  # fmt: skip
        return [
            context or _asked(story, voice),
            f"{rule}; {end}" if voice.number(2) else rule,
        ]
    end = voice.pick(
        (
            "I should be open about what does not work and say what is left",
            "the honest answer is that this does not work as asked",
            "I must not promise more than I can do here",
            "it is better to say plainly what I cannot do than to keep the user waiting",
        )
    )
    context = context or _asked(story, voice)
    return [context, cited(body, context, story, voice), end]


def _choice(body: str, story: Story, voice: Voice) -> list[str]:
    context = _latest(story, voice) or _asked(story, voice)
    facts = cited(body, context, story, voice)
    end = voice.pick(
        (
            "I cannot decide this for the user, so I ask",
            "what happens next depends on the user's answer",
            "there is more than one way on, and the choice is the user's",
            "I need the user's word on this before I go on",
            "guessing would be wrong here; I ask",
            "the user has to settle this point first",
        )
    )
    return [context, facts, end] if voice.number(3) else [end, context, facts]


def _report(body: str, story: Story, voice: Voice) -> list[str]:
    latest, asked = _latest(story, voice), _asked(story, voice)
    facts = cited(body, latest, story, voice)
    if _wrote(story):
        options = (
            "the user should know that it is done",
            "I can report it as done",
            "so I tell the user what has changed",
            "that settles this point, and I say so",
            "this part of the request is met",
        )
    elif facts or latest:
        options = (
            "that is enough to answer",
            "I can answer with this",
            "so I pass this on to the user",
            "nothing more needs to be looked up for this answer",
            "this is what the user needs to hear",
        )
    else:
        options = (
            "I can answer this from the conversation itself",
            "no call is needed for this reply",
            "I reply with what has been said so far",
            "this needs an answer, not another call",
            "there is nothing to look up for that",
        )
    end = voice.pick(options)
    order = voice.number(3)
    if order == 0 and latest:
        return [asked, latest, end]
    return [latest or asked, facts, end] if order == 1 else [asked, latest, facts, end]
