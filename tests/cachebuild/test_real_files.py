"""The real files: every recorded call, asked again behind its own history, finds its own result."""

import pytest

from cachebuild import ToolCache
from cachebuild.__main__ import main
from curate.__main__ import main as curate
from curate.folder import DatasetFolder
from curate.pairing import pair_calls


@pytest.mark.parametrize(
    ("name", "env"), [("tau_bench_airline_gpt4o", "airline"), ("tau_bench_retail_code_agent", "retail")]
)
def test_every_paired_call_is_an_exact_hit_with_its_own_result(shared, tmp_path, name, env):
    curated, out = tmp_path / "curated", tmp_path / "cache"
    assert curate([str(shared / f"{name}.json.gz"), "--env", env, "--out", str(curated)]) == 0
    assert main([str(curated), "--out", str(out), "--splits", "all"]) == 0
    cache, asked = ToolCache.open(out), 0
    for row in DatasetFolder.open(curated).rows("trajectories"):
        messages = row["messages"]
        for pair in pair_calls(messages):
            assert pair.result_index is not None
            session = cache.session(env, row["initial_state_id"], row["task_id"], messages[: pair.message_index])
            answer = session.call(pair.call["name"], pair.call["arguments"])
            recorded = messages[pair.result_index]["content"]
            assert answer.tier == ("exact" if answer.p >= 0.5 else "best_effort") and answer.p > 0
            assert recorded in [outcome.result for outcome in answer.outcomes]
            assert len(answer.outcomes) > 1 or answer.tier == "exact"
            asked += 1
    assert asked == DatasetFolder.open(out).manifest.counts["entries"] > 600
