"""Calibration, its error, and intervals."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachebuild.measures import HEADLINES, Calibration, Headlines, avoided_by_state, lost_to_state, share_table


def row(name="one", **given):
    return {
        "trajectory_id": name,
        "tier": "exact",
        "p": 1.0,
        "right": True,
        "fidelity": 1.0,
        "kind": "read",
        "after_write": False,
        "volatile": False,
        "reason": "exact hit",
        "lost_to_state": False,
        "stateless_right": None,
        "behind_unknown_write": False,
    } | given


def test_ece_is_the_weighted_gap_between_promise_and_truth():
    calibration = Calibration()
    for right in (True, True, True, False):
        calibration.add(row(p=0.95, right=right, fidelity=0.9))
    calibration.add(row(p=0.25, right=False, fidelity=0.25))
    calibration.add(row(tier="unavailable", p=0.0, right=False))
    assert calibration.rows() == [
        ("0.2 to 0.3", 1, 0.25, 0.0, 0.25),
        ("0.9 to 1.0", 4, pytest.approx(0.95), 0.75, pytest.approx(0.9)),
    ]
    assert calibration.ece("right") == pytest.approx((4 * 0.2 + 0.25) / 5)
    assert calibration.ece("fidelity") == pytest.approx(4 * 0.05 / 5)


def test_without_answers_nothing_is_claimed():
    assert Calibration().ece() is None
    assert all(share.value is None for share in Headlines(0).shares())


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.booleans(), st.floats(0, 1)), min_size=1, max_size=30))
def test_intervals_hold_the_share_or_touch_it_and_repeat(drawn):
    found = []
    for _ in range(2):
        headlines = Headlines(3)
        for name, right, p in drawn:
            headlines.add(row(name, right=right, p=p, fidelity=float(right)))
        found.append(headlines.shares())
    assert found[0] == found[1]
    for share in found[0]:
        if share.value is not None:
            assert 0 <= share.low <= share.high <= 1 and share.value == pytest.approx(share.part / share.whole)


def test_what_is_counted_where():
    headlines = Headlines(0)
    headlines.add(row())
    headlines.add(row(right=False, reason="exact hit; state_unknown", after_write=True))
    headlines.add(row(tier="unavailable", right=False, stateless_right=False))
    headlines.add(row(tier="unavailable", right=False, lost_to_state=True, stateless_right=True))
    unknown = {"lost_to_state": True, "stateless_right": True, "behind_unknown_write": True}
    headlines.add(row(tier="best_effort", right=False, **unknown))
    headlines.add(row(volatile=True, right=False))
    shares = {share.name: (share.part, share.whole) for share in headlines.shares()}
    assert list(shares) == list(HEADLINES)
    assert shares["served (exact, normalised, fuzzy)"] == (2, 5)
    assert shares["wrong exact hits"] == (1, 2)
    assert shares["wrong exact hits, state known"] == (0, 1)
    assert shares["wrong hits, reads behind a related write"] == (1, 1)
    assert shares["hits lost to state keying"] == (2, 5)
    assert shares["lost hits, behind a write that the cache does not know"] == (1, 5)
    assert shares["lost hits, recorded in another state only"] == (1, 5)
    assert shares["wrong stateless hits avoided"] == (1, 5)
    assert len(share_table(headlines.shares())[1]) == len(HEADLINES)


@pytest.mark.parametrize(
    ("stateless", "served", "equal", "lost", "avoided"),
    [
        (None, None, False, False, False),
        ("right", None, False, True, False),
        ("right", "right", True, False, False),
        ("right", "right", False, False, False),  # a like call was right as well
        ("right", "wrong", False, True, False),
        ("right", "wrong", True, False, False),  # an equal call was served: the fault is not the state's
        ("wrong", None, False, False, True),
        ("wrong", "right", True, False, False),
    ],
)
def test_what_the_state_in_the_key_costs_and_saves(stateless, served, equal, lost, avoided):
    assert lost_to_state(stateless, "right", served, equal=equal) == lost
    assert avoided_by_state(stateless, "right", equal=equal) == avoided
