from __future__ import annotations

from urllib.parse import parse_qsl

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.filters import CHOICES, LARGEST, NONE, RANGES, SORTS, FilterState, Range, from_query, joined, parsed, split
from tests.app.index_frames import index_frame

WORDS = st.text(min_size=1, max_size=12)
VALUES = st.lists(WORDS, min_size=1, max_size=3, unique=True).map(tuple)
LIMITS = st.one_of(st.none(), st.integers(-9, 9).map(float), st.floats(-LARGEST, LARGEST))


def _range(low: float | None, high: float | None) -> Range:
    if low is not None and high is not None and low > high:
        low, high = high, low
    return Range(low, high)


RANGE = st.builds(_range, LIMITS, LIMITS).filter(lambda limits: limits != Range())


@st.composite
def states(draw: st.DrawFn) -> FilterState:
    sort = draw(st.sampled_from(["", *SORTS]))
    return FilterState(
        text=draw(st.text(max_size=20)),
        show=draw(st.sampled_from(["", "kept", "rejected"])),
        chosen=draw(st.dictionaries(st.sampled_from(sorted(CHOICES)), VALUES, max_size=4)),
        ranges=draw(st.dictionaries(st.sampled_from(sorted(RANGES)), RANGE, max_size=3)),
        labels=draw(st.one_of(st.just(()), VALUES)),
        sort=sort,
        descending=bool(sort) and draw(st.booleans()),
        page=draw(st.integers(1, 10**8)),
    )


@given(states())
def test_an_address_restores_the_state_that_made_it(state):
    assert parsed(state.params()) == (state, [])
    assert parsed(dict(parse_qsl(state.query()))) == (state, [])
    assert from_query(state.query()) == state


@given(
    st.dictionaries(
        st.one_of(st.sampled_from(["q", "page", "sort", "show", "label", *CHOICES, *RANGES]), WORDS), st.text()
    )
)
def test_any_address_gives_a_state_that_can_be_asked(params):
    state, _ = parsed(params)
    index_frame({}).filter(state.expression())
    assert parsed(state.params())[0] == state


@given(st.lists(WORDS, unique=True))
def test_values_with_commas_and_backslashes_stay_apart(values):
    assert split(joined(values)) == tuple(values)


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({"reward": "high"}, "reward='high' is no range"),
        ({"turns": "9..3"}, "turns='9..3' is no range"),
        ({"turns": "nan.."}, "is no range"),
        ({"turns": "1e999.."}, "is no range"),
        ({"page": "-1"}, "page='-1' is no page"),
        ({"page": "\u0663"}, "is no page"),
        ({"sort": "beauty"}, "sort='beauty' is none of reward,"),
        ({"show": "all"}, "show='all' is none of kept, rejected"),
        ({"colour": "red"}, "there is no field 'colour'"),
        ({"q": "x" * 5000}, "q is longer than 1,000 characters"),
    ],
)
def test_what_is_wrong_in_an_address_is_ignored_and_told(params, told):
    state, faults = parsed(params)
    assert state == FilterState()
    assert len(faults) == 1
    assert told in faults[0]


def test_a_right_part_of_a_wrong_address_counts():
    state, faults = parsed({"tool": "book,cancel", "reward": "?"})
    assert state.chosen == {"tool": ("book", "cancel")}
    assert len(faults) == 1


def _rows(frame: pl.DataFrame, **params: str) -> list[int]:
    state, faults = parsed(params)
    assert not faults
    return frame.filter(state.expression())["row"].to_list()


FRAME = index_frame(
    {"reward": 0.1, "tools": ["book", "list"], "worst_tier": "fuzzy", "tiers": ["exact", "fuzzy"], "split": "train"},
    {"reward": 1.0, "tools": ["cancel"], "turn_kinds": ["silent", "final"], "source": "a,b", "turns": 9},
    {"table": "rejects", "reward": None, "reject_step": "filters", "reject_reason": "no_call", "folder": "raw"},
    {"reward": 0.5, "flags": ["leak"], "status": "truncated", "min_p": 0.9, "failed_calls": 2, "characters": 10**12},
)


@pytest.mark.parametrize(
    ("params", "rows"),
    [
        ({}, [0, 1, 2, 3]),
        ({"folder": "raw"}, [2]),
        ({"folder": "not opened"}, []),
        ({"source": "a\\,b"}, [1]),
        ({"tool": "book,cancel"}, [0, 1]),
        ({"tool": NONE}, [2, 3]),
        ({"tier": "exact"}, [0]),
        ({"worst": f"fuzzy,{NONE}"}, [0, 1, 2, 3]),
        ({"kind": "silent"}, [1]),
        ({"flag": "leak"}, [3]),
        ({"reason": "no_call", "step": "filters"}, [2]),
        ({"status": "truncated"}, [3]),
        ({"show": "kept"}, [0, 1, 3]),
        ({"show": "rejected"}, [2]),
        ({"reward": "0.1..0.5"}, [0, 3]),
        ({"reward": "..0.1"}, [0]),
        ({"turns": "3.."}, [1]),
        ({"characters": "1e12.."}, [3]),
        ({"p": "0.9..0.9"}, [3]),
        ({"failed": "1..", "split": NONE}, [3]),
        ({"tool": "book", "reward": "0.5.."}, []),
    ],
)
def test_fields_narrow_the_index(params, rows):
    assert _rows(FRAME, **params) == rows
