"""Queues: the order of each mode, who labels what, where one goes on, and what others may see meanwhile."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.labels.events import Target, new_event_id
from app.labels.queues import Queue
from curate.errors import UsageError

TEAM = ("ann", "bob", "cid")
TARGETS = [Target(f"t{number}", "h", folder="airline") for number in range(12)]


def with_scores(targets, scores=None):
    return tuple(zip(targets, scores or [0.0] * len(targets), strict=True))


def labelled_in_order(store, say, queue, annotator, verdict="good"):
    """All that the queue gives the annotator, labelled."""
    order = []
    while (target := store.next(queue, annotator)) is not None:
        say(annotator, target, verdict, queue=queue)
        order.append(target)
    return order


def test_assigned_goes_as_given_and_doubles_count_once(store, say):
    store.add_queue(Queue("q", targets=with_scores([TARGETS[3], TARGETS[1], TARGETS[3], TARGETS[2]])))
    assert store.next("q", "ann").folder == "airline"
    assert labelled_in_order(store, say, "q", "ann") == [TARGETS[3], TARGETS[1], TARGETS[2]]
    assert store.progress("q", "ann") == (3, 3) and store.finished("q", "ann") and not store.finished("q", "bob")


def test_random_follows_the_seed_alone(store, say):
    for name, seed, targets in (("a", 1, TARGETS), ("b", 1, TARGETS[::-1]), ("c", 2, TARGETS)):
        store.add_queue(Queue(name, "random", seed=seed, targets=with_scores(targets)))
    orders = [labelled_in_order(store, say, name, "ann") for name in "abc"]
    assert orders[0] == orders[1] != orders[2] and sorted(t.trajectory_id for t in orders[2]) == sorted(
        t.trajectory_id for t in TARGETS
    )
    assert orders[0] != TARGETS


def test_uncertain_takes_the_highest_score_first(store, say):
    scores = [0.1, 0.9, 0.5, -1.0]
    store.add_queue(Queue("q", "uncertain", targets=with_scores(TARGETS[:4], scores)))
    assert labelled_in_order(store, say, "q", "ann") == [TARGETS[1], TARGETS[2], TARGETS[0], TARGETS[3]]


def test_disagreement_takes_what_the_others_dispute_most_first(store, say):
    calm, torn, uneven = TARGETS[:3]
    for name, verdicts in (("bob", ("good",) * 3), ("cid", ("good", "bad", "good")), ("dee", ("good", "bad", "bad"))):
        for target, verdict in zip((calm, torn, uneven), verdicts, strict=True):
            say(name, target, verdict)
    say("eve", torn, "good")  # torn: 2 to 2; uneven: 2 to 1
    say("ann", calm, "bad")  # one's own label does not count
    queue = Queue("q", "disagreement", targets=with_scores([TARGETS[5], calm, torn, uneven]))
    store.add_queue(queue)
    assert store.next("q", "ann", skip=[torn, uneven]) in (calm, TARGETS[5])
    order = labelled_in_order(store, say, "q", "ann")
    assert order[:2] == [torn, uneven] and set(order[2:]) == {calm, TARGETS[5]}


def test_one_goes_on_where_one_stopped_and_an_undone_label_is_due_again(store, say):
    store.add_queue(Queue("q", targets=with_scores(TARGETS[:4])))
    first = store.next("q", "ann")
    say("ann", first, queue="q")
    say("ann", TARGETS[1])  # given while reading: the queue still asks for it
    assert store.next("q", "ann") == TARGETS[1] and store.progress("q", "ann") == (1, 4)
    store.undo("ann", queue="q")
    assert store.next("q", "ann") == first and store.progress("q", "ann") == (0, 4)
    say("ann", first, queue="q")
    say("ann", first, "bad")  # changed while reading: it stays done
    assert store.progress("q", "ann") == (1, 4)


def test_what_is_skipped_comes_back_later(store):
    store.add_queue(Queue("q", targets=with_scores(TARGETS[:3])))
    assert store.next("q", "ann", skip=[TARGETS[0]]) == TARGETS[1]
    assert store.next("q", "ann", skip=set(TARGETS[:3])) is None
    assert store.next("q", "ann") == TARGETS[0]


def test_only_who_is_named_labels_a_queue(store):
    store.add_queue(Queue("mine", annotators=("ann",), targets=with_scores(TARGETS[:2])))
    store.add_queue(Queue("all", targets=with_scores(TARGETS[:2])))
    assert [queue.name for queue in store.queues("ann")] == ["mine", "all"]
    assert [queue.name for queue in store.queues("bob")] == ["all"]
    assert store.next("mine", "bob") is None and store.progress("mine", "bob") == (0, 0)
    assert not store.finished("mine", "bob")


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 5), st.integers(1, 5), st.integers(1, 12), st.integers(0, 3))
def test_an_overlap_gives_each_target_to_so_many_and_all_the_same_work(store, people, overlap, size, seed):
    overlap = min(overlap, people)
    team, name = tuple(f"p{number}" for number in range(people)), new_event_id()
    store.add_queue(
        Queue(name, "random", seed=seed, annotators=team, targets=with_scores(TARGETS[:size]), overlap=overlap)
    )
    work = {person: [] for person in team}
    for person in team:
        while (target := store.next(name, person, skip=work[person])) is not None:
            work[person].append(target)
        assert store.progress(name, person) == (0, len(work[person]))
    times = [sum(target in mine for mine in work.values()) for target in TARGETS[:size]]
    assert times == [overlap] * size
    loads = [len(mine) for mine in work.values()]
    assert max(loads) - min(loads) <= overlap and sum(loads) == overlap * size


def test_an_overlap_in_a_queue_for_everyone_closes_a_target_when_enough_have_labelled_it(store, say):
    store.add_queue(Queue("q", targets=with_scores(TARGETS[:3]), overlap=2))
    assert labelled_in_order(store, say, "q", "ann") == TARGETS[:3]
    assert labelled_in_order(store, say, "q", "bob") == TARGETS[:3]
    assert store.next("q", "cid") is None and store.progress("q", "cid") == (0, 0)
    assert store.progress("q", "ann") == (3, 3)


def test_a_queue_comes_back_as_it_was_given(store):
    turns = [Target("t1", "h", 5, "f"), Target("t1", "h", 1, "f")]
    queue = Queue("turns", "uncertain", "turn", 7, ("ann", "bob"), with_scores(turns, [0.25, 0.5]), 1)
    store.add_queue(queue)
    found = store.queue("turns")
    assert found == queue and [target.folder for target, _ in found.targets] == ["f", "f"]
    assert store.queues() == [replace(queue, targets=())]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": " "}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"mode": "fastest"}, "mode"),
        ({"targets": ()}, "nothing to label"),
        ({"overlap": 4}, "overlap 4"),
        ({"overlap": -1}, "overlap -1"),
        ({"unit": "turn"}, "another unit"),
        ({"targets": ((TARGETS[0], math.nan),)}, "no number"),
    ],
)
def test_a_queue_that_makes_no_sense_is_refused(store, change, said):
    whole = Queue("q", annotators=TEAM, targets=with_scores(TARGETS))
    with pytest.raises(UsageError, match=said):
        store.add_queue(replace(whole, **change))
    assert store.queues() == []


def test_names_of_queues_are_taken_once_and_unknown_ones_refused(store):
    store.add_queue(Queue("q", targets=with_scores(TARGETS)))
    with pytest.raises(UsageError, match="already"):
        store.add_queue(Queue("q", targets=with_scores(TARGETS)))
    for ask in (store.queue, lambda name: store.next(name, "ann"), lambda name: store.progress(name, "ann")):
        with pytest.raises(UsageError, match="no queue 'x'"):
            ask("x")


def annotators(store, **roles):
    return [store.add_annotator(name, None, role) for name, role in roles.items()]


def names_seen(store, viewer):
    return set(store.latest(viewer=viewer)["annotator"])


def test_nobody_sees_anothers_labels_of_a_queue_before_having_finished_it(store, say):
    ann, bob, eve, lee = annotators(store, ann="annotator", bob="annotator", eve="annotator", lee="lead")
    store.add_queue(Queue("q", annotators=("ann", "bob"), targets=with_scores(TARGETS[:2])))
    labelled_in_order(store, say, "q", "ann")
    say("bob", TARGETS[0], "bad", queue="q")
    assert names_seen(store, ann) == {"ann", "bob"}  # has finished
    assert names_seen(store, bob) == {"bob"}  # one is left
    assert names_seen(store, eve) == set()  # has no part in it
    assert names_seen(store, lee) == {"ann", "bob"}
    assert store.settled(viewer=bob)["votes"].to_list() == [1]
    say("bob", TARGETS[1], queue="q")
    assert names_seen(store, bob) == {"ann", "bob"}
    store.undo("bob", queue="q")
    assert names_seen(store, bob) == {"bob"}


def test_a_label_given_while_reading_shows_nothing_of_a_target_one_has_yet_to_label(store, say):
    bob, _ = annotators(store, bob="annotator", ann="annotator")
    store.add_queue(Queue("q", annotators=("bob",), targets=with_scores(TARGETS[:1])))
    say("ann", TARGETS[0])
    say("bob", TARGETS[0])  # while reading as well, which does not finish the queue
    assert names_seen(store, bob) == {"bob"}
    say("bob", TARGETS[0], queue="q")
    assert names_seen(store, bob) == {"ann", "bob"}


def test_labels_given_while_reading_are_seen_by_leads_and_who_labelled_the_same(store, say):
    bob, lee = annotators(store, bob="annotator", lee="lead")
    say("ann", TARGETS[0])
    say("ann", Target("t0", "h", 3))
    assert names_seen(store, bob) == set() and names_seen(store, lee) == {"ann"}
    say("bob", TARGETS[0])
    seen = store.latest(viewer=bob)
    assert seen.select("annotator", "message_index").rows() == [("ann", None), ("bob", None)]
    assert store.latest(annotator="ann", viewer=bob)["message_index"].to_list() == [None]


def test_a_lead_who_labels_a_queue_is_as_blind_as_the_others(store, say):
    lee, _ = annotators(store, lee="lead", ann="annotator")
    store.add_queue(Queue("named", annotators=("lee", "ann"), targets=with_scores(TARGETS[:2])))
    store.add_queue(Queue("all", targets=with_scores(TARGETS[2:4])))
    for queue in ("named", "all"):
        labelled_in_order(store, say, queue, "ann")
    assert set(store.latest(viewer=lee)["queue"]) == {"all"}
    say("lee", TARGETS[2], queue="all")
    assert names_seen(store, lee) == {"lee"}
    for queue in ("named", "all"):
        labelled_in_order(store, say, queue, "lee")
    assert store.latest(viewer=lee).height == 8


def test_what_is_due_does_not_depend_on_what_is_seen(store, say):
    """`latest` of a queue shows what was said in it, even where it was changed elsewhere."""
    store.add_queue(Queue("q", targets=with_scores(TARGETS[:1])))
    say("ann", TARGETS[0], "good", queue="q")
    say("ann", TARGETS[0], "bad")
    assert store.latest(queue="q")["verdict"].to_list() == ["good"]
    assert store.latest()["verdict"].to_list() == ["bad"]
