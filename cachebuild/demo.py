"""The main job from end to end: raw traces, curated, with thinking, as a cache, audited. `make demo` runs it.

Without `--data` the desk, our own small world, records the traces first. Every step is the command a person would type
and is skipped where its folder stands already.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from curate.cli import out, parse, run, say
from curate.errors import UsageError

if TYPE_CHECKING:
    from curate.folder import DatasetFolder

DESK_EPISODES = 600
DESK_SEED = 7
DESK_FILE = "desk.jsonl.gz"
SIGNALLED = 128
"""From here on an exit code says which signal ended a command."""


@dataclass(frozen=True)
class DemoSettings:
    """Settings of the demo.

    Attributes:
        out: folder for everything it makes, one subfolder per input: its name and the start of its hash.
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
    root = settings.out / _name(settings)
    with _tidied(root):
        env = ["--env", settings.env] if settings.env else []
        steps = _steps(settings.data or root / DESK_FILE, root, env)
        if settings.data is None and not (root / DESK_FILE).exists():
            steps = [_desk(root / DESK_FILE), *steps]
        for command, arguments in steps:
            code = _step(command, arguments, root)
            if code:
                return code
    _print_result(root)
    return 0


def _name(settings: DemoSettings) -> str:
    """Name of the subfolder; inputs that differ, in content or world, never meet in one."""
    from curate import __version__
    from curate.canonical import hash128
    from curate.manifest import sha256_file
    from curate.readers.paths import default_source, kind_of

    if settings.data is None:
        return f"desk-{hash128(__version__, settings.env or '', str(DESK_EPISODES), str(DESK_SEED))[:8]}"
    kind_of(settings.data)
    content = sha256_file(settings.data)
    stem = default_source(settings.data)
    key = content if settings.env is None else hash128(content, settings.env)
    return f"{stem[:60]}-{key[:8]}"


@contextmanager
def _tidied(root: Path) -> Iterator[None]:
    """Make a folder, and take it and the folders above it that were made with it away again if it stays empty."""
    made = [folder for folder in (root, *root.parents) if not folder.exists()]
    root.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        for folder in made:
            with suppress(OSError):  # not empty
                folder.rmdir()


def _desk(path: Path) -> tuple[str, list[str]]:
    return ("curate.sandbox", ["--episodes", str(DESK_EPISODES), "--seed", str(DESK_SEED), "--out", str(path)])


def _steps(raw: Path, root: Path, env: list[str]) -> list[tuple[str, list[str]]]:
    curated, augmented = str(root / "curated"), str(root / "augmented")
    cache, audit = str(root / "cache"), str(root / "audit")
    return [
        ("curate", [str(raw), "--out", curated, *env]),
        ("synth.augment", [curated, "--out", augmented, "--teacher", "offline"]),
        ("cachebuild", [augmented, "--out", cache]),
        ("cachebuild.audit", [cache, "--queries", augmented, "--out", audit]),
    ]


def _step(command: str, arguments: list[str], root: Path) -> int:
    """Run one command as a person would; its own output is left to its report.

    Returns:
        0, or the exit code of a command that was stopped by a signal.

    Raises:
        UsageError: if the command failed, with what to do about it.
    """
    import contextlib
    import io

    say(f"$ python -m {command} {shlex.join(arguments)}")
    with contextlib.redirect_stdout(io.StringIO()):
        code = _command(command)(arguments)
    if code and code < SIGNALLED:
        afresh = f"to start afresh, delete {root} and run the demo again"
        remedy = afresh if any(root.iterdir()) else f"flags named there are those of {command}, not of the demo"
        raise UsageError(f"python -m {command} stopped with exit code {code}, see above; {remedy}")
    return code


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
