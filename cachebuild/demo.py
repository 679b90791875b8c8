"""The main job from end to end: raw traces, curated, with thinking, as a cache, audited. `make demo` runs it.

Without `--data` the desk, our own small world, records the traces first. Every step is the command a person would type
and is skipped where its folder stands already.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from curate.cli import out, parse, run, say
from curate.errors import UsageError

if TYPE_CHECKING:
    from curate.folder import DatasetFolder

DESK_EPISODES = 600
DESK_SEED = 7


@dataclass(frozen=True)
class DemoSettings:
    """Settings of the demo.

    Attributes:
        out: folder for everything it makes, one subfolder per input.
        data: a raw file of your own; default is traces of the desk.
        env: the world of that file, if other files share it.
    """

    out: Path
    data: Path | None = None
    env: str | None = None


def main(argv: Sequence[str] | None = None) -> int:
    """Run the steps, then print the funnel, the tier table, one augmented turn and the reports."""
    settings = parse(DemoSettings, "python -m cachebuild.demo", __doc__ or "", argv)
    return run(lambda: _demo(settings))


def _demo(settings: DemoSettings) -> int:
    from curate.readers.paths import default_source, kind_of

    if settings.data is not None:
        kind_of(settings.data)
    root = settings.out / (default_source(settings.data) if settings.data else "desk")
    root.mkdir(parents=True, exist_ok=True)
    raw = settings.data or _desk_traces(root)
    env = ["--env", settings.env] if settings.env else []
    for command, arguments in _steps(raw, root, env):
        _step(command, arguments, root)
    _print_result(root)
    return 0


def _desk_traces(root: Path) -> Path:
    path = root / "desk.jsonl.gz"
    if not path.exists():
        arguments = ["--episodes", str(DESK_EPISODES), "--seed", str(DESK_SEED), "--out", str(path)]
        _step("curate.sandbox", arguments, root)
    return path


def _steps(raw: Path, root: Path, env: list[str]) -> list[tuple[str, list[str]]]:
    curated, augmented = str(root / "curated"), str(root / "augmented")
    cache, audit = str(root / "cache"), str(root / "audit")
    return [
        ("curate", [str(raw), "--out", curated, *env]),
        ("synth.augment", [curated, "--out", augmented, "--teacher", "offline"]),
        ("cachebuild", [augmented, "--out", cache]),
        ("cachebuild.audit", [cache, "--queries", augmented, "--out", audit]),
    ]


def _step(command: str, arguments: list[str], root: Path) -> None:
    """Run one command as a person would; its own output is left to its report."""
    import contextlib
    import io

    say(f"$ python -m {command} {' '.join(arguments)}")
    with contextlib.redirect_stdout(io.StringIO()):
        code = _command(command)(arguments)
    if code:
        raise UsageError(
            f"python -m {command} stopped with exit code {code}, see above; to start afresh, delete {root}"
        )


def _command(name: str) -> Callable[[Sequence[str]], int]:
    import importlib

    from curate.cli import COMMANDS

    main: Callable[[Sequence[str]], int] = importlib.import_module(COMMANDS[name]).main
    return main


def _print_result(root: Path) -> None:
    """The funnel, the tier table, one augmented turn, and where the reports are."""
    from cachebuild.tiers import tier_table
    from curate.curation_report import funnel_rows
    from curate.folder import DatasetFolder
    from curate.report import text_table

    folders = {name: DatasetFolder.open(root / name) for name in ("curated", "augmented", "cache", "audit")}
    out("Funnel: what curation turned away\n")
    out(text_table(["step", "reason", "rejected", "left"], funnel_rows(folders["curated"].manifest.counts)))
    out("\nCache: which tier answers a recorded call whose own trajectory is left out, and how often it is right\n")
    out(text_table(*tier_table(folders["audit"].rows("audit"), tools=False)))
    out("\nOne turn with the thought that was added (~ marks thinking, > a call)\n")
    for line in _one_turn(folders["augmented"]):
        out(line)
    out("\nReports")
    for folder in folders.values():
        out(f"  {folder.path / 'report.html'}")


def _one_turn(folder: DatasetFolder) -> list[str]:
    """The first call after another call's result that the teacher explained, with the messages around it."""
    from curate.show import render_message

    for row in folder.rows("trajectories"):
        messages = row["messages"]
        for thought in row["thinking"]:
            index = thought["message_index"]
            follows_result = index > 0 and messages[index - 1]["role"] == "tool"
            if thought["origin"] == "rule" and messages[index]["tool_calls"] and follows_result:
                thoughts = {entry["message_index"]: entry for entry in row["thinking"]}
                around = range(max(0, index - 2), min(index + 2, len(messages)))
                lines = [list(render_message(i, messages[i], thoughts.get(i), 400)) for i in around]
                return [line for block in lines for line in block]
    return ["(no turn has a call that follows a result)"]


if __name__ == "__main__":
    raise SystemExit(main())
