"""Backups and exports: whole or not at all, only when something is new, and good for restoring."""

from __future__ import annotations

import gzip
import json
import sqlite3
import threading
import time
from dataclasses import replace

import polars as pl
import pyarrow.parquet as pq
import pytest
import yaml

from app import export as command
from app import restore as restore_command
from app.labels import exporting
from app.labels.backing_up import copies, restore
from app.labels.events import Event, Target
from app.labels.queues import Queue
from app.labels.standing import EVENT_COLUMNS, LABEL_COLUMNS
from curate.errors import UsageError

T = Target("t1", "h1")
PASSWORD = "correct horse"


@pytest.fixture
def filled(store, say):
    """A store with some of everything."""
    store.add_annotator("ann", PASSWORD)
    store.add_annotator("lee", None, "lead")
    store.add_queue(Queue("q", targets=((T, 0.5), (Target("t2", "h2"), 0.25))))
    say("zoe", T, "good", tags=("made_up",), note="café", queue="q")
    say("ann", Target("t1", "h1", 2), "bad")
    store.undo("ann")
    say("ann", T, "bad")
    say("lee", T, "good", action="adjudicate")
    store.save_view("v", "browse", {"source": "airline"}, "ann")
    return store


def new_place(place, request, tmp_path):
    """Another empty database of the same make."""
    url = request.getfixturevalue("server").new_database() if place.url else None
    return replace(place, folder=tmp_path / "restored", url=url)


def brought_back(copy, place):
    where = ["--database", place.url] if place.url else []
    return restore_command.main([str(copy), "--label-dir", str(place.folder), *where])


def test_a_backup_brings_everything_back(filled, place, request, tmp_path, capsys):
    copy, before = filled.backup(), filled.events()
    other = new_place(place, request, tmp_path)
    assert brought_back(copy, other) == 0
    assert capsys.readouterr().out == "5 events of labels and 2 accounts are back\n"
    with other.open() as restored:
        assert restored.events().equals(before) and restored.latest().equals(filled.latest())
        assert restored.check("ann", PASSWORD) and restored.annotators() == filled.annotators()
        assert restored.queue("q") == filled.queue("q") and restored.views() == filled.views()
        assert restored.undo("ann").verdict == "bad"
        assert restored.events().height == before.height + 1


def test_a_backup_is_brought_back_over_nothing(filled, place, tmp_path, capsys):
    copy, before = filled.backup(), filled.events()
    assert brought_back(copy, place) == 2
    assert "already" in (told := capsys.readouterr().err) or "not empty" in told
    assert brought_back(tmp_path / "none.sqlite", place) == 2
    assert "there is no backup" in capsys.readouterr().err
    assert filled.events().equals(before)


@pytest.mark.parametrize("place", ["postgresql"], indirect=True)
def test_a_backup_of_a_server_can_become_a_file(filled, place, tmp_path):
    other = replace(place, folder=tmp_path / "restored", url=None)
    assert brought_back(filled.backup(), other) == 0
    with other.open() as restored:
        assert restored.events().equals(filled.events()) and restored.undo("ann").verdict == "bad"


def test_backups_are_made_when_something_is_new_and_the_oldest_go(filled, say):
    folder = filled.folder / "backups"
    first = filled.backup()
    filled.end_session(filled.start_session(filled.annotators()[0]))
    assert filled.backup() == first and copies(folder) == [first]
    for number in range(15):
        say("ann", Target(f"n{number}", "h"))
        filled.backup()
    assert len(copies(folder)) == 12 and first not in copies(folder)
    assert {path.stat().st_mode & 0o777 for path in copies(folder)} == {0o600}


def test_what_a_killed_backup_left_is_removed_and_never_taken_for_one(filled):
    folder = filled.folder / "backups"
    folder.mkdir(parents=True)
    left = folder / ".labels-20260101T000000000000Z.partial"
    left.write_bytes(b"half")
    made = filled.backup()
    assert sorted(folder.iterdir()) == [made]


