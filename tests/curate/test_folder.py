from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate import atomic, table_writer
from curate.errors import FolderError, UpToDate, UsageError
from curate.folder import DatasetFolder, FolderWriter, Manifest, folder_input
from curate.normalise import Input, normalise
from curate.readers.openai_chat import OpenAIChat
from curate.schema import REJECT, TRAJECTORY
from curate.trajectory import Reject, Trajectory

NUMBERS = pa.schema([("n", pa.int64()), ("text", pa.string())])


def manifest(**settings: Any) -> Manifest:
    return Manifest(kind="numbers", command="test", settings=settings, inputs=[])


def write(out: Path, rows: list[dict[str, Any]], *, overwrite: bool = False, **settings: Any) -> Path:
    with FolderWriter(out, manifest(**settings), overwrite=overwrite) as writer:
        writer.table("numbers", NUMBERS).write(rows)
        writer.add_file("note.txt", b"hello")
        writer.count(rows=len(rows))
    return out


def rows(count: int, text: str = "x") -> list[dict[str, Any]]:
    return [{"n": n, "text": text} for n in range(count)]


def litter(out: Path) -> set[str]:
    return {path.name for path in out.parent.iterdir()} - {out.name}


def test_round_trip(tmp_path: Path) -> None:
    folder = DatasetFolder.open(write(tmp_path / "out", rows(2500)))
    assert list(folder.rows("numbers")) == rows(2500)
    assert list(folder.rows("numbers", ["n"]))[7] == {"n": 7}
    assert folder.scan("numbers").collect().height == 2500
    assert folder.manifest.rows("numbers") == 2500
    assert folder.problems() == folder.miscounts() == []
    assert litter(folder.path) == set()


def test_a_trajectory_comes_back_as_it_went_in(tmp_path: Path, make_chat: Callable[..., Any]) -> None:
    record = make_chat(1, reward=0.5, metadata={"a": [1]}, tools=[{"name": "get_order"}])
    record["messages"][4]["content"] = "<think>ok</think>Sent."
    row: Trajectory = normalise(OpenAIChat().convert(record), record, 0, Input("x", "x"))
    row["split"] = "train"
    reject = Reject(**row, reject_step="filter", reject_reason="empty", reject_detail="d", raw=b"\xff\0")
    nothing = dict.fromkeys(REJECT.names) | {"reject_step": "read", "reject_reason": "not_json"}
    with FolderWriter(tmp_path / "out", manifest()) as writer:
        writer.table("trajectories", TRAJECTORY).write([row])
        writer.table("rejects", REJECT).write([reject, nothing])
    folder = DatasetFolder.open(tmp_path / "out")
    assert list(folder.rows("trajectories")) == [row]
    assert list(folder.rows("rejects")) == [reject, nothing]


def test_an_empty_table_keeps_its_schema(tmp_path: Path) -> None:
    folder = DatasetFolder.open(write(tmp_path / "out", []))
    assert list(folder.rows("numbers")) == []
    assert folder.scan("numbers").collect_schema().names() == ["n", "text"]


def test_row_groups_are_bounded_by_rows(tmp_path: Path) -> None:
    write(tmp_path / "out", rows(2500))
    meta = pq.read_metadata(tmp_path / "out" / "numbers-00000.parquet")
    assert [meta.row_group(i).num_rows for i in range(meta.num_row_groups)] == [1000, 1000, 500]


@pytest.mark.parametrize("letter", ["x", "字"])
def test_row_groups_are_bounded_by_bytes(tmp_path: Path, letter: str) -> None:
    big = [{"n": n, "text": f"{n}" + letter * 3_000_000} for n in range(12)]
    write(tmp_path / "out", big)
    meta = pq.read_metadata(tmp_path / "out" / "numbers-00000.parquet")
    groups = [meta.row_group(i).num_rows for i in range(meta.num_row_groups)]
    size = 3_000_001 * len(letter.encode())
    assert sum(groups) == 12
    assert max(groups) == table_writer.MAX_GROUP_BYTES // size


