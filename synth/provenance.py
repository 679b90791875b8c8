"""Where a call's argument came from: the user, an earlier result's field, an earlier text or call, or nothing.

A `ValueIndex` is filled message by message as a trajectory goes on, so a whole trajectory costs linear time and a turn
can only ever be traced to what came before it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal, TypeAlias

from curate.canonical import parse_json
from curate.env import name_words
from synth.names import singular, topic_words

SourceKind: TypeAlias = Literal["user", "result", "assistant", "system", "call", "constant", "composed", "nothing"]
Path: TypeAlias = tuple[str | int, ...]

SHORT_TEXT = 48
"""Characters up to which the compared form of a text is kept; most values come again and again."""
MAX_LEAVES = 20_000
"""Values taken from one tool result; a result of megabytes must not stop a batch."""
MAX_TEXT = 200_000
"""Characters of one text that are searched."""
NEWEST = 24
"""How many of the latest places of one value are compared; older ones cannot be the better source."""
TAIL = 32
"""How many of the latest texts of one speaker are searched directly."""
MAX_ARGUMENTS = 60
"""Leaf values of one call that are traced."""

_TOKEN = re.compile(r"\w+")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}\b)")
_ISO_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)$")
_FACT = re.compile(r"#?\b(?:[A-Z]{1,6}-)?\w*\d\w*(?:[-.:@]\w+)*")
_MONTHS = "january february march april may june july august september october november december".split()
_JOINING = ("_", "@")
_COUNTING = ("total", "new", "num", "max", "min", "count")
REACH = 24
"""Characters between a small number and the words that say what it counts."""
_NUMBER_WORDS = "zero one two three four five six seven eight nine ten eleven twelve".split()


@dataclass(frozen=True, slots=True)
class Source:
    """One place where a value stood before the turn.

    Attributes:
        kind: who said it.
        message_index: of the message that holds it; -1 for a constant, a composed text or nothing.
        tool: whose result or call it is.
        path: field path inside a result or call; empty for text.
        holder: the object or list that holds the value, for what stands beside it.
        named: whether the field speaks of the same as the argument.
    """

    kind: SourceKind
    message_index: int = -1
    tool: str | None = None
    path: Path = ()
    holder: Any = field(default=None, repr=False, compare=False)
    named: bool = False


@dataclass(frozen=True, slots=True)
class Trace:
    """One leaf value of a call's arguments with its sources, the best first (never empty).

    Attributes:
        path: where in the arguments.
        name: its field: the last named step of the path.
        value: as parsed.
        sources: where it stood before the turn.
    """

    path: Path
    name: str
    value: Any
    sources: tuple[Source, ...]

    @property
    def source(self) -> Source:
        """The best source."""
        return self.sources[0]

    def of(self, kind: SourceKind) -> Source | None:
        """The source of this kind, if there is one."""
        return next((source for source in self.sources if source.kind == kind), None)


@dataclass(frozen=True, slots=True)
class _Place:
    """A container of values inside a result or a call's arguments."""

    kind: SourceKind
    message_index: int
    tool: str | None
    path: Path
    holder: Any


class _Texts:
    """What one kind of speaker said; the latest texts are searched as they are, older ones through their words."""

    def __init__(self) -> None:
        self.texts: list[tuple[int, str]] = []
        self._postings: dict[str, list[int]] = {}

    def add(self, message_index: int, text: str) -> None:
        folded = text[:MAX_TEXT].lower()
        self.texts.append((message_index, _THOUSANDS.sub("", folded) if "," in folded else folded))
        old = len(self.texts) - TAIL - 1
        if old >= 0:
            for token in set(_TOKEN.findall(self.texts[old][1])):
                self._postings.setdefault(token, []).append(old)

    def find(self, forms: Sequence[str], near: str | None = None) -> int | None:
        """The message that last held one of the forms; with `near`, only beside words of that field."""
        for form in forms:
            for index, text in reversed(self.texts[-TAIL:]):
                if form in text and _within(form, text, near):
                    return index
            if self._postings:
                probe = max(_TOKEN.findall(form), key=len, default="")
                for at in self._postings.get(probe, [])[: -NEWEST - 1 : -1]:
                    index, text = self.texts[at]
                    if _within(form, text, near):
                        return index
        return None


