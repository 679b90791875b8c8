from __future__ import annotations

from types import SimpleNamespace

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.browsing import MOST_OFFERED, PAGE_ROWS, find, steps, text_hits, vocabulary
from app.filters import NONE, SORTS, FilterState, Range, parsed
from app.label_states import states_of
from app.library import TraceKey
from tests.app.index_frames import FakeLibrary, index_frame

REWARDS = st.lists(st.one_of(st.none(), st.sampled_from([0.0, 0.5, 1.0])), min_size=1, max_size=130)


def _library(rewards) -> FakeLibrary:
    return FakeLibrary(index_frame(*({"reward": reward} for reward in rewards)))


@given(REWARDS, st.sampled_from(sorted(SORTS)), st.booleans())
def test_pages_hold_every_row_once_whatever_the_order(rewards, sort, descending):
    found = find(_library(rewards), FilterState(sort=sort, descending=descending))
    pages = [found.page(number)["row"].to_list() for number in range(1, found.pages() + 1)]
    assert sorted(row for page in pages for row in page) == list(range(len(rewards)))
    assert all(len(page) == PAGE_ROWS for page in pages[:-1])


@given(REWARDS, st.booleans())
def test_equal_values_keep_their_order_and_missing_ones_stand_last(rewards, descending):
    found = find(_library(rewards), FilterState(sort="reward", descending=descending))
    rows = found.rows.to_list()
    given_rows = [row for row in rows if rewards[row] is not None]
    assert rows[len(given_rows) :] == [row for row, reward in enumerate(rewards) if reward is None]
    assert given_rows == sorted(given_rows, key=lambda row: (-rewards[row] if descending else rewards[row], row))


def test_tiers_are_ordered_from_exact_to_simulated():
    tiers = ["fuzzy", "simulated", "exact", None, "best_effort", "normalised", "unavailable"]
    library = FakeLibrary(index_frame(*({"worst_tier": tier} for tier in tiers)))
    ordered = find(library, FilterState(sort="worst")).page(1)["worst_tier"].to_list()
    assert ordered == ["exact", "normalised", "fuzzy", "best_effort", "unavailable", "simulated", None]


def test_words_are_ordered_by_their_letters():
    library = FakeLibrary(index_frame({"source": "b"}, {"source": "c"}, {"source": "a"}))
    assert find(library, FilterState(sort="source")).page(1)["source"].to_list() == ["a", "b", "c"]


def test_text_and_fields_narrow_together():
    library = FakeLibrary(index_frame({"reward": 1.0}, {"reward": 0.0}, {"reward": 1.0}), {0: "cat", 1: "cat"})
    state = FilterState(text="CAT", ranges={"reward": Range(0.5, None)})
    assert find(library, state).rows.to_list() == [0]


def test_only_the_latest_searches_are_kept():
    library = FakeLibrary(index_frame({}))
    for number in range(40):
        text_hits(library, f"text {number}")
    text_hits(library, "text 39")
    assert library.searches == 40
    text_hits(library, "text 0")
    assert library.searches == 41


def test_fields_offer_their_most_frequent_values_and_whether_some_have_none():
    rows = [{"tools": ["b", "a"]}, {"tools": ["b"]}, {"tools": []}]
    assert vocabulary(FakeLibrary(index_frame(*rows)), "tool") == {"b": 2, "a": 1, NONE: 1}
    many = FakeLibrary(index_frame(*({"task_id": f"t{n}"} for n in range(500))))
    assert len(vocabulary(many, "task")) == MOST_OFFERED
    assert vocabulary(many, "split") == {}


@pytest.fixture
def held(settings, labels):
    library = _library([0.3, 0.1, None, 0.2])
    return SimpleNamespace(settings=settings, library=library, labels=labels)


def test_a_trace_knows_its_neighbours_in_the_order_of_the_table(held):
    here = steps(held, None, "sort=reward&reward=0.1..", TraceKey("clean", "trace-3"))
    assert (here.previous, here.next) == (TraceKey("clean", "trace-1"), TraceKey("clean", "trace-0"))
    assert (here.place, here.total) == (2, 3)


def test_the_first_and_last_have_one_neighbour(held):
    assert steps(held, None, "", TraceKey("clean", "trace-0")).previous is None
    assert steps(held, None, "", TraceKey("clean", "trace-3")).next is None


@pytest.mark.parametrize("query", ["reward=0.25..", "tool=none", "&&=&%ff"])
def test_a_trace_outside_of_the_filter_or_the_folders_has_no_neighbours(held, query):
    assert steps(held, None, query, TraceKey("clean", "no such")).place is None
    assert steps(held, None, "reward=0.25..", TraceKey("clean", "trace-1")).place is None
    assert steps(held, None, query, TraceKey("elsewhere", "trace-0")).place is None


def test_hundreds_of_fields_in_the_way_back_are_no_fault(held):
    assert steps(held, None, "&".join(["tool=x"] * 5000), TraceKey("clean", "trace-0")).total == 4


def test_what_a_lead_has_settled_is_not_disputed():
    def row(annotator: str, verdict: str, action: str = "label") -> dict[str, object]:
        target = {"trajectory_id": "t", "content_hash": "h", "message_index": None}
        return {**target, "annotator": annotator, "verdict": verdict, "tags": [], "action": action}

    schema = {"message_index": pl.Int32, "tags": pl.List(pl.String)}
    disputed = pl.DataFrame([row("ann", "good"), row("bob", "bad")], schema_overrides=schema)
    assert "disputed" in states_of(disputed, None)["states"][0]
    settled = pl.DataFrame([*disputed.to_dicts(), row("eve", "bad", "adjudicate")], schema_overrides=schema)
    assert "disputed" not in states_of(settled, None)["states"][0]


def test_labels_of_another_content_do_not_count():
    library = FakeLibrary(index_frame({"trace": "t", "content_hash": "new"}))
    states = pl.DataFrame({"trajectory_id": ["t"], "content_hash": ["old"], "states": [["labelled"]]})
    state, _ = parsed({"label": "unlabelled"})
    assert find(library, state, states).rows.to_list() == [0]
    assert find(library, parsed({"label": "labelled"})[0], states).rows.to_list() == []
