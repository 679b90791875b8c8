"""What a model teacher is asked: versioned texts, and the recorded dialogue so far as data, never as instructions."""

from __future__ import annotations

from synth.prompts.files import prompt_version
from synth.prompts.replies import read_trajectory_reply
from synth.prompts.writer import PromptWriter

__all__ = ["PromptWriter", "prompt_version", "read_trajectory_reply"]
