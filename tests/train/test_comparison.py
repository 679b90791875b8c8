import polars as pl
import pytest

from curate.errors import UsageError
from curate.folder import FolderWriter, Manifest
from train.compare import main
from train.comparison import compare
from train.episode_rows import EPISODE


@pytest.fixture
def evaluation(tmp_path):
    """Write evaluations: evaluation("name", {task: [successes]}, ...)."""

    def build(name, tasks, thinking=("dropped",), tokens=5):
        path = tmp_path / name
        with FolderWriter(path, Manifest("evaluation", "test", {"name": name}, [])) as writer:
            writer.table("episodes", EPISODE).write(
                episode(task, trial, done, mode, tokens)
                for mode in thinking
                for task, tries in tasks.items()
                for trial, done in enumerate(tries)
            )
        return path

    return build


def episode(task, trial, done, thinking, tokens):
    tiers = {name: 0 for name in EPISODE.names if name.startswith("tier_")}
    counts = {"user_turns": 1, "turns": 2, "calls": 1, "malformed_calls": 0, "thinking_words": 4}
    shares = {"process_accuracy": float(done), "all_calls_met": done}
    found = {"success": done, "state_ok": done, "facts_ok": True, "thinking_tokens": tokens}
    named = {"task_id": task, "turn": "", "kind": task[0], "trial": trial, "thinking": thinking}
    rest = {"status": "answered", "error": None, "answer": "", "trajectory_id": f"{task}{trial}{thinking}"}
    return {**named, **found, **shares, **counts, **tiers, **rest}


BEFORE = {"a1": [True, False], "a2": [False, False], "b1": [True, True]}
AFTER = {"b1": [True, True], "a1": [True, True], "a2": [True, False]}


def test_differences_are_paired_by_task(evaluation):
    found = compare([(evaluation("one", BEFORE), evaluation("two", AFTER))])
    done = found.done
    assert (done.figure, done.tasks) == ("end-to-end success", 3)
    assert (done.before.mean, done.after.mean) == (0.5, pytest.approx(5 / 6))
    assert done.difference.mean == pytest.approx(1 / 3) and done.difference.low >= 0.0
    assert [line.kind for line in found.by_kind()] == ["all", "a", "b"]
    assert found.of("end-to-end success", "b").difference == (0.0, 0.0, 0.0)
    assert found.of("pass^2").after.mean == pytest.approx(2 / 3) and found.of("thinking tokens").before.mean == 5


def test_a_gain_on_every_task_has_no_spread_whatever_the_tasks_differ(evaluation):
    many = {f"a{n}": [n % 2 == 0, False] for n in range(40)}
    better = {task: [tries[0], True] for task, tries in many.items()}
    found = compare([(evaluation("one", many), evaluation("two", better))]).done
    assert found.difference == (0.5, 0.5, 0.5) and found.before.low < found.before.high


def test_pairs_are_pooled_and_shown_one_by_one(evaluation):
    same = evaluation("one", BEFORE), evaluation("two", BEFORE)
    other = evaluation("three", {"c1": [False]}), evaluation("four", {"c1": [True]})
    found = compare([same, other])
    assert found.done.difference.mean == 0.5 and found.done.tasks == 4
    assert [line.difference.mean for line in found.by_pair] == [0.0, 1.0]
    assert [caption for caption, _ in found.tables()][-1] == "end-to-end success by pair"


def test_pairs_of_the_same_tasks_are_no_more_tasks(evaluation):
    many = {f"a{n}": [n % 2 == 0] for n in range(40)}
    pair = evaluation("one", many), evaluation("two", {task: [True] for task in many})
    alone, thrice = compare([pair]).done, compare([pair] * 3).done
    assert thrice.tasks == 40
    assert thrice.difference == pytest.approx(alone.difference) and thrice.before == pytest.approx(alone.before)


def test_evaluations_of_other_tasks_are_refused(evaluation, capsys):
    one, two = evaluation("one", BEFORE), evaluation("two", {"a1": [True]})
    with pytest.raises(UsageError, match="different tasks: 1 in common, 2 and 0 not"):
        compare([(one, two)])
    assert main([str(one), str(two)]) == 2 and "--first-state" in capsys.readouterr().err
    assert main([str(one)]) == 2 and "in pairs" in capsys.readouterr().err


def test_ways_to_treat_thinking_are_compared_with_their_like_or_with_each_other(evaluation):
    both = [evaluation(name, BEFORE, thinking=("dropped", "kept")) for name in ("one", "two")]
    shown = compare([(both[0], both[1])])
    assert {line.thinking for line in shown.lines} == {"dropped", "kept"}
    assert "all (kept)" in [row[0] for row in shown.tables()[1][1][1]]
    twice = compare([(both[0], both[1])] * 2).tables()[-1][1][1]
    assert [row[0] for row in twice] == ["1 (dropped)", "1 (kept)", "2 (dropped)", "2 (kept)"]
    dropped, kept = evaluation("three", BEFORE), evaluation("four", BEFORE, thinking=("kept",))
    assert compare([(dropped, kept)]).done.thinking == "dropped, kept"
    with pytest.raises(UsageError, match="--thinking"):
        compare([(dropped, both[0])])


def test_thinking_is_in_words_where_one_model_was_served(evaluation):
    found = compare([(evaluation("one", BEFORE), evaluation("two", BEFORE, tokens=None))])
    assert found.of("thinking words").after.mean == 4
    with pytest.raises(KeyError):
        found.of("thinking tokens")


def test_the_command_prints_and_writes_the_differences(evaluation, tmp_path, capsys):
    pairs = [str(evaluation("one", BEFORE)), str(evaluation("two", AFTER))]
    assert main([*pairs, "--out", str(tmp_path / "out")]) == 0
    assert "end-to-end success" in capsys.readouterr().out
    written = pl.read_parquet(tmp_path / "out" / "differences*.parquet")
    assert written.filter(figure="end-to-end success", kind="all")["difference"].item() == pytest.approx(1 / 3)
    shown = (tmp_path / "out" / "report.html").read_text()
    assert "<svg" in shown and "Process accuracy is the share of the expected calls (the shortest right ones)" in shown
    assert main([*pairs, "--out", str(tmp_path / "out")]) == 0 and "up to date" in capsys.readouterr().err