class ValueIndex:
    """Every value that a trajectory has shown so far; add messages in order, then ask."""

    def __init__(self) -> None:
        self._values: defaultdict[str, list[tuple[_Place, str | int]]] = defaultdict(list)
        self._texts: dict[SourceKind, _Texts] = {}
        self._tools: dict[int, str | None] = {}

    def add_text(self, kind: SourceKind, message_index: int, text: str) -> None:
        """Add what a user, the assistant, a system message or a plain-text result said."""
        texts = self._texts.get(kind)
        if texts is None:
            texts = self._texts[kind] = _Texts()
        texts.add(message_index, text)

    def add_result(self, message_index: int, tool: str | None, text: str) -> Any:
        """Add a tool result and return it parsed, or as text where it is no JSON."""
        value = _parsed(text)
        if isinstance(value, (dict, list)):
            self.add_tree("result", message_index, tool, value)
            return value
        self._tools[message_index] = tool
        place = _Place("result", message_index, tool, (), None)
        self._values[normal(value)].append((place, ""))
        if isinstance(value, str) and value:
            self.add_text("result", message_index, value)
        return value

    def add_tree(self, kind: SourceKind, message_index: int, tool: str | None, value: Any) -> None:
        """Add every leaf of a parsed result or of a call's arguments, and keys that are ids themselves."""
        values, left = self._values, MAX_LEAVES
        stack: list[tuple[Path, Any]] = [((), value)]
        while stack and left > 0:
            path, node = stack.pop()
            place = _Place(kind, message_index, tool, path, node)
            items = node.items() if isinstance(node, dict) else enumerate(node)
            left -= len(node)
            if isinstance(node, dict) and node and _is_key(next(iter(node))):
                for key in node:
                    values[normal(key)].append((place, key))
            for key, item in items:
                if isinstance(item, (dict, list)):
                    stack.append(((*path, key), item))
                elif item is not None:
                    values[normal(item)].append((place, key))

    def trace_arguments(self, arguments: Mapping[str, Any], schema: Mapping[str, Any] | None = None) -> list[Trace]:
        """The sources of every leaf of a call's arguments.

        Args:
            arguments: as parsed.
            schema: the tool's parameters as a JSON schema, for enums and defaults.
        """
        properties = (schema or {}).get("properties")
        traces = []
        for path, value in leaves(arguments) if arguments else ():
            spec = properties.get(path[0]) if isinstance(properties, dict) and path else None
            traces.append(self.trace(path, value, spec if isinstance(spec, dict) else None))
            if len(traces) == MAX_ARGUMENTS:
                break
        return traces

    def trace(self, path: Path, value: Any, spec: Mapping[str, Any] | None = None) -> Trace:
        """The sources of one value, best first.

        A field of the same name beats free text, except what the user said since or in the last message; the latest
        place beats older ones.
        Values that stand everywhere (1, "no", true) are found by accident in any result: they have no source unless
        the user said them beside the field's words ("three checked bags"). A short name ("TX") needs its own field.
        """
        name = next((step for step in reversed(path) if isinstance(step, str)), "")
        trivial = is_trivial(value)
        near = name if trivial else None
        forms = _forms(value)
        fields = {} if trivial and not _is_short_name(value) else self._fields(name, value, trivial)
        user, result = self._said("user", forms, near), fields.get("result")
        since = result.message_index if result else -1
        fresh = user is not None and (user.message_index > since or user.message_index == self.latest_user)
        found: list[Source | None] = [
            user if fresh else None,
            result if result and result.named else None,
            user,
            result,
        ]
        if user is None and result is None and not trivial:
            found = [self._said("result", forms, None), self._said("assistant", forms, None)]
            found += [self._said("system", forms, None), fields.get("call")]
        sources = [source for at, source in enumerate(found) if source is not None and source not in found[:at]]
        if not sources:
            sources = [Source(self._unfound(value, trivial, spec or {}))]
        return Trace(path, name, value, tuple(sources))

    @property
    def latest_user(self) -> int:
        """Index of the last user message, -1 before the first."""
        texts = self._texts.get("user")
        return texts.texts[-1][0] if texts is not None else -1

    def mentioned(self, kind: SourceKind, value: Any) -> bool:
        """Whether a text of this kind (say, any user message) holds the value, as a whole word."""
        return self._said(kind, _forms(value), None) is not None

    def used(self, value: Any) -> bool:
        """Whether a call had this value among its arguments before."""
        return any(place.kind == "call" for place, _ in self._values.get(normal(value), ())[: -NEWEST - 1 : -1])

    def results_with(self, fact: str) -> list[int]:
        """The results, as message indexes, the latest first, that hold this id, number or date of an answer's text."""
        places = self._values.get(normal(fact), ())[: -NEWEST - 1 : -1]
        found = list(dict.fromkeys(place.message_index for place, _ in places if place.kind == "result"))
        if found:
            return found
        said = self._said("result", _forms(fact), None)
        return [said.message_index] if said is not None else []

    def _fields(self, name: str, value: Any, short: bool) -> dict[str, Source]:
        """The best field of a result and of an earlier call that holds the value."""
        topic, best = topic_words(name), dict[str, Source]()
        for place, key in self._values.get(normal(value), ())[: -NEWEST - 1 : -1]:
            known = best.get(place.kind)
            if known is not None and known.named:
                continue
            named = _speaks_of(topic, name, place, key)
            if (known is None and not short) or named:
                path = (*place.path, key) if place.holder is not None else ()
                best[place.kind] = Source(place.kind, place.message_index, place.tool, path, place.holder, named)
        return best

    def _said(self, kind: SourceKind, forms: Sequence[str], near: str | None) -> Source | None:
        texts = self._texts.get(kind)
        index = texts.find(forms, near) if texts is not None else None
        return None if index is None else Source(kind, index, self._tools.get(index))

    def _unfound(self, value: Any, trivial: bool, spec: Mapping[str, Any]) -> SourceKind:
        enum = spec.get("enum")
        if trivial or value == spec.get("default", ...) or (isinstance(enum, list) and value in enum):
            return "constant"
        if isinstance(value, str) and (len(value.split()) > 3 or re.search(r"\d\W*[-+*/]", value)):
            facts = _FACT.findall(value)
            return "composed" if all(self._anywhere(fact) for fact in facts) else "nothing"
        return "nothing"

    def _anywhere(self, fact: str) -> bool:
        if is_trivial(fact) or self._values.get(normal(fact)):
            return True
        return any(self._said(kind, _forms(fact), None) for kind in self._texts)


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """(path, value) of every leaf; an empty list or object is a leaf itself."""
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from leaves(item, (*path, key))
    elif isinstance(value, list) and value:
        for at, item in enumerate(value):
            yield from leaves(item, (*path, at))
    else:
        yield path, value


