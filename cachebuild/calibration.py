"""How likely two calls that differ in a field have the same result: counted on recorded pairs that differ in it alone.

p of a recorded call for a query is the product over the fields that differ.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import combinations
from math import inf
from typing import Any, Literal, TypeAlias

from cachebuild.state import is_id_field
from curate.canonical import canonical_json
from curate.errors import UsageError

FieldType: TypeAlias = Literal["id", "number", "enum", "structure", "text"]
NEVER_FUZZY: frozenset[FieldType] = frozenset(("id", "number"))
"""Another id is another thing and another number another answer, however alike they look."""
BANDS = (0.0, 0.5, 0.8)
"""Lower bounds of the similarity bands in which the pairs of a text field are counted."""
MAX_ENUM_VALUES = 20
CALLS_PER_ENUM_VALUE = 3
MAX_DISTINCT = 1_000

_DIGITS_ONLY = re.compile(r"[\W\d_]*\d[\W\d_]*")
_TOKEN = re.compile(r"\w+")


@dataclass(frozen=True)
class CalibrationSettings:
    """How p of a differing field is counted: (equal + weight * prior) / (pairs + weight).

    Attributes:
        weight: pseudo-pairs of the prior; with 10, a hard field needs 40 pairs, all equal, to reach .8.
        power: a text field's prior is similarity ** power; hard fields (id, number, enum, structure) have prior 0.
        max_group: values of one field compared with each other at most (pairs grow with the square).
    """

    weight: float = 10.0
    power: float = 6.0
    max_group: int = 200

    def check(self) -> None:
        """Refuse a prior without weight (a field that was never compared would have no p) or above 1.

        Raises:
            UsageError: naming the setting.
        """
        if not 0 < self.weight < inf:  # so that NaN is refused too
            raise UsageError(f"--weight must be above 0, not {self.weight}")
        if not 0 <= self.power < inf:
            raise UsageError(f"--power must be at least 0, not {self.power}")
        if self.max_group < 2:
            raise UsageError(f"--max-group must be at least 2, not {self.max_group}")


@dataclass(frozen=True, slots=True)
class Recorded:
    """One distinct successful call, as calibration sees it; calls of one `group` share tool, place and state."""

    group: tuple[str, ...]
    arguments: Mapping[str, Any]
    result_hash: str


@dataclass(frozen=True, slots=True)
class FieldDifference:
    """One field in which a recorded call differs from the query, and what that costs; texts are canonical JSON."""

    field: str
    type: FieldType
    asked: str | None
    recorded: str | None
    similarity: float
    p: float


@dataclass
class FieldCounts:
    """What was counted for one field: pairs and pairs with equal results, one of each a band.

    `share` is the share of the calls that have the field.
    """

    type: FieldType
    share: float = 0.0
    pairs: list[int] = field(default_factory=lambda: [0] * len(BANDS))
    equal: list[int] = field(default_factory=lambda: [0] * len(BANDS))

    def p(self, similarity: float, settings: CalibrationSettings) -> float:
        """How likely a difference of this similarity leaves the result as it is (Laplace smoothing)."""
        at = _band(similarity)
        prior = similarity**settings.power if self.type == "text" else 0.0
        return (self.equal[at] + settings.weight * prior) / (self.pairs[at] + settings.weight)


def field_type(name: str, values: Iterable[Any], id_fields: tuple[str, ...] = ()) -> FieldType:
    """The type of an argument field from its name and the values of all its calls."""
    if is_id_field(name, id_fields):
        return "id"
    kinds: Counter[str] = Counter()
    distinct: set[str] = set()
    for value in values:
        kinds[_value_kind(value)] += 1
        if isinstance(value, str) and len(distinct) < MAX_DISTINCT:
            distinct.add(value)
    total = sum(kinds.values())
    if kinds["structure"]:
        return "structure"
    if kinds["number"] * 2 > total:
        return "number"
    if not kinds["text"]:
        return "enum"
    few = len(distinct) <= MAX_ENUM_VALUES and len(distinct) * CALLS_PER_ENUM_VALUE <= total
    return "enum" if few else "text"


def _value_kind(value: Any) -> str:
    """Texts of digits and punctuation (dates, sums, prices) are numbers: one digit makes another value."""
    if isinstance(value, bool) or value is None:
        return "flag"
    if isinstance(value, (int, float)):
        return "number"
    if isinstance(value, str):
        return "number" if _DIGITS_ONLY.fullmatch(value) else "text"
    return "structure"


def text_similarity(first: str, second: str) -> float:
    """Jaccard similarity of the casefolded words, 0 to 1; 0 if the words that hold digits are not the same."""
    one, two = _tokens(first), _tokens(second)
    if one == two:
        return 1.0
    if any(any(c.isdigit() for c in token) for token in one ^ two):
        return 0.0
    return len(one & two) / len(one | two)


@lru_cache(maxsize=4_096)
def _tokens(text: str) -> frozenset[str]:
    return frozenset(_TOKEN.findall(text.casefold()))


def _band(similarity: float) -> int:
    return max(index for index, start in enumerate(BANDS) if similarity >= start)


def calibrate(
    calls: Iterable[Recorded], settings: CalibrationSettings, id_fields: tuple[str, ...] = ()
) -> dict[str, FieldCounts]:
    """Count the pairs of one tool's distinct calls that differ in one field alone.

    Failed calls say nothing here ("not found" is the same text for every wrong name), so callers leave them out.

    Args:
        calls: of one tool of one env, in a fixed order.
        settings: how many values are compared.
        id_fields: further names of id fields.

    Returns:
        Field name -> counts, in the order of the names.
    """
    calls = list(calls)
    names = sorted({name for call in calls for name in call.arguments})
    texts = [{name: canonical_json(value) for name, value in call.arguments.items()} for call in calls]
    counted: dict[str, FieldCounts] = {}
    for name in names:
        present = [call.arguments[name] for call in calls if name in call.arguments]
        counts = counted[name] = FieldCounts(field_type(name, present, id_fields), len(present) / len(calls))
        groups: dict[tuple[Any, ...], list[int]] = {}
        for position, call in enumerate(calls):
            rest = tuple(item for item in texts[position].items() if item[0] != name)
            groups.setdefault((call.group, rest), []).append(position)
        for group in groups.values():
            _count_pairs(counts, name, [calls[position] for position in group], settings)
    return counted


def _count_pairs(counts: FieldCounts, name: str, calls: list[Recorded], settings: CalibrationSettings) -> None:
    """Add the pairs of calls that are equal but for this field."""
    if counts.type != "text":
        results = Counter(call.result_hash for call in calls)
        counts.pairs[0] += _pairs(len(calls))
        counts.equal[0] += sum(map(_pairs, results.values()))
        return
    for one, two in combinations(calls[: settings.max_group], 2):
        at = _band(_similarity("text", one.arguments.get(name), two.arguments.get(name)))
        counts.pairs[at] += 1
        counts.equal[at] += one.result_hash == two.result_hash


def _pairs(number: int) -> int:
    return number * (number - 1) // 2


def _similarity(kind: FieldType, asked: Any, recorded: Any) -> float:
    """Similarity of two values that are not equal: only texts can be alike."""
    if kind == "text" and isinstance(asked, str) and isinstance(recorded, str):
        return text_similarity(asked, recorded)
    return 0.0


@dataclass(frozen=True)
class ToolCalibration:
    """The counted fields of one tool, ready to compare a query with recorded calls."""

    fields: Mapping[str, FieldCounts]
    settings: CalibrationSettings
    id_fields: tuple[str, ...] = ()

    def differences(self, asked: Mapping[str, Any], recorded: Mapping[str, Any]) -> list[FieldDifference]:
        """Every field in which the recorded arguments differ from those asked for, by name."""
        found = []
        for name in sorted(asked.keys() | recorded.keys()):
            one, two = asked.get(name, _MISSING), recorded.get(name, _MISSING)
            if isinstance(one, str) and one == two:
                continue
            texts = [None if value is _MISSING else canonical_json(value) for value in (one, two)]
            if texts[0] == texts[1]:
                continue
            counts = self.fields.get(name) or FieldCounts(field_type(name, (one, two), self.id_fields))
            similarity = _similarity(counts.type, one, two)
            p = counts.p(similarity, self.settings)
            found.append(FieldDifference(name, counts.type, texts[0], texts[1], similarity, p))
        return found


def product(differences: Iterable[FieldDifference]) -> float:
    """The p of a recorded call: the product over the fields that differ, 1 without any."""
    p = 1.0
    for difference in differences:
        p *= difference.p
    return p


_MISSING = object()


def calibration_rows(
    env_id: str, tool: str, counted: Mapping[str, FieldCounts], settings: CalibrationSettings
) -> Iterator[dict[str, Any]]:
    """The rows of table `calibration`: one a field, for text fields one a band of similarity.

    `p_differs` of a text band is that of its lower bound.
    """
    for name, counts in counted.items():
        bands = range(len(BANDS)) if counts.type == "text" else range(1)
        for at in bands:
            last = at + 1 == len(BANDS) or counts.type != "text"
            yield {
                "env_id": env_id,
                "tool": tool,
                "field": name,
                "type": counts.type,
                "similarity_from": BANDS[at],
                "similarity_below": 1.0 if last else BANDS[at + 1],
                "pairs": counts.pairs[at],
                "equal": counts.equal[at],
                "p_differs": counts.p(BANDS[at], settings),
            }


def read_calibration(rows: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], dict[str, FieldCounts]]:
    """(env, tool) -> field -> counts, from the rows of table `calibration`."""
    counted: dict[tuple[str, str], dict[str, FieldCounts]] = {}
    for row in rows:
        fields = counted.setdefault((row["env_id"], row["tool"]), {})
        counts = fields.setdefault(row["field"], FieldCounts(row["type"]))
        at = _band(row["similarity_from"])
        counts.pairs[at], counts.equal[at] = row["pairs"], row["equal"]
    return counted
