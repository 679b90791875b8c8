"""Figures of a cache audit, from its rows."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.runs.audits import ablations, by_tier, by_tool, calibration, ece, served
from app.runs.evaluations import by_kind, endings, sides, tiers
from cachebuild.answer import TIERS
from cachebuild.measures import Calibration

ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "env_id": st.just("shop"),
            "tool": st.sampled_from(["get", "put"]),
            "tier": st.sampled_from(TIERS),
            "p": st.floats(0, 1),
            "right": st.booleans(),
            "fidelity": st.floats(0, 1),
            "volatile": st.booleans(),
        }
    ),
    min_size=1,
    max_size=40,
)


@given(ROWS)
def test_calibration_and_its_error_are_those_of_the_audit(rows):
    wanted = Calibration()
    for row in rows:
        wanted.add(row)
    bins = calibration(pl.DataFrame(rows))
    assert bins.select("answers", "p", "right", "fidelity").rows() == [pytest.approx(row[1:]) for row in wanted.rows()]
    for of in ("right", "fidelity"):
        assert ece(bins, of) == (pytest.approx(wanted.ece(of)) if wanted.ece(of) is not None else None)


@given(ROWS)
def test_calls_by_tier_and_by_tool_are_all_calls(rows):
    calls = pl.DataFrame(rows)
    found, tools = by_tier(calls), by_tool(calls)
    assert found["calls"].sum() == tools["calls"].sum() == len(rows)
    assert found["tier"].to_list() == [tier for tier in TIERS if tier in set(calls["tier"])]
    assert found["share"].sum() == pytest.approx(1)
    for _, tool in tools.group_by("tool"):
        assert tool["share"].sum() == pytest.approx(1)


def test_volatile_tools_are_left_out_of_what_was_served():
    row = {"env_id": "shop", "tool": "get", "p": 1.0, "fidelity": 1.0}
    rows = [
        row | {"tier": "exact", "right": True, "volatile": False},
        row | {"tier": "exact", "right": False, "volatile": True},
        row | {"tier": "unavailable", "right": False, "volatile": False},
    ]
    found = served(pl.DataFrame(rows))
    assert found["served (exact, normalised, fuzzy)"] == 0.5 and found["wrong exact hits"] == 0.0
    assert served(pl.DataFrame(rows[2:]))["exactly right when served"] is None


def test_simpler_caches_are_shares_and_null_where_nothing_was_served():
    names = "answerer calls misses served right behind behind_wrong miss_served miss_right lost lost_unknown avoided"
    rows = [["ours", 10, 2, 5, 4, 0, 0, 0, 0, 1, 0, 2], ["none", 10, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0]]
    frame = pl.DataFrame(rows, schema=names.split(), orient="row").with_columns(pl.Series("fidelity", [4.5, 0.0]))
    assert ablations(frame).rows() == [("ours", 0.5, 0.8, 0.9, 0.1, 0.2), ("none", 0.0, None, None, 0.0, 0.0)]


def test_an_evaluation_is_told_by_kind_ending_and_tier():
    rows = pl.DataFrame(
        {
            "task_id": ["a", "a", "b"],
            "kind": ["read", "read", "write"],
            "status": ["answered", "answered", "turn_limit"],
            "success": [True, False, False],
            "all_calls_met": [True, True, True],
            "process_accuracy": [1.0, 0.5, 0.0],
            "calls": [2, 2, 2],
            **{f"tier_{tier}": [int(tier == "exact")] * 3 for tier in TIERS},
        }
    )
    found = by_kind(rows)
    assert found["kind"].to_list() == ["all", "read", "write"] and found["tasks"].to_list() == [2, 1, 1]
    assert found["done"].to_list() == pytest.approx([1 / 3, 0.5, 0.0])
    assert endings(rows)["ending"].to_list() == ["answered", "turn_limit"]
    assert tiers(rows).rows() == [("exact", 3)]
    recorded = rows.with_columns(pl.lit(None, pl.Boolean).alias("success"))
    assert by_kind(recorded)["done"].to_list() == [1.0, 1.0, 1.0]


def test_a_comparison_has_both_sides_of_each_figure():
    ends = {f"{name}{end}": [0.5] for name in ("before", "after") for end in ("", "_low", "_high")}
    found = sides(pl.DataFrame({"figure": ["success"], "kind": ["read"], **ends}))
    assert found["side"].to_list() == ["before", "after"] and set(found["figure"]) == {"success, read"}
