"""Clauses on what a call is for: what is still to be seen, what remains to be done, what changes after a failure."""

from __future__ import annotations

from typing import Any

from curate.env import name_words
from synth.names import field_words, singular, tool_words, topic_words
from synth.provenance import Trace
from synth.story import Step, Story, main_value
from synth.teachers.findings import siblings_done
from synth.teachers.origins import LONG_TEXT, list_name
from synth.teachers.reasons import changed_since
from synth.wording import Voice, plain, shown


def goal(name: str, kind: str, arguments: dict[str, Any], traces: list[Trace], story: Story, voice: Voice) -> str:
    """A clause that fits after "so": what this call is for."""
    action = tool_words(name).action
    if kind == "pure" and traces:
        return _figure(traces, voice)
    if kind == "terminal":
        return voice.pick((f"I {action}", f"the right step is to {action}", f"the step to take is to {action}"))
    if any(step.name == name and step.arguments == arguments for step in story.turn_steps):
        return voice.pick(("I make the same call once more", f"I {action} once more", "I repeat the call as it was"))
    if kind == "read":
        listed_one = _through_list(name, arguments, traces, story, voice)
        return listed_one or _after_change(name, arguments, story, voice) or _reading(name, arguments, story, voice)
    deed = deed_of(name, arguments)
    return voice.pick(
        (
            f"I can now {deed}",
            f"the step to take is to {deed}",
            f"my next step is to {deed}",
            f"it is time to {deed}",
            f"I go on to {deed}",
            f"I am going to {deed}",
        )
    )


def after_failure(
    last: Step, name: str, kind: str, arguments: dict[str, Any], traces: list[Trace], voice: Voice
) -> str:
    """What is done now that the last call has failed, as a clause that fits after "so"."""
    if last.name == name:
        return changed_since(last.arguments, arguments, voice)
    if kind == "pure" and traces:
        return _figure(traces, voice)
    if kind == "read":
        thing = _thing(name, arguments)
        if tool_words(name).verb == "find":
            return voice.pick((f"I look for {thing} in another way", f"I try to find {thing} in another way"))
        return voice.pick((f"I look at {thing}", f"I turn to {thing}", f"I check {thing}"))
    deed = deed_of(name, arguments)
    return voice.pick((f"I go on to {deed}", f"my next step is to {deed}", f"I {deed} now"))


def deed_of(name: str, arguments: dict[str, Any]) -> str:
    """The call as an infinitive with the id it is about: "cancel the reservation H9ZU1C"."""
    words, about = tool_words(name), main_value(arguments)
    if about is None:
        return words.action
    field = next((key for key, value in arguments.items() if value == about), "")
    last = (name_words(words.thing) or ("",))[-1]
    beside = last in topic_words(field) and singular(last) == last
    return f"{words.action} {shown(about)}" if beside else f"{words.action} for {shown(about)}"


def _thing(name: str, arguments: dict[str, Any]) -> str:
    words, about = tool_words(name), main_value(arguments)
    thing = words.place if words.place.endswith(" record") else words.thing or f"what {plain(name)} knows"
    return f"{thing} for {shown(about)}" if about is not None else thing


def _figure(traces: list[Trace], voice: Voice) -> str:
    expression = str(traces[0].value).strip()
    if len(expression) > LONG_TEXT:
        return voice.pick(
            (
                "I work out the amounts rather than guess",
                "I need exact figures before I quote any",
                "the amounts have to be added up with care",
                "I calculate the total instead of estimating it",
            )
        )
    figure = shown(expression)
    return voice.pick(
        (
            f"I work out {figure} rather than guess",
            f"I need the exact figure for {figure}",
            f"the figure to settle is {figure}",
            f"I should calculate {figure} and not estimate",
        )
    )


def _after_change(name: str, arguments: dict[str, Any], story: Story, voice: Voice) -> str:
    """Why something is read that has just been changed; "" where it has not."""
    last = story.last_step
    if last is None or last.kind != "write" or last.failed:
        return ""
    if set(map(str, last.arguments.values())).isdisjoint(map(str, arguments.values())):
        return ""
    thing = _thing(name, arguments)
    return voice.pick(
        (
            f"I read {thing} to see what the change has done",
            f"I check in {thing} that the change has been made",
            f"I want to see the change in {thing}",
        )
    )


def _reading(name: str, arguments: dict[str, Any], story: Story, voice: Voice) -> str:
    words, about, last = tool_words(name), main_value(arguments), story.last_step
    # An id that was just found has been named: it is not said twice.
    thing = _thing(name, {} if last is not None and about is not None and last.value == about else arguments)
    if words.verb == "find" and words.thing.endswith((" id", " name", " number", " code")):
        whose = f" that goes with {shown(about)}" if about is not None else ""
        return voice.pick(
            (
                f"I have to find {words.thing}{whose}",
                f"I need {words.thing}{whose} to go on",
                f"what I have to find is {words.thing}{whose}",
                f"I look for {words.thing}{whose}",
            )
        )
    return voice.pick(
        (
            f"I need {thing}",
            f"I need to see {thing} first",
            f"I have to check {thing}",
            f"what I want to see is {thing}",
            f"I look at {thing} next",
            f"it makes sense to look at {thing}",
            f"{thing} should tell me more" if thing.startswith("the ") else f"I should look for {thing}",
            f"I turn to {thing}",
            f"I want to see {thing} before I decide what can be done",
            f"before I answer I look at {thing}",
        )
    )


def _through_list(name: str, arguments: dict[str, Any], traces: list[Trace], story: Story, voice: Voice) -> str:
    """How far the entries of a list have been looked through; "" where the call is not about one."""
    found = next(((t, c) for t in traces if (c := siblings_done(t, story, name)) is not None), None)
    if found is None:
        return ""
    trace, (total, done) = found
    field, this = field_words(list_name(trace.source)) or "entries", shown(trace.value)
    left = total - done
    if done == 0:
        options = [f"I go through the {total} {field} one by one, {this} first",
                   f"I begin with {this}, as none of the {total} {field} has been looked at yet",
                   f"{this} is the first of {total} {field} that I look at"]  # fmt: skip
    elif left <= 0:
        options = [f"I look at {this} once more", f"{this} deserves a second look"]
    elif left == 1:
        options = [f"{this} is the only one of the {total} {field} I have not looked at",
                   f"the last of the {total} {field} to check is {this}"]  # fmt: skip
    elif done == 1:
        options = [f"I have looked at only one of the {total} {field} and {this} is next",
                   f"{left} of the {total} {field} are still unread and I go on with {this}"]  # fmt: skip
    else:
        options = [f"{done} of the {total} {field} are checked and {this} is next",
                   f"{left} of the {total} {field} are still unread and I go on with {this}",
                   f"I have looked at {done} of the {total} {field} and continue with {this}"]  # fmt: skip
    return voice.pick(options)
