"""The schema of labels: what stands in its file, what is refused, and what its version depends on."""

from __future__ import annotations

import pytest

from app.labels.schema import TAKEN_KEYS, load_schema
from curate.errors import UsageError

SMALL = """
verdicts:
  - {name: yes_please, key: y}
  - no_thanks
tags:
  - {name: odd, title: Odd one, key: 1, help: strange}
"""


def loaded(tmp_path, text):
    path = tmp_path / "schema.yaml"
    path.write_text(text)
    return load_schema(path)


def test_the_schema_without_a_file_has_a_key_for_everything():
    schema = load_schema()
    assert [(choice.name, choice.key) for choice in schema.verdicts] == [("good", "G"), ("bad", "B"), ("unsure", "U")]
    keys = [choice.key for choice in schema.verdicts + schema.tags]
    assert all(keys) and len(set(keys)) == len(keys) and not set(keys) & set(TAKEN_KEYS)
    assert all(choice.help and choice.title for choice in schema.verdicts + schema.tags)


def test_a_schema_of_ones_own(tmp_path):
    schema = loaded(tmp_path, SMALL)
    assert schema.verdict_names() == ("yes_please", "no_thanks") and schema.tag_names() == ("odd",)
    assert [choice.title for choice in schema.verdicts] == ["Yes please", "No thanks"]
    assert [choice.key for choice in schema.verdicts + schema.tags] == ["Y", "", "1"]


def test_the_version_tells_meanings_apart_and_not_keys(tmp_path):
    version = loaded(tmp_path, SMALL).version
    assert loaded(tmp_path, SMALL.replace("key: y", "key: z")).version == version
    assert loaded(tmp_path, SMALL.replace("strange", "very strange")).version != version
    assert loaded(tmp_path, SMALL.replace("odd,", "even,")).version != version


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("key: 1", "key: Y", "key 'Y' is used twice"),
        ("name: odd", "name: no_thanks", "name 'no_thanks' is used twice"),
        ("key: y", "key: c", "key 'C' belongs to the pages"),
        ("key: y", "key: R", "key 'R' belongs to the pages"),
        ("key: y", "key: F1", "one letter or digit"),
        ("key: 1", "colour: red", "tags, entry 1: unknown field 'colour'"),
        ("name: odd", "name: 'An odd one'", "lower-case"),
        ("  - no_thanks", "", "names 1 verdicts"),
        ("tags:", "labels:", "unknown field 'labels'"),
        ("tags:", "tags: few\nx:", "unknown field 'x'"),
        ("- no_thanks", "- [a, b]", "verdicts, entry 2 must be a mapping"),
        ("{name: odd", "{{name: odd", "cannot be read"),
        ("name: odd,", "name: odd, name: even,", "'name' stands twice"),
    ],
)
def test_a_fault_is_named_with_its_place(tmp_path, old, new, said):
    with pytest.raises(UsageError, match=r"schema\.yaml") as caught:
        loaded(tmp_path, SMALL.replace(old, new))
    assert said in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "[]", "verdicts: 3", "verdicts: text", "\x00", "!!python/object:os.system {}"])
def test_a_file_that_is_no_schema_is_refused(tmp_path, text):
    with pytest.raises(UsageError, match=r"schema\.yaml"):
        loaded(tmp_path, text)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"none\.yaml"):
        load_schema(tmp_path / "none.yaml")
