"""The intake index against a real redis-server, which each test module starts for itself."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from curate import minhash_reference as reference
from curate.dedup_text import dedup_text
from curate.errors import UsageError
from curate.intake.__main__ import main
from curate.intake.server import shown, speaking_to
from curate.minhash import signatures
from curate.neardup import near_duplicates

pytest.importorskip("redis", reason="the package redis is not installed; pip install 'cacherl[intake]'")

from curate.intake.index import IntakeIndex, Seen

PASSWORD = "geheim-7"
WORDS = [f"w{number}" for number in range(3_000)]
ROOT = Path(__file__).resolve().parents[2]


class Server:
    """A redis-server on a free loopback port that keeps nothing on disk."""

    def __init__(self, folder: Path, *flags: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        program = shutil.which("redis-server")
        assert program is not None
        args = ["--port", self.port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", folder, *flags]
        self._process = subprocess.Popen([program, *map(str, args)], stdout=subprocess.DEVNULL)
        self.url = f"redis://127.0.0.1:{self.port}/0"
        for _ in range(400):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.025)
        raise AssertionError("redis-server did not start")

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Server]]:
    if shutil.which("redis-server") is None:
        pytest.skip("no redis-server here; ci/apt.sh installs it")
    servers: list[Server] = []

    def begin(*flags: str) -> Server:
        servers.append(Server(tmp_path_factory.mktemp("redis"), *flags))
        return servers[-1]

    yield begin
    for server in servers:
        server.stop()


@pytest.fixture(scope="module")
def server(start: Callable[..., Server]) -> Server:
    return start()


@pytest.fixture
def url(server: Server) -> str:
    """The URL of the server, emptied."""
    import redis

    with redis.Redis.from_url(server.url) as client:
        client.flushall()
    return server.url


def row(row_id: str, text: str) -> Any:
    message = {"role": "user", "content": text, "content_json": None, "tool_calls": []}
    return {"trajectory_id": row_id, "messages": [message]}


def words(rng: random.Random, count: int) -> list[str]:
    return rng.choices(WORDS, k=count)


def edited(text: list[str], rng: random.Random, edits: int) -> list[str]:
    text = list(text)
    for place in rng.sample(range(len(text)), edits):
        text[place] = rng.choice(WORDS)
    return text


def planted(seed: int = 0) -> list[str]:
    """Texts without a pair near the threshold: copies with one edit in 100 to 300 words, and others with many."""
    rng = random.Random(seed)
    originals = [words(rng, rng.randrange(100, 300)) for _ in range(60)]
    near = [edited(text, rng, 1) for text in originals[:40]]
    far = [edited(text, rng, len(text) // 5) for text in originals[20:]]
    return [" ".join(text) for text in originals + near + far]


def records(texts: list[str]) -> list[dict[str, Any]]:
    answer = {"role": "assistant", "content": "ok"}
    return [{"messages": [{"role": "user", "content": text}, answer]} for text in texts]


def lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_near_duplicates_are_found_and_distinct_rows_accepted(url: str) -> None:
    texts = planted()
    index = IntakeIndex.open(url, "desk")
    seen = [index.offer(row(f"t{number:03d}", text)) for number, text in enumerate(texts)]
    for number in range(60, 100):
        expected = reference.jaccard(texts[number], texts[number - 60])
        assert expected >= 0.8
        assert seen[number] == Seen(f"t{number - 60:03d}", expected)
    assert seen[:60] == [None] * 60
    assert seen[100:] == [None] * 40
    assert len(index) == 100


def test_it_agrees_with_the_search_of_whole_sets(url: str) -> None:
    texts = planted(1)
    array = pa.array(texts, pa.large_string())
    rows = pa.table(
        {
            "trajectory_id": [f"t{number:03d}" for number in range(len(texts))],
            "reward": pa.array([float(-number) for number in range(len(texts))], pa.float32()),
            "size": pa.array([len(text) for text in texts], pa.int64()),
        }
    )
    found = near_duplicates(signatures(array), lambda wanted: array.take(pa.array(wanted)), rows)
    index = IntakeIndex.open(url, "desk")
    seen = [index.offer(row(f"t{number:03d}", text)) for number, text in enumerate(texts)]
    refused = {number: (int(s.trajectory_id[1:]), s.jaccard) for number, s in enumerate(seen) if s is not None}
    assert refused == found.removed


def test_the_most_alike_row_is_named_and_then_the_first_id(url: str) -> None:
    rng = random.Random(2)
    text = words(rng, 200)
    index = IntakeIndex.open(url, "desk", threshold=0.5)
    far, near = edited(text, rng, 20), edited(text, rng, 12)
    assert reference.jaccard(" ".join(far), " ".join(near)) < 0.5
    assert index.offer(row("a", " ".join(far))) is None
    assert index.offer(row("b", " ".join(near))) is None
    seen = index.offer(row("c", " ".join(text)))
    assert seen == Seen("b", reference.jaccard(" ".join(near), " ".join(text)))


def test_equal_texts_are_told_and_rows_without_words_never_alike(url: str) -> None:
    index = IntakeIndex.open(url, "desk")
    assert index.offer(row("a", "where is my order")) is None
    assert index.offer(row("b", "where is my order")) == Seen("a", 1.0)
    assert index.offer(row("a", "another text now")) == Seen("a", None)
    assert index.offer(row("e1", "?!")) is None
    assert index.offer(row("e2", "?!")) is None
    assert index.offer(row("e2", "?!")) == Seen("e2", None)
    with pytest.raises(UsageError, match="without trajectory_id"):
        index.offer(row("", "text"))


def test_a_removed_row_is_new_again_and_leaves_nothing_behind(url: str) -> None:
    index = IntakeIndex.open(url, "desk")
    empty = set(index.client.keys())
    assert index.offer(row("a", "where is my order now please")) is None
    assert index.remove("a")
    assert not index.remove("a")
    assert set(index.client.keys()) - empty == {b"cacherl:intake:desk:changes"}
    assert len(index) == 0
    assert index.offer(row("b", "where is my order now please")) is None
    assert index.offer(row("c", "x " * 50)) is None
    assert index.remove("c")
    assert index.offer(row("d", "where is my order now please")) == Seen("b", 1.0)


def test_a_candidate_that_cannot_be_verified_refuses_nothing(url: str) -> None:
    rng = random.Random(3)
    text = words(rng, 200)
    index = IntakeIndex.open(url, "desk")
    index.offer(row("a", " ".join(text)))
    index.client.delete(index.key("texts"))
    assert index.offer(row("b", " ".join(edited(text, rng, 1)))) is None


def test_a_row_is_not_refused_for_a_hash_alone(url: str) -> None:
    index = IntakeIndex.open(url, "desk")
    index.offer(row("a", "where is my order"))
    index.offer(row("b", "a quite different text"))
    for key in index.client.hkeys(index.key("exact")):  # as if the two texts had one hash
        index.client.hset(index.key("exact"), key, "b")
    assert index.offer(row("c", "where is my order")) == Seen("a", 1.0)
    index.client.hdel(index.key("texts"), "a")
    assert index.offer(row("d", "where is my order")) is None


def test_indexes_of_one_server_know_nothing_of_each_other(url: str) -> None:
    for name in ("desk", "desk.2"):
        assert IntakeIndex.open(url, name).offer(row("a", "the same text")) is None


@pytest.mark.parametrize("name", ["", "a:b", "a b", "ä", "x" * 101])
def test_a_name_that_could_be_part_of_a_key_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="no name of an index"):
        IntakeIndex.open("redis://127.0.0.1:1/0", name)


@pytest.mark.parametrize("threshold", [0.05, 0.5, 1.0])
def test_any_threshold_works(url: str, threshold: float) -> None:
    index = IntakeIndex.open(url, "desk", threshold, permutations=16)
    assert index.offer(row("a", "one two three four five six")) is None
    assert index.offer(row("b", "one, two, three, four, five, six!")) == Seen("a", 1.0)
    assert index.offer(row("c", "nothing of all that is here again")) is None


@pytest.mark.parametrize("other", [{"threshold": 0.7}, {"permutations": 64}, {"view": "user"}])
def test_an_index_of_other_settings_is_refused(url: str, other: dict[str, Any]) -> None:
    IntakeIndex.open(url, "desk")
    with pytest.raises(UsageError, match=f"was made with {next(iter(other))} .*choose another name"):
        IntakeIndex.open(url, "desk", **other)
    IntakeIndex.open(url, "desk")


def test_an_index_that_was_deleted_in_use_is_not_filled_without_settings(url: str) -> None:
    index = IntakeIndex.open(url, "desk")
    index.client.flushall()
    with pytest.raises(UsageError, match="deleted while it was in use"):
        index.offer(row("a", "text"))
    assert index.client.keys() == []


def test_nothing_in_the_store_is_a_pickle(url: str) -> None:
    index = IntakeIndex.open(url, "desk")
    index.offer(row("a", "where is my order"))
    members = {member for key in index.client.keys("*_bucket_??????*") for member in index.client.smembers(key)}
    assert members == {b"a"}
    # A pickle that would run a command is a key of no row, and stays bytes.
    evil = b"cposix\nsystem\n(S'touch pwned'\ntR."
    key = next(iter(index.client.keys("*_bucket_??????*")))
    index.client.sadd(key, evil)
    assert index.offer(row("b", "where is my order !")) == Seen("a", 1.0)
    assert index.offer(row("c", "where is my order to")) is None
    assert not Path("pwned").exists()


def test_of_writers_at_once_one_alone_is_told_new(url: str) -> None:
    """Four threads with a client each offer near-duplicates of the same 25 rows, in the same order."""
    rng = random.Random(5)
    originals = [words(rng, 200) for _ in range(25)]
    near = [[" ".join(edited(text, rng, 1)) for text in originals] for _ in range(4)]
    told: list[list[Seen | None]] = [[] for _ in range(4)]
    together = threading.Barrier(4, timeout=60)

    def work(writer: int) -> None:
        index = IntakeIndex.open(url, "desk")
        for number, text in enumerate(near[writer]):
            together.wait()
            told[writer].append(index.offer(row(f"{writer}-{number}", text)))

    threads = [threading.Thread(target=work, args=(writer,)) for writer in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, seen in enumerate(zip(*told, strict=True)):
        winners = [writer for writer, what in enumerate(seen) if what is None]
        assert len(winners) == 1
        assert {what.trajectory_id for what in seen if what is not None} == {f"{winners[0]}-{number}"}
    assert len(IntakeIndex.open(url, "desk")) == 25


def test_an_answer_that_was_lost_does_not_make_a_row_its_own_duplicate(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = IntakeIndex.open(url, "desk")
    done = index._executed
    calls = []

    def lost(pipe: Any) -> bool:
        calls.append(done(pipe))
        return len(calls) > 1

    monkeypatch.setattr(index, "_executed", lost)
    assert index.offer(row("a", "where is my order")) is None
    assert calls == [True]
    assert index.offer(row("a", "where is my order")) == Seen("a", None)


def intake(*args: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "curate.intake", *map(str, args)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_the_command_says_what_each_record_is(
    url: str, jsonl: Callable[..., Path], tmp_path: Path, command: Callable[..., int], capsys: Any
) -> None:
    rng = random.Random(6)
    text = words(rng, 120)
    given = records([" ".join(text), " ".join(edited(text, rng, 1)), "quite another thing"])
    source = jsonl([*given, {"messages": [{"role": "wizard", "content": "x"}]}])
    out = tmp_path / "new.jsonl"
    flags = ("--index", url, "--name", "desk", "--out", out)
    assert command(main, source, *flags) == 0
    said = capsys.readouterr().out.splitlines()
    first = said[0].removeprefix("traces.jsonl:0: new ")
    assert len(first) == 32
    assert said[1].startswith(f"traces.jsonl:1: duplicate of {first} (Jaccard 0.")
    assert said[2].startswith("traces.jsonl:2: new ")
    assert said[3].startswith("traces.jsonl:3: rejected (")
    assert said[4] == "4 records: 2 new, 1 duplicates, 0 accepted before, 1 rejected"
    assert said[-1] == "the index desk holds 2 trajectories"
    assert lines(out) == [given[0], given[2]]
    assert command(main, source, *flags, "--quiet") == 0
    assert "4 records: 0 new, 1 duplicates, 2 accepted before, 1 rejected" in capsys.readouterr().out
    assert lines(out) == [given[0], given[2]]


def test_records_keep_their_bytes_and_a_folder_gets_a_file_a_format(
    url: str, tmp_path: Path, command: Callable[..., int], capsys: Any
) -> None:
    line = '{"messages" : [{"role":"user","content":"ein \\u00e4rger"},{"role":"assistant","content":"ok"}], "n":1.50}'
    (tmp_path / "a.jsonl").write_text(line + "\n")
    pretty = [{"conversations": [{"from": "human", "value": "hello"}, {"from": "gpt", "value": "good day"}]}]
    (tmp_path / "b.json").write_text(json.dumps(pretty, indent=1))
    inputs = (tmp_path / "a.jsonl", tmp_path / "b.json", "--index", url)
    assert command(main, *inputs, "--out", tmp_path / "new") == 0
    assert (tmp_path / "new" / "openai_chat.jsonl").read_text() == line + "\n"
    assert lines(tmp_path / "new" / "sharegpt.jsonl") == pretty
    assert command(main, *inputs, "--name", "other", "--out", tmp_path / "one.jsonl") == 2
    assert "takes records of one format" in capsys.readouterr().err


def test_two_commands_at_once_accept_each_record_once(url: str, jsonl: Callable[..., Path], tmp_path: Path) -> None:
    source = jsonl(records([f"question {number} about {number * 7} things of mine" for number in range(60)]))
    outs = [tmp_path / "one.jsonl", tmp_path / "two.jsonl"]
    runs = [intake(source, "--index", url, "--out", out) for out in outs]
    ended = [(*run.communicate(timeout=120), run.returncode) for run in runs]
    assert [code for _, _, code in ended] == [0, 0], ended
    accepted = [json.dumps(record) for out in outs if out.exists() for record in lines(out)]
    assert sorted(accepted) == sorted(json.dumps(record) for record in lines(source))


def test_a_second_command_on_the_same_file_is_refused(url: str, tmp_path: Path, jsonl: Callable[..., Path]) -> None:
    from curate.intake.outbox import Outbox

    index = IntakeIndex.open(url, "desk")
    with (
        Outbox.open(index, tmp_path / "o.jsonl"),
        pytest.raises(UsageError, match="another run is writing"),
        Outbox.open(index, tmp_path / "o.jsonl"),
    ):
        pass


def test_killed_and_run_again_it_writes_each_record_once(url: str, jsonl: Callable[..., Path], tmp_path: Path) -> None:
    texts = [f"question {number} about {number * 7} things of mine" for number in range(300)]
    source, out = jsonl(records(texts)), tmp_path / "new.jsonl"
    flags = (source, "--index", url, "--out", out)
    for kill_after in (10, 70, 40):
        run = intake(*flags)
        assert run.stdout is not None
        told = 0
        for said in run.stdout:
            told += ": new " in said
            if told >= kill_after:
                break
        run.send_signal(signal.SIGKILL)
        run.communicate()
        assert run.returncode == -signal.SIGKILL
    run = intake(*flags)
    said, errors = run.communicate(timeout=120)
    assert run.returncode == 0, errors
    assert "300 records: " in said
    assert lines(out) == records(texts)


@pytest.mark.parametrize("written", ["", "a", "ab", "abc"])
@pytest.mark.parametrize("torn", [0, 1, 5])
@pytest.mark.parametrize("before", ["", '{"old": 1}\n'])
def test_what_a_killed_run_left_is_completed(url: str, tmp_path: Path, written: str, torn: int, before: str) -> None:
    """Three lines are in the stream; some of them, and a piece of the next, had reached the file."""
    from curate.intake.outbox import Outbox

    path = tmp_path / "new.jsonl"
    index = IntakeIndex.open(url, "desk")
    every = {name: f'{{"line": "{name}"}}\n' for name in "abc"}
    with Outbox.open(index, path) as outbox:
        pass
    for name, line in every.items():
        assert index.offer(row(name, f"text {name}"), also=outbox.posting(line.strip().encode())) is None
    left = "".join(every[name] for name in "abc" if name not in written)
    path.write_text(before + "".join(every[name] for name in written) + left[:torn])
    with Outbox.open(index, path):
        pass
    assert path.read_text() == before + "".join(every.values())
    with Outbox.open(index, path):
        pass
    assert path.read_text() == before + "".join(every.values())


def test_a_line_that_someone_else_did_not_end_is_left_alone(url: str, tmp_path: Path) -> None:
    from curate.intake.outbox import Outbox

    path = tmp_path / "new.jsonl"
    path.write_text('{"mine": 1}')
    with pytest.raises(UsageError, match="ends in the middle of a line"), Outbox.open(IntakeIndex.open(url, "d"), path):
        pass
    assert path.read_text() == '{"mine": 1}'


def test_a_server_that_goes_away_is_named_without_its_password(
    start: Callable[..., Server], jsonl: Callable[..., Path], tmp_path: Path
) -> None:
    server = start("--requirepass", PASSWORD)
    with_password = f"redis://:{PASSWORD}@127.0.0.1:{server.port}/0"
    place = f"redis://127.0.0.1:{server.port}/0"
    index = IntakeIndex.open(with_password, "desk")
    assert index.offer(row("a", "where is my order")) is None
    source = jsonl(records(["hello there"]))
    flags = (source, "--out", tmp_path / "o.jsonl", "--index")
    runs = [intake(*flags, with_password.replace(PASSWORD, PASSWORD + "x"))]
    runs[0].wait()
    server.stop()
    for call in (lambda: index.offer(row("b", "x")), lambda: len(index), lambda: index.remove("a")):
        with pytest.raises(
            UsageError, match=f"no answer from the index at redis://127.0.0.1:{server.port}/0"
        ) as caught:
            call()
        assert PASSWORD not in str(caught.value)
    runs.append(intake(*flags, with_password))
    for run in runs:
        said, errors = run.communicate(timeout=60)
        assert run.returncode == 2
        assert PASSWORD not in said + errors
        assert len(errors.splitlines()) == 1
        assert place in errors


@pytest.mark.parametrize(
    "url",
    [
        f"redis://:{PASSWORD}/x@host:1/0",  # a slash in the password
        f"redis://:{PASSWORD}#@host/0",
        f"redis://host/0/{PASSWORD}",
        f"http://:{PASSWORD}@host/0",
        f"{PASSWORD}",
        f"redis://[{PASSWORD}@host/0",
        f"redis://:{PASSWORD}@host:99999/0",
    ],
)
def test_a_wrong_url_is_refused_and_none_of_it_shown(url: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="write redis://") as caught:
        IntakeIndex.open(url, "desk")
    assert PASSWORD not in str(caught.value)


def test_a_url_is_shown_without_secrets() -> None:
    assert shown(f"rediss://me:{PASSWORD}@host:7/2?password={PASSWORD}#{PASSWORD}") == "rediss://me@host:7/2"
    assert shown(f"unix://:{PASSWORD}@/run/redis.sock?password={PASSWORD}") == "unix:///run/redis.sock"


def test_a_server_that_repeats_what_it_was_sent_shows_no_password() -> None:
    import redis

    old = f"unknown command `HELLO`, with args beginning with: `3`, `AUTH`, `default`, `{PASSWORD}`"
    for text in (old, f"what is {PASSWORD}", "what is a/b"):
        for url in (f"redis://:{PASSWORD}@host:1/0", "redis://:a%2Fb@host:1/0"):
            with pytest.raises(UsageError, match="the index at redis://host:1/0 refused: ") as caught, speaking_to(url):
                raise redis.ResponseError(text)
            if PASSWORD in url:
                assert PASSWORD not in str(caught.value)
            else:
                assert "a/b" not in str(caught.value)


def test_what_the_server_keeps_on_disk_is_known_after_its_restart(tmp_path: Path, start: Callable[..., Server]) -> None:
    kept = ("--dir", tmp_path, "--appendonly", "yes", "--appendfsync", "always")
    first = start(*kept)
    assert IntakeIndex.open(first.url, "desk").offer(row("a", "where is my order")) is None
    first.stop()
    index = IntakeIndex.open(start(*kept).url, "desk")
    assert index.offer(row("a", "where is my order")) == Seen("a", None)
    assert index.offer(row("b", "where is my order")) == Seen("a", 1.0)


def test_real_trajectories_are_new_once(url: str, shared: Path, tmp_path: Path, command: Callable[..., int]) -> None:
    source = shared / "tau_bench_airline_gpt4o.json.gz"
    flags = (source, "--index", url, "--out", tmp_path / "new.jsonl", "--quiet")
    assert command(main, *flags) == 0
    size = (tmp_path / "new.jsonl").stat().st_size
    index = IntakeIndex.open(url, "intake")
    assert len(index) == len(lines(tmp_path / "new.jsonl")) > 50
    assert command(main, *flags) == 0
    assert (tmp_path / "new.jsonl").stat().st_size == size


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--out", "x.parquet"), "appended to a plain .jsonl"),
        (("--out", "missing/x.jsonl"), "no folder"),
        (("--out", "x.jsonl"), "--index is needed"),
        (("--out", "x.jsonl", "--env-rules", "rules.yaml"), "no filter is run"),
    ],
)
def test_wrong_flags_are_named(
    flags: tuple[str, ...],
    message: str,
    jsonl: Callable[..., Path],
    command: Callable[..., int],
    capsys: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("CACHERL_INDEX", raising=False)
    assert command(main, jsonl(records(["a"])), *flags) == 2
    assert message in capsys.readouterr().err


def test_the_canonical_text_is_what_counts(url: str, make_chat: Callable[..., Any], tmp_path: Path) -> None:
    """System prompts, ids of calls and timestamps do not make a trajectory new."""
    index = IntakeIndex.open(url, "desk")
    one, other = row("a", "at 2024-05-15T15:00:00Z it was sent"), row("b", "at 2025-01-02 10:00 it was sent")
    assert dedup_text(one) != one["messages"][0]["content"]
    assert index.offer(one) is None
    seen = index.offer(other)
    assert seen is not None
    assert seen.trajectory_id == "a"
