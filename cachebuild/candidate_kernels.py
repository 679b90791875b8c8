"""The compiled loops under `candidates.py`: scores of entries against a query, and texts that share its rare stems.

Kernels of this file call nothing but `jit.py` outside it: numba's cache does not see changes elsewhere.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from curate.jit import kernel, part

NO_WORDS = 0
"""Number mark of values that are no text, or a text without words: alike to nothing."""
_STEPS = 10
_SLACK = 1e-9


@part
def _similarity(value: Any, starts: Any, stems: Any, totals: Any, asked: Any, weights: Any, total: Any) -> Any:
    """Weighted Jaccard of a recorded value's stems and the query's; both are sorted."""
    common = 0.0
    at, last, other = starts[value], starts[value + 1], 0
    while at < last and other < len(asked):
        if stems[at] == asked[other]:
            common += weights[other]
            at += 1
            other += 1
        elif stems[at] < asked[other]:
            at += 1
        else:
            other += 1
    union = total + totals[value] - common
    return common / union if union > 0 else 0.0


@kernel
def score(
    entries: Any,
    codes: Any,
    asked_codes: Any,
    curves: Any,
    marks: Any,
    asked_marks: Any,
    starts: Any,
    stems: Any,
    totals: Any,
    asked: Any,
    weights: Any,
    bounds: Any,
    asked_totals: Any,
) -> Any:
    """(p, closeness) of each entry: the product over its fields, and the sum of their similarities."""
    p, closeness = np.ones(len(entries)), np.zeros(len(entries))
    for number in range(len(entries)):
        entry = entries[number]
        for column in range(len(asked_codes)):
            value = codes[entry, column]
            if value == asked_codes[column]:
                closeness[number] += 1.0
                continue
            similarity = 0.0
            if asked_marks[column] != NO_WORDS and marks[value] == asked_marks[column]:
                first, last = bounds[column], bounds[column + 1]
                similarity = _similarity(
                    value, starts, stems, totals, asked[first:last], weights[first:last], asked_totals[column]
                )
            closeness[number] += similarity
            scaled = similarity * _STEPS
            at = min(int(scaled), _STEPS)
            found = curves[column, at]
            if scaled > at:
                found += (scaled - at) * (curves[column, at + 1] - found)
            p[number] *= found
    return p, closeness


@kernel
def alike(
    chosen: Any,
    post_starts: Any,
    posts: Any,
    least: Any,
    marks: Any,
    asked_mark: Any,
    starts: Any,
    stems: Any,
    totals: Any,
    asked: Any,
    weights: Any,
    total: Any,
) -> Any:
    """The recorded values of one field that hold one of the chosen stems and are at least so similar to the query."""
    size = 0
    for stem in chosen:
        size += post_starts[stem + 1] - post_starts[stem]
    found, count = np.empty(size, np.int32), 0
    for stem in chosen:
        for at in range(post_starts[stem], post_starts[stem + 1]):
            value = posts[at]
            if marks[value] != asked_mark:
                continue
            if totals[value] < least * total - _SLACK or total < least * totals[value] - _SLACK:
                continue
            if _similarity(value, starts, stems, totals, asked, weights, total) >= least - _SLACK:
                found[count] = value
                count += 1
    return found[:count]


@kernel
def of_values(values: Any, starts: Any, holders: Any, signatures: Any, wanted: Any, limit: Any) -> Any:
    """The entries that hold one of the values and have the wanted signature; `holders` are sorted by it in a value."""
    found, count = np.empty(limit, np.int32), 0
    for value in values:
        low, high = starts[value], starts[value + 1]
        last = high
        while low < high:
            middle = (low + high) // 2
            if signatures[holders[middle]] < wanted:
                low = middle + 1
            else:
                high = middle
        while low < last and count < limit and signatures[holders[low]] == wanted:
            found[count] = holders[low]
            count += 1
            low += 1
    return found[:count]
