"""The compiled loops under `candidates.py`: which entries a query needs to be compared with, and how near they come.

Kernels of this file call nothing but `jit.py` outside it: numba's cache does not see changes elsewhere. `table`, `rule`
and `asked` are those of `candidate_arrays`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from cachebuild.candidate_arrays import NO_WORDS
from curate.jit import kernel, part

_STEPS = 10
_SLACK = 1e-9
_FEW = 64  # entries of a group that are compared without a thought
_CLOSENESS = 1e-7
"""How much closeness counts beside p: it orders what p cannot tell apart."""


@part
def _first(numbers: Any, low: Any, high: Any, wanted: Any) -> Any:
    """The first place in a sorted stretch whose number is at least the wanted one."""
    while low < high:
        middle = (low + high) // 2
        if numbers[middle] < wanted:
            low = middle + 1
        else:
            high = middle
    return low


@part
def _place(numbers: Any, low: Any, high: Any, wanted: Any) -> Any:
    """Where a number stands in a sorted stretch; -1 if it does not."""
    place = _first(numbers, low, high, wanted)
    return place if place < high and numbers[place] == wanted else -1


@kernel
def located(table: Any, values: Any, stems: Any, state: Any) -> Any:
    """(codes, stems, state): the numbers that the table gives to hashes of values, of stems and of a state."""
    codes, numbers = np.empty(len(values), np.int32), np.empty(len(stems), np.int32)
    for column in range(len(values)):
        first, last = table.column_starts[column], table.column_starts[column + 1]
        codes[column] = _place(table.hashes, first, last, values[column])
    for at in range(len(stems)):
        numbers[at] = _place(table.stem_hashes, 0, len(table.stem_hashes), stems[at])
    return codes, numbers, _place(table.state_hashes, 0, len(table.state_hashes), state)


@part
def _signature(codes: Any, state: Any, must: Any) -> Any:
    found = np.uint64(state + 1)
    for column in range(len(codes)):
        if must[column]:
            found = (found + np.uint64(codes[column]) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
            found ^= found >> np.uint64(32)
    return found


@kernel
def signatures(codes: Any, states: Any, must: Any) -> Any:
    """Hash of each row's state and of those of its values that must be equal."""
    found = np.empty(len(codes), np.uint64)
    for entry in range(len(codes)):
        found[entry] = _signature(codes[entry], states[entry], must)
    return found


@part
def _similarity(texts: Any, stems: Any, value: Any, asked: Any, asked_stems: Any, weights: Any, most_alike: Any) -> Any:
    """Weighted Jaccard of a recorded value's stems and the query's; both are sorted. `asked` is of `_asked_text`."""
    mark, order, total, other, end = asked
    text = texts[value]
    if mark == NO_WORDS or text.mark != mark:
        return 0.0
    if text.order == order:
        return 1.0
    common = 0.0
    at, last = text.start, texts[value + 1].start
    while at < last and other < end:
        if stems[at] == asked_stems[other]:
            common += weights[other]
            at += 1
            other += 1
        elif stems[at] < asked_stems[other]:
            at += 1
        else:
            other += 1
    union = total + text.total - common
    return min(common / union, most_alike) if union > 0 else 0.0


@part
def _asked_text(asked: Any, column: Any) -> Any:
    """(mark, order, total, first and last place of its stems) of the query's text in a column."""
    return (
        asked.marks[column],
        asked.orders[column],
        asked.totals[column],
        asked.bounds[column],
        asked.bounds[column + 1],
    )


@kernel
def serving(table: Any, rule: Any, asked: Any, limit: Any) -> Any:
    """As `best`, of all entries that are equal where they must be and reach the bar."""
    return _best(table, rule, asked, _reaching(table, rule, asked), rule.bar, limit)


@kernel
def nearby(table: Any, rule: Any, asked: Any, most: Any, limit: Any) -> Any:
    """As `best`, of entries that share values or rare stems with the query."""
    return _best(table, rule, asked, _nearby(table, rule, asked, most), 0.0, limit)


