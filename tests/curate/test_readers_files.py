from __future__ import annotations

import datetime
import decimal
import gzip
import json
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curate.canonical import MAX_DEPTH
from curate.errors import InputError, UsageError
from curate.readers import files, streams
from curate.readers.files import RawRecord, read_records
from curate.readers.paths import default_source

RECORDS = [{"n": n, "text": 'a "quoted, [bracket] {brace}" \\ é \n'} for n in range(5)]
LINES = "".join(json.dumps(record) + "\n" for record in RECORDS).encode()
LIST = json.dumps(RECORDS).encode()


def read(path: Path, data: bytes) -> list[RawRecord]:
    path.write_bytes(data)
    return list(read_records(path))


def values(path: Path, data: bytes) -> list[Any]:
    found = read(path, data)
    assert [record.row for record in found] == list(range(len(found)))
    assert [record.problem for record in found] == [None] * len(found)
    return [record.value for record in found]


def zst(*frames: bytes) -> bytes:
    return b"".join(zstandard.ZstdCompressor().compress(frame) for frame in frames)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.json", LIST),
        ("a.json", json.dumps(RECORDS, indent=2).encode()),
        ("a.jsonl", LINES),
        ("a.ndjson", LINES),
        ("a.json", LINES),
        ("a.jsonl", LIST),
        ("a.jsonl", LINES.rstrip(b"\n")),
        ("a.jsonl", LINES.replace(b"\n", b"\r\n")),
        ("a.jsonl", b"\n\n  \n" + LINES.replace(b"\n", b"\n \n\n")),
        ("a.jsonl", b"\xef\xbb\xbf" + LINES),
        ("a.json", b"\xef\xbb\xbf \n" + LIST + b"\n\n"),
        ("a.json.gz", gzip.compress(LIST, mtime=0)),
        ("a.jsonl.gz", gzip.compress(LINES, mtime=0)),
        ("a.jsonl.gz", gzip.compress(LINES[:50], mtime=0) + gzip.compress(LINES[50:], mtime=0)),
        ("a.jsonl.zst", zst(LINES)),
        ("a.jsonl.zst", zst(LINES[:50], LINES[50:60], LINES[60:])),
        ("a.json.zst", zst(LIST, b"\n")),
    ],
)
@pytest.mark.parametrize("chunk", [streams.CHUNK, 7])
def test_kinds_of_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, data: bytes, chunk: int) -> None:
    monkeypatch.setattr(streams, "CHUNK", chunk)
    assert values(tmp_path / name, data) == RECORDS


def test_one_pretty_printed_object(tmp_path: Path) -> None:
    assert values(tmp_path / "a.json", json.dumps(RECORDS[0], indent=2).encode()) == RECORDS[:1]
    assert values(tmp_path / "b.json", json.dumps(RECORDS[0]).encode()) == RECORDS[:1]


def test_an_empty_list_has_no_records(tmp_path: Path) -> None:
    assert values(tmp_path / "a.json", b" [ ] ") == []


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=4), v, max_size=3),
    max_leaves=8,
)


@given(
    records=st.lists(json_values, max_size=5),
    chunk=st.integers(1, 40),
    ascii_only=st.booleans(),
    indent=st.none() | st.just(1),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_list_is_cut_like_json_loads_cuts_it(
    tmp_path: Path, records: list[Any], chunk: int, ascii_only: bool, indent: int | None
) -> None:
    data = json.dumps(records, ensure_ascii=ascii_only, indent=indent).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streams, "CHUNK", chunk)
        found = values(tmp_path / "a.json", data)
    assert found == json.loads(data)


@given(data=st.text(alphabet='[]{},":\\ a1\n', max_size=40), chunk=st.integers(1, 9))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_no_file_crashes_the_reader(tmp_path: Path, data: str, chunk: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streams, "CHUNK", chunk)
        try:
            read(tmp_path / "a.json", data.encode())
        except InputError as error:
            assert "a.json" in str(error)


def test_one_bad_element_spoils_no_other(tmp_path: Path) -> None:
    found = read(tmp_path / "a.json", b'[{"n": 0}, {"n": oops}, nonsense, 3, {"n": 1}]')
    assert [record.problem for record in found] == [None, "not_json", "not_json", None, None]
    assert [record.raw for record in found] == [b'{"n": 0}', b'{"n": oops}', b"nonsense", b"3", b'{"n": 1}']


