"""The table of traces: one page of rows, a click on a row opens it, a click on a column's head sorts by it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
import streamlit as st

from curate.palette import TIER_COLORS

ROW_HEIGHT = 30
_HEAD_HEIGHT = 38


@dataclass(frozen=True)
class Clicked:
    """What was clicked in a table: a row of it, or the head of a column."""

    row: int | None = None
    column: str | None = None


def trace_columns() -> Mapping[str, Any]:
    """How each column of the table looks; their names are those by which `FilterState.sort` sorts, where it can."""
    text, number = st.column_config.TextColumn, st.column_config.NumberColumn
    tiers, colors = list(TIER_COLORS), list(TIER_COLORS.values())
    return {
        "trace": text("Trace", width=104),
        "folder": text("Folder", width=100),
        "source": text("Source", width=100),
        "task": text("Task", width=84),
        "first_words": text("First words", width=250),
        "reward": number("Reward", width=64, format="%.2f"),
        "turns": number("Turns", width=56),
        "calls": number("Calls", width=54),
        "failed": number("Failed", width=58, help="Calls whose result tells of a failure."),
        "worst": st.column_config.MultiselectColumn("Worst tier", width=105, options=tiers, color=colors),
        "p": number("Lowest p", width=75, format="%.2f"),
        "reason": text("Rejected", width=140, help="The step that rejected it, and why."),
        "label": text("Label", width=110),
    }


def shown_rows(page: pl.DataFrame, states: pl.DataFrame | None = None) -> pl.DataFrame:
    """Rows of the index as the table shows them.

    Args:
        page: rows of the index.
        states: `trajectory_id`, `content_hash` and the `states` of their labels; None shows none.
    """
    if states is not None:
        page = page.join(states, on=["trajectory_id", "content_hash"], how="left", maintain_order="left")
    labels = pl.lit(None, dtype=pl.String) if states is None else _told_states()
    return page.select(
        trace="trace",
        folder=pl.col("folder").cast(pl.String),
        source=pl.col("source").cast(pl.String),
        task=pl.col("task_id").cast(pl.String),
        first_words="first_words",
        reward="reward",
        turns="turns",
        calls="calls",
        failed="failed_calls",
        worst=pl.when(pl.col("worst_tier").is_not_null()).then(pl.concat_list(pl.col("worst_tier").cast(pl.String))),
        p="min_p",
        reason=pl.col("reject_step").cast(pl.String) + ": " + pl.col("reject_reason").cast(pl.String),
        label=labels,
    )


def trace_table(rows: pl.DataFrame, columns: Sequence[str], key: str) -> Clicked:
    """Draw rows and tell what was clicked.

    Args:
        rows: of `shown_rows`.
        columns: which of them are drawn, in order.
        key: distinguishes what is shown, so that a late click on other rows opens nothing.
    """
    shown = rows.select(columns)
    name = "traces-" + hashlib.sha256(f"{key}\n{','.join(rows['trace'])}".encode()).hexdigest()[:16]
    looks = trace_columns()
    event: Any = st.dataframe(
        shown,
        key=name,
        height=_HEAD_HEIGHT + ROW_HEIGHT * len(shown),
        row_height=ROW_HEIGHT,
        hide_index=True,
        column_config={column: looks[column] for column in columns},
        placeholder="",
        on_select="rerun",
        selection_mode=["single-cell", "single-column"],
        lazy=False,
    )
    return _clicked(event["selection"], len(shown))


def _clicked(selection: Mapping[str, Any], height: int) -> Clicked:
    cells, columns = selection.get("cells") or [], selection.get("columns") or []
    if cells and 0 <= int(cells[0][0]) < height:
        return Clicked(row=int(cells[0][0]))
    return Clicked(column=str(columns[0])) if columns else Clicked()


def _told_states() -> pl.Expr:
    told = pl.col("states").list.eval(pl.element().filter(~pl.element().str.contains(r"^(labelled|mine)")))
    return told.list.eval(pl.element().str.strip_prefix("tag.")).list.join(", ")