def test_shards_roll_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_writer, "MAX_SHARD_BYTES", 30_000)
    folder = DatasetFolder.open(write(tmp_path / "out", rows(3500, "x" * 10)))
    assert len(folder.manifest.tables["numbers"]) > 1
    assert list(folder.rows("numbers")) == rows(3500, "x" * 10)


def change(path: Path, edit: Callable[[dict[str, Any]], Any]) -> None:
    body = json.loads(path.read_bytes())
    edit(body)
    path.write_text(json.dumps(body))


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda d: flip(d / "numbers-00000.parquet"), "numbers-00000.parquet was changed"),
        (lambda d: (d / "numbers-00000.parquet").unlink(), "numbers-00000.parquet is missing"),
        (lambda d: (d / "note.txt").write_text("bye"), "note.txt was changed"),
        (lambda d: (d / "manifest.json").unlink(), "has no manifest.json"),
        (lambda d: cut(d / "manifest.json"), "cannot be read"),
        (lambda d: (d / "manifest.json").write_bytes(b"\xff\xfe"), "cannot be read"),
        (lambda d: (d / "manifest.json").write_text("[]"), "not a manifest"),
        (lambda d: (d / "manifest.json").write_text('{"name": "web app"}'), "not a manifest"),
        (lambda d: change(d / "manifest.json", lambda m: m.update(format_version=0)), "format version 0"),
        (lambda d: change(d / "manifest.json", lambda m: m.pop("tables")), "damaged"),
        (lambda d: change(d / "manifest.json", lambda m: m.update(tables=[3])), "damaged"),
    ],
)
def test_a_damaged_folder_is_refused(tmp_path: Path, damage: Callable[[Path], Any], says: str) -> None:
    out = write(tmp_path / "out", rows(10))
    damage(out)
    with pytest.raises(FolderError) as caught:
        DatasetFolder.open(out)
    assert says in str(caught.value)
    assert str(out) in str(caught.value)


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def test_what_is_no_folder_or_of_another_kind(tmp_path: Path) -> None:
    out = write(tmp_path / "out", rows(1))
    for path, kinds, says in (
        (tmp_path / "none", (), "does not exist"),
        (out / "note.txt", (), "is a file"),
        (out, ("curated", "augmented"), "needs curated or augmented"),
    ):
        with pytest.raises(UsageError, match=says):
            DatasetFolder.open(path, kinds=kinds)
    with pytest.raises(UsageError, match="no table 'trajectories'; it has numbers"):
        list(DatasetFolder.open(out).rows("trajectories"))


def test_an_exception_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), FolderWriter(tmp_path / "out", manifest()) as writer:
        writer.table("numbers", NUMBERS).write(rows(2500))
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_resume_state_survives_an_exception_and_goes_with_success(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), FolderWriter(tmp_path / "out", manifest()) as writer:
        (writer.journal / "state").write_text("half")
        raise RuntimeError
    assert litter(tmp_path / "out") == {"out.journal"}
    write(tmp_path / "out", rows(1))
    assert litter(tmp_path / "out") == set()


def test_an_out_that_stands(tmp_path: Path) -> None:
    out = write(tmp_path / "out", rows(1), a=1)
    before = (out / "manifest.json").read_bytes()
    with pytest.raises(UpToDate):
        write(out, rows(2), a=1.0)
    with pytest.raises(UsageError, match="other settings"):
        write(out, rows(2), a=2)
    assert (out / "manifest.json").read_bytes() == before
    assert litter(out) == set()
    write(out, rows(2), overwrite=True, a=2)
    assert DatasetFolder.open(out).manifest.rows("numbers") == 2
    assert litter(out) == set()


def test_up_to_date_means_sound(tmp_path: Path) -> None:
    out = write(tmp_path / "out", rows(1))
    flip(out / "numbers-00000.parquet")
    with pytest.raises(FolderError):
        write(out, rows(1))
    write(out, rows(1), overwrite=True)
    DatasetFolder.open(out)


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("content", ["thesis.txt", "manifest.json"])
def test_other_peoples_folders_are_never_touched(tmp_path: Path, overwrite: bool, content: str) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / content).write_text('{"name": "a web app"}')
    with pytest.raises(UsageError, match="not a dataset folder"):
        write(out, rows(1), overwrite=overwrite)
    assert (out / content).exists()
    assert litter(out) == set()


