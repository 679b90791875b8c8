"""`make demo`: any file, under any name, beside any other; a failed one leaves nothing."""

import json
import subprocess
from pathlib import Path

import pytest

from cachebuild import demo

ROOT = Path(__file__).resolve().parents[2]


def record(number):
    call = {
        "id": "c1",
        "type": "function",
        "function": {"name": "get_order", "arguments": f'{{"order_id": "#W{number}"}}'},
    }
    return {
        "messages": [
            {"role": "user", "content": f"Where is order #W{number}?"},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c1", "name": "get_order", "content": '{"status": "sent"}'},
            {"role": "assistant", "content": f"Order #W{number} was sent."},
        ],
        "task_id": f"task-{number}",
    }


def traces(path, numbers):
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps([record(number) for number in numbers]))
    return path


def run(tmp_path, path, *args):
    return demo.main(["--out", str(tmp_path / "out"), "--data", str(path), *args])


def test_files_of_one_name_have_a_folder_each(tmp_path, capsys):
    first, second = (
        traces(tmp_path / "a a" / "my traces.json", range(30)),
        traces(tmp_path / "b" / "my traces.json", [1]),
    )
    assert run(tmp_path, first) == run(tmp_path, second) == run(tmp_path, first, "--env", "shop") == 0
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert len(names) == 3 and all(name.startswith("my traces-") for name in names)
    capsys.readouterr()
    assert run(tmp_path, first) == 0
    assert capsys.readouterr().err.count("is up to date") == 4
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == names


@pytest.mark.parametrize("text", ["", '[{"messages": [', '[{"x": 1}]', None])
def test_a_failed_demo_leaves_no_folder(tmp_path, text, capsys):
    path = tmp_path / "traces.json"
    if text is not None:
        path.write_text(text)
    assert run(tmp_path, path) == 2
    assert not (tmp_path / "out").exists()
    text = capsys.readouterr().err
    assert "Traceback" not in text and str(path) in text


def test_a_folder_made_with_other_settings_says_what_to_delete(tmp_path, capsys, monkeypatch):
    path = traces(tmp_path / "traces.json", range(3))
    assert run(tmp_path, path) == 0
    (root,) = (tmp_path / "out").iterdir()
    real = demo._steps
    steps = lambda *given: [(name, [*line, "--min-calls", "2"]) for name, line in real(*given)]  # noqa: E731
    monkeypatch.setattr(demo, "_steps", steps)
    assert run(tmp_path, path) == 2
    assert f"delete {root} and run the demo again" in capsys.readouterr().err


def test_a_stopped_demo_ends_as_its_step_did(tmp_path, monkeypatch):
    path = traces(tmp_path / "traces.json", range(3))
    monkeypatch.setattr(demo, "_command", lambda name: lambda arguments: 143)
    assert run(tmp_path, path) == 143
    assert not (tmp_path / "out").exists()


def test_make_passes_the_path_as_it_is(tmp_path):
    venv = tmp_path / "venv" / "bin"
    venv.mkdir(parents=True)
    (venv / "python").write_text('#!/bin/sh\nfor word in "$@"; do echo "<$word>"; done\n')
    (venv / "python").chmod(0o755)
    line = ["make", "--silent", "--old-file", f"{venv.parent}/.base", "demo", f"VENV={venv.parent}"]
    (venv.parent / ".base").touch()
    for path in ("a b.json", 'it\'s `here` "now".json'):
        done = subprocess.run([*line, f"DATA={path}"], cwd=ROOT, capture_output=True, text=True)
        assert f"<--data>\n<{path}>\n" in done.stdout, done.stderr
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True)
    assert "--data" not in done.stdout
