"""What the calls so far have given, in clauses: facts of a result, a failure's message, where a value stands."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from synth.names import field_words, listed, singular, tool_words
from synth.provenance import Trace
from synth.story import Step, Story
from synth.value_forms import facts_in, is_trivial, normal, stands_in
from synth.wording import Voice, plain, quote, shown

_PERSONAL = frozenset(("zip", "postcode", "last4", "phone", "dob"))
"""Fields that say who somebody is; an answer rests on others."""
STATUS = frozenset("status state result outcome availability eligible eligibility stage phase".split())
MAX_FIELDS = 60
"""Fields of one result that are looked at for facts."""
_SUCCESS = ("accepted", "success", "successful", "ok")
_ERROR_KEYS = ("error", "message", "detail", "reason")


def thing_of(step: Step) -> str:
    """What a past call was about, with the id it was about where it had one: "the order details for #W1"."""
    words = tool_words(step.name)
    about = step.about
    return f"{words.place} for {shown(about)}" if about is not None and words.thing else words.place


def failure_text(step: Step) -> str:
    """What a failed call said, as a short quotation."""
    value = step.value
    if isinstance(value, dict):
        inner = next((value[key] for key in _ERROR_KEYS if value.get(key)), step.text)
        if isinstance(inner, dict):
            inner = next((inner[key] for key in _ERROR_KEYS if inner.get(key)), step.text)
        return quote(str(inner))
    text = step.text.split(' = "', 1)[-1] if step.text.startswith("#") else step.text
    return quote(text.removeprefix("Error:").removeprefix("error:").strip().strip('"') or "no reason given")


def learnt(step: Step, story: Story, voice: Voice, reply: str = "") -> str:
    """A clause on what a successful call gave; empty if there is nothing worth saying.

    Args:
        step: the call.
        story: up to the turn.
        voice: picks the wording.
        reply: the text that the call's facts may be a ground of.
    """
    value, words = step.value, tool_words(step.name)
    if step.kind == "write":
        if isinstance(value, dict) and any(value.get(key) is False for key in _SUCCESS):
            return f"the answer to my call to {words.action} says that it was not accepted"
        return _went_through(step, story, voice)
    if isinstance(value, dict):
        place, facts = thing_of(step), listed(pick_facts(step, story, reply))
        if not facts:
            return voice.pick((f"I have {place} now", f"I have looked at {place}", f"I have read {place}"))
        return voice.pick(
            (
                f"in {place} I see {facts}",
                f"I now have {place}, with {facts}",
                f"from {place} I know of {facts}",
                f"I looked at {place} and see {facts}",
                f"I have read {place}: {facts}",
            )
        )
    if isinstance(value, list):
        return _listing(step, len(value), voice)
    text = str(value) if value is not None else ""
    if not text or len(text) > 60 or "\n" in text:
        return ""
    if words.verb in ("calculate", "compute", "calc") or step.kind == "pure":
        return voice.pick((f"the result is {shown(text)}", f"the calculation gives {shown(text)}"))
    noun = words.thing or words.place
    return voice.pick((f"{noun} is {shown(text)}", f"I have {noun} now, {shown(text)}", f"{shown(text)} is {noun}"))


def _went_through(step: Step, story: Story, voice: Voice) -> str:
    facts = pick_facts(step, story)
    tail = f", with {listed(facts)}" if facts else ""
    action = tool_words(step.name).action
    return voice.pick(
        (
            f"the call to {action} went through{tail}",
            f"the step to {action} succeeded{tail}",
            f"I was able to {action}{tail}",
        )
    )


def _listing(step: Step, entries: int, voice: Voice) -> str:
    words = tool_words(step.name)
    thing = words.thing or plain(step.name)
    many = f"{entries} entries" if entries > 1 else "one entry"
    if entries == 0:
        options = [f"I looked for {thing} and found none", f"there is nothing listed under {thing}",
                   f"my search for {thing} was empty"]  # fmt: skip
    elif not thing.startswith("the "):
        hits = f"{entries} hits" if entries > 1 else "one hit"
        options = [f"my search for {thing} has {hits}", f"I have {hits} from my search for {thing}",
                   f"{hits} came up when I searched for {thing}"]  # fmt: skip
    else:
        options = [f"I have {many} for {thing}", f"I went through {thing} and see {many}"]
    return voice.pick(options)


def pick_facts(step: Step, story: Story, reply: str = "", limit: int = 2) -> list[str]:
    """The facts of a JSON result that matter here: its status, what user or reply speak of, how long its lists are."""
    value, reply = step.value, reply.lower() if reply and _replied_on(step, reply, story) else ""
    if not isinstance(value, dict):
        return []
    scored: list[tuple[int, str]] = []
    for field, item in _scalars(value):
        name, words = _named(field)
        if isinstance(item, list):
            if len(item) > ("email" in value) and step.kind != "write":
                count = name if len(item) > 1 else " ".join([*words[:-1], singular(words[-1])])
                scored.append((1, f"{len(item)} {count}"))
        elif words[-1] in STATUS and isinstance(item, str) and len(item) > 2:
            scored.append((3, f"{name} {shown(item)}"))
        elif (
            step.kind == "write"
            or "id" in words
            or not _PERSONAL.isdisjoint(words)
            or (words[-1] == "name" and "email" in value)
        ):
            continue
        elif _spoken(item, story) or (field in value and _taken_up(item, reply)):
            scored.append((2, shown(item) if name == "name" else f"{name} {shown(item)}"))
    best = sorted(scored, key=lambda entry: -entry[0])
    return list(dict.fromkeys(text for _, text in best))[:limit]


@lru_cache(maxsize=4096)
def _named(field: str) -> tuple[str, tuple[str, ...]]:
    """A field's name as it is said, a code as it stands, and the words of it."""
    name = (field if field.isupper() else field_words(field)) or "value"
    return name, tuple(name.split())


