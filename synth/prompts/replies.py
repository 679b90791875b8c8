"""The answer to a request for a whole trajectory, taken apart into thoughts."""

from __future__ import annotations

import re
from collections.abc import Sequence

_HEADER = re.compile(r"[ \t>]{0,8}(?:#{1,6}|\*\*|)[ \t]{0,8}\**step[ \t]{1,8}#?(\d{1,9})\b(.{0,200})$", re.IGNORECASE)
_FENCE = re.compile(r"\s*```\w{0,20}\s*")
_TITLE_MARKS = " \t*:.#-\u2013\u2014"


def read_trajectory_reply(text: str, indices: Sequence[int]) -> dict[int, str]:
    """The thoughts of an answer by message index.

    Code fences around a thought or the whole are taken off. A step that is missing, empty or not asked for is not in
    the result; neither is one that was answered twice, for nobody knows which is meant.

    Args:
        text: the answer.
        indices: the message indices that were asked for.
    """
    bodies: dict[int, list[str]] = {index: [] for index in indices}
    step: int | None = None
    lines: list[str] = []
    for line in [*text.rpartition("</think>")[2].splitlines(), None]:
        found = None if line is None else _step(line)
        if line is not None and found is None:
            lines.append(line)
            continue
        if step in bodies:
            bodies[step].append(_thought(lines))
        step, title = found or (None, "")
        lines = [title]
    return {index: texts[0] for index, texts in bodies.items() if len(texts) == 1 and texts[0]}


def _step(line: str) -> tuple[int, str] | None:
    """(number, what else stands on the line) if a line opens a step; a sentence that begins with "Step 4" does not."""
    found = _HEADER.match(line)
    if found is None:
        return None
    rest = found[2].strip(_TITLE_MARKS)
    marked = line.lstrip(" \t>").startswith(("#", "**"))
    return (int(found[1]), rest) if marked or not rest else None


def _thought(lines: Sequence[str]) -> str:
    """A step's text; words on its header line count only if nothing else does, they are a title otherwise."""
    body = "\n".join(lines[1:]).strip().split("\n")
    if body and _FENCE.fullmatch(body[0]):
        body = body[1:]
    if body and _FENCE.fullmatch(body[-1]):
        body = body[:-1]
    return "\n".join(body).strip() or lines[0]
