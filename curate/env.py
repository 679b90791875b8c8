"""What is known of a world: its stop message, how its failures read, and which of its tools read, write, or neither."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from curate.errors import UsageError

ToolKind: TypeAlias = Literal["read", "write", "pure", "terminal"]

STOP = "###STOP###"
FAILED = r'^(# \w+ = ")?Error\b'

READ_VERBS = frozenset(
    "get list search find lookup look read show view fetch query check describe count browse retrieve inspect "
    "compare track estimate verify validate explain summarize cat ls grep head tail stat".split()
)
WRITE_VERBS = frozenset(
    "create add update set modify change edit write delete remove cancel book order buy pay refund return exchange "
    "send post put patch insert upload move rename copy assign close open submit apply approve reject schedule "
    "reserve issue start stop run execute install merge commit push reply register subscribe transfer".split()
)
PURE_TOOLS = frozenset("think thinking calculate calculator calc".split())
TERMINAL_TOOLS = re.compile(r"^(transfer_|handoff_|escalate_to_human|end_conversation|finish$|done$)")
_WORD = re.compile(r"[A-Z]{2,}s(?![a-z])|[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


@dataclass(frozen=True)
class EnvRules:
    """The user's word on one env; what is left out is guessed.

    Attributes:
        stop: regex of the user's message that ends a dialogue.
        failed: regex of the text of a failed result, beside `is_error` and a JSON `error`.
        kinds: tool -> read, write, pure or terminal.
        id_fields: further argument and result fields that hold ids.
        scopes: tool -> "env" or "task": whether tasks share its results.
    """

    stop: str = re.escape(STOP)
    failed: str = FAILED
    kinds: dict[str, ToolKind] = field(default_factory=dict)
    id_fields: tuple[str, ...] = ()
    scopes: dict[str, Literal["env", "task"]] = field(default_factory=dict)


DEFAULT_RULES = EnvRules()


def load_env_rules(path: Path | None) -> dict[str, EnvRules]:
    """Rules per env from a YAML file of the form `{env_id: {stop: REGEX, kinds: {tool: read}, ...}}`.

    Raises:
        UsageError: naming the env and the field that is wrong.
    """
    if path is None:
        return {}
    import yaml

    try:
        body = yaml.safe_load(path.read_bytes())
    except (OSError, yaml.YAMLError) as error:
        raise UsageError(f"--env-rules {path} cannot be read: {error}") from error
    if not isinstance(body, dict):
        raise UsageError(f"--env-rules {path} must hold a mapping env -> rules")
    return env_rules(body, place=f"--env-rules {path}")


def env_rules(body: Mapping[str, Any], place: str = "env rules") -> dict[str, EnvRules]:
    """Checked rules from plain mappings, as they stand in a YAML file or a manifest."""
    from pydantic import TypeAdapter, ValidationError

    rules = {}
    for env_id, given in body.items():
        if not isinstance(given, Mapping):
            raise UsageError(f"{place}: env {env_id!r}: must hold a mapping of rules, not {type(given).__name__}")
        unknown = [key for key in given if key not in EnvRules.__dataclass_fields__]
        if unknown:
            known = ", ".join(EnvRules.__dataclass_fields__)
            raise UsageError(f"{place}: env {env_id!r}: unknown rule {unknown[0]!r}; known are {known}")
        try:
            rule = TypeAdapter(EnvRules).validate_python(given)
            for pattern in (rule.stop, rule.failed):
                re.compile(pattern)
        except ValidationError as error:
            first = error.errors()[0]
            rule_name = ".".join(map(str, first["loc"]))
            raise UsageError(f"{place}: env {env_id!r}: {rule_name}: {first['msg']}, not {first['input']!r}") from error
        except re.error as error:
            raise UsageError(f"{place}: env {env_id!r}: {error.pattern!r} is no regex: {error}") from error
        rules[str(env_id)] = rule
    return rules


def tool_kind(
    name: str, rules: EnvRules = DEFAULT_RULES, annotations: Mapping[str, Any] | None = None
) -> tuple[ToolKind, str]:
    """What a tool does to its world, and how we know.

    Args:
        name: of the tool; prefixes of servers (`fs-read_file`) and camel case are taken apart.
        rules: the user's word goes first.
        annotations: MCP hints (`readOnlyHint`, `destructiveHint`) where the schema carries them.

    Returns:
        (kind, evidence); evidence is "user", "mcp", "name" or "unknown". An unknown tool counts as a write.
    """
    if name in rules.kinds:
        return rules.kinds[name], "user"
    by_name = _kind_by_name(name)
    if by_name in ("pure", "terminal"):
        return by_name, "name"
    hints = annotations or {}
    if hints.get("readOnlyHint") is True:
        return "read", "mcp"
    if hints.get("readOnlyHint") is False or hints.get("destructiveHint") is True:
        return "write", "mcp"
    return (by_name, "name") if by_name else ("write", "unknown")


@lru_cache(maxsize=65_536)
def name_words(name: str) -> tuple[str, ...]:
    """Lower-case words of an identifier: snake, kebab and camel case and digits are taken apart, `itemIDs` too."""
    return tuple(word.lower() for word in _WORD.findall(name))


@cache
def _kind_by_name(name: str) -> ToolKind | None:
    if TERMINAL_TOOLS.match(name):
        return "terminal"
    words = name_words(name)
    if words and words[-1] in PURE_TOOLS:
        return "pure"
    for word in words:
        if word in READ_VERBS:
            return "read"
        if word in WRITE_VERBS:
            return "write"
    return None


TOOL_KINDS: tuple[ToolKind, ...] = get_args(ToolKind)
