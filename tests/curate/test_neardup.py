from __future__ import annotations

import random
import tracemalloc
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate import buckets, neardup_texts
from curate import minhash_reference as reference
from curate.buckets import band_keys, bands_and_rows, candidate_pairs, least_equal
from curate.errors import UsageError
from curate.minhash import signatures
from curate.neardup import NearDuplicates, best_first, near_duplicates
from curate.neardup_settings import NearDupSettings
from curate.neardup_texts import TextSpool

WORDS = [f"w{number}" for number in range(5_000)]


def facts(
    texts: Sequence[str], rewards: Sequence[float | None] | None = None, ids: Sequence[str] | None = None
) -> pa.Table:
    return pa.table(
        {
            "trajectory_id": pa.array(ids or [f"{number:07d}" for number in range(len(texts))], pa.string()),
            "reward": pa.array(rewards or [None] * len(texts), pa.float32()),
            "size": pa.array([len(text.encode()) for text in texts], pa.int64()),
        }
    )


def find(
    texts: Sequence[str],
    rewards: Sequence[float | None] | None = None,
    ids: Sequence[str] | None = None,
    threshold: float = 0.8,
    threads: int | None = None,
) -> NearDuplicates:
    array = pa.array(texts, pa.large_string())
    settings = NearDupSettings(threshold)
    rows = facts(texts, rewards, ids)
    return near_duplicates(
        signatures(array), lambda wanted: array.take(pa.array(wanted)), rows, settings, threads=threads
    )


def dialogue(rng: random.Random, count: int = 60) -> list[str]:
    return rng.choices(WORDS, k=count)


def edited(words: list[str], rng: random.Random, share: float) -> list[str]:
    return [rng.choice(WORDS) if rng.random() < share else word for word in words]


def corpus(seed: int = 0, originals: int = 150, copies: int = 250) -> list[str]:
    rng = random.Random(seed)
    texts = [dialogue(rng, rng.randrange(8, 200)) for _ in range(originals)]
    texts += [edited(rng.choice(texts[:originals]), rng, rng.uniform(0, 0.08)) for _ in range(copies)]
    rng.shuffle(texts)
    return [" ".join(words) for words in texts]


def brute_force(texts: Sequence[str], threshold: float) -> dict[tuple[int, int], float]:
    sets = [set(reference.shingle_hashes(text).tolist()) for text in texts]
    found = {}
    for one in range(len(texts)):
        for other in range(one + 1, len(texts)):
            common = len(sets[one] & sets[other])
            if common and (value := common / len(sets[one] | sets[other])) >= threshold:
                found[one, other] = value
    return found


def test_what_is_removed_is_what_brute_force_removes() -> None:
    texts = corpus()
    rewards = [random.Random(number).choice([None, 0.0, 1.0]) for number in range(len(texts))]
    alike = brute_force(texts, 0.8)
    neighbours: dict[int, dict[int, float]] = {}
    for (one, other), value in alike.items():
        neighbours.setdefault(one, {})[other] = neighbours.setdefault(other, {})[one] = value
    expected: dict[int, tuple[int, float]] = {}
    stays: list[int] = []
    for row in best_first(facts(texts, rewards)).tolist():
        partner = next((kept for kept in stays if kept in neighbours.get(row, {})), None)
        if partner is None:
            stays.append(row)
        else:
            expected[row] = (partner, neighbours[row][partner])
    found = find(texts, rewards)
    assert len(expected) > 60
    assert found.removed == expected
    assert found.figures["pairs_alike"] == len(alike)


@given(st.lists(st.text("abc ", max_size=24), max_size=14), st.sampled_from([0.3, 0.8, 1.0]))
def test_a_removed_row_is_like_a_better_one_that_stays(texts: list[str], threshold: float) -> None:
    rewards = [float(len(text) % 3) for text in texts]
    found = find(texts, rewards, threshold=threshold)
    place = {row: number for number, row in enumerate(best_first(facts(texts, rewards)).tolist())}
    for row, (kept, value) in found.removed.items():
        assert kept not in found.removed
        assert place[kept] < place[row]
        assert value == reference.jaccard(texts[row], texts[kept]) >= threshold
    assert list(found.removed) == sorted(found.removed)
    for row in set(range(len(texts))) - set(found.removed):
        same = [other for other in range(len(texts)) if texts[other] == texts[row] and other not in found.removed]
        assert same == [row] or not reference.words(texts[row])


