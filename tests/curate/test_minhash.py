from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from curate import minhash
from curate import minhash_reference as reference
from curate.minhash import EMPTY, estimate, jaccards, shingle_sets, signatures, signatures_of_bytes
from curate.words import class_table

TEXT = "Cancel order #W5, please; the 2nd item stays."
# ruff: noqa: RUF001
SCRIPTS = {
    "Latin": ("Où est ma commande n° 5 ? Größe XL, naïve coöperation…", 10),
    "Greek": ("Πού είναι η παραγγελία μου; Θέλω να ακυρώσω.", 8),
    "Cyrillic": ("Где мой заказ? Хочу отменить его сегодня.", 7),
    "Arabic": ("أين طلبي؟ أريد إلغاء الطلب، شكرا", 6),
    "Hebrew": ("איפה ההזמנה שלי? אני רוצה לבטל", 6),
    "Devanagari": ("मेरा ऑर्डर कहाँ है? मैं इसे रद्द करना चाहता हूँ।", 10),
    "Tamil": ("என் ஆர்டர் எங்கே? ரத்து செய்ய வேண்டும்", 6),
    "Ethiopic": ("ትዕዛዜ፡የት፡ነው።", 3),
    "Hangul": ("제 주문은 어디에 있나요? 취소하고 싶어요.", 6),
    "Han": ("我的订单在哪里？请取消。", 10),
    "kana": ("ご注文はどこですか。", 9),
    "Thai": ("คำสั่งซื้อ", 10),
    "emoji": ("ok 👍🏽 sent", 4),
}
LETTERS = st.sampled_from("ab1 .\n-é中ี한\u200d👍\U0010ffff\x00") | st.characters(codec="utf-8")


def sign(*texts: str | None, **settings: int) -> np.ndarray:
    return signatures(pa.array(texts, pa.large_string()), **settings)


@given(st.lists(st.text(LETTERS, max_size=80), max_size=6), st.sampled_from([1, 7, 90]))
@example(["a" * 513, "é" * 300, "a " * 300, "ab" * 31 + "é", "x" * 64, "x" * 63 + " " + "y" * 64], 90)
@example(
    ["one two" + " " * 1_200, "a" * 600 + "." * 600 + "b", " " * 511 + "a", "x" * 2_000, "a b c d" + " " * 505 + "e"],
    90,
)
@example(["word " * 102 + "w" * n for n in range(0, 17)], 90)
def test_the_kernel_is_the_oracle(texts: list[str], count: int) -> None:
    found = sign(*texts, count=count)
    expected = [reference.signature(text, count) for text in texts]
    assert found.tolist() == [row.tolist() for row in expected]
    offsets, hashes = shingle_sets(pa.array(texts, pa.string()))
    for index, text in enumerate(texts):
        assert np.sort(hashes[offsets[index] : offsets[index + 1]]).tolist() == reference.shingle_hashes(text).tolist()


@given(st.lists(st.sampled_from(["a", " ", "é", "中", "." * 63, "w" * 64, "ab " * 21, " " * 511]), max_size=40))
def test_long_texts_in_pieces_too(pieces: list[str]) -> None:
    text = "".join(pieces)
    assert sign(text).tolist() == [reference.signature(text).tolist()]


@given(st.lists(st.text(st.sampled_from("ab c"), max_size=60), min_size=2, max_size=4))
def test_jaccards_are_exact(texts: list[str]) -> None:
    pairs = np.array([(one, other) for one in range(len(texts)) for other in range(len(texts))])
    found = jaccards(*shingle_sets(pa.array(texts)), pairs)
    assert found.tolist() == [reference.jaccard(texts[one], texts[other]) for one, other in pairs.tolist()]


def test_real_dialogues_are_signed_as_the_oracle_does(shared: Path) -> None:
    import gzip
    import json

    rows = json.loads(gzip.decompress((shared / "tau_bench_airline_gpt4o.json.gz").read_bytes()))[:20]
    texts = [json.dumps(row["traj"], ensure_ascii=False) for row in rows]
    assert sign(*texts).tolist() == [reference.signature(text).tolist() for text in texts]


@pytest.mark.parametrize("script", SCRIPTS)
def test_words_of_every_script(script: str) -> None:
    text, count = SCRIPTS[script]
    assert len(reference.words(text)) == count
    assert sign(text).tolist() == [reference.signature(text).tolist()]


def test_the_table_of_words_never_changes() -> None:
    """Signatures on disk rest on it: a change is a new SIGNATURE_VERSION, and new values here."""
    assert np.bincount(class_table()).tolist() == PINNED_CLASSES
    assert sign(TEXT, "", count=4).tolist() == PINNED
    assert minhash.SIGNATURE_VERSION == "1"


PINNED_CLASSES = [5323, 934863, 173926]
PINNED = [[58827400, 1744107454, 58827400, 58827400], [EMPTY] * 4]


