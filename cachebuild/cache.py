"""`ToolCache`, the compiled cache: opened and checked once, then asked by any number of sessions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cachebuild.bystanders import bystanders, read_seen
from cachebuild.calibration import CalibrationSettings, FieldCounts, ToolCalibration, read_calibration
from cachebuild.index import EntryIndex
from cachebuild.key import KEY_VERSION
from cachebuild.lookup import Lookup, LookupSettings, ToolFacts
from cachebuild.misses import Misses
from cachebuild.normalising import Counts, Normalising, of_env, read_ways
from cachebuild.policies import EVERY_OTHER, Policies, names_of, policy_of, read_policies
from cachebuild.recording import Recorder
from cachebuild.session import Session
from cachebuild.state import SessionState, follow
from cachebuild.steady import read_steady
from curate.cli import say
from curate.env import DEFAULT_RULES, EnvRules, ToolKind, env_rules
from curate.errors import FolderError
from curate.readers.messages import as_messages
from curate.trajectory import Message

if TYPE_CHECKING:
    from curate.folder import DatasetFolder


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

        Another run may replace it meanwhile: what is opened is one state of it, the one before or the one after. It
        stays what it was; open the folder again to see what was added or withdrawn since.

        Raises:
            UsageError: if there is no such folder, or it is no cache; for settings that cannot be.
            FolderError: if it does not match its manifest, or was written with another version of the key.
        """
        settings = settings or LookupSettings()
        settings.check()
        policies = read_policies(settings.policies)
        return read_steady(Path(path), lambda: cls._read(path, settings, policies))

    @classmethod
    def _read(cls, path: Path | str, settings: LookupSettings, policies: Policies) -> ToolCache:
        from curate.folder import DatasetFolder

        folder = DatasetFolder.open(path, kinds=("cache",), unchecked=("entries",))  # the index checks those
        version = folder.manifest.settings.get("key_version")
        if version != KEY_VERSION:
            raise FolderError(
                f"{path} was compiled with key version {version!r}, this version looks up {KEY_VERSION!r}. "
                "Compile it again: python -m cachebuild DIR --out CACHE"
            )
        rules = env_rules(folder.manifest.settings["env_rules"], place=str(path))
        tools, kinds = _read_tools(folder, rules, policies)
        _warn_unknown(policies, tools)
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
        misses: Misses | None = None,
        record: Recorder | None = None,
    ) -> Session:
        """Begin an episode, or go on from a recorded one.

        Args:
            env_id: the world.
            initial_state_id: the state that the episode starts from; None is the env's shared start.
            task_id: the task; without it, tools whose results hold within one task are unavailable.
            history: the messages so far, as they stand in a row or as plain OpenAI messages; their successful writes
                count as done.
            seed: picks among several recorded outcomes by hash(seed, key). Rollouts of one group that share the seed
                get the same answers to equal calls in an equal state; a seed for each lets the outcomes vary between
                them as they varied when they were recorded.
            exclude_trajectory: a trajectory whose own records are not seen (for audits).
            misses: who answers where the cache has nothing, `Live(call)` or `Simulator(guess)`; without, such calls
                get the typed unavailable result.
            record: keeps what they answered, to be compiled later.

        Raises:
            RecordError: for a history that is neither.
        """
        state = self.state(env_id)
        messages = as_messages(history)
        follow(state, messages)
        place = (env_id, initial_state_id, task_id)
        return Session(self.lookup, state, *place, seed, exclude_trajectory, misses, messages, record)


def _read_tools(
    folder: DatasetFolder, rules: Mapping[str, EnvRules], policies: Policies
) -> tuple[dict[tuple[str, str], ToolFacts], dict[str, dict[str, ToolKind]]]:
    """Facts by (env, tool), and kinds by env and tool."""
    settings = CalibrationSettings(**folder.manifest.settings["calibration"])
    counted = read_calibration(folder.rows("calibration"))
    tools: dict[tuple[str, str], ToolFacts] = {}
    kinds: dict[str, dict[str, ToolKind]] = {}
    rows = list(folder.rows("tools"))
    ways: dict[str, dict[str, Counts]] = {}
    for row in rows:
        ways.setdefault(row["env_id"], {})[row["tool"]] = read_ways(row["normalised"])
    together = {env_id: of_env(tools_ways.values()) for env_id, tools_ways in ways.items()}
    for row in rows:
        place = env_id, tool = row["env_id"], row["tool"]
        fields: dict[str, FieldCounts] = counted.get(place, {})
        id_fields = rules.get(row["env_id"], DEFAULT_RULES).id_fields
        kinds.setdefault(row["env_id"], {})[row["tool"]] = row["kind"]
        policy = policy_of(policies, *place)
        tools[place] = ToolFacts(
            kind=row["kind"],
            task_scoped=row["scope"] == "task",
            volatile=row["volatile"],
            policy=policy.allowed(row["kind"], frozenset(row["policy"])),
            agreement=row["agreement"],
            calibration=ToolCalibration(fields, settings, id_fields),
            normalising=Normalising(ways[env_id][tool], together[env_id], id_fields),
            bystanders=bystanders(read_seen(row["behind"])),
            lowest_p=policy.lowest_p,
        )
    return tools, kinds


def _warn_unknown(policies: Policies, tools: Mapping[tuple[str, str], ToolFacts]) -> None:
    """Say which policies are about no tool of the cache: a misspelled name would be served as before."""
    known = {EVERY_OTHER}.union(*(names_of(*place) for place in tools))
    for name in sorted(policies.keys() - known):
        say(f"note: --policies names {name!r}, of which the cache has no call")
