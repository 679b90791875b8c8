"""The flags of `python -m curate`, and the inputs they describe; imports nothing heavy, so `--help` is quick."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import tyro

from curate.caps import CapSettings
from curate.decontaminate import DecontaminateSettings
from curate.dedup import DedupSettings
from curate.errors import UsageError
from curate.filters import FilterSettings
from curate.labels import LabelRules
from curate.normalise import Input
from curate.readers.expand import expand
from curate.readers.paths import is_hub
from curate.readers.registry import format_named
from curate.sample import SampleSettings
from curate.split import SplitSettings
from curate.tokens import TokenSettings


@dataclass(frozen=True)
class InputSettings:
    """What the user says of the inputs.

    Attributes:
        source: logical names, one for all inputs or one each; default the files' stems, the folders' names.
        env: worlds in which tool names and state live, one for all or one each; default the source.
        license: licences of the inputs, one for all or one each.
        format: names of formats, one for all or one each; default by the records' shape.
        group: dotted path of the field that tells tasks apart, e.g. info.task; default the format's own.
        env_rules: YAML file of rules per env: stop message, failures, tool kinds, id fields, scopes.
        skip_bad_files: keep the whole records of a file that cannot be read to its end.
    """

    source: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    license: tuple[str, ...] = ()
    format: tuple[str, ...] = ()
    group: str | None = None
    env_rules: Path | None = None
    skip_bad_files: bool = False


@dataclass(frozen=True)
class RunSettings:
    """Where the work is done; the output does not depend on it.

    Attributes:
        workers: processes that read and judge; 0 is one a core, and all of a cluster.
        engine: local, or ray: a Ray cluster whose nodes all see the folder of OUT, or a Ray started on this machine.
        ray_address: of the cluster, e.g. auto or HOST:6379; default RAY_ADDRESS, and without it a Ray is started here.
    """

    workers: int = 0
    engine: Literal["local", "ray"] = "local"
    ray_address: str | None = None

    def check(self) -> None:
        """Refuse settings that cannot be right.

        Raises:
            UsageError: naming the flag.
        """
        if self.workers < 0:
            raise UsageError(f"--workers must be 0 (one a core) or more, not {self.workers}")
        if self.ray_address is not None and self.engine != "ray":
            raise UsageError("--ray-address says nothing without --engine ray")


@dataclass(frozen=True)
class CurateSettings:
    """Settings of one run.

    Attributes:
        inputs: raw files (JSON, JSONL, .traj, Parquet, Arrow; .gz, .zst), folders of such, quoted patterns like
            "runs/*.jsonl", saved `datasets` folders, hub:ORG/NAME[@REVISION][:CONFIG][:SPLIT]; or one inputs.yaml: a
            list of {path, source, env, ...}.
        out: the dataset folder to write.
        input: names, worlds, licences and formats of the inputs.
        filter: thresholds.
        tokens: how tokens are counted, and bounds of length.
        decontaminate: evaluation tasks that must not be trained on.
        dedup: exact and near-duplicates, and what stands in published sets.
        label: what people said of trajectories, and what is done about it.
        cap: rows of one task, tool combination or source.
        sample: a seeded sample of what is left.
        split: shares by task group.
        run: where the work is done.
        overwrite: replace OUT.
        config: YAML file of these settings; flags override it.
    """

    inputs: tyro.conf.Positional[tuple[Path, ...]]
    out: Path
    input: InputSettings = field(default_factory=InputSettings)
    filter: FilterSettings = field(default_factory=FilterSettings)
    tokens: TokenSettings = field(default_factory=TokenSettings)
    decontaminate: DecontaminateSettings = field(default_factory=DecontaminateSettings)
    dedup: DedupSettings = field(default_factory=DedupSettings)
    label: LabelRules = field(default_factory=LabelRules)
    cap: CapSettings = field(default_factory=CapSettings)
    sample: SampleSettings = field(default_factory=SampleSettings)
    split: SplitSettings = field(default_factory=SplitSettings)
    run: RunSettings = field(default_factory=RunSettings)
    overwrite: bool = False
    config: Path | None = None

    def check(self) -> None:
        """Refuse settings that cannot be right.

        Raises:
            UsageError: naming the flag.
        """
        judged = (self.filter, self.tokens, self.decontaminate, self.dedup, self.label)
        for part in (*judged, self.cap, self.sample, self.split, self.run):
            part.check()


_COLUMNS = ("source", "env", "license", "format")


def resolve_inputs(settings: CurateSettings) -> list[Input]:
    """What is read, with the name, world and licence of each; the files of one folder or pattern share a source.

    Raises:
        UsageError: for a missing file, a flag given for some inputs only, an unknown format, or two inputs of one name.
    """
    paths, said = settings.inputs, settings.input
    if not paths:
        raise UsageError("no input files; give at least one, e.g. traces.jsonl.gz")
    if len(paths) == 1 and paths[0].suffix in (".yaml", ".yml"):
        named = _from_yaml(paths[0])
        given_twice = [name for name in _COLUMNS if getattr(said, name)] + ["group"] * (said.group is not None)
        if given_twice:
            raise UsageError(f"--{given_twice[0]} says nothing beside {paths[0]}; write it there, input by input")
    else:
        columns = {name: _each(getattr(said, name), len(paths), name) for name in _COLUMNS}
        named = [
            {"path": path, "group": said.group, **{name: columns[name][index] for name in _COLUMNS}}
            for index, path in enumerate(paths)
        ]
    expanded = [_expanded(given) for given in named]
    names = [inputs[0].source for inputs in expanded]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(f"two inputs have the name {twice[0]!r}, on which their ids rest; give each its own --source")
    return [given for inputs in expanded for given in inputs]


def _expanded(named: Mapping[str, Any]) -> list[Input]:
    """One input as the user names it: a file, or all files of a folder or pattern, which share its name."""
    if named["format"] is not None:
        format_named(named["format"])
    source, files = expand(named["path"])
    facts = {key: named[key] for key in ("env", "license", "format", "group")}
    return [Input(path=str(item.path), file=item.file, source=named["source"] or source, **facts) for item in files]


def _each(given: Sequence[str], count: int, flag: str) -> list[str | None]:
    if not given:
        return [None] * count
    if len(given) == 1 and (count == 1 or flag != "source"):
        return [given[0]] * count
    if len(given) == count:
        return list(given)
    raise UsageError(f"--{flag} has {len(given)} values for {count} inputs; give one for all, or one each")


def _from_yaml(path: Path) -> list[dict[str, Any]]:
    import yaml

    try:
        body = yaml.safe_load(path.read_bytes())
    except (OSError, yaml.YAMLError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error
    if not isinstance(body, list) or not body:
        raise UsageError(f"{path} must hold a list of inputs, each with a path")
    return [_entry(item, path, index) for index, item in enumerate(body)]


def _entry(item: Any, path: Path, index: int) -> dict[str, Any]:
    place = f"{path}: input {index}"
    known = ["path", *_COLUMNS, "group"]
    if not isinstance(item, dict) or not isinstance(item.get("path"), str):
        raise UsageError(f"{place} has no path")
    unknown = sorted(set(map(str, item)) - set(known))
    if unknown:
        raise UsageError(f"{place}: unknown key {unknown[0]!r}; known are {', '.join(known)}")
    wrong = [key for key, value in item.items() if value is not None and not isinstance(value, str)]
    if wrong:
        raise UsageError(f"{place}: {wrong[0]} must be a text")
    here = Path(item["path"])
    return {**dict.fromkeys(known), **item, "path": here if is_hub(here) else path.parent / here}
