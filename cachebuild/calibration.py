"""What a differing field costs: the expected fidelity of results when it alone differs, counted on recorded pairs.

p of a recorded call for a query is the product over the fields that differ.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import combinations, pairwise
from math import inf
from typing import Any, Literal, TypeAlias

from cachebuild.curve import GRID, Curve, PairSums, fit, p_at
from cachebuild.fidelity import beyond_chance, chance_of, shared, tokens
from cachebuild.ids import is_id_field
from cachebuild.similarity import StemWeights, stems, text_similarity
from curate.canonical import canonical_json
from curate.errors import FolderError, UsageError

FieldType: TypeAlias = Literal["id", "number", "enum", "structure", "text"]
NEVER_FUZZY: frozenset[FieldType] = frozenset(("id", "number"))
"""Another id is another thing and another number another answer, however alike they look."""
MAX_ENUM_VALUES = 20
CALLS_PER_ENUM_VALUE = 3
MAX_DISTINCT = 1_000
MAX_PAIRS = 10_000
"""Pairs of one field that are compared at most, and as many again of neighbours in a text field."""

_DIGITS = 6
"""Sums are rounded to this, so that they come back from the table as they were."""
_DIGIT = re.compile(r"\d")
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True)
class CalibrationSettings:
    """How p of a differing field is counted: (fidelity of the pairs + weight * prior) / (pairs + weight).

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
    """One distinct successful call, as calibration sees it; calls of one `group` share tool, place and state.

    `result` may be cut: it tells how near results come that `result_hash` says are not equal.
    """

    group: tuple[str, ...]
    arguments: Mapping[str, Any]
    result_hash: str
    result: str


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
    """What was counted for one field.

    Attributes:
        type: of its values.
        share: of the calls that have it.
        chance: what two results of the tool share by accident.
        sums: the pairs that differ in it alone, by similarity.
        equal: pairs of them with equal results.
        stems: of a text field's values.
    """

    type: FieldType
    share: float = 0.0
    chance: float = 0.0
    sums: PairSums = field(default_factory=PairSums)
    equal: int = 0
    stems: StemWeights = field(default_factory=StemWeights)

    def curve(self, settings: CalibrationSettings) -> Curve:
        """What p is at each similarity."""
        text = self.type == "text"
        prior = [similarity**settings.power if text else 0.0 for similarity in GRID]
        curve = fit(self.sums, prior, settings.weight)
        return curve if text else curve[:1] * len(curve)


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
    """Texts with digits in half of their words (dates, prices, "3667 GZ", "HAT001") are numbers.

    One digit or another order makes another value.
    """
    if isinstance(value, bool) or value is None:
        return "flag"
    if isinstance(value, (int, float)):
        return "number"
    if isinstance(value, str):
        return "number" if _is_code(value) else "text"
    return "structure"


def _is_code(text: str) -> bool:
    if not _DIGIT.search(text):
        return False
    found = _WORD.findall(text)
    return 2 * sum(1 for word in found if _DIGIT.search(word)) >= len(found)


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
    chance = round(chance_of(call.result for call in calls), _DIGITS)
    texts = [tuple((name, value_text(value)) for name, value in call.arguments.items()) for call in calls]
    holders: dict[str, list[int]] = {}
    for position, items in enumerate(texts):
        for name, _ in items:
            holders.setdefault(name, []).append(position)
    whole = _grouped(calls, texts, range(len(calls)))
    counted: dict[str, FieldCounts] = {}
    for name in sorted(holders):
        present = [calls[position].arguments[name] for position in holders[name]]
        kind = field_type(name, present, id_fields)
        counts = counted[name] = FieldCounts(kind, len(present) / len(calls), chance)
        if kind == "text":
            counts.stems = StemWeights.of(sorted({each for each in present if isinstance(each, str)}))
        groups = _grouped(calls, texts, holders[name], without=name)
        alike = [sorted(members + whole.get(group, [])) for group, members in groups.items()]
        alike = sorted(members for members in alike if len(members) > 1)
        _compare(counts, name, [[calls[position] for position in members] for members in alike], settings)
    return counted


_Items: TypeAlias = tuple[tuple[str, str], ...]
"""The fields of a call with a text of their value that no other value has."""


def _grouped(
    calls: Sequence[Recorded], texts: Sequence[_Items], positions: Iterable[int], without: str | None = None
) -> dict[tuple[tuple[str, ...], _Items], list[int]]:
    """Group and fields, but for one of them -> the positions of the calls that have these."""
    groups: dict[tuple[tuple[str, ...], _Items], list[int]] = {}
    for position in positions:
        items = texts[position]
        if without is not None:
            items = tuple(item for item in items if item[0] != without)
        groups.setdefault((calls[position].group, items), []).append(position)
    return groups


def value_text(value: Any) -> str:
    """A text of the value that no other has; no other JSON begins with a quotation mark."""
    if type(value) is str:
        return f'"{value}'
    return str(value) if type(value) is int else canonical_json(value, finite=True)


