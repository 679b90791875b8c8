from __future__ import annotations

from collections import Counter
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.caps import CapSettings, cap_table, capped, largest_groups_table
from curate.errors import UsageError


def facts(count: int, **columns: list[Any]) -> pl.DataFrame:
    """Rows that differ in nothing but their ids, and in the columns given."""
    given: dict[str, list[Any]] = {
        "index": list(range(count)),
        "trajectory_id": [f"id{n}" for n in range(count)],
        "source": ["s"] * count,
        "env_id": ["e"] * count,
        "task_id": ["t"] * count,
        "tools": [["get"]] * count,
        "reward": [None] * count,
    }
    kinds = {"index": pl.Int64, "tools": pl.List(pl.String), "reward": pl.Float32}
    return pl.DataFrame(given | columns, schema={name: kinds.get(name, pl.String) for name in given})


def stay(frame: pl.DataFrame, settings: CapSettings) -> list[int]:
    return sorted(set(frame["index"]) - set(capped(frame, settings)["index"]))


def test_the_best_rewards_stay() -> None:
    frame = facts(6, reward=[0.0, None, 1.0, 0.5, float("nan"), -1.0])
    assert stay(frame, CapSettings(max_per_task=2)) == [2, 3]
    assert stay(frame, CapSettings(max_per_task=4)) == [0, 2, 3, 5]


def test_among_equals_the_seed_decides_not_the_order() -> None:
    frame = facts(100)
    kept = stay(frame, CapSettings(max_per_task=10))
    assert kept != list(range(10))
    assert kept != stay(frame, CapSettings(max_per_task=10, cap_seed=1))


def test_a_task_is_one_of_its_world() -> None:
    frame = facts(4, env_id=list("eeff"))
    assert len(stay(frame, CapSettings(max_per_task=1))) == 2


def test_a_tool_combination_is_a_set_of_names() -> None:
    frame = facts(6, tools=[["get", "set"], ["get", "set"], ["get"], ["get, set"], [], []])
    gone = capped(frame, CapSettings(max_per_tools=1))
    assert gone.height == 2
    assert set(gone["reason"]) == {"tools_cap"}
    assert sorted(gone["detail"]) == [
        "number 2 of the 2 that call get + set; at most 1 stay",
        "number 2 of the 2 that call no tool; at most 1 stay",
    ]


def test_what_one_cap_turned_away_does_not_count_for_the_next() -> None:
    frame = facts(5, task_id=list("aaabc"))
    settings = CapSettings(max_per_task=1, max_per_source=3)
    assert Counter(capped(frame, settings)["reason"]) == {"task_cap": 2}
    settings = CapSettings(max_per_task=1, max_per_tools=2, max_per_source=1)
    assert Counter(capped(frame, settings)["reason"]) == {"task_cap": 2, "tools_cap": 1, "source_cap": 1}


def test_a_cap_does_not_favour_the_rows_that_another_cap_left() -> None:
    # Half the rows are 10 of 1,000 of one task. With equal lots these 10 would come first in their tools, always.
    frame = facts(1010, task_id=["big"] * 1000 + [f"t{n}" for n in range(10)])
    of_big = sum(
        index < 1000
        for seed in range(40)
        for index in stay(frame, CapSettings(max_per_task=10, max_per_tools=10, cap_seed=seed))
    )
    assert 140 < of_big < 260  # 200 expected, standard deviation 7


def test_no_cap_keeps_all() -> None:
    gone = capped(facts(3), CapSettings())
    assert gone.height == 0
    assert gone.columns == ["index", "reason", "detail"]
    assert capped(facts(0), CapSettings(max_per_task=1)).height == 0


def test_tables_say_what_each_cap_did() -> None:
    frame = facts(6, task_id=list("aaabbc"), tools=[["get"]] * 5 + [["set"]])
    settings = CapSettings(max_per_task=2, max_per_tools=1)
    gone = capped(frame, settings)
    headers, rows = cap_table(frame, gone, settings)
    assert headers == ["cap", "at most", "groups", "groups cut", "turned away"]
    assert rows == [["task", 2, 3, 1, 1], ["tools", 1, 2, 1, 3]]
    headers, rows = largest_groups_table(frame, gone, settings)
    assert headers == ["cap", "group", "turned away"]
    assert rows == [["task", "e / a", 1], ["tools", "get", 3]]


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("tu"), st.none() | st.sampled_from([0.0, 1.0]))),
    st.randoms(),
    st.integers(1, 4),
)
def test_caps_hold_whatever_the_order(rows: list[tuple[str, str, float | None]], random: Any, cap: int) -> None:
    source, task, reward = ([row[column] for row in rows] for column in range(3))
    frame = facts(len(rows), source=source, task_id=task, reward=reward)
    settings = CapSettings(max_per_task=cap, max_per_source=cap + 1)
    order = list(range(len(rows)))
    random.shuffle(order)
    gone = capped(frame, settings)
    assert capped(frame[order], settings).equals(gone)
    kept = frame.filter(~pl.col("index").is_in(gone["index"].implode()))
    assert max(Counter(kept["task_id"]).values(), default=0) <= cap
    assert max(Counter(kept["source"]).values(), default=0) <= cap + 1


@pytest.mark.parametrize("name", ["max_per_task", "max_per_tools", "max_per_source"])
def test_a_cap_that_keeps_nothing_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=f"--{name.replace('_', '-')} must be at least 1, not 0"):
        CapSettings(**{name: 0}).check()
    CapSettings(**{name: 1}).check()
