"""The thought before a tool call: why now, what for, and where its arguments come from."""

from __future__ import annotations

from curate.env import tool_kind
from curate.trajectory import Message, ToolCall
from synth.names import listed
from synth.provenance import Trace
from synth.story import Story, Tool, arguments_of, main_value
from synth.teachers.findings import cited, learnt
from synth.teachers.goals import after_failure, goal
from synth.teachers.origins import LONG_TEXT, field_of, where_from
from synth.teachers.reasons import asked_for, confirmed, failed_before, go_ahead, wants_human
from synth.wording import Voice, sentence


def trace_call(call: ToolCall, story: Story, tools: dict[str, Tool]) -> list[Trace]:
    """Where each argument of a call came from."""
    tool = tools.get(call["name"])
    return story.index.trace_arguments(arguments_of(call), tool.parameters if tool else None)


def call_thought(action: Message, traces: list[Trace], story: Story, voice: Voice) -> str:
    """The thought of a turn that calls one or more tools; the first call, whose traces are given, carries it."""
    call = action["tool_calls"][0]
    name, arguments = call["name"], arguments_of(call)
    kind = tool_kind(name, story.rules)[0]
    last = story.turn_steps[-1] if story.turn_steps else None
    if last is not None and last.failed:
        why, wish = failed_before(last, voice), ""
        aim = after_failure(last, name, kind, arguments, voice)
    else:
        found = learnt(last, story, voice) if last is not None else ""
        why = found or _why_now(story, traces, kind, voice)
        wish = asked_for(story, voice) if found and voice.number(3) else ""
        aim = goal(name, kind, arguments, traces, story, voice)
    about = main_value(arguments)
    said = {str(about)} if about is not None else set[str]()
    if kind == "pure" and traces:
        where = cited(str(traces[0].value), why, story, voice)
    else:
        given = _just_given(traces, story)
        untold = [trace for trace in traces if not (given and given in why and _is_fresh(trace, story))]
        where = where_from(untold, said, story, voice)
    parts = _arranged(why, wish, aim, where, voice)
    more = len(action["tool_calls"]) - 1
    if more:
        others = f"{more} more {'call goes' if more == 1 else 'calls go'} along"
        parts.append(f"{others}, as none of them needs to wait for another")
    return " ".join(sentence(part) for part in parts if part)


def _why_now(story: Story, traces: list[Trace], kind: str, voice: Voice) -> str:
    """Why the first call after a user message comes."""
    if kind == "terminal" and wants_human(story):
        return voice.pick(
            (
                "the user wants a human to take over",
                "a person is what the user asks for",
                "the user would rather have this settled by a human",
                "this is to go to a human, as the user wants",
            )
        )
    if confirmed(story) and kind in ("write", "terminal"):
        return go_ahead(story, voice)
    given = _just_given(traces, story)
    if given and voice.number(2):
        return voice.pick(
            (
                f"the user has now told me the {given}",
                f"with the {given} from the user I have what I was waiting for",
                f"the user has supplied the {given}",
                f"I had asked, and the user gave me the {given}",
                f"my question got an answer, the {given}",
            )
        )
    return asked_for(story, voice)


def _just_given(traces: list[Trace], story: Story) -> str:
    """The fields that the user's last message gave in answer to a question; "" if it gave none."""
    if "?" not in story.asked:
        return ""
    fields = [field_of(trace) for trace in traces if _is_fresh(trace, story) and len(str(trace.value)) <= LONG_TEXT]
    return listed(list(dict.fromkeys(fields))[:3])


def _is_fresh(trace: Trace, story: Story) -> bool:
    """Whether the user's last message gave the value."""
    return trace.source.kind == "user" and trace.source.message_index == story.index.latest_user


def _arranged(why: str, wish: str, aim: str, where: str, voice: Voice) -> list[str]:
    """The clauses as sentences, in one of several orders."""
    if not why:
        return [aim, where]
    follows = aim.startswith(_FOLLOWING) and not aim.startswith("I have looked")
    joined = f"{voice.pick(_JOINTS)} {aim}" if follows else aim
    if wish:
        because = voice.pick(("since", "because", "as"))
        plans = [
            [wish, why, aim, where],
            [why, f"{aim}, {because} {wish}", where],
            [f"{aim}, {because} {wish}", why, where],
            [f"{wish}, and {why}", joined, where],
            [why, wish, joined, where],
        ]
        return plans[voice.number(len(plans))]
    plans = [[why, aim, where], [aim, why, where], [why, joined, where], [why, where, aim]]
    if follows:
        plans.append([f"{why}, so {aim}", where])
    if not why.startswith(_NO_BECAUSE):
        plans.append([f"{aim}, {voice.pick(('because', 'since', 'now that'))} {why}", where])
    return plans[voice.number(len(plans))]


_FOLLOWING = ("I ", "the ", "what ", "it ", "this time")
"""How a clause begins that can follow "so"."""
_NO_BECAUSE = ("“", "in ", "with ", "now ", "my question", "earlier", "what ")
"""Clauses that read badly after "because"."""
_JOINTS = ("So", "Therefore", "That is why", "For this")
