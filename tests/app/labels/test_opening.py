"""Where the labels' database may lie, and what is said of one that cannot be used."""

from __future__ import annotations

import sqlite3

import pytest
import sqlalchemy as sa

from app.labels.database import connect
from app.labels.events import Event, Target
from app.labels.store import LabelStore
from app.labels.tables import VERSION, meta
from app.settings import LabelSettings
from curate.errors import UsageError

T = Target("t1", "h1")


def opened(folder, outside=(), read_only=False, **more):
    return LabelStore.open(LabelSettings(folder, **more), outside=list(outside), read_only=read_only)


def refused(said, *args, **more):
    with pytest.raises(UsageError, match=said) as caught, opened(*args, **more):
        pass
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_labels_never_lie_in_over_or_beside_the_manifest_of_a_dataset_folder(tmp_path):
    data = tmp_path / "all" / "data"
    data.mkdir(parents=True)
    (tmp_path / "link").symlink_to(data)
    refused("is the opened folder", data, [data])
    refused("lies in the opened folder", data / "deep" / "labels", [data])
    refused("lies over the opened folder", tmp_path / "all", [tmp_path / "elsewhere", data])
    refused("lies in the opened folder", tmp_path / "link" / "labels", [data])
    refused("lies in the opened folder", data / "labels", [tmp_path / "link"])
    assert list(data.iterdir()) == []
    with opened(tmp_path / "all" / "labels", [data]) as store:
        assert store.record(Event("e", "ann", T, "good"))


def test_a_folder_that_was_not_opened_but_has_a_manifest_is_refused_too(tmp_path):
    other = tmp_path / "curated"
    other.mkdir()
    (other / "manifest.json").write_text('{"format": "cacherl", "format_version": 1, "kind": "curated"}')
    refused("manifest.json", other)
    refused("manifest.json", tmp_path / "x", database=f"sqlite:///{other}/labels.sqlite")
    assert [path.name for path in other.iterdir()] == ["manifest.json"] and not (tmp_path / "x").exists()


def test_the_database_file_is_for_its_owner_alone(tmp_path):
    with opened(tmp_path / "labels"):
        assert (tmp_path / "labels" / "labels.sqlite").stat().st_mode & 0o777 == 0o600


def test_a_database_of_a_newer_release_is_left_alone(place):
    with place.open() as store, store.writing() as connection:
        connection.execute(sa.update(meta).where(meta.c.key == "version").values(value=VERSION + 1))
    for read_only in (False, True):
        with pytest.raises(UsageError, match="newer release"), place.open(read_only=read_only):
            pass


def test_labels_are_there_when_the_database_is_opened_again(place):
    with place.open() as store:
        store.record(Event("e", "ann", T, "good"))
    with place.open() as store, place.open() as beside:
        assert store.latest()["verdict"].to_list() == ["good"]
        before = store.revision()
        beside.record(Event("f", "bob", T, "bad"))
        assert store.latest()["verdict"].to_list() == ["good", "bad"] and store.revision() > before


def test_reading_where_nothing_was_labelled_shows_nothing_and_makes_nothing(tmp_path):
    with opened(tmp_path / "labels", read_only=True) as store:
        assert store.latest().is_empty() and store.queues() == [] and store.session("x") is None
    assert list(tmp_path.iterdir()) == []


def test_reading_is_allowed_beside_the_data(tmp_path):
    (tmp_path / "data").mkdir()
    with opened(tmp_path / "data" / "labels", [tmp_path / "data"], read_only=True) as store:
        assert store.latest().is_empty()


def test_sqlite_is_durable_and_shared(tmp_path):
    with opened(tmp_path / "labels") as store, store.reading() as connection:
        for name, value in (("journal_mode", "wal"), ("synchronous", 2), ("busy_timeout", 30_000), ("foreign_keys", 1)):
            assert connection.exec_driver_sql(f"PRAGMA {name}").scalar() == value


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql+psycopg://me:secret@127.0.0.1:1/none", "cannot be opened"),
        ("mysql://me:secret@127.0.0.1/none", "neither SQLite nor PostgreSQL"),
        ("postgresql+nodriver://me:secret@127.0.0.1/none", "driver"),
        ("no url", "is a URL"),
        ("sqlite://", "names no file"),
    ],
)
def test_a_database_that_cannot_be_reached_is_named_without_its_password(tmp_path, url, said):
    assert "secret" not in refused(said, tmp_path / "labels", database=url)


def test_a_file_that_is_no_database_is_refused(tmp_path):
    (tmp_path / "labels.sqlite").write_bytes(b"not a database, but long enough to be looked at" * 50)
    refused("not a database", tmp_path)


def test_a_database_of_somebody_else_gets_tables_beside_its_own(tmp_path):
    path = tmp_path / "labels.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE queues (x)")
    connection.close()
    with opened(tmp_path) as store:
        assert store.queues() == []


def test_a_label_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    refused("file", tmp_path / "file" / "labels")


def test_a_missing_psycopg_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "psycopg", None)
    with pytest.raises(UsageError, match=r"psycopg\[binary\]"):
        connect(sa.make_url("postgresql://me@127.0.0.1/none"))


def test_saved_views_are_shared_and_changed_by_their_owner_alone(store):
    store.save_view("Long ones", "browse", {"turns": "30-", "source": "airline"}, "ann")
    store.save_view("Mine", "read", {}, "bob")
    assert [view.name for view in store.views()] == ["Long ones", "Mine"]
    assert store.views("browse")[0].params == {"turns": "30-", "source": "airline"}
    store.save_view("Long ones", "browse", {"turns": "40-"}, "ann")
    with pytest.raises(UsageError, match="saved by ann"):
        store.save_view("Long ones", "browse", {}, "bob")
    with pytest.raises(UsageError, match="name"):
        store.save_view(" ", "browse", {}, "bob")
    assert store.drop_view("Long ones") and not store.drop_view("Long ones")
    assert [view.name for view in store.views()] == ["Mine"]
