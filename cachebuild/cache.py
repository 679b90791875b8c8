"""`ToolCache`, the compiled cache, and `Session`, one episode against it: calls in, answers with tier and p out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from cachebuild.answer import Answer
from cachebuild.calibration import CalibrationSettings, FieldCounts, ToolCalibration, read_calibration
from cachebuild.index import EntryIndex
from cachebuild.key import KEY_VERSION, CallArguments, read_arguments
from cachebuild.lookup import Lookup, LookupSettings, Match, Query, ToolFacts, describe
from cachebuild.state import SessionState, follow
from curate.env import DEFAULT_RULES, EnvRules, ToolKind, env_rules
from curate.errors import FolderError
from curate.readers.messages import as_messages
from curate.trajectory import Message

if TYPE_CHECKING:
    from curate.folder import DatasetFolder

Arguments: TypeAlias = str | Mapping[str, Any] | None
"""A call's arguments: the text that a model wrote, or the values."""


@dataclass(frozen=True)
class Explanation:
    """Why a call is answered as it is.

    Attributes:
        answer: what `Session.call` would answer now.
        canonical_arguments: the arguments as the key sees them.
        state: JSON list of the related writes that the key stands on, empty without any.
        nearest: the recorded calls of the tool that come nearest, best first.
    """

    answer: Answer
    canonical_arguments: str
    state: str
    nearest: tuple[Match, ...]

    def __str__(self) -> str:
        lines = [
            f"{self.answer.tier}, p {self.answer.p:.2f}: {self.answer.reason}",
            f"arguments: {self.canonical_arguments}",
            f"related writes before this turn: {self.state or 'none'}",
        ]
        lines += [f"near: p {match.p:.2f} {match.candidate.arguments}; {describe(match)}" for match in self.nearest]
        return "\n".join(lines)


class ToolCache:
    """A cache folder, opened and checked; sessions of it are independent of each other."""

    def __init__(
        self, lookup: Lookup, rules: Mapping[str, EnvRules], kinds: Mapping[str, Mapping[str, ToolKind]]
    ) -> None:
        self.lookup = lookup
        self._rules = rules
        self._kinds = kinds

    @classmethod
    def open(cls, path: Path | str, settings: LookupSettings | None = None) -> ToolCache:
        """Open a folder that `python -m cachebuild` wrote.

        Raises:
            UsageError: if there is no such folder, or it is no cache; for settings that cannot be.
            FolderError: if it does not match its manifest, or was written with another version of the key.
        """
        from curate.folder import DatasetFolder

        settings = settings or LookupSettings()
        settings.check()
        folder = DatasetFolder.open(path, kinds=("cache",))
        version = folder.manifest.settings.get("key_version")
        if version != KEY_VERSION:
            raise FolderError(
                f"{path} was compiled with key version {version!r}, this version looks up {KEY_VERSION!r}. "
                "Compile it again: python -m cachebuild DIR --out CACHE"
            )
        rules = env_rules(folder.manifest.settings["env_rules"], place=str(path))
        tools, kinds = _read_tools(folder, rules)
        return cls(Lookup(EntryIndex.load(folder), tools, settings), rules, kinds)

    def state(self, env_id: str) -> SessionState:
        """The state at the start of an episode of an env."""
        return SessionState(self._rules.get(env_id, DEFAULT_RULES), self._kinds.get(env_id, {}))

    def session(
        self,
        env_id: str,
        initial_state_id: str | None = None,
        task_id: str | None = None,
        history: Sequence[Message | Mapping[str, Any]] = (),
        seed: int = 0,
        exclude_trajectory: str | None = None,
    ) -> Session:
        """Begin an episode, or go on from a recorded one.

        Args:
            env_id: the world.
            initial_state_id: the state that the episode starts from; None is the env's shared start.
            task_id: the task; without it, tools whose results hold within one task are unavailable.
            history: the messages so far, as they stand in a row or as plain OpenAI messages; their successful writes
                count as done.
            seed: picks among several recorded outcomes; sessions of equal seed answer alike.
            exclude_trajectory: a trajectory whose own records are not seen (for audits).

        Raises:
            RecordError: for a history that is neither.
        """
        state = self.state(env_id)
        follow(state, as_messages(history))
        return Session(self.lookup, state, env_id, initial_state_id, task_id, seed, exclude_trajectory)


