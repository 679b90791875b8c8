from __future__ import annotations

import asyncio
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from curate.errors import UsageError
from synth.journal.folder import Journal
from synth.journal.places import PlaceTable
from synth.journal.segment import SegmentWriter

WRITER = """
import asyncio, random, sys
from pathlib import Path
from synth.journal.folder import Journal

async def work(journal, run, worker):
    dice, n = random.Random(f"{run}.{worker}"), 0
    while True:
        key, n = f"k{run}.{worker}.{n}", n + 1
        text = "x" * dice.choice((200, 2_000, 60_000))
        await journal.write({"t": "sent", "id": key, "key": key, "usd": 0.01})
        await journal.write({"t": "reply", "id": key, "key": key, "kind": "ok", "text": text, "usd": 0.001})
        print(key, flush=True)

async def main(journal):
    await asyncio.gather(*(work(journal, sys.argv[2], worker) for worker in range(8)))

with Journal.open(Path(sys.argv[1])) as journal:
    asyncio.run(main(journal))
"""


def sent(name: str, usd: float = 0.01) -> dict[str, Any]:
    return {"t": "sent", "id": f"id-{name}", "key": f"k{name}", "usd": usd, "at": "2026-01-01T00:00:00Z"}


def reply(name: str, usd: float = 0.004, kind: str = "ok", **more: Any) -> dict[str, Any]:
    record = {
        "t": "reply",
        "id": f"id-{name}",
        "key": f"k{name}",
        "kind": kind,
        "code": kind,
        "text": "Why.",
        "usd": usd,
    }
    return {**record, "usage": [10, 5, 0, 0, 0, 0], "model": "m", **more}


def turn(name: str, outcome: str = "accepted") -> dict[str, Any]:
    return {"t": "turn", "key": f"k{name}", "outcome": outcome, "from": None, "codes": [], "checks": "c"}


def segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("segment-*.jsonl"))


def test_records_come_back_in_the_run_that_wrote_them_and_after_reopening(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "j") as journal:
        asyncio.run(journal.write(sent("a"), reply("a", text="één\nline \u2028")))
        journal.write_now(turn("a"))
        assert journal.reply("ka") == reply("a", text="één\nline \u2028")
        assert journal.turn("ka") == turn("a"), "a turn's key is that of an ask, and neither hides the other"
    with Journal.open(tmp_path / "j") as journal:
        assert (journal.replies, journal.turns, journal.damaged, journal.torn_bytes) == (1, 1, 0, 0)
        assert journal.reply("ka") == reply("a", text="één\nline \u2028")
        assert journal.reply("kb") is None and journal.turn("kb") is None
        journal.write_now(turn("a", "tombstone"))
        assert journal.turn("ka") == turn("a", "tombstone"), "the last one counts"
    assert len(segments(tmp_path / "j")) == 2, "each run begins a segment"


def test_only_an_answer_that_stands_is_found_as_a_reply(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "j") as journal:
        journal.write_now(*(reply(kind, kind=kind) for kind in ("ok", "poor", "item", "again", "run")))
        assert [journal.reply(f"k{kind}") is not None for kind in ("ok", "poor", "item", "again", "run")] == [
            *[True] * 3,
            *[False] * 2,
        ]
        journal.write_now(reply("ok", kind="again"))
        found = journal.reply("kok")
        assert found is not None and found["kind"] == "ok", "a later failure does not hide the answer"


def test_half_a_surrogate_pair_is_stored_as_a_question_mark(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "j") as journal:
        journal.write_now(reply("a", text="a\ud83db"))
        found = journal.reply("ka")
    assert found is not None and found["text"] == "a?b"


def test_money_is_added_up_from_the_records(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "j") as journal:
        journal.write_now(sent("a"), sent("b", 0.02), reply("a", 0.004), sent("c", 0.03), reply("c", 0.0, "again"))
        journal.write_now({"t": "batch", "id": "T", "state": "intent", "keys": ["k1", "k2"], "usd": 0.5, "at": "x"})
        journal.write_now({"t": "batch", "id": "T", "state": "created", "batch_id": "b-1", "usd": None, "keys": None})
        journal.write_now(*[{**reply("1", 0.1), "id": "T"}] * 2, {**reply("2", 0.1, "again"), "id": "T"})
    with Journal.read(tmp_path / "j") as journal:
        account = journal.account
        assert account.spent == 204_000_000, "a batch's answer that was fetched twice is paid once"
        assert account.orphaned == 20_000_000
        assert account.reserved == 300_000_000
        assert account.answers["m"].count == 2
        (batch,) = journal.open_batches()
        assert (batch["keys"], batch["batch_id"], batch["state"]) == (["k1", "k2"], "b-1", "created")
    with Journal.open(tmp_path / "j") as journal:
        journal.write_now({"t": "batch", "id": "T", "state": "ended", "batch_id": "b-1"})
        assert journal.account.reserved == 0 and journal.open_batches() == []


