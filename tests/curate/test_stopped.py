"""Ctrl-C, SIGTERM and a full disk: one line that says what to do, the resume state kept, and no traceback."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from curate.atomic import writing
from curate.cli import run as run_command
from curate.errors import UsageError

ROOT = Path(__file__).resolve().parents[2]
SIGNALS = pytest.mark.parametrize(("number", "says"), [(signal.SIGINT, "interrupted"), (signal.SIGTERM, "terminated")])


@pytest.fixture(autouse=True)
def listening() -> Iterator[None]:
    """A test run that a shell started in the background ignores Ctrl-C, and so would what it starts."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def started(code: str, *args: object, **given: Any) -> subprocess.Popen[str]:
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    line = [sys.executable, *(["-c", code] if code else []), *map(str, args)]
    return subprocess.Popen(line, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **given)


@SIGNALS
def test_a_command_that_is_stopped_says_how_to_go_on(
    number: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = signal.getsignal(number)

    def command() -> int:
        os.kill(os.getpid(), number)
        time.sleep(60)
        return 0

    assert run_command(command) == 128 + number
    assert capsys.readouterr().err == f"{says}; run the same command again to go on\n"
    assert signal.getsignal(number) is before


@SIGNALS
def test_a_stop_that_a_library_turns_into_another_error(
    number: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def command() -> int:
        try:
            os.kill(os.getpid(), number)
            time.sleep(60)
        except KeyboardInterrupt as error:
            raise ImportError("numpy") from error
        return 0

    assert run_command(command) == 128 + number
    assert says in capsys.readouterr().err
    with pytest.raises(ImportError):  # one that no signal caused is ours to mend
        run_command(lambda: exec("raise ImportError"))


def test_a_command_within_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    def inner() -> int:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)
        return 0

    assert run_command(lambda: run_command(inner)) == 143
    assert capsys.readouterr().err.count("terminated") == 1


def test_a_programs_own_handler_stays() -> None:
    came: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: came.append(number))
    try:
        assert run_command(lambda: os.kill(os.getpid(), signal.SIGTERM) or 0) == 0
        assert came == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, before)


@SIGNALS
def test_a_stopped_curate_goes_on(
    number: int, says: str, tmp_path: Path, make_chat: Any, jsonl: Callable[..., Path], run: Any
) -> None:
    path = jsonl([make_chat(n) for n in range(3_000)])
    out, journal = tmp_path / "out", tmp_path / "out.journal"
    process = started("", "-m", "curate", path, "--out", out, start_new_session=True)
    while process.poll() is None and not any(journal.glob("*.arrow")):
        time.sleep(0.01)
    os.killpg(process.pid, number)
    text = process.communicate()[1]
    assert process.returncode == 128 + number
    assert f"{says}; run the same command again to go on" in text and "Traceback" not in text
    assert not out.exists() and any(journal.glob("*.arrow"))
    assert run(path, "--out", out) == 0 and not journal.exists()


SLOW_IMPORT = """
import builtins, os, runpy, signal, sys
real = builtins.__import__
def interrupted(name, *given, **named):
    if name == "tyro":
        os.kill(os.getpid(), signal.SIGINT)
    return real(name, *given, **named)
builtins.__import__ = interrupted
sys.orig_argv = [sys.executable, "-m", *sys.argv[1:]]
module = sys.argv[1]
sys.argv = ["-m", *sys.argv[2:]]
runpy.run_module(module, run_name="__main__", alter_sys=True)
"""


@pytest.mark.parametrize("name", ["curate", "curate.show", "synth.augment", "cachebuild", "cachebuild.audit"])
def test_an_interrupt_during_the_imports_is_quiet(name: str) -> None:
    process = started(SLOW_IMPORT, name, "--help")
    assert process.communicate() == ("", "")
    assert process.returncode == 130


def test_the_packages_leave_other_programs_alone() -> None:
    code = "import curate, synth, cachebuild, signal; assert signal.getsignal(2) is signal.default_int_handler"
    process = started(code)
    assert (process.communicate()[1], process.returncode) == ("", 0)


# --- writes that the system refuses


def test_a_limit_on_files_names_the_folder(
    tmp_path: Path, make_chat: Any, jsonl: Callable[..., Path], run: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    path = jsonl([make_chat(n) for n in range(300)])
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8_192, before[1]))
    try:
        assert run(path, "--workers", 1, "--out", tmp_path / "out") == 2
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    text = capsys.readouterr().err.splitlines()[-1]
    assert text.startswith(f"error: {tmp_path / 'out'} cannot be written: File too large; ")
    assert "ulimit -f" in text
    assert not (tmp_path / "out").exists()
    assert run(path, "--out", tmp_path / "out") == 0


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS])
def test_a_refused_write_names_the_folder_and_a_remedy(number: int) -> None:
    says = r"^sets/out cannot be written: .*; .*run the same command again$"
    with pytest.raises(UsageError, match=says), writing(Path("sets/out"), Path("sets/out.journal")):
        raise OSError(number, os.strerror(number))


def test_a_refused_read_is_not_taken_for_a_write() -> None:
    for path, kind in (("traces.json", PermissionError), ("sets/out.journal/lock", UsageError)):
        with pytest.raises(kind), writing(Path("sets/out"), Path("sets/out.journal")):
            raise OSError(errno.EACCES, "Permission denied", path)
    with pytest.raises(PermissionError), writing(Path("sets/out")):
        raise OSError(errno.EACCES, "Failed to open local file 'traces.parquet'")
