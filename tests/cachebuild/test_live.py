"""The cache beside the live desk."""

import json

import pytest

from cachebuild.__main__ import main as compile_main
from cachebuild.audit import main
from cachebuild.perturb import CHANGES, Scenery
from curate.__main__ import main as curate
from curate.folder import DatasetFolder
from curate.sandbox.export import export


@pytest.fixture(scope="module", params=["full", "mini"])
def desk(request, tmp_path_factory):
    """(preset, a cache of desk recordings)."""
    root = tmp_path_factory.mktemp(request.param)
    export(root / "desk.jsonl", 40, seed=3, preset=request.param, tasks_per_state=8, trials=3)
    assert curate([str(root / "desk.jsonl"), "--out", str(root / "curated")]) == 0
    assert compile_main([str(root / "curated"), "--out", str(root / "cache")]) == 0
    return request.param, root / "cache"


def live(desk, out, *flags):
    preset, cache = desk
    return main(
        [str(cache), "--live", "desk", "--preset", preset, "--episodes", "12", "--seed", "9", "--out", str(out), *flags]
    )


def test_rows_say_what_the_live_desk_said(desk, tmp_path, capsys):
    assert live(desk, tmp_path / "audit", "--ablations") == 0
    folder = DatasetFolder.open(tmp_path / "audit", kinds=("audit",))
    rows, episodes = list(folder.rows("audit")), list(folder.rows("episodes"))
    assert {row["source"] for row in rows} == {"live"} and len(episodes) == 12
    assert {"as played"} < {row["variant"] for row in rows}
    assert any(row["right"] for row in rows) and all(row["right"] or row["fidelity"] < 1 for row in rows)
    assert all(row["cause"] is not None for row in rows if row["tier"] == "exact" and not row["right"])
    assert all(row["right_calls"] <= row["cache_calls"] for row in episodes)
    assert len(list(folder.rows("ablations"))) == 6
    printed = capsys.readouterr().out
    assert "episodes played on the cache alone" in printed and "(ECE)" in printed and "stateless exact" in printed
    assert "start states that the cache lacks: 0 of " in printed
    assert sum(folder.manifest.counts["unknown_start_states"].values()) > 0
    assert "Is p honest?" in (tmp_path / "audit" / "report.md").read_text()


def test_equal_live_audits_give_equal_bytes(desk, tmp_path):
    assert live(desk, tmp_path / "a") == live(desk, tmp_path / "b") == 0
    one, two = ({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("a", "b"))
    assert one == two


def test_a_cache_without_desk_recordings_is_refused(make, write_folder, tmp_path, capsys):
    queries = write_folder([make("one", [("get_order", {"order_id": "W1"}, "open")])])
    assert compile_main([str(queries), "--out", str(tmp_path / "cache")]) == 0
    for flags, message in [
        (["--live", "desk"], "holds no recordings of the desk with preset full (env desk); its envs: shop"),
        ([], "name what to ask"),
        (["--live", "desk", "--queries", str(queries)], "name what to ask"),
        (["--live", "desk", "--episodes", "0"], "--episodes must be at least 1"),
    ]:
        assert main([str(tmp_path / "cache"), *flags]) == 2
        assert message in capsys.readouterr().err


TURNS = [
    [("list_orders", {"customer_id": "C1", "status": "sent"})],
    [("get_order", {"order_id": "O1"})],
    [("cancel_order", {"order_id": "O1", "reason": "no longer wanted"})],
]


@pytest.mark.parametrize("name", CHANGES)
def test_every_change_leaves_the_recorded_turns_alone(name):
    import random

    scenery = Scenery(
        {"list_orders": "read", "get_order": "read", "cancel_order": "write"},
        frozenset([("list_orders", "status"), ("list_orders", "page")]),
    )
    scenery.meet(TURNS)
    scenery.meet([[("get_order", {"order_id": "O2"}), ("list_orders", {"customer_id": "C2"}), ("x", "{broken")]])
    before = json.dumps(TURNS)
    changed = CHANGES[name](TURNS, scenery, random.Random(1))
    assert json.dumps(TURNS) == before and changed is not None and changed != TURNS
    assert CHANGES[name]([[("think", "{broken")]], scenery, random.Random(1)) is None