@pytest.mark.parametrize("cut", [1, 2, 40, 10_000])
def test_a_torn_tail_is_cut_and_nothing_is_glued_to_it(tmp_path: Path, cut: int) -> None:
    with Journal.open(tmp_path / "j") as journal:
        journal.write_now(reply("a"))
        journal.write_now(reply("b", text="y" * 70_000))
    (path,) = segments(tmp_path / "j")
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    with Journal.open(tmp_path / "j") as journal:
        assert journal.torn_bytes > 0 and journal.reply("kb") is None and journal.reply("ka") is not None
        journal.write_now(reply("c"))
    assert path.read_bytes() == whole[: whole.index(b"\n") + 1]
    with Journal.read(tmp_path / "j") as journal:
        assert (journal.replies, journal.damaged) == (2, 0)


def test_damaged_lines_in_the_middle_are_passed_over_and_counted(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "j") as journal:
        journal.write_now(reply("a"))
    (path,) = segments(tmp_path / "j")
    bad = (
        b'{"t":"reply","key":1}\n{"t":"sent"}\n[1]\n\x00\xff\n\n{"t":"turn","key":[]}\n{"t":"reply","id":"i","key":"k"'
    )
    path.write_bytes(bad + b'}\n{"t":"later kind"}\n' + path.read_bytes())
    with Journal.open(tmp_path / "j") as journal:
        assert (journal.replies, journal.damaged) == (1, 7)
        assert journal.reply("ka") == reply("a")
        assert journal.account.spent == 4_000_000


def test_a_second_run_and_foreign_folders_are_refused(tmp_path: Path) -> None:
    with (
        Journal.open(tmp_path / "j"),
        pytest.raises(UsageError, match=r"another run is writing the journal .*--journal"),
        Journal.open(tmp_path / "j"),
    ):
        pass
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "diary.txt").touch()
    with pytest.raises(UsageError, match=r"holds diary\.txt"), Journal.open(tmp_path / "home"):
        pass
    with pytest.raises(UsageError, match="no folder"), Journal.open(tmp_path / "home" / "diary.txt"):
        pass
    (tmp_path / "j" / "journal.json").write_text('{"version": 9}')
    with pytest.raises(UsageError, match="format version 9"):
        Journal.read(tmp_path / "j")
    (tmp_path / "j" / "journal.json").unlink()
    (tmp_path / "j" / "segment-000001.jsonl").touch()
    with pytest.raises(UsageError, match=r"no journal\.json"), Journal.open(tmp_path / "j"):
        pass
    with pytest.raises(UsageError, match="No such file"):
        Journal.read(tmp_path / "none")


def test_segments_roll_and_every_record_is_found(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "j", roll_bytes=4_000) as journal:
        for n in range(100):
            journal.write_now(reply(str(n)))
        assert all(journal.reply(f"k{n}") == reply(str(n)) for n in range(100))
    assert len(segments(tmp_path / "j")) > 2
    with Journal.read(tmp_path / "j") as journal:
        assert all(journal.reply(f"k{n}") == reply(str(n)) for n in range(100))


def test_workers_write_segments_of_their_own_beside_the_run(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "j") as journal:
        journal.write_now(reply("mine"))
        workers = [SegmentWriter(tmp_path / "j") for _ in range(3)]
        for n, worker in enumerate(workers):
            worker.write(sent(str(n)), reply(str(n)))
        assert journal.reply("k0") is None
        journal.refresh()
        journal.refresh()
        assert all(journal.reply(f"k{n}") == reply(str(n)) for n in range(3))
        assert journal.account.spent == 4 * 4_000_000, "what was read before is not counted again"
        workers[0].write(reply("more"))
        journal.write_now(reply("mine too"))
        journal.refresh()
        assert journal.reply("kmore") is not None and journal.reply("kmine too") is not None
        assert journal.account.spent == 6 * 4_000_000
        for worker in workers:
            worker.close()


