"""Personal data in text: e-mail, phone, card and account numbers, addresses of machines; found, never removed.

An e-mail is an entity key of many agents' worlds (the user is looked up by it), so nothing here calls for rejection.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from curate.findings import Finding, apart, masked

# Countries of the IBAN registry with the length of their account numbers.
_IBAN_LENGTHS = {
    entry[:2]: int(entry[2:])
    for entry in (
        "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DK18 DO28 EE20 EG29 ES24 FI18 "
        "FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 "
        "LU20 LV21 LY25 MC27 MD24 ME22 MK19 MR27 MT31 MU30 NL18 NO15 PK24 PL28 PS29 PT25 QA29 RO24 RS22 SA24 SC31 SE24 "
        "SI19 SK24 SM27 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20"
    ).split()
}
_MARKS = bytes(0x64 if chr(code).isdigit() and code < 128 else 0x20 for code in range(256))
_JOINTS = b" .()+-"
FEWEST_DIGITS = 4
"""Digits in a row, joints left out, that an address like 8.8.8.8 has; cards, phones and accounts have more."""
_LOCAL = re.compile(r"[A-Za-z0-9._%+\-]{1,64}\Z")
_DOMAIN = re.compile(r"@(?:[A-Za-z0-9\-]{1,63}\.){1,8}[A-Za-z]{2,24}(?![A-Za-z0-9])")


def find_personal(text: str) -> list[Finding]:
    """Personal data of a text, in the order of their places, none inside another.

    Kinds: email, credit_card (Luhn's check digit), iban (its checksum and its country's length), us_ssn, phone
    (international with `+`, or written in the North American way), ip (addresses on the public internet; those of
    version 6 in their short form, with `::`).
    """
    taken = list(_emails(text)) if "@" in text else []
    joined = text.encode("utf-8", "replace").translate(_MARKS, _JOINTS)
    for kind in _KINDS:
        if kind.sign in text and b"d" * kind.digits in joined:
            taken = apart(taken, _found(kind, text))
    likely = [kind for kind in _DIGIT_KINDS if b"d" * kind.digits in joined]
    if likely and (likely[0].digits > FEWEST_DIGITS or _DOTTED.search(text)):
        stretches = [match.span() for match in _DIGITS.finditer(text)]
        for kind in likely:
            taken = apart(taken, _among_digits(kind, text, stretches))
    return taken


def _emails(text: str) -> Iterator[Finding]:
    at, end = text.find("@"), 0
    while at >= 0:
        before = _LOCAL.search(text, max(end, at - 64), at)
        after = _DOMAIN.match(text, at) if before else None
        if before and after:
            end = after.end()
            yield Finding("email", before.start(), end, masked(text[before.start() : end]))
        at = text.find("@", at + 1)


def _found(kind: _Kind, text: str) -> Iterator[Finding]:
    for match in kind.pattern.finditer(text):
        if kind.valid(match["value"]):
            yield Finding(kind.name, *match.span("value"), masked(match["value"]))


def _among_digits(kind: _Kind, text: str, stretches: list[tuple[int, int]]) -> Iterator[Finding]:
    for start, end in stretches:
        if end - start < kind.shortest or text.count(kind.sign, start, end) < kind.signs:
            continue
        for match in kind.pattern.finditer(text, max(0, start - 1), end + 2):  # what follows is looked at too
            if match.start() < end and kind.valid(match["value"]):
                yield Finding(kind.name, *match.span("value"), masked(match["value"]))


def luhn(number: str) -> bool:
    """Whether the last digit is the check digit of the others (ISO/IEC 7812-1); signs between digits are skipped."""
    digits = [int(sign) for sign in reversed(number) if sign.isdigit()]
    total = sum(digits[0::2]) + sum(sum(divmod(2 * digit, 10)) for digit in digits[1::2])
    return total % 10 == 0 and len(set(digits)) > 1


def _card(number: str) -> bool:
    digits = sum(map(str.isdigit, number))
    lengths = {"3": (14, 15), "4": (13, 16, 19), "5": (16,), "2": (16,), "6": (16, 19)}.get(number[0], ())
    return digits in lengths and luhn(number)


def _iban(text: str) -> bool:
    """Whether the remainder of the rearranged number is 1 modulo 97 (ISO 13616)."""
    number = text.replace(" ", "")
    if len(number) != _IBAN_LENGTHS.get(number[:2]):
        return False
    return int("".join(str(int(sign, 36)) for sign in number[4:] + number[:4])) % 97 == 1


def _phone(text: str) -> bool:
    digits = "".join(filter(str.isdigit, text))
    if text.startswith("+"):
        return 8 <= len(digits) <= 15
    return (
        len(digits) in (10, 11) and digits[-10] in "23456789" and digits[-7] in "23456789"
    )  # area code and exchange of the North American plan


def _address(text: str) -> bool:
    from ipaddress import ip_address

    try:
        return ip_address(text).is_global
    except ValueError:
        return False


def _ssn(text: str) -> bool:
    """Areas 000, 666 and from 900 on, group 00 and serial 0000 were never given out (US Social Security)."""
    area, group, serial = text.split("-")
    return area not in ("000", "666") and area[0] != "9" and group != "00" and serial != "0000"


@dataclass(frozen=True)
class _Kind:
    """One kind: what stands in it, its pattern, and what the pattern cannot check.

    `digits` in a row (joints left out) stand in any text that holds one; a stretch of digits that does has at least
    `shortest` characters and so many `signs`.
    """

    name: str
    sign: str
    pattern: re.Pattern[str]
    valid: Callable[[str], bool]
    digits: int = 0
    shortest: int = 0
    signs: int = 0


# Each pattern begins with a character or a set of them, which the engine skips to; what must not stand before follows.
_KINDS = (
    _Kind(
        "iban",
        "",
        re.compile(
            r"(?P<value>[A-Z](?<![A-Za-z0-9].)[A-Z][0-9]{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?)(?![A-Za-z0-9])"
        ),
        _iban,
        digits=6,
    ),
    _Kind(
        "phone", "+", re.compile(r"(?P<value>\+[0-9](?<![\w+.\-]..)(?:[ \-.()]{0,2}[0-9]){7,14})(?![\w\-])"), _phone, 8
    ),
    _Kind(
        "ip",
        "::",
        re.compile(r"(?P<value>[0-9A-Fa-f](?<![\w:.].)[0-9A-Fa-f]{0,3}(?:::?[0-9A-Fa-f]{1,4}){2,7})(?![\w:])"),
        _address,
    ),
)
_DOTTED = re.compile(r"\.(?<=[0-9]\.)[0-9]{1,3}\.[0-9]")  # a dot first, which the engine skips to
_DIGITS = re.compile(r"[0-9](?:[ .()\-]{0,2}[0-9]){3,60}")
_DIGIT_KINDS = (
    _Kind(
        "us_ssn",
        "-",
        re.compile(r"(?P<value>[0-9](?<![\w\-].)[0-9]{2}-[0-9]{2}-[0-9]{4})(?![\w\-])"),
        _ssn,
        digits=9,
        shortest=11,
        signs=2,
    ),
    _Kind(
        "credit_card",
        "",
        re.compile(r"(?P<value>[2-6](?<![\w.\-].)[0-9]{3}(?:[ \-]?[0-9]{2,6}){2,4})(?![\w\-]|\.[0-9])"),
        _card,
        digits=13,
        shortest=13,
    ),
    _Kind(
        "phone",
        "",
        re.compile(
            r"(?P<value>[(1-9](?<![\w+.\-].)(?:(?<=1)[ \-.]\(?[0-9])?[0-9]{2,3}(?:\) ?|[\-. ])"
            r"[0-9]{3}[\-. ][0-9]{4})(?![\w\-])"
        ),
        _phone,
        digits=10,
        shortest=12,
    ),
    _Kind(
        "ip",
        ".",
        re.compile(r"(?P<value>[0-9](?<![\w.\-].)[0-9]{0,2}(?:\.[0-9]{1,3}){3})(?![\w\-]|\.[0-9])"),
        _address,
        digits=FEWEST_DIGITS,
        shortest=7,
        signs=3,
    ),
)
PERSONAL_KINDS = ("email", "iban", "us_ssn", "phone", "ip", "credit_card")
"""All kinds of personal data; where two patterns meet in one place, the one that is sought first has it."""
