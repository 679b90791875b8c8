"""The offline teacher: writes a thought from rules alone, with nothing in it that did not stand before the turn."""

from __future__ import annotations

import re

from curate.canonical import hash128
from curate.trajectory import Origin
from curate.turns import turn_kind
from synth.provenance import Source
from synth.story import Story, read_tools
from synth.teachers.answers import answer_thought
from synth.teachers.base import Thought, TurnView
from synth.teachers.calls import call_thought, trace_call
from synth.wording import Voice, sentence

_ABOUT_TO = re.compile(r"\b(?:I(?:'ll| will|'m going to| am going to)|let me|let's)\b", re.IGNORECASE)
SHORT = 60
"""Characters below which a thought gets one more fact."""


class OfflineTeacher:
    """A `Teacher` without a model. It keeps the story of the last trajectory it saw, so turns in order cost little."""

    name = "offline"
    prompt_version = "3"
    origin: Origin = "rule"

    def __init__(self) -> None:
        self._story = Story()
        self._seen: TurnView | None = None

    def write(self, view: TurnView) -> Thought | None:
        """The thought of one turn; None for a turn that neither says nor does anything."""
        story = self._told(view)
        voice = Voice(hash128(view.trajectory_id, str(view.message_index)))
        tools = read_tools(view.tools)
        text = (view.action["content"] or "").strip()
        if not view.action["tool_calls"]:
            return Thought(_rounded(answer_thought(text, story, tools, voice), story)) if text else None
        traced = [trace_call(call, story, tools) for call in view.action["tool_calls"]]
        thought = call_thought(view.action, traced[0], story, voice)
        if turn_kind(view.action) == "announce":
            thought = f"{thought} {sentence(_aside(text, voice))}".strip()
        sources = tuple(_label(trace.source) for traces in traced for trace in traces)
        return Thought(_rounded(thought, story), sources)

    def _told(self, view: TurnView) -> Story:
        """The story up to the view's turn; begun anew unless this view goes on from the last one."""
        last = self._seen
        goes_on = (
            last is not None
            and last.trajectory_id == view.trajectory_id
            and last.rules == view.rules
            and len(last.messages) <= len(view.messages)
            and (not last.messages or last.messages[-1] is view.messages[len(last.messages) - 1])
        )
        if not goes_on:
            self._story = Story(view.rules)
        self._story.tell(view.messages)
        self._seen = view
        return self._story


def _rounded(thought: str, story: Story) -> str:
    """A very short thought with one more fact: how much has been looked up so far."""
    if len(thought) >= SHORT:
        return thought
    calls = len(story.steps)
    done = f"{calls} calls were" if calls > 1 else "One call was" if calls else "No call was"
    return f"{thought} {done} made before this turn.".strip()


def _label(source: Source) -> str:
    return f"result:{source.tool}" if source.kind == "result" else source.kind


def _aside(text: str, voice: Voice) -> str:
    """Why the user is told something beside the call; "" where the text does not show it."""
    lowered = text.lower()
    if "sorry" in lowered or "apolog" in lowered:
        return voice.pick(
            ("the user gets an apology with it", "I add a word of regret for the user", "I say sorry to the user too")
        )
    if any(cue in lowered for cue in ("one moment", "hold on", "please wait", "bear with")):
        return voice.pick(
            (
                "the user should know that this takes a moment",
                "I let the user know to wait for it, so the pause is no surprise",
            )
        )
    if _ABOUT_TO.search(text):
        return voice.pick(
            (
                "I tell the user what I am about to do",
                "the user hears what I do next",
                "I announce this to the user",
            )
        )
    return ""