def test_one_bad_line_spoils_no_other(tmp_path: Path) -> None:
    found = read(tmp_path / "a.jsonl", b'{"n": 0}\n{"n": \nnonsense\n{"n": 1}\n')
    assert [record.problem for record in found] == [None, "not_json", "not_json", None]
    assert found[3].row == 3


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b'{"a": NaN}', "not_json"),
        (b'{"a": 1e999}', "not_json"),
        (b'{"a": "\xff"}', "not_utf8"),
        (b'{"a": "\\ud800"}', "lone_surrogate"),
        (b'{"\\udfff": 1}', "lone_surrogate"),
        (b'{"a": ' + b"[" * MAX_DEPTH + b"]" * MAX_DEPTH + b"}", "nested_too_deep"),
        (b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested_too_deep"),
        (b'{"a": ' + b"9" * 5000 + b"}", "not_json"),
    ],
)
def test_records_that_cannot_be_kept(tmp_path: Path, text: bytes, problem: str) -> None:
    found = read(tmp_path / "a.jsonl", b'{"n": 0}\n' + text + b'\n{"n": 1}\n')
    assert [record.problem for record in found] == [None, problem, None]
    assert found[1].raw is not None
    assert found[1].raw.strip() == text


def test_records_that_look_bad_and_are_not(tmp_path: Path) -> None:
    deep = b'{"a": ' + b"[" * (MAX_DEPTH - 1) + b"]" * (MAX_DEPTH - 1) + b"}"
    text = b'{"id": 12345678901234567890123}\n{"e": "\\ud83d\\ude00"}\n' + deep + b"\n"
    found = values(tmp_path / "a.jsonl", text)
    assert found[0] == {"id": 12345678901234567890123}
    assert found[1] == {"e": "😀"}


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("a.json", b"", "is empty"),
        ("a.json", b" \n ", "is empty"),
        ("a.json", LIST[: len(LIST) // 2], "cut off"),
        ("a.json", LIST[:-1], "cut off"),
        ("a.json", LIST + b' {"n": 9}', "goes on after"),
        ("a.jsonl", LINES[:-10], "last line is cut off"),
        ("a.json", b'{\n "a": 1,\n "b": ', "cut off"),
        ("a.json.gz", gzip.compress(LIST, mtime=0)[:-12], "cut off"),
        ("a.json.gz", gzip.compress(LIST, mtime=0)[:-8] + b"\0" * 8, "damaged"),
        ("a.json.gz", LIST, "damaged"),
        ("a.json.gz", b"", "empty"),
        ("a.jsonl.zst", zst(LINES)[:-5], "cut off"),
        ("a.jsonl.zst", LINES, "damaged"),
        ("a.jsonl.zst", zst(LINES) + b"junk", "damaged"),
        ("a.parquet", b"PAR1 no", "Parquet"),
    ],
)
def test_files_that_cannot_be_read_to_their_end(tmp_path: Path, name: str, data: bytes, says: str) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path / name, data)
    assert name in str(caught.value)
    assert says in str(caught.value)


@pytest.mark.parametrize(("data", "bad"), [(b"hello world", 1), (b"\x89PNG\r\n\x1a\n", 2), (b"oops\n" + LINES, 1)])
def test_lines_that_are_no_json_spoil_no_other(tmp_path: Path, data: bytes, bad: int) -> None:
    found = read(tmp_path / "a.jsonl", data)
    assert [record.row for record in found if record.problem] == list(range(bad))
    assert [record.value for record in found[bad:]] == (RECORDS if data.endswith(LINES) else [])


