"""The thought before a tool call: why now, what for, and where its arguments come from."""

from __future__ import annotations

import re

from curate.env import tool_kind
from curate.trajectory import Message, ToolCall
from synth.names import listed, tool_words
from synth.provenance import Trace
from synth.replies import questions
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
    last = story.last_step
    about, wish, found = main_value(arguments), "", ""
    again = any(step.name == name and step.arguments == arguments for step in story.turn_steps)
    if last is not None and last.failed:
        why = failed_before(last, voice)
        links: tuple[str, ...] = _ANY_LINK
        aim = after_failure(last, name, kind, arguments, traces, voice)
    else:
        found = learnt(last, story, voice) if last is not None else ""
        why, links = (found, _NOW_THAT) if found else _why_now(story, name, about, traces, kind, voice)
        wish = asked_for(story, voice) if found and voice.number(3) else ""
        aim = goal(name, kind, arguments, traces, story, voice)
    said = {str(about)} if about is not None else set[str]()
    if kind == "pure" and traces:
        where = cited(str(traces[0].value), why, last if found else None, story, voice)
    else:
        given = _just_given(traces, story)
        untold = [trace for trace in traces if not (given and given in why and _is_fresh(trace, story))]
        where = where_from(untold, said, story, voice)
    is_reason = "“" not in wish and not again and _leads_to(story, name, kind, traces)
    parts = _arranged((why, links), (wish, is_reason), aim, where, voice)
    more = len(action["tool_calls"]) - 1
    if more:
        others = f"{more} more {'call goes' if more == 1 else 'calls go'} along"
        parts.append(f"{others}, as none of them needs to wait for another")
    return " ".join(sentence(part) for part in parts if part)


def _why_now(
    story: Story, name: str, about: object, traces: list[Trace], kind: str, voice: Voice
) -> tuple[str, tuple[str, ...]]:
    """Why the first call after a user message comes, and the words that may link it with the call."""
    if kind == "terminal" and wants_human(story):
        wanted = (
            "the user wants a human to take over",
            "a human is what the user asks for",
            "the user would rather have a human for this",
            "this is to go to a human, as the user wants",
        )
        return voice.pick(wanted), _ANY_LINK
    if kind in ("write", "terminal") and confirmed(story, name, about):
        return go_ahead(story, voice), _ANY_LINK
    given = _just_given(traces, story)
    request = story.user.request if story.user is not None else None
    if given and (request is None or request.form == "says" or voice.number(2)):
        told = (
            f"the user has now told me the {given}",
            f"with the {given} from the user I have what I was waiting for",
            f"the user has supplied the {given}",
            f"I had asked, and the user gave me the {given}",
            f"my question got an answer, the {given}",
        )
        return voice.pick(told), _NOW_THAT
    asked = asked_for(story, voice)
    return asked, _BECAUSE if _leads_to(story, name, kind, traces) and "“" not in asked else ()


def _leads_to(story: Story, name: str, kind: str, traces: list[Trace]) -> bool:
    """Whether the request may be given as the reason of this call.

    A change must be asked for in its own words; a read may serve any request, if there was only one. A value of my own
    is a choice that the request does not explain.
    """
    own = any(trace.source.kind == "nothing" for trace in traces)
    if story.request is None or story.overtaken or kind == "pure" or own:
        return False
    if kind != "write":
        return not story.wrote and story.request.alone
    phrase = story.request.phrase.lower()
    verb = tool_words(name).verb
    return bool(verb) and verb[:5] in phrase and not story.wrote


def _just_given(traces: list[Trace], story: Story) -> str:
    """The fields that I had asked for and the user's last message gave; "" if it gave none."""
    fields = [field_of(trace) for trace in traces if _is_fresh(trace, story) and len(str(trace.value)) <= LONG_TEXT]
    if not fields:
        return ""
    asked = set(re.findall(r"[a-z]+", " ".join(questions(story.asked)).lower()))
    wanted = [field for field in fields if {field.split()[-1], f"{field.split()[-1]}s"} & asked]
    return listed(list(dict.fromkeys(wanted))[:3])


def _is_fresh(trace: Trace, story: Story) -> bool:
    """Whether the user's last message gave the value."""
    return trace.source.kind == "user" and trace.source.message_index == story.index.latest_user


def _arranged(
    reason: tuple[str, tuple[str, ...]], asked: tuple[str, bool], aim: str, where: str, voice: Voice
) -> list[str]:
    """The clauses as sentences, in one of several orders.

    Args:
        reason: why the call comes, and the words that may link it with the aim; none where it is no reason.
        asked: what the user asked for, and whether it may be given as a reason.
        aim: what the call is for.
        where: where its arguments come from.
        voice: picks the order.
    """
    (why, links), (wish, is_reason) = reason, asked
    if not why:
        return [aim, where]
    if not links or (wish and not is_reason):
        plans = [[wish, why, aim, where], [why, wish, aim, where]]
        return plans[voice.number(2)]
    follows = aim.startswith(_FOLLOWING) and not aim.startswith("I have looked")
    learnt_first = links == _NOW_THAT
    after = voice.pick(_NEXT if learnt_first and not wish else _JOINTS) if follows else ""
    joined = f"{after} {aim.removesuffix(' next')}" if follows else aim
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
    if follows and ", and " not in why:
        plans.append([f"{why}, {'and' if learnt_first else 'so'} {aim}", where])
    if not why.startswith(_NO_BECAUSE) and not re.search(r"\bnow\b", why):
        plans.append([f"{aim}, {voice.pick(links)} {why}", where])
    return plans[voice.number(len(plans))]


_FOLLOWING = ("I ", "the ", "what ", "it ", "this time")
"""How a clause begins that can follow "so"."""
_BECAUSE = ("because", "since")
_NOW_THAT = ("now that",)
_ANY_LINK = ("because", "since", "now that")
_NO_BECAUSE = ("“", "in ", "with ", "now ", "my question", "I had asked", "earlier", "what ")
"""Clauses that read badly after "because"."""
_NEXT = ("Now", "Next", "Then")
_JOINTS = ("So", "Therefore", "That is why")
