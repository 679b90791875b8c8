from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from curate import lineage, show, stats, verify
from curate.cli import COMMANDS, main, printable

ROOT = Path(__file__).resolve().parents[2]
Command = Callable[..., int]
Captured = pytest.CaptureFixture[str]


def process(*args: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *map(str, args)], cwd=ROOT, capture_output=True, text=True, timeout=120)


# --- show


def test_show_lists(small_folder: Path, command: Command, capsys: Captured) -> None:
    assert command(show.main, small_folder) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + 4 + 1
    assert lines[-1] == "4 of 4; give an id, or its start, to read one"
    assert command(show.main, small_folder, "--limit", 1) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("1 of 4")


def ids(folder: Path, capsys: Captured, command: Command, *args: object) -> list[str]:
    capsys.readouterr()
    assert command(show.main, folder, *args) == 0
    return [line.split()[0] for line in capsys.readouterr().out.splitlines()[2:-1]]


def test_show_one_by_the_start_of_its_id(small_folder: Path, command: Command, capsys: Captured) -> None:
    name = ids(small_folder, capsys, command)[1]
    assert command(show.main, small_folder, name[:8]) == 0
    text = capsys.readouterr().out
    for part in (name, "Where is order #W1?", "get_order({", "Order #W1 was sent.", "[3] tool get_order id"):
        assert part in text


def test_show_as_json(small_folder: Path, command: Command, capsys: Captured) -> None:
    name = ids(small_folder, capsys, command)[0]
    assert command(show.main, small_folder, name, "--json") == 0
    row = json.loads(capsys.readouterr().out)
    assert row["trajectory_id"] == name
    assert row["messages"][1]["content"] == "Where is order #W0?"


def test_show_rejects_also_those_without_an_id(small_folder: Path, command: Command, capsys: Captured) -> None:
    found = ids(small_folder, capsys, command, "--table", "rejects")
    assert found[1] == "traces:5"
    assert command(show.main, small_folder, found[0], "--table", "rejects") == 0
    assert "rejected by filter: no_tool_call" in capsys.readouterr().out
    assert command(show.main, small_folder, "traces:5", "--table", "rejects") == 0
    text = capsys.readouterr().out
    assert "rejected by read: unknown_role" in text
    assert '"role": "wizard"' in text
    assert command(show.main, small_folder, "traces:5", "--table", "rejects", "--json") == 0
    assert "wizard" in json.loads(capsys.readouterr().out)["raw"]


@pytest.mark.parametrize(
    ("args", "says"),
    [(["zzz"], "no trajectory whose id starts with 'zzz'"), (["", "--table", "none"], "no table 'none'")],
)
def test_show_what_is_not_there(
    small_folder: Path, command: Command, capsys: Captured, args: list[str], says: str
) -> None:
    assert command(show.main, small_folder, *args) == 2
    assert says in capsys.readouterr().err


def test_an_ambiguous_id(
    tmp_path: Path,
    make_chat: Callable[..., Any],
    jsonl: Callable[..., Path],
    run: Command,
    command: Command,
    capsys: Captured,
) -> None:
    assert run(jsonl([make_chat(n) for n in range(20)]), "--out", tmp_path / "out") == 0
    names = ids(tmp_path / "out", capsys, command)
    first = next(name[0] for name in names if sum(other[0] == name[0] for other in names) > 1)
    assert command(show.main, tmp_path / "out", first) == 2
    assert "trajectories whose id starts" in capsys.readouterr().err


def test_a_trace_cannot_command_the_terminal(
    tmp_path: Path,
    make_chat: Callable[..., Any],
    jsonl: Callable[..., Path],
    run: Command,
    command: Command,
    capsys: Captured,
) -> None:
    evil = make_chat(1, task_id="\x1b[2J\nfake row")
    evil["messages"][1]["content"] = "\x1b]0;owned\x07\r\x08\u202ecod\x9b31m"
    evil["messages"][2]["tool_calls"][0]["function"]["name"] = "get\x1b[31m"
    evil["messages"][4]["content"] = [{"type": "image", "url": "\x1b[1m"}]
    assert run(jsonl([evil, {"messages": [{"role": "\x1b[31m"}]}]), "--out", tmp_path / "out") == 0
    for args in ([], ["--table", "rejects"]):
        name = ids(tmp_path / "out", capsys, command, *args)[0]
        assert command(show.main, tmp_path / "out", *args) == 0
        assert command(show.main, tmp_path / "out", name, *args) == 0
        assert command(show.main, tmp_path / "out", name, "--json", *args) == 0
    assert command(stats.main, tmp_path / "out") == 0
    text = capsys.readouterr().out
    assert not {c for c in text if not c.isprintable() and c != "\n"}
    assert "\\x1b" in text


