"""How often scripted agents slip: from the expert, who does not, to the clumsy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from curate.errors import UsageError


@dataclass(frozen=True, slots=True)
class Skill:
    """One agent's weaknesses, each the chance to slip where there is occasion to.

    Args:
        name: what records carry.
        share: how often this agent plays in the mix.
        skip_read: acts without the read that should come first.
        wrong_id: mistypes an id.
        malformed: leaves out an argument, gives it a wrong type, or writes broken JSON.
        repeat: makes the same read twice.
        unneeded: makes a call that nobody needs.
        no_read_back: does not read after a write, and answers from what was known before.
        early_stop: says that it is done without doing it.
        policy: does what the policy forbids, or skips the confirmation.
        wrong_pick: takes another variant, slot or order than asked for.
        recover: mends a failed call instead of giving up.
        retries: attempts at a tool that times out.
        parallel: reads several orders in one turn.
    """

    name: str
    share: float
    skip_read: float = 0.0
    wrong_id: float = 0.0
    malformed: float = 0.0
    repeat: float = 0.0
    unneeded: float = 0.0
    no_read_back: float = 0.0
    early_stop: float = 0.0
    policy: float = 0.0
    wrong_pick: float = 0.0
    recover: float = 1.0
    retries: int = 3
    parallel: float = 0.0


SKILLS: Final = {
    skill.name: skill
    for skill in (
        Skill("expert", 0.20, unneeded=0.01, parallel=0.6),
        Skill("skilled", 0.20, 0.05, 0.02, 0.02, 0.03, 0.04, 0.10, 0.03, 0.08, 0.04, 0.9, 3, 0.3),
        Skill("average", 0.22, 0.20, 0.05, 0.05, 0.06, 0.08, 0.30, 0.09, 0.25, 0.12, 0.7, 2, 0.1),
        Skill("hasty", 0.20, 0.40, 0.06, 0.06, 0.02, 0.02, 0.45, 0.14, 0.40, 0.14, 0.55, 1),
        Skill("clumsy", 0.18, 0.30, 0.14, 0.14, 0.15, 0.18, 0.50, 0.18, 0.45, 0.25, 0.4, 5),
    )
}
"""The agents by name, best first; the shares give a mean reward of about 0.6."""


def chosen_skills(names: tuple[str, ...]) -> tuple[Skill, ...]:
    """The skills of those names, all for none.

    Raises:
        UsageError: a name is not known.
    """
    for name in names:
        if name not in SKILLS:
            raise UsageError(f"skill {name!r} is not known; choose from {', '.join(SKILLS)}")
    return tuple(SKILLS[name] for name in names or SKILLS)
