"""The bytes of the index's records: the outcomes of a key with who recorded them, lists of keys, lists of texts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from struct import Struct
from typing import Any, NamedTuple

from cachebuild.answer import Outcome
from cachebuild.key import KEY_VERSION
from curate.canonical import hash128

_HALF = 2**64 - 1
_HEAD = Struct("<IIIII")  # outcomes, records, trajectories, bytes of the arguments, bytes of the state digest
_OUTCOME = Struct("<IIIi?")  # bytes of the result, count, trajectory, message index, success
_RECORD = Struct("<IIi?")  # outcome, trajectory, message index, success
_ONE = Struct("<IIIII" + "IIIi?" + "I")  # head, outcome and bytes of the trajectory's id of a key with one record
_ONE_SIZE = _ONE.size
_unpack_one = _ONE.unpack_from
_new = tuple.__new__  # a third quicker than the class's own
_SIZE = Struct("<I")
_KEY = Struct("<QQ")


class Record(NamedTuple):
    """One recorded call of a key."""

    result: str
    success: bool
    trajectory_id: str
    message_index: int


def halves(key: str) -> tuple[int, int]:
    """A key of 32 hex digits as two 64-bit numbers."""
    number = int(key, 16)
    return number >> 64, number & _HALF


def group_key(task_group: str) -> str:
    """Under which the trajectories of a task group stand."""
    return hash128(KEY_VERSION, "task_group", task_group)


def pack_call(arguments: bytes, state_digest: bytes, records: Sequence[Record]) -> bytes:
    """A distinct call with its records in the order they were recorded."""
    if len(records) == 1:
        result, success, trajectory_id, message_index = records[0]
        text, name = result.encode(), trajectory_id.encode()
        sizes = (len(arguments), len(state_digest), len(text), 1, 0, message_index, success, len(name))
        return b"".join((_ONE.pack(1, 1, 1, *sizes), arguments, state_digest, name, text))
    if all(record[0] == records[0][0] for record in records):
        return _pack_equal(arguments, state_digest, records)
    first: dict[str, Record] = {}
    counts: dict[str, int] = {}
    trajectories: dict[str, int] = {}
    for record in records:
        first.setdefault(record.result, record)
        counts[record.result] = counts.get(record.result, 0) + 1
        trajectories.setdefault(record.trajectory_id, len(trajectories))
    results = sorted(counts, key=lambda result: (-counts[result], result))
    texts = [result.encode() for result in results]
    parts = [_HEAD.pack(len(texts), len(records), len(trajectories), len(arguments), len(state_digest))]
    for result, text in zip(results, texts, strict=True):
        _, success, trajectory_id, message_index = first[result]
        parts.append(_OUTCOME.pack(len(text), counts[result], trajectories[trajectory_id], message_index, success))
    if len(records) > len(texts):
        numbers = {result: number for number, result in enumerate(results)}
        for result, success, trajectory_id, message_index in records:
            parts.append(_RECORD.pack(numbers[result], trajectories[trajectory_id], message_index, success))
    names = [name.encode() for name in trajectories]
    parts += [_SIZE.pack(len(name)) for name in names]
    return b"".join([*parts, arguments, state_digest, *names, *texts])


def _pack_equal(arguments: bytes, state_digest: bytes, records: Sequence[Record]) -> bytes:
    """The same for records of one result, which most calls have."""
    text, names = records[0].result.encode(), list(dict.fromkeys(record.trajectory_id for record in records))
    numbers = dict(zip(names, range(len(names)), strict=True))
    packed = [name.encode() for name in names]
    return b"".join(
        [
            _HEAD.pack(1, len(records), len(names), len(arguments), len(state_digest)),
            _OUTCOME.pack(len(text), len(records), 0, records[0].message_index, records[0].success),
            *(_RECORD.pack(0, numbers[name], index, success) for _, success, name, index in records),
            *(_SIZE.pack(len(name)) for name in packed),
            arguments,
            state_digest,
            *packed,
            text,
        ]
    )


def pack_heads(sizes: Sequence[Any], message_index: Any, success: Any) -> list[bytes]:
    """What stands before the texts of calls with one record each, as `pack_call` packs them.

    Args:
        sizes: bytes of the arguments, of the state digest, of the result and of the trajectory's id, an array each.
        message_index: of the record, shape (calls,).
        success: of the record, shape (calls,).
    """
    import numpy as np

    arguments, digest, result, name = sizes
    heads = np.empty(len(success), dtype=",".join(["<u4"] * 8 + ["<i4", "?", "<u4"]))
    columns = (1, 1, 1, arguments, digest, result, 1, 0, message_index, success, name)
    for field, column in zip(heads.dtype.names or (), columns, strict=True):
        heads[field] = column
    data, size = heads.tobytes(), heads.dtype.itemsize
    return [data[at : at + size] for at in range(0, len(data), size)]


def unpack_outcomes(packed: bytes, exclude: str | None) -> tuple[Outcome, ...]:
    """The outcomes of a call, commonest first; the records of trajectory `exclude` are not seen."""
    # A call of several records is longer than this too, so that the one unpacking suits both.
    count, records, _, arguments, digest, _, _, _, message_index, success, name = _unpack_one(packed)
    if records != 1:
        return _several(packed, exclude, records > count)
    start = _ONE_SIZE + arguments + digest
    end = start + name
    trajectory_id = packed[start:end].decode()
    if trajectory_id == exclude:
        return ()
    return (_new(Outcome, (packed[end:].decode(), 1, success, trajectory_id, message_index)),)


def _several(packed: bytes, exclude: str | None, counted: bool) -> tuple[Outcome, ...]:
    """Outcomes of several records; `counted` says that some outcome has more than one."""
    count, records, trajectories, arguments, digest = _HEAD.unpack_from(packed)
    at = _HEAD.size
    heads = [_OUTCOME.unpack_from(packed, at + number * _OUTCOME.size) for number in range(count)]
    at += count * _OUTCOME.size
    listed_at, at = at, at + records * _RECORD.size * counted
    sizes = [_SIZE.unpack_from(packed, at + number * _SIZE.size)[0] for number in range(trajectories)]
    at += trajectories * _SIZE.size + arguments + digest
    names = list(_texts(packed, at, sizes))
    results = _texts(packed, at + sum(sizes), [head[0] for head in heads])
    found = [
        Outcome(result, number, success, names[trajectory], message_index)
        for result, (_, number, trajectory, message_index, success) in zip(results, heads, strict=True)
    ]
    if exclude not in names:
        return tuple(found)
    if not counted:
        return tuple(outcome for outcome in found if outcome.source_trajectory_id != exclude)
    listed = [_RECORD.unpack_from(packed, listed_at + number * _RECORD.size) for number in range(records)]
    return _without(found, listed, names, exclude)


def _without(
    outcomes: list[Outcome], listed: list[tuple[int, int, int, bool]], names: list[str], exclude: str | None
) -> tuple[Outcome, ...]:
    counts: dict[int, int] = {}
    first: dict[int, tuple[bool, str, int]] = {}
    for number, trajectory, message_index, success in listed:
        if names[trajectory] != exclude:
            counts[number] = counts.get(number, 0) + 1
            first.setdefault(number, (success, names[trajectory], message_index))
    left = [Outcome(outcomes[number].result, count, *first[number]) for number, count in counts.items()]
    return tuple(sorted(left, key=lambda outcome: (-outcome.count, outcome.result)))


def _texts(packed: bytes, at: int, sizes: Sequence[int]) -> Iterator[str]:
    for end, size in zip(accumulate(sizes, initial=0), sizes, strict=False):
        yield packed[at + end : at + end + size].decode()


def unpack_arguments(packed: bytes) -> tuple[str, str]:
    """(canonical arguments, state digest) of a call."""
    count, records, trajectories, arguments, digest = _HEAD.unpack_from(packed)
    at = _HEAD.size + count * _OUTCOME.size + trajectories * _SIZE.size
    at += records * _RECORD.size * (records > count)
    return packed[at : at + arguments].decode(), packed[at + arguments : at + arguments + digest].decode()


def unpack_keys(packed: bytes) -> Iterator[tuple[int, int]]:
    """The halves of the keys of a list of calls, 16 bytes each."""
    return _KEY.iter_unpack(packed)


def pack_names(names: Iterable[str]) -> bytes:
    """Texts, e.g. trajectory ids."""
    return json.dumps(list(names)).encode()


def unpack_names(packed: bytes) -> list[str]:
    """The texts."""
    names: list[str] = json.loads(packed)
    return names
