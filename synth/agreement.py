"""How far annotators agree: labels in, kappa, alpha and shares out, each with an interval or the reason for none.

Values come from the libraries `krippendorff` and `statsmodels`; intervals from resampled items
(`synth.resampling`), or for Cohen's kappa from its standard error.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from synth.resampling import Resampling, Statistic, alphas, kappas, shares

Item = TypeVar("Item", bound=Hashable)
Level: TypeAlias = Literal["nominal", "ordinal", "interval"]
MISSING = -1
USUAL = Resampling()


@dataclass(frozen=True)
class Figure:
    """A figure with its 95 % interval.

    Attributes:
        value: None where it is undefined.
        low: end of the interval; None where there is none.
        high: the other end.
        items: how many items it rests on.
        why: why it is undefined, or has no interval.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    items: int = 0
    why: str = ""

    def told(self) -> str:
        """For people: `0.74 (0.61 to 0.85)`, or `undefined: one annotator`."""
        if self.value is None:
            return f"undefined: {self.why}"
        if self.low is None or self.high is None:
            return f"{self.value:.2f} (no interval: {self.why})"
        return f"{self.value:.2f} ({self.low:.2f} to {self.high:.2f})"


def undefined(why: str, items: int = 0) -> Figure:
    """A figure that there is not."""
    return Figure(None, items=items, why=why)


@dataclass(frozen=True)
class Ratings(Generic[Item]):
    """Who said what of which item.

    Attributes:
        items: in the order in which they came.
        raters: names, sorted.
        categories: in the order that counts where it is ordinal; for intervals they lie one apart.
        codes: shape (items, raters): places in `categories`, MISSING where a rater said nothing.
    """

    items: tuple[Item, ...]
    raters: tuple[str, ...]
    categories: tuple[str, ...]
    codes: NDArray[np.int64]

    @classmethod
    def of(cls, said: Iterable[tuple[Item, str, str]], categories: Sequence[str] = ()) -> Ratings[Item]:
        """Ratings from (item, rater, category); of one rater on one item the last counts.

        Args:
            said: the labels.
            categories: their order; those that are not named follow, sorted.
        """
        rows = list(said)
        items = {item: place for place, item in enumerate(dict.fromkeys(item for item, _, _ in rows))}
        raters = {name: place for place, name in enumerate(sorted({rater for _, rater, _ in rows}))}
        others = sorted({category for _, _, category in rows} - set(categories))
        known = {name: place for place, name in enumerate((*dict.fromkeys(categories), *others))}
        codes = np.full((len(items), len(raters)), MISSING, np.int64)
        for item, rater, category in rows:
            codes[items[item], raters[rater]] = known[category]
        return cls(tuple(items), tuple(raters), tuple(known), codes)

    @property
    def counts(self) -> NDArray[np.int64]:
        """How many raters put an item into a category: shape (items, categories)."""
        counts: NDArray[np.int64] = (self.codes[:, :, None] == np.arange(len(self.categories))).sum(1)
        return counts

    def pair(self, one: str, other: str) -> Ratings[Item]:
        """What two raters said of the items that both rated."""
        codes = self.codes[:, [self.raters.index(one), self.raters.index(other)]]
        return self._where((codes != MISSING).all(1), (one, other), codes)

    def paired(self) -> Ratings[Item]:
        """The items that two raters or more said something of."""
        return self._where((self.codes != MISSING).sum(1) > 1, self.raters, self.codes)

    def _where(self, keep: NDArray[np.bool_], raters: tuple[str, ...], codes: NDArray[np.int64]) -> Ratings[Item]:
        items = tuple(item for item, stays in zip(self.items, keep.tolist(), strict=True) if stays)
        return Ratings(items, raters, self.categories, codes[keep])

    def problem(self) -> str | None:
        """Why no agreement can be told from them; None if it can."""
        if not self.items:
            return "no labels"
        if len(self.raters) < 2:
            return "one annotator"
        if not len(self.paired().items):
            return "no item with labels of two annotators"
        return None