@kernel
def best(table: Any, rule: Any, asked: Any, entries: Any, least: Any, limit: Any) -> Any:
    """(entries, p, closeness) of the entries whose p is highest and at least `least`, best first, then the first.

    p is the product over the fields, closeness the sum of their similarities.
    """
    return _best(table, rule, asked, entries, least, limit)


@part
def _best(table: Any, rule: Any, asked: Any, entries: Any, least: Any, limit: Any) -> Any:
    # Arrays of a tuple are counted at each use; those of the inner loop are taken out of it once.
    codes, texts, stems, states = table.codes, table.texts, table.stems, table.states
    curves, asked_codes, asked_stems, weights = rule.curves, asked.codes, asked.stems, asked.weights
    columns = len(asked_codes)
    asked_texts = [_asked_text(asked, column) for column in range(columns)]
    limit = min(limit, len(entries))
    found, p, closeness = np.empty(limit, np.int32), np.empty(limit), np.empty(limit)
    keys, size = np.empty(limit), 0
    for entry in entries:
        own_p, own_closeness = 1.0, 0.0
        for column in range(columns):
            value = codes[entry, column]
            if value == asked_codes[column]:
                own_closeness += 1.0
                continue
            similarity = _similarity(texts, stems, value, asked_texts[column], asked_stems, weights, rule.most_alike)
            own_closeness += similarity
            own_p *= _p_at(curves, column, similarity)
            if own_p < least:
                break
        if states[entry] != asked.state:
            own_p = min(own_p, rule.other_state_p)
        key = own_p + _CLOSENESS * own_closeness
        if own_p < least or (size == limit and key <= keys[limit - 1]):
            continue
        at = size if size < limit else limit - 1
        while at > 0 and keys[at - 1] < key:
            found[at], p[at], closeness[at], keys[at] = found[at - 1], p[at - 1], closeness[at - 1], keys[at - 1]
            at -= 1
        found[at], p[at], closeness[at], keys[at] = entry, own_p, own_closeness, key
        size = min(size + 1, limit)
    return found[:size], p[:size], closeness[:size]


@part
def _p_at(curves: Any, column: Any, similarity: Any) -> Any:
    scaled = similarity * _STEPS
    at = min(int(scaled), _STEPS)
    found = curves[column, at]
    return found + (scaled - at) * (curves[column, at + 1] - found) if scaled > at else found


@part
def _by_rarity(table: Any, asked: Any, column: Any) -> Any:
    """The places of a column's stems in the query, those of fewest recorded values first."""
    first, last = asked.bounds[column], asked.bounds[column + 1]
    sizes = np.empty(last - first, np.int64)
    for at in range(first, last):
        stem = asked.stems[at]
        sizes[at - first] = table.post_starts[stem + 1] - table.post_starts[stem]
    return first + np.argsort(sizes, kind="mergesort")


@part
def _needed(asked: Any, rule: Any, column: Any, rarest: Any) -> Any:
    """How many of the rarest stems a text needs one of to be alike enough.

    What shares none of them has at most the weight of the others, which is below the least share.
    """
    spare = (1 - rule.least[column]) * asked.totals[column] - asked.unseen[column] + _SLACK
    count = 0
    while spare >= 0 and count < len(rarest):
        spare -= asked.weights[rarest[count]]
        count += 1
    return count


@part
def _of_weight(table: Any, low: Any, high: Any, least: Any) -> Any:
    """The first place in a stem's values whose total is at least so much."""
    while low < high:
        middle = (low + high) // 2
        if table.texts[table.posts[middle]].total < least:
            low = middle + 1
        else:
            high = middle
    return low


@part
def _stretch(table: Any, rule: Any, asked: Any, column: Any, stem: Any) -> Any:
    """The stretch of a stem's values that are neither too light nor too heavy to be alike enough."""
    low, high = table.post_starts[stem], table.post_starts[stem + 1]
    low = _of_weight(table, low, high, rule.least[column] * asked.totals[column] - _SLACK)
    return low, _of_weight(table, low, high, asked.totals[column] / rule.least[column] + _SLACK)


