"""Clauses on what an answer asks the user for: the fields that a tool needs, or the one of several that is meant."""

from __future__ import annotations

import re

from curate.env import tool_kind
from synth.names import field_words, listed, tool_words, topic_words
from synth.story import Story, Tool
from synth.teachers.findings import thing_of
from synth.wording import Voice


def missing(asking: str, story: Story, tools: dict[str, Tool], voice: Voice) -> str:
    """A clause on the parameters that the text asks for, that a tool needs and that nobody has given; "" if none."""
    wanted = _wanted(asking, story, tools)
    if not wanted:
        return ""
    which = _which_of(wanted, story, voice)
    if which:
        return which
    first = tool_words(next(iter(wanted.values()))).action
    if all(tool_words(name).action == first for name in wanted.values()):
        # Tools that find the same thing are alternatives: one of them is enough.
        wanted = {field: name for field, name in wanted.items() if name == next(iter(wanted.values()))}
    name, several = next(iter(wanted.values())), len(set(wanted.values())) > 1
    need = "go on" if several else tool_words(name).action
    if tools[name].any_of and not several:
        fields = listed(list(wanted)[:4], "or")
        return voice.pick(
            (
                f"to {need} I need something such as the {fields}, so I ask for it",
                f"I cannot {need} without something such as the {fields}, so I ask",
            )
        )
    fields = listed(list(wanted)[:4])
    it, be = ("them", "are") if " and " in fields else ("it", "is")
    return voice.pick(
        (
            f"to {need} I need the {fields}, so I ask for {it}",
            f"the {fields} would help me to {need}, so I ask the user for {it}",
            f"the {fields} {be} what I ask for, as I need {it} to {need}",
            f"I ask for the {fields} first; I need {it} to {need}",
            f"the user can tell me the {fields}, and I need {it} to {need}",
        )
    )


def _wanted(asking: str, story: Story, tools: dict[str, Tool]) -> dict[str, str]:
    """Field in words -> tool that requires it, for the fields that a question names and that are not known yet."""
    text = f" {' '.join(re.findall(r'[a-z0-9]+', asking.lower()))} "
    known = {field for step in story.steps for field in step.arguments}
    known |= {field for step in story.steps if isinstance(step.value, dict) for field in step.value}
    readers, writers = dict[str, str](), dict[str, str]()
    called = {step.name for step in story.steps if not step.failed}
    for name, tool in tools.items():
        if tool.any_of and name in called:
            continue  # one way was enough
        fields = [
            words
            for field, words in tool.fields
            if (f" {words} " in text or f" {words}s " in text or (words.endswith(" id") and _numbered(words) in text))
            and field not in known
            and not story.index.mentioned("user", words)
        ]
        if fields and tool_kind(name, story.rules)[0] == "read":
            needing = readers
        # A writing tool's fields are everyday words ("insurance"): one of them alone says little.
        elif len(fields) > 2 or (len(fields) > 1 and tool_words(name).verb[:5] in text):
            needing = writers
        else:
            continue
        for words in fields:
            needing.setdefault(words, name)
    return readers | {words: name for words, name in writers.items() if words not in readers}


def _which_of(wanted: dict[str, str], story: Story, voice: Voice) -> str:
    """A clause where an earlier result lists what is asked for, and only the choice is open; else ""."""
    for step in reversed(story.steps):
        entries = step.value if isinstance(step.value, dict) else {}
        for field, item in entries.items():
            if isinstance(item, list) and len(item) > 1 and any(topic_words(field) & topic_words(w) for w in wanted):
                some = f"{len(item)} {field_words(field)}"
                return voice.pick(
                    (
                        f"there are {some} in {thing_of(step)}, so I ask which one it is",
                        f"with {some} in {thing_of(step)} I ask the user which one is meant",
                        f"I know of {some}, so I ask the user about the right one",
                    )
                )
    return ""


def _numbered(words: str) -> str:
    """How people ask for an id: " order number "."""
    return f" {words.removesuffix(' id')} number "
