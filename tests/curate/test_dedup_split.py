from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.dedup import exact_duplicates, exact_key
from curate.errors import UsageError
from curate.normalise import Input, normalise
from curate.readers.openai_chat import OpenAIChat
from curate.split import SplitSettings, split_of
from curate.trajectory import Trajectory

Make = Callable[..., dict[str, Any]]


def row_of(record: dict[str, Any], source: str = "x") -> Trajectory:
    return normalise(OpenAIChat().convert(record), record, 0, Input("x", source, env="e"))


def test_ids_of_calls_and_facts_do_not_make_a_dialogue_another(make_chat: Make) -> None:
    record = make_chat(1)
    other = copy.deepcopy(make_chat(1, task_id="another", reward=1.0, trial=3))
    other["messages"][2]["tool_calls"][0]["id"] = other["messages"][3]["tool_call_id"] = "zzz"
    assert exact_key(row_of(record)) == exact_key(row_of(other, "y"))


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m[4].update(content="Other."),
        lambda m: m[3].update(content="{}"),
        lambda m: m[2]["tool_calls"][0]["function"].update(arguments="{}"),
        lambda m: m[2]["tool_calls"][0]["function"].update(name="get"),
        lambda m: m[4].update(reasoning_content="hm"),
        lambda m: m.pop(0),
    ],
)
def test_what_is_said_and_called_does(make_chat: Make, change: Callable[[Any], Any]) -> None:
    other = make_chat(1)
    change(other["messages"])
    assert exact_key(row_of(other)) != exact_key(row_of(make_chat(1)))


def test_another_world_or_start_is_no_duplicate(make_chat: Make) -> None:
    row = row_of(make_chat(1))
    assert exact_key({**row, "env_id": "other"}) != exact_key(row)
    assert exact_key({**row, "initial_state_id": "s1"}) != exact_key(row)


def duplicates(*rows: tuple[str, str, float | None]) -> dict[int, str]:
    """index -> kept, of rows of (trajectory_id, exact_key, reward)."""
    schema = {"trajectory_id": pl.String, "exact_key": pl.String, "reward": pl.Float32}
    frame = pl.DataFrame(rows, schema=schema, orient="row").with_columns(index=pl.int_range(pl.len()))
    return dict(exact_duplicates(frame).iter_rows())


def test_the_best_outcome_is_kept_then_the_first() -> None:
    rewards = [None, 0.0, 1.0, 1.0]
    assert duplicates(*((f"id{n}", "k", reward) for n, reward in enumerate(rewards))) == {
        0: "id2",
        1: "id2",
        3: "id2",
    }
    assert duplicates(("a", "k", None), ("b", "k", None)) == {1: "a"}
    assert duplicates(("a", "k", None), ("b", "j", None)) == {}
    assert duplicates() == {}


@given(st.lists(st.tuples(st.sampled_from("abc"), st.none() | st.sampled_from([0.0, 0.5, 1.0])), max_size=12))
def test_one_row_of_each_dialogue_stays(items: list[tuple[str, float | None]]) -> None:
    gone = duplicates(*((f"id{n}", key, reward) for n, (key, reward) in enumerate(items)))
    kept = {f"id{n}": key for n, (key, _) in enumerate(items) if n not in gone}
    assert sorted(kept.values()) == sorted({key for key, _ in items})
    assert set(gone.values()) <= kept.keys()


groups = [f"group-{n}" for n in range(5_000)]


def test_shares_are_met_and_the_seed_decides() -> None:
    counts = Counter(split_of(group, SplitSettings()) for group in groups)
    assert counts["train"] == pytest.approx(4000, abs=120)
    assert counts["validation"] == pytest.approx(500, abs=80)
    assert [split_of(g, SplitSettings(split_seed=1)) for g in groups] != [split_of(g, SplitSettings()) for g in groups]


def test_one_share_may_be_all() -> None:
    assert {split_of(group, SplitSettings(1.0, 0.0, 0.0)) for group in groups} == {"train"}
    assert {split_of(group, SplitSettings(0.0, 0.0, 1.0)) for group in groups} == {"test"}


@pytest.mark.parametrize("shares", [(0.5, 0.1, 0.1), (1.1, -0.1, 0.0), (float("nan"), 0.5, 0.5)])
def test_shares_that_are_none(shares: tuple[float, float, float]) -> None:
    with pytest.raises(UsageError, match="shares"):
        SplitSettings(*shares).check()
