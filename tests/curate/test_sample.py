from __future__ import annotations

import subprocess
import sys
from collections import Counter
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.errors import UsageError
from curate.sample import STRATA, SampleSettings, lots_of, not_sampled, sample_table

SCHEMA = {
    "index": pl.Int64,
    "trajectory_id": pl.String,
    "source": pl.String,
    "env_id": pl.String,
    "task_id": pl.String,
    "task_group": pl.String,
    "tools": pl.List(pl.String),
    "reward": pl.Float32,
    "calls": pl.UInt32,
}


def facts(*sources: str, **columns: list[Any]) -> pl.DataFrame:
    """One row a source named; other columns by name, else the same for all rows."""
    rows = len(sources)
    given: dict[str, list[Any]] = {
        "index": list(range(rows)),
        "trajectory_id": [f"id{n}" for n in range(rows)],
        "source": list(sources),
        "env_id": ["e"] * rows,
        "task_id": [f"t{n}" for n in range(rows)],
        "task_group": [f"g{n}" for n in range(rows)],
        "tools": [["get"]] * rows,
        "reward": [1.0] * rows,
        "calls": [1] * rows,
    }
    return pl.DataFrame(given | columns, schema=SCHEMA)


def taken(frame: pl.DataFrame, settings: SampleSettings) -> set[str]:
    gone = not_sampled(frame, settings)
    return set(frame.filter(~pl.col("index").is_in(gone["index"].implode()))["trajectory_id"])


def by_source(frame: pl.DataFrame, settings: SampleSettings) -> dict[str, int]:
    ids = taken(frame, settings)
    return Counter(frame.filter(pl.col("trajectory_id").is_in(list(ids)))["source"])


uneven = facts(*("a" * 700 + "b" * 250 + "c" * 50))


def test_a_proportional_sample_keeps_the_shares() -> None:
    counts = by_source(uneven, SampleSettings(sample=100))
    assert sum(counts.values()) == 100
    assert counts["a"] == pytest.approx(70, abs=2)
    assert counts["b"] == pytest.approx(25, abs=2)
    assert counts["c"] == pytest.approx(5, abs=2)


def test_a_share_of_the_rows() -> None:
    assert len(taken(uneven, SampleSettings(sample_share=0.25))) == 250
    assert len(taken(uneven, SampleSettings(sample_share=1.0))) == 1000


def test_a_balanced_sample_takes_equally_and_short_strata_give_all() -> None:
    assert by_source(uneven, SampleSettings(sample=90, sample_balance=True)) == {"a": 30, "b": 30, "c": 30}
    assert by_source(uneven, SampleSettings(sample=450, sample_balance=True)) == {"a": 200, "b": 200, "c": 50}


def test_of_many_strata_of_one_row_some_are_drawn() -> None:
    frame = facts(*["big"] * 1000, *[f"one{n}" for n in range(1000)])
    counts = by_source(frame, SampleSettings(sample=400))
    assert counts["big"] == pytest.approx(200, abs=40)


def test_what_is_turned_away_says_from_where() -> None:
    gone = not_sampled(facts("a", "a", "b"), SampleSettings(sample=1))
    assert gone.columns == ["index", "reason", "detail"]
    assert gone.height == 2
    assert set(gone["reason"]) == {"not_sampled"}
    assert set(gone["detail"]) <= {"not drawn from the 2 of source a", "not drawn from the 1 of source b"}


def test_a_sample_larger_than_the_set_takes_all() -> None:
    assert not_sampled(uneven, SampleSettings(sample=5000)).height == 0
    assert not_sampled(uneven, SampleSettings()).height == 0
    assert not_sampled(facts(), SampleSettings(sample=3, sample_by=STRATA)).height == 0


def test_strata_are_told_apart_by_what_they_name() -> None:
    frame = facts(
        *"aaaaaaa",
        tools=[[], ["get"], ["get", "set"], ["get, set"], ["get"], ["get"], ["get"]],
        reward=[None, 0.0, 1.0, 0.5, -1.0, 2.0, float("nan")],
        calls=[0, 1, 2, 3, 4, 33, 16],
        env_id=list("eeefeee"),
    )
    seen = {name: sample_table(frame, frame[:0], SampleSettings(sample_by=(name,)))[1] for name in STRATA}
    strata = {name: {row[0]: row[1] for row in rows} for name, rows in seen.items()}
    assert strata["tools"] == {"no tool": 1, "get": 4, "get + set": 1, "get, set": 1}
    assert strata["outcome"] == {"no reward": 2, "0 or less": 2, "between 0 and 1": 1, "1 or more": 2}
    assert strata["calls"] == {"0": 1, "1": 1, "2": 1, "3-4": 2, "9-16": 1, "over 32": 1}
    assert strata["env"] == {"e": 6, "f": 1}
    assert strata["source"] == {"a": 7}
    assert len(strata["task_group"]) == 7


