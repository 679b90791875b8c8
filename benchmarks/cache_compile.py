"""How fast a dataset folder becomes a cache, and in how much memory: recorded calls to entries, tables and index.

Desk episodes of six calls or more are curated once and copied with other ids until they hold `--pairs` calls, so that
most calls are distinct, as in a set of many tasks. The compile runs in processes of its own; the last line is JSON.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

# As a script this file stands beside one of the package's name.
HERE = Path(__file__).resolve().parent
sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != HERE]

if TYPE_CHECKING:
    import pyarrow as pa

EPISODES = 2_000
LEAST_CALLS = 6
MARK = "\N{SYMBOL FOR UNIT SEPARATOR}"
"""Stands behind every id of the templates; each copy has its number there."""
IDS = r"\b([A-Z]{1,3}-\d{3,}|TRK\d{5,}|\d{4} [A-Z]{2}\b|[a-z]+\.[a-z]+\d*@)"
PHASES = {
    "spool": "reading calls",
    "write_tool_tables": "tools, calibration",
    "cache_report": "report",
    "prepare_index": "index",
}
"""Functions of `cachebuild.compile`, timed one by one."""


def templates(folder: Path) -> pa.Table:
    """Curated trajectories of the desk with a mark behind every id."""
    import pyarrow as pa
    import pyarrow.compute as pc

    from curate.folder import DatasetFolder
    from curate.sandbox.export import export

    export(folder / "desk.jsonl", EPISODES, seed=5)
    command = [sys.executable, "-m", "curate", str(folder / "desk.jsonl"), "--out", str(folder / "templates")]
    subprocess.run(command, check=True, capture_output=True)
    table = pa.Table.from_batches(DatasetFolder.open(folder / "templates").batches("trajectories"))
    calls = [sum(len(message["tool_calls"]) for message in row) for row in table["messages"].to_pylist()]
    chosen = table.filter(pa.array([count >= LEAST_CALLS for count in calls])).combine_chunks()
    return _texts(chosen, lambda texts: pc.replace_substring_regex(texts, IDS, rf"\1{MARK}"))


def copied(table: pa.Table, number: int) -> pa.Table:
    """The trajectories with ids that no other copy has."""
    import pyarrow.compute as pc

    for name in ("trajectory_id", "initial_state_id", "task_id", "task_group"):
        names = pc.binary_join_element_wise(table[name], f"{number:x}", "-")
        table = table.set_column(table.schema.get_field_index(name), table.schema.field(name), names)
    return _texts(table, lambda texts: pc.replace_substring(texts, MARK, f"{number:x}"))


def _texts(table: pa.Table, change: Callable[[Any], Any]) -> pa.Table:
    """The table with the texts of messages and of calls' arguments changed."""
    import pyarrow as pa

    rows = table["messages"].chunk(0)
    messages = rows.values
    calls = messages.field("tool_calls")
    changed_calls = _with(calls.values, "arguments", change)
    lists = pa.ListArray.from_arrays(calls.offsets, changed_calls)
    changed = _with(_with(messages, "content", change), "tool_calls", lambda _: lists)
    found = pa.ListArray.from_arrays(rows.offsets, changed)
    return table.set_column(table.schema.get_field_index("messages"), table.schema.field("messages"), found)


def _with(array: Any, name: str, change: Callable[[Any], Any]) -> Any:
    """A struct array with one field changed."""
    import pyarrow as pa

    fields = {field.name: array.field(field.name) for field in array.type}
    return pa.StructArray.from_arrays(list((fields | {name: change(fields[name])}).values()), names=list(fields))


