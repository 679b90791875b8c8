"""The prompt files: numbered texts in sections, each known by its number and a hash of its words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Literal, TypeAlias

Per: TypeAlias = Literal["turn", "trajectory"]
Form: TypeAlias = Per | Literal["judge"]

FILES: dict[Form, str] = {"turn": "turn-1", "trajectory": "trajectory-1", "judge": "judge-1"}
"""The file in use for each form; older files stay, so that the version of an old thought or score can be read."""
_SECTION = re.compile(r"^## (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class PromptFile:
    """A prompt file as read.

    Attributes:
        version: name and the first 8 hex digits of the SHA-256 of its text.
        sections: texts by name.
    """

    version: str
    sections: dict[str, str]

    def notes(self, codes: Sequence[str]) -> list[str]:
        """What to avoid, a line a code, each once; a code without a section of its own gets the general line."""
        known = (self.sections.get(f"failed: {code}") or self._other(code) for code in codes)
        return list(dict.fromkeys(known))

    def _other(self, code: str) -> str:
        return self.sections["failed: other"].replace("{code}", re.sub(r"\W+", " ", code)[:60].strip())


@cache
def prompt_file(form: Form) -> PromptFile:
    """The file in use for asks per turn or per trajectory, or to a judge."""
    text = Path(__file__).with_name(f"{FILES[form]}.md").read_text(encoding="utf-8")
    parts = _SECTION.split(text)
    sections = {name: body.strip() for name, body in zip(parts[1::2], parts[2::2], strict=True)}
    return PromptFile(f"{FILES[form]}.{sha256(text.encode()).hexdigest()[:8]}", sections)


def prompt_version(form: Form) -> str:
    """The prompt's name in data and keys, e.g. "turn-1.3fa9c1d2": a changed file cannot pass for the old one."""
    return prompt_file(form).version
