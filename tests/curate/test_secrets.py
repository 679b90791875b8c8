from __future__ import annotations

import base64
import random
import string
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.personal import luhn
from curate.secrets import PERSONAL_KINDS, SECRET_KINDS, entropy, find_personal, find_secrets, may_hold_secrets

RNG = random.Random(7)
ALNUM = string.ascii_letters + string.digits


def rand(count: int, letters: str = ALNUM) -> str:
    """Random characters, the same each run; the first ones make sure of both a letter and a digit."""
    return "k7Qz"[: min(4, count)] + "".join(RNG.choice(letters) for _ in range(count - 4))


HEX = string.digits + "abcdef"
URL64 = ALNUM + "-_"
JWT = ".".join(
    [
        base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').decode().rstrip("="),
        base64.urlsafe_b64encode(b'{"sub":"u-4711","exp":1999999999}').decode().rstrip("="),
        rand(43, URL64),
    ]
)
PEM = "-----BEGIN RSA PRIVATE KEY-----\n" + "\n".join(rand(64) for _ in range(12)) + "\n-----END RSA PRIVATE KEY-----"

# Put together from parts, so that no scanner of this repository takes them for real ones.
PLANTED: list[tuple[str, str]] = [
    ("openai", "sk-" + rand(48)),
    ("openai", "sk-" + "proj-" + rand(120, URL64) + "k7"),
    ("anthropic", "sk-ant-" + "api03-" + rand(95, URL64)),
    ("aws", "AKIA" + "Q3" + rand(14, string.ascii_uppercase + "234567").upper()),
    ("github", "ghp_" + rand(36)),
    ("github", "gho_" + rand(36)),
    ("github", "github_pat_" + rand(22) + "_" + rand(59)),
    ("gitlab", "glpat-" + rand(20)),
    ("slack", "xoxb-" + "384756102938-9382716450192-" + rand(24)),
    ("google", "AIza" + rand(35, URL64)),
    ("google", "GOCSPX-" + rand(28, URL64)),
    ("google", "ya29." + rand(120, URL64)),
    ("huggingface", "hf_" + rand(34)),
    ("stripe", "sk_" + "live_" + rand(24)),
    ("stripe", "rk_" + "test_" + rand(24)),
    ("twilio", "SK" + "9f" + rand(30, HEX).lower().replace("k", "c").replace("q", "d").replace("z", "e")),
    ("sendgrid", "SG." + rand(22, URL64) + "." + rand(43, URL64)),
    ("npm", "npm_" + rand(36)),
    ("pypi", "pypi-" + "AgEIcHlwaS5vcmc" + rand(120, URL64)),
    ("jwt", JWT),
    ("private_key", PEM),
    ("private_key", PEM.replace("\n", "\\n")),
]
IN_CONTEXT: list[tuple[str, str, str]] = [
    ("slack", "https://hooks.slack.com/services/T0AB12CD3/B0AB12CD3/{}", rand(24)),
    ("basic_auth_url", "postgres://app:{}@db.internal:5432/shop", "tr4ff1c-Light"),
    ("basic_auth_url", "git clone https://x-oauth:{}@git.host.org/a.git", rand(12)),
    ("bearer", "curl -H 'Authorization: Bearer {}'", rand(40)),
    ("password", "DB_PASSWORD={}", "Tr0ub4dor9x"),
    ("password", '{{"password": "{}"}}', "c0rrectHorse7"),
    ("password", '{{\\"client_secret\\": \\"{}\\"}}', rand(32)),
    ("password", "aws_secret_access_key = {}", rand(40)),
    ("password", "api-key: {}", rand(20)),
    ("password", "X-Api-Key={}", rand(24)),
    ("password", "Access_Token := '{}'", rand(30)),
]


@pytest.mark.parametrize(("kind", "value"), PLANTED)
@pytest.mark.parametrize("around", ["{}", "my key is {}.", '{{"k":"{}"}}', "a\n{}\nb", "ключ {} \u2019 键 İ"])
def test_a_planted_key_is_found_and_masked(kind: str, value: str, around: str) -> None:
    text = around.format(value)
    found = find_secrets(text)
    assert [item.kind for item in found] == [kind]
    assert text[found[0].start : found[0].end].startswith(value[:40])
    assert value not in found[0].masked
    assert found[0].masked.startswith(value[:4])
    assert len(found[0].masked) <= 40
    assert may_hold_secrets(text)


