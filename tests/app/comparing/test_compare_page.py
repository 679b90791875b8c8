"""The page that compares, drawn without a browser."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.app.comparing.made import call, dialogue, result, rollout, row, says
from tests.app.runs.written import opened_for_test, write_folder

testing = pytest.importorskip("streamlit.testing.v1", reason="needs the extra: pip install -e '.[app]'")
HOSTILE = "<img src=x onerror=alert(1)> [a](javascript:alert(1)) :red[x] $y$ ![b](http://c) `d`"


def script():
    from app.pages import compare

    compare.draw()


def entry(at, origin):
    made = {"message_index": at, "kind": "silent", "origin": origin, "teacher": "offline", "prompt_version": "1"}
    return made | {"checks_failed": ["too_short"], "original": None}


@pytest.fixture
def page(tmp_path, monkeypatch):
    """The page over curated, augmented and rollout folders: page(**params) draws it."""
    monkeypatch.setattr("app.pages.compare.link", lambda *_, **__: None)  # there is no navigation in these tests
    other = dialogue(answer="It is <b>sent</b>.")
    other[3:3] = [says(None, call("get_parcel", 1, parcel="P1")), result(HOSTILE, "get_parcel", 1)]
    plain = [row("a"), row("b", other, trial=1, reward=1.0)]
    thought = [
        row("a", dialogue(thought=HOSTILE), thinking=[entry(1, "rule"), entry(3, "rule")]),
        row("b", other, trial=1, reward=1.0),
    ]
    rolls = [
        rollout(f"{parent}{trial}", trial, trial / 2, parent=parent, messages=other if trial else None)
        for parent in ("p", "q")
        for trial in range(3)
    ]
    folders = {"plain": ("curated", plain), "thought": ("augmented", thought), "rolls": ("rollouts", rolls)}
    opened_for_test([write_folder(tmp_path / name, *given) for name, given in folders.items()], tmp_path)

    def draw(**params):
        test = testing.AppTest.from_function(script, default_timeout=60)
        for name, value in params.items():
            test.query_params[name] = value
        test.run()
        assert not test.exception
        return test

    return draw


def told(test):
    return "\n".join(each.value for kind in ("markdown", "caption", "info") for each in getattr(test, kind))


def choice(test, label):
    return next(each for each in test.selectbox if each.label.startswith(label))


def button(test, label):
    return next(each for each in test.button if each.label == label)


def test_before_and_after_is_what_one_sees_first(page):
    test = page()
    assert choice(test, "After").value == "thought" and choice(test, "Before").value == "plain"
    assert "thinking changed: 2" in told(test).replace("\\", "") and "a rule wrote it" in told(test)
    assert "too\\_short" in told(test)


def test_the_augmented_folder_alone_tells_before_too(page):
    assert "thinking changed: 2" in told(page(folder="thought", before="-")).replace("\\", "")


def test_keys_step_through_trajectories_and_the_address_follows(page):
    test = page()
    button(test, "Next trajectory").click().run()
    assert not test.exception and "b" in test.query_params["trace"]
    assert button(test, "Next trajectory").disabled
    button(test, "Trajectory before").click().run()
    assert "a" in test.query_params["trace"]


def test_two_traces_of_a_task_are_aligned(page):
    test = page(mode="traces", folder="plain", trace="a", folder2="plain", trace2="b")
    assert "2 of 4 steps say and call the same; 0 only left, 1 only right; they part at step 3." in told(test)
    assert ":orange-badge[only here]" in told(test) and "no step here" in told(test)
    assert any(each.value.startswith("get_parcel\n  parcel: P1") for each in test.code)


def test_another_attempt_is_offered_without_naming_it(page):
    test = page(mode="traces", folder="plain", trace="a")
    assert "plain: b, reward 1.00" in choice(test, "Beside").options
    choice(test, "Beside").select_index(1).run()
    assert not test.exception and test.query_params["folder2"]


def test_without_a_trace_tasks_with_several_attempts_are_offered(page):
    test = page(mode="traces", folder="nowhere", trace="../a")
    assert test.dataframe[0].value["task_id"].to_list() == ["t1"]
    button(test, "Begin with the first").click().run()
    assert not test.exception and "a" in test.query_params["trace"]


def test_only_what_differs_leaves_the_rest_out(page):
    shown = page(mode="traces", folder="plain", trace="a", folder2="plain", trace2="b", only="1")
    assert "message 0" not in told(shown) and "message 3" in told(shown)


def test_a_group_is_a_table_with_scores_and_two_rollouts_beside_each_other(page):
    test = page(mode="group")
    table = test.dataframe[0].value
    assert table["rollout"].to_list() == [0, 1, 2] and table["reward"].to_list() == [0.0, 0.5, 1.0]
    assert {"advantage", "tier", "min p", "answer", "no_repeats", "ending", "length"} <= set(table.columns)
    assert choice(test, "Left").value == "p2" and choice(test, "Right").value == "p0"
    button(test, "Next group").click().run()
    assert not test.exception and choice(test, "Left").value == "q2"


def test_a_rollout_of_the_address_leads_to_its_group(page):
    test = page(mode="group", folder="rolls", group="q1", left="q1")
    assert choice(test, "Group").value == "q0" and choice(test, "Left").value == "q1"


@pytest.mark.parametrize("mode", ["before_after", "traces", "group"])
def test_the_view_is_restored_from_its_address(page, mode):
    given = {"mode": mode, "folder": "rolls" if mode == "group" else "thought", "at": "1", "only": "1"}
    first, second = page(**given), page(**given)
    assert told(first) == told(second) and first.query_params["mode"] == second.query_params["mode"]


@pytest.mark.parametrize("at", ["-1", "9" * 30, "x", "²"])
def test_a_place_that_there_is_not_shows_one_that_there_is(page, at):
    assert "message" in told(page(at=at))


def test_text_of_a_trajectory_is_no_markup(page):
    for params in ({}, {"mode": "traces", "folder": "plain", "trace": "b"}, {"mode": "group"}):
        test = page(**params)
        assert not any(each.allow_html for each in test.markdown)
        shown = told(test)
        assert not re.search(r"(?<!\\)<(img|b)", shown) and "](javascript" not in shown and "![b]" not in shown


@given(st.text(max_size=80), st.text(max_size=80))
def test_only_the_marks_of_a_diff_are_markup(before, after):
    from app.comparing.words import word_diff
    from app.widgets.diffs import marked

    found = word_diff(before, after)
    for side in ("before", "after"):
        bare = re.sub(r"\u200b:(red|green|gray)-background\[((?:\\.|[^\\\]])*)\]", r"\2", marked(found.side(side)))
        assert not re.search(r"(?<!\\)(?:\\\\)*[<\[\]`*_$]", bare)


def test_a_library_without_thinking_or_rollouts_says_what_to_open(page, tmp_path):
    opened_for_test([write_folder(tmp_path / "bare", "curated", [row("a")])], tmp_path)
    for mode in ("before_after", "traces", "group"):
        test = testing.AppTest.from_function(script, default_timeout=60)
        test.query_params["mode"] = mode
        assert not test.run().exception and "pen " in test.info[0].value
