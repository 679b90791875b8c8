"""Keys, tokens and passwords in text, told from placeholders; nothing found is ever passed on whole.

`find_secrets` is pure and takes linear time: a quick look (is there a long run of letters and digits, or a telling
word?) lets clean text through, and only what is left meets the patterns. Personal data: `curate/personal.py`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from math import log2

from curate.findings import Finding, apart, masked
from curate.personal import PERSONAL_KINDS, find_personal

__all__ = ["Finding", "find_secrets", "may_hold_secrets", "find_personal", "SECRET_KINDS", "PERSONAL_KINDS", "entropy"]

RUN, JOINED_RUN = 16, 32
"""Letters and digits in a row, and the same with `-` and `_`: the keys below have one of these runs, GitLab's aside."""
MIN_ENTROPY = 3.0
"""Bits per character: random base64 keys of 20-40 characters have 4 and more, hex ones 3.2 and more, `xxxx` none."""


@dataclass(frozen=True)
class _Kind:
    """One kind of secret: the texts with one of which it begins, and the pattern whose last group is the secret."""

    name: str
    anchors: tuple[bytes, ...]
    pattern: re.Pattern[str]
    min_entropy: float
    mixed: bool  # letters and digits both: words alone are no key


def _kind(name: str, anchors: str, pattern: str, bits: float = MIN_ENTROPY, *, mixed: bool = True) -> _Kind:
    return _Kind(name, tuple(anchors.encode().split()), re.compile(pattern), bits, mixed)


# A match starts where no key character stands before it, so that one long run is read once.
_START, _END = r"(?<![A-Za-z0-9_\-])", r"(?![A-Za-z0-9_\-])"
_HEADERS = r"(?:\\[nr]|[\s\"'+,:]|[A-Za-z][A-Za-z\-]{2,20}: [^\n]{0,80}\n){0,40}"
_AFTER = ("api", "access", "private", "auth", "encryption", "signing", "refresh", "bearer", "session")
_BEFORE = "|".join(rf"(?<={word})|(?<={word}[_\- ])" for word in _AFTER)
_NAME = rf"(?i:password|passwd|passphrase|secret|(?:{_BEFORE})(?:key|token))[A-Za-z0-9_\-]{{0,24}}"
_VALUE = r"([^\s\"'`,;<>(){}\[\]\\$]{8,200})(?![A-Za-z0-9(\[])"

_KEYS = (
    _kind(
        "private_key",
        "-----BEGIN",
        r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----" + _HEADERS + r"[A-Za-z0-9+/=]{32}"
        r"[^\-]{0,8000}(?:-----END [A-Z0-9 ]{0,40}-----)?",
        3.5,
    ),
    _kind("anthropic", "sk-ant-", _START + r"sk-ant-[a-z0-9]{2,12}-[A-Za-z0-9_\-]{32,200}", 3.5),
    _kind("openai", "sk-", _START + r"sk-(?!ant-)[A-Za-z0-9_\-]{32,220}" + _END, 3.5),
    _kind("aws", "AKIA ASIA ABIA ACCA", r"(?<![A-Za-z0-9])A(?:KIA|SIA|BIA|CCA)[A-Z2-7]{16}(?![A-Za-z0-9])"),
    _kind("github", "ghp_ gho_ ghu_ ghs_ ghr_", _START + r"gh[pousr]_[A-Za-z0-9]{36,251}" + _END, 3.5),
    _kind("github", "github_pat_", _START + r"github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}" + _END, 3.5),
    _kind("gitlab", "glpat- gldt- glrt- glptt- glsoat-", _START + r"gl[a-z]{2,4}-[A-Za-z0-9_\-.]{20,300}"),
    _kind("slack", "xox", _START + r"xox[abeoprs](?:\.xox[bp])?-[A-Za-z0-9\-]{20,250}"),
    _kind("slack", "xapp-", _START + r"xapp-\d-[A-Z0-9]{8,16}-\d{8,16}-[a-f0-9]{40,80}"),
    _kind(
        "slack",
        "hooks.slack.com",
        r"hooks\.slack\.com/(?:services|workflows)/T[A-Z0-9]{6,12}/[AB][A-Z0-9]{6,12}/([A-Za-z0-9/]{20,60})",
    ),
    _kind("google", "AIza", _START + r"AIza[A-Za-z0-9_\-]{35}" + _END, 3.5),
    _kind(
        "google", "GOCSPX- ya29.", _START + r"(?:GOCSPX-[A-Za-z0-9_\-]{28}|ya29\.[A-Za-z0-9_\-]{32,400})" + _END, 3.5
    ),
    _kind("huggingface", "hf_ api_org_", _START + r"(?:hf_|api_org_)[A-Za-z0-9]{34}" + _END, 3.5, mixed=False),
    _kind(
        "stripe",
        "sk_live_ sk_test_ rk_live_ rk_test_",
        _START + r"[sr]k_(?:live|test)_[A-Za-z0-9]{16,200}" + _END,
    ),
    _kind("stripe", "whsec_", _START + r"whsec_[A-Za-z0-9+/]{32,80}", 3.5),
    _kind("twilio", "SK", r"(?<![A-Za-z0-9])SK[0-9a-f]{32}(?![A-Za-z0-9])"),
    _kind("sendgrid", "SG.", _START + r"SG\.[A-Za-z0-9_\-]{22}\.[A-Za-z0-9_\-]{43}" + _END, 3.5),
    _kind("npm", "npm_", _START + r"npm_[A-Za-z0-9]{36}" + _END, 3.5),
    _kind("pypi", "pypi-Ag", _START + r"pypi-Ag[A-Za-z0-9_\-]{60,400}", 3.5),
    _kind("jwt", "eyJ", _START + r"eyJ[A-Za-z0-9_\-]{8,2000}\.eyJ[A-Za-z0-9_\-]{8,8000}\.[A-Za-z0-9_\-]{16,1000}", 3.5),
    _kind("bearer", "Bearer bearer", r"[Bb]earer {1,3}([A-Za-z0-9_\-.=+/~]{20,4000})", 3.5),
)
_ADDRESS = _kind(
    "basic_auth_url",
    "://",
    r"(?<=[a-z0-9])://[^\s/:@\"'<>\\]{1,80}:([^\s/@\"'<>\\]{3,120})@[A-Za-z0-9\[]",
    2.0,
    mixed=False,
)
_PASSWORD = _kind(
    "password",
    "passw passphrase secret token key",
    _NAME + r"\\?[\"']?\s{0,4}(?:=>|:=|[:=])\s{0,4}\\?[\"']?" + _VALUE,
    2.5,
)
SECRET_KINDS = tuple(dict.fromkeys(kind.name for kind in (*_KEYS, _ADDRESS, _PASSWORD)))
"""All kinds of secrets; where two patterns meet in one place, the earlier kind has it."""

