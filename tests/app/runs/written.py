"""Folders on disk for the pages' tests."""

from __future__ import annotations

import json
from types import SimpleNamespace

import polars as pl

from app.library import Library
from app.opened import use
from app.settings import AppSettings
from curate.folder import FolderWriter, Manifest
from curate.report import Report
from curate.schema import REJECT, TRAJECTORY


def write_folder(path, kind, rows, counts=None):
    """Rows as a dataset folder of a kind, with a report."""
    with FolderWriter(path, Manifest(kind, f"made.{kind}", {"seed": 0}, [])) as writer:
        writer.table("trajectories", TRAJECTORY).write(rows)
        if kind == "curated":
            writer.table("rejects", REJECT).write([])
        report = Report("A report")
        report.text("It says <script>alert(1)</script>.")
        report.table("Some rows", ["name", "value"], [["a", 1]])
        writer.add_report(report)
        writer.count(**counts or {})
    return path


def write_model(path, steps=3):
    """A model folder with metrics and without weights."""
    path.mkdir()
    numbers = [n / steps for n in range(steps)]
    frame = pl.DataFrame({"step": range(1, steps + 1), "reward": numbers, "kl": numbers, "tier/exact": numbers})
    frame.write_parquet(path / "metrics.parquet")
    made = {"command": "train.grpo", "settings": {"model": "m"}, "inputs": []}
    (path / "training.json").write_text(json.dumps({"identity": "1" * 64, "made_from": made, "counts": {"rows": 1}}))
    return path


def opened_for_test(paths, tmp_path):
    """Make these folders what the pages show."""
    library = Library.open(paths, tmp_path / "index")
    use(SimpleNamespace(settings=AppSettings(dirs=tuple(paths)), library=library, labels=None))
    return library
