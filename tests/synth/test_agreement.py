from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("krippendorff", reason="needs the extra: pip install -e '.[app]'")
pytest.importorskip("statsmodels", reason="needs the extra: pip install -e '.[app]'")

from synth.agreement import (
    Ratings,
    cohen_kappa,
    coincidences,
    confusion,
    disputes,
    fleiss_kappa,
    krippendorff_alpha,
    majority,
    rater_figures,
    raw_agreement,
)
from synth.resampling import Resampling, alphas, kappas, two_rater_kappas

# Krippendorff, Computing Krippendorff's Alpha-Reliability (2011), section C: 4 observers, 12 units, missing data.
FOUR_OBSERVERS = {
    "a": "1 2 3 3 2 1 4 1 2 . . .",
    "b": "1 2 3 3 2 2 4 1 2 5 . 3",
    "c": ". 3 3 3 2 3 4 2 2 5 1 .",
    "d": "1 2 3 3 2 4 4 1 2 5 1 .",
}
# Fleiss, Measuring Nominal Scale Agreement among Many Raters (1971), table 1: 30 patients, 6 psychiatrists;
# depression, personality disorder, schizophrenia, neurosis, other.
DIAGNOSES = """00060 03003 01401 00006 03030 20400 00402 20310 20040 00006 10050 11040 03300 10050 02031
00501 30012 51000 02040 10203 00006 01050 02013 20040 10041 05010 40002 02040 10500 00006""".split()
# Cohen, A Coefficient of Agreement for Nominal Scales (1960), table 2: 200 patients, two judges; kappa .492.
TWO_JUDGES = ((88, 14, 18), (10, 40, 10), (2, 6, 12))


def of_lines(lines: dict[str, str]) -> Ratings[int]:
    said = ((item, who, value) for who, line in lines.items() for item, value in enumerate(line.split()))
    return Ratings.of((one for one in said if one[2] != "."), sorted({*" ".join(lines.values())} - set(" .")))


def of_counts(rows: Any) -> Ratings[int]:
    said = []
    for item, counts in enumerate(rows):
        votes = [str(category) for category, count in enumerate(counts) for _ in range(int(count))]
        said += [(item, f"r{place}", vote) for place, vote in enumerate(votes)]
    return Ratings.of(said)


def of_table(table: Any) -> Ratings[int]:
    pairs = [(one, other) for one, row in enumerate(table) for other, n in enumerate(row) for _ in range(n)]
    said = [(item, who, str(pair[place])) for item, pair in enumerate(pairs) for place, who in enumerate("ab")]
    return Ratings.of(said)


@pytest.mark.parametrize(("level", "value"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_krippendorffs_example(level: Any, value: float) -> None:
    found = krippendorff_alpha(of_lines(FOUR_OBSERVERS), level)
    assert found.value == pytest.approx(value, abs=0.0005)
    assert found.low is not None and found.high is not None
    assert found.low < value < found.high
    assert found.items == 11  # a unit with one value says nothing


def test_fleiss_example() -> None:
    ratings = of_counts(DIAGNOSES)
    shares = ratings.counts.sum(0) / ratings.counts.sum()
    assert shares.round(3).tolist() == [0.144, 0.144, 0.167, 0.306, 0.239]
    found = fleiss_kappa(ratings)
    assert found.value == pytest.approx(0.430, abs=0.0005)
    assert found.low is not None and found.high is not None
    assert 0.3 < found.low < 0.43 < found.high < 0.56
    assert raw_agreement(ratings).value == pytest.approx(0.556, abs=0.0005)


def test_cohens_example() -> None:
    ratings = of_table(TWO_JUDGES)
    found = cohen_kappa(ratings, "a", "b")
    assert found.value == pytest.approx(0.492, abs=0.0005)
    assert found.low is not None and found.high is not None
    assert (found.low, found.high) == (pytest.approx(0.39, abs=0.01), pytest.approx(0.60, abs=0.01))
    assert raw_agreement(ratings).value == pytest.approx(0.70)
    assert confusion(ratings, "a", "b").tolist() == [list(row) for row in TWO_JUDGES]
    assert confusion(ratings, "b", "a").T.tolist() == [list(row) for row in TWO_JUDGES]
    assert found.told() == "0.49 (0.39 to 0.59)"


def test_the_interval_of_few_items_is_wide_and_of_many_narrow() -> None:
    few, many = (krippendorff_alpha(of_counts(["20", "11", "02", "20", "02", "11"] * times)) for times in (1, 40))
    assert few.value == pytest.approx(many.value, abs=0.06)
    assert few.high - few.low > 3 * (many.high - many.low)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ([], "no labels"),
        ([(1, "a", "good"), (2, "a", "bad")], "one annotator"),
        ([(1, "a", "good"), (2, "b", "bad")], "no item with labels of two annotators"),
        ([(1, "a", "good"), (1, "b", "good"), (2, "a", "bad")], "one category: all labels are good"),
    ],
)
def test_what_is_undefined_says_why(said: Any, why: str) -> None:
    ratings = Ratings.of(said)
    for found in (krippendorff_alpha(ratings), krippendorff_alpha(ratings, "ordinal"), fleiss_kappa(ratings)):
        assert found.value is None
        assert found.told() == f"undefined: {why}"
    if len(ratings.raters) == 2:
        assert cohen_kappa(ratings, "a", "b").value is None
    assert all(math.isfinite(row.agreement.value or 0) for row in rater_figures(ratings))