def _compare(
    counts: FieldCounts, name: str, groups: Sequence[Sequence[Recorded]], settings: CalibrationSettings
) -> None:
    """Add pairs of calls that are equal but for this field, out of each group of such calls."""
    token_counts = lru_cache(maxsize=2 * settings.max_group)(tokens)  # each call of a group meets all the others
    for one, two in _pairs(counts, name, groups, settings):
        similarity = _similarity(counts, one.arguments.get(name), two.arguments.get(name))
        if one.result_hash == two.result_hash:
            counts.equal += 1
            counts.sums.add(similarity, 1.0)
        else:
            share = shared(token_counts(one.result), token_counts(two.result))
            counts.sums.add(similarity, beyond_chance(share, counts.chance))
    for values in (counts.sums.pairs, counts.sums.fidelity):
        values[:] = [round(each, _DIGITS) for each in values]


def _pairs(
    counts: FieldCounts, name: str, groups: Sequence[Sequence[Recorded]], settings: CalibrationSettings
) -> Iterator[tuple[Recorded, Recorded]]:
    """The pairs to compare: all of the first calls of each group, and for texts those beside each other by stems.

    Calls come in the order of their keys, so the first are drawn at random; texts that share rare stems are too few
    for that, and they are the ones that look-up serves.
    """
    most = _most_of_group([len(group) for group in groups], settings.max_group)
    left = MAX_PAIRS
    for group in groups:
        for pair in combinations(group[:most], 2):
            if not left:
                break
            left -= 1
            yield pair
    if counts.type != "text":
        return
    left = MAX_PAIRS
    for group in groups:
        if len(group) > most:
            beside = sorted(group[most:], key=lambda call: _rarest_first(counts.stems, call.arguments.get(name)))
            for pair in list(pairwise(beside))[:left]:
                left -= 1
                yield pair


def _most_of_group(sizes: Sequence[int], most: int) -> int:
    """How many calls of each group can be compared with each other without exceeding `MAX_PAIRS` in all."""
    while most > 2 and sum(min(size, most) * (min(size, most) - 1) // 2 for size in sizes) > MAX_PAIRS:
        most -= max(1, most // 8)
    return most


def _rarest_first(weights: StemWeights, text: Any) -> list[tuple[float, str]]:
    found = stems(text) if isinstance(text, str) else ()
    return sorted((-weights.weight(stem), stem) for stem in found)


def _similarity(counts: FieldCounts, asked: Any, recorded: Any) -> float:
    """Similarity of two values that are not equal: only texts can be alike."""
    if counts.type == "text" and isinstance(asked, str) and isinstance(recorded, str):
        return text_similarity(asked, recorded, counts.stems)
    return 0.0


@dataclass(frozen=True)
class ToolCalibration:
    """The counted fields of one tool, ready to compare a query with recorded calls."""

    fields: Mapping[str, FieldCounts]
    settings: CalibrationSettings
    id_fields: tuple[str, ...] = ()

    @cached_property
    def curves(self) -> dict[str, Curve]:
        """Field -> p by similarity."""
        return {name: counts.curve(self.settings) for name, counts in self.fields.items()}

    def differences(self, asked: Mapping[str, Any], recorded: Mapping[str, Any]) -> list[FieldDifference]:
        """Every field in which the recorded arguments differ from those asked for, by name.

        A field that no successful call had costs everything.
        """
        found = []
        for name in sorted(asked.keys() | recorded.keys()):
            one, two = asked.get(name, _MISSING), recorded.get(name, _MISSING)
            if type(one) in (str, int) and type(one) is type(two) and one == two:
                continue
            texts = [None if value is _MISSING else canonical_json(value) for value in (one, two)]
            if texts[0] == texts[1]:
                continue
            counts = self.fields.get(name)
            if counts is None:
                kind = field_type(name, (each for each in (one, two) if each is not _MISSING), self.id_fields)
                found.append(FieldDifference(name, kind, texts[0], texts[1], 0.0, 0.0))
                continue
            similarity = _similarity(counts, one, two)
            p = p_at(self.curves[name], similarity)
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
    """The rows of table `calibration`, one a field."""
    for name, counts in counted.items():
        points = zip(GRID, counts.sums.pairs, counts.sums.fidelity, counts.curve(settings), strict=True)
        yield {
            "env_id": env_id,
            "tool": tool,
            "field": name,
            "type": counts.type,
            "share": counts.share,
            "chance": counts.chance,
            "pairs": round(sum(counts.sums.pairs)),
            "equal": counts.equal,
            "curve": [
                {"similarity": similarity, "pairs": pairs, "fidelity": total, "p": p}
                for similarity, pairs, total, p in points
            ],
            "values": counts.stems.values,
            "stems": [{"stem": stem, "values": values} for stem, values in counts.stems.counts.items()],
        }


def read_calibration(rows: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], dict[str, FieldCounts]]:
    """(env, tool) -> field -> counts, from the rows of table `calibration`.

    Raises:
        FolderError: for the table of an earlier version.
    """
    counted: dict[tuple[str, str], dict[str, FieldCounts]] = {}
    for row in rows:
        if "curve" not in row:
            raise FolderError(
                "table calibration of this cache is of an earlier version. "
                "Compile it again: python -m cachebuild DIR --out CACHE --overwrite"
            )
        sums = PairSums([point["pairs"] for point in row["curve"]], [point["fidelity"] for point in row["curve"]])
        weights = StemWeights(row["values"], {each["stem"]: each["values"] for each in row["stems"]})
        counts = FieldCounts(row["type"], row["share"], row["chance"], sums, row["equal"], weights)
        counted.setdefault((row["env_id"], row["tool"]), {})[row["field"]] = counts
    return counted