def make_folder(pairs: int, folder: Path) -> tuple[Path, int]:
    """A curated folder of at least so many calls: (its path, how many trajectories)."""
    from curate.folder import FolderWriter, Manifest
    from curate.schema import TRAJECTORY

    table = templates(folder)
    calls = sum(len(message["tool_calls"]) for row in table["messages"].to_pylist() for message in row)
    shares = {"train_share": 1.0, "validation_share": 0.0, "test_share": 0.0}
    manifest = Manifest("curated", "benchmark", {"env_rules": {}, "split": shares}, [])
    copies = -(-pairs // calls)
    with FolderWriter(folder / "curated", manifest) as writer:
        trajectories = writer.table("trajectories", TRAJECTORY)
        for number in range(copies):
            trajectories.write_table(copied(table, number).cast(TRAJECTORY))
    return folder / "curated", copies * table.num_rows


def compile_here(folder: str, out: str, workers: str) -> None:
    """The measured process: compile, and print the seconds and the CPU seconds of each phase as one JSON object."""
    from cachebuild import compile as compiling
    from cachebuild.settings import CompileSettings

    took: dict[str, tuple[float, float]] = {}

    def timed(label: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            wall, cpu = time.perf_counter(), cpu_seconds()
            try:
                return function(*given, **named)
            finally:
                took[label] = time.perf_counter() - wall, cpu_seconds() - cpu

        return call

    for name, label in PHASES.items():
        setattr(compiling, name, timed(label, getattr(compiling, name)))
    settings: dict[str, Any] = {"splits": ("all",)}
    if "run" in CompileSettings.__dataclass_fields__:
        from curate.settings import RunSettings

        settings["run"] = RunSettings(int(workers))
    cache = timed("all", compiling.compile_cache)(CompileSettings(Path(folder), Path(out), **settings))
    print(json.dumps({"took": took, "counts": cache.manifest.counts}))


def cpu_seconds() -> float:
    """CPU seconds of this process and of all its children, those that have ended and those that live."""
    living = list(watching()._family(os.getpid()))[1:]
    ticks = sum(sum(map(int, Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13])) for pid in living)
    return sum(os.times()[:4]) + ticks / os.sysconf("SC_CLK_TCK")


@cache
def watching() -> Any:
    """`benchmarks/curate.py`, which watches the memory of a family of processes; its name is that of a package."""
    found = importlib.util.spec_from_file_location("benchmarks_curate", HERE / "curate.py")
    assert found is not None and found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def compiled(folder: Path, out: Path, workers: int) -> tuple[dict[str, Any], float]:
    """What the measured process printed, and the most memory of its processes together in MB."""
    command = [sys.executable, __file__, "--compile", str(folder), str(out), str(workers)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        memory = watching().Memory(process.pid)
        printed, _ = process.communicate()
    if process.returncode:
        raise SystemExit(process.returncode)
    return json.loads(printed), memory.stop()


def measured(folder: Path, out: Path, workers: int) -> dict[str, Any]:
    """Compile the folder, print the table, and return the figures of the JSON line."""
    begun = time.perf_counter()
    found, memory = compiled(folder, out, workers)
    seconds, counts = time.perf_counter() - begun, found["counts"]
    pairs = counts["entries"]
    print(f"{pairs:,} recorded calls, {counts['keys']:,} distinct, of {counts['trajectories']:,} trajectories")
    print("phase | s | CPU s | us a call\n---|---|---|---")
    for label, (wall, cpu) in found["took"].items():
        print(f"{label} | {wall:.1f} | {cpu:.1f} | {cpu / pairs * 1e6:.1f}")
    print(f"the whole process | {seconds:.1f} | | {seconds / pairs * 1e6:.1f}")
    print(f"most memory of all its processes together: {memory:,.0f} MB")
    return {
        "compile_s_1m": round(seconds / pairs * 1e6, 1),
        "compile_pairs_per_s": round(pairs / seconds),
        "compile_peak_mb": round(memory),
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table and the JSON line."""
    parser = argparse.ArgumentParser(prog="python benchmarks/cache_compile.py", description=__doc__)
    parser.add_argument("--pairs", type=int, default=1_000_000, help="recorded calls with their results")
    parser.add_argument("--workers", type=int, default=0, help="0 is one a core")
    parser.add_argument("--keep", type=Path, help="make the folder here, or take the one that stands here")
    parser.add_argument("--compile", nargs=3, help=argparse.SUPPRESS)
    settings = parser.parse_args(argv)
    if settings.compile:
        compile_here(*settings.compile)
        return 0
    with tempfile.TemporaryDirectory() as name:
        work = settings.keep or Path(name)
        work.mkdir(exist_ok=True)
        if not (work / "curated").exists():
            make_folder(settings.pairs, work)
        figures = measured(work / "curated", Path(name) / "cache", settings.workers)
    print(json.dumps(figures))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
