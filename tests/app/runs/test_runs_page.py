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


def folder_of(path, kind, table, schema, rows):
    from curate.folder import FolderWriter, Manifest

    with FolderWriter(path, Manifest(kind, f"made.{kind}", {}, [])) as writer:
        writer.table(table, schema).write(rows)
    return path


def filled(schema, **columns):
    """A row with something in every column."""
    import pyarrow as pa

    made = {pa.string(): "x", pa.bool_(): True}
    return {field.name: columns.get(field.name, made.get(field.type, 0)) for field in schema}


def test_audits_are_drawn_by_tier_with_their_calibration(page, tmp_path):
    from cachebuild.schema import AUDIT

    rows = [filled(AUDIT, tier=tier, p=0.9, fidelity=1.0, volatile=False) for tier in ("exact", "exact", "fuzzy")]
    opened_for_test([folder_of(tmp_path / "audited", "audit", "audit", AUDIT, rows)], tmp_path)
    test = page()
    assert [each.value for each in test.metric] == ["100.0%", "100.0%", "100.0%", "0.0%"]
    assert "Calibration error (ECE): right 0.100, fidelity 0.100." in texts(test)


def test_evaluations_and_comparisons_of_models_are_drawn(page, tmp_path):
    rows = pytest.importorskip("train.episode_rows", reason="needs the extra: pip install -e '.[train]'")
    from train.comparison import DIFFERENCE

    played = [filled(rows.EPISODE, kind=kind, process_accuracy=0.5) for kind in ("read", "write")]
    compared = [filled(DIFFERENCE, kind="all", before=0.25, after=0.5, figure="success")]
    evaluated = folder_of(tmp_path / "evaluated", "evaluation", "episodes", rows.EPISODE, played)
    differences = folder_of(tmp_path / "compared", "comparison", "differences", DIFFERENCE, compared)
    opened_for_test([evaluated, differences], tmp_path)
    assert "**Tasks done, by kind**" in texts(page(run="evaluated"))
    assert page(run="compared").dataframe[0].value["after"].to_list() == [0.5]