def _spoken(item: Any, story: Story) -> bool:
    """Whether the user named this value, and not only to be recognised (then a call has used it)."""
    short = not is_trivial(item) and len(str(item)) <= 40
    return short and story.index.mentioned("user", item) and not story.index.used(item)


def _taken_up(item: Any, reply: str) -> bool:
    """Whether the reply, in small letters, speaks of this value of a field."""
    words = item.replace("_", " ").lower() if isinstance(item, str) and 4 <= len(item) <= 30 else ""
    return bool(words) and not any(map(str.isdigit, words)) and stands_in(words, reply)


def _replied_on(step: Step, reply: str, story: Story) -> bool:
    """Whether the reply may speak of this call's result: it names its subject, or no other call's subject."""
    subjects = {normal(other.about) for other in story.steps if other.about is not None}
    named = {subject for subject in subjects if subject in reply.lower()}
    return not named or normal(step.about) in named


def _scalars(value: dict[str, Any]) -> list[tuple[str, Any]]:
    """(field, value) of the object's own fields and, behind them, of the objects in it."""
    own = [(key, item) for key, item in value.items() if not isinstance(item, dict) and item is not None]
    inner = [pair for item in value.values() if isinstance(item, dict) for pair in item.items()]
    return (own + [pair for pair in inner if not isinstance(pair[1], (dict, list)) and pair[1] is not None])[
        :MAX_FIELDS
    ]


def facets(trace: Trace, story: Story) -> list[str]:
    """What stands beside a picked value and was spoken of by the user: "color silver" for an item id."""
    source = trace.source
    if source.kind != "result" or not isinstance(source.holder, dict) or len(source.path) < 2:
        return []
    spoken = [
        (field, item)
        for field, item in _scalars(source.holder)
        if isinstance(item, str)
        and item != trace.value
        and 3 <= len(item) <= 30
        and not is_trivial(item)
        and field not in STATUS
    ]
    named = [(field, item) for field, item in spoken if story.index.mentioned("user", item)]
    found = [shown(item) if field == "name" else f"{field_words(field)} {shown(item)}" for field, item in named]
    return found[:3]