def test_a_text_without_words_is_marked_and_like_nothing() -> None:
    found = sign("", " .,;\n", None, "word")
    assert (found[:3] == EMPTY).all() and (found[3] != EMPTY).all()
    assert estimate(found, found).tolist() == [0, 0, 0, 1]


def test_a_short_text_is_one_shingle() -> None:
    offsets, _ = shingle_sets(pa.array(["one", "one two three four", "one two three four five", "a b c d e f"]))
    assert np.diff(offsets).tolist() == [1, 1, 1, 2]
    one, other = sign("red shoes", "red  SHOES".lower())
    assert estimate(one, other) == 1


def test_threads_chunks_slices_and_types_do_not_change_a_signature(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [f"{TEXT} {number} " * (number % 40) for number in range(500)]
    expected = sign(*texts, threads=1)
    monkeypatch.setattr(minhash, "_RANGE_BYTES", 1_000)
    assert (sign(*texts, threads=3) == expected).all()
    whole = pa.array(["skipped", *texts])[1:]
    for array in (
        whole,
        whole.cast(pa.large_string()),
        pa.chunked_array([whole[:7], whole[7:]]),
        whole.dictionary_encode(),
    ):
        assert (signatures(array) == expected).all()
    data = "".join(texts).encode()
    offsets = np.cumsum([0, *map(len, texts)])
    assert (signatures_of_bytes(offsets, np.frombuffer(data, np.uint8)) == expected).all()


def test_bytes_that_are_no_utf8_do_no_harm() -> None:
    rng = np.random.default_rng(0)
    data = rng.integers(0, 256, 5_000, dtype=np.uint8)
    offsets = np.sort(np.append(rng.integers(0, 5_000, 50), [0, 5_000]))
    assert signatures_of_bytes(offsets, data).shape == (51, 90)


def test_nothing_at_all() -> None:
    assert signatures(pa.array([], pa.string())).shape == (0, 90)
    assert signatures(pa.chunked_array([], pa.string())).shape == (0, 90)
    assert shingle_sets(pa.array([], pa.string()))[0].tolist() == [0]
    assert jaccards(np.zeros(1, np.int64), np.empty(0, np.uint64), np.empty((0, 2), np.int64)).tolist() == []


def test_estimates_agree_with_datasketch_within_the_standard_error() -> None:
    from datasketch import MinHash

    rng = np.random.default_rng(3)
    errors, others, spread = [], [], []
    for share in rng.uniform(0.3, 0.98, 150):
        words = rng.integers(0, 10**6, 400).astype(str)
        edited = np.where(rng.random(400) < (1 - share) / 6, "edit", words)
        texts = [" ".join(words), " ".join(edited)]
        exact = reference.jaccard(*texts)
        theirs = MinHash.bulk(
            [[shingle.tobytes() for shingle in reference.shingle_hashes(t)] for t in texts], num_perm=90
        )
        errors.append(float(estimate(*sign(*texts))) - exact)
        others.append(theirs[0].jaccard(theirs[1]) - exact)
        spread.append(np.sqrt(exact * (1 - exact) / 90))
    standard = np.array(errors) / spread
    assert abs(standard.mean()) < 3 / np.sqrt(len(standard))
    assert standard.std() < 1.1
    assert abs(np.mean(errors) - np.mean(others)) < 3 * np.hypot(*[np.mean(spread)] * 2) / np.sqrt(len(errors))


def test_short_texts_are_estimated_without_bias() -> None:
    """Most of 90 bins are empty below 90 shingles; what fills them must not make texts look alike or unlike."""
    rng = np.random.default_rng(5)
    errors = []
    for _ in range(300):
        words = rng.integers(0, 10**6, 24).astype(str)
        texts = [" ".join(words), " ".join([*words[:18], *rng.integers(0, 10**6, 6).astype(str)])]
        errors.append(float(estimate(*sign(*texts))) - reference.jaccard(*texts))
    assert abs(np.mean(errors)) < 3 * np.std(errors) / np.sqrt(len(errors))


def test_one_huge_text() -> None:
    text = " ".join(f"word{number % 5_000}" for number in range(200_000))
    offsets, _ = shingle_sets(pa.array([text, "short text"]))
    assert np.diff(offsets).tolist() == [5_000, 1]
    assert (sign(text, "x")[0] == reference.signature(text[: 5_004 * 9])).mean() > 0.9


def test_a_folder_that_cannot_be_written_only_costs_the_compilation(tmp_path: Path) -> None:
    """As where the package is installed read-only and the user has no cache folder."""
    code = (
        "import numba.core.caching as caching\n"
        "caching.CacheImpl._locator_classes = []\n"
        "import pyarrow as pa\n"
        "from curate.minhash import signatures\n"
        "print(signatures(pa.array(['a b c d e'])).shape)"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("(1, 90)", "")
