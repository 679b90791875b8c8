"""The main job on the three real files together: what the README promises of the whole chain."""

import filecmp
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import cachebuild.__main__
import cachebuild.audit
import curate.__main__
import curate.sandbox.__main__
import synth.augment
from cachebuild import ToolCache
from curate.folder import DatasetFolder, folder_input
from curate.lineage import lineage
from curate.manifest import is_index
from curate.pairing import pair_calls
from synth.turn_rule import strip_thinking

ENVS = {
    "tau_bench_airline_gpt4o": "airline",
    "tau_bench_retail_gpt4o": "retail",
    "tau_bench_retail_code_agent": "retail",
}


def chain(files: list[Path], root: Path, envs: list[str]) -> Path:
    """Run the four commands as a person would."""
    root.mkdir()
    names = [str(path) for path in files]
    assert curate.__main__.main([*names, "--env", *envs, "--license", "MIT", "--out", str(root / "curated")]) == 0
    assert synth.augment.main([str(root / "curated"), "--out", str(root / "augmented")]) == 0
    assert cachebuild.__main__.main([str(root / "augmented"), "--out", str(root / "cache"), "--splits", "all"]) == 0
    audit = [str(root / "cache"), "--queries", str(root / "augmented"), "--out", str(root / "audit")]
    assert cachebuild.audit.main(audit) == 0
    return root


@pytest.fixture(scope="module")
def job(shared, tmp_path_factory):
    files = [shared / f"{name}.json.gz" for name in ENVS]
    return chain(files, tmp_path_factory.mktemp("job") / "first", list(ENVS.values()))


@pytest.fixture(scope="module")
def augmented(job):
    return list(DatasetFolder.open(job / "augmented").rows("trajectories"))


def test_every_assistant_turn_has_a_thought_or_a_reason(augmented):
    turns = 0
    for row in augmented:
        entries = {entry["message_index"]: entry for entry in row["thinking"]}
        for index, message in enumerate(row["messages"]):
            if message["role"] == "assistant":
                turns += 1
                entry = entries[index]
                assert message["reasoning_content"] or (not message["train"] and entry["checks_failed"])
    assert turns > 4_000


def test_stripping_the_thoughts_gives_the_curated_rows(job, augmented):
    curated = DatasetFolder.open(job / "curated").rows("trajectories")
    for before, after in zip(curated, augmented, strict=True):
        assert strip_thinking(after) == before


def test_every_paired_call_finds_its_own_result(job):
    cache = ToolCache.open(job / "cache")
    calls = unsure = 0
    for row in DatasetFolder.open(job / "curated").rows("trajectories"):
        turns: dict[int, list] = {}
        for pair in pair_calls(row["messages"]):
            turns.setdefault(pair.message_index, []).append(pair)
        for index, pairs in turns.items():
            session = cache.session(
                row["env_id"], row["initial_state_id"], row["task_id"], history=row["messages"][:index]
            )
            answers = session.turn([(pair.call["name"], pair.call["arguments"]) for pair in pairs])
            for pair, answer in zip(pairs, answers, strict=True):
                recorded = row["messages"][pair.result_index]["content"]
                assert recorded in [outcome.result for outcome in answer.outcomes]
                # Recorded with several results in one state, so that none is likelier than not.
                unsure += answer.tier != "exact"
                assert answer.tier == "exact" or (answer.tier == "best_effort" and answer.p < 0.5)
                calls += 1
    assert calls > 2_400 and unsure < calls / 50


def test_the_same_files_elsewhere_give_the_same_bytes(job, shared, tmp_path):
    copies = []
    for name in ENVS:
        copies.append(tmp_path / f"{name}.json.gz")
        copies[-1].write_bytes((shared / f"{name}.json.gz").read_bytes())
    again = chain(copies, tmp_path / "again", list(ENVS.values()))
    names = sorted(str(path.relative_to(job)) for path in job.rglob("*") if path.is_file())
    assert names == sorted(str(path.relative_to(again)) for path in again.rglob("*") if path.is_file())
    kept = [name for name in names if not is_index(Path(name).name)]
    _, mismatch, errors = filecmp.cmpfiles(job, again, kept, shallow=False)
    assert (mismatch, errors) == ([], [])


def test_lineage_goes_back_to_the_raw_files(job):
    text = "\n".join(lineage(folder_input(DatasetFolder.open(job / "audit"))))
    assert all(name in text for name in ENVS)
    assert all(command in text for command in ("cachebuild.audit", "cachebuild", "synth.augment", "curate"))
    assert str(job) not in text


def _desk(folder: Path) -> Path:
    path = folder / "desk.jsonl.gz"
    assert curate.sandbox.__main__.main(["--episodes", "60", "--seed", "3", "--out", str(path)]) == 0
    return path


COMMANDS = {
    "curated": lambda root: ["curate", str(root / "desk.jsonl.gz")],
    "augmented": lambda root: ["synth.augment", str(root / "curated")],
    "cache": lambda root: ["cachebuild", str(root / "augmented"), "--splits", "all"],
    "audit": lambda root: ["cachebuild.audit", str(root / "cache"), "--queries", str(root / "augmented")],
}


def _run(arguments: list[str], out: Path, kill_after: float | None = None) -> int:
    process = subprocess.Popen(
        [sys.executable, "-m", *arguments, "--out", str(out)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=Path(__file__).parent.parent,
    )
    if kill_after is not None:
        time.sleep(kill_after)
        process.send_signal(signal.SIGKILL)
    return process.wait()


@pytest.mark.parametrize("name", COMMANDS)
def test_a_killed_command_leaves_nothing_or_everything_and_goes_on(name, tmp_path, kills):
    _desk(tmp_path)
    for step in COMMANDS:
        started = time.monotonic()
        assert _run(COMMANDS[step](tmp_path), tmp_path / step) == 0
        whole = time.monotonic() - started
        if step == name:
            break
    wanted = _bytes(tmp_path / name)
    rng = random.Random(name)
    victim = tmp_path / "victim"
    for _ in range(kills):
        _run(COMMANDS[name](tmp_path), victim, kill_after=rng.uniform(0.1, 1.0) * whole)
        if victim.exists():
            assert _bytes(victim) == wanted
            for path in victim.iterdir():
                path.unlink()
            victim.rmdir()
    assert _run(COMMANDS[name](tmp_path), victim) == 0
    assert _bytes(victim) == wanted


@pytest.fixture(params=[4, pytest.param(25, marks=pytest.mark.slow)])
def kills(request):
    return request.param


def _bytes(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if not is_index(path.name)}
