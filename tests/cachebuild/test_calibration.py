import pytest

from cachebuild.calibration import (
    CalibrationSettings,
    Recorded,
    ToolCalibration,
    calibrate,
    calibration_rows,
    field_type,
    product,
    read_calibration,
    text_similarity,
)

SETTINGS = CalibrationSettings()


def calls(*pairs, group=("",)):
    return [Recorded(group, arguments, result) for arguments, result in pairs]


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("order_id", ["a", "b"], "id"),
        ("amount", [1, 2.5], "number"),
        ("date", ["2024-05-20", "2024-05-21"], "number"),
        ("expression", ["(1 + 2) * 3", "4-5"], "number"),
        ("items", [["a"], "b"], "structure"),
        ("flag", [True, None], "enum"),
        ("cabin", ["economy", "business", "economy"] * 5, "enum"),
        ("query", ["red shoes", "blue hat", "green coat"], "text"),
    ],
)
def test_field_types(name, values, expected):
    assert field_type(name, values) == expected


def test_texts_with_other_digits_are_not_alike():
    assert text_similarity("order 12 shoes", "order 13 shoes") == 0
    assert text_similarity("Red Shoes!", "red shoes") == 1
    assert text_similarity("red shoes", "red boots") == pytest.approx(1 / 3)


def test_a_field_that_never_matters_is_learnt_from_pairs():
    same = calls(*(({"city": "Rome", "note": f"{word} note"}, "sunny") for word in "abcdefghijklmnop"))
    counted = calibrate(same, SETTINGS)
    assert counted["note"].pairs[0] == 16 * 15 / 2 == counted["note"].equal[0]
    assert counted["note"].p(0.0, SETTINGS) == pytest.approx(120 / 130)
    assert counted["city"].pairs[0] == 0 and counted["city"].p(0.0, SETTINGS) == 0


def test_only_pairs_of_one_state_that_differ_in_one_field_count():
    found = calibrate(
        calls(({"a": "x y", "b": "u v"}, "1"), ({"a": "z w", "b": "q r"}, "1"))
        + calls(({"a": "x y", "b": "q r"}, "1"), group=("other state",)),
        SETTINGS,
    )
    assert [counts.pairs[0] for counts in found.values()] == [0, 0]


def test_hard_fields_start_at_zero_and_need_forty_equal_pairs():
    def p(number):
        made = calls(*(({"mode": ["x", index]}, "same") for index in range(number)))
        return calibrate(made, SETTINGS)["mode"].p(0.0, SETTINGS)

    assert p(1) == 0
    assert p(9) == pytest.approx(36 / 46) and p(9) < 0.8 < p(10)


def test_differences_name_the_fields_and_what_they_cost():
    calibration = ToolCalibration(calibrate(calls(({"order_id": "1", "q": "a b"}, "r")), SETTINGS), SETTINGS)
    found = calibration.differences({"order_id": "2", "q": "a b c", "n": 1.0}, {"order_id": "1", "q": "a b", "n": 1})
    assert [(one.field, one.type, one.asked, one.recorded) for one in found] == [
        ("order_id", "id", '"2"', '"1"'),
        ("q", "text", '"a b c"', '"a b"'),
    ]
    assert found[1].p == pytest.approx((2 / 3) ** 6)
    assert product(found) == 0 and product([]) == 1
    assert calibration.differences({"x": True}, {"x": 1})[0].field == "x"


def test_rows_hold_all_that_was_counted():
    made = calls(*(({"q": text, "n": 1}, text[0]) for text in ("a b c d e", "a b c d f", "a z", "k k")))
    counted = calibrate(made, SETTINGS)
    read = read_calibration(calibration_rows("shop", "find", counted, SETTINGS))["shop", "find"]
    assert {name: (c.type, c.pairs, c.equal) for name, c in read.items()} == {
        name: (c.type, c.pairs, c.equal) for name, c in counted.items()
    }