def test_a_backup_while_labels_come_in_is_a_moment_of_the_database(filled, say, place):
    stop = threading.Event()

    def label():
        number = 0
        while not stop.is_set():
            say("bob", Target(f"b{number}", "h"))
            number += 1

    thread = threading.Thread(target=label)
    thread.start()
    try:
        made = [filled.backup() for _ in range(5)]
    finally:
        stop.set()
        thread.join()
    counts = [_events_in(path) for path in made]
    assert counts == sorted(counts) and counts[-1] <= filled.events().height


def _events_in(path):
    if path.suffix == ".sqlite":
        with sqlite3.connect(path) as connection:
            count = connection.execute("SELECT count(*) FROM label_events").fetchone()[0]
        connection.close()
        return count
    lines = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
    assert lines[-1] == {"end": True}
    return sum(line.get("table") == "label_events" for line in lines)


@pytest.mark.parametrize("place", ["postgresql"], indirect=True)
def test_a_cut_copy_or_a_database_in_use_is_refused_whole(filled, place, request, tmp_path):
    copy = filled.backup()
    with pytest.raises(UsageError, match="not empty"):
        restore(filled, copy)
    lines = gzip.decompress(copy.read_bytes()).splitlines(keepends=True)
    cut, other = tmp_path / "cut.jsonl.gz", new_place(place, request, tmp_path)
    with other.open() as restored:
        for data in (gzip.compress(b"".join(lines[:-1])), copy.read_bytes()[:-20], b"none"):
            cut.write_bytes(data)
            with pytest.raises(UsageError, match="cut"):
                restore(restored, cut)
        assert restored.events().is_empty() and restored.annotators() == []
        assert restore(restored, copy) == len(lines) - 2


def test_an_export_holds_what_stands_and_all_that_was(filled, tmp_path):
    out = tmp_path / "out"
    assert filled.export(out) is True
    assert sorted(path.name for path in out.iterdir()) == ["events.parquet", "labels.parquet", "schema.yaml"]
    labels, events = pl.read_parquet(out / "labels.parquet"), pl.read_parquet(out / "events.parquet")
    assert labels.equals(filled.latest()) and events.equals(filled.events())
    assert labels.schema == pl.Schema(LABEL_COLUMNS) and events.schema == pl.Schema(EVENT_COLUMNS)
    assert str(pq.read_schema(out / "labels.parquet").field("at").type) == "timestamp[us, tz=UTC]"
    assert str(pq.read_schema(out / "labels.parquet").field("tags").type) == "list<element: string>"
    told = json.loads(pq.read_schema(out / "labels.parquet").metadata[b"cacherl.labels"])
    assert told["schema"] == filled.schema.body() and told["events"] == 5 and len(told["events_sha256"]) == 64
    assert yaml.safe_load((out / "schema.yaml").read_text()) == filled.schema.body()


def test_equal_labels_give_equal_bytes_and_nothing_new_writes_nothing(filled, say, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    assert filled.export(first) and filled.export(second) and not filled.export(first)
    for name in ("labels.parquet", "events.parquet", "schema.yaml"):
        assert (first / name).read_bytes() == (second / name).read_bytes()
    say("ann", T, "unsure")
    assert filled.export(first) is True
    assert (first / "labels.parquet").read_bytes() != (second / "labels.parquet").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir() if "irst" in path.name) == ["first"]


def test_an_export_tells_what_older_labels_could_say(place, tmp_path):
    older = tmp_path / "older.yaml"
    older.write_text("verdicts: [yes_please, no_thanks]")
    with place.open(schema=older) as store:
        store.record(Event("e1", "ann", T, "yes_please", schema_version=store.schema.version))
        version = store.schema.version
    with place.open() as store:
        store.export(tmp_path / "out")
    told = json.loads(pq.read_schema(tmp_path / "out" / "labels.parquet").metadata[b"cacherl.labels"])
    assert [verdict["name"] for verdict in told["schemas"][version]["verdicts"]] == ["yes_please", "no_thanks"]


