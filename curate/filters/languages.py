"""Which language users and assistants write in: the script decides where it can, py3langid where several share one."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection
from importlib import import_module
from importlib.util import find_spec

from curate.errors import UsageError
from curate.filters.base import Context, View

JUDGED_CHARS = 2_000
"""Characters of one side that are judged; more do not change the verdict and cost time."""
MIN_LETTERS = 40
"""Texts of an alphabet that many share are not judged below this: "OK, W123" is of any language."""
FEW_LETTERS = 10
"""Letters from which a script of few languages is enough to tell."""
KANA = 0.1
"""Share of kana in Japanese text, at the least; Chinese has none."""
OWN_SCRIPT = 0.5
"""Share of the letters from which a script decides alone."""

_SCRIPTS: dict[str, tuple[str, str]] = {
    "cyrillic": ("\u0400-\u04ff", "be bg kk ky mk mn ru sr uk"),
    "greek": ("\u0370-\u03ff", "el"),
    "hebrew": ("\u0590-\u05ff", "he"),
    "arabic": ("\u0600-\u06ff", "ar fa ps ug ur"),
    "devanagari": ("\u0900-\u097f", "hi mr ne"),
    "bengali": ("\u0980-\u09ff", "as bn"),
    "thai": ("\u0e00-\u0e7f", "th"),
    "georgian": ("\u10a0-\u10ff", "ka"),
    "hangul": ("\uac00-\ud7af\u1100-\u11ff", "ko"),
    "kana": ("\u3040-\u30ff", "ja"),
    "han": ("\u4e00-\u9fff\u3400-\u4dbf", "zh ja"),
}
_SCRIPT_LETTERS = {name: re.compile(f"[{letters}]") for name, (letters, _) in _SCRIPTS.items()}
_LANGUAGES = {name: frozenset(codes.split()) for name, (_, codes) in _SCRIPTS.items()}
# What is no prose: links, addresses, fenced code, JSON-like spans, ids and numbers.
_NO_PROSE = re.compile(
    r"```.*?(?:```|\Z)|https?://\S+|\S{0,64}@\S+|(?<![\w#-])[\w#-]*?[\d_][\w#-]*|[{}\[\]\"*#|<>]", re.DOTALL
)
PACKAGE = "py3langid"


def language(view: View, context: Context) -> str | None:
    """Users or assistants that write in a language that was not asked for; too short texts are fine."""
    wanted = context.settings.content.languages
    if not wanted:
        return None
    for role in ("user", "assistant"):
        found = language_of(_said(view, role))
        if found is not None and found not in wanted:
            return f"the {role} writes {found}, asked for {', '.join(wanted)}"
    return None


def language_of(text: str) -> str | None:
    """ISO 639-1 code of a text's language; None if it holds too few letters to tell."""
    prose = _NO_PROSE.sub(" ", text[: 2 * JUDGED_CHARS])[:JUDGED_CHARS]
    letters = sum(map(str.isalpha, prose))
    if not prose.isascii():
        candidates, own = _by_script(prose)
        if own >= max(OWN_SCRIPT * letters, FEW_LETTERS):
            return next(iter(candidates)) if len(candidates) == 1 else _classify(prose, candidates)
    return _classify(prose) if letters >= MIN_LETTERS else None


def _by_script(prose: str) -> tuple[frozenset[str], int]:
    """The languages of the script that most letters are of, and how many these are; Latin and rarer ones are none."""
    counts = Counter({name: len(pattern.findall(prose)) for name, pattern in _SCRIPT_LETTERS.items()})
    east = counts["kana"] + counts["han"]
    if east >= max(counts.values()):
        return frozenset({"ja"} if counts["kana"] >= KANA * east else {"zh"}), east
    name, count = counts.most_common(1)[0]
    return _LANGUAGES[name], count


def _classify(prose: str, candidates: frozenset[str] | None = None) -> str:
    ranked = _rank(prose)
    return next((code for code, _ in ranked if candidates is None or code in candidates), ranked[0][0])


def _said(view: View, role: str) -> str:
    if role == "assistant":
        return "\n".join(text for _, text in view.spoken)
    return "\n".join(message["content"] or "" for message in view.row["messages"] if message["role"] == role)


def check_languages(codes: Collection[str]) -> None:
    """Refuse codes that no verdict can be, before anything is read.

    Raises:
        UsageError: naming the code, or the package that tells languages apart if it is not installed.
    """
    if find_spec(PACKAGE) is None:
        raise UsageError(f"--languages needs {PACKAGE}; install it: pip install {PACKAGE}")
    known = sorted(code for code, _ in _rank("known"))
    for code in codes:
        if code not in known:
            raise UsageError(f"--languages {code!r} is no known ISO 639-1 code; known are {' '.join(known)}")


def _rank(text: str) -> list[tuple[str, float]]:
    """(language, score) of a text, the likeliest first; the package carries its model and asks no network."""
    ranked: list[tuple[str, float]] = import_module(PACKAGE).rank(text)
    return ranked