def siblings_done(trace: Trace, story: Story, tool: str) -> tuple[int, int] | None:
    """(how many entries the list has that the value was taken from, how many this tool was called with before)."""
    source = trace.source
    if source.kind != "result" or not isinstance(source.holder, list) or len(source.holder) < 2:
        return None
    used = {str(value) for step in story.steps if step.name == tool for value in step.arguments.values()}
    entries = [str(item) for item in source.holder if isinstance(item, (str, int))]
    return (len(entries), sum(item in used for item in entries)) if len(entries) == len(source.holder) else None


def grounds(text: str, story: Story) -> tuple[list[str], int] | None:
    """(values, message index): the ids, numbers and dates of a text that one result holds, where most of them stand."""
    spoken = {normal(fact): fact for fact in facts_in(text)[:12]}
    held: dict[int, list[str]] = {}
    for form, fact in spoken.items():
        for index in story.index.results_with(fact):
            held.setdefault(index, []).append(form)
    told = [(index, step) for index in held if (step := story.step_of(index)) is not None and not step.failed]
    about = {index: normal(step.about) for index, step in told}
    subjects = set(about.values())
    named = {step.name for index, step in told if about[index] in spoken}
    best: tuple[list[str], int] | None = None
    for index, step in sorted(told, key=lambda entry: -entry[0]):
        # A text on one order says nothing of another order that happens to hold the same date.
        if step.name in named and about[index] not in spoken:
            continue
        facts = [spoken[form] for form in held[index] if form not in subjects]
        if facts and (best is None or len(facts) > len(best[0])):
            best = facts, index
    return best


def cited(text: str, context: str, spoken_of: Step | None, story: Story, voice: Voice) -> str:
    """A clause on where the ids, numbers and dates of a text stand; "" if none of them is found.

    Args:
        text: an answer, or an expression to be calculated.
        context: the clause that stands before; a place that it names is not named again.
        spoken_of: the call that this clause is about.
        story: up to the turn.
        voice: picks the wording.
    """
    found = grounds(text, story)
    if found is None:
        return ""
    (facts, index), step = found, story.step_of(found[1])
    if step is None or (step is spoken_of and not isinstance(step.value, (dict, list))):
        return ""
    values, place = _with_fields(facts, index, story), place_of(step, story)
    if not values:
        return ""
    if step is spoken_of and place in context:
        return voice.pick((f"I find {values} there", f"there I see {values}"))
    return voice.pick(
        (
            f"{place} gave me {values}",
            f"I found {values} in {place}",
            f"I take {values} from {place}",
            f"I have read {values} in {place}",
            f"I see {values} in {place}",
        )
    )


def _with_fields(facts: list[str], index: int, story: Story) -> str:
    """Facts of the result at this index with their fields: "flight number HAT112 and HAT047, and price 120"."""
    named: dict[str, list[str]] = {}
    for fact in facts:
        label = field_words(story.index.field_of(fact, index)).strip()
        if _PERSONAL.isdisjoint(label.split()):
            named.setdefault(label, []).append(shown(fact))
    return ", and ".join(_labelled(label, values[:3]) for label, values in list(named.items())[:2])


def _labelled(label: str, values: list[str]) -> str:
    head, _, last = label.rpartition(" ")
    one = singular(last)
    last = one if len(values) == 1 or one.endswith(("y", "s")) else f"{one}s"
    return f"{head} {last} {listed(values)}".strip()


def place_of(step: Step, story: Story) -> str:
    """How a past result is spoken of, so that it is not taken for a later one of the same kind."""
    place, changed = _record(step), step.kind == "write"
    alike = (other for other in reversed(story.steps) if changed or other.name == step.name)
    if next((other for other in alike if not other.failed and _record(other) == place), step) is step:
        return place
    if place == CHANGED:
        return "the record after an earlier change"
    if place.startswith("what "):
        return f"{place} earlier"
    return f"an earlier {place.removeprefix('my ')}" if place.startswith("my ") else f"an earlier reading of {place}"


CHANGED = "the record after the change"


def _record(step: Step) -> str:
    return CHANGED if step.kind == "write" and isinstance(step.value, dict) else thing_of(step)
