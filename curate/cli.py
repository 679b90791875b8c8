"""How every command starts: settings from flags or `--config FILE`, one error boundary, and the `cacherl` script."""

from __future__ import annotations

import dataclasses
import importlib
import io
import os
import sys
import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from curate.errors import CacheRLError, UsageError
from curate.signals import orderly_stop, stopped_by

S = TypeVar("S")

_STOPPED = {2: "interrupted", 15: "terminated"}  # the numbers of SIGINT and SIGTERM

# Spaces that `str.isprintable` refuses although no terminal acts on them: no-break, narrow and ideographic ones.
_BLANKS = "\n\t\u00a0\u2002\u2003\u2009\u202f\u3000"

COMMANDS = {
    "curate": "curate.__main__",
    "curate.show": "curate.show",
    "curate.verify": "curate.verify",
    "curate.stats": "curate.stats",
    "curate.lineage": "curate.lineage",
    "curate.record": "curate.record",
    "curate.intake": "curate.intake.__main__",
    "curate.sandbox": "curate.sandbox.__main__",
    "synth.augment": "synth.augment",
    "cachebuild": "cachebuild.__main__",
    "cachebuild.audit": "cachebuild.audit",
    "cachebuild.recording": "cachebuild.recording",
    "cachebuild.withdraw": "cachebuild.withdraw",
    "cachebuild.compact": "cachebuild.compact",
    "cachebuild.demo": "cachebuild.demo",
    "train.sft": "train.sft",
    "train.grpo": "train.grpo",
    "train.sample": "train.sample",
    "train.evaluate": "train.evaluate",
    "train.compare": "train.compare",
    "train.estimate": "train.estimate",
    "train.mini": "train.mini.__main__",
    "train.mini.start": "train.mini.start",
    "app": "app.__main__",
    "app.accounts": "app.accounts",
    "app.export": "app.export",
    "app.restore": "app.restore",
}
"""Command name -> module with `main(argv) -> int`; each also runs as `python -m NAME`."""


def run(command: Callable[[], int]) -> int:
    """Run a command; an error that the user can mend becomes one line on stderr and the exit code.

    Returns:
        0 on success or "up to date", 2 for a wrong call or input, 130 when interrupted, 143 when terminated.
    """
    with orderly_stop():
        try:
            code = command()
            sys.stdout.flush()
            return code
        except BaseException as error:
            ended = _ended_by(error)
            if ended is None:
                raise
            return ended


def _ended_by(error: BaseException) -> int | None:
    """Say what ended a command; returns the exit code, or None for an error that only we can mend."""
    signal = stopped_by(error)
    if signal is not None:
        say(f"{_STOPPED[signal]}; run the same command again to go on")
        return 128 + signal
    if isinstance(error, CacheRLError):
        prefix = "" if error.exit_code == 0 else "error: "
        say(f"{prefix}{error}")
        return error.exit_code
    if isinstance(error, BrokenPipeError):
        _hush()
        return 0
    if isinstance(error, OSError):
        say(f"error: {error.strerror or error}: {error.filename or ''}".rstrip(": "))
        return 2
    return None


def _hush() -> None:
    """The reader of our output went away (`... | head`); keep the interpreter from complaining at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _nowhere() -> io.TextIOWrapper:
    """Stands for a stream that the caller has closed (`... >&-`)."""
    return os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")


def say(text: str) -> None:
    """One line to the person at the terminal; data goes to stdout, this to stderr."""
    line = " ".join(part.strip() for part in text.splitlines())
    sys.stderr.write(printable(line) + "\n")
    sys.stderr.flush()


def out(text: str = "") -> None:
    """One line of a command's result on stdout."""
    sys.stdout.write(printable(text) + "\n")


