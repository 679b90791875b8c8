"""Where a call's argument came from: the user, an earlier result's field, an earlier text or call, or nothing.

A `ValueIndex` is filled message by message as a trajectory goes on, so a whole trajectory costs linear time and a turn
can only ever be traced to what came before it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeAlias

from synth.names import topic_words
from synth.value_forms import (
    Path,
    all_facts,
    is_short_name,
    is_trivial,
    leaves,
    normal,
    spoken_forms,
    stands_in,
    without_thousands,
)
from synth.value_places import Holder, Place, Places, is_key, places_in, read_result

SourceKind: TypeAlias = Literal["user", "result", "assistant", "system", "call", "constant", "composed", "nothing"]

MAX_TEXT = 200_000
"""Characters of one text that are searched."""
NEWEST = 24
"""How many of the latest places of one value are compared; older ones cannot be the better source."""
TAIL = 32
"""How many of the latest texts of one speaker are searched directly."""
MAX_ARGUMENTS = 60
"""Leaf values of one call that are traced."""

_TOKEN = re.compile(r"\w+")
_SUM = re.compile(r"\d\W*[-+*/]")


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


class _Shown(NamedTuple):
    """A result or a call that has shown values."""

    kind: SourceKind
    message_index: int
    tool: str | None


class _Texts:
    """What one kind of speaker said; the latest texts are searched as they are, older ones through their words."""

    def __init__(self) -> None:
        self.texts: list[tuple[int, str]] = []
        self._postings: dict[str, list[int]] = {}

    def add(self, message_index: int, text: str) -> None:
        self.texts.append((message_index, without_thousands(text[:MAX_TEXT].lower())))
        old = len(self.texts) - TAIL - 1
        if old >= 0:
            for token in set(_TOKEN.findall(self.texts[old][1])):
                self._postings.setdefault(token, []).append(old)

    def find(self, forms: Sequence[str], near: str | None = None) -> int | None:
        """The message that last held one of the forms; with `near`, only beside words of that field."""
        for form in forms:
            for index, text in reversed(self.texts[-TAIL:]):
                if form in text and stands_in(form, text, near):
                    return index
            if self._postings:
                probe = max(_TOKEN.findall(form), key=len, default="")
                for at in self._postings.get(probe, [])[: -NEWEST - 1 : -1]:
                    index, text = self.texts[at]
                    if stands_in(form, text, near):
                        return index
        return None


class ValueIndex:
    """Every value that a trajectory has shown so far; add messages in order, then ask."""

    def __init__(self) -> None:
        self._values: defaultdict[str, list[tuple[_Shown, list[Place]]]] = defaultdict(list)
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
        value, places = read_result(text)
        self._add_places(_Shown("result", message_index, tool), places)
        if not isinstance(value, (dict, list)):
            self._tools[message_index] = tool
            if isinstance(value, str) and value:
                self.add_text("result", message_index, value)
        return value

    def add_call(self, message_index: int, tool: str, arguments: Any, places: Places | None = None) -> None:
        """Add a call's arguments; their places, where they are known already."""
        self._add_places(_Shown("call", message_index, tool), places_in(arguments) if places is None else places)

    def _add_places(self, shown: _Shown, places: Places) -> None:
        for form, where in places.items():
            self._values[form].append((shown, where))

    def _latest_places(self, value: Any) -> Iterator[tuple[_Shown, Holder, str | int]]:
        """The latest places of a value, the latest first."""
        left = NEWEST
        for shown, where in reversed(self._values.get(normal(value), ())):
            for holder, key in where[: -left - 1 : -1]:
                yield shown, holder, key
            left -= len(where)
            if left <= 0:
                return

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
        forms = spoken_forms(value)
        fields = {} if trivial and not is_short_name(value) else self._fields(name, value, trivial)
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
        return self._said(kind, spoken_forms(value), None) is not None

    def used(self, value: Any) -> bool:
        """Whether a call had this value among its arguments before."""
        return any(shown.kind == "call" for shown, _, _ in self._latest_places(value))

    def results_with(self, fact: str) -> list[int]:
        """The results, as message indexes, the latest first, that hold this id, number or date of an answer's text."""
        shown = (shown for shown, _, _ in self._latest_places(fact))
        found = list(dict.fromkeys(at for kind, at, _ in shown if kind == "result"))
        if found:
            return found
        said = self._said("result", spoken_forms(fact), None)
        return [said.message_index] if said is not None else []

    def field_of(self, fact: str, message_index: int) -> str:
        """The field of a result that holds this fact, "" if it has none; `economy` of `prices` is "economy prices"."""
        for shown, (above, _), key in self._latest_places(fact):
            if shown.kind == "result" and shown.message_index == message_index:
                named = [at for at in (*above, key) if isinstance(at, str) and not is_key(at)]
                inside = len(named) > 1 and named[-2:] == [*above[-1:], key] and named[-2].endswith("s")
                return " ".join(named[:-3:-1] if inside else named[-1:])
        return ""

    def _fields(self, name: str, value: Any, short: bool) -> dict[str, Source]:
        """The best field of a result and of an earlier call that holds the value."""
        topic, best = topic_words(name), dict[str, Source]()
        for (kind, at, tool), (above, node), key in self._latest_places(value):
            known = best.get(kind)
            if known is not None and known.named:
                continue
            named = key == name or _speaks_of(topic, (*above, key), tool)
            if (known is None and not short) or named:
                best[kind] = Source(kind, at, tool, (*above, key) if node is not None else (), node, named)
        return best

    def _said(self, kind: SourceKind, forms: Sequence[str], near: str | None) -> Source | None:
        texts = self._texts.get(kind)
        index = texts.find(forms, near) if texts is not None else None
        return None if index is None else Source(kind, index, self._tools.get(index))

    def _unfound(self, value: Any, trivial: bool, spec: Mapping[str, Any]) -> SourceKind:
        enum = spec.get("enum")
        if trivial or value == spec.get("default", ...) or (isinstance(enum, list) and value in enum):
            return "constant"
        if isinstance(value, str) and (len(value.split()) > 3 or _SUM.search(value)):
            return "composed" if all(self._anywhere(fact) for fact in all_facts(value)) else "nothing"
        return "nothing"

    def _anywhere(self, fact: str) -> bool:
        if is_trivial(fact) or self._values.get(normal(fact)):
            return True
        return any(self._said(kind, spoken_forms(fact), None) for kind in self._texts)


def _speaks_of(topic: frozenset[str], path: Path, tool: str | None) -> bool:
    """Whether the last fields of a path speak of the topic, or the tool where there are none."""
    if not topic:
        return False
    steps = [step for step in path if isinstance(step, str)][-3:]
    steps = steps or ([tool] if tool else [])
    return any(not topic.isdisjoint(topic_words(step)) for step in steps)
