"""The thought before a no: the rule it rests on, that it was said before, or that it has to be said openly."""

from __future__ import annotations

from synth.replies import refuses, sentences
from synth.story import Story, content_words, forbids
from synth.teachers.findings import cited
from synth.teachers.reasons import asked_for, latest
from synth.wording import Voice, quote

MIN_SHARED = 4
"""Content words that a refusal and a sentence of the policy must share before one is the other's ground."""
MIN_COVERED = 0.4
"""Share of the policy sentence's content words that the refusal must take up."""
POLICY_QUOTE = 110
"""Longest quotation of a system message's sentence."""


def refusal(body: str, story: Story, voice: Voice) -> list[str]:
    """The clauses of the thought before a text that says no."""
    context = latest(body, story, voice)
    refusing = " ".join(part for part in sentences(body) if refuses(part))
    stems = content_words(refusing)
    shared = [(len(stems & words), words, line) for line, words in story.policy]
    count, words, line = max(shared, key=lambda entry: entry[0], default=(0, frozenset[str](), ""))
    says = quote(line, POLICY_QUOTE)
    if count >= MIN_SHARED and count >= MIN_COVERED * len(words) and forbids(says):
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
            context or asked_for(story, voice),
            f"{rule}; {end}" if voice.number(2) else rule,
        ]
    end = voice.pick(_SAID_BEFORE if _refused_before(stems, story) else _CANNOT)
    context = context or asked_for(story, voice)
    return [context, cited(body, context, story.last_step, story, voice), end]


def _refused_before(stems: frozenset[str], story: Story) -> bool:
    """Whether my last message refused the same, and no call has been made since."""
    before = " ".join(part for part in sentences(story.asked) if refuses(part))
    return not story.turn_steps and len(stems & content_words(before)) >= MIN_SHARED


_SAID_BEFORE = (
    "I have refused this before, and no call since has changed that",
    "my answer stays what it was, as I have learnt nothing new since I gave it",
    "I said before that I cannot do this, and I have no reason to say anything else now",
)
_CANNOT = (
    "I should be open about what does not work and say what is left",
    "the honest answer is that this does not work as asked",
    "I must not promise more than I can do here",
    "it is better to say plainly what I cannot do than to keep the user waiting",
)
"""How a refusal without a rule ends: one given before, and a new one."""
