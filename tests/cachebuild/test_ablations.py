"""Simpler caches over the same recorded calls."""

import pytest

from cachebuild.ablations import Ablations, AblationTally
from cachebuild.key import read_arguments
from cachebuild.lookup import Query
from cachebuild.state import INDEPENDENT

ORDER = ("get_order", {"order_id": "W1"}, "open")
CANCEL = ("cancel_order", {"order_id": "W1"}, "done")
PAY = ("pay_order", {"order_id": "W1"}, "paid")
GONE = ("get_order", {"order_id": "W1"}, "cancelled")


@pytest.fixture
def cache(make, compiled):
    return compiled(
        [
            make("one", [ORDER], [CANCEL], [GONE]),
            make("two", [("search", {"query": "red tent for two people"}, "T1, T2")], task_id="t2", task_group="g2"),
        ]
    )


def query(cache, tool, arguments, writes=(), exclude=None):
    state = cache.state("shop")
    for name, values, result in writes:
        state.write(name, read_arguments(values), result)
    read = read_arguments(arguments)
    return Query("shop", None, "t1", tool, read, state.dependence(tool, read), 0, exclude)


def answers(cache, asked):
    served = {name: answer(asked) for name, answer in Ablations(cache.lookup).answerers.items()}
    return {name: given.result if given else None for name, given in served.items()}


def test_only_state_keying_knows_that_the_order_was_cancelled(cache):
    behind = answers(cache, query(cache, "get_order", {"order_id": "W1"}, writes=[CANCEL]))
    assert behind["exact only"] == behind["field-aware (ours)"] == "cancelled"
    assert behind["stateless exact"] in ("open", "cancelled")


def test_likeness_of_text_serves_another_order(cache):
    found = answers(cache, query(cache, "get_order", {"order_id": "W2"}))
    assert found["exact only"] is found["stateless exact"] is found["field-aware (ours)"] is None
    assert found["rapidfuzz ratio >= 90"] in ("open", "cancelled")


def test_token_jaccard_asks_for_four_of_five_tokens(cache):
    asked = {"query": "red tent for two people now"}
    assert answers(cache, query(cache, "search", asked))["token Jaccard >= .8"] == "T1, T2"
    far = answers(cache, query(cache, "search", {"query": "stove"}))
    assert far["token Jaccard >= .8"] is None and far["nearest of the tool"] == "T1, T2"


def test_nobody_sees_the_own_trajectory_or_arguments_that_are_no_json(cache):
    own = cache.lookup.answer(query(cache, "get_order", {"order_id": "W1"})).source_trajectory_id
    excluded = answers(cache, query(cache, "get_order", {"order_id": "W1"}, exclude=own))
    broken = answers(cache, query(cache, "get_order", "{broken"))
    assert not any(excluded.values())
    assert broken["exact only"] is broken["stateless exact"] is broken["nearest of the tool"] is None


def test_the_table_counts_what_the_state_costs_and_saves(cache):
    tally = AblationTally(Ablations(cache.lookup))
    seed = next(at for at in range(9) if answers(cache, paid(cache, at))["stateless exact"] == "open")
    tally.add(paid(cache, seed), "paid", 0.0, read_behind_write=True, unknown_write=True)
    tally.add(paid(cache, seed), "open", 0.0, read_behind_write=True, unknown_write=True)
    tally.add(query(cache, "get_order", {"order_id": "W1"}), "open", 0.0, read_behind_write=False, unknown_write=False)
    rows = {row["answerer"]: row for row in tally.rows()}
    ours, stateless = rows["field-aware (ours)"], rows["stateless exact"]
    assert (ours["calls"], ours["served"], ours["right"]) == (3, 1, 1)
    assert (ours["lost"], ours["lost_unknown"], ours["avoided"]) == (1, 1, 1)
    assert (stateless["served"], stateless["behind"], stateless["behind_wrong"]) == (3, 2, 1)
    assert stateless["lost"] == stateless["avoided"] == 0
    assert INDEPENDENT.state == "" and tally.table()[1][0][0] == "stateless exact"


def paid(cache, seed):
    return query(cache, "get_order", {"order_id": "W1"}, writes=[PAY])._replace(seed=seed)


def test_a_write_is_known_if_another_trajectory_made_it_in_any_state(cache):
    ablations = Ablations(cache.lookup)
    behind = query(cache, "get_order", {"order_id": "W1"}, writes=[CANCEL])
    both = query(cache, "get_order", {"order_id": "W1"}, writes=[CANCEL, PAY])
    assert ablations.knows(behind, "") and ablations.knows(behind, behind.dependence.state)
    assert not ablations.knows(both, both.dependence.state)
    own = cache.lookup.answer(behind).source_trajectory_id
    assert not ablations.knows(behind._replace(exclude_trajectory=own), behind.dependence.state)