class Session:
    """One episode: answers calls and keeps the writes that they made, as far as they are known."""

    def __init__(
        self,
        lookup: Lookup,
        state: SessionState,
        env_id: str,
        initial_state_id: str | None,
        task_id: str | None,
        seed: int,
        exclude_trajectory: str | None = None,
    ) -> None:
        self._lookup = lookup
        self._state = state
        self._env_id = env_id
        self._initial_state_id = initial_state_id
        self._task_id = task_id
        self._seed = seed
        self._exclude = exclude_trajectory
        self._calls = 0

    def call(self, tool: str, arguments: Arguments = None) -> Answer:
        """Answer the single call of a turn."""
        return self.turn([(tool, arguments)])[0]

    def turn(self, calls: Sequence[tuple[str, Arguments]]) -> list[Answer]:
        """Answer the calls of one turn; they do not see each other's writes, the next turn sees them all."""
        read = [(tool, read_arguments(arguments)) for tool, arguments in calls]
        answers = [self.look(tool, arguments) for tool, arguments in read]
        for (tool, arguments), answer in zip(read, answers, strict=True):
            self._take_in(tool, arguments, answer)
        return answers

    def look(self, tool: str, arguments: CallArguments) -> Answer:
        """What a call would be answered now; the session stays as it is."""
        return self._lookup.answer(self._query(tool, arguments))

    def explain(self, tool: str, arguments: Arguments = None, nearest: int = 3) -> Explanation:
        """Why a call would be answered as it would, with the nearest recorded calls; the session stays as it is."""
        query = self._query(tool, read_arguments(arguments))
        matches = self._lookup.matches(query)[:nearest] if query.arguments.values is not None else []
        return Explanation(
            self._lookup.answer(query), query.arguments.canonical, query.dependence.state, tuple(matches)
        )

    @property
    def state_unknown(self) -> bool:
        """Whether a write of this session may or may not have happened."""
        return self._state.doubtful

    def _query(self, tool: str, arguments: CallArguments) -> Query:
        return Query(
            self._env_id,
            self._initial_state_id,
            self._task_id,
            tool,
            arguments,
            self._state.dependence(tool, arguments),
            self._seed,
            self._exclude,
        )

    def _take_in(self, tool: str, arguments: CallArguments, answer: Answer) -> None:
        """A write counts if its equal was recorded and succeeded; if that failed, nothing changed; else: a doubt."""
        self._calls += 1
        kind, equal = self._state.kind(tool), answer.tier in ("exact", "normalised")
        if kind == "read" and equal and not answer.failed:
            self._state.read(tool, read_arguments(answer.matched_arguments), answer.result)
        if kind != "write":
            return
        if not equal:
            self._state.doubt(("call", self._calls), arguments)
        elif not answer.failed:
            # As recorded, so that the reads recorded behind it are found after a normalised hit too.
            self._state.write(tool, read_arguments(answer.matched_arguments), answer.result)


def _read_tools(
    folder: DatasetFolder, rules: Mapping[str, EnvRules]
) -> tuple[dict[tuple[str, str], ToolFacts], dict[str, dict[str, ToolKind]]]:
    """Facts by (env, tool), and kinds by env and tool."""
    settings = CalibrationSettings(**folder.manifest.settings["calibration"])
    counted = read_calibration(folder.rows("calibration"))
    tools: dict[tuple[str, str], ToolFacts] = {}
    kinds: dict[str, dict[str, ToolKind]] = {}
    for row in folder.rows("tools"):
        place = (row["env_id"], row["tool"])
        fields: dict[str, FieldCounts] = counted.get(place, {})
        id_fields = rules.get(row["env_id"], DEFAULT_RULES).id_fields
        kinds.setdefault(row["env_id"], {})[row["tool"]] = row["kind"]
        tools[place] = ToolFacts(
            kind=row["kind"],
            task_scoped=row["scope"] == "task",
            volatile=row["volatile"],
            policy=frozenset(row["policy"]),
            agreement=row["agreement"],
            normalised_agreement=row["normalised_agreement"],
            calibration=ToolCalibration(fields, settings, id_fields),
        )
    return tools, kinds
