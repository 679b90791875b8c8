from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.browsing import find
from app.filters import FilterState
from app.summary import BINS, bin_limits, histogram, summary, top
from tests.app.index_frames import FakeLibrary, index_frame

FLOATS = st.lists(st.floats(-1e6, 1e6, width=32), max_size=60)
INTEGERS = st.lists(st.integers(0, 2**32 - 1), max_size=60)


@given(FLOATS)
def test_bins_of_rewards_hold_every_value_once(values):
    bins = histogram(pl.Series("reward", values, dtype=pl.Float32))
    assert sum(bins.values()) == len(values)
    assert len(bins) <= BINS + 1


@given(INTEGERS)
def test_bins_of_counts_hold_every_value_once(values):
    bins = histogram(pl.Series("turns", values, dtype=pl.UInt32))
    assert sum(bins.values()) == len(values)
    assert len(bins) <= BINS + 1


def test_rewards_of_failure_and_success_stand_for_themselves():
    assert histogram(pl.Series("reward", [1.0, 0.0, 1.0], dtype=pl.Float32)) == {"0": 1, "1": 2}


@given(st.lists(st.floats(0, 1, width=32), min_size=1, max_size=60))
def test_the_limits_of_a_bin_find_what_it_counts(values):
    rewards = pl.Series("reward", values, dtype=pl.Float32)
    library = FakeLibrary(index_frame(*({"reward": reward} for reward in rewards)))
    for name, count in histogram(rewards).items():
        found = find(library, FilterState().within("reward", bin_limits(name)))
        assert len(found.rows) >= count


def test_bins_have_round_limits():
    rewards = histogram(pl.Series("reward", [n / 100 for n in range(101)], dtype=pl.Float32))
    assert list(rewards)[:2] == ["0 to 0.1", "0.1 to 0.2"]
    assert list(rewards)[-1] == "0.9 to 1"
    assert list(histogram(pl.Series("turns", range(2, 30), dtype=pl.UInt32)))[:2] == ["0 to 4", "5 to 9"]
    assert list(histogram(pl.Series("turns", range(2, 5), dtype=pl.UInt32))) == ["2", "3", "4"]


def test_the_most_frequent_values_stand_first_and_equals_by_name():
    assert list(top(pl.Series("tools", ["b", "c", "a", "b", None]))) == ["b", "a", "c"]


@pytest.fixture
def library():
    rejected = {"table": "rejects", "reject_step": "dedup", "reject_reason": "duplicate"}
    return FakeLibrary(
        index_frame(
            {"reward": 1.0, "tools": ["book", "list"], "worst_tier": "fuzzy", "turns": 2},
            {"reward": 0.0, "tools": ["book"], "worst_tier": "exact", "turns": 4},
            {**rejected, "turns": 6},
        )
    )


def test_a_summary_follows_the_filter(library):
    counted = summary(find(library, FilterState()))
    assert (counted.total, counted.rejected, counted.mean_reward, counted.median_turns) == (3, 1, 0.5, 4.0)
    assert counted.tools == {"book": 2, "list": 1}
    assert list(counted.tiers) == ["exact", "fuzzy"]
    assert counted.reasons == {"duplicate": 1}
    kept = summary(find(library, FilterState(show="kept")))
    assert (kept.total, kept.rejected, kept.reasons) == (2, 0, {})
    assert summary(find(library, FilterState(show="rejected"))).mean_reward is None
