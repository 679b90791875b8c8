"""The Arrow form of a cache folder's tables and of an audit's rows."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

_STR = pa.string()

_ENTRY_FIELDS: list[pa.Field[Any]] = [
    pa.field("trajectory_id", _STR, nullable=False),
    pa.field("content_hash", _STR, nullable=False),
    pa.field("message_index", pa.int32(), nullable=False),
    pa.field("call_index", pa.int32(), nullable=False),
    pa.field("result_index", pa.int32(), nullable=False),
    pa.field("env_id", _STR, nullable=False),
    pa.field("initial_state_id", _STR),
    pa.field("task_id", _STR, nullable=False),
    pa.field("task_group", _STR, nullable=False),
    pa.field("split", _STR),
    pa.field("source", _STR),
    pa.field("tool", _STR, nullable=False),
    pa.field("kind", _STR, nullable=False),
    pa.field("scope", _STR, nullable=False),
    pa.field("scope_value", _STR, nullable=False),
    pa.field("arguments", _STR),
    pa.field("args_status", _STR, nullable=False),
    pa.field("canonical_arguments", _STR, nullable=False),
    pa.field("normalised_arguments", _STR, nullable=False),
    pa.field("state", _STR, nullable=False),
    pa.field("state_digest", _STR, nullable=False),
    pa.field("key", _STR, nullable=False),
    pa.field("normalised_key", _STR, nullable=False),
    pa.field("result", _STR, nullable=False),
    pa.field("result_hash", _STR, nullable=False),
    pa.field("success", pa.bool_(), nullable=False),
]
ENTRY = pa.schema(_ENTRY_FIELDS)
"""One recorded call with its result: the key's parts before hashing, and where it was recorded."""

_WITHDRAWN_FIELDS: list[pa.Field[Any]] = [
    pa.field("position", pa.int64(), nullable=False),
    pa.field("trajectory_id", _STR, nullable=False),
    pa.field("message_index", pa.int32(), nullable=False),
    pa.field("call_index", pa.int32(), nullable=False),
    pa.field("tool", _STR, nullable=False),
    pa.field("reason", _STR, nullable=False),
]
WITHDRAWN = pa.schema(_WITHDRAWN_FIELDS)
"""One recorded call that is out of service: its position in table `entries`, and why."""

_WAY = pa.struct(
    [pa.field("way", _STR, nullable=False)] + [pa.field(name, pa.int64(), nullable=False) for name in ("pairs", "same")]
)
_BEHIND = pa.struct(
    [pa.field("tool", _STR, nullable=False)]
    + [pa.field(name, pa.int64(), nullable=False) for name in ("reads", "unchanged")]
)
_TOOL_FIELDS: list[pa.Field[Any]] = [
    pa.field("env_id", _STR, nullable=False),
    pa.field("tool", _STR, nullable=False),
    pa.field("kind", _STR, nullable=False),
    pa.field("kind_evidence", _STR, nullable=False),
    pa.field("scope", _STR, nullable=False),
    pa.field("scope_evidence", _STR, nullable=False),
    pa.field("volatile", pa.bool_(), nullable=False),
    pa.field("id_driven", pa.bool_(), nullable=False),
    pa.field("policy", pa.list_(_STR), nullable=False),
    pa.field("calls", pa.int64(), nullable=False),
    pa.field("keys", pa.int64(), nullable=False),
    pa.field("repeated_keys", pa.int64(), nullable=False),
    pa.field("success_share", pa.float64()),
    pa.field("within_groups", pa.int64(), nullable=False),
    pa.field("within_agreement", pa.float64()),
    pa.field("across_keys", pa.int64(), nullable=False),
    pa.field("across_agreement", pa.float64()),
    pa.field("agreement", pa.float64(), nullable=False),
    pa.field("normalised", pa.list_(_WAY), nullable=False),
    pa.field("behind", pa.list_(_BEHIND), nullable=False),
]
TOOL = pa.schema(_TOOL_FIELDS)
"""What was found about one tool of one env; shares are null where nothing could be compared.

`normalised`: by the way in which calls of equal normalised arguments differ, pairs and those with equal results.
`behind`: by writing tool, equal reads without and behind a write that has none of their ids in its arguments, and
those with equal results.
"""