def test_text_that_is_harmless_stays() -> None:
    assert printable("a\tb\nc\u00a0d\u3000字 é") == "a\tb\nc\u00a0d\u3000字 é"
    assert printable("\x1b[0m\ud800\u2028") == "\\x1b[0m\\xd800\\x2028"


# --- verify, stats, lineage


def test_verify(small_folder: Path, tmp_path: Path, command: Command, capsys: Captured) -> None:
    assert command(verify.main, small_folder) == 0
    assert (
        "sound (curated; trajectories 4 rows, rejects 2 rows, signatures 4 rows, clusters 0 rows)"
        in capsys.readouterr().out
    )
    bad = Path(shutil.copytree(small_folder, tmp_path / "bad"))
    (bad / "report.md").write_text("x")
    (bad / "report.html").unlink()
    assert command(verify.main, small_folder, bad) == 1
    text = capsys.readouterr().out
    assert "report.md was changed" in text
    assert "report.html is missing" in text
    (bad / "manifest.json").unlink()
    for args in ([bad], [tmp_path / "none"], [tmp_path], []):
        assert command(verify.main, *args) == 2


def test_stats(small_folder: Path, command: Command, capsys: Captured) -> None:
    assert command(stats.main, small_folder) == 0
    assert "calls per trajectory" in capsys.readouterr().out
    assert command(stats.main, small_folder, "--json") == 0
    figures = json.loads(capsys.readouterr().out)
    assert (figures["trajectories"], figures["calls"], figures["mean_reward"]) == (4, 4, 0.5)
    assert figures["turns"] == {"final": 4, "analysis": 0, "announce": 0, "silent": 4}
    assert command(stats.main, small_folder, "--table", "rejects", "--json") == 0
    assert json.loads(capsys.readouterr().out)["trajectories"] == 1
    assert command(stats.main, small_folder, "--table", "none") == 2


def test_stats_of_the_real_files(real_three: Path, command: Command, capsys: Captured) -> None:
    assert command(stats.main, real_three, "--json") == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures == json.loads((real_three / "manifest.json").read_text())["counts"]["summary"]
    assert figures["endings"] == {"stop": 311, "terminal": 60}
    assert figures["splits"].keys() == {"train", "validation", "test"}


def test_lineage(small_folder: Path, command: Command, capsys: Captured) -> None:
    assert command(lineage.main, small_folder, "--settings") == 0
    lines = capsys.readouterr().out.splitlines()
    sha256 = hashlib.sha256((small_folder / "manifest.json").read_bytes()).hexdigest()
    assert lines[:2] == [f"curated {sha256[:12]}: made by curate", f"  sha256 {sha256}"]
    assert any(line.startswith("  traces: file, ") for line in lines)
    assert sum("sha256" in line for line in lines) == 2
    assert any('"max_repeats":3' in line for line in lines)


# --- the script, and what --help costs


def test_cacherl_names_every_command(capsys: Captured) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(f"  {name} " in text for name in COMMANDS)
    assert main([]) == 0
    assert main(["curate.shwo"]) == 2
    assert "known are curate, curate.show" in capsys.readouterr().err


def test_cacherl_runs_the_same_commands(small_folder: Path) -> None:
    script = process("-m", "curate.show", small_folder)
    console = subprocess.run(
        [Path(sys.executable).with_name("cacherl"), "curate.show", small_folder],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (script.returncode, console.returncode) == (0, 0)
    assert script.stdout == console.stdout


def test_a_wrong_call_from_the_shell(tmp_path: Path) -> None:
    done = process("-m", "curate", tmp_path / "none.jsonl", "--out", tmp_path / "out")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == f"error: {tmp_path / 'none.jsonl'} does not exist\n"


def test_a_reader_that_goes_away(small_folder: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "curate.show", small_folder],
        cwd=ROOT,
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("stream", ["0<&-", "1>&-", "2>&-"])
def test_a_closed_stream_stops_no_command(small_folder: Path, tmp_path: Path, stream: str) -> None:
    line = f'"{sys.executable}" -m curate.stats "{small_folder}" {stream}'
    done = subprocess.run(["/bin/sh", "-c", line], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and "Traceback" not in done.stderr
