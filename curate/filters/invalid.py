"""Filters of calls against the tools: unknown ones, and arguments that do not fit the schema or the other calls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from curate.canonical import parse_json
from curate.filters.base import Context, View
from curate.filters.schema_fit import Fits, compile_fit

if TYPE_CHECKING:
    from jsonschema.protocols import Validator


def unknown_tool(view: View, context: Context) -> str | None:
    """Calls of a tool that the recorded schemas do not have."""
    if view.row["tools_inferred"]:
        return None
    known = argument_checks(view.row["tools"])
    bad = [pair for pair in view.pairs if pair.call["name"] not in known and view.by_assistant(pair)]
    if len(bad) <= context.settings.max_unknown_tools:
        return None
    return f"message {bad[0].message_index}: {bad[0].call['name'][:80]}"


def invalid_arguments(view: View, context: Context) -> str | None:
    """Arguments that do not fit the recorded schema, or that are unlike the env's other calls."""
    checks = {} if view.row["tools_inferred"] else argument_checks(view.row["tools"])
    evidence = context.tools.get(view.row["env_id"], {}) if view.row["tools_inferred"] else {}
    found: list[str] = []
    for pair, arguments in zip(view.pairs, view.arguments, strict=True):
        if arguments is None or not view.by_assistant(pair):
            continue
        name = pair.call["name"]
        check, seen = checks.get(name), evidence.get(name)
        problem = check.problem(arguments) if check else seen.violation(arguments) if seen else None
        if problem is not None:
            found.append(f"message {pair.message_index}: {name}: {problem}")
    return found[0] if len(found) > context.settings.max_invalid else None


@dataclass(frozen=True)
class ArgumentCheck:
    """One tool's schema: `fits` accepts what plainly fits, anything else is the validator's to judge."""

    fits: Fits | None = None
    validator: Validator | None = None

    def problem(self, arguments: dict[str, Any]) -> str | None:
        """What does not fit, and where; None if all does, or nobody can say."""
        if self.validator is None or (self.fits is not None and self.fits(arguments)):
            return None
        from referencing.exceptions import Unresolvable

        try:
            error = next(self.validator.iter_errors(arguments), None)
        except (Unresolvable, RecursionError):
            return None  # a `$ref` out of the schema, or round in a circle: what it asks for is not known
        if error is None:
            return None
        place = ".".join(map(str, error.absolute_path))
        return f"{place + ': ' if place else ''}{error.message[:160]}"


@lru_cache(maxsize=256)
def argument_checks(tools: str) -> Mapping[str, ArgumentCheck]:
    """Tool -> check of its arguments, compiled once for all rows of the same tools."""
    schemas: Any = parse_json(tools)
    return {tool["function"]["name"]: _check(tool["function"].get("parameters") or {}) for tool in schemas}


def _check(schema: Any) -> ArgumentCheck:
    """The check of one schema; one that is itself no valid schema judges nothing."""
    import jsonschema
    from referencing import Registry

    try:
        jsonschema.Draft202012Validator.check_schema(schema)
        # An empty registry: a `$ref` to another address is refused, never fetched.
        return ArgumentCheck(compile_fit(schema), jsonschema.Draft202012Validator(schema, registry=Registry()))
    except (jsonschema.SchemaError, RecursionError):
        return ArgumentCheck()
