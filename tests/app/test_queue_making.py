"""What queues are made of."""

from __future__ import annotations

import polars as pl
import pytest

from app.queue_making import targets_of
from tests.app.trace_folders import Traces


def made(library, **more):
    chosen = {"mode": "random", "unit": "trajectory", "most": 100, "seed": 0} | more
    return targets_of(library, library.frame["row"], **chosen)


def test_whole_trajectories_keep_the_order_of_the_filter_and_are_not_read():
    library = Traces(5)
    rows = pl.Series("row", [3, 1, 4], pl.UInt32)
    found = targets_of(library, rows, mode="assigned", unit="trajectory", most=2, seed=0)
    assert [target.trajectory_id for target, _ in found] == ["t3", "t1"]
    assert found[0][0].folder == "clean" and found[0][0].content_hash == "hash-t3"
    assert library.read == []


def test_a_seed_draws_the_same_and_another_differs():
    library = Traces(60)
    assert made(library, most=20, seed=1) == made(library, most=20, seed=1) != made(library, most=20, seed=2)
    assert len({target for target, _ in made(library, most=20)}) == 20


@pytest.mark.parametrize(("p", "score"), [(0.5, 1.0), (1.0, 0.0), (0.75, 0.5), (None, 0.0)])
def test_evidence_between_yes_and_no_is_the_most_uncertain(p, score):
    assert made(Traces(1, min_p=p))[0][1] == pytest.approx(score)


def test_turns_are_the_assistants_messages_with_their_own_evidence():
    told = []
    found = made(Traces(2), unit="turn", progress=told.append)
    assert [(target.trajectory_id, target.message_index) for target, _ in found] == [
        ("t0", 1),
        ("t0", 3),
        ("t1", 1),
        ("t1", 3),
    ]
    assert [score for _, score in found] == [0.5, 0.0, 0.5, 0.0]
    assert told == [0.5, 1.0]


def test_what_has_no_content_of_its_own_is_left_out_and_doubles_once():
    assert made(Traces(2, content_hash=None)) == []
    assert len(made(Traces(3, trajectory_id="same", content_hash="same"))) == 1
