"""The page of runs, drawn without a browser."""

import pytest

from tests.app.comparing.made import row
from tests.app.runs.test_folder_parts import COUNTS
from tests.app.runs.written import opened_for_test, write_folder, write_model

testing = pytest.importorskip("streamlit.testing.v1", reason="needs the extra: pip install -e '.[app]'")


def script():
    from app.pages import runs

    runs.draw()


@pytest.fixture
def page(tmp_path):
    """The page over a curated folder, two models and an empty audit: page(**params) draws it."""
    curated = write_folder(tmp_path / "curated", "curated", [row("a")], COUNTS)
    paths = [curated, write_model(tmp_path / "one"), write_model(tmp_path / "two", 5)]
    opened_for_test([*paths, write_folder(tmp_path / "checked", "audit", [])], tmp_path)

    def draw(**params):
        test = testing.AppTest.from_function(script, default_timeout=60)
        for name, value in params.items():
            test.query_params[name] = value
        test.run()
        assert not test.exception
        return test

    return draw


def texts(test):
    return [each.value for kind in ("markdown", "text", "caption", "info", "error") for each in getattr(test, kind)]


def test_a_training_run_is_what_one_sees_first(page):
    test = page()
    assert test.selectbox[0].value == "one" and {"**Reward**", "**Worst tiers**"} <= set(texts(test))
    assert [each.value for each in test.metric][:2] == ["3", "0.667"]


def test_runs_that_the_address_names_lie_over_each_other(page):
    test = page(run="two", over="one")
    assert test.multiselect[0].value == ["one"]
    assert test.dataframe[0].value["run"].to_list() == ["two", "one"]


def test_a_run_is_chosen_and_stands_in_the_address(page):
    test = page()
    test.selectbox[0].select("curated").run()
    assert not test.exception and "curated" in test.query_params["run"]
    assert any("what it turned away" in text for text in texts(test))


def test_a_report_is_shown_as_text_and_tables(page):
    test = page(run="curated", part="Report")
    assert "It says <script>alert(1)</script>." in [each.value for each in test.text]
    assert not any("<script" in each.value for each in test.markdown)
    assert test.dataframe[0].value.iloc[0].to_list() == ["a", "1"]


def test_a_manifest_shows_lineage_settings_and_counts(page):
    test = page(run="curated", part="Manifest")
    assert test.code[0].value.startswith("curated, made by made.curated, ")
    assert "seed" in test.json[0].value


def test_a_folder_without_the_tables_of_its_kind_says_so(page):
    assert any("no rows in table audit" in text for text in texts(page(run="checked")))


@pytest.mark.parametrize("params", [{"run": "../../etc"}, {"run": "one", "over": "nowhere", "part": "Nothing"}])
def test_an_address_of_nothing_that_is_open_shows_what_is(page, params):
    assert page(**params).selectbox[0].value == "one"