def test_other_peoples_journals_are_never_touched(tmp_path: Path) -> None:
    (tmp_path / "out.journal").mkdir()
    (tmp_path / "out.journal" / "diary.txt").write_text("dear diary")
    with pytest.raises(UsageError, match="other files"):
        write(tmp_path / "out", rows(1))
    assert (tmp_path / "out.journal" / "diary.txt").exists()


def test_places_that_cannot_be_an_out(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for out, says in (
        (tmp_path / "file", "is a file"),
        (tmp_path / "no" / "out", "parent"),
        (Path("/"), "names no folder"),
    ):
        with pytest.raises(UsageError, match=says):
            write(out, rows(1))
    assert {path.name for path in tmp_path.iterdir()} == {"file"}


def test_an_empty_folder_or_a_link_may_be_an_out(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert DatasetFolder.open(write(tmp_path / "empty", rows(1)))
    (tmp_path / "link").symlink_to(tmp_path / "empty")
    write(tmp_path / "link", rows(2), overwrite=True, a=1)
    assert (tmp_path / "link").is_symlink()
    assert DatasetFolder.open(tmp_path / "empty").manifest.rows("numbers") == 2


def test_the_second_of_two_runs_is_refused(tmp_path: Path) -> None:
    with FolderWriter(tmp_path / "out", manifest()) as writer:
        writer.table("numbers", NUMBERS).write(rows(1))
        with pytest.raises(UsageError, match="another run"):
            write(tmp_path / "out", rows(2))
        assert writer.partial.exists()
    assert DatasetFolder.open(tmp_path / "out").manifest.rows("numbers") == 1


def test_a_lock_whose_name_was_taken_away_protects_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = tmp_path / "lock"
    monkeypatch.setattr(atomic.fcntl, "flock", lambda *_: lock.unlink())
    with pytest.raises(UsageError, match="another run"), atomic.exclusive(lock, "OUT"):
        pass


def test_replacing_where_names_cannot_be_exchanged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(atomic, "_exchange", lambda *_: False)
    out = write(tmp_path / "out", rows(1))
    write(out, rows(2), overwrite=True, a=1)
    assert DatasetFolder.open(out).manifest.rows("numbers") == 2
    assert litter(out) == set()
    out.rename(tmp_path / ".out.old")  # cut between the two renames
    with pytest.raises(UpToDate):
        write(out, rows(2), a=1)
    assert litter(out) == set()


def test_a_folder_from_the_future_may_be_overwritten(tmp_path: Path) -> None:
    out = write(tmp_path / "out", rows(1))
    change(out / "manifest.json", lambda m: m.update(format_version=99))
    with pytest.raises(FolderError, match="format version 99"):
        write(out, rows(1))
    write(out, rows(1), overwrite=True)
    DatasetFolder.open(out)


def test_numbers_of_rows_are_checked_too(tmp_path: Path) -> None:
    out = write(tmp_path / "out", rows(3))
    change(out / "manifest.json", lambda m: m["tables"]["numbers"][0].update(rows=4))
    assert DatasetFolder(out, Manifest.load(out)).miscounts() == [
        "numbers-00000.parquet holds 3 rows, the manifest says 4"
    ]


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    one, two = (write(tmp_path / name, rows(1500)) for name in ("one", "two"))
    for path in one.iterdir():
        assert path.read_bytes() == (two / path.name).read_bytes()
    shutil.rmtree(one)


def test_a_batch_holds_no_more_than_a_row_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_writer, "MAX_GROUP_BYTES", 5_000)
    folder = DatasetFolder.open(write(tmp_path / "out", rows(20, "x" * 2_000)))
    assert [batch.num_rows for batch in folder.batches("numbers")] == [2] * 10
    assert list(folder.rows("numbers")) == rows(20, "x" * 2_000)


def test_an_input_is_never_the_output(tmp_path: Path) -> None:
    source = DatasetFolder.open(write(tmp_path / "in", rows(3)))
    again = Manifest(kind="numbers", command="again", settings={}, inputs=[folder_input(source)])
    before = {path.name: path.read_bytes() for path in source.path.iterdir()}
    for overwrite in (True, False):
        with (
            pytest.raises(UsageError, match="is an input of this run"),
            FolderWriter(source.path, again, overwrite=overwrite),
        ):
            pytest.fail("the writer was entered")
    assert {path.name: path.read_bytes() for path in source.path.iterdir()} == before
    assert litter(source.path) == set()


def test_the_lock_is_the_last_of_the_resume_state_to_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kill while the journal is removed must not leave one that the next run takes for somebody else's."""
    left: list[set[str]] = []

    def killed(path: Path, **given: Any) -> None:
        if path.name == "out.journal":
            left.append({entry.name for entry in path.iterdir()})
        shutil_rmtree(path, **given)

    shutil_rmtree = shutil.rmtree
    monkeypatch.setattr(shutil, "rmtree", killed)
    with FolderWriter(tmp_path / "out", manifest()) as writer:
        writer.table("numbers", NUMBERS).write(rows(1))
        (writer.journal / "thoughts.jsonl").write_text("{}\n")
        (writer.journal / "spool").mkdir()
        (writer.journal / "spool" / "x.parquet").write_text("x")
    assert left == [{"lock"}]
    assert litter(tmp_path / "out") == set()


@pytest.mark.parametrize("linking", [True, False])
def test_finished_shards_are_taken_in_between_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, linking: bool
) -> None:
    def refuse(*given: Any) -> None:
        raise OSError(18, "Invalid cross-device link")

    old = DatasetFolder.open(write(tmp_path / "old", rows(1500)))
    (shard,) = old.manifest.tables["numbers"]
    path = old.path / shard.path
    if not linking:
        monkeypatch.setattr(table_writer.os, "link", refuse)
    with FolderWriter(tmp_path / "new", manifest(a=1)) as writer:
        table = writer.table("numbers", NUMBERS)
        table.write(rows(2))
        table.adopt(path, shard)
        table.write(rows(3))
    new = DatasetFolder.open(tmp_path / "new")
    assert list(new.rows("numbers")) == rows(2) + rows(1500) + rows(3)
    taken = new.manifest.tables["numbers"][1]
    assert (taken.path, taken.sha256, taken.rows) == ("numbers-00001.parquet", shard.sha256, 1500)
    assert (new.path / taken.path).samefile(path) == linking
    write(tmp_path / "old", rows(5), overwrite=True, b=1)
    assert new.problems() == new.miscounts() == []


