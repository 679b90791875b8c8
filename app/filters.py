"""Which traces a reader wants to see and in which order: a state that stands whole in an address.

`parsed` makes a state of query parameters, `params` makes parameters of a state, `expression` makes it a filter on the
index frame. What an address says wrong is ignored and told; it never stops a page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qsl, urlencode

import polars as pl

NONE = "(none)"
"""Chosen for rows that have no value: no tier, no tool, no split."""
LONGEST_TEXT = 1_000
LARGEST = 1e15
"""Limits beyond it are refused: between integers up to it floats are exact."""


@dataclass(frozen=True)
class Choice:
    """A field of which a reader chooses values; a row fits if it has one of them."""

    column: str
    title: str
    many: bool = False


CHOICES: Mapping[str, Choice] = {
    "folder": Choice("folder", "Folder"),
    "source": Choice("source", "Source"),
    "tool": Choice("tools", "Tool called", many=True),
    "worst": Choice("worst_tier", "Worst tier"),
    "tier": Choice("tiers", "Any result of tier", many=True),
    "kind": Choice("turn_kinds", "Turn kind", many=True),
    "flag": Choice("flags", "Thinking flagged by", many=True),
    "step": Choice("reject_step", "Rejected by"),
    "reason": Choice("reject_reason", "Reject reason"),
    "split": Choice("split", "Split"),
    "env": Choice("env_id", "Environment"),
    "task": Choice("task_id", "Task"),
    "status": Choice("status", "Rollout status"),
}
"""Name, which is the parameter too -> the column of the index."""

RANGES: Mapping[str, tuple[str, str]] = {
    "reward": ("reward", "Reward"),
    "turns": ("turns", "Turns"),
    "messages": ("messages", "Messages"),
    "calls": ("calls", "Calls"),
    "failed": ("failed_calls", "Failed calls"),
    "characters": ("characters", "Characters"),
    "p": ("min_p", "Lowest p"),
    "thinking": ("thinking", "Turns with thinking"),
}
"""Name, which is the parameter too -> the column of the index and its title."""

SORTS: Mapping[str, tuple[str, str]] = {
    **RANGES,
    "weight": ("weight", "Weight"),
    "source": ("source", "Source"),
    "task": ("task_id", "Task"),
    "worst": ("worst_tier", "Worst tier"),
    "reason": ("reject_reason", "Reject reason"),
    "trace": ("trace", "Trace"),
}
TABLES: Mapping[str, str] = {"kept": "trajectories", "rejected": "rejects"}
UNLABELLED, LABELLED, MINE, DISPUTED = "unlabelled", "labelled", "mine", "disputed"


@dataclass(frozen=True)
class Range:
    """From `low` to `high`, both within; None is open."""

    low: float | None = None
    high: float | None = None

    def __str__(self) -> str:
        return f"{_number(self.low)}..{_number(self.high)}"

    @classmethod
    def parsed(cls, text: str) -> Range | None:
        """Of "3..10", "3.." or "..10"; None if it is no range."""
        low, dots, high = text.partition("..")
        try:
            made = cls(_limit(low), _limit(high))
        except ValueError:
            return None
        if not dots or made == cls():
            return None
        upside_down = made.low is not None and made.high is not None and made.low > made.high
        return None if upside_down else made


@dataclass(frozen=True)
class FilterState:
    """What is asked of the index; `FilterState()` is every trace, in the order of folders and rows."""

    text: str = ""
    show: str = ""
    """`kept`, `rejected` or empty for both."""
    chosen: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Of CHOICES; no entry is empty."""
    ranges: Mapping[str, Range] = field(default_factory=dict)
    """Of RANGES; no entry is open on both sides."""
    labels: tuple[str, ...] = ()
    """`unlabelled`, `labelled`, `mine`, `disputed`, a verdict, `mine.VERDICT` or `tag.TAG`; a row fits one of them."""
    sort: str = ""
    descending: bool = False
    page: int = 1

    def narrowed(self) -> bool:
        """Whether it leaves any trace out."""
        return bool(self.text or self.show or self.chosen or self.ranges or self.labels)

    def choosing(self, name: str, values: Sequence[str]) -> FilterState:
        """The same with other values of a choice, from its first page on."""
        kept = {**self.chosen, name: tuple(values)}
        return replace(self, chosen={key: kept[key] for key in CHOICES if kept.get(key)}, page=1)

    def within(self, name: str, limits: Range) -> FilterState:
        """The same with other limits of a range, from its first page on."""
        kept = {**self.ranges, name: limits}
        return replace(self, ranges={key: kept[key] for key in RANGES if kept.get(key, Range()) != Range()}, page=1)

    def params(self) -> dict[str, str]:
        """The query parameters that restore it."""
        given = {
            "q": self.text,
            "show": self.show,
            **{name: joined(self.chosen[name]) for name in CHOICES if name in self.chosen},
            **{name: str(self.ranges[name]) for name in RANGES if name in self.ranges},
            "label": joined(self.labels),
            "sort": f"-{self.sort}" if self.sort and self.descending else self.sort,
            "page": str(self.page) if self.page > 1 else "",
        }
        return {name: value for name, value in given.items() if value}

    def query(self) -> str:
        """The parameters as one text: `back` of the page that reads a trace."""
        return urlencode(self.params())

    def expression(self) -> pl.Expr:
        """What the index frame is filtered by; text and labels, which are not in the index, stand outside it."""
        parts = [_chosen_expression(CHOICES[name], values) for name, values in self.chosen.items()]
        parts += [_range_expression(RANGES[name][0], limits) for name, limits in self.ranges.items()]
        if self.show:
            parts.append(pl.col("table") == TABLES[self.show])
        return pl.all_horizontal(parts) if parts else pl.lit(True)