def test_the_best_row_stays_by_reward_then_length_then_id() -> None:
    text = " ".join(WORDS[:100])
    longer = text + " and one more"
    texts = [text, longer, text, text, text]
    assert set(find(texts, [None, None, 0.0, 1.0, 0.5]).removed) == {0, 1, 2, 4}
    assert set(find(texts, [None, None, None, float("nan"), None]).removed) == {0, 2, 3, 4}
    assert set(find([text] * 3, ids=["b", "a", "c"]).removed) == {0, 2}
    assert {kept for kept, _ in find([text] * 3, ids=["b", "a", "c"]).removed.values()} == {1}


def test_a_row_stays_if_it_is_like_removed_rows_alone() -> None:
    """a is like b and b like c, but not a like c: b goes for a, and c stays for want of a row that stays for it."""
    first = WORDS[:100]
    middle = first[8:] + WORDS[200:208]
    last = middle[8:] + WORDS[300:308]
    found = find([" ".join(words) for words in (first, middle, last)], [3.0, 2.0, 1.0])
    assert set(found.removed) == {1}
    assert found.clusters.to_pydict() == {
        "cluster": [0, 0, 0],
        "index": [0, 1, 2],
        "kept": [0, 0, 2],
        "jaccard": [1.0, found.removed[1][1], 1.0],
    }


def test_threads_batches_and_the_order_of_rows_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = corpus(1)
    ids = [f"id-{number}" for number in range(len(texts))]
    expected = find(texts, ids=ids)
    monkeypatch.setattr(neardup_texts, "BATCH_BYTES", 2_000)
    again = find(texts, ids=ids, threads=1)
    assert again.removed == expected.removed and again.clusters.equals(expected.clusters)
    back = list(range(len(texts)))[::-1]
    turned = find([texts[row] for row in back], ids=[ids[row] for row in back])
    assert {back[row]: back[kept] for row, (kept, _) in turned.removed.items()} == {
        row: kept for row, (kept, _) in expected.removed.items()
    }


def test_texts_are_fetched_in_bounded_batches_of_ascending_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neardup_texts, "BATCH_BYTES", 5_000)
    texts = pa.array(corpus(2))
    sizes: list[int] = []

    def fetch(rows: np.ndarray) -> pa.Array:
        assert (np.diff(rows) > 0).all()
        sizes.append(pc.sum(pc.binary_length(texts.take(pa.array(rows)))).as_py())
        return texts.take(pa.array(rows))

    near_duplicates(signatures(texts), fetch, facts(texts.to_pylist()))
    assert len(sizes) > 10
    assert max(sizes) < 5_000 + 2 * pc.max(pc.binary_length(texts)).as_py()


def test_texts_that_are_like_nothing_are_not_fetched() -> None:
    texts = pa.array([" ".join(WORDS[first : first + 50]) for first in range(0, 5_000, 50)] + [""] * 50)

    def fetch(rows: np.ndarray) -> pa.Array:
        raise AssertionError(rows)

    assert near_duplicates(signatures(texts), fetch, facts(texts.to_pylist())).removed == {}


def test_empty_texts_are_no_duplicates() -> None:
    found = find(["", "", "...", " ", "word", "word"])
    assert found.removed == {5: (4, 1.0)}
    assert found.figures["empty"] == 4


def test_no_rows_at_all() -> None:
    found = find([])
    assert (found.removed, found.clusters.num_rows, found.figures["clusters"]) == ({}, 0, 0)