def test_a_copy_of_a_changed_shard_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = DatasetFolder.open(write(tmp_path / "old", rows(10)))
    (shard,) = old.manifest.tables["numbers"]
    (old.path / shard.path).write_bytes(b"changed since it was checked")
    monkeypatch.setattr(table_writer.os, "link", lambda *given: (_ for _ in ()).throw(OSError(18, "no links here")))
    with pytest.raises(FolderError, match="was changed after"), FolderWriter(tmp_path / "new", manifest()) as writer:
        writer.table("numbers", NUMBERS).adopt(old.path / shard.path, shard)
    assert litter(tmp_path / "old") == set()


def test_what_is_up_to_date_only_within_the_run_leaves_nothing(tmp_path: Path) -> None:
    out = write(tmp_path / "out", rows(3))
    before = (out / "manifest.json").read_bytes()
    with pytest.raises(UpToDate), FolderWriter(out, manifest(), overwrite=True) as writer:
        (writer.journal / "state").write_text("of a run that was killed")
        raise UpToDate("nothing to do")
    assert (out / "manifest.json").read_bytes() == before and litter(out) == set()


def test_the_last_touch_comes_before_the_name(tmp_path: Path) -> None:
    out, seen = tmp_path / "out", []

    def finish(folder: DatasetFolder) -> None:
        seen.append((folder.path != out, out.exists(), folder.problems()))
        (folder.path / "index-0123.mmap").write_text("x")

    with FolderWriter(out, manifest(), finish=finish) as writer:
        writer.table("numbers", NUMBERS).write(rows(3))
    assert seen == [(True, False, [])] and (out / "index-0123.mmap").exists()