def test_one_item_has_no_interval() -> None:
    found = raw_agreement(Ratings.of([(1, "a", "good"), (1, "b", "bad")]))
    assert found.told() == "0.00 (no interval: one item)"


def test_fleiss_takes_the_items_of_the_usual_number_of_labels() -> None:
    ratings = of_counts([*DIAGNOSES, "20000", "00002", "00001"])
    assert fleiss_kappa(ratings).items == 30
    assert fleiss_kappa(ratings).value == pytest.approx(0.430, abs=0.0005)


def test_disputes_come_by_entropy() -> None:
    said = {"even": "bad good", "clear": "good good good", "most": "good good bad", "three": "good bad unsure"}
    ratings = Ratings.of(
        [(item, f"r{place}", vote) for item, votes in said.items() for place, vote in enumerate(votes.split())]
    )
    found = disputes(ratings)
    assert [dispute.item for dispute in found] == ["three", "even", "most"]
    assert found[0].entropy == pytest.approx(math.log2(3))
    assert [dispute.majority for dispute in found] == [None, None, "good"]
    assert found[2].votes == {"good": 2, "bad": 1}
    assert majority({}) is None


def test_each_rater_beside_the_rest() -> None:
    lines = {"a": "1 2 1 2 1 2 1 2", "b": "1 2 1 2 1 2 1 2", "c": "2 1 2 1 2 1 2 1", "d": ". . . . . . . ."}
    odd = {row.rater: row for row in rater_figures(of_lines(lines))}
    assert odd["c"].agreement.value == 0
    assert odd["c"].kappa.value == -1
    assert odd["a"].agreement.value == 0.5
    assert "d" not in odd
    alone = rater_figures(Ratings.of([(1, "a", "x")]))
    assert alone[0].agreement.told() == "undefined: nobody else labelled the same items"


def test_coincidences_count_every_label_of_a_shared_item() -> None:
    found = coincidences(of_lines(FOUR_OBSERVERS))
    assert found.sum() == pytest.approx(40)
    assert np.allclose(found, found.T)
    assert found[0].round(2).tolist() == [7, 1.33, 0.33, 0.33, 0]  # as printed there


def test_the_last_label_of_a_rater_counts_and_strings_come_in_their_order() -> None:
    ratings = Ratings.of([(1, "a", "bad"), (1, "a", "good"), (1, "b", "zzz")], ("good", "bad"))
    assert ratings.categories == ("good", "bad", "zzz")
    assert ratings.codes.tolist() == [[0, 2]]


@given(st.lists(st.lists(st.integers(0, 3), min_size=3, max_size=3), min_size=2, max_size=12), st.integers(0, 2**16))
def test_resampled_formulas_are_those_of_the_libraries(rows: list[list[int]], seed: int) -> None:
    ratings = of_counts(rows)
    paired = ratings.paired()
    for level in ("nominal", "ordinal", "interval"):
        found = krippendorff_alpha(ratings, level)
        if found.value is not None:
            used = paired.counts[:, paired.counts.sum(0) > 0]
            values = np.flatnonzero(paired.counts.sum(0) > 0).astype(float)
            again = alphas(np.ones((1, len(used))), used, values, level)
            assert again[0] == pytest.approx(found.value)
    fleiss = fleiss_kappa(ratings, Resampling(50, seed))
    if fleiss.value is not None:
        labels = paired.counts.sum(1)
        same = next(
            paired.counts[labels == n] for n in sorted(set(labels), reverse=True) if (labels == n).sum() == fleiss.items
        )
        assert kappas(np.ones((1, len(same))), same)[0] == pytest.approx(fleiss.value)
    for found in (fleiss, raw_agreement(ratings), *(row.kappa for row in rater_figures(ratings))):
        assert "nan" not in found.told()


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=30))
def test_kappa_of_a_table_is_the_librarys(pairs: list[tuple[int, int]]) -> None:
    said = [(item, who, str(pair[place])) for item, pair in enumerate(pairs) for place, who in enumerate("ab")]
    ratings = Ratings.of(said)
    found = cohen_kappa(ratings, "a", "b")
    own = two_rater_kappas(confusion(ratings, "a", "b")[None].astype(float))[0]
    assert (found.value is None) == bool(np.isnan(own))
    if found.value is not None:
        assert own == pytest.approx(found.value)
        assert "nan" not in found.told()


def test_the_seed_decides_the_interval() -> None:
    ratings = of_counts(DIAGNOSES)
    one, same, other = (krippendorff_alpha(ratings, again=Resampling(200, seed)) for seed in (1, 1, 2))
    assert one == same
    assert (one.low, one.high) != (other.low, other.high)