def parsed(params: Mapping[str, str]) -> tuple[FilterState, list[str]]:
    """The state that parameters ask for, and what of them was ignored, in words that may hold hostile text."""
    faults: list[str] = []
    text = params.get("q", "")
    if len(text) > LONGEST_TEXT:
        faults.append(f"q is longer than {LONGEST_TEXT:,} characters")
        text = ""
    state = FilterState(
        text=text,
        show=_one_of(params, "show", TABLES, faults),
        chosen={name: values for name in CHOICES if (values := split(params.get(name, "")))},
        ranges=_ranges(params, faults),
        labels=split(params.get("label", "")),
        sort=_one_of(params, "sort", SORTS, faults, sign="-"),
        descending=params.get("sort", "").startswith("-") and params["sort"][1:] in SORTS,
        page=_page(params, faults),
    )
    known = {"q", "show", "label", "sort", "page", *CHOICES, *RANGES}
    faults += [f"there is no field {name[:40]!r}" for name in params if name not in known]
    return state, faults


def from_query(query: str) -> FilterState:
    """The state of `FilterState.query()`; what is wrong in it is ignored."""
    try:
        return parsed(dict(parse_qsl(query, max_num_fields=100)))[0]
    except ValueError:  # hundreds of fields
        return FilterState()


def joined(values: Sequence[str]) -> str:
    r"""Values as one parameter: commas between them, commas within them as `\,`."""
    return ",".join(value.replace("\\", "\\\\").replace(",", "\\,") for value in values)


def split(text: str) -> tuple[str, ...]:
    """The values of `joined`, each once; empty ones are dropped."""
    values, current, escaped = [], "", False
    for letter in text:
        if escaped or letter not in ",\\":
            current, escaped = current + letter, False
        elif letter == "\\":
            escaped = True
        else:
            values.append(current)
            current = ""
    return tuple(dict.fromkeys(value for value in [*values, current] if value))


def _chosen_expression(choice: Choice, values: Sequence[str]) -> pl.Expr:
    column = pl.col(choice.column)
    wanted = [value for value in values if value != NONE]
    if choice.many:
        parts = [column.list.contains(value) for value in wanted]
        parts += [column.list.len().fill_null(0) == 0] if NONE in values else []
    else:
        parts = [column.cast(pl.String).is_in(wanted)] if wanted else []
        parts += [column.is_null()] if NONE in values else []
    return pl.any_horizontal([part.fill_null(False) for part in parts])


def _range_expression(column: str, limits: Range) -> pl.Expr:
    # The column's own precision: a reward of 0.1, kept as float32, is not above a limit of 0.1.
    number = pl.Float32 if column in ("reward", "min_p", "weight") else pl.Float64
    parts = [pl.col(column).is_not_null()]
    if limits.low is not None:
        parts.append(pl.col(column) >= pl.lit(limits.low, dtype=number))
    if limits.high is not None:
        parts.append(pl.col(column) <= pl.lit(limits.high, dtype=number))
    return pl.all_horizontal(parts)


def _ranges(params: Mapping[str, str], faults: list[str]) -> dict[str, Range]:
    made = {}
    for name in RANGES:
        if text := params.get(name, ""):
            if limits := Range.parsed(text):
                made[name] = limits
            else:
                faults.append(f"{name}={text[:40]!r} is no range (3..10, 3.. or ..10)")
    return made


def _one_of(
    params: Mapping[str, str], name: str, known: Mapping[str, object], faults: list[str], sign: str = ""
) -> str:
    text = params.get(name, "")
    value = text.removeprefix(sign)
    if not text or value in known:
        return value
    faults.append(f"{name}={text[:40]!r} is none of {', '.join(known)}")
    return ""


def _page(params: Mapping[str, str], faults: list[str]) -> int:
    text = params.get("page", "1")
    if text.isascii() and text.isdecimal() and 0 < len(text) < 10 and int(text) > 0:
        return int(text)
    faults.append(f"page={text[:40]!r} is no page (1, 2, ...)")
    return 1


def _limit(text: str) -> float | None:
    if not text:
        return None
    value = float(text)
    if not abs(value) <= LARGEST:
        raise ValueError(text)
    return value


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return str(int(value)) if value.is_integer() else repr(value)
