"""The checks on the thoughts of one trajectory: which codes a thought fails, and what was found.

A thought is judged by what stands before its turn, the turn's own action, and what comes after it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache

from curate.canonical import canonical_json, hash128, parse_json
from curate.env import DEFAULT_RULES, EnvRules, tool_kind
from curate.trajectory import ToolCall, Trajectory
from synth.checks.action import MAX_CALLS, call_fit, text_fit, tool_names
from synth.checks.form import language, main_script, repetition, shape
from synth.checks.future import copied_runs, peeked_values
from synth.checks.index import RowIndex
from synth.checks.phrasing import Before, hindsight, meta_talk
from synth.checks.settings import CODES, CheckSettings
from synth.checks.values import ThoughtText

CHECKS_VERSION = "1"
"""Changes when a check does: verdicts are comparable only within one version."""
DETAIL = 120
"""Characters of what was found that are shown."""
FEW_RUNS = 6
"""Runs of words below which a thought cannot parrot: it is a quotation and little else."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One check that a thought fails.

    Attributes:
        code: of the check, one of `CODES`.
        detail: what was found, on one line, at most `DETAIL` characters; text of a thought is quoted in it.
    """

    code: str
    detail: str


def fingerprint(settings: CheckSettings) -> str:
    """Hash of all that verdicts rest on beside the row and the thought."""
    return hash128(CHECKS_VERSION, canonical_json(asdict(settings)))


class RowChecks:
    """The checks on thoughts of one trajectory, in any order of its turns.

    What the row says is indexed once, when a check first asks for it.

    Args:
        row: the trajectory as recorded, without generated thoughts.
        settings: thresholds.
        rules: what is known of its env.
    """

    def __init__(self, row: Trajectory, settings: CheckSettings, rules: EnvRules = DEFAULT_RULES) -> None:
        self._messages = row["messages"]
        self._settings = settings
        self._rules = rules
        self._tools = _tool_names(row["tools"])
        self._row: Trajectory | None = row
        self._index: RowIndex | None = None
        self._first_calls: dict[tuple[str, str], int] | None = None
        self._first_results: dict[str, int] | None = None
        self._scripts: dict[int, str | None] = {}

    @property
    def index(self) -> RowIndex:
        """What stands where."""
        if self._index is None:
            assert self._row is not None
            self._index = RowIndex(self._row)
            self._row = None
        return self._index

    def failed(self, message_index: int, thought: str | None) -> tuple[str, ...]:
        """The codes that a thought fails, in the order of `CODES`; empty if it passes.

        Args:
            message_index: of the assistant turn that the thought leads to.
            thought: its text.
        """
        return tuple(finding.code for finding in self.found(message_index, thought))

    def found(self, message_index: int, thought: str | None) -> list[Finding]:
        """What each check that a thought fails has found, in the order of `CODES`."""
        if thought is None or not thought.strip():
            return [] if "no_thought" in self._settings.skip else [Finding("no_thought", "")]
        details: dict[str, str] = {}
        for code, detail in self._failures(message_index, ThoughtText(thought)):
            details.setdefault(code, detail)
        return [Finding(code, _safe(details[code])) for code in CODES if code in details]

    def floor(self, message_index: int, thought: str, other: RowChecks) -> tuple[str, ...]:
        """The checks that a thought fails by accident: judged by the later messages of another trajectory.

        `future_entity` and `future_copy` compare with later messages and have such a floor. The others do not read
        them: their false positives can only be counted on thoughts that are known to be good.
        """
        text = ThoughtText(thought)
        found = []
        if next(peeked_values(text, self.index, message_index, self._settings, other.index), None):
            found.append("future_entity")
        if next(copied_runs(text, self.index.run_places(text.runs), message_index, self._settings, other.index), None):
            found.append("future_copy")
        return tuple(code for code in found if code not in self._settings.skip)

    def _failures(self, at: int, thought: ThoughtText) -> Iterator[tuple[str, str]]:
        skip = self._settings.skip
        for code, detail in self._judged(at, thought):
            if detail is not None and code not in skip:
                yield code, detail

    def _judged(self, at: int, thought: ThoughtText) -> Iterator[tuple[str, str | None]]:
        yield from shape(thought, self._settings)
        yield "language", language(thought, self._user_script(at), self._settings)
        yield "repetition", repetition(thought, self._settings)
        index, places = self.index, self.index.run_places(thought.runs)
        yield "meta_talk", next(meta_talk(thought.lower, thought.word_set, lambda word: index.word(word) <= at), None)
        yield "parroting", self._parroting(at, places)
        calls = self._messages[at]["tool_calls"]
        fit = call_fit(thought, calls, self._tools, self._rules) if calls else text_fit(thought, self._tools)
        yield "action_fit", fit
        names = tuple(dict.fromkeys(call["name"] for call in calls[:MAX_CALLS]))
        fresh = [call for call in calls[:MAX_CALLS] if self._first_call(call) == at and self._reads(call)]
        before = Before(names, self._results(at), fresh)
        yield "hindsight_words", next(hindsight(thought.lower, thought.word_set, before), None)
        yield "future_entity", self._peeked(at, thought)
        yield "future_copy", next(copied_runs(thought, places, at, self._settings), None)

    def _peeked(self, at: int, thought: ThoughtText) -> str | None:
        value = next(peeked_values(thought, self.index, at, self._settings), None)
        if value is None:
            return None
        place = min(self.index.phrase(*form) for form in value.forms)
        return f"{value.kind} {value.text}, first in message {place}"

    def _parroting(self, at: int, places: Sequence[int]) -> str | None:
        if len(places) < FEW_RUNS:
            return None
        share = sum(place <= at for place in places) / len(places)
        if share <= self._settings.parrot_share:
            return None
        return f"{share:.0%} of its 5-word runs stand in the dialogue up to the turn"

    def _first_call(self, call: ToolCall) -> int:
        """The message that first made a call with these very arguments."""
        if self._first_calls is None:
            self._first_calls = {}
            for place, message in enumerate(self._messages):
                for made in message["tool_calls"]:
                    self._first_calls.setdefault((made["name"], made["arguments"]), place)
        return self._first_calls[call["name"], call["arguments"]]

    def _reads(self, call: ToolCall) -> bool:
        return tool_kind(call["name"], self._rules)[0] == "read"

    def _results(self, at: int) -> frozenset[str]:
        """Names of the tools with a result before the turn."""
        if self._first_results is None:
            self._first_results, waiting = {}, list[str]()
            for place, message in enumerate(self._messages):
                if message["tool_calls"]:
                    waiting = [call["name"] for call in message["tool_calls"]]
                elif message["role"] == "tool":
                    for name in waiting:
                        self._first_results.setdefault(name, place)
        return frozenset(name for name, place in self._first_results.items() if place < at)

    def _user_script(self, at: int) -> str | None:
        """The script of the user's last message that has one."""
        for place in range(at - 1, -1, -1):
            message = self._messages[place]
            if message["role"] == "user" and message["content"]:
                if place not in self._scripts:
                    self._scripts[place] = main_script(message["content"][:2000])
                if self._scripts[place] is not None:
                    return self._scripts[place]
        return None


def _safe(text: str) -> str:
    """A detail on one line, without control characters, cut."""
    text = "".join(char if char.isprintable() else " " for char in text[: 2 * DETAIL])
    text = " ".join(text.split())
    return text if len(text) <= DETAIL else text[: DETAIL - 1] + "\u2026"


@lru_cache(maxsize=32)
def _tool_names(tools: str) -> frozenset[str]:
    try:
        return tool_names(parse_json(tools))
    except ValueError:
        return frozenset()
