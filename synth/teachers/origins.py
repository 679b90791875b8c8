"""Clauses on where a call's arguments come from: the user, a field of an earlier result, or nobody."""

from __future__ import annotations

from functools import lru_cache

from curate.env import name_words
from synth.names import field_words, listed, singular, tool_words
from synth.provenance import Source, Trace
from synth.story import Story
from synth.teachers.findings import CHANGED, facets
from synth.wording import Voice, sentence, shown

LONG_TEXT = 40
"""Argument values longer than this are texts of the agent's own, not quoted."""
_ORDER = {"nothing": 0, "result": 1, "user": 2, "assistant": 3, "call": 4, "system": 5, "composed": 6}


def where_from(traces: list[Trace], said: set[str], story: Story, voice: Voice) -> str:
    """One or two sentences on where the arguments come from, the least obvious first.

    Args:
        traces: of the call's arguments.
        said: values that the thought names elsewhere; they are not repeated.
        story: up to the turn.
        voice: picks the wording.
    """
    groups: dict[tuple[str, int, str | None], list[Trace]] = {}
    for trace in traces:
        source = trace.source
        if source.kind not in ("constant", "composed") and len(str(trace.value)) <= LONG_TEXT:
            groups.setdefault((source.kind, source.message_index, source.tool), []).append(trace)
    ranked = sorted(groups.items(), key=lambda entry: (_ORDER[entry[0][0]], -len(entry[1])))
    clauses = [clause for _, group in ranked[:3] if (clause := _origin(group, said, story, voice))][:2]
    if len(clauses) == 2 and voice.number(2):
        return sentence(f"{clauses[0]}, and {clauses[1]}")
    return " ".join(map(sentence, clauses))


def field_of(trace: Trace) -> str:
    """The argument's field in words, in the singular for one entry of a list."""
    return _field(trace.name, bool(trace.path) and isinstance(trace.path[-1], int))


@lru_cache(maxsize=4096)
def _field(name: str, one_of_list: bool) -> str:
    words = field_words(name).split() or ["value"]
    if one_of_list:
        words[-1] = singular(words[-1])
    return " ".join(words)


def list_name(source: Source) -> str:
    """The name of the list that a value was taken from, "" if it was in none."""
    if source.kind != "result" or len(source.path) < 2 or not isinstance(source.path[-1], int):
        return ""
    return str(source.path[-2]) if isinstance(source.path[-2], str) else ""


def _origin(group: list[Trace], said: set[str], story: Story, voice: Voice) -> str:
    first = group[0]
    marks = facets(first, story)
    if marks and {"id", "ids", "number", "code"} & set(name_words(first.name)):
        beside = voice.pick(("which the user spoke of", "as the user mentioned", "words the user used too"))
        return f"{_item(first, said)} goes with {listed(marks)}, {beside}"
    values: dict[str, set[str]] = {}
    for trace in group:
        values.setdefault(field_of(trace), set()).add(str(trace.value))
    if len(values) == 1 and len(values[field_of(first)]) == 1:
        return _clause(first.source, _item(first, said), "is", story, voice)
    fields = [field if len(several) == 1 or field.endswith("s") else f"{field}s" for field, several in values.items()]
    what = f"the {listed(fields)}" if len(fields) <= 4 else "several of the details"
    return _clause(first.source, what, "are", story, voice)


def _item(trace: Trace, said: set[str]) -> str:
    """The argument with its value, or without where the value has been said already."""
    field = field_of(trace)
    if str(trace.value) in said:
        return f"the {field}"
    said.add(str(trace.value))
    return f"{field} {shown(trace.value)}"


def _clause(source: Source, what: str, be: str, story: Story, voice: Voice) -> str:
    s = "s" if be == "is" else ""
    if source.kind == "result":
        return _from_result(source, what, be, story, voice)
    if source.kind == "user" and source.message_index == story.index.latest_user:
        options = [f"the user has just given me {what}", f"{what} {be} in the user's last message",
                   f"the user named {what} a moment ago", f"{what} come{s} straight from the user"]  # fmt: skip
    elif source.kind == "user":
        options = [
            f"I have {what} from the user",
            f"the user gave me {what} earlier",
            f"{what} {be} as the user told me",
            f"I take {what} from what the user said before",
        ]
    elif source.kind == "assistant":
        options = [f"{what} {be} what I wrote to the user before", f"I named {what} to the user earlier"]
    elif source.kind == "call":
        options = [f"I keep {what} from my earlier call", f"{what} stay{s} as in my earlier call"]
    elif source.kind == "system":
        options = [f"{what} {be} in line with my instructions", f"my instructions speak of {what}"]
    else:
        it = "it" if be == "is" else "them"
        options = [
            f"{what} {be} my own reading, since no message so far spells {it} out",
            f"I have not seen {what} spelled out anywhere, so I go by my own reading",
            f"I fill in {what} myself, as nothing so far states {it} word for word",
        ]
    return voice.pick(options)


def _from_result(source: Source, what: str, be: str, story: Story, voice: Voice) -> str:
    s = "s" if be == "is" else ""
    words, step = tool_words(source.tool or ""), story.step_of(source.message_index)
    if step is not None and step.failed:
        return f"the error of my call to {words.action} names {what}"
    if not source.path:
        if step is not None and story.turn_steps and step is story.turn_steps[-1]:
            return ""
        if what.removeprefix("the ").split(" ")[-1] in words.action.split(" "):
            return f"I have looked up {what} before"
        return voice.pick(
            (f"I found {what} when I went to {words.action}", f"{what} {be} what the call to {words.action} gave")
        )
    place = CHANGED if step is not None and step.kind == "write" else words.place
    name = list_name(source) if be == "is" else ""
    if name and voice.number(2):
        under = f"the {field_words(name)} in {place}"
        return voice.pick((f"{what} {be} among {under}", f"I take {what} from {under}", f"{under} include {what}"))
    return voice.pick(
        (
            f"{what} stand{s} in {place}",
            f"I take {what} from {place}",
            f"{what} come{s} from {place}",
            f"I know {what} from {place}",
            f"I found {what} in {place}",
        )
    )
