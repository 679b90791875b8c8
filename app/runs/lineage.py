"""Where a folder came from, as a tree of lines: what its manifest carries of all that went before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

MAX_LINES = 400
_SHORT = 12


def told_of_training(training: Mapping[str, Any]) -> dict[str, Any]:
    """A model's training.json in the form of a manifest's inputs."""
    made = training.get("made_from")
    made = made if isinstance(made, Mapping) else {}
    return {"kind": "model", "sha256": training.get("identity"), **made}


def tree(told: Mapping[str, Any]) -> list[str]:
    """Lines of the tree, the folder first; at most `MAX_LINES`.

    Args:
        told: kind, command, manifest_sha256 and inputs, as `curate.folder.folder_input` gives them.
    """
    lines: list[str] = []
    for line in _lines(told, "", ""):
        if len(lines) == MAX_LINES:
            return [*lines, "…"]
        lines.append(line)
    return lines


def _lines(told: Mapping[str, Any], first: str, rest: str, depth: int = 0) -> Iterator[str]:
    yield first + _title(told)
    inputs = told.get("inputs")
    parents = [each for each in inputs if isinstance(each, Mapping)] if isinstance(inputs, Sequence) else []
    for number, parent in enumerate(parents if depth < 40 else ()):
        last = number == len(parents) - 1
        yield from _lines(parent, rest + ("└─ " if last else "├─ "), rest + ("   " if last else "│  "), depth + 1)


def _title(told: Mapping[str, Any]) -> str:
    if told.get("kind") == "file":
        size = f"{told['bytes']:,} bytes" if isinstance(told.get("bytes"), int) else ""
        facts = [told.get("name"), size, *(told.get(key) for key in ("format", "env", "license"))]
    else:
        facts = [told.get("kind"), f"made by {told['command']}" if told.get("command") else ""]
    sha = str(told.get("manifest_sha256") or told.get("sha256") or "")[:_SHORT]
    return _one_line(", ".join(str(fact) for fact in (*facts, sha) if fact))


def _one_line(text: str) -> str:
    return " ".join(text.split())[:200]
