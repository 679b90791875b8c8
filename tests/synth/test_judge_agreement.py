from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("statsmodels", reason="needs the extra: pip install -e '.[app]'")

from synth.judge_agreement import judge_figures, judge_score, wilson
from synth.resampling import Resampling


def test_a_judge_that_people_agree_with() -> None:
    scores, good = [1.0, 0.8, 0.6, 0.2, 0.0, 0.4] * 10, [True, True, True, False, False, False] * 10
    found = judge_figures(scores, good)
    assert found.kappa.value == found.auc.value == 1.0
    assert found.confusion.tolist() == [[30, 0], [0, 30]]
    assert [each.items for each in found.bins] == [10] * 6
    assert [each.good.value for each in found.bins] == [0, 0, 0, 1, 1, 1]
    assert found.error == pytest.approx((0 + 0.2 + 0.4 + 0.4 + 0.2 + 0) / 6)


def test_a_judge_that_says_nothing() -> None:
    found = judge_figures([0.9, 0.1] * 50, [True, True, False, False] * 25)
    assert found.auc.value == 0.5
    assert found.kappa.value == 0
    assert found.auc.low is not None and found.auc.high is not None
    assert found.auc.low < 0.5 < found.auc.high


def test_the_threshold_moves_the_judge() -> None:
    found = judge_figures([0.6, 0.6, 0.2, 1.0], [False, True, False, True], threshold=0.8)
    assert found.confusion.tolist() == [[1, 1], [0, 2]]


@pytest.mark.parametrize(
    ("scores", "good", "why"),
    [
        ([], [], "no answer with a score and a verdict"),
        ([0.2, 0.9], [True, True], "people call all answers good"),
        ([0.2, 0.9], [False, False], "people call all answers bad"),
    ],
)
def test_undefined_says_why(scores: list[float], good: list[bool], why: str) -> None:
    found = judge_figures(scores, good)
    assert found.auc.told() == f"undefined: {why}"
    assert "nan" not in found.kappa.told()


@given(st.lists(st.tuples(st.sampled_from([0.0, 0.2, 0.5, 1.0]), st.booleans()), min_size=1, max_size=30))
def test_auc_is_the_share_of_pairs_in_order(pairs: list[tuple[float, bool]]) -> None:
    found = judge_figures([score for score, _ in pairs], [good for _, good in pairs], again=Resampling(20))
    above, below = ([score for score, good in pairs if good is kind] for kind in (True, False))
    if above and below:
        won = [(a > b) + (a == b) / 2 for a in above for b in below]
        assert found.auc.value == pytest.approx(np.mean(won))
    else:
        assert found.auc.value is None
    assert found.confusion.sum() == sum(each.items for each in found.bins) == len(pairs)


def test_wilsons_interval() -> None:
    assert wilson(0, 10).told() == "0.00 (0.00 to 0.28)"
    assert wilson(5, 10).told() == "0.50 (0.24 to 0.76)"


@pytest.mark.parametrize(
    ("metadata", "found"),
    [
        ({"judge": {"name": "openai:m", "code": "ok"}, "reward": {"answer": 0.8}}, ("openai:m", 0.8)),
        ({"judge": {"name": "m", "score": 4}}, ("m", 0.8)),
        ({"judge": {"name": "m", "code": "failed"}, "reward": {"answer": None}}, None),
        ({"reward": {"answer": 0.8}}, None),
        ({"judge": "m", "reward": 3}, None),
        ({"judge": {"score": float("nan")}}, None),
        ([], None),
        ("no object", None),
    ],
)
def test_scores_are_found_in_metadata(metadata: Any, found: Any) -> None:
    assert judge_score(json.dumps(metadata)) == found


def test_what_is_no_json_has_no_score() -> None:
    assert judge_score("{") is judge_score(None) is None
