import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachebuild.calibration import CalibrationSettings, Recorded, ToolCalibration, calibrate, product
from cachebuild.candidates import CandidateSearch
from cachebuild.index import Candidate
from curate.canonical import canonical_json

SETTINGS = CalibrationSettings(weight=1)
WORDS = "red blue hat hats shoe shoes warm cheap 12 13".split()
TEXT = st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join)
CALL = st.fixed_dictionaries(
    {"query": st.one_of(TEXT, st.none())},
    optional={
        "shop_id": st.sampled_from(["a", "b"]),
        "note": TEXT,
        "deep": st.booleans(),
        "page": st.integers(1, 2),
        "more": TEXT,
    },
)


def made(calls, bar=0.8, compare_all=3):
    """A search over calls whose result depends on the shop and on the first word; (search, candidates, calibration)."""
    recorded = [
        Recorded(("",), call, result, result)
        for call in calls
        for result in [f"{call.get('shop_id')} {(call['query'] or '')[:3]}"]
    ]
    calibration = ToolCalibration(calibrate(recorded, SETTINGS), SETTINGS)
    found = [Candidate(str(n), canonical_json(call), f"s{n % 7 == 0}") for n, call in enumerate(calls)]
    return CandidateSearch(found, calibration, bar, 0.5, compare_all), found, calibration


def by_brute_force(candidates, calibration, asked, digest):
    """The highest p of the calls in this state whose ids and numbers are equal."""
    best = 0.0
    for call in candidates:
        differences = calibration.differences(asked, call.values())
        hard = any(difference.type in ("id", "number") for difference in differences)
        if not hard and call.state_digest == digest:
            best = max(best, product(differences))
    return best


@given(
    st.lists(CALL, min_size=1, max_size=60), st.lists(CALL, min_size=1, max_size=5), st.sampled_from([0.3, 0.8, 0.95])
)
def test_the_call_of_highest_p_is_found(calls, queries, bar):
    search, candidates, calibration = made(calls, bar)
    for asked in queries:
        best = by_brute_force(candidates, calibration, asked, "sFalse")
        found = search.serving(search.row(asked, "sFalse"), 64)
        if best >= bar + 1e-6:
            assert found[0][1] == pytest.approx(best, abs=1e-5)
        for position, p, _ in found:
            assert p == pytest.approx(product(calibration.differences(asked, candidates[position].values())), abs=1e-9)


CURVE = st.lists(st.sampled_from([0.0, 0.2, 0.5, 0.8, 0.9, 0.97, 1.0]), min_size=11, max_size=11).map(sorted)


@given(
    st.lists(CALL, min_size=1, max_size=40),
    st.lists(CALL, min_size=1, max_size=4),
    st.fixed_dictionaries({name: CURVE for name in ("query", "note", "more", "deep", "page", "shop_id")}),
    st.sampled_from([0.2, 0.8, 0.9, 1.0]),
)
def test_the_call_of_highest_p_is_found_whatever_the_curves(calls, queries, curves, bar):
    _, candidates, calibration = made(calls)
    known = {name: tuple(curves[name]) for name in calibration.fields}
    calibration.__dict__["curves"] = {  # only texts have a p between nothing and all alike
        name: curve if calibration.fields[name].type == "text" else curve[:1] * 11 for name, curve in known.items()
    }
    search = CandidateSearch(candidates, calibration, bar, 0.5, 0)
    for asked in queries:
        best = by_brute_force(candidates, calibration, asked, "sFalse")
        found = search.serving(search.row(asked, "sFalse"), 64)
        assert bool(found) == (best >= bar) or abs(best - bar) < 1e-6
        if found:
            assert found[0][1] == pytest.approx(best, abs=1e-9)


def test_the_best_of_many_is_the_best_of_all():
    drawn = random.Random(3)
    words = [f"w{chr(97 + n % 26)}{chr(97 + n // 26)}" for n in range(200)]
    calls = [
        {"query": " ".join(drawn.choices(words, k=4)), "shop_id": drawn.choice("ab"), "deep": drawn.random() < 0.5}
        for _ in range(5_000)
    ]
    few, *_ = made(calls, compare_all=10)
    every, *_ = made(calls, compare_all=10_000)
    served = 0
    for call in drawn.choices(calls, k=100):
        asked = call | {"query": call["query"].upper() + "!"}
        best = every.serving(every.row(asked, "sFalse"), 64)
        assert few.serving(few.row(asked, "sFalse"), 64) == best
        served += bool(best)
    assert served > 50


def test_something_near_is_found_among_many():
    calls = [{"query": f"shop {n} street", "day": n % 30} for n in range(500)]
    search, candidates, _ = made(calls, compare_all=10)
    found = search.nearest(search.row({"query": "shop 77 streets", "day": 99}, "sFalse"), 5)
    assert len(found) == 5 and candidates[found[0][0]].values()["query"] == "shop 77 street"
    assert search.nearest(search.row({"nothing": "alike"}, "none"), 5)


def test_hostile_calls_are_searched_too():
    calls = [{f"field{n}_{m}": "x" for m in range(40)} for n in range(10)] + [{}, {"query": "a" * 100_000}]
    search, *_ = made([{"query": None} | call for call in calls], compare_all=0)
    for asked in (*calls, {"query": "\ud800"}, {"query": {"deep": [1]}}, {"query": "?"}):
        assert isinstance(search.serving(search.row(asked, "sFalse"), 64), list)
        assert search.nearest(search.row(asked, "sFalse"), 3)
