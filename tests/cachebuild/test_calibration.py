import pytest

from cachebuild.calibration import (
    MAX_PAIRS,
    CalibrationSettings,
    Recorded,
    ToolCalibration,
    calibrate,
    calibration_rows,
    field_type,
    product,
    read_calibration,
)
from cachebuild.curve import p_at
from curate.errors import FolderError

SETTINGS = CalibrationSettings()


def calls(*pairs, group=("",)):
    return [Recorded(group, arguments, result, result) for arguments, result in pairs]


def p_of(counts, similarity):
    return p_at(counts.curve(SETTINGS), similarity)


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("order_id", ["a", "b"], "id"),
        ("amount", [1, 2.5], "number"),
        ("date", ["2024-05-20", "2024-05-21"], "number"),
        ("postcode", ["3667 GZ", "GZ 3667", "none"], "number"),
        ("flight", ["HAT001", "flight HAT002"], "number"),
        ("address", ["123 Elm Street", "4 Oak Road"], "text"),
        ("expression", ["(1 + 2) * 3", "4-5"], "number"),
        ("items", [["a"], "b"], "structure"),
        ("flag", [True, None], "enum"),
        ("cabin", ["economy", "business", "economy"] * 5, "enum"),
        ("query", ["red shoes", "blue hat", "green coat"], "text"),
    ],
)
def test_field_types(name, values, expected):
    assert field_type(name, values) == expected


def test_a_field_that_never_matters_is_learnt_from_pairs():
    same = calls(*(({"city": "Rome", "note": f"{word} note"}, "sunny") for word in "abcdefghijklmnop"))
    counted = calibrate(same, SETTINGS)
    assert sum(counted["note"].sums.pairs) == pytest.approx(16 * 15 / 2) and counted["note"].equal == 120
    assert p_of(counted["note"], 0.2) == pytest.approx(120 / 130, rel=1e-3)
    assert sum(counted["city"].sums.pairs) == 0 == p_of(counted["city"], 0.0)


def test_only_pairs_of_one_state_that_differ_in_one_field_count():
    found = calibrate(
        calls(({"a": "x y", "b": "u v"}, "1"), ({"a": "z w", "b": "q r"}, "1"))
        + calls(({"a": "x y", "b": "q r"}, "1"), group=("other state",)),
        SETTINGS,
    )
    assert [sum(counts.sums.pairs) for counts in found.values()] == [0, 0]


def test_hard_fields_start_at_zero_and_need_forty_equal_pairs():
    def p(number):
        made = calls(*(({"mode": ["x", index]}, "same") for index in range(number)))
        return p_of(calibrate(made, SETTINGS)["mode"], 0.0)

    assert p(1) == 0
    assert p(9) == pytest.approx(36 / 46) and p(9) < 0.8 < p(10)


def test_differences_name_the_fields_and_what_they_cost():
    calibration = ToolCalibration(calibrate(calls(({"order_id": "1", "q": "a b"}, "r")), SETTINGS), SETTINGS)
    found = calibration.differences({"order_id": "2", "q": "a b c", "n": 1.0}, {"order_id": "1", "q": "a b", "n": 1})
    assert [(one.field, one.type, one.asked, one.recorded) for one in found] == [
        ("order_id", "id", '"2"', '"1"'),
        ("q", "text", '"a b c"', '"a b"'),
    ]
    assert found[1].similarity == pytest.approx(2 / 3)
    assert 0.6**6 < found[1].p < 0.7**6
    assert product(found) == 0 and product([]) == 1
    assert calibration.differences({"x": True}, {"x": 1})[0].field == "x"


def test_rows_hold_all_that_was_counted():
    made = calls(*(({"q": text, "n": 1}, text[0]) for text in ("a b c d e", "a b c d f", "a z", "k k")))
    counted = calibrate(made, SETTINGS)
    assert read_calibration(calibration_rows("shop", "find", counted, SETTINGS))["shop", "find"] == counted


def test_results_that_are_near_count_by_their_fidelity():
    form = "name {} city {} zip {}"
    made = calls(*(({"day": n, "n": 1}, form.format("ann", "rome", n)) for n in range(5)))
    far = calls(*(({"day": 0, "n": n}, form.format(f"x{n}", f"y{n}", f"z{n}")) for n in range(2, 9)))
    near = calibrate(made + far, SETTINGS)["day"]
    assert near.equal == 0 and 0 < p_of(near, 0.0) < 10 / (10 + 10)
    assert 0 < near.chance < 1 and sum(near.sums.fidelity) < sum(near.sums.pairs) == 10


def test_texts_that_are_alike_are_found_among_many():
    words = [f"{chr(97 + n % 26)}{chr(97 + n // 26)}x" for n in range(600)]
    made = [({"q": f"{word} {more}"}, word) for word in words for more in ("red", "reds")]
    curve = calibrate(calls(*made), SETTINGS)["q"]
    assert sum(curve.sums.pairs[8:]) > 200 and p_of(curve, 1.0) > 0.99
    assert p_of(curve, 0.3) < 0.1


@pytest.mark.parametrize("kind", ["one group", "many groups"])
def test_the_pairs_of_a_field_are_bounded(kind):
    many = range(3_000) if kind == "one group" else range(300)
    groups = [0] if kind == "one group" else range(60)
    made = calls(*(({"q": ["x", n], "g": g}, "same") for g in groups for n in many))
    assert 5_000 < sum(calibrate(made, SETTINGS)["q"].sums.pairs) <= MAX_PAIRS


def test_the_table_of_an_earlier_version_is_refused():
    with pytest.raises(FolderError, match="Compile it again"):
        read_calibration([{"env_id": "shop", "tool": "find", "field": "q", "type": "text", "p_differs": 0.5}])
