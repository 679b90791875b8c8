"""Page: before and after augmentation, two traces by turn, rollouts of a prompt. The address holds it all."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app.comparing import before_after, groups, same_task
from app.comparing.alignment import align
from app.comparing.before_after import ORIGINS, Turn
from app.comparing.remembered import once
from app.library import Library, Trace, TraceKey
from app.navigation import link
from app.opened import opened
from app.reading.plain import escaped, one_line
from app.widgets import addressed
from app.widgets.diffs import diff_columns
from app.widgets.group_plot import group_plot
from app.widgets.side_by_side import Shown, aligned
from curate.trajectory import Message, Trajectory

MODES = {"before_after": "Before and after", "traces": "Two traces", "group": "Group of rollouts"}
ITSELF = "-"
"""In the address: the texts before augmentation as the augmented folder keeps them."""
TURNS = 10
"""Turns that are drawn at once."""
MOST = 1_000
"""Entries of a list to choose from."""


def draw() -> None:
    """Draw the page."""
    library = opened().library
    mode = addressed.segment("What to compare", list(MODES), "mode", shown=MODES.__getitem__)
    if mode == "traces":
        _two_traces(library)
    elif mode == "group":
        _group(library)
    else:
        _before_after(library)


def _before_after(library: Library) -> None:
    frame = library.frame
    left, middle, right = st.columns([2, 2, 3])
    with left:
        after = addressed.choose(
            "After", before_after.folders_after(frame), "folder", shown=one_line, drops=("before", "trace", "at")
        )
    if after is None:
        _nothing("No opened folder has thinking.", "Open an augmented folder beside its curated one")
        return
    with middle:
        folders = [ITSELF, *once(library, ("before", after), lambda: before_after.folders_before(frame, after))]
        named = {ITSELF: "what the folder itself tells"}
        before = addressed.choose(
            "Before",
            folders,
            "before",
            shown=lambda name: named.get(name) or one_line(name),
            drops=("trace", "at"),
            default=folders[:2][-1],
        )
    before = None if before == ITSELF else before
    shared = ("shared", after, before)
    traces = once(library, shared, lambda: before_after.shared_traces(frame, after, before))
    trace, only = _one_of(right, traces)
    new = library.trace(TraceKey(after, trace)) if trace else None
    if new is None:
        _nothing("Nothing to compare.", "These folders share no trajectory")
        return
    old = library.trace(TraceKey(before, new.key.trace)) if before is not None else None
    _changes(new, old.row["messages"] if old is not None else before_after.restored(new.row), only)


def _one_of(place: DeltaGenerator, traces: pl.Series) -> tuple[str | None, bool]:
    """A trajectory chosen among those that both folders have, and whether only its changed turns are drawn."""
    if traces.is_empty():
        return None, False
    at = traces.index_of(addressed.given("trace")) or 0
    shown = traces.slice(max(0, at - MOST // 2), MOST).to_list()
    with place:
        label = f"Trajectory {at + 1:,} of {len(traces):,}"
        addressed.choose(label, shown, "trace", shown=one_line, drops=("at",), default=traces[at])
    with st.container(horizontal=True, vertical_alignment="center"):
        before = traces[at - 1] if at else None
        addressed.step("Trajectory before", "trace", before, shortcut="Left", icon=":material/chevron_left:")
        after = traces[at + 1] if at + 1 < len(traces) else None
        addressed.step("Next trajectory", "trace", after, shortcut="Right", icon=":material/chevron_right:")
        only = addressed.switch("Only turns that changed", "only", drops=("at",))
    return traces[at], only


def _changes(new: Trace, before: Sequence[Message], only: bool) -> None:
    row = new.row
    found = before_after.turns(before, row)
    if not before_after.same_shape(before, row["messages"]):
        st.warning("Calls or results differ too; compare them as two traces.", icon=":material/warning:")
    counts = before_after.counted(found)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(escaped("; ".join(f"{name}: {count:,}" for name, count in counts.items()), 400))
        link("read", "Read it", icon=":material/article:", folder=new.key.folder, trace=new.key.trace)
    shown = [turn for turn in found if turn.changed or not only]
    begin = _window(len(shown))
    heads = st.columns(2)
    heads[0].markdown("**before**")
    heads[1].markdown("**after**")
    for turn in shown[begin : begin + TURNS]:
        _turn(turn, row)


def _window(count: int) -> int:
    """Where the drawn turns begin, with keys to go on where there are more than fit."""
    begin = addressed.whole("at", count - 1)
    if count <= TURNS:
        return 0
    with st.container(horizontal=True, vertical_alignment="center"):
        back = max(0, begin - TURNS) if begin else None
        addressed.step("Earlier", "at", back, shortcut="K", icon=":material/expand_less:")
        on = begin + TURNS if begin + TURNS < count else None
        addressed.step("Later", "at", on, shortcut="J", icon=":material/expand_more:")
        st.caption(f"turns {begin + 1:,} to {min(begin + TURNS, count):,} of {count:,}")
    return begin


def _turn(turn: Turn, row: Trajectory) -> None:
    with st.container(border=True):
        told = turn.told
        origin = (
            f"thinking: {ORIGINS.get(told['origin'], told['origin'])}" if told is not None else "thinking: not told"
        )
        by = f", by {told['teacher']}" if told is not None and told["teacher"] else ""
        tools = [call["name"] for call in row["messages"][turn.at]["tool_calls"]]
        calls = f" calls {escaped(', '.join(tools), 100)}" if tools else ""
        st.markdown(f"**message {turn.at}**{calls} :gray[{escaped(origin + by, 120)}]")
        if told is not None and told["checks_failed"]:
            st.markdown(f":orange-badge[checks failed] {escaped(', '.join(told['checks_failed']), 200)}")
        if turn.thinking[0] or turn.thinking[1]:
            diff_columns("thinking", *turn.thinking)
        if turn.text[0] or turn.text[1]:
            diff_columns("text", *turn.text)


def _two_traces(library: Library) -> None:
    names = [folder.name for folder in library.folders if folder.tables]
    if not names:
        _nothing("No opened folder has traces.", "Open a dataset folder")
        return
    key = _key(library, "folder", "trace")
    if key is None:
        _tasks(library)
        return
    left = library.trace(key)
    others = same_task.attempts(library.frame, key.folder, key.trace)
    second = _key(library, "folder2", "trace2") or _first(others)
    _choose_second(others, second)
    right = library.trace(second) if second is not None else None
    if left is None or right is None:
        _nothing("There is no other attempt at this task.", "Name another trace in the address: folder2 and trace2")
        return
    _links(left.key, right.key)
    found = align(left.row["messages"], right.row["messages"])
    aligned(found, Shown(_title(left), left.row), Shown(_title(right), right.row))


def _key(library: Library, folder: str, trace: str) -> TraceKey | None:
    """The trace that the address names, if there is one."""
    name = addressed.given(folder)
    known = any(each.name == name for each in library.folders)
    key = TraceKey(name, addressed.given(trace))
    return key if known and key.trace and library.trace(key) is not None else None


def _first(others: pl.DataFrame) -> TraceKey | None:
    return None if others.is_empty() else TraceKey(others["folder"][0], others["trace"][0])


def _choose_second(others: pl.DataFrame, second: TraceKey | None) -> None:
    """Another attempt at the same task, or whatever the address names."""
    keys = [TraceKey(*row) for row in others.select("folder", "trace").iter_rows()]
    if second is not None and second not in keys:
        keys.insert(0, second)
    if not keys:
        return
    labels = [one_line(f"{key.folder}: {key.trace}", 120) for key in keys]
    rewards = dict(zip(keys, [None] * (len(keys) - others.height) + others["reward"].to_list(), strict=True))
    at = keys.index(second) if second in keys else 0
    st.session_state["compare-second"] = at
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.selectbox(
            "Beside another attempt at this task",
            range(len(keys)),
            key="compare-second",
            format_func=lambda number: labels[number] + _paid(rewards[keys[number]]),
            on_change=_second_chosen,
            args=(keys,),
        )
        st.button("All tasks", icon=":material/list:", on_click=_no_traces)


def _second_chosen(keys: Sequence[TraceKey]) -> None:
    key = keys[st.session_state["compare-second"]]
    addressed.put(folder2=key.folder, trace2=key.trace, at=None)


def _no_traces() -> None:
    addressed.put(folder=None, trace=None, folder2=None, trace2=None, at=None)


def _paid(reward: float | None) -> str:
    return "" if reward is None else f", reward {reward:.2f}"


def _title(trace: Trace) -> str:
    row = trace.row
    return f"{trace.key.folder}: {row['task_id']}, attempt {row['trial']}{_paid(row['reward'])}"


def _tasks(library: Library) -> None:
    """Tasks with several attempts, to begin with."""
    found = same_task.tasks_with_several(library.frame)
    if found.is_empty():
        _nothing("No task has two attempts.", "Open the folders of two runs on the same tasks")
        return
    st.markdown("Choose a task: its first two attempts are set side by side.")
    st.dataframe(
        found.select("env_id", "task_id", "attempts", "folders", "lowest", "highest"),
        hide_index=True,
        key="compare-tasks",
        on_select=lambda: _task_chosen(library, found),
        selection_mode="single-row",
        height=460,
    )
    st.button("Begin with the first", icon=":material/play_arrow:", on_click=_begin, args=(library, found, 0))


def _task_chosen(library: Library, found: pl.DataFrame) -> None:
    rows = st.session_state["compare-tasks"]["selection"]["rows"]
    if rows:
        _begin(library, found, rows[0])


def _begin(library: Library, found: pl.DataFrame, at: int) -> None:
    row = library.frame.row(found["first"][at], named=True)
    addressed.put(folder=row["folder"], trace=row["trace"])


def _group(library: Library) -> None:
    frame = library.frame
    held = frame.filter(pl.col("parent_id").is_not_null())["folder"].unique(maintain_order=True)
    left, right = st.columns([2, 5])
    with left:
        folder = addressed.choose(
            "Rollouts", [str(name) for name in held], "folder", shown=one_line, drops=("group", "left", "right", "at")
        )
    if folder is None:
        _nothing("No opened folder has rollouts.", "Open a model trained by train.grpo, or what train.sample wrote")
        return
    found = groups.groups(frame, folder)
    given = groups.group_of(frame, folder, addressed.given("group"))
    with right:
        group = _choose_group(found, given)
    rows = groups.members(frame, folder, group)
    read = {name: library.trace(TraceKey(folder, name)) for name in rows["trace"]}
    table = groups.table(rows, lambda name: each.row if (each := read[name]) is not None else None)
    group_plot(table)
    _group_table(table, group)
    _two_rollouts(table, {name: each for name, each in read.items() if each is not None})


def _choose_group(found: pl.DataFrame, given: str | None) -> str:
    names = found["group"].to_list()
    at = names.index(given) if given in names else 0
    begin = max(0, at - MOST // 2)
    rows = found.slice(begin, MOST).to_dicts()
    labels = {row["group"]: _group_label(row) for row in rows}
    drops = ("left", "right", "at")
    label = f"Group {at + 1:,} of {len(names):,}"
    chosen = addressed.choose(label, list(labels), "group", shown=labels.__getitem__, drops=drops, default=names[at])
    with st.container(horizontal=True):
        before = names[at - 1] if at else None
        addressed.step("Group before", "group", before, shortcut="Left", icon=":material/chevron_left:")
        after = names[at + 1] if at + 1 < len(names) else None
        addressed.step("Next group", "group", after, shortcut="Right", icon=":material/chevron_right:")
    return chosen or names[at]


def _group_label(row: dict[str, object]) -> str:
    paid = "no reward" if row["mean"] is None else f"mean reward {row['mean']:.2f}, spread {row['spread']:.2f}"
    return one_line(f"{row['task_id']}, time {row['visit']}: {row['rollouts']} rollouts, {paid}", 160)


def _group_table(table: pl.DataFrame, group: str) -> None:
    """The group; two rows that are ticked are set side by side."""
    scores = [name for name, kind in table.schema.items() if kind.is_float()]
    key = f"compare-rollouts-{group}"
    st.dataframe(
        table.drop("trace"),
        hide_index=True,
        column_config={name: st.column_config.NumberColumn(format="%.3f") for name in scores},
        height="content",
        key=key,
        on_select=lambda: _ticked(st.session_state[key]["selection"]["rows"], table["trace"]),
        selection_mode="multi-row",
    )


def _ticked(rows: Sequence[int], traces: pl.Series) -> None:
    """The rows that were ticked first are those that are compared."""
    named = [traces[row] for row in rows[:2]]
    addressed.put(**dict(zip(("left", "right"), named, strict=False)), at=None)


def _two_rollouts(table: pl.DataFrame, read: dict[str, Trace]) -> None:
    """Two rollouts of the group aligned from their prompt on: the best and the worst paid unless others are named."""
    order = [name for name in table.sort("reward", descending=True, nulls_last=True)["trace"] if name in read]
    if len(order) < 2:
        _nothing("There is no second rollout to compare with.", "Choose another group")
        return
    labels = {
        row["trace"]: f"rollout {row['rollout']}{_paid(row['reward'])}, {row['ending']}" for row in table.to_dicts()
    }
    columns = st.columns(2)
    with columns[0]:
        left = addressed.choose("Left", order, "left", shown=labels.__getitem__, drops=("at",))
    with columns[1]:
        right = addressed.choose("Right", order, "right", shown=labels.__getitem__, drops=("at",), default=order[-1])
    if left is None or right is None:
        return
    one, two = read[left], read[right]
    begin = _begin_of(one.row) if one.row["parent"] == two.row["parent"] else 0
    _links(one.key, two.key)
    found = align(one.row["messages"], two.row["messages"], begin)
    aligned(found, Shown(labels[left], one.row), Shown(labels[right], two.row))


def _links(*keys: TraceKey) -> None:
    with st.container(horizontal=True):
        for key, side in zip(keys, ("left", "right"), strict=True):
            link("read", f"Read the {side} one", icon=":material/article:", folder=key.folder, trace=key.trace)


def _begin_of(row: Trajectory) -> int:
    """The message behind the prompt."""
    parent = row["parent"]
    return parent["message_index"] + 1 if parent else 0


def _nothing(what: str, remedy: str) -> None:
    st.info(f"{what} {remedy}.", icon=":material/info:")