@pytest.mark.parametrize(("kind", "around", "value"), IN_CONTEXT)
def test_a_value_known_by_what_stands_before_it(kind: str, around: str, value: str) -> None:
    text = around.format(value)
    found = find_secrets(text)
    assert [(item.kind, text[item.start : item.end]) for item in found] == [(kind, value)]
    assert value not in found[0].masked


def test_every_kind_has_a_planted_case() -> None:
    assert {kind for kind, *_ in [*PLANTED, *IN_CONTEXT]} == set(SECRET_KINDS)


@pytest.mark.parametrize(
    "text",
    [
        "sk-" + "x" * 48,
        "sk-YOUR_API_KEY_GOES_HERE_PLEASE_AND_THANKS",
        "sk-short",
        "task-" + rand(48),  # no key begins inside a word
        "sk-ant-api03-" + "x" * 95,
        "AKIAIOSFODNN7EXAMPLE",
        "AKIA" + rand(20).upper(),
        "ghp_" + rand(20),
        "ghp_" + "a" * 36,
        "github_pat_" + rand(22),
        "glpat-" + "x" * 20,
        "glpat-short",
        "xoxb-not-a-token",
        "AIza" + rand(20),
        "AIza" + rand(60),
        "GOCSPX-" + rand(8),
        "hf_" + rand(20),
        "hf_transfer_enabled_in_this_environment",
        "sk_" + "live_xxxxxxxxxxxxxxxxxxxxxxxx",
        "sk_test_4eC39HqLyjWDarjtT1zdp7dc",
        "SK" + "0" * 32,
        "SKU1234567890123456789012345678901234",
        "SG.short.parts",
        "npm_config_registry_and_other_settings_x",
        "pypi-AgShort",
        "eyJhbGciOiJIUzI1NiJ9",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.",
        "-----BEGIN PUBLIC KEY-----\n" + rand(64) + "\n-----END PUBLIC KEY-----",
        "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----",
        "-----BEGIN CERTIFICATE-----\n" + rand(64),
        "https://example.com:8080/a@b",
        "https://user:password@host.org",
        "postgres://postgres:postgres@localhost/db",
        "https://user:${TOKEN}@host.org",
        "Authorization: Bearer YOUR_ACCESS_TOKEN_GOES_HERE",
        "Bearer bonds were issued in that year",
        "password: ********",
        "password=changeme123",
        "Your password must have 8 characters",
        "password = os.environ['DB_PASSWORD']",
        "api_key = get_api_key(1, 2)",
        "secret santa: Tuesday",
        "api_key: <your-key-1>",
        "the key: 12345678",
        "monkey: banana77x",
        "call_" + "abcDEF12",
        "f47ac10b-58cc-4372-a567-0e02b2c3d479",
        "9e107d9d372bb6826bd81d3542a419d6",
    ],
)
def test_near_misses_and_placeholders_are_none(text: str) -> None:
    assert find_secrets(text) == []


def test_several_in_one_text_come_in_order_and_apart() -> None:
    text = f"Bearer {JWT} and api_key={'ghp_' + rand(36)} and AKIAIOSFODNN7EXAMPLE"
    found = find_secrets(text)
    assert [item.kind for item in found] == ["jwt", "github"]
    assert all(left.end <= right.start for left, right in pairwise(found))


@given(st.text(max_size=300), st.sampled_from(PLANTED), st.text(max_size=300))
def test_no_surroundings_hide_a_key_and_none_break_the_search(
    before: str, planted: tuple[str, str], after: str
) -> None:
    text = f"{before} {planted[1]} {after}"
    assert planted[0] in {item.kind for item in find_secrets(text)}
    for item in [*find_secrets(text), *find_personal(text)]:
        assert 0 <= item.start < item.end <= len(text)


@given(st.text(max_size=400))
def test_what_the_quick_look_lets_through_holds_nothing(text: str) -> None:
    if not may_hold_secrets(text):
        assert find_secrets(text) == []


PERSONAL: list[tuple[str, str]] = [
    ("email", "mia_li.3668+news@mail.example.co.uk"),
    ("phone", "+49 30 901820-55"),
    ("phone", "+14155552671"),
    ("phone", "(415) 555-2671"),
    ("phone", "415-555-2671"),
    ("phone", "1-415-555-2671"),
    ("credit_card", "4111 1111 1111 1111"),
    ("credit_card", "5555-5555-5555-4444"),
    ("credit_card", "378282246310005"),
    ("iban", "DE89 3704 0044 0532 0130 00"),
    ("iban", "GB82WEST12345698765432"),
    ("ip", "8.8.8.8"),
    ("ip", "2001:4860:4860::8888"),
    ("us_ssn", "536-90-4399"),
]