def raw_agreement(ratings: Ratings[Any], again: Resampling = USUAL) -> Figure:
    """The share of pairs of labels on one item that are equal, as the mean over items."""
    problem = ratings.problem()
    if problem is not None:
        return undefined(problem)
    shares_of = _agreeing(ratings.paired().counts)
    return with_interval(float(shares_of.mean()), len(shares_of), again, lambda weights: shares(weights, shares_of))


def cohen_kappa(ratings: Ratings[Any], one: str, other: str) -> Figure:
    """Cohen's kappa (1960) of two raters on the items that both rated.

    The interval is 1.96 standard errors to either side (Fleiss, Cohen and Everitt 1969), cut at 1 and -1.
    """
    both = ratings.pair(one, other)
    table = confusion(both, one, other)
    problem = _one_category(both)
    if problem is not None:
        return undefined(problem, len(both.items))
    from statsmodels.stats.inter_rater import cohens_kappa

    used = (table.sum(0) + table.sum(1)) > 0
    with np.errstate(divide="ignore", invalid="ignore"):  # of tests that are not used here
        found = cohens_kappa(table[np.ix_(used, used)])
    if not found.std_kappa > 0:
        return Figure(float(found.kappa), items=len(both.items), why="all labels agree, or none")
    low, high = max(-1.0, float(found.kappa_low)), min(1.0, float(found.kappa_upp))
    return Figure(float(found.kappa), low, high, len(both.items))


def fleiss_kappa(ratings: Ratings[Any], again: Resampling = USUAL) -> Figure:
    """Fleiss' kappa (1971) on the items with the most frequent number of labels, two at least.

    The raters may be others from item to item, but their number must be the same; alpha counts all items.
    """
    problem = ratings.problem() or _one_category(ratings.paired())
    if problem is not None:
        return undefined(problem)
    counts = ratings.paired().counts
    labels = counts.sum(1)
    common = max(Counter(labels.tolist()).items(), key=lambda item: (item[1], item[0]))[0]
    same = counts[labels == common]
    if (same.sum(0) > 0).sum() < 2:
        return undefined(f"one category in the {len(same):,} items with {common} labels", len(same))
    from statsmodels.stats.inter_rater import fleiss_kappa as value_of

    value = float(value_of(same))
    return with_interval(value, len(same), again, lambda weights: kappas(weights, same))


def krippendorff_alpha(ratings: Ratings[Any], level: Level = "nominal", again: Resampling = USUAL) -> Figure:
    """Krippendorff's alpha; labels may be missing.

    Args:
        ratings: who said what.
        level: whether categories are names, ranks in their order, or numbers one apart.
        again: how items are resampled for the interval.
    """
    problem = ratings.problem() or _one_category(ratings.paired())
    if problem is not None:
        return undefined(problem)
    counts = ratings.paired().counts
    used = counts[:, counts.sum(0) > 0]
    values = np.flatnonzero(counts.sum(0) > 0).astype(float)
    import krippendorff

    value = krippendorff.alpha(value_counts=used, value_domain=values, level_of_measurement=level)
    return with_interval(float(value), len(used), again, lambda weights: alphas(weights, used, values, level))


def confusion(ratings: Ratings[Any], one: str, other: str) -> NDArray[np.int64]:
    """How often the one said the row and the other the column, shape (categories, categories)."""
    codes = ratings.pair(one, other).codes
    size = len(ratings.categories)
    return np.bincount(codes[:, 0] * size + codes[:, 1], minlength=size * size).reshape(size, size)


def coincidences(ratings: Ratings[Any]) -> NDArray[np.float64]:
    """How often any two raters said the row and the column of one item; symmetric, the sum is the number of labels."""
    from synth.resampling import coincidence_rows

    size = len(ratings.categories)
    table: NDArray[np.float64] = coincidence_rows(ratings.paired().counts).sum(0).reshape(size, size)
    return table


@dataclass(frozen=True)
class Dispute(Generic[Item]):
    """An item on which labels differ.

    Attributes:
        item: which.
        votes: category -> labels, most first.
        entropy: of the votes, in bits.
        majority: the category of most; None where votes are even.
    """

    item: Item
    votes: dict[str, int]
    entropy: float
    majority: str | None