@part
def _reaching(table: Any, rule: Any, asked: Any) -> Any:
    """The entries that can reach the bar, and some that do not: all of a group, or those whose text can be alike.

    Entries are grouped by their state and the values that must be equal; the shortest way is taken.
    """
    wanted = _signature(asked.codes, asked.state, rule.must)
    calls = len(table.group_order)
    low = _first(table.group_signatures, 0, calls, wanted)
    high = low
    while high < calls and table.group_signatures[high] == wanted and high - low < _FEW:
        high += 1
    if high - low == _FEW:
        high = _first(table.group_signatures, low, calls, wanted + np.uint64(1))
    shortest, by = high - low, -1
    for column in range(len(asked.codes)):
        if rule.must[column] or not 0 < rule.least[column] <= 1 or shortest < _FEW:
            continue
        rarest = _by_rarity(table, asked, column)
        size = 0
        for place in rarest[: _needed(asked, rule, column, rarest)]:
            first, last = _stretch(table, rule, asked, column, asked.stems[place])
            size += last - first
        if size < shortest:
            shortest, by = size, column
    if by < 0:
        return table.group_order[low:high].copy()
    return _alike(table, rule, asked, by, shortest, wanted, high - low)


@part
def _alike(table: Any, rule: Any, asked: Any, column: Any, size: Any, wanted: Any, limit: Any) -> Any:
    """The entries of a group whose text of one column is the query's or alike enough."""
    texts, stems, asked_stems, weights = table.texts, table.stems, asked.stems, asked.weights
    text, least = _asked_text(asked, column), rule.least[column] - _SLACK
    values, count = np.empty(size + 1, np.int32), 0
    if asked.codes[column] >= 0:
        values[0] = asked.codes[column]
        count = 1
    rarest = _by_rarity(table, asked, column)
    for place in rarest[: _needed(asked, rule, column, rarest)]:
        first, last = _stretch(table, rule, asked, column, asked.stems[place])
        for at in range(first, last):
            value = table.posts[at]
            if _similarity(texts, stems, value, text, asked_stems, weights, rule.most_alike) >= least:
                values[count] = value
                count += 1
    found, kept = np.empty(limit, np.int32), 0
    for value in np.unique(values[:count]):
        at, last = table.holder_starts[value], table.holder_starts[value + 1]
        at = _holder(table, at, last, wanted)
        while at < last and kept < limit and table.signatures[table.holders[at]] == wanted:
            found[kept] = table.holders[at]
            kept += 1
            at += 1
    return np.sort(found[:kept])


@part
def _holder(table: Any, low: Any, high: Any, wanted: Any) -> Any:
    """The first holder in a stretch whose signature is at least the wanted one."""
    while low < high:
        middle = (low + high) // 2
        if table.signatures[table.holders[middle]] < wanted:
            low = middle + 1
        else:
            high = middle
    return low


@part
def _nearby(table: Any, rule: Any, asked: Any, most: Any) -> Any:
    """Entries that share values or rare stems with the query, at most so many of each column and kind."""
    wanted = _signature(asked.codes, asked.state, rule.must)
    columns = len(asked.codes)
    found, count = np.empty(2 * most * columns + most, np.int32), 0
    for column in range(columns):
        code = asked.codes[column]
        if code >= 0:
            first, last = table.holder_starts[code], table.holder_starts[code + 1]
            # Those of the query's group come first, so that what is equal in most is among them.
            at = max(min(_holder(table, first, last, wanted), last - most), first)
            for holder in range(at, min(at + most, last)):
                found[count] = table.holders[holder]
                count += 1
        left = most
        for place in _by_rarity(table, asked, column):
            stem = asked.stems[place]
            first, last = table.post_starts[stem], table.post_starts[stem + 1]
            middle = _of_weight(table, first, last, asked.totals[column]) - left // 2
            first = max(min(middle, last - left), first)
            for at in range(first, min(first + left, last)):
                value = table.posts[at]
                low, high = table.holder_starts[value], table.holder_starts[value + 1]
                found[count] = table.holders[min(_holder(table, low, high, wanted), high - 1)]
                count += 1
                left -= 1
            if left <= 0:
                break
    if not count:
        count = min(most, len(table.codes))
        found[:count] = np.arange(count)
    return np.unique(found[:count])