def test_a_tail_whose_writer_lives_is_left_alone(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "j"):
        pass
    worker = SegmentWriter(tmp_path / "j")
    worker.write(reply("a"))
    (path,) = segments(tmp_path / "j")
    with path.open("ab") as file:
        file.write(b'{"t":"rep')
    with Journal.open(tmp_path / "j") as journal:
        assert (journal.torn_bytes, journal.replies, journal.damaged) == (0, 1, 0)
    worker.close()


def test_many_tasks_share_the_disk_and_a_cancelled_one_harms_nobody(tmp_path: Path) -> None:
    async def main(journal: Journal) -> None:
        tasks = [asyncio.create_task(journal.write(reply(str(n)))) for n in range(500)]
        await asyncio.sleep(0)
        tasks[3].cancel()
        done = await asyncio.gather(*tasks, return_exceptions=True)
        assert [n for n, result in enumerate(done) if result is not None] == [3]

    with Journal.open(tmp_path / "j") as journal:
        asyncio.run(main(journal))
        assert journal.replies >= 499
    with Journal.read(tmp_path / "j") as journal:
        assert all(journal.reply(f"k{n}") for n in range(500) if n != 3)


def test_a_full_disk_reaches_everyone_who_waits_and_loses_nothing_acknowledged(tmp_path: Path) -> None:
    big = "z" * 3_000
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    async def main(journal: Journal) -> list[BaseException | None]:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
        writes = (journal.write(reply(str(n), text=big)) for n in range(40))
        results = await asyncio.wait_for(asyncio.gather(*writes, return_exceptions=True), 30)
        with pytest.raises(UsageError):
            await journal.write(reply("later"))
        return results

    with Journal.open(tmp_path / "j") as journal:
        journal.write_now(reply("before"))
        try:
            results = asyncio.run(main(journal))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    failed = [error for error in results if error is not None]
    assert failed and all(isinstance(error, UsageError) for error in failed)
    assert str(tmp_path / "j") in str(failed[0]) and "--journal" in str(failed[0])
    with Journal.open(tmp_path / "j") as journal:
        assert journal.damaged == 0 and journal.reply("kbefore") is not None
        assert all(journal.reply(f"k{n}") for n, error in enumerate(results) if error is None)


def test_after_a_failed_write_the_next_one_is_glued_to_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Journal.open(tmp_path / "j") as journal:
        journal.write_now(reply("a"))
        real = os.write

        def torn(handle: int, data: memoryview) -> int:
            real(handle, data[:50])
            raise OSError(28, "No space left on device")

        def refused(handle: int, size: int) -> None:
            raise OSError(5, "Input/output error")

        with monkeypatch.context() as patch:
            patch.setattr(os, "write", torn)
            patch.setattr(os, "ftruncate", refused)  # nor can it be taken back
            with pytest.raises(UsageError, match="No space left"):
                journal.write_now(reply("b"))
        journal.write_now(reply("c"))
    with Journal.open(tmp_path / "j") as journal:
        assert [journal.reply(f"k{name}") is not None for name in "abc"] == [True, False, True]
        assert journal.damaged == 0


@pytest.mark.parametrize("seed", range(2))
def test_a_killed_run_keeps_every_acknowledged_record(tmp_path: Path, seed: int) -> None:
    dice, acknowledged = random.Random(seed), set[str]()
    for run in range(4):
        child = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path / "j"), str(run)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        assert child.stdout is not None
        acknowledged.add(child.stdout.readline().strip())
        time.sleep(dice.uniform(0, 0.2))
        os.kill(child.pid, signal.SIGKILL)
        printed = child.stdout.read()
        acknowledged |= set(printed[: printed.rfind("\n") + 1].split())
        child.stdout.close()
        child.wait()
    with Journal.open(tmp_path / "j") as journal:
        assert journal.damaged == 0
        assert all(journal.reply(key) for key in acknowledged)
        assert journal.account.spent == journal.replies * 1_000_000
        assert journal.account.orphaned <= 4 * 8 * 10_000_000
    for path in segments(tmp_path / "j"):
        assert all(isinstance(json.loads(line), dict) for line in path.read_bytes().splitlines())


def test_the_table_of_places_holds_what_a_dict_would() -> None:
    dice, table, known = random.Random(1), PlaceTable(), dict[int, int]()
    for _ in range(5_000):
        name, place = dice.choice((dice.randrange(1, 3_000), dice.randrange(1, 1 << 64))), dice.randrange(1 << 60)
        table.put(name, place)
        known[name] = place
    assert len(table) == len(known)
    assert all(table.get(name) == place for name, place in known.items())
    assert table.get(1 << 63 | 12_345) is None
