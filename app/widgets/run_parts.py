"""The parts of the runs' page, one a kind of folder: training, curation, cache, audit, evaluation, comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

import polars as pl
import streamlit as st

from app.folders import OpenFolder
from app.runs import audits, evaluations, funnels, metrics
from app.runs.tables import read_table
from app.widgets.run_plots import bars, calibration, curves, intervals, tier_colors, with_figures
from cachebuild.schema import ABLATION
from curate.palette import SERIES

_CALLS = ["env_id", "tool", "tier", "p", "right", "fidelity", "volatile"]
_TOOLS = [
    *("env_id", "tool", "kind", "scope", "volatile", "calls", "keys", "repeated_keys", "success_share", "agreement"),
    "scope_evidence",
]


def training(folders: Sequence[OpenFolder]) -> None:
    """Curves of the first run, the others over it."""
    read = ((folder, metrics.read_metrics(folder.path)) for folder in folders)
    runs = {folder.name: frame for folder, frame in read if frame is not None and frame.height}
    if not runs:
        st.info("The run has no step yet.", icon=":material/info:")
        return
    _headlines({name: metrics.headline(frame) for name, frame in runs.items()})
    panels = {panel.title: panel for frame in runs.values() for panel in metrics.panels(frame)}
    columns = st.columns(2)
    for at, panel in enumerate(panels.values()):
        found = metrics.overlaid(runs, panel)
        with columns[at % 2]:
            figures = found.select("run", "step", "series", "value")
            with_figures(panel.title, curves(panel, found, list(runs)), figures, f"training-{at}")


def _headlines(told: Mapping[str, metrics.Headline]) -> None:
    """The figures of a run, or of several in a table."""
    if len(told) > 1:
        rows = [{"run": name, **asdict(each), "gain": each.gain} for name, each in told.items()]
        titles = {
            "first": "reward, first tenth",
            "last": "reward, last tenth",
            "kl": "KL",
            "length": "tokens a rollout",
        }
        form = {"length": "%.0f"}
        config = {
            name: st.column_config.NumberColumn(titles.get(name, name), format=form.get(name, "%.4f"))
            for name in ("first", "last", "gain", "kl", "length", "loss")
        }
        order = ["run", "steps", "first", "last", "gain", "kl", "length", "loss"]
        frame = pl.DataFrame(rows, infer_schema_length=None)
        st.dataframe(frame, hide_index=True, column_config=config, column_order=order)
        return
    for each in told.values():
        _metrics(each)


def _metrics(told: metrics.Headline) -> None:
    shown: list[tuple[str, str, str | None]] = [("steps", f"{told.steps:,}", None)]
    if told.last is not None:
        shown.append(("reward, last tenth", f"{told.last:.3f}", None if told.gain is None else f"{told.gain:+.3f}"))
    values = (("KL, last tenth", told.kl, ".4f"), ("tokens a rollout", told.length, ",.0f"), ("loss", told.loss, ".4f"))
    shown += [(label, format(value, form), None) for label, value, form in values if value is not None]
    for column, (label, value, delta) in zip(st.columns(5), shown, strict=False):
        column.metric(label, value, delta, help="Below it: against the first tenth of the steps." if delta else None)


def curation(folder: OpenFolder) -> None:
    """The funnel and the sources."""
    counts = folder.manifest.counts if folder.manifest is not None else {}
    found = funnels.funnel(counts)
    if found.is_empty():
        st.info("The manifest tells no funnel.", icon=":material/info:")
        return
    stages = funnels.stages(found).with_columns((pl.col("part") == "rejected").cast(pl.Int8).alias("order"))
    colors = {"left": SERIES[0], "rejected": SERIES[5]}
    chart = bars(stages, "stage", "rows", color="part", colors=colors, unit="trajectories")
    with_figures("Trajectories left after each step, and what it turned away", chart, found, "funnel")
    sources = funnels.sources(counts)
    if sources.height:
        st.markdown("**Sources**")
        st.dataframe(sources, hide_index=True)


def cache(folder: OpenFolder) -> None:
    """Tools of a cache: how often they were recorded, and whether equal calls agree."""
    rows = _table(folder, "tools", _TOOLS)
    if rows is None:
        return
    called = rows.filter(pl.col("calls") > 0).sort(["calls", "env_id", "tool"], descending=[True, False, False])
    named = called.head(40).select(pl.format("{}: {}", "env_id", "tool").alias("tool"), "calls", "keys", "agreement")
    left, right = st.columns(2)
    with left:
        with_figures("Recorded calls by tool", bars(named, "tool", "calls", unit="calls"), named, "cache-calls")
    with right:
        chart = bars(named, "tool", "agreement", unit="expected p of a call recorded once", percent=True)
        with_figures("How far a recorded result holds", chart, named, "cache-agreement")
    st.markdown("**What was found about each tool**")
    st.dataframe(called, hide_index=True)


def audit(folder: OpenFolder) -> None:
    """Hits and right answers by tier, calibration, simpler caches."""
    calls = _table(folder, "audit", _CALLS)
    if calls is None:
        return
    shares = [(name, value) for name, value in audits.served(calls).items() if value is not None]
    for column, (name, value) in zip(st.columns(4), shares, strict=False):
        column.metric(name, f"{value:.1%}", help="Volatile tools are left out.")
    tiers, bins = audits.by_tier(calls), audits.calibration(calls)
    left, right = st.columns(2)
    with left:
        chart = bars(tiers, "tier", "calls", color="tier", colors=tier_colors(), unit="calls")
        with_figures("Calls by tier", chart, tiers, "audit-tiers")
        answered = tiers.filter(pl.col("tier") != "unavailable")
        chart = bars(answered, "tier", "right", color="tier", colors=tier_colors(), unit="exactly right", percent=True)
        with_figures("Exactly right, by tier", chart, answered, "audit-right")
    with right:
        told = [(name, audits.ece(bins, name)) for name in ("right", "fidelity")]
        errors = [f"{name} {error:.3f}" for name, error in told if error is not None]
        with_figures("Is p honest?", calibration(bins), bins, "audit-calibration")
        st.caption(f"Calibration error (ECE): {', '.join(errors)}." if errors else "No call was answered.")
    tools = audits.by_tool(calls).with_columns(pl.format("{}: {}", "env_id", "tool").alias("name"))
    chart = bars(tools, "name", "share", color="tier", colors=tier_colors(), unit="share of calls", percent=True)
    with_figures("Tiers by tool", chart, tools.drop("order", "name"), "audit-tools")
    _ablations(folder)


def _ablations(folder: OpenFolder) -> None:
    if folder.manifest is None or "ablations" not in folder.manifest.tables:
        return
    rows = _table(folder, "ablations", ABLATION.names)
    if rows is None:
        return
    found = audits.ablations(rows)
    left, right = st.columns(2)
    for column, name, title in ((left, "served", "Served, by cache"), (right, "right", "Right when served, by cache")):
        with column:
            chart = bars(found, "cache", name, unit="share of calls", percent=True)
            with_figures(title, chart, found, f"audit-ablations-{name}")


def evaluation(folder: OpenFolder) -> None:
    """Tasks done by kind, endings, tiers."""
    rows = _table(folder, "episodes", [*evaluations.EPISODES, *evaluations.TIER_COLUMNS])
    if rows is None:
        return
    kinds, endings, tiers = evaluations.by_kind(rows), evaluations.endings(rows), evaluations.tiers(rows)
    left, right = st.columns(2)
    with left:
        chart = bars(kinds, "kind", "done", unit="share of episodes", percent=True)
        with_figures("Tasks done, by kind", chart, kinds, "evaluation-kinds")
    with right:
        with_figures("Endings", bars(endings, "ending", "episodes", unit="episodes"), endings, "evaluation-endings")
        if tiers.height:
            chart = bars(tiers, "tier", "calls", color="tier", colors=tier_colors(), unit="calls")
            with_figures("What answered the calls", chart, tiers, "evaluation-tiers")
    st.caption("Intervals over tasks stand in the report.")


def comparison(folder: OpenFolder) -> None:
    """Figures before and after with their intervals, and the differences."""
    ends = [f"{name}{end}" for name in evaluations.SHOWN for end in ("", "_low", "_high")]
    rows = _table(folder, "differences", [*evaluations.DIFFERENCES, *ends])
    if rows is None:
        return
    shares = evaluations.sides(rows.filter((pl.col("before") <= 1) & (pl.col("after") <= 1)))
    with_figures("Before and after, with 95 % intervals", intervals(shares), evaluations.sides(rows), "comparison")
    st.markdown("**Differences, paired by task**")
    st.dataframe(rows, hide_index=True)


def _table(folder: OpenFolder, name: str, columns: Sequence[str]) -> pl.DataFrame | None:
    """A table of the folder; says so where it has none."""
    found = read_table(folder.path, folder.manifest, name, columns) if folder.manifest is not None else None
    if found is None or found.is_empty():
        st.info(f"The folder has no rows in table {name} that this page can draw.", icon=":material/info:")
        return None
    return found
