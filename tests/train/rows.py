"""A small real tokenizer and rows for the tests of this room."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from curate.canonical import hash128
from curate.folder import FolderWriter, Manifest
from curate.readers.messages import message
from curate.schema import REJECT, TRAJECTORY
from curate.trajectory import Trajectory, trajectory_of

MARKS = ["<think>", "</think>", "<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>"]
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "get_order",
            "description": "Read an order.",
            "parameters": {"type": "object", "properties": {"order_id": {"type": "string"}}, "required": ["order_id"]},
        },
    }
]


def build_tokenizer():
    """A byte-level BPE tokenizer with Qwen3's marks, trained on a few lines."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    lines = [
        json.dumps(TOOLS),
        "You may call one or more functions to assist with the user query. order status open",
    ] * 4
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=600, initial_alphabet=alphabet, special_tokens=["<|endoftext|>"])
    raw.train_from_iterator(lines, trainer)
    raw.add_special_tokens([AddedToken(mark, special=True) for mark in ("<|im_start|>", "<|im_end|>")])
    raw.add_tokens([AddedToken(mark, special=False, normalized=False) for mark in MARKS])
    return PreTrainedTokenizerFast(
        tokenizer_object=raw, eos_token="<|im_end|>", pad_token="<|endoftext|>", clean_up_tokenization_spaces=False
    )


def call(name: str, arguments: object, call_id: str = "c0") -> dict:
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return {"id": call_id, "name": name, "arguments": text, "args_status": "json"}


def says(text: str | None = None, *calls: dict, thought: str | None = None, train: bool = True) -> dict:
    turn = message("assistant", text)
    return turn | {"reasoning_content": thought, "tool_calls": list(calls), "train": train}


def result(text: str, call_id: str = "c0", name: str = "get_order") -> dict:
    return message("tool", text) | {"tool_call_id": call_id, "name": name}


def row_of(*messages: dict, **given: object) -> Trajectory:
    place = {"source": "made", "env_id": "shop", "task_id": "t1", "task_group": "g1", "tools": json.dumps(TOOLS)}
    return trajectory_of(**{"trajectory_id": hash128("row"), "messages": list(messages)} | place | given)


def asked_orders(count: int) -> list[Trajectory]:
    """Dialogues of one user turn with one call."""
    return [
        row_of(
            message("user", f"Where is W{n}?"),
            says(None, call("get_order", {"order_id": f"W{n}"}), thought="I need the order."),
            result('{"status": "open"}'),
            says("It is open.", thought="The order is open."),
            trajectory_id=str(n),
        )
        for n in range(count)
    ]


def write_folder(path: Path, rows: Iterable[Trajectory]) -> Path:
    """Rows as a curated folder."""
    settings = {"env_rules": {}, "split": {"train_share": 1.0, "validation_share": 0.0, "test_share": 0.0}}
    with FolderWriter(path, Manifest("curated", "test", settings, [])) as writer:
        writer.table("trajectories", TRAJECTORY).write(rows)
        writer.table("rejects", REJECT).write([])
    return path


def build_model(tokenizer):
    """A random Qwen3 of 2 layers and 32 dimensions."""
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
        max_position_embeddings=2_048,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        tie_word_embeddings=True,
    )
    return Qwen3ForCausalLM(config)
