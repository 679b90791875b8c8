"""Fixtures of this room; they need the extra `train`."""

from __future__ import annotations

import pytest

from curate.readers.messages import message
from tests.train.rows import build_model, build_tokenizer, call, result, row_of, says, write_folder

pytest.importorskip("torch", reason="needs the extra: pip install -e '.[train]'")


@pytest.fixture
def model(tmp_path):
    """A random tiny Qwen3 with its tokenizer, on disk."""
    path, tokenizer = tmp_path / "model", build_tokenizer()
    build_model(tokenizer).save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


@pytest.fixture
def tokenizer():
    """A fresh tokenizer without a chat template."""
    return build_tokenizer()


@pytest.fixture
def dialogue():
    """Two user turns, the first with a call and its result."""
    return row_of(
        message("system", "You help with orders."),
        message("user", "Where is W1?"),
        says(None, call("get_order", {"order_id": "W1"}), thought="I need the order."),
        result('{"status": "open"}'),
        says("It is open.", thought="The order is open."),
        message("user", "Thanks, bye."),
        says("Bye.", thought="Nothing is left."),
    )


@pytest.fixture
def cache_of(tmp_path):
    """Compile rows into a cache and open it: cache_of(*rows)."""

    def build(*rows):
        from cachebuild import ToolCache
        from cachebuild.compile import compile_cache
        from cachebuild.settings import CompileSettings

        write_folder(tmp_path / "rows", rows)
        compile_cache(CompileSettings(tmp_path / "rows", tmp_path / "cache"))
        return ToolCache.open(tmp_path / "cache")

    return build
