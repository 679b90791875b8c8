"""Curves of a training run."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.runs.metrics import COLORS, PANELS, curve, headline, overlaid, panels, read_metrics
from curate.errors import FolderError
from curate.palette import TIER_COLORS


def steps(count, **columns):
    return pl.DataFrame({"step": range(1, count + 1), **columns})


@pytest.fixture
def written(tmp_path):
    """Metrics as train.grpo writes them: a row a step, and one that sums the run up."""
    frame = pl.DataFrame(
        {
            "step": [1, 2, 3, 3],
            "reward": [0.1, 0.2, float("nan"), None],
            "loss": [1.0, 0.5, 0.25, None],
            "tier/exact": [0.5, 0.75, 1.0, None],
            "tier/simulated": [0.0, 0.0, 0.0, None],
            "reward_by_tier/fuzzy": [None, None, None, None],
            "note": ["a", "b", "c", "d"],
        },
        schema_overrides={"reward_by_tier/fuzzy": pl.Float64},
    )
    frame.write_parquet(tmp_path / "metrics.parquet")
    return tmp_path


def test_the_row_that_sums_a_run_up_is_no_step(written):
    found = read_metrics(written)
    assert found["step"].to_list() == [1, 2, 3] and found["reward"].to_list() == [0.1, 0.2, None]
    assert "note" not in found.columns


def test_panels_are_those_a_run_has_figures_for(written):
    titles = {panel.title: list(panel.series.values()) for panel in panels(read_metrics(written))}
    assert titles == {"Reward": ["reward"], "Worst tiers": ["exact"], "Loss": ["loss"]}


def test_a_folder_without_metrics_has_none_and_a_damaged_file_is_named(tmp_path):
    assert read_metrics(tmp_path) is None
    (tmp_path / "metrics.parquet").write_bytes(b"no parquet")
    with pytest.raises(FolderError, match=r"metrics\.parquet cannot be read"):
        read_metrics(tmp_path)


def test_metrics_are_not_read_through_a_link_that_leads_out_of_the_folder(written, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    (other / "metrics.parquet").symlink_to(written / "metrics.parquet")
    assert read_metrics(other) is None


@given(st.integers(1, 900), st.integers(1, 50))
def test_a_curve_has_few_points_and_ends_at_the_last_step(count, points):
    found = curve(steps(count, reward=[0.5] * count), PANELS[0], points=points)
    assert found.height <= points and found["step"].max() == count
    assert found["value"].to_list() == pytest.approx([0.5] * found.height)


def test_a_bin_is_the_mean_of_its_steps_and_gaps_stay_gaps():
    found = curve(steps(4, kl=[1.0, 3.0, None, None]), PANELS[3], points=2)
    assert found.select("step", "series", "value").rows() == [(2, "KL", 2.0)]


def test_several_runs_lie_over_each_other():
    found = overlaid({"one": steps(2, kl=[0.0, 1.0]), "two": steps(3, kl=[1.0, 1.0, 1.0])}, PANELS[3])
    assert found["run"].to_list() == ["one"] * 2 + ["two"] * 3


def test_the_gain_is_that_of_the_last_tenth_over_the_first():
    found = headline(steps(20, reward=[n / 20 for n in range(20)]))
    assert (found.first, found.last) == pytest.approx((0.025, 0.925)) and found.gain == pytest.approx(0.9)
    assert headline(steps(3, loss=[3.0, 2.0, 1.0])).gain is None


def test_tiers_have_their_colours():
    by_title = {panel.title: panel for panel in PANELS}
    for title in ("Reward by worst tier", "Worst tiers"):
        assert set(TIER_COLORS) < set(by_title[title].series.values())
        assert {name: by_title[title].colors[name] for name in TIER_COLORS} == TIER_COLORS
    assert len(set(COLORS.values())) == len(COLORS)


def test_the_columns_are_those_that_training_writes():
    names = pytest.importorskip("train.metric_names", reason="needs the extra: pip install -e '.[train]'")
    drawn = {name for panel in PANELS for name in panel.series} - {"eval_loss"}
    assert drawn <= set(names.GRPO_METRICS)


def test_a_series_has_the_same_colour_in_every_run():
    shares = {"ended/answered": [0.5], "ended/turn_limit": [0.5]}
    found = [
        next(panel for panel in panels(steps(1, reward=[0.5], **given)) if panel.title == "Endings")
        for given in (shares, shares | {"ended/truncated": [0.1], "ended/answered": [0.0]})
    ]
    assert found[0].colors["turn_limit"] == found[1].colors["turn_limit"]
    assert list(found[1].series.values()) == ["truncated", "turn_limit"]