def test_the_table_says_what_each_stratum_gave() -> None:
    settings = SampleSettings(sample=90, sample_balance=True)
    headers, rows = sample_table(uneven, not_sampled(uneven, settings), settings)
    assert headers == ["source", "available", "taken"]
    assert rows == [["a", 700, 30], ["b", 250, 30], ["c", 50, 30]]
    both = SampleSettings(sample=10, sample_by=("source", "outcome"))
    assert sample_table(uneven, not_sampled(uneven, both), both)[0] == ["source", "outcome", "available", "taken"]
    none = SampleSettings(sample=10, sample_by=())
    assert sample_table(uneven, not_sampled(uneven, none), none)[1] == [["all rows", 1000, 10]]


def test_a_table_of_thousands_of_strata_is_cut_but_adds_up() -> None:
    settings = SampleSettings(sample=100, sample_by=("task_group", "calls"))
    headers, rows = sample_table(uneven, not_sampled(uneven, settings), settings)
    assert rows[-1][0] == "950 more"
    assert all(len(row) == len(headers) for row in rows)
    assert sum(int(row[-2] or 0) for row in rows) == 1000
    assert sum(int(row[-1] or 0) for row in rows) == 100


def test_the_seed_chooses() -> None:
    first, second = SampleSettings(sample=100), SampleSettings(sample=100, sample_seed=1)
    assert taken(uneven, first) == taken(uneven, first) != taken(uneven, second)


def test_each_purpose_draws_lots_of_its_own() -> None:
    assert lots_of(uneven, "sample", 0).to_list() != lots_of(uneven, "task_cap", 0).to_list()


def test_lots_never_change() -> None:
    assert lots_of(facts("a"), "sample", 0).to_list() == [4937361928105340218]


sources = st.lists(st.sampled_from("abcd"), min_size=1, max_size=60)
by = st.lists(st.sampled_from(STRATA), unique=True, max_size=3).map(tuple)


@given(sources, by, st.booleans(), st.integers(1, 60), st.integers(1, 60), st.integers(0, 3), st.randoms())
def test_samples_are_nested_and_independent_of_the_order(
    names: list[str], by: tuple[str, ...], balance: bool, small: int, large: int, seed: int, random: Any
) -> None:
    frame = facts(*names)
    small, large = sorted((small, large))
    less = SampleSettings(sample=small, sample_by=by, sample_balance=balance, sample_seed=seed)
    more = SampleSettings(sample=large, sample_by=by, sample_balance=balance, sample_seed=seed)
    assert len(taken(frame, less)) == min(small, len(names))
    assert taken(frame, less) <= taken(frame, more)
    order = list(range(len(names)))
    random.shuffle(order)
    assert not_sampled(frame[order], less).equals(not_sampled(frame, less))


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (SampleSettings(sample=1, sample_share=0.5), "not both"),
        (SampleSettings(sample=0), "--sample must be at least 1, not 0"),
        (SampleSettings(sample_share=0.0), "--sample-share"),
        (SampleSettings(sample_share=1.5), "--sample-share"),
        (SampleSettings(sample_share=float("nan")), "--sample-share"),
        (SampleSettings(sample_by=("colour",)), "no such stratum; known are source, env"),
        (SampleSettings(sample_by=("env", "env")), "twice"),
    ],
)
def test_settings_that_are_no_sample(settings: SampleSettings, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        settings.check()


def test_the_settings_load_without_a_heavy_library() -> None:
    heavy = ("polars", "numpy", "pyarrow", "tokenizers", "datasets")
    code = (
        "import curate.caps, curate.sample, curate.decontaminate, curate.tokens, sys;"
        f"loaded = set({heavy!r}) & set(sys.modules); assert not loaded, loaded"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