def test_an_anonymous_export_has_numbers_for_names(filled, tmp_path):
    filled.export(tmp_path / "out", anonymous=True)
    labels = pl.read_parquet(tmp_path / "out" / "labels.parquet")
    assert labels["annotator"].to_list() == ["annotator-1", "annotator-2", "annotator-3"]
    for path in (tmp_path / "out").iterdir():
        data = path.read_bytes()
        assert b"zoe" not in data and b"lee" not in data
    assert filled.export(tmp_path / "out") is True


def test_labels_are_not_exported_into_a_dataset_folder(filled, tmp_path):
    (tmp_path / "curated").mkdir()
    (tmp_path / "curated" / "manifest.json").write_text('{"format": "cacherl", "format_version": 1, "kind": "curated"}')
    with pytest.raises(UsageError, match=r"--out .* lies in .*curated"):
        filled.export(tmp_path / "curated" / "labels")
    assert len(list((tmp_path / "curated").iterdir())) == 1


@pytest.mark.parametrize("name", ["notes.txt", "labels.parquet"])
def test_an_export_replaces_exports_alone(filled, tmp_path, name):
    out = tmp_path / "out"
    out.mkdir()
    (out / name).write_text("mine")
    with pytest.raises(UsageError, match="not an export of labels"):
        filled.export(out)
    assert (out / name).read_text() == "mine"


def test_an_export_that_fails_leaves_the_old_one(filled, say, tmp_path, monkeypatch):
    out = tmp_path / "out"
    filled.export(out)
    before = (out / "labels.parquet").read_bytes()
    say("ann", T, "unsure")
    monkeypatch.setattr(exporting, "_schema_text", lambda schema: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        filled.export(out)
    assert (out / "labels.parquet").read_bytes() == before
    monkeypatch.undo()
    assert filled.export(out) is True


def test_timers_copy_while_labels_come_in_and_stop_with_the_store(place, capsys):
    threads = threading.active_count()
    with place.open(backup_minutes=0.001, export_minutes=0.001) as store:
        assert threading.active_count() == threads + 2
        store.add_annotator("ann", None)
        waited = time.monotonic() + 60
        while time.monotonic() < waited and not (
            copies(place.folder / "backups") and (place.folder / "exports" / "labels.parquet").exists()
        ):
            time.sleep(0.01)
        assert _events_in(copies(place.folder / "backups")[-1]) == 0
    assert threading.active_count() == threads and capsys.readouterr().err == ""
    with place.open(read_only=True, backup_minutes=0.001):
        assert threading.active_count() == threads


def test_a_timed_copy_that_fails_is_told_once_and_tried_again(place, capsys):
    place.folder.mkdir()
    (place.folder / "backups").write_text("in the way")
    told, waited = "", time.monotonic() + 60
    with place.open(backup_minutes=0.0005) as store:
        store.add_annotator("ann", None)
        while not told and time.monotonic() < waited:
            told += capsys.readouterr().err
            time.sleep(0.1)
        (place.folder / "backups").unlink()
        while not (place.folder / "backups").is_dir() and time.monotonic() < waited:
            time.sleep(0.01)
    told += capsys.readouterr().err
    assert told.count("the backup of the labels failed") == 1 and "backups" in told


def _exported(place, out, *more):
    where = ["--database", place.url] if place.url else []
    return command.main(["--label-dir", str(place.folder), "--out", str(out), *where, *more])


def test_the_command_writes_says_and_finds_it_up_to_date(filled, place, tmp_path, capsys):
    assert _exported(place, tmp_path / "out") == 0
    assert "wrote 3 labels by 3 annotators" in capsys.readouterr().out
    assert _exported(place, tmp_path / "out") == 0
    assert "up to date" in capsys.readouterr().err
    assert _exported(place, tmp_path / "out", "--anonymous") == 0
    assert "annotator-1" in pl.read_parquet(tmp_path / "out" / "labels.parquet")["annotator"].to_list()


def test_the_command_names_a_folder_without_labels(tmp_path, capsys):
    assert command.main(["--label-dir", str(tmp_path / "none"), "--out", str(tmp_path / "out")]) == 2
    assert "there is no labels.sqlite" in capsys.readouterr().err and not (tmp_path / "out").exists()