_PLACEHOLDER = re.compile(
    r"(?i)example|your|xxxx|placeholder|change_?me|redacted|dummy|sample|masked|hidden|insert|replace|fake|\*\*\*|\.\.\."
    r"|0000|1234567|abcdef(?!\d)|secret_?key|api_?key|password|passwd|_token$|environ|getenv|none$|null$"
    r"|^https?:|^[.~]{0,2}/|\$\{|\{\{|^\$|^%|^<|^(?:postgres|root|admin|minioadmin|guest|username|rabbitmq|mongodb)$"
    # The keys that the makers' own pages print: Stripe's and jwt.io's.
    r"|4eC39HqLyjWDarjtT1zdp7dc|SflKxwRJSMeKKF2QT4fw"
)
_ALNUM = {code for code in range(128) if chr(code).isalnum()}
_RUNS = bytes(0x78 if code in _ALNUM else 0x20 for code in range(256))
_JOINED_RUNS = bytes(0x78 if code in _ALNUM or code in b"-_" else 0x20 for code in range(256))


def find_secrets(text: str) -> list[Finding]:
    """Real-looking secrets of a text, in the order of their places, none inside another.

    Args:
        text: any text, also JSON with its escapes.

    Returns:
        Findings whose `masked` shows the first characters and the length. A value that is a placeholder by its words
        ("YOUR_API_KEY", "AKIAIOSFODNN7EXAMPLE") or has too little entropy ("sk-xxxx") is none.
    """
    taken: list[Finding] = []
    kinds = _worth_a_look(text)
    if kinds:
        raw = text.encode("ascii", "replace")  # a byte for each character: places are the same
        for kind in kinds:
            taken = apart(taken, _found(kind, text, raw.lower() if kind is _PASSWORD else raw))
    return taken


def may_hold_secrets(text: str) -> bool:
    """The quick look alone: False only for texts in which, and in parts of which, `find_secrets` finds nothing."""
    return bool(_worth_a_look(text))


def _worth_a_look(text: str) -> list[_Kind]:
    """The kinds that the text may hold; the look is at its bytes, which Python folds and searches fastest."""
    raw = text.encode("utf-8", "replace")
    folded = raw.lower()
    kinds: list[_Kind] = []
    long_run = b"x" * RUN in raw.translate(_RUNS) or b"x" * JOINED_RUN in raw.translate(_JOINED_RUNS)
    if long_run or b"glpat-" in raw or b"-----BEGIN" in raw:
        kinds += _KEYS
    if b"@" in raw and b"://" in raw:
        kinds.append(_ADDRESS)
    if any(word in folded for word in _PASSWORD.anchors):
        kinds.append(_PASSWORD)
    return kinds


def _places(anchors: tuple[bytes, ...], raw: bytes) -> list[int]:
    places: list[int] = []
    for anchor in anchors:
        at = raw.find(anchor)
        while at >= 0:
            places.append(at)
            at = raw.find(anchor, at + 1)
    return sorted(places)


def _found(kind: _Kind, text: str, raw: bytes) -> Iterator[Finding]:
    """The findings of one kind by place; the pattern is tried only where an anchor says that one can begin."""
    end = 0
    for place in _places(kind.anchors, raw):
        match = kind.pattern.match(text, place) if place >= end else None
        if match is not None:
            group = match.lastindex or 0
            if _real(match[group], kind):
                end = match.end(group)
                yield Finding(kind.name, *match.span(group), masked(match[group]))


def _real(value: str, kind: _Kind) -> bool:
    body = value[:1_000]
    if entropy(body) < kind.min_entropy:
        return False
    if kind.mixed and not (any(map(str.isdigit, body)) and any(map(str.isalpha, body))):
        return False
    return kind.name == "private_key" or _PLACEHOLDER.search(body) is None


def entropy(value: str) -> float:
    """Shannon entropy of a text's own characters, in bits per character; 0 for an empty text."""
    return -sum(count / len(value) * log2(count / len(value)) for count in Counter(value).values()) if value else 0.0
