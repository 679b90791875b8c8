"""Folders, patterns, tables, saved datasets and Hub datasets as inputs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.ipc as ipc
import pytest

from curate.errors import InputError, UsageError
from curate.normalise import Input, normalise
from curate.readers.expand import expand, fingerprint
from curate.readers.files import parse_record, read_records, record_texts
from curate.readers.openai_chat import OpenAIChat
from curate.readers.paths import HubName, default_source, kind_of
from curate.settings import CurateSettings, InputSettings, resolve_inputs

Write = Callable[..., Path]
Make = Callable[..., dict[str, Any]]


def settings(*paths: Path | str, **facts: Any) -> CurateSettings:
    return CurateSettings(inputs=tuple(map(Path, paths)), out=Path("out"), input=InputSettings(**facts))


def files(path: Path) -> list[str | None]:
    return [found.file for found in expand(path)[1]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "runs"
    for name in ("b/2.jsonl", "b/10.json.gz", "a.traj", "c/x.parquet", ".hidden.json", ".cache/y.json", "notes.txt"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"{}\n")
    for name in ("out.journal/z.jsonl", ".out.partial/z.json", "w.partial/z.json"):
        (root / name).parent.mkdir(parents=True)
        (root / name).write_bytes(b"{}\n")
    return root


# --- folders and patterns


def test_a_folder_is_searched_to_the_bottom_in_a_fixed_order(folder: Path) -> None:
    assert expand(folder)[0] == "runs"
    assert files(folder) == ["a.traj", "b/10.json.gz", "b/2.jsonl", "c/x.parquet"]


def test_patterns(folder: Path) -> None:
    assert files(folder / "*") == ["a.traj"]
    assert files(folder / "**" / "*.json*") == ["b/10.json.gz", "b/2.jsonl"]
    assert expand(folder / "b" / "*.jsonl")[0] == "b"
    assert expand(folder / "?" / "*.jsonl")[0] == "runs"


def test_a_pattern_from_here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    assert expand(Path("b/*")) == expand(Path("b"))
    assert expand(Path("*.traj"))[0] == "runs"
    assert expand(Path("."))[0] == "runs"


def test_a_file_may_look_like_a_pattern(tmp_path: Path) -> None:
    path = tmp_path / "run[1].jsonl"
    path.write_text("{}\n")
    assert expand(path) == ("run[1]", expand(path)[1])
    assert files(path) == [None]


@pytest.mark.parametrize("name", ["none", "none.json", "empty", "empty/*.json"])
def test_inputs_that_are_not_there(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=r"does not exist|no file of a known kind"):
        expand(tmp_path / name)


def test_dataset_folders_of_ours_are_refused_and_passed_over(small_folder: Path, folder: Path) -> None:
    with pytest.raises(UsageError, match=r"dataset folder of this toolkit.*lineage"):
        expand(small_folder)
    (folder / "curated").mkdir()
    for name in ("manifest.json", "more.jsonl"):
        (folder / "curated" / name).write_text(json.dumps({"format": "cacherl"}))
    assert files(folder) == ["a.traj", "b/10.json.gz", "b/2.jsonl", "c/x.parquet"]


def test_files_of_a_folder_share_its_name_and_facts(folder: Path) -> None:
    inputs = resolve_inputs(settings(folder, env=("shop",), license=("MIT",)))
    assert [(given.source, given.env, given.license) for given in inputs] == [("runs", "shop", "MIT")] * 4
    assert [given.file for given in inputs] == ["a.traj", "b/10.json.gz", "b/2.jsonl", "c/x.parquet"]
    assert {given.source for given in resolve_inputs(settings(folder, source=("mine",)))} == {"mine"}


def test_flags_count_inputs_not_files(folder: Path) -> None:
    inputs = resolve_inputs(settings(folder / "b", folder / "a.traj", source=("many", "one")))
    assert [given.source for given in inputs] == ["many", "many", "one"]
    assert [given.file for given in inputs] == ["10.json.gz", "2.jsonl", None]
    with pytest.raises(UsageError, match="two inputs have the name 'b'"):
        resolve_inputs(settings(folder / "b", folder / "b" / "*.jsonl"))


def test_folders_in_inputs_yaml(folder: Path) -> None:
    listed = folder / "inputs.yaml"
    listed.write_text("- {path: b, source: many, env: shop}\n- {path: '*.traj'}\n- {path: 'hub:org/set::train'}\n")
    inputs = resolve_inputs(settings(listed))
    assert [(given.source, given.file, given.env) for given in inputs] == [
        ("many", "10.json.gz", "shop"),
        ("many", "2.jsonl", "shop"),
        ("runs", "a.traj", None),
        ("set-train", None, None),
    ]
    assert inputs[3].path == "hub:org/set::train"


def test_the_file_goes_into_the_metadata(make_chat: Make) -> None:
    record = make_chat(1)
    rows = [
        normalise(OpenAIChat().convert(record), record, 0, Input(path, "runs", file=file))
        for path, file in (("/x/b/2.jsonl", "b/2.jsonl"), ("/x/a.json", None))
    ]
    assert [json.loads(row["metadata"]) for row in rows] == [{"source_file": "b/2.jsonl"}, {}]
    assert rows[0]["trajectory_id"] == rows[1]["trajectory_id"]


# --- texts and records


def test_texts_are_the_records_unparsed(tmp_path: Path, jsonl: Write, make_chat: Make) -> None:
    path = jsonl([make_chat(n) for n in range(3)])
    texts = list(record_texts(path))
    assert b"".join(texts) == path.read_bytes()
    assert [parse_record(row, text) for row, text in enumerate(texts)] == list(read_records(path))


@pytest.mark.parametrize("text", [b'[{"a": 1}}, {"b": 2}]', b'[}, {"a": 1}}, {"b": 2}]'])
def test_a_bracket_too_many_spoils_its_record_alone(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "a.json").write_bytes(text)
    found = list(read_records(tmp_path / "a.json"))
    assert [record.value for record in found if record.problem is None] == [{"b": 2}]


# --- tables


def write_stream(path: Path, rows: list[Any]) -> Path:
    table = pa.Table.from_pylist(rows)
    with pa.OSFile(str(path), "wb") as sink, ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return path


def test_arrow_files_of_both_kinds(tmp_path: Path) -> None:
    rows = [{"n": n, "messages": [{"role": "user", "content": str(n)}]} for n in range(200)]
    table = pa.Table.from_pylist(rows)
    with pa.OSFile(str(tmp_path / "file.arrow"), "wb") as sink, ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    for path in (tmp_path / "file.arrow", write_stream(tmp_path / "stream.arrow", rows)):
        found = list(read_records(path))
        assert [record.value for record in found] == rows
        assert {record.raw for record in found} == {None}
    (tmp_path / "cut.arrow").write_bytes((tmp_path / "stream.arrow").read_bytes()[:500])
    with pytest.raises(InputError, match=r"cut\.arrow: the Arrow file cannot be read"):
        list(read_records(tmp_path / "cut.arrow"))


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    from datasets import Dataset, DatasetDict

    splits = {name: Dataset.from_list([{"n": n, "split": name} for n in range(150)]) for name in ("train", "test")}
    DatasetDict(splits).save_to_disk(str(tmp_path / "set"), num_shards={"train": 3, "test": 1})
    return tmp_path / "set"


def test_a_saved_dataset(saved: Path) -> None:
    assert (kind_of(saved / "train"), expand(saved / "train")[0], files(saved / "train")) == ("saved", "train", [None])
    found = list(read_records(saved / "train"))
    assert [record.value for record in found] == [{"n": n, "split": "train"} for n in range(150)]
    digest, size = fingerprint(saved / "train")
    assert (len(digest), size) == (64, sum(path.stat().st_size for path in (saved / "train").glob("*.arrow")))


def test_a_saved_dataset_dict_is_its_splits(saved: Path) -> None:
    inputs = resolve_inputs(settings(saved))
    assert [(given.source, given.file) for given in inputs] == [("set", "test"), ("set", "train")]
    assert files(saved.parent) == ["set/test", "set/train"]


@pytest.mark.parametrize(
    "state", ["", "[]", '{"_data_files": [{"filename": "../../etc/passwd"}]}', '{"_data_files": 3}']
)
def test_a_saved_dataset_whose_state_is_wrong(saved: Path, state: str) -> None:
    (saved / "train" / "state.json").write_text(state)
    with pytest.raises(InputError, match="save the dataset again"):
        list(read_records(saved / "train"))


# --- the Hub


@pytest.mark.parametrize(
    ("text", "parts", "source"),
    [
        ("hub:org/set", ("org/set", None, None, None), "set"),
        ("hub:org/set@main:OSS:train", ("org/set", "main", "OSS", "train"), "set-OSS-train"),
        ("hub:org/set:OSS", ("org/set", None, "OSS", None), "set-OSS"),
        ("hub:org/set@refs/convert/parquet::test", ("org/set", "refs/convert/parquet", None, "test"), "set-test"),
    ],
)
def test_names_of_hub_datasets(text: str, parts: tuple[str | None, ...], source: str) -> None:
    name = HubName.parse(text)
    assert (name.repository, name.revision, name.config, name.split) == parts
    assert default_source(Path(text)) == source
    assert kind_of(Path(text)) == "hub"


@pytest.mark.parametrize("text", ["hub:", "hub:set", "hub:a/b/c", "hub:a/b:c:d:e", "hub:a/b@", "hub:../x"])
def test_wrong_names(text: str) -> None:
    with pytest.raises(UsageError, match="ORG/NAME"):
        expand(Path(text))


def test_rows_are_streamed_from_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    asked: list[Any] = []

    def load(*args: Any, **kwargs: Any) -> Any:
        asked.append((args, kwargs))
        rows: dict[str, list[Any]] = {"train": [{"n": 0}, {"n": 1}], "test": [{"n": float("nan")}]}
        return rows[kwargs["split"]] if kwargs["split"] else rows

    monkeypatch.setattr(datasets, "load_dataset", load)
    assert [record.value for record in read_records(Path("hub:org/set@v1:OSS"))] == [{"n": 0}, {"n": 1}, {"n": None}]
    assert [record.row for record in read_records(Path("hub:org/set::train"))] == [0, 1]
    assert asked == [
        (("org/set", "OSS"), {"split": None, "revision": "v1", "streaming": True}),
        (("org/set", None), {"split": "train", "revision": None, "streaming": True}),
    ]


def test_a_hub_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    def half(*_: Any, **__: Any) -> Iterator[Any]:
        yield {"n": 0}
        raise ConnectionError("gone")

    monkeypatch.setattr(datasets, "load_dataset", half)
    stream = read_records(Path("hub:org/set::train"))
    assert next(stream).value == {"n": 0}
    with pytest.raises(InputError, match=r"hub:org/set::train cannot be read from the Hub \(ConnectionError: gone\)"):
        next(stream)


def test_a_hub_dataset_is_known_by_its_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    from curate.readers import hub

    monkeypatch.setattr(hub, "hub_commit", lambda text: "c0ffee")
    one, two = fingerprint(Path("hub:org/set")), fingerprint(Path("hub:org/set:OSS"))
    assert one != two
    assert one[1] == 0
