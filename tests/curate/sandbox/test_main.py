import gzip
import json

import pytest

from curate.sandbox.__main__ import main


def run(*arguments):
    return main([str(each) for each in arguments])


@pytest.mark.parametrize("preset", ["full", "mini"])
@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_same_settings_give_same_bytes(tmp_path, capsys, preset, name):
    other = tmp_path / f"b{name[1:]}"
    for path in (tmp_path / name, other):
        assert run("--episodes", 30, "--seed", 5, "--preset", preset, "--out", path) == 0
        assert "30 episodes, 10 tasks, 1 start states" in capsys.readouterr().out
    data = other.read_bytes()
    assert data == (tmp_path / name).read_bytes()
    lines = (gzip.decompress(data) if name.endswith("gz") else data).splitlines()
    rows = [json.loads(line) for line in lines]
    assert len(rows) == 30 and rows[0]["task_id"] == f"{preset}-5-0-0"
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, other.name])


def test_an_existing_file_is_refused_unless_told(tmp_path, capsys):
    path = tmp_path / "a.jsonl"
    path.write_text("mine")
    assert run("--episodes", 3, "--out", path) == 2
    assert "--overwrite" in capsys.readouterr().err and path.read_text() == "mine"
    assert run("--episodes", 3, "--out", path, "--overwrite") == 0
    assert len(path.read_text().splitlines()) == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--episodes", "0"], "episodes is 0"),
        (["--trials", "0"], "trials is 0"),
        (["--skills", "genius"], "skill 'genius'"),
        (["--out", "a.parquet"], "a.parquet"),
        (["--out", "nowhere/a.jsonl"], "nowhere"),
    ],
)
def test_wrong_values_exit_2_and_leave_nothing(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert run("--out", "a.jsonl", *arguments) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_flag_exits_2(capsys):
    with pytest.raises(SystemExit) as stopped:
        run("--out", "a.jsonl", "--preset", "huge")
    assert stopped.value.code == 2


def test_an_interrupt_leaves_no_file_and_no_traceback(tmp_path, capsys, monkeypatch):
    def interrupted(*arguments, **given):
        raise KeyboardInterrupt

    monkeypatch.setattr("curate.sandbox.export.record", interrupted)
    assert run("--episodes", 3, "--out", tmp_path / "a.jsonl") == 130
    assert "interrupted" in capsys.readouterr().err and not list(tmp_path.iterdir())
