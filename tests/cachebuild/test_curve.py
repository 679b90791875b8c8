from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachebuild.curve import GRID, PairSums, fit, least_similarity, p_at

PRIOR = [similarity**6 for similarity in GRID]
SHARE = st.floats(0, 1)
PAIRS = st.lists(st.tuples(SHARE, SHARE), max_size=30)


def fitted(pairs, weight=10.0):
    sums = PairSums()
    for similarity, fidelity in pairs:
        sums.add(similarity, fidelity)
    return fit(sums, PRIOR, weight)


@given(PAIRS)
def test_a_curve_never_falls_and_stays_a_share(pairs):
    curve = fitted(pairs)
    assert all(0 <= low <= high <= 1 + 1e-12 for low, high in pairwise(curve))


def test_without_pairs_the_prior_stands():
    assert fitted([]) == pytest.approx(PRIOR)


def test_many_pairs_outweigh_the_prior():
    curve = fitted([(0.5, 1.0)] * 1_000)
    assert p_at(curve, 0.5) > 0.99 and p_at(curve, 0.45) < 0.6 and p_at(curve, 0.9) > 0.99


def test_pairs_that_contradict_the_order_are_pooled():
    curve = fitted([(0.2, 1.0)] * 500 + [(0.8, 0.0)] * 500)
    assert p_at(curve, 0.2) == pytest.approx(0.5, abs=0.02) and p_at(curve, 0.8) == pytest.approx(0.5, abs=0.02)


@given(PAIRS, SHARE)
def test_least_similarity_is_where_the_curve_reaches_p(pairs, p):
    curve = fitted(pairs)
    least = least_similarity(curve, p)
    if least > 1:
        assert curve[-1] < p
    else:
        assert p_at(curve, least) >= p - 1e-9
        assert least == 0 or p_at(curve, least * 0.99) <= p