def facts_in(text: str) -> list[str]:
    """Ids, numbers and dates of a text in their order, each once; small numbers are left out."""
    found = dict.fromkeys(match.rstrip(".:-") for match in _FACT.findall(_THOUSANDS.sub("", text)))
    return [fact for fact in found if len(fact.strip("#")) >= 3 and not is_trivial(fact)]


def normal(value: Any) -> str:
    """The form in which values are compared: numbers by value, texts without case, outer space and leading `#`."""
    if isinstance(value, str):
        return _normal_short(value) if len(value) <= SHORT_TEXT else _normal_text(value)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _normal_text(text: str) -> str:
    text = text.strip().lower()
    return text[1:] if text.startswith("#") else text


_normal_short = lru_cache(maxsize=65_536)(_normal_text)


def is_trivial(value: Any) -> bool:
    """Whether a value is too common to be traced by itself: truth values, nothing, small numbers, "no"."""
    if value is None or isinstance(value, (bool, list, dict)):
        return True
    text = normal(value)
    return len(text) <= 2 or text in ("yes", "none", "null", "true", "false", "all", "any")


def _is_short_name(value: Any) -> bool:
    """Whether a value of two characters is a name or a code, such as a state's."""
    return isinstance(value, str) and len(value) == 2 and value.isalpha() and value.lower() != "no"


def _is_key(key: Any) -> bool:
    """Whether an object's key looks like an id or a code itself: its values are then entries, not fields."""
    return isinstance(key, str) and (key.isupper() or any(map(str.isdigit, key)))


def _speaks_of(topic: frozenset[str], name: str, place: _Place, key: str | int) -> bool:
    if key == name:
        return True
    if not topic:
        return False
    steps = [step for step in (*place.path, key) if isinstance(step, str)][-3:]
    steps = steps or ([place.tool] if place.tool else [])
    return any(topic & topic_words(step) for step in steps)


def _forms(value: Any) -> list[str]:
    """How a value may stand in a text: as it is, a date in words, a small number as a word."""
    text = normal(value)
    forms = [text] if text else []
    date = _ISO_DATE.match(text)
    if date:
        month, day = int(date[2]), int(date[3])
        if 1 <= month <= 12:
            word = _MONTHS[month - 1]
            forms += [f"{word} {day}", f"{word[:3]} {day}", f"{day} {word}", f"{day} {word[:3]}", f"{month}/{day}"]
            forms += [f"{word} {day}{_ending(day)}", f"{day}{_ending(day)} of {word}"]
    elif text.isdigit() and len(text) <= 2 and int(text) < len(_NUMBER_WORDS):
        forms.append(_NUMBER_WORDS[int(text)])
    elif "_" in text:
        forms.append(text.replace("_", " "))
    return forms


def _ending(day: int) -> str:
    return "th" if 10 < day < 14 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")


def _within(needle: str, text: str, near: str | None = None) -> bool:
    """Whether `needle` is a word of its own in `text`, beside words of `near`: `5` is not in `15`, `5.08` or `a5`."""
    at = text.find(needle)
    while at >= 0:
        end = at + len(needle)
        before, after = text[at - 1 : at], text[end : end + 1]
        inside = before.isalnum() or after.isalnum() or before in _JOINING or after in _JOINING
        longer = after == "." and text[end + 1 : end + 2].isdigit()
        longer = longer or (before == "." and text[at - 2 : at - 1].isdigit())
        alone = not inside and not (longer and needle[-1:].isdigit())
        if alone and (near is None or _near_topic(near, text[max(0, at - REACH) : end + REACH])):
            return True
        at = text.find(needle, at + 1)
    return False


def _near_topic(name: str, text: str) -> bool:
    """Whether the text speaks of the argument too: "three checked bags" for `total_baggages`."""
    words = [singular(word) for word in name_words(name) if len(word) > 2 and word not in _COUNTING]
    return bool(words) and all(word[: max(3, len(word) - 4)] in text for word in words)


def _parsed(text: str) -> Any:
    head = text.lstrip()[:1]
    if head and (head in "[{-" or head.isdigit()):
        try:
            return parse_json(text)
        except ValueError:
            return text
    return text