def printable(text: str) -> str:
    """Untrusted text without control characters, which could move a terminal's cursor or recolour it."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in _BLANKS else f"\\x{ord(c):02x}" for c in text)


def parse(
    settings: type[S],
    prog: str,
    description: str,
    argv: Sequence[str] | None,
    presets: Mapping[str, Mapping[str, Any]] | None = None,
) -> S:
    """Settings from the command line; what a preset and `--config FILE` say is the default that flags override.

    Args:
        settings: a frozen dataclass, nested where it is large; a `config` field makes `--config` known.
        prog: as the user types it, e.g. `python -m curate`.
        description: first lines of `--help`.
        argv: arguments without the program's name; None for those of the process.
        presets: settings by name, as a config file has them; a `preset` field makes `--preset` known.

    Raises:
        SystemExit: code 2 for a wrong flag or config file, 0 after `--help`.
    """
    import tyro

    sys.stdout, sys.stderr = sys.stdout or _nowhere(), sys.stderr or _nowhere()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal of another encoding shows escapes, and nothing fails
            stream.reconfigure(errors="backslashreplace")
    args = list(sys.argv[1:] if argv is None else argv)
    try:
        given = _given_settings(settings, args, presets or {})
        default: Any = tyro.MISSING_NONPROP if given is None else given
        parsed: S = tyro.cli(
            settings,
            prog=prog,
            description=description,
            args=args,
            default=default,
            config=(tyro.conf.OmitArgPrefixes,),
        )
        sys.stdout.flush()
    except CacheRLError as error:
        say(f"error: {error}")
        raise SystemExit(error.exit_code) from error
    except BrokenPipeError:
        _hush()
        raise SystemExit(0) from None
    return parsed


def load_config(settings: type[S], path: Path) -> S:
    """Settings from a YAML or JSON file; keys are the flags' names, nested as in `--help`.

    Raises:
        UsageError: if the file cannot be read, or a key or a value is wrong.
    """
    return typing.cast(S, _build(settings, _body(path), f"--config {path}"))


def _given_settings(settings: type[S], args: Sequence[str], presets: Mapping[str, Mapping[str, Any]]) -> S | None:
    """What the config file says over what the preset says; None without either, or with a preset there is none of."""
    path = _flag("--config", args)
    body = {} if path is None else _body(Path(path))
    name = (_flag("--preset", args) or body.get("preset")) if presets else None
    preset = presets.get(str(name))
    if path is None and preset is None:
        return None
    place = f"--preset {name}" if path is None else f"--config {path}"
    return typing.cast(S, _build(settings, _over(preset or {}, body), place))


def _body(path: Path) -> dict[str, Any]:
    import yaml

    try:
        body = yaml.safe_load(path.read_bytes())
    except (OSError, yaml.YAMLError) as error:
        raise UsageError(f"--config {path} cannot be read: {error}") from error
    if not isinstance(body, dict):
        raise UsageError(f"--config {path} must hold a mapping of settings, not {type(body).__name__}")
    return _underscored(body)


def _over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """One mapping of settings over another, nested ones too."""
    merged = dict(below)
    for name, value in above.items():
        under = merged.get(name)
        both = isinstance(under, Mapping) and isinstance(value, Mapping)
        merged[name] = _over(typing.cast(Mapping[str, Any], under), _underscored(value)) if both else value
    return merged


def _underscored(body: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(key).replace("-", "_"): value for key, value in body.items()}


def _build(settings: type[Any], body: Mapping[str, Any], place: str, base: Any = None) -> Any:
    """Settings from a mapping; what it does not name is as in `base`, or has its default."""
    import tyro
    from pydantic import TypeAdapter, ValidationError

    hints = typing.get_type_hints(settings)
    fields = {field.name: field for field in dataclasses.fields(settings)}
    unknown = sorted(str(key) for key in body if str(key).replace("-", "_") not in fields)
    if unknown:
        raise UsageError(f"{place}: unknown setting {unknown[0]!r}; known are {', '.join(fields)}")
    values: dict[str, Any] = {} if base is None else {name: getattr(base, name) for name in fields}
    given = _underscored(body)
    for name, field in fields.items():
        kind = hints[name]
        if dataclasses.is_dataclass(kind) and isinstance(given.get(name, {}), Mapping):
            nested = values.get(name)
            if nested is None and field.default_factory is not dataclasses.MISSING:
                nested = field.default_factory()
            values[name] = _build(typing.cast(type[Any], kind), given.get(name, {}), f"{place}: {name}", nested)
        elif name in given:
            try:
                values[name] = TypeAdapter(kind).validate_python(given[name])
            except ValidationError as error:
                raise UsageError(f"{place}: {name}: {error.errors()[0]['msg']}, not {given[name]!r}") from error
        elif base is None and field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            values[name] = tyro.MISSING
    return settings(**values)


def _flag(flag: str, args: Sequence[str]) -> str | None:
    """The value of a flag that has to be known before the others are read."""
    for index, arg in enumerate(args):
        if arg == flag and index + 1 < len(args):
            return args[index + 1]
        if arg.startswith(f"{flag}="):
            return arg.removeprefix(f"{flag}=")
    return None


def main(argv: Sequence[str] | None = None) -> int:
    """The `cacherl` script: `cacherl curate ...`, `cacherl synth.augment ...`, `cacherl curate.show ...`."""
    args = list(sys.argv[1:] if argv is None else argv)
    if not args or args[0] in ("-h", "--help"):
        out("usage: cacherl COMMAND [flags]; cacherl COMMAND --help says more\n")
        for name, path in COMMANDS.items():
            out(f"  {name:18} {_summary(path)}")
        return 0
    if args[0] not in COMMANDS:
        say(f"error: no command {args[0]!r}; known are {', '.join(COMMANDS)}")
        return 2
    module = importlib.import_module(COMMANDS[args[0]])
    return int(module.main(args[1:]))


def _summary(module: str) -> str:
    """First line of the module's docstring, read without importing it."""
    import ast
    import importlib.util

    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        return ""
    text = ast.get_docstring(ast.parse(Path(spec.origin).read_text())) or ""
    return text.split("\n")[0]
