import re

import pytest

from curate.plots import curves, intervals
from curate.progress import counting


def test_points_with_error_bars_are_the_same_bytes_again_and_take_bars_without_width():
    series = {"before": [(0.5, 0.4, 0.6), (0.1, 0.1, 0.1)], "after": [(0.7, 0.7 + 1e-12, 0.8), (1.0, 0.9, 1.0)]}
    drawn = intervals(["all", "some <b>"], series, xlabel="share")
    assert drawn.startswith("<svg") and drawn == intervals(["all", "some <b>"], series, xlabel="share")
    assert "<b>" not in re.sub(r"<!--.*?-->", "", drawn)


@pytest.mark.parametrize("series", [{"one": [(1.0, 0.0, 2.0)]}, {"one": [(0.0, 0.0, 0.0)]}])
def test_one_series_needs_no_legend(series):
    assert "<svg" in intervals(["all"], series, xlabel="calls")


def test_a_count_of_what_no_loop_of_ours_does_shows_nothing_of_a_moment(capsys):
    with counting("asking", unit="turn") as count:
        count(3)
        count(0)
    assert capsys.readouterr().err == ""


def test_curves_of_one_step_of_none_and_of_many_are_drawn_the_same_way_twice():
    shown = {"one": [None, 0.5], "none": [], "many": [0.1, None, *[0.5] * 40]}
    svg = curves(shown, xlabel="step", ylabel="reward")
    assert svg.startswith("<svg") and svg == curves(shown, xlabel="step", ylabel="reward")
    assert curves({}, xlabel="step", ylabel="reward").startswith("<svg")
    dots = [curves({"a": values}, xlabel="s", ylabel="r").count("<use") for values in ([0.5], [0.5, 0.6])]
    assert dots[0] > 0
