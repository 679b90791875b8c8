"""The funnel of a curation, from the counts of its manifest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl


def funnel(counts: Mapping[str, Any]) -> pl.DataFrame:
    """step, reason, rejected, left: from the records read to the rows kept; empty where nothing is told.

    Args:
        counts: of the manifest.
    """
    schema = {"step": pl.String, "reason": pl.String, "rejected": pl.Int64, "left": pl.Int64}
    records, steps = counts.get("records"), counts.get("funnel")
    if not isinstance(records, int) or not isinstance(steps, list):
        return pl.DataFrame(schema=schema)
    rows: list[dict[str, Any]] = [{"step": "read", "reason": "records", "rejected": 0, "left": records}]
    rows += [{name: step.get(name) for name in schema} for step in steps if isinstance(step, dict)]
    rows.append({"step": "kept", "reason": "", "rejected": 0, "left": counts.get("kept")})
    return pl.DataFrame(rows, schema=schema, strict=False)


def stages(found: pl.DataFrame) -> pl.DataFrame:
    """stage, part ("left", "rejected"), rows: what the bars of the funnel are made of."""
    named = found.filter(pl.col("step") != "kept").with_columns(_stage())
    long = named.unpivot(["left", "rejected"], index="stage", variable_name="part", value_name="rows")
    return long.filter(pl.col("rows") > 0)


def _stage() -> pl.Expr:
    words = pl.col("reason").str.replace_all("_", " ", literal=True)
    return pl.when(pl.col("step") == "read").then(pl.lit("read")).otherwise(words).alias("stage")


def sources(counts: Mapping[str, Any]) -> pl.DataFrame:
    """source, format, files, records, kept."""
    schema = {"source": pl.String, "format": pl.String, "files": pl.Int64, "records": pl.Int64, "kept": pl.Int64}
    told = counts.get("sources")
    items = told.items() if isinstance(told, dict) else ()
    rows = [
        {"source": str(name), **{key: item.get(key) for key in schema if key != "source"}}
        for name, item in items
        if isinstance(item, dict)
    ]
    return pl.DataFrame(rows, schema=schema, strict=False)


def figures(counts: Mapping[str, Any]) -> pl.DataFrame:
    """figure, value: every plain figure of the counts, nested ones by their path."""
    rows = [{"figure": name, "value": value} for name, value in _flat(counts)]
    return pl.DataFrame(rows, schema={"figure": pl.String, "value": pl.Float64}, strict=False)


def _flat(counts: Mapping[str, Any], before: str = "", depth: int = 0) -> list[tuple[str, float]]:
    found: list[tuple[str, float]] = []
    for name, value in counts.items():
        path = f"{before}{name}".replace("_", " ")
        if isinstance(value, Mapping) and depth < 4:
            found += _flat(value, f"{path} / ", depth + 1)
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            found.append((path, float(value)))
    return found