@pytest.mark.parametrize(("kind", "value"), PERSONAL)
@pytest.mark.parametrize("around", ["{}", "it is {}, thanks", '{{"v":"{}"}}', "é \u2019 {}\n"])
def test_personal_data_is_found(kind: str, value: str, around: str) -> None:
    text = around.format(value)
    assert [(item.kind, text[item.start : item.end]) for item in find_personal(text)] == [(kind, value)]
    assert find_secrets(text) == []


def test_every_personal_kind_has_a_case() -> None:
    assert {kind for kind, _ in PERSONAL} == set(PERSONAL_KINDS)


@pytest.mark.parametrize(
    "text",
    [
        "a@b",
        "@user and user@",
        "4111 1111 1111 1112",
        "order 4111111111111111222",
        "4444 4444 4444 4444",
        "DE89 3704 0044 0532 0130 01",
        "DE89 3704 0044 0532 01",
        "10.0.0.1 192.168.1.20 127.0.0.1 999.8.8.8",
        "version 1.2.3.4.5",
        "12:30:45 std::vector a::b",
        "000-12-3456 666-12-3456 900-12-3456 123-00-4567 123-45-0000",
        "2024-05-15 15:00:00",
        "#W2611340 HAT123 1656367028 4896585277",
        "115-555-2671",
        "price 1,299.00 (3 of 4)",
    ],
)
def test_what_only_looks_personal_is_none(text: str) -> None:
    assert find_personal(text) == []


@pytest.mark.parametrize(("number", "right"), [("79927398713", True), ("79927398710", False), ("0000", False)])
def test_luhn(number: str, right: bool) -> None:
    assert luhn(number) is right


def test_entropy() -> None:
    assert entropy("") == entropy("aaaa") == 0
    assert entropy("abcd") == 2


MEGABYTE = 1_000_000
HOSTILE: dict[str, Callable[[], str]] = {
    "one letter": lambda: "a" * MEGABYTE,
    "one digit": lambda: "4" * MEGABYTE,
    "spaces": lambda: "password" + " " * MEGABYTE,
    "jwt heads": lambda: "eyJ" * (MEGABYTE // 3),
    "jwt parts": lambda: "eyJaaaaaaaaaa." * (MEGABYTE // 14),
    "openai heads": lambda: "sk-" * (MEGABYTE // 3),
    "openai words": lambda: ("sk-" + "a1" * 20 + " ") * (MEGABYTE // 44),
    "pem heads": lambda: "-----BEGIN PRIVATE KEY-----" * (MEGABYTE // 27),
    "pem open": lambda: ("-----BEGIN PRIVATE KEY-----\n" + "aB3/" * 20) * (MEGABYTE // 108),
    "pem headers": lambda: "-----BEGIN PRIVATE KEY-----" + "Name: x\n" * (MEGABYTE // 8),
    "urls": lambda: "a://a:b" * (MEGABYTE // 7) + "@",
    "schemes": lambda: "a." * (MEGABYTE // 2) + "://u@",
    "secrets": lambda: "secret" * (MEGABYTE // 6),
    "assignments": lambda: "secret=" * (MEGABYTE // 7),
    "keys": lambda: "api_key " * (MEGABYTE // 8),
    "bearers": lambda: "Bearer " * (MEGABYTE // 7),
    "slack": lambda: "xoxb-1-" * (MEGABYTE // 7),
    "at signs": lambda: "a@" * (MEGABYTE // 2),
    "domains": lambda: "a@" + "a." * (MEGABYTE // 2),
    "octets": lambda: "1." * (MEGABYTE // 2),
    "groups": lambda: "1234 " * (MEGABYTE // 5),
    "ibans": lambda: "DE89 " * (MEGABYTE // 5),
    "plus signs": lambda: "+1" * (MEGABYTE // 2),
    "colons": lambda: "a::" * (MEGABYTE // 3),
    "brackets": lambda: "(1) " * (MEGABYTE // 4),
    "real keys": lambda: ("ghp_" + rand(36) + " ") * (MEGABYTE // 41),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_megabyte_comes_to_an_end(name: str) -> None:
    """Seconds at most where time is linear; what is quadratic would run into the suite's time limit."""
    text = HOSTILE[name]()
    for found in (find_secrets(text), find_personal(text)):
        assert all(left.end <= right.start for left, right in pairwise(found))
