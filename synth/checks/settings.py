"""Thresholds of the checks, as flags."""

from __future__ import annotations

from dataclasses import dataclass

from curate.errors import UsageError

CODES = (
    "no_thought",
    "too_short",
    "too_long",
    "markup",
    "unfinished",
    "language",
    "repetition",
    "meta_talk",
    "parroting",
    "action_fit",
    "hindsight_words",
    "future_entity",
    "future_copy",
)
"""Stable names of the checks on one thought, in the order in which a thought's codes are given."""
FUTURE = ("hindsight_words", "future_entity", "future_copy")
"""The checks that tell whether a thought knows what comes after its turn."""
JUDGED_CHARS = 20_000
"""Characters of a thought that are judged; `max_chars` cannot be more."""


@dataclass(frozen=True)
class CheckSettings:
    """What a written thought must not do.

    Attributes:
        min_chars: shorter thoughts fail (too_short).
        max_chars: longer thoughts fail (too_long).
        entity_digits: significant digits from which a number of a later message counts as peeked (future_entity).
        entity_chars: characters from which an id, path or quotation of a later message does (future_entity).
        copy_words: words in a row that only later messages hold (future_copy).
        copy_chars: characters in a row, of at least five words, that only later messages hold (future_copy).
        parrot_share: most of a thought's 5-word runs that may stand in the dialogue up to its turn (parroting).
        foreign_share: most of the letters that may be of a script that the user does not write (language).
        repeated_share: most of the 4-word runs that may be repetitions of others (repetition).
        repeated_lines: times that a line or sentence may not stand in a thought (repetition).
        max_opening_share: share of all thoughts above which a common opening of four words is warned of.
        max_near_duplicates: share of all thoughts above which near-duplicates are warned of.
        near_duplicate: share of common 5-word runs (Jaccard) from which two thoughts are near-duplicates.
        skip: codes of checks that are not made.
    """

    min_chars: int = 40
    max_chars: int = 4000
    entity_digits: int = 3
    entity_chars: int = 4
    copy_words: int = 8
    copy_chars: int = 40
    parrot_share: float = 0.5
    foreign_share: float = 0.1
    repeated_share: float = 0.2
    repeated_lines: int = 3
    max_opening_share: float = 0.15
    max_near_duplicates: float = 0.05
    near_duplicate: float = 0.8
    skip: tuple[str, ...] = ()

    def check(self) -> None:
        """Refuse values that cannot be right.

        Raises:
            UsageError: naming the flag.
        """
        if not 0 <= self.min_chars <= self.max_chars:
            raise UsageError(f"min-chars {self.min_chars} must be between 0 and max-chars {self.max_chars}")
        if self.max_chars > JUDGED_CHARS:
            raise UsageError(f"max-chars is {self.max_chars}; it must be at most {JUDGED_CHARS}")
        for name in ("entity_digits", "entity_chars", "copy_words", "copy_chars", "repeated_lines"):
            if getattr(self, name) < 2:
                raise UsageError(f"{name.replace('_', '-')} is {getattr(self, name)}; it must be at least 2")
        shares = ("parrot_share", "foreign_share", "repeated_share", "max_opening_share", "max_near_duplicates")
        for name in (*shares, "near_duplicate"):
            if not 0 < getattr(self, name) <= 1:
                raise UsageError(f"{name.replace('_', '-')} is {getattr(self, name)}; it must be in (0, 1]")
        unknown = [code for code in self.skip if code not in CODES]
        if unknown:
            raise UsageError(f"skip {unknown[0]!r} is no check; known are {', '.join(CODES)}")