def test_a_list_that_lacks_only_its_end_keeps_its_last_record(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(LIST.rstrip()[:-1])
    found = []
    with pytest.raises(InputError, match=f"after {len(RECORDS)} whole records"):
        for record in read_records(tmp_path / "a.json"):
            found.append(record.value)
    assert found == RECORDS


@pytest.mark.parametrize(
    ("name", "data"),
    [("a.json", LIST[: len(LIST) // 2]), ("a.jsonl", LINES[:-10]), ("a.json", LIST[:-1]), ("a.json", LIST + b" ]")],
)
def test_whole_records_come_before_the_damage(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    found = []
    with pytest.raises(InputError):
        for record in read_records(tmp_path / name):
            found.append(record.value)
    assert found
    assert found == RECORDS[: len(found)]


def test_a_truncated_gzip_yields_what_it_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "CHUNK", 64)
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(LINES, mtime=0)[:-4])
    found = []
    with pytest.raises(InputError, match="after record"):
        for record in read_records(tmp_path / "a.jsonl.gz"):
            found.append(record.value)
    assert found == RECORDS[: len(found)] != []


@pytest.mark.parametrize("name", ["a.csv", "a.txt.gz", "a", "a.json.bz2"])
def test_unknown_kinds_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="unknown kind"):
        read(tmp_path / name, LIST)


def test_missing_files_and_folders(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        list(read_records(tmp_path / "none.json"))
    with pytest.raises(UsageError, match="is a folder"):
        list(read_records(tmp_path))


@pytest.mark.parametrize(
    ("name", "source"),
    [("x/tau.json.gz", "tau"), ("a.b.jsonl.zst", "a.b"), ("t.parquet", "t"), ("t.ndjson", "t")],
)
def test_the_name_of_a_source(name: str, source: str) -> None:
    assert default_source(Path(name)) == source


def test_ten_megabytes_in_one_result(tmp_path: Path) -> None:
    big = 'x"[{' * 2_600_000
    started = time.perf_counter()
    found = values(tmp_path / "a.json", json.dumps([{"n": 0}, {"text": big}, {"n": 2}]).encode())
    assert found == [{"n": 0}, {"text": big}, {"n": 2}]
    assert time.perf_counter() - started < 10  # linear: a rescan a chunk would take minutes


def test_parquet_rows(tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_pylist(RECORDS * 200), tmp_path / "a.parquet", row_group_size=300)
    found = list(read_records(tmp_path / "a.parquet"))
    assert [record.value for record in found] == RECORDS * 200
    assert [record.row for record in found] == list(range(1000))


def test_parquet_cells_without_a_json_form(tmp_path: Path) -> None:
    moment = datetime.datetime(2024, 5, 1, 12, 30)
    row = {
        "at": moment,
        "day": moment.date(),
        "cost": decimal.Decimal("1.20"),
        "blob": b"\x00\xff",
        "nan": float("nan"),
    }
    pq.write_table(pa.Table.from_pylist([{**row, "inner": [{"at": moment}]}]), tmp_path / "a.parquet")
    (found,) = read_records(tmp_path / "a.parquet")
    assert found.value == {
        "at": "2024-05-01T12:30:00",
        "day": "2024-05-01",
        "cost": "1.20",
        "blob": "AP8=",
        "nan": None,
        "inner": [{"at": "2024-05-01T12:30:00"}],
    }


def test_parquet_text_that_is_no_utf8(tmp_path: Path) -> None:
    array = pa.array([b"\xff\xfe"], pa.binary()).view(pa.string())
    pq.write_table(pa.table({"text": array}), tmp_path / "a.parquet")
    with pytest.raises(InputError, match="Parquet"):
        list(read_records(tmp_path / "a.parquet"))


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> Callable[..., Any]:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(files, "open_stream", refuse)
    with pytest.raises(InputError, match="cannot be read") as caught:
        read(tmp_path / "a.json", LIST)
    assert "compressed" not in str(caught.value)


@pytest.mark.parametrize("shape", ["lines", "list"])
def test_every_record_that_can_be_unpacked_stands_before_the_damage(tmp_path: Path, shape: str) -> None:
    records = [{"n": n, "text": f"{n * n:x} " * (60_000 if n == 9 else 200)} for n in range(1000)]
    texts = [json.dumps(record).encode() for record in records]
    data = b"\n".join(texts) if shape == "lines" else b"[" + b",".join(texts) + b"]"
    packed = gzip.compress(data, mtime=0)
    cut = packed[: len(packed) * 2 // 3]
    whole = data[: len(zlib.decompressobj(31).decompress(cut))].count(b"}") - (shape == "lines")
    (tmp_path / "a.json.gz").write_bytes(cut)
    stream, found = read_records(tmp_path / "a.json.gz"), []
    with pytest.raises(InputError, match=r"cut off after record \d+"):
        found.extend(record.value for record in stream)
    assert len(found) >= whole > 500
    assert found == records[: len(found)]