def disputes(ratings: Ratings[Item]) -> list[Dispute[Item]]:
    """The items on which labels differ, those of most entropy first; then those of more labels, then as they came."""
    found = [
        _dispute(item, dict(zip(ratings.categories, counts, strict=True)))
        for item, counts in zip(ratings.items, ratings.counts.tolist(), strict=True)
        if sum(count > 0 for count in counts) > 1
    ]
    return sorted(found, key=lambda dispute: (-round(dispute.entropy, 9), -sum(dispute.votes.values())))


def majority(votes: dict[str, int]) -> str | None:
    """The category of most votes; None where there are none, or they are even."""
    most = max(votes.values(), default=0)
    top = [category for category, count in votes.items() if count == most]
    return top[0] if most and len(top) == 1 else None


def _dispute(item: Item, counts: dict[str, int]) -> Dispute[Item]:
    votes = dict(sorted(((name, n) for name, n in counts.items() if n), key=lambda vote: -vote[1]))
    total = sum(votes.values())
    entropy = -sum(n / total * math.log2(n / total) for n in votes.values())
    return Dispute(item, votes, entropy, majority(votes))


@dataclass(frozen=True)
class RaterFigures:
    """One rater beside the others.

    Attributes:
        rater: the name.
        labels: items labelled.
        agreement: share of the others' labels on the same items that are equal.
        kappa: Cohen's, with the majority of the others; items on which they are even are left out.
    """

    rater: str
    labels: int
    agreement: Figure
    kappa: Figure


def rater_figures(ratings: Ratings[Any], again: Resampling = USUAL) -> list[RaterFigures]:
    """Each rater's agreement with the rest, in the order of their names."""
    return [_rater(ratings, place, again) for place in range(len(ratings.raters))]


def _rater(ratings: Ratings[Any], place: int, again: Resampling) -> RaterFigures:
    own, others = ratings.codes[:, place], np.delete(ratings.codes, place, axis=1)
    met = (own != MISSING) & (others != MISSING).any(1)
    name, labels = ratings.raters[place], int((own != MISSING).sum())
    if not met.any():
        none = undefined("nobody else labelled the same items")
        return RaterFigures(name, labels, none, none)
    own, others = own[met], others[met]
    equal = (others == own[:, None]).sum(1) / (others != MISSING).sum(1)
    agreement = with_interval(float(equal.mean()), len(equal), again, lambda weights: shares(weights, equal))
    return RaterFigures(name, labels, agreement, _with_rest(ratings, own, others))


def _with_rest(ratings: Ratings[Any], own: NDArray[np.int64], others: NDArray[np.int64]) -> Figure:
    """Cohen's kappa of a rater and the majority of the rest."""
    size = len(ratings.categories)
    counts = (others[:, :, None] == np.arange(size)).sum(1)
    most = counts.max(1)
    clear = (counts == most[:, None]).sum(1) == 1
    codes = np.stack([own[clear], counts[clear].argmax(1)], axis=1)
    both = Ratings(tuple(range(len(codes))), ("one", "rest"), ratings.categories, codes)
    return cohen_kappa(both, "one", "rest")


def _agreeing(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """The share of pairs of labels that are equal, one value an item of two labels or more."""
    labels = counts.sum(1)
    agreeing: NDArray[np.float64] = (counts * (counts - 1)).sum(1) / (labels * (labels - 1))
    return agreeing


def _one_category(ratings: Ratings[Any]) -> str | None:
    if not ratings.items:
        return "no item with labels of both"
    used = np.unique(ratings.codes[ratings.codes != MISSING])
    return f"one category: all labels are {ratings.categories[used[0]]}" if len(used) < 2 else None


def with_interval(value: float, items: int, again: Resampling, statistic: Statistic) -> Figure:
    """A figure with the interval that a statistic has on resampled items."""
    found = again.of(items, statistic)
    if isinstance(found, str):
        return Figure(value, items=items, why=found)
    return Figure(value, *found, items)