@pytest.mark.parametrize("count", [1_000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_identical_rows_cost_one_comparison_each(count: int) -> None:
    found = find([" ".join(WORDS[:40])] * count)
    assert found.removed == {row: (0, 1.0) for row in range(1, count)}
    assert found.figures["pairs_verified"] == count - 1


@pytest.mark.parametrize("count", [2_000, pytest.param(50_000, marks=pytest.mark.slow)])
def test_a_crowd_around_one_boilerplate_hides_no_duplicates(count: int) -> None:
    """Every row shares three quarters of its words with all others: each band has one bucket of a good part of them."""
    rng = random.Random(4)
    boilerplate = dialogue(rng, 120)
    pairs = []
    for _ in range(count // 2):
        own = dialogue(rng, 40)
        pairs += [boilerplate + own, boilerplate + own[:20] + ["edit"] + own[21:]]
    rng.shuffle(pairs)
    found = find([" ".join(words) for words in pairs])
    assert found.figures["crowded"] > 0.8 * count
    assert len(found.removed) >= 0.98 * count / 2
    assert found.figures["pairs_verified"] < 60 * count


def test_a_bucket_whose_centre_is_unlike_its_rows_is_given_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buckets, "SMALL", 2)
    texts = corpus(5)
    alike = brute_force(texts, 0.8)
    found = find(texts)
    expected = {row for pair in alike for row in pair}
    assert {row for row in found.clusters["index"].to_pylist()} == expected


@pytest.mark.parametrize("megabytes", [1, pytest.param(50, marks=pytest.mark.slow)])
def test_one_huge_text_among_others(megabytes: int) -> None:
    words = [WORDS[number * 7919 % 5_000] + WORDS[number % 4_999] for number in range(megabytes * 100_000)]
    texts = [" ".join(words), " ".join([*words[:-9], "end"]), *corpus(6, 20, 20)]
    tracemalloc.start()
    found = find(texts)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.removed[1] == (0, pytest.approx(1.0, abs=1e-3))
    assert peak < 20 * len(texts[0]) + 200e6


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95])
def test_the_choice_of_bands_is_datasketchs_among_those_that_lose_nothing(threshold: float) -> None:
    from datasketch.lsh import _optimal_param

    for count in (64, 90, 128):
        assert bands_and_rows(threshold, count, recall=0) == _optimal_param(threshold, count, 0.5, 0.5)
        bands, rows = bands_and_rows(threshold, count)
        assert bands * rows <= count
        assert 1 - (1 - threshold**rows) ** bands >= 0.999
        assert least_equal(threshold, count) < threshold * count
    assert bands_and_rows(0.8, 90) == (18, 5)
    assert bands_and_rows(1.0, 90) == (1, 90)


def test_bucket_keys_are_the_oracles() -> None:
    values = signatures(pa.array(corpus(7, 10, 10)))
    assert (band_keys(values, 18, 5) == reference.band_keys(values, 18, 5)).all()
    assert len(np.unique(band_keys(values[:1], 90, 1))) == 90


def test_candidates_share_a_bucket() -> None:
    values = signatures(pa.array(corpus(8)))
    pairs, crowded = candidate_pairs(values, np.arange(len(values)), 18, 5, 0.8)
    keys = band_keys(values, 18, 5)
    assert (keys[pairs[:, 0]] == keys[pairs[:, 1]]).any(axis=1).all()
    assert not crowded.any()
    assert pairs.tolist() == sorted(pairs.tolist()) and len({tuple(pair) for pair in pairs.tolist()}) == len(pairs)


@pytest.mark.parametrize("settings", [NearDupSettings(0), NearDupSettings(1.1), NearDupSettings(permutations=0)])
def test_settings_that_cannot_be(settings: NearDupSettings) -> None:
    with pytest.raises(UsageError, match="must be"):
        settings.check()


def test_a_spool_gives_texts_back_from_disk(tmp_path: Path) -> None:
    texts = ["one", "", "drei 三", "x" * 5_000, "last"]
    with TextSpool(tmp_path) as spool:
        spool.append(pa.array(texts[:2]))
        spool.append(pa.array([None, *texts[2:]])[1:])
        assert spool.sizes.tolist() == [len(text.encode()) for text in texts]
        assert spool.fetch(np.array([0, 2, 3])).to_pylist() == [texts[0], texts[2], texts[3]]
        assert spool.fetch(np.array([], np.int64)).to_pylist() == []
        spool.append(pa.array(["more"]))
        assert spool.fetch(np.array([5])).to_pylist() == ["more"]
    assert list(tmp_path.iterdir()) == []