_CURVE_POINT = pa.struct(
    [
        pa.field("similarity", pa.float64(), nullable=False),
        pa.field("pairs", pa.float64(), nullable=False),
        pa.field("fidelity", pa.float64(), nullable=False),
        pa.field("p", pa.float64(), nullable=False),
    ]
)
_STEM = pa.struct([pa.field("stem", _STR, nullable=False), pa.field("values", pa.int64(), nullable=False)])
_CALIBRATION_FIELDS: list[pa.Field[Any]] = [
    pa.field("env_id", _STR, nullable=False),
    pa.field("tool", _STR, nullable=False),
    pa.field("field", _STR, nullable=False),
    pa.field("type", _STR, nullable=False),
    pa.field("share", pa.float64(), nullable=False),
    pa.field("chance", pa.float64(), nullable=False),
    pa.field("pairs", pa.int64(), nullable=False),
    pa.field("equal", pa.int64(), nullable=False),
    pa.field("curve", pa.list_(_CURVE_POINT), nullable=False),
    pa.field("values", pa.int64(), nullable=False),
    pa.field("stems", pa.list_(_STEM), nullable=False),
]
CALIBRATION = pa.schema(_CALIBRATION_FIELDS)
"""One field of one tool: how near results came when it alone differed.

`curve` has pairs, their summed fidelity and p by similarity; `values` and `stems` weigh the stems of a text field.
"""

_AUDIT_FIELDS: list[pa.Field[Any]] = [
    pa.field("trajectory_id", _STR, nullable=False),
    pa.field("message_index", pa.int32(), nullable=False),
    pa.field("call_index", pa.int32(), nullable=False),
    pa.field("env_id", _STR, nullable=False),
    pa.field("task_id", _STR, nullable=False),
    pa.field("split", _STR),
    pa.field("tool", _STR, nullable=False),
    pa.field("kind", _STR, nullable=False),
    pa.field("seen_task", pa.bool_(), nullable=False),
    pa.field("after_write", pa.bool_(), nullable=False),
    pa.field("tier", _STR, nullable=False),
    pa.field("p", pa.float64(), nullable=False),
    pa.field("right", pa.bool_(), nullable=False),
    pa.field("reason", _STR, nullable=False),
    pa.field("outcomes", pa.int32(), nullable=False),
    pa.field("source_trajectory_id", _STR),
    pa.field("source_message_index", pa.int32()),
    pa.field("own_in_cache", pa.bool_(), nullable=False),
    pa.field("own_found", pa.bool_(), nullable=False),
    pa.field("source", _STR, nullable=False),
    pa.field("variant", _STR),
    pa.field("volatile", pa.bool_(), nullable=False),
    pa.field("fidelity", pa.float64(), nullable=False),
    pa.field("lost_to_state", pa.bool_(), nullable=False),
    pa.field("stateless_right", pa.bool_()),
    pa.field("behind_unknown_write", pa.bool_(), nullable=False),
    pa.field("cause", _STR),
]
AUDIT = pa.schema(_AUDIT_FIELDS)
"""One call asked of the cache: what it said, and whether the recording (`source` recorded) or the live world agrees.

`stateless_right`: whether what equal arguments had in any state is right, null where they were not recorded;
`lost_to_state`: it is, and nothing of an equal call nor anything right was served; `behind_unknown_write`: a related
write before it was made by no other trajectory, or the session does not know whether one happened. `cause` says of a
wrong exact hit of a live audit where it lies.
"""

_ABLATION_SUMS = (
    "calls misses served right behind behind_wrong miss_served miss_right lost lost_unknown avoided".split()
)
_ABLATION_FIELDS: list[pa.Field[Any]] = [
    pa.field("answerer", _STR, nullable=False),
    *(pa.field(name, pa.int64(), nullable=False) for name in _ABLATION_SUMS),
    pa.field("fidelity", pa.float64(), nullable=False),
]
ABLATION = pa.schema(_ABLATION_FIELDS)
"""How one rule answers all the queries of an audit; `fidelity` is the sum over what it served."""

_EPISODE_FIELDS: list[pa.Field[Any]] = [
    pa.field("trajectory_id", _STR, nullable=False),
    pa.field("task_id", _STR, nullable=False),
    pa.field("skill", _STR, nullable=False),
    pa.field("seen_task", pa.bool_(), nullable=False),
    pa.field("live_reward", pa.float64(), nullable=False),
    pa.field("cache_reward", pa.float64(), nullable=False),
    pa.field("live_state_ok", pa.bool_(), nullable=False),
    pa.field("cache_state_ok", pa.bool_(), nullable=False),
    pa.field("cache_calls", pa.int32(), nullable=False),
    pa.field("right_calls", pa.int32(), nullable=False),
    pa.field("broke", pa.bool_(), nullable=False),
]
EPISODE = pa.schema(_EPISODE_FIELDS)
"""One episode of the desk played live and once more on the cache alone, each judged by the desk's checker.

`right_calls` of the `cache_calls` came before the first answer that the live desk would not have given; `broke`: the
scripted agent could not go on with an answer.
"""
