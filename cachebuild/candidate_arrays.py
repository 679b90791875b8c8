"""What the compiled loops of a candidate search take: the recorded calls, what a difference costs, and a query."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

NO_WORDS = 0
"""Number mark of values that are no text, or a text without words: alike to nothing."""

TEXT = np.dtype([("mark", np.uint64), ("order", np.uint64), ("start", np.int64), ("total", np.float64)])
"""Hash of a text's numbers, equal for texts that can be alike; hash of its stems in their order; where its stems begin;
their weight together."""


class Table(NamedTuple):
    """The calls of one tool at one place; numbers of values do not repeat between columns.

    Attributes:
        codes: int32 [calls, columns], the value of each field.
        states: int32 [calls].
        state_hashes: uint64 [states], sorted; a state's number is its place.
        hashes: uint64 [values], sorted within each column.
        column_starts: int64 [columns + 1], the first value of each column.
        texts: `TEXT` [values + 1], what is known of a value that is a text.
        stems: the stems of one value after the other, sorted in each.
        stem_hashes: uint64 [stems], sorted; a stem's number is its place.
        post_starts, posts: the values that have a stem, lightest first.
        signatures: uint64 [calls], hash of the state and of the values that must be equal.
        group_signatures, group_order: the signatures sorted, and whose they are.
        holder_starts, holders: the calls that hold a value, in the order of their signatures.
    """

    codes: NDArray[np.int32]
    states: NDArray[np.int32]
    state_hashes: NDArray[np.uint64]
    hashes: NDArray[np.uint64]
    column_starts: NDArray[np.int64]
    texts: NDArray[np.void]
    stems: NDArray[np.int32]
    stem_hashes: NDArray[np.uint64]
    post_starts: NDArray[np.int64]
    posts: NDArray[np.int32]
    signatures: NDArray[np.uint64]
    group_signatures: NDArray[np.uint64]
    group_order: NDArray[np.int32]
    holder_starts: NDArray[np.int64]
    holders: NDArray[np.int32]


class Rule(NamedTuple):
    """What a difference costs.

    Attributes:
        curves: float64 [columns, grid], p by similarity.
        must: bool [columns], the fields that must be equal.
        least: float64 [columns], the least similarity at which p reaches the bar.
        bar: p that is asked for.
        other_state_p: highest p of a call that was made in another state.
        most_alike: highest similarity of stems in another order.
    """

    curves: NDArray[np.float64]
    must: NDArray[np.bool_]
    least: NDArray[np.float64]
    bar: float
    other_state_p: float
    most_alike: float


class Asked(NamedTuple):
    """One query in the numbers of a table: values and states that were never recorded are -1.

    `stems`, `weights` and the `totals` of a column are those of its text, from `bounds[column]` on; `unseen` is the
    weight of stems that no recorded value of the column has.
    """

    codes: NDArray[np.int32]
    state: int
    marks: NDArray[np.uint64]
    orders: NDArray[np.uint64]
    stems: NDArray[np.int32]
    weights: NDArray[np.float64]
    bounds: NDArray[np.int64]
    totals: NDArray[np.float64]
    unseen: NDArray[np.float64]
